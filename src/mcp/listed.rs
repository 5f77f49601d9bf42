//! Tools as `tools/list` shows them: an agent reads the whole list before its first call, so every byte has to help it.
//!
//! The schemas here are made from the whole ones (`appliance schema tools`, `GET /api/tools`). They ask for less, never for
//! more: what keeps a whole schema keeps its short one, and so does a failure, against which some clients hold it as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::{
    access::principal::Kind,
    tools::{catalog, grouped::Batches, rollout::Shape, tool::ToolDef},
};

/// A tool as listed, with or without the schema of its answer. Made once a process: schemas never change.
pub(super) fn tool(def: &ToolDef, with_output: bool) -> Tool {
    static MADE: LazyLock<BTreeMap<&'static str, [Tool; 2]>> = LazyLock::new(|| {
        catalog::all().map(|def| (def.spec.name, [made(def, false), made(def, true)])).collect()
    });
    MADE.get(def.spec.name)
        .map_or_else(|| made(def, with_output), |made| made[usize::from(with_output)].clone())
}

/// The tool that lists how a plan goes through its devices.
const SHAPE_LISTED_WITH: &str = "config_plan_dns_ntp_rollout";

fn made(def: &ToolDef, with_output: bool) -> Tool {
    let spec = &def.spec;
    // How a plan goes through its devices is listed with one tool and told once for the others; what is answered about it is
    // listed with plan_details.
    let told = spec.shaped && spec.name != SHAPE_LISTED_WITH;
    let mut tool = Tool::new(spec.name, spec.description, Arc::new(params((def.input_schema)(), told)));
    tool.title = Some(spec.title.to_owned());
    tool.annotations = Some(annotations(def));
    if with_output {
        tool.output_schema = Some(Arc::new(answer(&(def.output_schema)(), spec.shaped)));
    }
    tool
}

/// What differs from the protocol's defaults; two of the hints have no meaning for a tool that only reads.
fn annotations(def: &ToolDef) -> ToolAnnotations {
    let spec = &def.spec;
    let mut hints = ToolAnnotations::new();
    if spec.demand.kind == Kind::Read {
        hints = hints.read_only(true);
    } else {
        if !spec.destructive {
            hints = hints.destructive(false);
        }
        if spec.idempotent {
            hints = hints.idempotent(true);
        }
    }
    if spec.open_world { hints } else { hints.open_world(false) }
}

/// Parameters of many tools whose names say it all, with the server's instructions: listed without a description.
const TOLD_ONCE: [&str; 5] = ["device_id", "cursor", "plan_id", "job_id", "approval_token"];
/// Fields of every answer that was read from a router; the instructions tell them once.
const READ_FROM_ROUTERS: [&str; 2] = ["transport", "fallback_used"];

/// The parameters that a tool chooses by; those that all tools take are told once, in the server's instructions.
fn params(whole: Value, shape_is_told: bool) -> Map<String, Value> {
    let Value::Object(mut schema) = wanted(whole) else { return Map::new() };
    schema.remove("description");
    // Unknown parameters are refused by name; said here, it would forbid those that are not listed.
    schema.remove("additionalProperties");
    let fields = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("correlation_id");
        if shape_is_told {
            fields.retain(|name, _| !Shape::properties().contains_key(name));
        }
        for name in TOLD_ONCE {
            fields.get_mut(name).and_then(Value::as_object_mut).map(|field| field.remove("description"));
        }
    }
    schema
}

