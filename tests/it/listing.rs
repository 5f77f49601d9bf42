//! What an agent is shown before its first call: only what it may use, in few bytes, with everything it needs to choose.

use appliance::{access::principal::Audience, tools::catalog};
use serde_json::{Value, json};

use crate::house::{As, House, json_of, stderr};

/// The goals for the whole catalogue, in bytes of compact JSON: without and with the schemas of answers.
const BYTES_MAX: (usize, usize) = (45_000, 85_000);
/// No tool takes another one's share.
const TOOL_BYTES_MAX: usize = 2_500;

fn bytes(tools: &[Value]) -> usize {
    tools.iter().map(|tool| tool.to_string().len() + 1).sum()
}

#[test]
fn the_list_of_tools_is_small_and_says_what_a_caller_needs() {
    let house = House::start(1);
    let with = house.listed(As::Admin);
    let names: Vec<&str> = with.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let shown = catalog::all().filter(|def| def.spec.demand.audience == Audience::Everyone);
    assert_eq!(names, shown.map(|def| def.spec.name).collect::<Vec<_>>(), "an admin sees all, in order");
    let mut without = with.clone();
    for tool in &mut without {
        tool.as_object_mut().unwrap().remove("outputSchema");
    }
    println!(
        "{} tools: {} bytes without schemas of answers, {} with",
        with.len(),
        bytes(&without),
        bytes(&with)
    );
    assert!(bytes(&without) <= BYTES_MAX.0, "{} bytes without schemas of answers", bytes(&without));
    assert!(bytes(&with) <= BYTES_MAX.1, "{} bytes with schemas of answers", bytes(&with));
    for tool in &with {
        let name = tool["name"].as_str().unwrap();
        assert!(tool.to_string().len() <= TOOL_BYTES_MAX, "{name}: {} bytes", tool.to_string().len());
        assert!(!tool.to_string().contains("correlation_id"), "{name}");
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]),
            (&json!("object"), &json!("object"))
        );
        // Every parameter but the one of all tools, and what must be given.
        let def = catalog::find(name).unwrap();
        let (whole, listed) = ((def.input_schema)(), &tool["inputSchema"]);
        let mut keys: Vec<&String> = whole["properties"].as_object().unwrap().keys().collect();
        keys.retain(|key| *key != "correlation_id");
        assert_eq!(keys, listed["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
        assert_eq!(whole["required"], listed["required"], "{name}");
    }
    let reader: Vec<Value> = house.listed(As::Agent);
    assert!(reader.len() <= with.len());
    let quiet = House::start_set(1, &[], &[("TOOLS__LIST_OUTPUT_SCHEMAS", "false")]);
    assert_eq!(quiet.listed(As::Admin), without, "the same list without schemas of answers");
}

#[test]
fn what_every_tool_takes_is_accepted_without_being_listed() {
    let house = House::start(1);
    house
        .mcp_call(As::Agent, "echo", &json!({ "message": "hello", "correlation_id": "ticket 7" }))
        .unwrap_or_else(|failure| panic!("{failure}"));
    house.until("the call on record", || {
        let found = house.call(As::Admin, "audit_events", &json!({ "kind": "ToolCalled", "tool": "echo" }));
        found.to_string().contains("ticket 7").then_some(())
    });
    let failure =
        house.mcp_call(As::Agent, "echo", &json!({ "message": "hello", "nonsense": 1 })).unwrap_err();
    assert_eq!(failure["code"], "invalid_params", "{failure}");
    assert!(failure.to_string().contains("nonsense"), "{failure}");
}

#[test]
fn whole_schemas_stay_within_reach() {
    let house = House::start(1);
    let all = json_of(&house.cli(As::Nobody, &["schema", "tools"]));
    let tools = all["tools"].as_array().unwrap();
    assert_eq!(tools.len(), catalog::all().count(), "operators' tools too");
    let over_http = house.http(As::Admin, "GET", "/api/tools", None).body;
    for tool in over_http["tools"].as_array().unwrap() {
        assert!(tools.contains(tool), "{} is the same everywhere", tool["name"]);
        let required = tool["output_schema"]["required"].as_array();
        assert!(required.is_some_and(|names| !names.is_empty()), "{} is whole", tool["name"]);
    }
    let one = json_of(&house.cli(As::Nobody, &["schema", "tools", "system/update-identity"]));
    assert_eq!(one["name"], "set_system_identity");
    assert_eq!(one["input_schema"]["additionalProperties"], false);
    assert_eq!(one["input_schema"]["properties"]["correlation_id"]["maxLength"], 64);
    let unknown = house.cli(As::Nobody, &["--json", "schema", "tools", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", stderr(&unknown));
    assert!(stderr(&unknown).contains("unknown_tool"), "{}", stderr(&unknown));
}
