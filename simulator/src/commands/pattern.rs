//! `~`: the few signs of regular expressions that scripts use. What goes beyond them is an error, not a guess.

use crate::commands::script::Fault;

/// Whether a text holds the pattern: `^`, `$`, `.`, `*`, `+`, `?` and letters.
pub fn fits(text: &str, pattern: &str) -> Result<bool, Fault> {
    let signs: Vec<char> = pattern.chars().collect();
    if signs.iter().any(|c| matches!(c, '[' | ']' | '(' | ')' | '{' | '}' | '|' | '\\')) {
        return Err(format!("failure: pattern {pattern} is beyond this simulator"));
    }
    let text: Vec<char> = text.chars().collect();
    match signs.split_first() {
        Some(('^', rest)) => Ok(here(rest, &text)),
        _ => Ok((0..=text.len()).any(|from| here(&signs, &text[from..]))),
    }
}

fn here(signs: &[char], text: &[char]) -> bool {
    match signs {
        [] => true,
        ['$'] => text.is_empty(),
        [one, '*', rest @ ..] => many(*one, rest, text, 0),
        [one, '+', rest @ ..] => many(*one, rest, text, 1),
        [one, '?', rest @ ..] => {
            here(rest, text) || text.split_first().is_some_and(|(c, tail)| is(*one, *c) && here(rest, tail))
        }
        [one, rest @ ..] => text.split_first().is_some_and(|(c, tail)| is(*one, *c) && here(rest, tail)),
    }
}

fn many(one: char, rest: &[char], text: &[char], least: usize) -> bool {
    let most = text.iter().take_while(|c| is(one, **c)).count();
    (least..=most).any(|length| here(rest, &text[length..]))
}

fn is(sign: char, c: char) -> bool {
    sign == '.' || sign == c
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn signs() {
        for (text, pattern, found) in [
            ("mcp-blocked", "^mcp-", true),
            ("old mcp-", "^mcp-", false),
            ("ether1", "ether[0-9]", false),
            ("ether1", "^ether.$", true),
            ("ether10", "^ether.$", false),
            ("aab", "a+b", true),
            ("b", "a*b", true),
            ("colour", "colou?r", true),
            ("x", "", true),
        ] {
            assert_eq!(fits(text, pattern).unwrap_or(false), found, "{text} ~ {pattern}");
        }
        assert!(fits("a", "(a|b)").is_err(), "no guess");
    }
}
