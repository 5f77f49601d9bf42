//! What an agent is shown before its first call: only what it may use, in few bytes, with everything it needs to choose.

use appliance::{
    access::principal::{Audience, Kind, Tier},
    tools::{catalog, rollout::Shape},
};
use serde_json::{Value, json};

use crate::house::{As, House, json_of, stderr};

/// The goals for the whole catalogue, in bytes of compact JSON: without and with the schemas of answers.
const BYTES_MAX: (usize, usize) = (45_000, 85_000);
/// No tool takes another one's share.
const TOOL_BYTES_MAX: usize = 3_000;

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
        assert!(!tool["inputSchema"].to_string().contains("correlation_id"), "{name}");
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]),
            (&json!("object"), &json!("object"))
        );
        // Every parameter but the one of all tools, and what must be given.
        let def = catalog::find(name).unwrap();
        let (whole, listed) = ((def.input_schema)(), &tool["inputSchema"]);
        let mut keys: Vec<&String> = whole["properties"].as_object().unwrap().keys().collect();
        keys.retain(|key| *key != "correlation_id");
        // How a plan goes through its devices is listed with one tool only.
        if def.spec.shaped && name != "config_plan_dns_ntp_rollout" {
            let shape = Shape::properties();
            assert!(shape.keys().all(|name| keys.contains(&name)), "{name}");
            keys.retain(|key| !shape.contains_key(*key));
        }
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

/// Older names and what each means: the first of these tools that exists.
const OLDER: &[(&str, &[&str])] = &[
    ("get_bridge", &["list_bridges"]),
    ("get_bridge_ports", &["list_bridge_ports"]),
    ("system/update-identity", &["set_system_identity"]),
    ("ip/update-address-list-entry", &["update_firewall_address_list"]),
    ("routing/add-static-route", &["plan_add_static_route"]),
    ("routing/remove-static-route", &["plan_remove_static_route"]),
    ("ip/add-secondary-address", &["add_secondary_ip_address"]),
    ("ip/remove-secondary-address", &["remove_secondary_ip_address"]),
    ("device/get-health-data", &["device_health_history", "device_health"]),
    ("device/get-config-snapshot", &["device_config"]),
    ("fleet/get-summary", &["fleet_summary"]),
    ("plan/get-details", &["plan_details"]),
    ("audit/get-events", &["audit_events"]),
    ("snapshot/get-content", &["device_config"]),
    ("job/get-status", &["job_status"]),
    ("tool/ping", &["ping"]),
    ("tool/traceroute", &["traceroute"]),
    ("tool/bandwidth-test", &["bandwidth_test"]),
    ("config/plan-dns-ntp-rollout", &["config_plan_dns_ntp_rollout"]),
    ("config/apply-dns-ntp-rollout", &["config_apply_dns_ntp_rollout"]),
    ("config/plan-address-list-sync", &["config_plan_address_list_sync"]),
    ("config/apply-address-list-sync", &["config_apply_address_list_sync"]),
    ("config/rollback-plan", &["config_rollback_plan"]),
];

#[test]
fn older_names_and_slashes_are_understood_and_not_listed() {
    let house = House::start(1);
    let listed = json!(house.listed(As::Admin)).to_string();
    let mut waiting = Vec::new();
    for (given, means) in OLDER {
        let plain = given.replace(['/', '-'], "_");
        let hyphens = plain.replace('_', "-");
        let Some(tool) = means.iter().find(|name| catalog::find(name).is_some()) else {
            waiting.push(*given);
            for name in [*given, &plain, &hyphens] {
                let failure = house.mcp_call(As::Admin, name, &json!({})).unwrap_err();
                assert_eq!(failure["code"], "unknown_tool", "{name}: {failure}");
            }
            continue;
        };
        assert!(!listed.contains(&format!("\"{plain}\"")) || *tool == plain, "{plain} is listed");
        for name in [*given, &plain, &hyphens] {
            // A parameter that no tool has is refused by the tool that is meant, and recorded under its own name.
            let nonsense = json!({ "nonsense": 1, "correlation_id": name });
            let failure = house.mcp_call(As::Admin, name, &nonsense).unwrap_err();
            assert_eq!(failure["code"], "invalid_params", "{name}: {failure}");
        }
        house.until("the refusals on record", || {
            let asked = json!({ "kind": "ToolDenied", "tool": tool });
            let found = house.call(As::Admin, "audit_events", &asked).to_string();
            [*given, &plain, &hyphens].iter().all(|name| found.contains(*name)).then_some(())
        });
    }
    println!("no tool yet: {waiting:?}");
    let device = json!({ "device_id": house.device(0) });
    let bridges = house.mcp_call(As::Agent, "list_bridges", &device).unwrap();
    for name in ["get_bridge", "get/bridge", "get-bridge", "list/bridges"] {
        assert_eq!(house.mcp_call(As::Agent, name, &device), Ok(bridges.clone()), "{name}");
        assert_eq!(house.call(As::Agent, &name.replace('/', "_"), &device), bridges, "{name} over HTTP");
    }
    for name in ["plan/approve", "token/create"] {
        let failure = house.mcp_call(As::Admin, name, &json!({})).unwrap_err();
        assert_eq!(failure["code"], "not_for_agents", "{name}: no way round: {failure}");
    }
}

