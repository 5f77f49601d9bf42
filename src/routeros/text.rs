//! Text that came from a router, made harmless: nothing in it can move a cursor, hide, or grow without end.
//!
//! Never judges what a text means: a comment that reads like an order is still only data.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The longest text of one value that leaves this module, in bytes.
pub const TEXT_MAX: usize = 1024;
/// Shows that a text was cut.
const CUT: char = '…';

/// Cleans text from a router: control characters, terminal sequences, direction marks, invisible characters and the
/// tag block are dropped, line breaks and tabs become spaces, and what is longer than [`TEXT_MAX`] bytes ends with `…`.
#[must_use]
pub fn clean(text: &str) -> String {
    unhidden(text, TEXT_MAX)
}

fn unhidden(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\u{9b}' => {
                skip_control_sequence(&mut chars);
                continue;
            }
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_hidden(c) => continue,
            c => c,
        };
        if out.len() + c.len_utf8() > max {
            while out.len() > max - CUT.len_utf8() {
                out.pop();
            }
            out.push(CUT);
            break;
        }
        out.push(c);
    }
    out
}

/// Shows as escapes what [`clean`] drops: for quoting to callers what they sent themselves.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// [`clean`] for bytes: what is not UTF-8 becomes U+FFFD.
#[must_use]
pub fn clean_bytes(bytes: &[u8]) -> String {
    // Nothing after this many bytes can be shown: an escape sequence that long is an attack anyway.
    clean(&String::from_utf8_lossy(&bytes[..bytes.len().min(16 * TEXT_MAX)]))
}

/// Takes what hides or moves out of every text in an answer, names of fields included. Answers are data of ours and of
/// routers mixed; whatever a field's type promises, nothing that leaves the house may act on a terminal.
pub fn clean_answer(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.chars().any(is_hidden) {
                *text = unhidden(text, usize::MAX);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clean_answer),
        Value::Object(fields) => {
            if fields.keys().any(|name| name.chars().any(is_hidden)) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (unhidden(&name, usize::MAX), value))
                    .collect();
            }
            fields.values_mut().for_each(clean_answer);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// [`clean`] for every text in a value; what stands in a field named in `whole` is ours and keeps its length.
pub fn clean_values(value: &mut Value, whole: &[&str]) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean_values(item, whole)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if whole.contains(&name.as_str()) {
                    clean_answer(value);
                } else {
                    clean_values(value, whole);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Characters that show nothing, or change how others are shown.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'       // C0, DEL, C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}'                   // zero width, direction marks
        | '\u{202a}'..='\u{202e}'                   // embeddings and overrides
        | '\u{2060}'..='\u{206f}'                   // joiners, isolates
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Skips what follows an escape character: a control sequence, an operating system command, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                match c {
                    '\u{7}' | '\u{9c}' => break,
                    '\u{1b}' => {
                        chars.next_if_eq(&'\\');
                        break;
                    }
                    _ => {}
                }
            }
        }
        Some(c) if !c.is_control() => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips parameters up to and with the final character of a control sequence.
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while chars.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
    chars.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
}

/// Cleaned text from a router: data only. Has no `Display`, so that it cannot slip into a sentence of ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Cleans and marks a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(clean(text))
    }
    /// What may be shown of each of many texts.
    #[must_use]
    pub fn all(texts: &[Exact]) -> Vec<Self> {
        texts.iter().map(Exact::shown).collect()
    }
    /// The cleaned text, for data fields and for comparing; never for prose.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text exactly as a router has it: for comparing, and for sending back when a change is undone. It can be neither
/// printed, nor written into an answer, nor put into a sentence; what is shown of it is [`Exact::shown`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Exact(String);

impl Exact {
    /// Marks a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
    /// The text as the router has it, for requests and plans; never for showing.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.0
    }
    /// What may be shown.
    #[must_use]
    pub fn shown(&self) -> Untrusted {
        Untrusted::new(&self.0)
    }
}

impl From<&str> for Exact {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({:?})", clean(&self.0))
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted({:?})", self.0)
    }
}

impl<'de> Deserialize<'de> for Untrusted {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(d).map(|text| Self::new(&text))
    }
}

impl JsonSchema for Untrusted {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Untrusted".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": TEXT_MAX })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_hides_or_moves_is_dropped() {
        for (raw, shown) in [
            ("uplink to north", "uplink to north"),
            ("a\u{1b}[31;1mred\u{1b}[0m", "ared"),
            ("a\u{9b}2Jb", "ab"),
            ("t\u{1b}]0;title\u{7}x", "tx"),
            ("t\u{1b}]8;;http://x\u{1b}\\y", "ty"),
            ("line\r\nbreak\ttab", "line  break tab"),
            ("\u{202e}evil\u{202c}", "evil"),
            ("ze\u{200b}ro\u{feff}", "zero"),
            ("tag\u{e0041}\u{e0042}", "tag"),
            ("nul\0bel\u{7}del\u{7f}", "nulbeldel"),
            ("Kärcher – 北", "Kärcher – 北"),
        ] {
            assert_eq!(clean(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn answers_are_cleaned_to_their_last_field() {
        let mut answer = serde_json::json!({
            "a\u{1b}[2J": ["x\u{202e}y", { "b": "line\nbreak", "n": 1, "long": "z".repeat(5000) }], "ours": "plain"
        });
        clean_answer(&mut answer);
        let expected = serde_json::json!({
            "a": ["xy", { "b": "line break", "n": 1, "long": "z".repeat(5000) }], "ours": "plain"
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn values_are_cut_but_for_what_is_ours() {
        let long = "z".repeat(5000);
        let mut value = serde_json::json!({ "theirs": [long, "a\u{1b}[2Jb"], "ours": [long, "a\u{1b}[2Jb"] });
        clean_values(&mut value, &["ours"]);
        assert_eq!(value["theirs"][0].as_str().unwrap().len(), TEXT_MAX);
        assert_eq!(value["ours"][0], long);
        assert!(value["theirs"][1] == "ab" && value["ours"][1] == "ab");
    }

    #[test]
    fn what_hides_is_shown_as_an_escape() {
        assert_eq!(escaped("a\u{feff}b\0\u{202e}ü"), "a\\u{feff}b\\u{0}\\u{202e}ü");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_marks() {
        assert_eq!(clean_bytes(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn the_cut_falls_between_characters() {
        for long in ["ä".repeat(2000), format!("x{}", "ä".repeat(2000))] {
            let cut = clean(&long);
            assert!(cut.ends_with("ä…") && (TEXT_MAX - 2..=TEXT_MAX).contains(&cut.len()), "{}", cut.len());
        }
        assert_eq!(clean(&"ä".repeat(512)), "ä".repeat(512), "what fits is not cut");
    }

    #[test]
    fn it_travels_as_a_plain_string() {
        let text = Untrusted::new("wan\u{7}");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"wan\"");
        assert_eq!(serde_json::from_str::<Untrusted>("\"w\\u001ban\"").unwrap().expose(), "wn");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let text = clean_bytes(&bytes);
            prop_assert!(text.len() <= TEXT_MAX);
            prop_assert!(!text.chars().any(is_hidden));
            prop_assert_eq!(clean(&text), text);
        }
    }
}
