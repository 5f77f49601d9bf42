//! Ways back and our own way: what a change left may have become what lets us in, and its undo must not lock us out.

use serde_json::{Value, json};

use crate::{
    approval,
    house::{As, House, json_of, stderr},
    lone::{Lone, Routers},
    topics::{apply, approve, carried_out, plan, rows},
};

const MENU: &str = "/ip/firewall/filter";
const APPLY: &str = "apply_firewall_plan";

fn behind_back(house: &House, n: usize, body: &Value) {
    house.control("POST", &format!("/boxes/{}/behind-back", house.box_of(n)), Some(body));
}

fn rule(house: &House, n: usize, comment: &str) -> Option<String> {
    let found = rows(house, n, MENU).into_iter().find(|row| row["comment"] == comment)?;
    Some(found[".id"].as_str().unwrap().to_owned())
}

/// A router whose last rule drops what no other takes, and on which a plan's rule has become the only one that lets us in.
fn leaning_on_a_plan(house: &House, n: usize, last: &Value) -> Value {
    for props in [
        json!({ "chain": "input", "action": "accept", "protocol": "tcp", "comment": "the old one" }),
        last.clone(),
    ] {
        behind_back(house, n, &json!({ "menu": MENU, "props": props }));
    }
    let before = rule(house, n, "the last one").unwrap();
    let params = json!({ "device_ids": [house.device(n)], "chain": "input", "action": "accept",
        "protocol": "tcp", "comment": "ours", "place_before": before });
    let added = carried_out(house, "plan_add_firewall_rule", &params, APPLY);
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": added["plan_id"] }));
    assert!(details["devices"][0]["dead_man"].is_null(), "it was harmless when it was planned: {details:#}");
    let old = rule(house, n, "the old one").unwrap();
    behind_back(house, n, &json!({ "menu": MENU, "id": old, "remove": true }));
    added
}

#[test]
fn a_way_back_that_surely_cuts_us_off_is_refused() {
    let house = House::start(1);
    let last = json!({ "chain": "input", "action": "drop", "comment": "the last one" });
    let added = leaning_on_a_plan(&house, 0, &last);
    let (state, writes) = (rows(&house, 0, MENU).len(), house.writes(0));
    let wish = json!({ "plan_id": added["plan_id"], "reason": "tidying up" });
    for who in [As::Agent, As::Admin] {
        let refused = house.try_call(who, "config_rollback_plan", &wish).unwrap_err();
        assert_eq!(refused["code"], "unsafe_operation", "{refused}");
        assert_eq!(refused["device_id"], house.device(0));
        assert_eq!(refused["details"]["devices"][0]["device_id"], house.device(0), "{refused}");
    }
    let undo = json!({ "plan_id": added["plan_id"], "reason": "tidying up", "without_dead_man": true });
    assert_eq!(
        house.refused(As::Admin, "plan_undo", &undo),
        "unsafe_operation",
        "nor with a person's approval"
    );
    assert_eq!((rows(&house, 0, MENU).len(), house.writes(0)), (state, writes), "nothing was sent");
    assert!(rule(&house, 0, "ours").is_some());
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": added["plan_id"] }));
    assert_eq!(details["status"], "completed");
}

#[test]
fn a_way_back_that_may_cut_us_off_is_undone_by_the_router_itself() {
    let house = House::start_set(1, &[], &[("ROLLOUTS__DEAD_MAN_SECONDS", "10")]);
    // What the rule matches cannot be told from outside; in truth it is us.
    let last = json!({ "chain": "input", "action": "drop", "src-address-type": "unicast", "comment": "the last one" });
    let added = leaning_on_a_plan(&house, 0, &last);
    let wish = json!({ "plan_id": added["plan_id"], "reason": "tidying up", "wait": false });
    let begun = house.call(As::Admin, "config_rollback_plan", &wish);
    assert_eq!(begun["status"], "rolling_back", "{begun:#}");
    let back = house.call(As::Admin, "plan_details", &json!({ "plan_id": begun["rollback_plan_id"] }));
    assert_eq!(back["devices"][0]["dead_man"]["seconds"], 10, "{back:#}");
    assert!(back["gate"].is_object(), "{back:#}");
    house.until("we are cut off", || rule(&house, 0, "ours").is_none().then_some(()));
    house.until("the router has undone it by itself", || rule(&house, 0, "ours"));
    house.until("the router answers again", || {
        house.try_call(As::Agent, "get_system_clock", &json!({ "device_id": house.device(0) })).ok()
    });
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": added["plan_id"] }));
    assert_ne!(details["status"], "rolled_back", "{details:#}");
}

/// A list on two production routers.
fn listed_in_production(house: &House, name: &str) -> Value {
    let ids = [house.device(0), house.device(1)];
    for id in ids {
        let edit = json!({ "device_id": id, "environment": "prod", "allow": ["professional_workflows"] });
        house.call(As::Admin, "device_edit", &edit);
    }
    let params = json!({ "device_ids": ids, "list_name": name, "entries": [{ "address": "203.0.113.7" }],
        "soak_seconds": 0, "pause_seconds_between_batches": 0 });
    let made = plan(house, "config_plan_address_list_sync", &params);
    approve(house, &made);
    let job = apply(house, "config_apply_address_list_sync", &made).unwrap();
    ended(house, &job["job_id"]);
    made
}

fn ended(house: &House, job_id: &Value) {
    house.until("the end of a job", || {
        let job = house.call(As::Agent, "job_status", &json!({ "job_id": job_id }));
        (job["status"] == "completed").then_some(())
    });
}

fn members(house: &House, name: &str) -> usize {
    let of = |n: usize| rows(house, n, "/ip/firewall/address-list");
    (0..2).flat_map(of).filter(|row| row["list"] == name).count()
}

