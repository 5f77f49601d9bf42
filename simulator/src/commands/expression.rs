//! Conditions: comparisons joined by and, or, not — in brackets, and behind `where`.
//!
//! Two dialects of one grammar. In brackets a bare word is a text. Behind `where` a bare word on the left is a
//! property of the row that is looked at, and conditions that stand side by side must all hold. Touches no box:
//! the caller looks up operands, once, and properties, row by row.

use std::cmp::Ordering;

use crate::commands::pattern;
use crate::commands::script::{Fault, Piece, delimited, unreadable};
use crate::commands::value::Value;

/// Which of the two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `( … )`.
    Brackets,
    /// `find where …`.
    Where,
}

/// A condition, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A value as written.
    Piece(Piece),
    /// A value, looked up.
    Known(Value),
    /// A property of the row.
    Property(String),
    /// `!`.
    Not(Box<Tree>),
    /// Two operands.
    Two(&'static str, Box<Tree>, Box<Tree>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Operand(Piece),
    Operator(&'static str),
}

const COMPARING: [&str; 7] = ["=", "!=", ">", "<", ">=", "<=", "~"];
const DEPTH_MAX: usize = 512; // operators of one condition; a rule has some forty properties

fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Token>, Fault> {
    const BOTH: [&str; 9] = ["&&", "||", "!=", ">=", "<=", "=", ">", "<", "!"];
    const BRACKETS: [&str; 4] = ["~", ".", "+", ","];
    let operators: Vec<&'static str> = match dialect {
        Dialect::Brackets => BOTH.iter().chain(&BRACKETS).copied().collect(),
        Dialect::Where => BOTH.iter().chain(&["~"]).copied().collect(),
    };
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some((piece, tail)) = delimited(rest)? {
            found.push(Token::Operand(piece));
            rest = tail.trim_start();
            continue;
        }
        if let Some(operator) = operators.iter().find(|operator| rest.starts_with(**operator)) {
            found.push(Token::Operator(operator));
            rest = rest[operator.len()..].trim_start();
            continue;
        }
        let stop = |c: char| c.is_whitespace() || "=!<>&|~\"[({)}]$;".contains(c);
        let end = rest.find(stop).unwrap_or(rest.len());
        if end == 0 {
            return Err(unreadable());
        }
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

/// Reads a condition.
pub fn parse(text: &str, dialect: Dialect) -> Result<Tree, Fault> {
    let tokens = tokens(text, dialect)?;
    let mut reader = Reader { tokens: &tokens, at: 0, dialect, depth: 0 };
    let tree = reader.either()?;
    if reader.at < tokens.len() { Err(unreadable()) } else { Ok(tree) }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    dialect: Dialect,
    depth: usize,
}

impl Reader<'_> {
    fn operator(&mut self, wanted: &[&str]) -> Option<&'static str> {
        match self.tokens.get(self.at) {
            Some(Token::Operator(operator)) if wanted.contains(operator) => {
                self.at += 1;
                Some(operator)
            }
            _ => None,
        }
    }

    fn two(&mut self, operator: &'static str, left: Tree, right: Tree) -> Result<Tree, Fault> {
        self.deeper()?;
        Ok(Tree::Two(operator, Box::new(left), Box::new(right)))
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(unreadable()) } else { Ok(()) }
    }

    fn either(&mut self) -> Result<Tree, Fault> {
        let mut left = self.both()?;
        while self.operator(&["||"]).is_some() {
            let right = self.both()?;
            left = self.two("||", left, right)?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Tree, Fault> {
        let mut left = self.compared()?;
        loop {
            let side_by_side = self.dialect == Dialect::Where
                && matches!(self.tokens.get(self.at), Some(Token::Operand(_) | Token::Operator("!")));
            if self.operator(&["&&"]).is_none() && !side_by_side {
                return Ok(left);
            }
            let right = self.compared()?;
            left = self.two("&&", left, right)?;
        }
    }

    fn compared(&mut self) -> Result<Tree, Fault> {
        let left = self.joined(true)?;
        let Some(operator) = self.operator(&COMPARING) else { return Ok(left) };
        let right = self.joined(false)?;
        self.two(operator, left, right)
    }

    fn joined(&mut self, left_side: bool) -> Result<Tree, Fault> {
        let mut left = self.operand(left_side)?;
        while let Some(operator) = self.operator(&[".", "+", ","]) {
            let right = self.operand(left_side)?;
            left = self.two(operator, left, right)?;
        }
        Ok(left)
    }

    fn operand(&mut self, left_side: bool) -> Result<Tree, Fault> {
        if self.operator(&["!"]).is_some() {
            self.deeper()?;
            return Ok(Tree::Not(Box::new(self.operand(left_side)?)));
        }
        let Some(Token::Operand(piece)) = self.tokens.get(self.at) else { return Err(unreadable()) };
        self.at += 1;
        match (self.dialect, piece) {
            (Dialect::Where, Piece::Bare(name)) if left_side => Ok(Tree::Property(name.clone())),
            (Dialect::Where, Piece::Group(inner)) if left_side => parse(inner, self.dialect),
            (_, piece) => Ok(Tree::Piece(piece.clone())),
        }
    }
}

impl Tree {
    /// The values as written, for a look at them before anything runs.
    pub fn pieces(&self) -> Vec<&Piece> {
        match self {
            Tree::Piece(piece) => vec![piece],
            Tree::Known(_) | Tree::Property(_) => Vec::new(),
            Tree::Not(inner) => inner.pieces(),
            Tree::Two(_, left, right) => left.pieces().into_iter().chain(right.pieces()).collect(),
        }
    }

    /// The same with every operand looked up; both sides of an `and` are, as the console does.
    pub fn known(self, look: &mut dyn FnMut(&Piece) -> Result<Value, Fault>) -> Result<Tree, Fault> {
        Ok(match self {
            Tree::Piece(piece) => Tree::Known(look(&piece)?),
            Tree::Not(inner) => Tree::Not(Box::new(inner.known(look)?)),
            Tree::Two(operator, left, right) => {
                Tree::Two(operator, Box::new(left.known(look)?), Box::new(right.known(look)?))
            }
            known => known,
        })
    }

    /// Works it out; `row` gives a property of the row that is looked at.
    pub fn worth(&self, row: &dyn Fn(&str) -> Value) -> Result<Value, Fault> {
        Ok(match self {
            Tree::Known(value) => value.clone(),
            Tree::Piece(_) => return Err(unreadable()),
            Tree::Property(name) => row(name),
            Tree::Not(inner) => Value::flag(!inner.holds(row)?),
            Tree::Two("||", left, right) => Value::flag(left.holds(row)? | right.holds(row)?),
            Tree::Two("&&", left, right) => Value::flag(left.holds(row)? & right.holds(row)?),
            Tree::Two(operator, left, right) => {
                let of_row = matches!(**left, Tree::Property(_));
                two(operator, left.worth(row)?, right.worth(row)?, of_row)?
            }
        })
    }

    /// Whether it is true. A property holds when it is set to something other than no.
    pub fn holds(&self, row: &dyn Fn(&str) -> Value) -> Result<bool, Fault> {
        let value = self.worth(row)?;
        Ok(if matches!(self, Tree::Property(_)) { value.is_set() } else { value.is_true() })
    }
}

fn two(operator: &str, left: Value, right: Value, of_row: bool) -> Result<Value, Fault> {
    match operator {
        "," => {
            let mut items = left.items();
            items.extend(right.items());
            return Ok(Value::List(items));
        }
        "." => return Ok(Value::text(left.shown() + &right.shown())),
        "+" => {
            let sum = number(&left).zip(number(&right)).and_then(|(left, right)| left.checked_add(right));
            return sum
                .map(|sum| Value::text(sum.to_string()))
                .ok_or_else(|| "cannot add string to string".to_owned());
        }
        "~" => return Ok(Value::flag(pattern::fits(&left.shown(), &right.shown())?)),
        _ => {}
    }
    let equal = equal(&left, &right, of_row);
    let order = || match (number(&left), number(&right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.shown().cmp(&right.shown()),
    };
    // What is not set is neither more nor less than anything.
    let set = !matches!(left, Value::Nothing);
    Ok(Value::flag(match operator {
        "=" => equal,
        "!=" => !equal,
        ">" => set && order() == Ordering::Greater,
        "<" => set && order() == Ordering::Less,
        ">=" => set && order() != Ordering::Less,
        _ => set && order() != Ordering::Greater,
    }))
}

/// A property that is not set equals nothing, not even an empty text; what `get` gives of it is an empty text.
/// A list equals lists only.
fn equal(left: &Value, right: &Value, of_row: bool) -> bool {
    match (left, right) {
        (Value::Nothing, Value::Nothing) => !of_row,
        (Value::Nothing, Value::Text(text)) | (Value::Text(text), Value::Nothing) => {
            !of_row && text.is_empty()
        }
        (Value::Text(left), Value::Text(right)) => {
            plain(left) == plain(right) || left.parse::<i64>().ok().is_some_and(|n| right.parse() == Ok(n))
        }
        // In a row, lists are the texts that a reader sees.
        (left, right) if of_row => left.argument() == right.argument(),
        (Value::List(left), Value::List(right)) => left == right,
        _ => false,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
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
    use crate::commands::script::Part;

    fn look(piece: &Piece) -> Result<Value, Fault> {
        match piece {
            Piece::Bare(text) => Ok(Value::text(text.clone())),
            Piece::Quoted(parts) => match parts.as_slice() {
                [] => Ok(Value::text("")),
                [Part::Text(text)] => Ok(Value::text(text.clone())),
                other => Err(format!("{other:?}")),
            },
            Piece::Group(text) => {
                parse(text, Dialect::Brackets)?.known(&mut look)?.worth(&|_| Value::Nothing)
            }
            Piece::Variable(_) => Ok(Value::Nothing),
            other => Err(format!("{other:?}")),
        }
    }

    fn told(text: &str) -> String {
        look(&Piece::Group(text.to_owned())).map_or_else(|fault| fault, |value| value.shown())
    }

    fn found(text: &str) -> Result<bool, Fault> {
        let row = |name: &str| match name {
            ".id" => Value::text("*5"),
            "chain" => Value::text("input"),
            "disabled" => Value::text("true"),
            "log" => Value::text("false"),
            "comment" => Value::text("a = b"),
            "servers" => Value::text(""),
            "distance" => Value::text("10"),
            _ => Value::Nothing,
        };
        parse(text, Dialect::Where)?.known(&mut look)?.holds(&row)
    }

    #[test]
    fn conditions() {
        assert_eq!(told("1 = 1"), "true");
        assert_eq!(told("10 > 9 && \"a\" != \"b\""), "true");
        assert_eq!(told("1=2 || (3 = 3)"), "true");
        assert_eq!(told("!(1 = 1)"), "false");
        assert_eq!(told("yes = true"), "true");
        assert_eq!(told("\"a\" . \"b\""), "ab");
        assert_eq!(told("\"a\".\"b\""), "ab");
        assert_eq!(told("*6 != *5"), "true");
        assert_eq!(told("*5!=*5"), "false");
        assert_eq!(told("1 + 2"), "3");
        assert_eq!(told("\"a\",\"b\""), "a;b");
        assert_eq!(told("$unknown = \"\""), "true");
        assert_eq!(told("(\"a\",\"b\") = \"a,b\""), "false", "a list is no text");
        for wrong in ["1 =", "= 1", "1 1", "a b = 1", "(1", "1)", "&& 1"] {
            assert!(told(wrong).contains("syntax error") || told(wrong).contains("brace"), "{wrong}");
        }
    }

    #[test]
    fn rows_are_found_by_what_is_set() {
        for (text, fits) in [
            ("chain=\"input\"", true),
            ("chain=input disabled=yes", true),
            ("chain=input and disabled=no", false),
            ("chain=\"output\" or distance=10", true),
            ("(chain=\"output\" or distance=10) disabled", true),
            ("chain=\"input\" !log", true),
            ("chain=\"input\" !disabled", false),
            // Not set: equal to nothing, different from everything, neither more nor less.
            ("src-address=\"\"", false),
            ("src-address=\"10.0.0.0/8\"", false),
            ("src-address!=\"10.0.0.0/8\"", true),
            ("!src-address", true),
            ("src-address", false),
            ("src-address > 1", false),
            ("servers=\"\"", true),
            ("!servers", true),
            ("comment=\"a = b\"", true),
            ("comment", true),
            (".id=*5", true),
            (".id=*6", false),
            ("distance>9", true),
            ("distance < 9", false),
            ("comment~\"^a\"", true),
            ("comment~\"^b\"", false),
            ("!(chain=input)", false),
        ] {
            assert_eq!(found(text), Ok(fits), "{text}");
        }
        for wrong in ["chain=", "chain==a", "(chain=a", "chain=a && ", "disabled !"] {
            assert!(found(wrong).is_err(), "{wrong}");
        }
    }
}
