//! Holds answers against the schemas that tools give for them.

use serde_json::{Value, json};

/// How a schema is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// As a client holds it.
    Client,
    /// More strictly: what an object has and its schema does not name is a mistake of ours.
    Author,
}

/// What of a schema an answer does not keep. The words are those that the catalogue's schemas use; another one fails.
pub fn breaches(schema: &Value, value: &Value, at: &str, how: As) -> Vec<String> {
    let Some(schema) = schema.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (word, wanted) in schema {
        let list = || wanted.as_array().unwrap_or_else(|| panic!("{at}: `{word}` is no list"));
        let length = |text: &str| text.chars().count() as u64;
        let kept = match word.as_str() {
            "description" | "default" | "format" | "title" | "examples" | "pattern" | "$schema" => true,
            "type" => {
                let fits = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                wanted.as_array().map_or_else(|| fits(wanted), |kinds| kinds.iter().any(fits))
            }
            "enum" => list().contains(value),
            "const" => wanted == value,
            "required" => {
                !value.is_object() || list().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                let known = wanted.as_object().unwrap();
                for (name, schema) in known {
                    if let Some(inner) = value.get(name) {
                        found.extend(breaches(schema, inner, &format!("{at}.{name}"), how));
                    }
                }
                let open = how == As::Client || schema.contains_key("additionalProperties");
                for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    if !open && !known.contains_key(name) {
                        found.push(format!("{at}.{name} is not in the schema"));
                    }
                }
                true
            }
            "additionalProperties" => {
                let known =
                    |name: &String| schema.get("properties").is_some_and(|known| known.get(name).is_some());
                for (name, inner) in value.as_object().into_iter().flatten().filter(|(name, _)| !known(name))
                {
                    match wanted {
                        Value::Bool(false) => found.push(format!("{at}.{name} is one property too many")),
                        schema => found.extend(breaches(schema, inner, &format!("{at}.{name}"), how)),
                    }
                }
                true
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(breaches(wanted, item, &format!("{at}[{n}]"), how));
                }
                true
            }
            "anyOf" => list().iter().any(|schema| breaches(schema, value, at, how).is_empty()),
            "oneOf" => {
                list().iter().filter(|schema| breaches(schema, value, at, how).is_empty()).count() == 1
            }
            "minimum" => value.as_f64().is_none_or(|n| n >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= wanted.as_f64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| length(text) <= wanted.as_u64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| length(text) >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= wanted.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= wanted.as_u64().unwrap()),
            other => panic!("{at}: a schema says `{other}`, which this check does not know"),
        };
        if !kept {
            let shown: String = value.to_string().chars().take(300).collect();
            found.push(format!("{at}: {word} {wanted} does not hold for {shown}"));
        }
    }
    found
}

#[test]
fn the_schema_check_can_fail() {
    let schema = json!({ "type": "object", "required": ["a"], "properties": {
        "a": { "type": ["integer", "null"], "minimum": 1 },
        "b": { "type": "array", "maxItems": 1, "items": { "type": "string", "maxLength": 1 } },
        "c": { "type": "object", "additionalProperties": { "type": "boolean" } } } });
    for how in [As::Client, As::Author] {
        assert!(breaches(&schema, &json!({ "a": 1, "b": ["x"], "c": { "d": true } }), "x", how).is_empty());
        assert!(breaches(&schema, &json!({ "a": null }), "x", how).is_empty());
        for bad in [
            json!({}),
            json!({ "a": 0 }),
            json!({ "a": "1" }),
            json!([]),
            json!({ "a": 1, "b": ["xy"] }),
            json!({ "a": 1, "b": ["x", "y"] }),
            json!({ "a": 1, "c": { "d": 1 } }),
        ] {
            assert!(!breaches(&schema, &bad, "x", how).is_empty(), "{bad}");
        }
    }
    let more = json!({ "a": 1, "more": 2 });
    assert!(breaches(&schema, &more, "x", As::Client).is_empty());
    assert!(!breaches(&schema, &more, "x", As::Author).is_empty());
    let either = json!({ "anyOf": [{ "required": ["a"] }, { "required": ["code"] }] });
    assert!(breaches(&either, &json!({ "code": 1 }), "x", As::Client).is_empty());
    assert!(!breaches(&either, &json!({ "b": 1 }), "x", As::Client).is_empty());
}
