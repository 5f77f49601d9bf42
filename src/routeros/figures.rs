//! RouterOS's words for radio and traffic figures, and for the times of its log.
//!
//! As in [`crate::routeros::value`]: `None` for what is not known, no panic, no guessed default.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};

use crate::routeros::value::{date_time, decimal, whole};

/// A pair of counters, sent first: `17536671,2966351`.
#[must_use]
pub fn pair(text: &str) -> Option<(u64, u64)> {
    let (sent, received) = text.split_once(',')?;
    Some((whole(sent)?, whole(received)?))
}

/// A signal in dBm: `-47`, `-62@1Mbps`, `-62dBm@6Mbps`.
#[must_use]
pub fn dbm(text: &str) -> Option<i64> {
    let level = text.split('@').next()?.trim();
    level.strip_suffix("dBm").unwrap_or(level).trim().parse().ok()
}

/// A radio rate in bits per second: `54000000`, `72.2Mbps-20MHz/1S/SGI`, `1.2Gbps`.
#[must_use]
pub fn bits_per_second(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() {
        return whole(number);
    }
    let factor = [("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3), ("bps", 1.0)]
        .into_iter()
        .find_map(|(word, factor)| unit.starts_with(word).then_some(factor))?;
    let bits = (decimal(number)? * factor).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range")]
    (0.0..9.0e15).contains(&bits).then_some(bits as u64)
}

/// The time of a log line, in the router's own time: `2026-09-28 16:48:57` (7.10 and newer), or `16:48:57` for today,
/// `sep/28 16:48:57` for this year and `sep/28/2025 16:48:57` before. `today` is the router's date.
#[must_use]
pub fn log_time(text: &str, today: NaiveDate) -> Option<NaiveDateTime> {
    let text = text.trim();
    if let Some(whole) = date_time(text) {
        return Some(whole);
    }
    let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M:%S").ok();
    let Some((date, time)) = text.split_once(' ') else {
        return clock(text).map(|time| today.and_time(time));
    };
    let this_year = date_time(&format!("{date}/{} {time}", today.year()))?;
    // A line of last December, read in January.
    if this_year.date() <= today { Some(this_year) } else { this_year.with_year(today.year() - 1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_signals_and_rates_in_all_spellings() {
        assert_eq!(pair("17536671,2966351"), Some((17_536_671, 2_966_351)));
        assert_eq!((pair("17"), pair("a,b"), pair("")), (None, None, None));
        assert_eq!([dbm("-47"), dbm("-62@1Mbps"), dbm("-62dBm@6Mbps")], [Some(-47), Some(-62), Some(-62)]);
        assert_eq!((dbm(""), dbm("strong")), (None, None));
        assert_eq!(bits_per_second("54000000"), Some(54_000_000));
        assert_eq!(bits_per_second("72.2Mbps-20MHz/1S/SGI"), Some(72_200_000));
        assert_eq!(bits_per_second("1.2Gbps"), Some(1_200_000_000));
        assert_eq!(
            (bits_per_second("fast"), bits_per_second("7Xbps"), bits_per_second("")),
            (None, None, None)
        );
    }

    #[test]
    fn log_times_of_every_release() {
        let today = NaiveDate::from_ymd_opt(2026, 1, 3).unwrap();
        let at = |text| log_time(text, today).map(|time| time.to_string());
        assert_eq!(at("2025-09-28 16:48:57").as_deref(), Some("2025-09-28 16:48:57"));
        assert_eq!(at("16:48:57").as_deref(), Some("2026-01-03 16:48:57"));
        assert_eq!(at("jan/02 01:02:03").as_deref(), Some("2026-01-02 01:02:03"));
        assert_eq!(at("dec/31 23:59:59").as_deref(), Some("2025-12-31 23:59:59"), "last year's");
        assert_eq!(at("nov/18/2016 02:30:07").as_deref(), Some("2016-11-18 02:30:07"));
        assert_eq!((at("soon"), at(""), at("feb/30 00:00:00")), (None, None, None));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let today = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
            let _ = (pair(&text), dbm(&text), bits_per_second(&text), log_time(&text, today));
        }
    }
}
