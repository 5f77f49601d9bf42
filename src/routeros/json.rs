//! Reads RouterOS's JSON as it really is: raw control bytes, foreign character sets, values of any scalar type.
//!
//! Bounded in size, depth and number of records; never panics, and never guesses at half an answer.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::routeros::port::Row;

/// The longest answer that is read: 3,000 firewall rules are about 1.5 MB.
pub const BODY_MAX: usize = 8 << 20;
/// Records of one answer; the largest tables that tools ask for whole are far below.
const ROWS_MAX: usize = 100_000;
/// Nesting. RouterOS never goes deeper than a list of records.
const DEPTH_MAX: usize = 16;

/// Why an answer is not a reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A web page.
    #[error("a page instead of JSON")]
    Html,
    /// Longer than [`BODY_MAX`].
    #[error("the answer is longer than {BODY_MAX} bytes")]
    TooLong,
    /// Nested too deep.
    #[error("the answer is nested too deep")]
    TooDeep,
    /// Not JSON, or cut off; where.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// Records; one object counts as one record, empty objects are left out.
    pub rows: Vec<Row>,
    /// The value of `ret`, when that is all there is.
    pub ret: Option<String>,
}

/// Reads an answer. An empty one is an answer without records.
///
/// # Errors
/// See [`JsonError`].
pub fn parse(bytes: &[u8]) -> Result<Body, JsonError> {
    if bytes.len() > BODY_MAX {
        return Err(JsonError::TooLong);
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    if text.is_empty() {
        return Ok(Body::default());
    }
    if text.starts_with('<') {
        return Err(JsonError::Html);
    }
    let text = mend(text)?;
    let Rows(mut rows) =
        serde_json::from_str(&text).map_err(|e| JsonError::Syntax { line: e.line(), column: e.column() })?;
    rows.retain(|row| !row.is_empty());
    let lone = rows.len() == 1 && rows[0].len() == 1;
    let ret = if lone { rows[0].remove("ret") } else { None };
    if ret.is_some() {
        rows.clear();
    }
    Ok(Body { rows, ret })
}

/// Escapes what RouterOS forgot to escape inside strings: control characters, stray backslashes, half surrogates.
fn mend(text: &str) -> Result<Cow<'_, str>, JsonError> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let (mut copied, mut at, mut depth, mut quoted) = (0, 0, 0_usize, false);
    while at < bytes.len() {
        let (wrong, mended) = match (quoted, bytes[at]) {
            (_, b'"') => {
                quoted = !quoted;
                (1, None)
            }
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(JsonError::TooDeep);
                }
                (1, None)
            }
            (false, b']' | b'}') => {
                depth = depth.saturating_sub(1);
                (1, None)
            }
            (true, b'\\') => escape_at(&bytes[at..]),
            (true, control) if control < 0x20 => (1, Some(format!("\\u{control:04x}"))),
            _ => (1, None),
        };
        if let Some(mended) = mended {
            let out = out.get_or_insert_with(|| String::with_capacity(text.len() + 64));
            out.push_str(&text[copied..at]);
            out.push_str(&mended);
            copied = at + wrong;
        }
        at += wrong;
    }
    Ok(out.map_or(Cow::Borrowed(text), |mut out| {
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }))
}

/// Looks at an escape: how many bytes it takes, and what should stand there instead.
fn escape_at(rest: &[u8]) -> (usize, Option<String>) {
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, None),
        Some(b'u') => match unit_at(rest) {
            None => (1, Some("\\\\".to_owned())),
            Some(0xd800..=0xdbff) if matches!(unit_at(&rest[6..]), Some(0xdc00..=0xdfff)) => (12, None),
            Some(0xd800..=0xdfff) => (6, Some("\u{fffd}".to_owned())),
            Some(_) => (6, None),
        },
        _ => (1, Some("\\\\".to_owned())),
    }
}

/// The number of a `\uXXXX` at the start of `bytes`.
fn unit_at(bytes: &[u8]) -> Option<u16> {
    let hex = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let hex = std::str::from_utf8(hex).ok().filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(hex, 16).ok()
}

