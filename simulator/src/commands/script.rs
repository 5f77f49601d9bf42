//! Cuts console text into statements and words. Runs nothing.

/// One value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A bare word.
    Bare(String),
    /// A quoted text, escapes undone; variables are still `$name`.
    Quoted(String),
    /// `$name`.
    Variable(String),
    /// `[command]`.
    Command(String),
    /// `(expression)`.
    Group(String),
    /// `{statements}`.
    Block(String),
}

/// A word: a value, or `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The key, if there is one.
    pub key: Option<String>,
    /// The value.
    pub piece: Piece,
}

/// What is wrong with a script.
pub type Fault = String;

/// The statements of a script, split at `;` and line ends outside of brackets and quotes.
pub fn statements(text: &str) -> Result<Vec<&str>, Fault> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let c = rest.chars().next().unwrap_or(' ');
        match c {
            '"' | '[' | '(' | '{' => at += span(rest)?,
            ';' | '\n' => {
                found.push(text[start..at].trim());
                at += 1;
                start = at;
            }
            c => at += c.len_utf8(),
        }
    }
    found.push(text[start..].trim());
    found.retain(|statement| !statement.is_empty() && !statement.starts_with('#'));
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
            ']' | ')' | '}' if depth.pop() != Some(c) => return Err("syntax error".to_owned()),
            _ => {}
        }
        if depth.is_empty() && !quoted {
            return Ok(at + c.len_utf8());
        }
    }
    Err("expected closing brace".to_owned())
}

/// The words of one statement.
pub fn words(statement: &str) -> Result<Vec<Word>, Fault> {
    let mut found = Vec::new();
    let mut rest = statement.trim_start();
    while !rest.is_empty() {
        let (word, tail) = word(rest)?;
        found.push(word);
        rest = tail.trim_start();
    }
    Ok(found)
}

fn word(text: &str) -> Result<(Word, &str), Fault> {
    if let Some((piece, tail)) = delimited(text)? {
        return Ok((Word { key: None, piece }, tail));
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '~' | '"')).unwrap_or(text.len());
    let (head, tail) = text.split_at(end);
    let Some(value) = tail.strip_prefix(['=', '~']).filter(|_| !head.is_empty()) else {
        // A lone operator is a word of its own.
        let end = if end == 0 { tail.chars().next().map_or(0, char::len_utf8) } else { end };
        return Ok((Word { key: None, piece: Piece::Bare(text[..end].to_owned()) }, &text[end..]));
    };
    let key = if tail.starts_with('~') { format!("{head}~") } else { head.to_owned() };
    if let Some((piece, tail)) = delimited(value)? {
        return Ok((Word { key: Some(key), piece }, tail));
    }
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    Ok((Word { key: Some(key), piece: Piece::Bare(value[..end].to_owned()) }, &value[end..]))
}

/// A piece that begins with a delimiter.
pub fn delimited(text: &str) -> Result<Option<(Piece, &str)>, Fault> {
    let first = text.chars().next().unwrap_or(' ');
    if first == '$' {
        let name = &text[1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        return Ok(Some((Piece::Variable(name[..end].to_owned()), &name[end..])));
    }
    if !matches!(first, '"' | '[' | '(' | '{') {
        return Ok(None);
    }
    let length = span(text)?;
    let inner = text[1..length - 1].trim();
    let piece = match first {
        '"' => Piece::Quoted(unescape(&text[1..length - 1])),
        '[' => Piece::Command(inner.to_owned()),
        '(' => Piece::Group(inner.to_owned()),
        _ => Piece::Block(inner.to_owned()),
    };
    Ok(Some((piece, &text[length..])))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                // Kept apart from a variable's sign until texts are filled in.
                Some('$') => out.push('\u{1}'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_words() {
        let script =
            ":delay 5s; /ip/address remove [find comment=\"a;b\"]\n:if ([:len [find]] = 0) do={ x; y }";
        let found = statements(script).unwrap();
        assert_eq!(found.len(), 3);
        let words = words(found[1]).unwrap();
        assert_eq!(words[0].piece, Piece::Bare("/ip/address".into()));
        assert_eq!(words[2].piece, Piece::Command("find comment=\"a;b\"".into()));
        let control = super::words(found[2]).unwrap();
        assert_eq!(control[1].piece, Piece::Group("[:len [find]] = 0".into()));
        assert_eq!(control[2].key.as_deref(), Some("do"));
        assert!(statements("/ip address remove [find").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_script_panics(text in "([a-z=~:/$ ;]|\\[|\\]|\\(|\\)|\\{|\\}|\"|\\\\|é|\n){0,60}") {
            for statement in statements(&text).unwrap_or_default() {
                drop(words(statement));
                drop(crate::commands::expression::evaluate(statement, &mut |_| Ok(String::new())));
            }
        }
    }

    #[test]
    fn keyed_values() {
        let words = words("set servers=1.1.1.1,8.8.8.8 comment=\"it's \\\"x\\\"\" name=$n").unwrap();
        assert_eq!(words[1].piece, Piece::Bare("1.1.1.1,8.8.8.8".into()));
        assert_eq!(words[2].piece, Piece::Quoted("it's \"x\"".into()));
        assert_eq!(words[3].piece, Piece::Variable("n".into()));
    }
}
