//! RouterOS's words for values: booleans, sizes, durations, versions, lists, percentages, dates.
//!
//! Every parser answers `None` for what it does not know; none panics, and none guesses a default.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use crate::routeros::text::{TEXT_MAX, Untrusted, clean, clean_bytes};

/// `true`, `false`, `yes`, `no`.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}

/// A whole number.
#[must_use]
pub fn whole(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A percentage with or without its sign: `12`, `12%`.
#[must_use]
pub fn percent(text: &str) -> Option<f64> {
    decimal(text.trim().strip_suffix('%').unwrap_or(text.trim()))
}

/// A decimal number without exponent, infinity or hexadecimal forms.
#[must_use]
pub fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.len() <= 32
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    if plain { text.parse().ok() } else { None }
}

/// A size in bytes: `2048` (times `unit`), `2048KiB`, `64.5MiB`, `1GiB`, `512k`, `16M`.
#[must_use]
pub fn size(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix.trim() {
        "" => unit,
        "B" | "b" => 1,
        "k" | "K" | "kB" | "KB" | "KiB" | "kiB" => 1 << 10,
        "m" | "M" | "MB" | "MiB" => 1 << 20,
        "g" | "G" | "GB" | "GiB" => 1 << 30,
        "t" | "T" | "TB" | "TiB" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let bytes = decimal(number)? * factor as f64;
    // 2^53: beyond it a fraction has no meaning.
    (0.0..9.0e15).contains(&bytes).then_some(bytes as u64)
}

/// A duration: `1w2d3h4m5s`, `170ms`, `1ms500us`, `00:10:00`, `1d 00:00:00`, `1d2h`. A bare number is none.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || !text.is_ascii() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.trim_start();
        let clock = rest.split(' ').next().unwrap_or(rest);
        if clock.contains(':') {
            let clock_starts = clock.find(|c: char| c.is_ascii_alphabetic()).is_none();
            if clock_starts {
                total = total.checked_add(clock_time(clock)?)?;
                rest = &rest[clock.len()..];
                continue;
            }
        }
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        total = total.checked_add(unit_time(number, unit)?)?;
        rest = tail;
        if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) {
            return None; // a number without its unit at the end
        }
    }
    Some(total)
}

/// One number and unit of a duration; fractions are allowed for seconds and smaller.
fn unit_time(number: &str, unit: &str) -> Option<Duration> {
    let seconds: u64 = match unit {
        "w" => 604_800,
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        "s" | "ms" | "us" | "ns" => {
            let scale: f64 = match unit {
                "s" => 1.0,
                "ms" => 1e-3,
                "us" => 1e-6,
                _ => 1e-9,
            };
            if let Ok(whole) = number.parse::<u64>() {
                return Some(match unit {
                    "s" => Duration::from_secs(whole),
                    "ms" => Duration::from_millis(whole),
                    "us" => Duration::from_micros(whole),
                    _ => Duration::from_nanos(whole),
                });
            }
            return Duration::try_from_secs_f64(decimal(number)? * scale).ok();
        }
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// `hh:mm:ss`, `mm:ss`, with a fraction of a second at the end.
fn clock_time(text: &str) -> Option<Duration> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [h, m, s] => (h.parse::<u64>().ok()?, m.parse::<u64>().ok()?, s),
        [m, s] => (0, m.parse::<u64>().ok()?, s),
        _ => return None,
    };
    let seconds = Duration::try_from_secs_f64(decimal(seconds)?).ok()?;
    Duration::from_secs(hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?).checked_add(seconds)
}

/// A comma list without empty items: `9.9.9.9,1.1.1.1`.
#[must_use]
pub fn list(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// A date with an optional time, in both spellings: `2026-09-28 16:48:57`, `nov/18/2016 02:30:07`, `nov/18/2016`.
#[must_use]
pub fn date_time(text: &str) -> Option<chrono::NaiveDateTime> {
    let text = text.trim();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    date_only(date)?.and_hms_opt(0, 0, 0)?.checked_add_signed({
        let time = chrono::NaiveTime::parse_from_str(time, "%H:%M:%S").ok()?;
        time.signed_duration_since(chrono::NaiveTime::MIN)
    })
}

/// A date in both spellings: `2026-09-28`, `nov/18/2016`.
#[must_use]
pub fn date_only(text: &str) -> Option<chrono::NaiveDate> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let slashed: Vec<&str> = text.split('/').collect();
    if let [month, day, year] = slashed[..] {
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
        return chrono::NaiveDate::from_ymd_opt(
            year.parse().ok()?,
            u32::try_from(month).ok()?,
            day.parse().ok()?,
        );
    }
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// What a version ends with: test builds come before the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `7.1alpha1`.
    Alpha(u16),
    /// `7.1beta4`.
    Beta(u16),
    /// `7.20rc2`.
    Candidate(u16),
    /// No suffix.
    Release,
}

/// A RouterOS version, in its true order: `7.1beta4` < `7.1rc1` < `7.1` < `7.1.1`. Its JSON form is its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 7 of `7.23.7`.
    pub major: u16,
    /// 23 of `7.23.7`.
    pub minor: u16,
    /// 7 of `7.23.7`, or 0.
    pub patch: u16,
    /// Test builds.
    pub stage: Stage,
}

