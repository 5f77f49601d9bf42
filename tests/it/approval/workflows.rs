//! Trusted workflows: what they approve in a person's place, what not and why, and the switch that stops them.

use serde_json::{Value, json};

use crate::{
    approval::{events, refused, route, with_token, yes},
    house::{As, House, appliance, json_of, stderr, stdout},
    topics,
};

/// Two workflows: DNS servers in production, and one route in the lab.
const WORKFLOWS: &str = r#"
[[workflows]]
name = "dns-prod"
description = "our resolvers"
environment = "prod"
devices = ["*"]
kinds = ["update_dns_servers"]
values = { servers = ["9.9.9.9", "1.1.1.1"] }
production = true

[[workflows]]
name = "lab-route"
environment = "lab"
devices = ["*"]
kinds = ["routing"]
max_devices = 1
[workflows.values]
dst-address = ["10.91.0.0/16", "10.92.0.0/16"]
gateway = ["192.0.2.1"]
distance = ["*"]
"#;

/// A house with these workflows, and its prod router, which may be changed.
fn house() -> (House, usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("appliance.toml");
    std::fs::write(&file, WORKFLOWS).unwrap();
    let house = House::start_with(12, &["--config", file.to_str().unwrap()]);
    let devices = house.said["devices"].as_array().unwrap();
    let n = devices.iter().position(|device| device["environment"] == "prod").unwrap();
    let edit = json!({ "device_id": house.device(n), "allow": ["advanced_writes"] });
    house.call(As::Admin, "device_edit", &edit);
    (house, n)
}

fn dns(house: &House, n: usize, servers: &[&str]) -> Value {
    let params = json!({ "device_id": house.device(n), "dns_servers": servers });
    house.call(As::Agent, "update_dns_servers", &params)
}

fn details(house: &House, plan_id: &Value) -> Value {
    house.call(As::Agent, "plan_details", &json!({ "plan_id": plan_id }))
}

#[test]
fn what_a_workflow_describes_is_approved_at_once_and_on_record() {
    let (house, n) = house();
    let changed = dns(&house, n, &["1.1.1.1", "9.9.9.9"]);
    assert_eq!(changed["changed"], true, "{changed}");
    assert_eq!(house.truth(n, "/ip/dns")["servers"], "1.1.1.1,9.9.9.9");
    let shown = details(&house, &changed["plan_id"]);
    assert_eq!((&shown["auto_approved"], &shown["workflow"]), (&json!(true), &json!("dns-prod")), "{shown}");
    assert_eq!(shown["approved_by"], "policy workflow:dns-prod", "{shown}");
    let approved = events(&house, "PlanApproved");
    let rule = house.call(As::Agent, "workflow_list", &json!({}));
    let sha256 = rule["workflows"][0]["rule_sha256"].as_str().unwrap();
    assert_eq!(approved[0]["fact"]["comment"], format!("rule sha256:{sha256}"), "{}", approved[0]);

    // A plan of a topic still takes its token.
    let plan = route(&house, 0, 91);
    assert_eq!(plan["workflow"], "lab-route", "{plan}");
    assert!(plan["next_step"].as_str().unwrap().contains("lab-route"), "{plan}");
    let forged = json!({ "plan_id": plan["plan_id"], "approval_token": "appr_0" });
    assert_eq!(house.refused(As::Agent, "apply_routing_plan", &forged), "approval_token_invalid");
    let done = topics::apply(&house, "apply_routing_plan", &plan).unwrap();
    assert_eq!(done["status"], "completed", "{done}");
}

#[test]
fn what_a_workflow_does_not_describe_waits_for_a_person_and_says_why() {
    let (house, n) = house();
    let waits = dns(&house, n, &["9.9.9.9", "8.8.8.8"]);
    assert_eq!(waits["changed"], false, "{waits}");
    assert_eq!(house.writes(n), 0);
    let id = waits["plan"]["plan_id"].as_str().unwrap();
    let shown = details(&house, &waits["plan"]["plan_id"]);
    assert_eq!((&shown["status"], &shown["workflow"]), (&json!("pending"), &Value::Null), "{shown}");
    let why = stdout(&house.cli(As::Agent, &["workflow", "explain", id]));
    assert!(why.contains("dns-prod: does not match"), "{why}");
    assert!(why.contains("`values.servers` do not allow `8.8.8.8`"), "{why}");
    assert!(why.contains("lab-route: does not match") && why.contains("`kinds` do not name"), "{why}");
    let two = json!({ "device_ids": [house.device(0), house.device(1)], "dst_address": "10.91.0.0/16",
        "gateway": "192.0.2.1" });
    let two = topics::plan(&house, "plan_add_static_route", &two);
    assert!(two["workflow"].is_null(), "{two}");
    let path = format!("/api/plans/{}/workflows", two["plan_id"].as_str().unwrap());
    let verdicts = house.http(As::Agent, "GET", &path, None).body["verdicts"].clone();
    assert_eq!(verdicts[1]["reasons"], json!(["2 devices are more than `max_devices`, 1"]), "{verdicts}");
    // A person approves it as ever.
    house.call(As::Approver, "plan_approve", &yes(&two));
    assert_eq!(topics::apply(&house, "apply_routing_plan", &two).unwrap()["status"], "completed");
}

