//! Checks the texts that a client writes; times, dates and networks as the router reads and writes them.
//!
//! Pure: takes a text and its kind, gives the text as the router would keep it or the router's complaint.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::forms::shaped;
use crate::seed::as_raw_byte;
use crate::spec::{Arg, Kind};

/// The text as it is kept, or the complaint. References are checked elsewhere.
pub fn check(arg: &Arg, text: &str) -> Result<String, String> {
    let bad = || Err(format!("invalid value for argument {}", arg.name));
    match arg.kind {
        Kind::Any | Kind::Ref(..) => Ok(text.to_owned()),
        Kind::Bool => match text {
            "true" | "yes" => Ok("true".to_owned()),
            "false" | "no" => Ok("false".to_owned()),
            _ => bad(),
        },
        Kind::Range(low, high) => match text.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.to_string()),
            Ok(_) => Err(format!("value of {} out of range ({low}..{high})", arg.name)),
            Err(_) => bad(),
        },
        Kind::Words(words) if words.split('|').any(|word| word == text) => Ok(text.to_owned()),
        Kind::Words(_) => Err(format!("input does not match any value of {}", arg.name)),
        Kind::List(words) => {
            let known = |part: &str| words.split('|').any(|word| word == part);
            let bare = text.strip_prefix('!').unwrap_or(text);
            let fine = bare.split(',').all(known);
            if fine {
                Ok(text.to_owned())
            } else {
                Err(format!("input does not match any value of {}", arg.name))
            }
        }
        Kind::Form(form) => match shaped(form, text) {
            Some(text) => Ok(text),
            None => bad(),
        },
    }
}

/// The network of `10.1.2.3/24`, i.e. `10.1.2.0`.
pub fn network_of(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let length: u8 = length.parse().ok().filter(|length| *length <= 32)?;
    let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
    Some((Ipv4Addr::from(u32::from(address.parse::<Ipv4Addr>().ok()?) & mask), length))
}

/// Whether the address lies in the network.
pub fn contains(network: &str, address: &str) -> bool {
    match (network_of(network), address.parse::<Ipv4Addr>()) {
        (Some((base, length)), Ok(address)) => {
            network_of(&format!("{address}/{length}")).is_some_and(|(mine, _)| mine == base)
        }
        _ => false,
    }
}

/// Reads `1w2d3h4m5s`, `170ms`, `1ms500us`, `00:10:00`, `1d 00:00:00` and bare seconds.
pub fn parse_time(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let mut total = 0u64;
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        total = total.checked_add(if part.contains(':') { clock_us(part)? } else { units_us(part)? })?;
    }
    Some(Duration::from_micros(total))
}

fn clock_us(text: &str) -> Option<u64> {
    let mut seconds = 0u64;
    for part in text.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    seconds.checked_mul(1_000_000)
}

fn units_us(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "w" => 604_800_000_000,
            "d" => 86_400_000_000,
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" | "" => 1_000_000,
            "ms" => 1_000,
            "us" => 1,
            _ => return None,
        };
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(total)
}

/// A duration in the router's notation, or one of the words that stand for one.
pub fn normal_time(text: &str) -> Option<String> {
    if matches!(text, "none" | "auto" | "infinity" | "none-dynamic" | "none-static") {
        return Some(text.to_owned());
    }
    parse_time(text).map(show_time)
}

/// Writes a duration as the router does: `1w2d3h4m5s`, `0s`, `170ms`, `453us`.
pub fn show_time(time: Duration) -> String {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut left = us;
    let mut out = String::new();
    for (unit, size) in [
        ("w", 604_800_000_000),
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ] {
        if left >= size {
            out.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// The same, cut to whole seconds.
pub fn show_seconds(time: Duration) -> String {
    show_time(Duration::from_secs(time.as_secs()))
}

/// Seconds since 1970 as `2026-09-28 16:48:57`.
pub fn show_date_time(unix_s: u64) -> String {
    // Civil-from-days; see Howard Hinnant's date algorithms.
    let days = unix_s / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let second = unix_s % 86_400;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// Reads `2026-09-28 16:48:57` as seconds since 1970.
pub fn parse_date_time(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(' ')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let fits = (1970..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fits {
        return None;
    }
    // Days-from-civil; the inverse of what is above.
    let shifted = year - u64::from(month <= 2);
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn numbers(text: &str, by: char) -> Option<[u64; 3]> {
    let parts: Vec<u64> = text.split(by).map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

/// Quotes a text for the console.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let bare = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | '-' | '_' | ',' | '/' | ':' | '*' | '!' | '%' | '@' | '+')
    };
    if !text.is_empty() && text.chars().all(bare) {
        return Cow::Borrowed(text);
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\{:02X}", u32::from(c))),
            c => match as_raw_byte(c) {
                Some(byte) => out.push_str(&format!("\\{byte:02X}")),
                None => out.push(c),
            },
        }
    }
    out.push('"');
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_written() {
        assert_eq!(parse_time("1w2d3h4m5s"), Some(Duration::from_secs(788_645)));
        assert_eq!(parse_time("00:10:00"), Some(Duration::from_secs(600)));
        assert_eq!(parse_time("1d 00:00:00"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_time("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(parse_time("5x"), None);
        assert_eq!(show_time(Duration::from_secs(788_645)), "1w2d3h4m5s");
        assert_eq!(show_time(Duration::from_micros(1_500)), "1ms500us");
    }

    #[test]
    fn dates() {
        assert_eq!(show_date_time(0), "1970-01-01 00:00:00");
        assert_eq!(show_date_time(1_790_614_137), "2026-09-28 16:48:57");
        assert_eq!(show_date_time(951_782_400), "2000-02-29 00:00:00");
        for seconds in [0, 951_782_400, 1_790_614_137, 1_709_164_799, 4_102_444_800] {
            assert_eq!(parse_date_time(&show_date_time(seconds)), Some(seconds));
        }
        for wrong in ["2026-09-28", "2026-13-01 00:00:00", "2026-01-01 24:00:00", "sep/28/2026 00:00:00"] {
            assert_eq!(parse_date_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks() {
        assert_eq!(network_of("10.1.2.3/24").map(|n| n.0.to_string()).as_deref(), Some("10.1.2.0"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(shaped("ips", "1.1.1.1,8.8.8.8").is_some());
        assert!(shaped("ips", "1.1.1.1,dns.example").is_none());
        assert!(shaped("hosts", "pool.ntp.org,1.2.3.4").is_some());
        assert!(shaped("hosts", "1.2.3").is_none());
    }
}