/// A list of records, or one record.
struct Rows(Vec<Row>);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Rows;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record or a list of records")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows, A::Error> {
                let mut rows = Vec::new();
                while let Some(Record(row)) = seq.next_element()? {
                    if rows.len() == ROWS_MAX {
                        return Err(de::Error::custom("too many records"));
                    }
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rows, A::Error> {
                collect(map).map(|row| Rows(vec![row]))
            }
        }
        d.deserialize_any(Seen)
    }
}

/// One record.
struct Record(Row);

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Record;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Record, A::Error> {
                collect(map).map(Record)
            }
        }
        d.deserialize_map(Seen)
    }
}

/// Every value becomes text; `null` is an absent key.
fn collect<'de, A: MapAccess<'de>>(mut map: A) -> Result<Row, A::Error> {
    let mut row = Row::new();
    while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
        let text = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        row.insert(key, text);
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only_row(bytes: &[u8]) -> Row {
        let body = parse(bytes).unwrap();
        assert_eq!(body.rows.len(), 1, "{body:?}");
        body.rows.into_iter().next().unwrap()
    }

    #[test]
    fn an_object_is_one_record_and_values_become_text() {
        let row = only_row(br#"{"name":"r1","mtu":1500,"running":true,"comment":null,"x":{"y":[1]}}"#);
        assert_eq!(row["name"], "r1");
        assert_eq!(row["mtu"], "1500");
        assert_eq!(row["running"], "true");
        assert_eq!(row["x"], r#"{"y":[1]}"#);
        assert!(!row.contains_key("comment"));
    }

    #[test]
    fn nothing_has_four_spellings() {
        for nothing in ["", "  \r\n", "[]", "[{}]"] {
            assert_eq!(parse(nothing.as_bytes()), Ok(Body::default()), "{nothing}");
        }
    }

    #[test]
    fn ret_is_told_apart() {
        for answer in [r#"{"ret":"*2"}"#, r#"[{"ret":"*2"}]"#] {
            let body = parse(answer.as_bytes()).unwrap();
            assert_eq!((body.rows.len(), body.ret.as_deref()), (0, Some("*2")));
        }
        assert_eq!(only_row(br#"{"ret":"1","name":"x"}"#).len(), 2);
    }

    #[test]
    fn raw_control_bytes_and_foreign_bytes_are_mended() {
        let row = only_row(b"[{\"comment\":\"a\x01b\tc\nd\",\"name\":\"caf\xe9\"}]");
        assert_eq!(row["comment"], "a\u{1}b\tc\nd");
        assert_eq!(row["name"], "caf\u{fffd}");
    }

    #[test]
    fn wrong_escapes_are_mended_and_right_ones_kept() {
        let row =
            only_row(br#"{"a":"C:\x\u12","b":"\ud83d\ude00","c":"\ud83d!","d":"q\"\\\/\n","e":"\udc00"}"#);
        assert_eq!(row["a"], r"C:\x\u12");
        assert_eq!(row["b"], "😀");
        assert_eq!(row["c"], "\u{fffd}!");
        assert_eq!(row["d"], "q\"\\/\n");
        assert_eq!(row["e"], "\u{fffd}");
    }

    #[test]
    fn pages_and_halves_are_no_readings() {
        assert_eq!(parse(b" <!DOCTYPE html><html>"), Err(JsonError::Html));
        assert!(matches!(parse(br#"[{"a":"b"},{"a"#), Err(JsonError::Syntax { .. })));
        assert!(matches!(parse(br#"["a","b"]"#), Err(JsonError::Syntax { .. })));
        assert!(matches!(parse(b"17"), Err(JsonError::Syntax { .. })));
    }

    #[test]
    fn size_depth_and_count_are_bounded() {
        assert_eq!(parse(&vec![b' '; BODY_MAX + 1]), Err(JsonError::TooLong));
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
        let many = format!("[{}{{}}]", "{},".repeat(ROWS_MAX));
        assert!(matches!(parse(many.as_bytes()), Err(JsonError::Syntax { .. })));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn hostile_json_never_panics(text in r#"[\[\]{}",:\\ud0-9a-f\x00-\x1f é]{0,200}"#) {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn any_value_survives(key in "[a-z.-]{1,10}", value in any::<String>()) {
            let sent = serde_json::json!({ (key.clone()): value.clone(), "other": "x" }).to_string();
            let row = only_row(sent.as_bytes());
            prop_assert_eq!(&row["other"], "x");
            if key != "other" { prop_assert_eq!(&row[&key], &value); }
        }
    }
}
