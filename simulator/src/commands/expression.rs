//! Conditions of scripts: comparisons joined by and, or, not.
//!
//! Operands are looked up by the caller, so nothing here touches a box.

use crate::commands::script::{Fault, Piece, delimited};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Operand(Piece),
    Operator(&'static str),
}

const OPERATORS: [&str; 12] = ["&&", "||", "!=", ">=", "<=", "=", ">", "<", "!", "~", ".", "+"];

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some((piece, tail)) = delimited(rest)? {
            found.push(Token::Operand(piece));
            rest = tail.trim_start();
            continue;
        }
        if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
            found.push(Token::Operator(operator));
            rest = rest[operator.len()..].trim_start();
            continue;
        }
        let stop = |c: char| {
            c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '&' | '|' | '~' | '"' | '[' | '(')
        };
        let end = rest.find(stop).unwrap_or(rest.len()).max(1);
        found.push(match &rest[..end] {
            "and" => Token::Operator("&&"),
            "or" => Token::Operator("||"),
            "not" => Token::Operator("!"),
            word => Token::Operand(Piece::Bare(word.to_owned())),
        });
        rest = rest[end..].trim_start();
    }
    Ok(found)
}

/// Works out an expression; `look` turns an operand into its text.
pub fn evaluate(text: &str, look: &mut dyn FnMut(&Piece) -> Result<String, Fault>) -> Result<String, Fault> {
    let tokens = tokens(text)?;
    let mut at = 0;
    let value = either(&tokens, &mut at, look)?;
    if at < tokens.len() {
        return Err("syntax error".to_owned());
    }
    Ok(value)
}

type Look<'l> = dyn FnMut(&Piece) -> Result<String, Fault> + 'l;

fn operator(tokens: &[Token], at: &mut usize, wanted: &[&str]) -> Option<&'static str> {
    match tokens.get(*at) {
        Some(Token::Operator(operator)) if wanted.contains(operator) => {
            *at += 1;
            Some(operator)
        }
        _ => None,
    }
}

fn either(tokens: &[Token], at: &mut usize, look: &mut Look<'_>) -> Result<String, Fault> {
    let mut left = both(tokens, at, look)?;
    while operator(tokens, at, &["||"]).is_some() {
        let right = both(tokens, at, look)?;
        left = (truth(&left) || truth(&right)).to_string();
    }
    Ok(left)
}

fn both(tokens: &[Token], at: &mut usize, look: &mut Look<'_>) -> Result<String, Fault> {
    let mut left = compared(tokens, at, look)?;
    while operator(tokens, at, &["&&"]).is_some() {
        let right = compared(tokens, at, look)?;
        left = (truth(&left) && truth(&right)).to_string();
    }
    Ok(left)
}

fn compared(tokens: &[Token], at: &mut usize, look: &mut Look<'_>) -> Result<String, Fault> {
    let left = joined(tokens, at, look)?;
    let Some(operator) = operator(tokens, at, &["=", "!=", ">", "<", ">=", "<=", "~"]) else {
        return Ok(left);
    };
    let right = joined(tokens, at, look)?;
    if operator == "~" {
        return Ok(left.contains(right.trim_matches(['^', '$'])).to_string());
    }
    let order = match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => plain(&left).cmp(plain(&right)),
    };
    Ok(match operator {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        ">=" => order.is_ge(),
        _ => order.is_le(),
    }
    .to_string())
}

fn joined(tokens: &[Token], at: &mut usize, look: &mut Look<'_>) -> Result<String, Fault> {
    let mut left = operand(tokens, at, look)?;
    while let Some(operator) = operator(tokens, at, &[".", "+"]) {
        let right = operand(tokens, at, look)?;
        left = match (operator, left.parse::<i64>(), right.parse::<i64>()) {
            ("+", Ok(left), Ok(right)) => (left + right).to_string(),
            _ => left + &right,
        };
    }
    Ok(left)
}

fn operand(tokens: &[Token], at: &mut usize, look: &mut Look<'_>) -> Result<String, Fault> {
    if operator(tokens, at, &["!"]).is_some() {
        return Ok((!truth(&operand(tokens, at, look)?)).to_string());
    }
    match tokens.get(*at) {
        Some(Token::Operand(piece)) => {
            *at += 1;
            look(piece)
        }
        _ => Err("syntax error".to_owned()),
    }
}

/// Whether a value counts as true.
pub fn truth(value: &str) -> bool {
    matches!(value, "true" | "yes")
}

fn plain(value: &str) -> &str {
    match value {
        "yes" => "true",
        "no" => "false",
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mut look = |piece: &Piece| match piece {
            Piece::Bare(text) | Piece::Quoted(text) => Ok(text.clone()),
            Piece::Group(text) => evaluate(text, &mut |piece| match piece {
                Piece::Bare(text) => Ok(text.clone()),
                other => Err(format!("{other:?}")),
            }),
            other => Err(format!("{other:?}")),
        };
        evaluate(text, &mut look).unwrap()
    }

    #[test]
    fn conditions() {
        assert_eq!(told("1 = 1"), "true");
        assert_eq!(told("10 > 9 && \"a\" != \"b\""), "true");
        assert_eq!(told("1=2 || (3 = 3)"), "true");
        assert_eq!(told("!(1 = 1)"), "false");
        assert_eq!(told("yes = true"), "true");
        assert_eq!(told("\"a\" . \"b\""), "ab");
    }
}
