//! Filter rules.

use serde_json::json;

use super::{apply, approve, carried_out, lied_to, plain, plan, rows, undone};
use crate::house::{As, House};

const MENU: &str = "/ip/firewall/filter";
const APPLY: &str = "apply_firewall_plan";

fn id(house: &House, n: usize, at: usize) -> String {
    rows(house, n, MENU)[at][".id"].as_str().unwrap().to_owned()
}

#[test]
fn a_rule_is_added_where_it_is_wanted() {
    let house = House::start(1);
    let before = id(&house, 0, 2);
    let params = json!({
        "device_ids": [house.device(0)], "chain": "forward", "action": "drop", "protocol": "tcp",
        "dst_port": "23", "src_address": "203.0.113.0/24", "comment": "no telnet", "place_before": before,
    });
    let plan = carried_out(&house, "plan_add_firewall_rule", &params, APPLY);
    assert_eq!((&plan["risk_level"], &plan["device_count"]), (&json!("medium"), &json!(1)));
    let rule = &rows(&house, 0, MENU)[2];
    assert_eq!((&rule["comment"], &rule["dst-port"]), (&json!("no telnet"), &json!("23")));
    assert_eq!(house.writes(0), 1);
    // The same again is no second rule.
    assert_eq!(house.refused(As::Agent, "plan_add_firewall_rule", &params), "invalid_params");
}

#[test]
fn a_rule_is_changed_moved_and_removed() {
    let house = House::start(1);
    let (device, rule) = (house.device(0), id(&house, 0, 4));
    let first = id(&house, 0, 0);
    let change = json!({
        "device_ids": [device], "rule_id": rule, "src_address": "198.51.100.0/24", "comment": "ours",
        "place_before": first,
    });
    carried_out(&house, "plan_modify_firewall_rule", &change, APPLY);
    let top = &rows(&house, 0, MENU)[0];
    assert_eq!((&top[".id"], &top["src-address"]), (&json!(rule), &json!("198.51.100.0/24")));
    let count = rows(&house, 0, MENU).len();
    carried_out(
        &house,
        "plan_remove_firewall_rule",
        &json!({ "device_ids": [device], "rule_id": rule }),
        APPLY,
    );
    assert_eq!(rows(&house, 0, MENU).len(), count - 1);
}

#[test]
fn every_change_of_a_rule_is_undone_to_the_letter() {
    let house = House::start(2);
    let middle = id(&house, 0, 3);
    let add =
        json!({ "chain": "forward", "action": "reject", "dst_address": "192.0.2.9", "place_before": middle });
    undone(&house, "plan_add_firewall_rule", &add, APPLY, &[MENU]);
    let change = json!({
        "rule_id": middle, "action": "accept", "protocol": "udp", "dst_port": "53", "comment": "",
        "place_before": id(&house, 0, 1),
    });
    undone(&house, "plan_modify_firewall_rule", &change, APPLY, &[MENU]);
    for at in [0, 3, 4] {
        let remove = json!({ "rule_id": id(&house, 0, at) });
        undone(&house, "plan_remove_firewall_rule", &remove, APPLY, &[MENU]);
    }
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    let add = json!({ "chain": "forward", "action": "drop", "dst_address": "192.0.2.9" });
    lied_to(&house, "plan_add_firewall_rule", &add, APPLY, MENU);
    let change = json!({ "rule_id": id(&house, 0, 4), "comment": "ours" });
    lied_to(&house, "plan_modify_firewall_rule", &change, APPLY, MENU);
    let removal = json!({ "rule_id": id(&house, 0, 4) });
    lied_to(&house, "plan_remove_firewall_rule", &removal, APPLY, MENU);
}

#[test]
fn a_lost_answer_to_an_add_adds_one_rule() {
    let house = House::start(1);
    let params =
        json!({ "device_ids": [house.device(0)], "chain": "forward", "action": "drop", "protocol": "gre" });
    for (fault, writes) in [("drop_answer_after_apply", 1), ("drop_before_apply", 1)] {
        let count = rows(&house, 0, MENU).len();
        let wrote = house.writes(0);
        let plan = plan(&house, "plan_add_firewall_rule", &params);
        approve(&house, &plan);
        house.fault(
            0,
            &json!({ "fault": fault, "method": "PUT", "path_prefix": "/rest/ip/firewall", "times": 1 }),
        );
        apply(&house, APPLY, &plan).unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert_eq!(rows(&house, 0, MENU).len(), count + 1, "{fault}");
        assert_eq!(house.writes(0), wrote + writes, "{fault}");
        let added = rows(&house, 0, MENU).pop().unwrap()[".id"].clone();
        carried_out(
            &house,
            "plan_remove_firewall_rule",
            &json!({ "device_ids": [house.device(0)], "rule_id": added }),
            APPLY,
        );
    }
}

#[test]
fn a_table_that_changed_since_makes_the_plan_stale() {
    let house = House::start(1);
    let rule = id(&house, 0, 1);
    let params = json!({ "device_ids": [house.device(0)], "rule_id": rule });
    let removal = plan(&house, "plan_remove_firewall_rule", &params);
    approve(&house, &removal);
    let other = json!({ "device_ids": [house.device(0)], "rule_id": rule, "comment": "somebody was here" });
    carried_out(&house, "plan_modify_firewall_rule", &other, APPLY);
    let before = plain(&house, 0, MENU);
    assert_eq!(apply(&house, APPLY, &removal).unwrap_err()["code"], "plan_stale");
    assert_eq!(plain(&house, 0, MENU), before);
}

#[test]
fn what_would_cut_our_way_or_is_not_allowed_is_refused() {
    let house = House::start(12);
    let tool = "plan_add_firewall_rule";
    let drop = |device: &str| json!({ "device_ids": [device], "chain": "input", "action": "drop" });
    assert_eq!(house.refused(As::Agent, tool, &drop(house.device(0))), "unsafe_operation");
    assert_eq!(house.refused(As::Agent, tool, &drop("nowhere")), "unknown_device");
    let mixed =
        json!({ "device_ids": [house.device(0), house.device(0)], "chain": "forward", "action": "drop" });
    assert_eq!(house.refused(As::Agent, tool, &mixed), "invalid_params");
    // Plans of topics are not for production, and need what the device must allow.
    let prod = house.device(9);
    let forward = json!({ "device_ids": [prod], "chain": "forward", "action": "drop", "protocol": "gre" });
    assert_eq!(house.refused(As::Agent, tool, &forward), "capability_missing");
    let allow = json!({ "device_id": prod, "allow": ["professional_workflows", "firewall_writes"] });
    house.call(As::Admin, "device_edit", &allow);
    assert_eq!(house.refused(As::Agent, tool, &forward), "environment_denied");
    assert_eq!(house.writes(9), 0);
}

#[test]
fn a_plan_is_started_by_its_own_topic_and_token_only_after_a_person_said_yes() {
    let house = House::start(1);
    let params =
        json!({ "device_ids": [house.device(0)], "chain": "forward", "action": "drop", "protocol": "gre" });
    let plan = plan(&house, "plan_add_firewall_rule", &params);
    assert_eq!(apply(&house, APPLY, &plan).unwrap_err()["code"], "plan_not_approved");
    approve(&house, &plan);
    let wrong = json!({ "plan_id": plan["plan_id"], "approval_token": "appr_0" });
    assert_eq!(house.refused(As::Agent, APPLY, &wrong), "approval_token_invalid");
    // A refused start does not use the token up.
    apply(&house, APPLY, &plan).unwrap();
    assert_eq!(apply(&house, APPLY, &plan).unwrap_err()["code"], "plan_already_started");
}