#[test]
fn an_agent_asks_a_person_where_the_way_back_could_cut_off_production() {
    let house = House::start(2);
    let made = listed_in_production(&house, "mcp-a");
    assert_eq!(members(&house, "mcp-a"), 2);
    let wish = json!({ "plan_id": made["plan_id"], "reason": "not needed" });
    let asked = house.mcp_call(As::Agent, "config_rollback_plan", &wish).unwrap();
    assert!(asked["job_id"].is_null() && asked["to_approve"]["why"].is_string(), "{asked:#}");
    assert_eq!(asked["summary"], json!({ "total": 2, "success": 0, "failed": 0 }));
    assert_eq!(members(&house, "mcp-a"), 2, "nothing happened yet");
    let back = asked["rollback_plan_id"].clone();
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": back }));
    assert_eq!(details["status"], "pending", "{details:#}");
    assert_eq!(details["reverses"][0]["plan_id"], made["plan_id"], "an approver sees what is reversed");
    let queue = house.call(As::Approver, "approval_list", &json!({}));
    let waits = queue["approvals"].as_array().unwrap().iter().find(|plan| plan["plan_id"] == back).unwrap();
    assert_eq!(waits["undoes"], json!([made["plan_id"]]));
    let next = asked["next_step"].as_str().unwrap();
    assert!(next.contains("plan approve") && next.contains("plan start"), "{next}");
    let shown = house.cli(As::Approver, &["plan", "show", back.as_str().unwrap()]);
    let shown = crate::house::stdout(&shown);
    assert!(shown.contains(&format!("reverses {}", made["plan_id"].as_str().unwrap())), "{shown}");
    // A capability that is taken back counts for what reverses, too.
    approve(&house, &json!({ "plan_id": back, "plan_hash": asked["to_approve"]["plan_hash"] }));
    let start = json!({ "plan_id": back });
    house.call(As::Admin, "device_edit", &json!({ "device_id": house.device(1), "allow": [] }));
    assert_eq!(house.refused(As::Admin, "plan_start", &start), "capability_missing");
    let allow = json!({ "device_id": house.device(1), "allow": ["professional_workflows"] });
    house.call(As::Admin, "device_edit", &allow);
    let job = house.call(As::Admin, "plan_start", &start);
    ended(&house, &job["job_id"]);
    assert_eq!(members(&house, "mcp-a"), 0);
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": made["plan_id"] }));
    assert_eq!(details["status"], "rolled_back");
}

#[test]
fn a_person_and_an_agent_in_the_lab_roll_back_at_once() {
    let house = House::start(2);
    let made = listed_in_production(&house, "mcp-b");
    let id = made["plan_id"].as_str().unwrap();
    let by_person = house.cli(As::Admin, &["--json", "plan", "rollback", id, "--reason", "not needed"]);
    assert_eq!(by_person.status.code(), Some(0), "{}", stderr(&by_person));
    let answer = json_of(&by_person);
    assert_eq!(
        (&answer["status"], &answer["summary"]["success"]),
        (&json!("rolled_back"), &json!(2)),
        "{answer:#}"
    );
    // Which of its states are seen is chance; that it is told of is not.
    assert!(stderr(&by_person).contains("job_"), "progress is told: {}", stderr(&by_person));
    assert_eq!(members(&house, "mcp-b"), 0);
}

#[test]
fn what_two_people_approved_an_agent_does_not_undo_alone() {
    let house = House::start_set(1, &[], &[("APPROVAL__TWO_APPROVERS_FOR_HIGH_RISK", "true")]);
    let pool = rows(&house, 0, "/ip/pool")[0][".id"].clone();
    let params = json!({ "device_ids": [house.device(0)], "pool_id": pool });
    let made = plan(&house, "plan_remove_dhcp_pool", &params);
    let next = made["next_step"].as_str().unwrap();
    assert!(next.starts_with("2 persons"), "{next}");
    for name in ["Ada", "Bob"] {
        let token = approval::approver(&house, name);
        let yes = json!({ "plan_id": made["plan_id"], "plan_hash": made["plan_hash"] });
        let said = approval::api(&house, &token, "POST", "/api/tools/plan_approve", &yes);
        assert_eq!(said.status, 200, "{}", said.text);
    }
    let job = apply(&house, "apply_dhcp_plan", &made).unwrap();
    ended(&house, &job["job_id"]);
    let wish = json!({ "plan_id": made["plan_id"], "reason": "not needed" });
    let asked = house.mcp_call(As::Agent, "config_rollback_plan", &wish).unwrap();
    assert!(asked["to_approve"]["why"].as_str().unwrap().contains("2 approvers"), "{asked:#}");
}

#[test]
fn without_a_daemon_a_rollback_is_carried_to_its_end() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let before = routers.truth(0, "/ip/dns")["servers"].clone();
    let plan = lone.approved_plan("r1");
    assert_eq!(lone.run_as(None, &["plan", "start", &plan]).status.code(), Some(0));
    assert_eq!(routers.truth(0, "/ip/dns")["servers"], "9.9.9.9");
    let back = lone.run_as(None, &["--json", "plan", "rollback", &plan, "--reason", "wrong servers"]);
    assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
    let answer = json_of(&back);
    assert_eq!(
        (&answer["status"], &answer["next_step"]),
        (&json!("rolled_back"), &json!("none")),
        "{answer:#}"
    );
    assert!(stderr(&back).contains("running"), "progress is told: {}", stderr(&back));
    assert_eq!(routers.truth(0, "/ip/dns")["servers"], before);
    let again = lone.run_as(None, &["plan", "rollback", &plan, "--reason", "once more"]);
    assert_eq!(again.status.code(), Some(4), "{}", stderr(&again));
}