/// A parameter's schema for who gives one: what may be left out need not be null, words are one `enum`.
fn wanted(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    for word in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut branches)) = schema.remove(word) else { continue };
        branches.retain(|branch| kinds(branch) != Some(BTreeSet::from(["null"])));
        let consts: Vec<Value> = branches.iter().filter_map(|branch| branch.get("const").cloned()).collect();
        if branches.len() == 1 {
            // What is said of the parameter goes before what is said of its type.
            let only = branches.pop().and_then(|branch| wanted(branch).as_object().cloned());
            for (key, value) in only.unwrap_or_default() {
                schema.entry(key).or_insert(value);
            }
        } else if consts.len() == branches.len() {
            if consts.iter().all(Value::is_string) {
                schema.insert("type".to_owned(), json!("string"));
            }
            schema.insert("enum".to_owned(), consts.into());
        } else {
            schema.insert(word.to_owned(), branches.into_iter().map(wanted).collect());
        }
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if kinds.len() == 1 {
            let only = kinds.remove(0);
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if schema.get("minLength") == Some(&json!(0)) {
        schema.remove("minLength");
    }
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if schema.get("default").is_some_and(nothing) {
        schema.remove("default");
    }
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.values_mut().for_each(|field| *field = wanted(field.take()));
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(word) {
            *inner = wanted(inner.take());
        }
    }
    if schema.contains_key("description") {
        // What is said of the list is said of its items.
        schema.get_mut("items").and_then(Value::as_object_mut).map(|items| items.remove("description"));
    }
    Value::Object(schema)
}

/// The fields that an answer has, and the names in its rows.
fn answer(whole: &Value, shape_is_told: bool) -> Map<String, Value> {
    let course = if shape_is_told { Batches::properties() } else { Map::new() };
    let told_once = |name: &str| READ_FROM_ROUTERS.contains(&name) || course.contains_key(name);
    let fields = properties(whole).into_iter().filter(|(name, _)| !told_once(name));
    let fields: Value = fields.map(|(name, schema)| (name, field(&schema))).collect();
    Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), fields)])
}

/// Its type where it has exactly one; what can be null is only named.
fn field(schema: &Value) -> Value {
    let mut out = typed(schema);
    if let Some(columns) = columns(schema) {
        out.insert("properties".to_owned(), columns);
    }
    if let Some(items) = branches(schema).into_iter().find_map(|branch| branch.get("items")) {
        let mut item = typed(items);
        if let Some(columns) = columns(items) {
            item.insert("properties".to_owned(), columns);
        }
        if !item.is_empty() {
            out.insert("items".to_owned(), item.into());
        }
    }
    Value::Object(out)
}

fn typed(schema: &Value) -> Map<String, Value> {
    let kinds = kinds(schema).filter(|kinds| kinds.len() == 1).unwrap_or_default();
    kinds.into_iter().map(|kind| ("type".to_owned(), kind.into())).collect()
}

/// The names in a row or a part, without their types.
fn columns(schema: &Value) -> Option<Value> {
    let names = properties(schema);
    (!names.is_empty()).then(|| names.into_iter().map(|(name, _)| (name, json!({}))).collect())
}

/// A schema and the alternatives in it.
fn branches(schema: &Value) -> Vec<&Value> {
    let inner = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array());
    std::iter::once(schema).chain(inner.flatten().flat_map(branches)).collect()
}

/// The properties of a schema or of any of its alternatives, in their order.
fn properties(schema: &Value) -> Map<String, Value> {
    let mut found: Map<String, Value> = Map::new();
    for (name, field) in
        branches(schema).into_iter().filter_map(|branch| branch.get("properties")?.as_object()).flatten()
    {
        let same =
            found.remove(name).map_or_else(|| field.clone(), |other| json!({ "anyOf": [other, field] }));
        found.insert(name.clone(), same);
    }
    found
}

