//! Reads a request body the way RouterOS does: one flat JSON object.
//!
//! Not a general JSON reader. It takes hexadecimal and octal numbers, and it refuses exponents.

use crate::writes::Args;

/// One value of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    List(Vec<String>),
}

/// Names and texts, and the lists (`.query`, `.proplist`) apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Single values as texts.
    pub args: Args,
    /// Words of `.query`.
    pub query: Vec<String>,
    /// Names of `.proplist`.
    pub proplist: Option<Vec<String>>,
}

/// The body, or nothing if it is no flat JSON object.
pub fn read(bytes: &[u8]) -> Option<Body> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut body = Body::default();
    if text.trim().is_empty() {
        return Some(body);
    }
    let mut reader = Reader { rest: text };
    reader.expect('{')?;
    if reader.take('}') {
        return reader.end().then_some(body);
    }
    loop {
        reader.space();
        let key = reader.text()?;
        reader.expect(':')?;
        match (key.as_str(), reader.value()?) {
            (".query", Value::List(words)) => body.query = words,
            (".query", Value::Text(word)) => body.query = vec![word],
            (".proplist", Value::List(names)) => body.proplist = Some(names),
            (".proplist", Value::Text(names)) => body.proplist = Some(crate::query::property_list(&names)),
            (_, Value::List(words)) => body.args.push((key, words.join(","))),
            (_, Value::Text(text)) => body.args.push((key, text)),
        }
        if !reader.take(',') {
            break;
        }
    }
    reader.expect('}')?;
    reader.end().then_some(body)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.take(wanted).then_some(())
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        if !self.take('[') {
            return self.scalar().map(Value::Text);
        }
        let mut words = Vec::new();
        if self.take(']') {
            return Some(Value::List(words));
        }
        loop {
            self.space();
            words.push(self.scalar()?);
            if !self.take(',') {
                break;
            }
        }
        self.expect(']')?;
        Some(Value::List(words))
    }

    fn scalar(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            return self.text();
        }
        let end = self.rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "true" | "false" => Some(word.to_owned()),
            "null" => Some(String::new()),
            number => read_number(number),
        }
    }

    fn text(&mut self) -> Option<String> {
        let mut out = String::new();
        let body = self.rest.strip_prefix('"')?;
        let mut chars = body.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &body[at + 1..];
                    return Some(out);
                }
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => {
                        let unit = hex4(&mut chars)?;
                        out.push(if (0xD800..0xDC00).contains(&unit) {
                            (chars.next()?.1 == '\\' && chars.next()?.1 == 'u').then_some(())?;
                            let low = hex4(&mut chars)?.checked_sub(0xDC00)?;
                            char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low)?
                        } else {
                            char::from_u32(unit)?
                        });
                    }
                    c @ ('"' | '\\' | '/') => out.push(c),
                    _ => return None,
                },
                c => out.push(c),
            }
        }
        None
    }
}

fn hex4(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
    (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok()).flatten()
}

/// As a number `010` is eight and `0x10` sixteen; exponents are not understood.
fn read_number(word: &str) -> Option<String> {
    let (sign, digits) = word.strip_prefix('-').map_or(("", word), |digits| ("-", digits));
    if let Some(hex) = digits.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(|number| format!("{sign}{number}"));
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return u64::from_str_radix(digits, 8).ok().map(|number| format!("{sign}{number}"));
    }
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    whole.then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_objects() {
        let body =
            read(br##"{"a":"x\u00e9\n","b":12,"c":true,"d":010,"e":0x1F,".query":["a=b","#|"]}"##).unwrap();
        let texts: Vec<&str> = body.args.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(texts, ["xé\n", "12", "true", "8", "31"]);
        assert_eq!(body.query, ["a=b", "#|"]);
        assert_eq!(read(b"{}"), Some(Body::default()));
        assert_eq!(read(b""), Some(Body::default()));
    }

    #[test]
    fn what_is_refused() {
        for bad in ["{", "[]", "{\"a\":1e3}", "{\"a\":{}}", "{\"a\":1}x", "{\"a\" 1}", "{a:1}", "\"x\""] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
