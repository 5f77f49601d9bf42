//! Names of things: typed ids, the place in the log, and the moment.
//!
//! An id minted by the product is a ULID behind a prefix (`plan_01k…`): time-ordered, 128 bits, safe in URLs. Devices
//! are named by people, so theirs is a checked slug. Ids are minted in the shell and recorded; nothing here reads a
//! clock or draws randomness.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What was wrong with a text that should have been an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix is another one or missing.
    #[error("expected an id that starts with `{expected}`")]
    Prefix {
        /// The prefix that this kind of id has.
        expected: &'static str,
    },
    /// The part after the prefix is not a ULID.
    #[error("the part after `{expected}` is not a valid id")]
    Body {
        /// The prefix that this kind of id has.
        expected: &'static str,
    },
    /// A device id that is not a slug.
    #[error(
        "a device id is 1–63 characters of a–z, 0–9, `-`, `_` and `.`, and starts with a letter or digit"
    )]
    Slug,
}

macro_rules! minted_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// An id from its time (milliseconds since 1970) and 80 bits of randomness; the caller brings both.
            #[must_use]
            pub fn from_parts(at: Moment, random: u128) -> Self {
                Self(ulid::Ulid::from_parts(at.as_millis().max(0).unsigned_abs(), random).into())
            }

            /// The 128 bits, as stored in index keys.
            #[must_use]
            pub const fn to_u128(self) -> u128 {
                self.0
            }

            /// From the 128 bits, as stored in index keys and frames.
            #[must_use]
            pub const fn from_u128(raw: u128) -> Self {
                Self(raw)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, ulid::Ulid::from(self.0).to_string().to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let body = text.strip_prefix($prefix).ok_or(IdError::Prefix { expected: $prefix })?;
                let body = body.to_ascii_uppercase();
                // 26 digits hold two bits more than an id has: a text that uses them would be another name for the same.
                ulid::Ulid::from_string(&body)
                    .ok()
                    .filter(|ulid| ulid.to_string() == body)
                    .map(|ulid| Self(ulid.into()))
                    .ok_or(IdError::Body { expected: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(de::Error::custom)
                } else {
                    u128::deserialize(d).map(Self)
                }
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": concat!("^", $prefix, "[0-9a-z]{26}$") })
            }
        }
    };
}

minted_id!(
    /// One recorded call of a tool.
    CallId, "call_");
minted_id!(
    /// One wish sent to the writer; repeating it with the same id changes nothing twice.
    CommandId, "cmd_");
minted_id!(
    /// One sealed router login.
    CredentialId, "cred_");
minted_id!(
    /// The carrying out of one approved plan.
    JobId, "job_");
minted_id!(
    /// An immutable list of operations that waits for approval.
    PlanId, "plan_");
minted_id!(
    /// One operation on one device inside a job.
    StepId, "step_");
minted_id!(
    /// A store, named at `init`; exports and checkpoints carry it.
    StoreId, "store_");
minted_id!(
    /// A bearer token's record (never the token itself).
    TokenId, "tok_");

/// A device's name for machines: a slug chosen by people, unique and never reused for another box.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DeviceId(String);

impl DeviceId {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = (1..=63).contains(&text.len()) && text.starts_with(first) && text.chars().all(inner);
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError::Slug) }
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for DeviceId {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeviceId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$" })
    }
}

/// A place in the log. The first event has 1; gaps left by retired samples are legal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A batch of devices of a job, counted from 1 (1 is the canary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WaveNo(pub u32);

/// A moment in UTC: microseconds since 1970. Text form is RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(i64);

impl Moment {
    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// This moment and a number of seconds more (negative: earlier); saturates.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1_000_000)))
    }
    /// Microseconds from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<chrono::DateTime<chrono::Utc>> for Moment {
    fn from(at: chrono::DateTime<chrono::Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match chrono::DateTime::from_timestamp_micros(self.0) {
            Some(at) => f.write_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
            None => write!(f, "{}µs", self.0),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Moment {
    type Err = chrono::ParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        chrono::DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_micros()))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(d).map(Self)
        }
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_id_survives_its_text_form() {
        let id = PlanId::from_parts(Moment::from_micros(1_790_000_000_000_000), 42);
        assert!(id.to_string().starts_with("plan_0"));
        assert_eq!(id.to_string().parse::<PlanId>(), Ok(id));
        assert_eq!(id.to_string().parse::<JobId>(), Err(IdError::Prefix { expected: "job_" }));
        assert_eq!("plan_zz".parse::<PlanId>(), Err(IdError::Body { expected: "plan_" }));
        // No second name for the same plan: the first digit has three bits.
        let other = id.to_string().replacen("plan_0", "plan_8", 1);
        assert_eq!(other.parse::<PlanId>(), Err(IdError::Body { expected: "plan_" }));
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = JobId::from_parts(Moment::from_micros(1_000_000), u128::MAX);
        let late = JobId::from_parts(Moment::from_micros(2_000_000), 0);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn device_ids_are_slugs() {
        for good in ["r1", "north-tower", "10.0.0.1", "a_b"] {
            assert!(good.parse::<DeviceId>().is_ok(), "{good}");
        }
        for bad in ["", "-x", "A", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moment_survives_its_text_form() {
        let at = Moment::from_micros(1_790_000_000_123_456);
        assert_eq!(at.to_string().parse::<Moment>(), Ok(at));
    }
}
