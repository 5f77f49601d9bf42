//! Parameters from a schema, nearly right: what fuzzing calls tools with. The black-box tests take this file in as well.

use serde_json::{Map, Value, json};

use crate::routeros::fuzz_testing::{Dice, text};

/// Texts that tools know, so that more than the first check is reached.
const KNOWN: &[&str] = &[
    "r1",
    "lab",
    "staging",
    "prod",
    "ether1",
    "bridge",
    "*1",
    "*80000001",
    "9.9.9.9",
    "192.0.2.0/24",
    "10.0.0.1-10.0.0.9",
    "plan_01JC0000000000000000000000",
    "job_01JC0000000000000000000000",
    "tok_01JC0000000000000000000000",
    "@0",
    "@18446744073709551615",
    "2026-10-01T00:00:00Z",
    "add",
    "remove",
    "input",
    "forward",
    "accept",
    "drop",
    "tcp",
    "80-443",
    "5ghz-ax",
    "default",
    "mcp-blocked",
    "1d",
    "rstp",
];

/// Any JSON.
pub(crate) fn anything(dice: &mut Dice<'_>, depth: usize) -> Value {
    match dice.below(if depth == 0 { 8 } else { 10 }) {
        0 => Value::Null,
        1 => json!(dice.once_in(2)),
        2 => json!(dice.word()),
        3 => json!(-i64::from(dice.word())),
        4 => json!(f64::from(dice.word()) / 7.0),
        5 => json!(u64::MAX),
        6 => (*dice.pick(KNOWN)).into(),
        7 => text(dice).into(),
        8 => (0..dice.below(4)).map(|_| anything(dice, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            (0..dice.below(4)).map(|_| (text(dice), anything(dice, depth - 1))).collect::<Map<_, _>>().into()
        }
    }
}

/// A value that a schema allows, or nearly.
fn fitting(dice: &mut Dice<'_>, schema: &Value, depth: usize) -> Value {
    if depth == 0 || dice.once_in(24) {
        return anything(dice, 2);
    }
    if let Some(branches) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let branch = dice.below(branches.len());
        return fitting(dice, &branches[branch], depth - 1);
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.is_empty()) {
        return choices[dice.below(choices.len())].clone();
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match kinds.get(dice.below(kinds.len())).copied() {
        Some("object") => object(dice, schema, depth).into(),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(0);
            let items = least as usize + dice.below(3) + if dice.once_in(16) { 600 } else { 0 };
            let first = fitting(dice, &schema["items"], depth - 1);
            (0..items)
                .map(|n| if n < 3 { fitting(dice, &schema["items"], depth - 1) } else { first.clone() })
                .collect::<Vec<_>>()
                .into()
        }
        Some("integer") => {
            let (least, most) =
                (schema["minimum"].as_i64().unwrap_or(0), schema["maximum"].as_i64().unwrap_or(1000));
            let edges = [least, most, least.saturating_sub(1), most.saturating_add(1), i64::MIN, i64::MAX];
            if dice.once_in(3) {
                json!(edges[dice.below(edges.len())])
            } else {
                json!(least + i64::from(dice.word()) % (most - least).max(1))
            }
        }
        Some("number") => json!(f64::from(dice.word()) / 3.0),
        Some("boolean") => json!(dice.once_in(2)),
        Some("string") => {
            let most = schema["maxLength"].as_u64().unwrap_or(64) as usize;
            match dice.below(6) {
                0 => "x".repeat(most + dice.below(2)).into(),
                1 => text(dice).into(),
                _ if schema["format"] == "ip" => (*dice.pick(&["9.9.9.9", "fe80::1", "0.0.0.0"])).into(),
                _ => (*dice.pick(KNOWN)).into(),
            }
        }
        Some("null") => Value::Null,
        _ => anything(dice, 2),
    }
}

/// What a field of this name takes, where hardly any other text will do.
fn named(field: &str) -> Option<String> {
    let id = |prefix: &str| Some(format!("{prefix}_01JC0000000000000000000000"));
    match field {
        "plan_id" => id("plan"),
        "job_id" => id("job"),
        "token_id" => id("tok"),
        "plan_hash" => Some("a".repeat(64)),
        _ => None,
    }
}

pub(crate) fn object(dice: &mut Dice<'_>, schema: &Value, depth: usize) -> Map<String, Value> {
    let mut made = Map::new();
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let left_out = if required(name) { dice.once_in(24) } else { dice.once_in(2) };
        if !left_out {
            let known = named(name).filter(|_| !dice.once_in(2));
            let value = known.map_or_else(|| fitting(dice, inner, depth - 1), Value::from);
            let name = if dice.once_in(64) { text(dice) } else { name.clone() };
            made.insert(name, value);
        }
    }
    if dice.once_in(24) {
        made.insert(text(dice), anything(dice, 2));
    }
    made
}
