//! Calls that must be refused, worked out from a tool's own input schema and a call that succeeds.

use serde_json::{Map, Value, json};

/// One wrong call.
pub struct Wrong {
    /// In a word, for the table.
    pub what: &'static str,
    /// The field that the refusal must name.
    pub field: String,
    pub params: Value,
    pub code: &'static str,
}

/// The schema of a value that may also be null.
fn not_null(schema: &Value) -> &Value {
    let branches = schema["anyOf"].as_array();
    branches.into_iter().flatten().find(|branch| branch["type"] != "null").unwrap_or(schema)
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind))
}

/// Values of a field that its schema rules out: what is wrong with each.
fn bad_values(schema: &Value, good: Option<&Value>) -> Vec<(&'static str, Value)> {
    let schema = not_null(schema);
    let mut bad = vec![("type", if is(schema, "object") { json!(7) } else { json!({ "x": 1 }) })];
    if let Some(most) = schema["maximum"].as_i64() {
        bad.push(("bounds", json!(most + 1)));
    }
    if let Some(least) = schema["minimum"].as_i64() {
        bad.push(("bounds", json!(least - 1)));
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        bad.push(("bounds", json!("x".repeat(usize::try_from(most).unwrap() + 1))));
    }
    if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
        bad.push(("bounds", json!("")));
    }
    if schema["minItems"].as_u64().is_some_and(|least| least > 0) {
        bad.push(("bounds", json!([])));
    }
    if let (Some(most), Some(item)) = (schema["maxItems"].as_u64(), good.and_then(|good| good.get(0))) {
        bad.push(("bounds", vec![item.clone(); usize::try_from(most).unwrap() + 1].into()));
    }
    let words = schema["oneOf"].as_array().is_some_and(|all| all.iter().all(|one| one["const"].is_string()));
    if schema["enum"].is_array() || words {
        bad.push(("choice", json!("nonsense")));
    }
    bad
}

/// Every object in `good` that the schema describes, each with one mistake.
fn mistakes(schema: &Value, good: &Map<String, Value>) -> Vec<(&'static str, String, Map<String, Value>)> {
    let known = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut all = Vec::new();
    let put = |field: &str, value: Value| {
        let mut params = good.clone();
        params.insert(field.to_owned(), value);
        params
    };
    all.push(("unknown field", "nonsense".to_owned(), put("nonsense", json!(1))));
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut params = good.clone();
        params.remove(name);
        all.push(("missing", name.to_owned(), params));
    }
    for (field, schema) in &known {
        for (what, bad) in bad_values(schema, good.get(field)) {
            all.push((what, field.clone(), put(field, bad)));
        }
        if field == "cursor" {
            all.push(("cursor", field.clone(), put(field, json!("nonsense"))));
        }
        if let Some(inner) = good.get(field).and_then(Value::as_object)
            && not_null(schema)["properties"].is_object()
        {
            for (what, name, params) in mistakes(not_null(schema), inner) {
                all.push((what, format!("{field}.{name}"), put(field, params.into())));
            }
        }
    }
    all
}

/// What follows from the schema alone.
pub fn of_schema(schema: &Value, good: &Value) -> Vec<Wrong> {
    let all = mistakes(schema, good.as_object().expect("parameters are an object"));
    let wrong = |(what, field, params): (_, _, Map<_, _>)| Wrong {
        what,
        field,
        params: params.into(),
        code: "invalid_params",
    };
    all.into_iter().map(wrong).collect()
}

/// The same call for a device that is not there; nothing for tools that name none.
pub fn of_device(good: &Value) -> Option<Wrong> {
    let mut params = good.clone();
    if good["device_id"].is_string() {
        params["device_id"] = json!("nobody");
    } else {
        *params.get_mut("device_ids")?.get_mut(0)? = json!("nobody");
    }
    Some(Wrong { what: "unknown device", field: "device_id".into(), params, code: "unknown_device" })
}

#[test]
fn mistakes_follow_from_a_schema() {
    let schema = json!({ "type": "object", "required": ["a"], "properties": {
        "a": { "type": "string", "minLength": 1, "maxLength": 2 },
        "n": { "type": ["integer", "null"], "minimum": 1, "maximum": 5 },
        "l": { "anyOf": [{ "type": "array", "minItems": 1, "maxItems": 1 }, { "type": "null" }] },
        "o": { "type": "object", "properties": { "e": { "enum": ["x", "y"] } } },
        "cursor": { "type": ["string", "null"] } } });
    let good = json!({ "a": "x", "l": ["x"], "o": { "e": "x" } });
    let all: Vec<String> =
        of_schema(&schema, &good).iter().map(|wrong| format!("{} {}", wrong.what, wrong.params)).collect();
    for expected in [
        r#"unknown field {"a":"x","l":["x"],"o":{"e":"x"},"nonsense":1}"#,
        r#"missing {"o":{"e":"x"},"l":["x"]}"#,
        r#"bounds {"a":"","l":["x"],"o":{"e":"x"}}"#,
        r#"bounds {"a":"xxx","l":["x"],"o":{"e":"x"}}"#,
        r#"bounds {"a":"x","l":["x"],"o":{"e":"x"},"n":6}"#,
        r#"bounds {"a":"x","l":["x"],"o":{"e":"x"},"n":0}"#,
        r#"bounds {"a":"x","l":[],"o":{"e":"x"}}"#,
        r#"bounds {"a":"x","l":["x","x"],"o":{"e":"x"}}"#,
        r#"choice {"a":"x","l":["x"],"o":{"e":"nonsense"}}"#,
        r#"unknown field {"a":"x","l":["x"],"o":{"e":"x","nonsense":1}}"#,
        r#"cursor {"a":"x","l":["x"],"o":{"e":"x"},"cursor":"nonsense"}"#,
    ] {
        assert!(all.iter().any(|wrong| wrong == expected), "{expected} is not in {all:#?}");
    }
    assert_eq!(of_device(&json!({ "device_ids": ["r1"] })).unwrap().params["device_ids"][0], "nobody");
    assert!(of_device(&json!({ "plan_id": "p" })).is_none());
}
