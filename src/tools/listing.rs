//! What tools that list records of a router share: checked parameters in, the end of the page out.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    failure::Failure,
    tools::{page, params::DeviceRef, tool::Targets},
};

/// Rows of one page: 1–`MAX`, `DEFAULT` when unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<const DEFAULT: u32, const MAX: u32>(pub u32);

impl<const DEFAULT: u32, const MAX: u32> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u32, const MAX: u32> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(asked) = Option::<i64>::deserialize(deserializer)? else { return Ok(Self(DEFAULT)) };
        match u32::try_from(asked) {
            Ok(limit) if (1..=MAX).contains(&limit) => Ok(Self(limit)),
            _ => Err(de::Error::custom(format!("1–{MAX}, got {asked}"))),
        }
    }
}

impl<const DEFAULT: u32, const MAX: u32> JsonSchema for Limit<DEFAULT, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Limit{DEFAULT}of{MAX}").into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX, "default": DEFAULT })
    }
}

/// RouterOS's id of a record: a star and hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordId(pub String);

/// A star and 1–16 hexadecimal digits.
pub(super) fn is_record_id(text: &str) -> bool {
    let digits = text.strip_prefix('*').unwrap_or_default();
    (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_record_id(&text) {
            return Ok(Self(text));
        }
        Err(de::Error::custom("RouterOS's id such as `*1F`, as lists show it"))
    }
}

impl JsonSchema for RecordId {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RecordId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^\\*[0-9A-Fa-f]{1,16}$" })
    }
}

/// A router and a page.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceList<const DEFAULT: u32, const MAX: u32> {
    /// Its id or name.
    pub device_id: DeviceRef,
    #[serde(default)]
    limit: Limit<DEFAULT, MAX>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl<const DEFAULT: u32, const MAX: u32> Targets for DeviceList<DEFAULT, MAX> {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

impl<const DEFAULT: u32, const MAX: u32> DeviceList<DEFAULT, MAX> {
    /// The page that is asked for.
    ///
    /// # Errors
    /// `invalid_params` when the cursor is not one of ours.
    pub(super) fn window(&self) -> Result<Window, Failure> {
        window(self.limit.0, self.cursor.as_deref())
    }
}

/// Which rows to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: usize,
    limit: usize,
}

/// The page that a limit and a cursor ask for.
///
/// # Errors
/// `invalid_params` when the cursor is not one of ours.
pub(super) fn window(limit: u32, cursor: Option<&str>) -> Result<Window, Failure> {
    Ok(Window { from: page::place(cursor)?, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}

/// How a list ends and where it came from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct End {
    pub(super) total_count: usize,
    next_cursor: Option<String>,
    transport: &'static str,
    fallback_used: bool,
}

impl Window {
    /// Cuts the page out of all rows.
    pub(super) fn cut<R, T: Serialize>(self, all: Vec<R>, shown: impl Fn(R) -> T) -> (Vec<T>, End) {
        let total_count = all.len();
        // Only rows of the page are made: a list can be a hundred times longer than its page.
        let kept = all.into_iter().skip(self.from).take(self.limit).map(shown).collect();
        let page = page::cut(kept, 0, self.limit);
        let end = self.from + page.rows.len();
        let next_cursor = (end < total_count).then(|| format!("@{end}"));
        (page.rows, End { total_count, next_cursor, transport: "rest", fallback_used: false })
    }
}

/// Where an answer about one record came from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin {
    transport: &'static str,
    fallback_used: bool,
}

impl Origin {
    /// Over REST.
    pub(super) const REST: Self = Self { transport: "rest", fallback_used: false };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_ids_check_themselves() {
        let limit = |text: &str| serde_json::from_str::<Limit<50, 500>>(text);
        assert_eq!((limit("null").unwrap().0, limit("1").unwrap().0, limit("500").unwrap().0), (50, 1, 500));
        for bad in ["0", "501", "-1", "\"5\"", "1.5", "99999999999"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
        let id = |text: &str| serde_json::from_value::<RecordId>(text.into());
        assert!(id("*1").is_ok() && id("*80000001").is_ok() && id("*0").is_ok());
        for bad in ["", "*", "1", "ether1", "*1/..", "*1F ", "*00112233445566778"] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows_follow_each_other_to_the_end() {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (rows, end) = window(10, cursor.as_deref()).unwrap().cut((0..25).collect(), |n: u32| n);
            assert_eq!(end.total_count, 25);
            seen.extend(rows);
            cursor = end.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        let (rows, end) = window(500, None).unwrap().cut(vec!["x".repeat(30_000); 10], |text| text);
        assert_eq!((rows.len(), end.next_cursor.as_deref()), (3, Some("@3")), "cut by size");
        let (rows, end) = window(10, Some("@99")).unwrap().cut(vec![1, 2], |n: u32| n);
        assert_eq!((rows.len(), end.next_cursor), (0, None), "past the end");
    }
}
