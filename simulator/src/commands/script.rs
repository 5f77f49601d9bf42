//! Cuts console text into statements and words. Runs nothing.

use crate::seed::raw_byte;

/// One value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A bare word.
    Bare(String),
    /// A quoted text, escapes undone.
    Quoted(Vec<Part>),
    /// `$name`.
    Variable(String),
    /// `[command]`.
    Command(String),
    /// `(expression)`.
    Group(String),
    /// `{statements}`.
    Block(String),
}

/// A stretch of a quoted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Letters.
    Text(String),
    /// `$name`.
    Variable(String),
    /// `$(expression)`.
    Group(String),
    /// `$[command]`.
    Command(String),
}

/// A word: a value, or `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The key, if there is one.
    pub key: Option<String>,
    /// The value.
    pub piece: Piece,
    /// Where it begins in its statement.
    pub at: usize,
}

/// What is wrong with a script.
pub type Fault = String;

/// Brackets within brackets; more than anyone writes, less than a stack holds.
const DEPTH_MAX: usize = 48;

/// What the console says of text that it cannot read.
pub fn unreadable() -> Fault {
    "syntax error (line 1 column 1)".to_owned()
}

/// Joins lines that end in a backslash, as exports break them.
pub fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let broken = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
        rest = match broken {
            Some(next) => next.trim_start_matches([' ', '\t']),
            None => {
                let length = after.chars().next().map_or(0, char::len_utf8);
                out.push('\\');
                out.push_str(&after[..length]);
                &after[length..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// The statements of a script, split at `;` and line ends outside of brackets and quotes.
pub fn statements(text: &str) -> Result<Vec<&str>, Fault> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let c = rest.chars().next().unwrap_or(' ');
        match c {
            '#' if text[start..at].trim().is_empty() => {
                at += rest.find('\n').unwrap_or(rest.len());
                start = at;
            }
            '"' | '[' | '(' | '{' => at += span(rest)?,
            ']' | ')' | '}' => return Err(unreadable()),
            ';' | '\n' => {
                found.push(text[start..at].trim());
                at += 1;
                start = at;
            }
            c => at += c.len_utf8(),
        }
    }
    found.push(text[start..].trim());
    found.retain(|statement| !statement.is_empty());
    Ok(found)
}

/// How long the quoted or bracketed piece at the start of the text is.
pub fn span(text: &str) -> Result<usize, Fault> {
    let mut depth: Vec<char> = Vec::new();
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => depth.push(']'),
            '(' => depth.push(')'),
            '{' => depth.push('}'),
            ']' | ')' | '}' if depth.pop() != Some(c) => return Err(unreadable()),
            _ => {}
        }
        if depth.len() > DEPTH_MAX {
            return Err(unreadable());
        }
        if depth.is_empty() && !quoted {
            return Ok(at + c.len_utf8());
        }
    }
    Err("expected closing brace (line 1 column 1)".to_owned())
}

/// The words of one statement.
pub fn words(statement: &str) -> Result<Vec<Word>, Fault> {
    let mut found = Vec::new();
    let mut rest = statement.trim_start();
    while !rest.is_empty() {
        let (word, tail) = word(rest, statement.len() - rest.len())?;
        found.push(word);
        rest = tail.trim_start();
    }
    Ok(found)
}

fn word(text: &str, at: usize) -> Result<(Word, &str), Fault> {
    if let Some((piece, tail)) = delimited(text)? {
        return Ok((Word { key: None, piece, at }, tail));
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '~' | '"')).unwrap_or(text.len());
    let (head, tail) = text.split_at(end);
    let Some(value) = tail.strip_prefix(['=', '~']).filter(|_| !head.is_empty()) else {
        // A lone operator is a word of its own.
        let end = if end == 0 { tail.chars().next().map_or(0, char::len_utf8) } else { end };
        return Ok((Word { key: None, piece: Piece::Bare(text[..end].to_owned()), at }, &text[end..]));
    };
    let key = if tail.starts_with('~') { format!("{head}~") } else { head.to_owned() };
    if let Some((piece, tail)) = delimited(value)? {
        return Ok((Word { key: Some(key), piece, at }, tail));
    }
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    Ok((Word { key: Some(key), piece: Piece::Bare(value[..end].to_owned()), at }, &value[end..]))
}

/// A piece that begins with a delimiter.
pub fn delimited(text: &str) -> Result<Option<(Piece, &str)>, Fault> {
    let first = text.chars().next().unwrap_or(' ');
    if first == '$' {
        let (name, tail) = variable(&text[1..]);
        return Ok(Some((Piece::Variable(name.to_owned()), tail)));
    }
    if !matches!(first, '"' | '[' | '(' | '{') {
        return Ok(None);
    }
    let length = span(text)?;
    let inner = &text[1..length - 1];
    let piece = match first {
        '"' => Piece::Quoted(unescape(inner)?),
        '[' => Piece::Command(inner.trim().to_owned()),
        '(' => Piece::Group(inner.trim().to_owned()),
        _ => Piece::Block(inner.trim().to_owned()),
    };
    Ok(Some((piece, &text[length..])))
}