#[test]
fn the_switch_stops_workflows_at_once_for_everybody_and_says_who_why() {
    let (house, n) = house();
    let approved = route(&house, 0, 91);
    assert_eq!(approved["workflow"], "lab-route");
    let stop = json!({ "on": false, "reason": "incident 7" });
    assert_eq!(house.refused(As::Agent, "auto_approval_switch", &stop), "role_required");
    assert_eq!(house.refused(As::Approver, "auto_approval_switch", &stop), "role_required");
    let over_mcp = house.mcp_call(As::Admin, "auto_approval_switch", &stop).unwrap_err();
    assert_eq!(over_mcp["code"], "not_for_agents", "{over_mcp}");
    let stopped = house.cli(As::Admin, &["workflow", "stop", "--reason", "incident 7"]);
    assert!(stdout(&stopped).contains("stopped"), "{}", stderr(&stopped));
    let again = house.http(As::Admin, "POST", "/api/workflows/stop", Some(&json!({ "reason": "twice" })));
    assert_eq!(again.body["changed"], false, "{}", again.text);
    let listed = stdout(&house.cli(As::Agent, &["workflow", "list"]));
    assert!(listed.contains("stopped by demo admin") && listed.contains("incident 7"), "{listed}");
    let state = house.http(As::Agent, "GET", "/api/workflows", None).body;
    assert_eq!((&state["total_count"], &state["workflows"][0]["approves_now"]), (&json!(2), &json!(false)));

    // What was approved before does not start, and what comes now waits.
    let failure = house.try_call(As::Agent, "apply_routing_plan", &with_token(&approved)).unwrap_err();
    assert_eq!(failure["code"], "auto_approval_stopped", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("demo admin") && failure["hint"].is_string());
    assert_eq!(dns(&house, n, &["9.9.9.9"])["changed"], false);
    assert_eq!(house.writes(n) + house.writes(0), 0);

    let resumed = house.http(As::Admin, "POST", "/api/workflows/resume", Some(&json!({ "reason": "over" })));
    assert_eq!(
        (&resumed.body["on"], &resumed.body["changed"]),
        (&json!(true), &json!(true)),
        "{}",
        resumed.text
    );
    assert_eq!(topics::apply(&house, "apply_routing_plan", &approved).unwrap()["status"], "completed");
    assert_eq!(dns(&house, n, &["9.9.9.9"])["changed"], true);
    let switched: Vec<Value> =
        events(&house, "AutoApprovalSwitched").iter().map(|event| event["fact"].clone()).collect();
    assert_eq!(
        switched,
        [json!({ "on": true, "reason": "over" }), json!({ "on": false, "reason": "incident 7" })]
    );
}

#[test]
fn a_workflow_is_seen_by_those_of_its_environment() {
    let (house, _) = house();
    let lab = crate::approval::token(&house, "lab only", "ops_rw", &["lab"], &["*"]);
    let seen = crate::approval::api(&house, &lab, "GET", "/api/workflows", &json!({})).body;
    assert_eq!(
        (&seen["total_count"], &seen["workflows"][0]["name"]),
        (&json!(1), &json!("lab-route")),
        "{seen}"
    );
    let unknown = json!({ "plan_id": "plan_01JC0000000000000000000000" });
    assert_eq!(refused(&house, &lab, "workflow_explain", &unknown)["code"], "unknown_plan");
}

#[test]
fn a_workflow_that_means_nothing_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("appliance.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let args = ["--json", "--config", file.to_str().unwrap(), "config", "check"];
        appliance(folder.path(), &args)
    };
    assert_eq!(json_of(&check(WORKFLOWS))["ok"], true);
    for (from, to, key, line, named) in [
        ("kinds = [\"routing\"]", "kinds = [\"rooting\"]", "workflows.1.kinds", 15, "rooting"),
        ("kinds = [\"routing\"]", "kinds = [\"plan_approve\"]", "workflows.1.kinds", 15, "plan_approve"),
        ("distance = [\"*\"]", "distanze = [\"*\"]", "workflows.1.values.distanze", 20, "distance"),
        ("name = \"lab-route\"", "name = \"dns-prod\"", "workflows.1.name", 12, "twice"),
        ("max_devices = 1", "max_devices = 51", "workflows.1.max_devices", 16, "1–50"),
        ("max_devices = 1", "max_device = 1", "workflows.1.max_device", 16, "did you mean `max_devices`"),
        ("environment = \"lab\"", "environment = \"moon\"", "workflows.1.environment", 13, "moon"),
        (
            "devices = [\"*\"]\nkinds = [\"routing\"]",
            "kinds = [\"routing\"]",
            "workflows.1.devices",
            0,
            "empty means none",
        ),
    ] {
        assert!(WORKFLOWS.contains(from), "{from}");
        let (start, end) = WORKFLOWS.split_at(WORKFLOWS.find("[[workflows]]\nname = \"lab").unwrap());
        let output = check(&format!("{start}{}", end.replacen(from, to, 1)));
        assert_eq!(output.status.code(), Some(2), "{to}: {}", stderr(&output));
        let failure: Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
        assert_eq!(
            (&failure["code"], &failure["details"]["key"]),
            (&json!("invalid_config"), &json!(key)),
            "{failure}"
        );
        assert!(failure["message"].as_str().unwrap().contains(named), "{failure}");
        if line > 0 {
            assert_eq!(failure["details"]["line"], line, "{failure}");
        }
    }
}