/// The JSON types that a schema allows; `None` when it does not say.
fn kinds(schema: &Value) -> Option<BTreeSet<&str>> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if let Some(value) = schema.get("const") {
        return Some(BTreeSet::from([kind(value)]));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().map(kind).collect());
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(word).and_then(Value::as_array) {
            return branches
                .iter()
                .map(kinds)
                .collect::<Option<Vec<_>>>()
                .map(|all| all.into_iter().flatten().collect());
        }
    }
    match schema.get("type")? {
        Value::String(only) => Some(BTreeSet::from([only.as_str()])),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Code, Failure};

    #[test]
    fn parameters_lose_what_helps_nobody_to_choose_them() {
        let whole = json!({
            "type": "object", "additionalProperties": false, "description": "Words.", "required": ["a"],
            "properties": {
                "a": { "type": "string", "minLength": 1, "description": "What." },
                "b": { "type": ["integer", "null"], "minimum": 1, "description": "How many." },
                "c": { "description": "Which.", "anyOf": [
                    { "description": "Kinds.", "oneOf": [
                        { "type": "string", "const": "x", "description": "The one." },
                        { "type": "string", "const": "y" } ] },
                    { "type": "null" } ] },
                "d": { "type": "object", "additionalProperties": { "type": ["string", "null"] }, "default": {} },
                "e": { "type": "boolean", "default": true },
                "f": { "type": ["string", "null"], "enum": ["x", null], "default": null },
                "g": { "type": "array", "description": "All.", "items": { "type": "string", "minLength": 0, "description": "One." } },
                "h": { "type": "boolean", "default": false },
                "cursor": { "type": ["string", "null"], "description": "From `next_cursor`." },
                "correlation_id": { "type": "string" },
            },
        });
        let short = json!({
            "type": "object", "required": ["a"],
            "properties": {
                "a": { "type": "string", "minLength": 1, "description": "What." },
                "b": { "type": "integer", "minimum": 1, "description": "How many." },
                "c": { "description": "Which.", "type": "string", "enum": ["x", "y"] },
                "d": { "type": "object", "additionalProperties": { "type": "string" } },
                "e": { "type": "boolean", "default": true },
                "f": { "type": "string", "enum": ["x"] },
                "g": { "type": "array", "description": "All.", "items": { "type": "string" } },
                "h": { "type": "boolean" },
                "cursor": { "type": "string" },
            },
        });
        assert_eq!(Value::Object(params(whole, false)), short);
    }

    #[test]
    fn an_answer_names_its_fields_and_the_columns_of_its_rows() {
        let row = json!({ "type": "object", "required": ["id"], "properties": {
            "id": { "type": "string", "maxLength": 9, "description": "Id." },
            "comment": { "type": ["string", "null"] },
            "deep": { "type": "object", "properties": { "x": { "type": "string" } } } } });
        let whole = json!({
            "type": "object", "required": ["rows"], "description": "Words.",
            "properties": {
                "rows": { "type": "array", "items": row, "description": "All." },
                "plan": { "anyOf": [row, { "type": "null" }] },
                "names": { "type": "array", "items": { "type": "string", "maxLength": 3 } },
                "any": { "type": "array", "items": true },
                "state": { "oneOf": [{ "const": "up" }, { "const": "down" }] },
                "next": { "type": ["string", "null"], "format": "date-time" },
                "unknown": true,
                "transport": { "type": "string" },
            },
            "anyOf": [{ "properties": { "next": { "type": "integer" } } }],
        });
        let columns = json!({ "id": {}, "comment": {}, "deep": {} });
        let short = json!({
            "type": "object",
            "properties": {
                "rows": { "type": "array", "items": { "type": "object", "properties": columns } },
                "plan": { "properties": columns },
                "names": { "type": "array", "items": { "type": "string" } },
                "any": { "type": "array" },
                "state": { "type": "string" },
                "next": {},
                "unknown": {},
            },
        });
        assert_eq!(Value::Object(answer(&whole, false)), short);
    }

    /// Some clients hold failures against the schema too, and a failure has fields of its own.
    #[test]
    fn no_answer_uses_a_failures_name_for_something_else() {
        let failure = Failure::new(Code::Overloaded, "x")
            .hint("x")
            .retry_after(std::time::Duration::from_secs(1))
            .device(&"r1".parse().unwrap())
            .details(json!({}))
            .to_json();
        for def in catalog::all() {
            let listed = answer(&(def.output_schema)(), false);
            assert!(
                !listed["properties"].as_object().unwrap().is_empty(),
                "{} names no field",
                def.spec.name
            );
            for (name, value) in failure.as_object().unwrap() {
                let Some(kinds) = listed["properties"].get(name).and_then(kinds) else { continue };
                let is = match value {
                    Value::String(_) => "string",
                    Value::Object(_) => "object",
                    _ => "number",
                };
                assert!(kinds.contains(is), "{}: `{name}` of a failure is no {kinds:?}", def.spec.name);
            }
        }
    }
}