fn variable(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// The parts of a quoted text: escapes undone, what is filled in later apart. An escape that the console does not
/// know is an error, and so is a `$` that names nothing.
fn unescape(text: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(rest, &mut bytes).ok_or_else(unreadable)?,
            '$' => {
                let part = match rest.chars().next() {
                    Some(open @ ('(' | '[')) => {
                        let length = span(rest)?;
                        let inner = rest[1..length - 1].trim().to_owned();
                        rest = &rest[length..];
                        if open == '(' { Part::Group(inner) } else { Part::Command(inner) }
                    }
                    _ => {
                        let (name, tail) = variable(rest);
                        if name.is_empty() {
                            return Err(unreadable());
                        }
                        rest = tail;
                        Part::Variable(name.to_owned())
                    }
                };
                settle(&mut bytes, &mut parts);
                parts.push(part);
            }
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    settle(&mut bytes, &mut parts);
    Ok(parts)
}

/// One escape; what follows it.
fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    if let Some(byte) = text.get(..2).filter(|two| two.bytes().all(is_hex)) {
        bytes.push(u8::from_str_radix(byte, 16).ok()?);
        return Some(&text[2..]);
    }
    let c = text.chars().next()?;
    bytes.push(match c {
        '"' | '\\' | '$' | '?' => u8::try_from(c).ok()?,
        '_' => b' ',
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'v' => 11,
        _ => return None,
    });
    Some(&text[c.len_utf8()..])
}

/// Capital letters only: `\fa` is a form feed and an a.
fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

fn settle(bytes: &mut Vec<u8>, parts: &mut Vec<Part>) {
    if bytes.is_empty() {
        return;
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| raw_byte(*byte)));
    }
    bytes.clear();
    parts.push(Part::Text(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> Piece {
        Piece::Quoted(vec![Part::Text(text.into())])
    }

    #[test]
    fn statements_and_words() {
        let script =
            ":delay 5s; /ip/address remove [find comment=\"a;b\"]\n:if ([:len [find]] = 0) do={ x; y }";
        let found = statements(script).unwrap();
        assert_eq!(found.len(), 3);
        let words = words(found[1]).unwrap();
        assert_eq!(words[0].piece, Piece::Bare("/ip/address".into()));
        assert_eq!((words[1].at, words[2].at), (12, 19));
        assert_eq!(words[2].piece, Piece::Command("find comment=\"a;b\"".into()));
        let control = super::words(found[2]).unwrap();
        assert_eq!(control[1].piece, Piece::Group("[:len [find]] = 0".into()));
        assert_eq!(control[2].key.as_deref(), Some("do"));
        assert!(statements("/ip address remove [find").is_err());
        assert!(statements("/ip address remove find]").is_err());
    }

    #[test]
    fn remarks_and_broken_lines() {
        let text = "# a remark; with \"things\r\n  # [ another\r\n/ip/dns\r\nset servers=1.1.1.1 \\\r\n    cache-size=4096 ; # last\n";
        let text = joined(text);
        assert_eq!(statements(&text).unwrap(), ["/ip/dns", "set servers=1.1.1.1 cache-size=4096"]);
        // A backslash that is itself escaped breaks no line.
        assert_eq!(joined("\"a\\\\\n\""), "\"a\\\\\n\"");
        assert_eq!(joined("\"a\\\n   b\""), "\"ab\"");
    }

    #[test]
    fn escapes() {
        for (written, meant) in [
            (r#""it's \"x\"""#, "it's \"x\""),
            (r#""a\\b""#, "a\\b"),
            (r#""\$5""#, "$5"),
            (r#""a\r\nb\tc""#, "a\r\nb\tc"),
            (r#""caf\C3\A9""#, "café"),
            (r#""caf\E9""#, "caf\u{F7E9}"),
            (r#""\01\_\?""#, "\u{1} ?"),
            (r#""\0Dx""#, "\rx"),
        ] {
            assert_eq!(words(written).unwrap()[0].piece, quoted(meant), "{written}");
        }
        for wrong in [r#""\x41""#, r#""\q""#, r#""\e9""#, r#""5 $""#, r#""$-""#, r#""$(1""#] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
        let parts = vec![
            Part::Text("a ".into()),
            Part::Variable("n".into()),
            Part::Text(".".into()),
            Part::Group("1 + 1".into()),
            Part::Command(":len x".into()),
        ];
        assert_eq!(words(r#""a $n.$(1 + 1)$[:len x]""#).unwrap()[0].piece, Piece::Quoted(parts));
        assert_eq!(words("\"\"").unwrap()[0].piece, Piece::Quoted(vec![]));
    }

    #[test]
    fn keyed_values() {
        let words = words("set servers=1.1.1.1,8.8.8.8 comment=\"a b\" name=$n").unwrap();
        assert_eq!(words[1].piece, Piece::Bare("1.1.1.1,8.8.8.8".into()));
        assert_eq!(words[2].piece, quoted("a b"));
        assert_eq!(words[3].piece, Piece::Variable("n".into()));
    }
}