#[test]
fn a_read_only_appliance_shows_and_does_nothing_that_changes_something() {
    let house = House::start_set(1, &[], &[("TOOLS__READ_ONLY", "true")]);
    let device = house.device(0);
    let everyones = || catalog::all().filter(|def| def.spec.demand.audience == Audience::Everyone);
    let reads: Vec<&str> =
        everyones().filter(|def| def.spec.demand.kind == Kind::Read).map(|def| def.spec.name).collect();
    for who in [As::Agent, As::Admin] {
        let listed = house.listed(who);
        let names: Vec<&str> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, reads);
        assert!(listed.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    }
    let mut refused = 0;
    for def in everyones().filter(|def| def.spec.demand.kind == Kind::Write) {
        let name = def.spec.name;
        let aliases = catalog::aliases().filter(|(_, means)| *means == name).map(|(old, _)| old.to_owned());
        for given in aliases
            .flat_map(|old| [old.replace('_', "/"), old])
            .chain([name.to_owned(), name.replace('_', "/")])
        {
            for params in [json!({ "device_id": device }), json!({}), json!({ "nonsense": 1 })] {
                let failure = house.mcp_call(As::Agent, &given, &params).unwrap_err();
                assert_eq!(failure["code"], "read_only", "{given}: {failure}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 18, "{refused}");
    let params = json!({ "device_id": device, "identity": "tower", "dry_run": true });
    assert_eq!(house.refused(As::Admin, "set_system_identity", &params), "read_only", "over HTTP as well");
    let plan = json!({ "plan_id": format!("plan_{}", "0".repeat(26)), "plan_hash": "0".repeat(64) });
    assert_eq!(house.refused(As::Approver, "plan_approve", &plan), "read_only");
    assert_eq!(house.refused(As::Agent, "plan_start", &json!({ "plan_id": plan["plan_id"] })), "read_only");
    assert_eq!(house.writes(0), 0);
    // Who may look is still kept, and looking goes on.
    house.call(As::Admin, "device_edit", &json!({ "device_id": device, "tags": { "site": "north" } }));
    let token =
        json!({ "label": "eyes", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] });
    let made = house.call(As::Admin, "token_create", &token);
    house.call(As::Admin, "token_revoke", &json!({ "token_id": made["token_id"] }));
    house.mcp_call(As::Agent, "get_dns_status", &json!({ "device_id": device })).unwrap();
}

/// What hides and refuses goes by a tool's kind, so the kind must be right.
#[test]
fn tools_that_change_something_are_declared_as_such() {
    for def in catalog::all().filter(|def| def.spec.demand.audience == Audience::Everyone) {
        let name = def.spec.name;
        let verbs =
            ["set_", "add_", "remove_", "update_", "flush_", "apply_", "config_", "plan_", "job_cancel"];
        let changes = verbs.iter().any(|verb| name.starts_with(verb)) || name.contains("_update_");
        let writes = def.spec.demand.kind == Kind::Write;
        assert_eq!(writes, changes && name != "plan_details", "{name}");
        assert!(writes || def.spec.demand.tier == Tier::Fundamental, "{name}");
    }
}
