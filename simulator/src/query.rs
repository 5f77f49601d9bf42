//! Which rows and which properties a client asked for.
//!
//! Pure. Three ways in: `?name=value` and `.proplist` of a GET, `.proplist` of a print, and the query words
//! of a print, a small stack language.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::answer::Refusal;
use crate::table::Record;

/// Properties to keep, from a comma list.
pub fn property_list(text: &str) -> Vec<String> {
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Exact match of all pairs.
pub fn matches_all(row: &Record, pairs: &[(String, String)]) -> bool {
    pairs.iter().all(|(key, value)| read(row, key).is_some_and(|mine| loosely_equal(&mine, value)))
}

fn loosely_equal(mine: &str, asked: &str) -> bool {
    mine == asked || matches!((mine, asked), ("true", "yes") | ("false", "no"))
}

fn read(row: &Record, key: &str) -> Option<String> {
    if key == ".id" { Some(row.wire_id()) } else { row.get(key).map(str::to_owned) }
}

/// Keeps the rows that the query words let through.
pub fn filter(rows: Vec<Arc<Record>>, words: &[String]) -> Result<Vec<Arc<Record>>, Refusal> {
    if words.is_empty() {
        return Ok(rows);
    }
    let mut kept = Vec::new();
    for row in rows {
        if judge(&row, words)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn judge(row: &Record, words: &[String]) -> Result<bool, Refusal> {
    let mut stack: Vec<bool> = Vec::new();
    for word in words {
        if let Some(operations) = word.strip_prefix('#') {
            operate(&mut stack, operations)?;
        } else {
            stack.push(term(row, word));
        }
    }
    // What is left on the stack is joined by and.
    Ok(stack.into_iter().all(|value| value))
}

fn operate(stack: &mut Vec<bool>, operations: &str) -> Result<(), Refusal> {
    let broken = || Refusal::bad("invalid query");
    for operation in operations.chars() {
        let last = stack.pop().ok_or_else(broken)?;
        match operation {
            '!' => stack.push(!last),
            '&' | '|' => {
                let other = stack.pop().ok_or_else(broken)?;
                stack.push(if operation == '&' { last && other } else { last || other });
            }
            _ => return Err(broken()),
        }
    }
    Ok(())
}

fn term(row: &Record, word: &str) -> bool {
    if let Some(name) = word.strip_prefix('-') {
        return read(row, name).is_none();
    }
    let (sign, rest) = match word.as_bytes().first() {
        Some(b'>') => (Ordering::Greater, &word[1..]),
        Some(b'<') => (Ordering::Less, &word[1..]),
        Some(b'=') => (Ordering::Equal, &word[1..]),
        _ => (Ordering::Equal, word),
    };
    match rest.split_once('=') {
        None => read(row, rest).is_some(),
        Some((name, value)) => read(row, name).is_some_and(|mine| match sign {
            Ordering::Equal => loosely_equal(&mine, value),
            sign => compare(&mine, value) == sign,
        }),
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Record {
        Record::new(1).with("type", "ether").with("mtu", "1500").with("running", "true")
    }

    fn judged(words: &[&str]) -> bool {
        judge(&row(), &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn query_words() {
        assert!(judged(&["type=ether"]));
        assert!(judged(&["=type=ether"]));
        assert!(judged(&["type=ether", "type=vlan", "#|"]));
        assert!(!judged(&["type=ether", "type=vlan"]));
        assert!(judged(&["type=vlan", "#!"]));
        assert!(judged(&[">mtu=1400"]));
        assert!(!judged(&["<mtu=1400"]));
        assert!(judged(&["-comment"]));
        assert!(judged(&["running"]));
        assert!(judge(&row(), &["#&".to_owned()]).is_err());
    }
}