impl Version {
    /// A release.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch, stage: Stage::Release }
    }

    /// Reads the start of a text: `7.23.7 (long-term)`, `7.1beta4 (development)`, `6.49`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let word = word.split([' ', '(']).next()?;
        let digits = word.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(word.len());
        let (numbers, suffix) = word.split_at(digits);
        let mut parts = numbers.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().map_or(Ok(0), str::parse).ok()?;
        let number = |prefix: &str| suffix.strip_prefix(prefix).and_then(|n| n.parse().ok());
        let stage = if suffix.is_empty() {
            Stage::Release
        } else {
            number("alpha")
                .map(Stage::Alpha)
                .or_else(|| number("beta").map(Stage::Beta))
                .or_else(|| number("rc").map(Stage::Candidate))?
        };
        if parts.next().is_some() { None } else { Some(Self { major, minor, patch, stage }) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        match self.stage {
            Stage::Alpha(n) => write!(f, "alpha{n}"),
            Stage::Beta(n) => write!(f, "beta{n}"),
            Stage::Candidate(n) => write!(f, "rc{n}"),
            Stage::Release => Ok(()),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a version such as 7.20.8"))
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Properties whose values are words of people: `no` is a word there.
const WORDS: [&str; 6] = ["comment", "name", "ssid", "configuration.ssid", "log-prefix", "content"];

/// Unset, empty and off are one: RouterOS leaves them out or not as it likes (FACTS 1.3).
#[must_use]
pub fn is_off(name: &str, value: &str) -> bool {
    value.is_empty() || (matches!(value, "false" | "no") && !WORDS.contains(&name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn booleans_have_four_spellings() {
        assert_eq!(
            ["true", "yes", "false", "no", "", "1"].map(boolean),
            [Some(true), Some(true), Some(false), Some(false), None, None]
        );
    }

    #[test]
    fn sizes_have_units() {
        for (text, unit, bytes) in [
            ("2048", 1024, Some(2_097_152)),
            ("2048KiB", 1024, Some(2_097_152)),
            ("83439616", 1, Some(83_439_616)),
            ("64.5MiB", 1, Some(67_633_152)),
            ("1GiB", 1, Some(1 << 30)),
            ("512k", 1, Some(524_288)),
            ("", 1, None),
            ("x", 1, None),
            ("99999999999999999999", 1, None),
            ("18446744073709551615KiB", 1, None),
        ] {
            assert_eq!(size(text, unit), bytes, "{text}");
        }
    }

    #[test]
    fn durations_have_many_spellings() {
        for (text, micros) in [
            ("1w2d3h4m5s", Some(788_645_000_000)),
            ("170ms", Some(170_000)),
            ("1ms500us", Some(1500)),
            ("453us", Some(453)),
            ("00:10:00", Some(600_000_000)),
            ("1d 00:00:00", Some(86_400_000_000)),
            ("5d6h7m8s", Some(454_028_000_000)),
            ("2d20h12m20s", Some(245_540_000_000)),
            ("00:00:01.5", Some(1_500_000)),
            ("0s", Some(0)),
            ("never", None),
            ("", None),
            ("5", None),
            ("1d5", None),
            ("99999999999999999999w", None),
            ("1:2:3:4", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_micros()), micros, "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_they_were_released() {
        let order =
            ["6.49.13", "7.1beta4 (development)", "7.1rc1", "7.1", "7.1.1", "7.10", "7.23.7 (long-term)"];
        let parsed: Vec<Version> = order.iter().map(|v| Version::parse(v).unwrap()).collect();
        assert!(parsed.is_sorted(), "{parsed:?}");
        assert_eq!(parsed[6].to_string(), "7.23.7");
        for bad in ["", "7", "seven", "7.1.2.3", "7.1nightly"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_changed_their_spelling_at_7_10() {
        let at = |text: &str| date_time(text).map(|at| at.to_string());
        assert_eq!(at("2026-09-28 16:48:57").as_deref(), Some("2026-09-28 16:48:57"));
        assert_eq!(at("nov/18/2016 02:30:07").as_deref(), Some("2016-11-18 02:30:07"));
        assert_eq!(at("Dec/04/2020").as_deref(), Some("2020-12-04 00:00:00"));
        assert_eq!(at("2026-13-01"), None);
        assert_eq!(at("never"), None);
    }

    #[test]
    fn lists_and_percentages() {
        assert_eq!(list("9.9.9.9, 1.1.1.1,"), ["9.9.9.9", "1.1.1.1"]);
        assert!(list("").is_empty());
        assert_eq!(percent("12%"), Some(12.0));
        assert_eq!(percent("7"), Some(7.0));
        assert_eq!(percent("nan"), None);
    }

    proptest! {
        #[test]
        fn no_parser_panics(text in "\\PC{0,40}", wild in "[0-9wdhms:. /a-z%-]{0,40}") {
            for text in [text.as_str(), wild.as_str()] {
                let _ = (boolean(text), size(text, 1024), duration(text), Version::parse(text), date_time(text));
                let _ = (percent(text), list(text), whole(text));
            }
        }

        #[test]
        fn a_version_survives_its_text(major in 6u16..9, minor in 0u16..99, patch in 0u16..99) {
            let version = Version::new(major, minor, patch);
            prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
        }
    }
}
