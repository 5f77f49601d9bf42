//! Ports and settings of bridges.

use events::device::Capability;
use serde_json::{Value, json};

use super::{apply, approve, carried_out, lied_to, plain, plan, rows, undone};
use crate::house::{As, House};

const PORTS: &str = "/interface/bridge/port";
const BRIDGES: &str = "/interface/bridge";
const ADD: &str = "plan_add_bridge_port";
const REMOVE: &str = "plan_remove_bridge_port";
const MODIFY: &str = "plan_modify_bridge_settings";
const APPLY: &str = "apply_bridge_plan";

/// One of the demo's devices for each release: 7.20.8, 7.24, 7.16.2, 7.12.2.
const RELEASES: [usize; 4] = [0, 1, 8, 11];

fn port(house: &House, n: usize, interface: &str) -> Value {
    json!({ "device_ids": [house.device(n)], "bridge_name": "bridge", "interface": interface })
}

fn settings(house: &House, n: usize, settings: Value) -> Value {
    json!({ "device_ids": [house.device(n)], "bridge_name": "bridge", "bridge_settings": settings })
}

fn allow_all(house: &House, n: usize) {
    let all: Vec<&str> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
    house.call(As::Admin, "device_edit", &json!({ "device_id": house.device(n), "allow": all }));
}

fn plant(house: &House, n: usize, menu: &str, row: &Value) {
    let body = json!({ "menu": menu, "rows": [row] });
    house.control("POST", &format!("/boxes/{}/plant", house.box_of(n)), Some(&body));
}

/// The router sees the appliance as a neighbour of an interface, and its bridge has learnt it behind a port.
fn seen(house: &House, n: usize, interface: &str, behind: &str) {
    let mac = "00:00:5E:00:53:99";
    let arp =
        json!({ "address": "127.0.0.1", "mac-address": mac, "interface": interface, "complete": "true" });
    plant(house, n, "/ip/arp", &arp);
    let host = json!({ "mac-address": mac, "bridge": "bridge", "on-interface": behind, "local": "false" });
    plant(house, n, "/interface/bridge/host", &host);
}

fn interfaces(house: &House, n: usize) -> Vec<String> {
    rows(house, n, PORTS).iter().map(|row| row["interface"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_port_is_added_and_taken_out_on_every_release() {
    let house = House::start(12);
    for n in RELEASES {
        allow_all(&house, n);
        let before = interfaces(&house, n);
        let params = port(&house, n, "ether5");
        let plan = carried_out(&house, ADD, &params, APPLY);
        assert_eq!((&plan["risk_level"], &plan["device_count"]), (&json!("medium"), &json!(1)), "{plan}");
        assert_eq!(interfaces(&house, n), [&before[..], &["ether5".to_owned()]].concat(), "as the last one");
        let again = house.call(As::Agent, ADD, &params);
        assert_eq!((&again["plan_id"], &again["unchanged"][0]), (&Value::Null, &json!(house.device(n))));
        let plan = carried_out(&house, REMOVE, &params, APPLY);
        assert_eq!(plan["risk_level"], "high", "{plan}");
        assert_eq!(interfaces(&house, n), before);
        assert_eq!(house.writes(n), 2);
        let again = house.call(As::Agent, REMOVE, &params);
        assert_eq!((&again["plan_id"], &again["device_count"]), (&Value::Null, &json!(0)));
    }
}

#[test]
fn settings_are_changed_on_every_release_in_the_routers_spelling() {
    let house = House::start(12);
    for n in RELEASES {
        allow_all(&house, n);
        let ageing = carried_out(&house, MODIFY, &settings(&house, n, json!({ "ageing_time": 5400 })), APPLY);
        assert_eq!(ageing["risk_level"], "medium", "{ageing}");
        let all = json!({ "protocol_mode": "mstp", "priority": "0x1000", "vlan_filtering": true,
                          "forward_delay": 20, "max_message_age": 38 });
        let plan = carried_out(&house, MODIFY, &settings(&house, n, all.clone()), APPLY);
        assert_eq!(plan["risk_level"], "high", "{plan}");
        let bridge = &rows(&house, n, BRIDGES)[0];
        for (name, value) in [
            ("ageing-time", "1h30m"),
            ("protocol-mode", "mstp"),
            ("priority", "0x1000"),
            ("vlan-filtering", "true"),
            ("forward-delay", "20s"),
            ("max-message-age", "38s"),
        ] {
            assert_eq!(bridge[name], value, "{name}: {bridge}");
        }
        // Besides the timed undo that the second one armed and disarmed.
        let of_bridge =
            |entry: &&Value| entry["path"].as_str().unwrap().starts_with("/rest/interface/bridge");
        let changes = house.journal(n).iter().filter(|e| e["changed"] == true).filter(of_bridge).count();
        assert_eq!(changes, 2);
        let again = house.call(As::Agent, MODIFY, &settings(&house, n, all));
        assert_eq!(again["plan_id"], Value::Null, "all is so already: {again}");
        carried_out(&house, MODIFY, &settings(&house, n, json!({ "stp": false })), APPLY);
        assert_eq!(rows(&house, n, BRIDGES)[0]["protocol-mode"], "none");
    }
}

#[test]
fn every_change_of_a_bridge_is_undone_to_the_letter() {
    let house = House::start(2);
    let of = |interface: &str| json!({ "bridge_name": "bridge", "interface": interface });
    undone(&house, ADD, &of("ether5"), APPLY, &[PORTS]);
    for interface in ["ether2", "ether3"] {
        let at = rows(&house, 0, PORTS).into_iter().find(|row| row["interface"] == interface).unwrap();
        let dress = json!({ ".id": at[".id"], "pvid": "40", "frame-types": "admit-only-vlan-tagged",
            "comment": "to the \"tower\"", "horizon": "7", "bpdu-guard": "true", "path-cost": "20000" });
        plant(&house, 0, PORTS, &dress);
        undone(&house, REMOVE, &of(interface), APPLY, &[PORTS, BRIDGES]);
    }
    for settings in [
        json!({ "vlan_filtering": true }),
        json!({ "stp": false }),
        json!({ "protocol_mode": "stp", "priority": 0, "ageing_time": 60 }),
        json!({ "forward_delay": 30, "max_message_age": 40, "vlan_filtering": true }),
    ] {
        let params = json!({ "bridge_name": "bridge", "bridge_settings": settings });
        undone(&house, MODIFY, &params, APPLY, &[PORTS, BRIDGES]);
    }
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    lied_to(&house, ADD, &json!({ "bridge_name": "bridge", "interface": "ether5" }), APPLY, PORTS);
    lied_to(&house, REMOVE, &json!({ "bridge_name": "bridge", "interface": "ether3" }), APPLY, PORTS);
    let change = json!({ "bridge_name": "bridge", "bridge_settings": { "ageing_time": 60, "stp": false } });
    lied_to(&house, MODIFY, &change, APPLY, BRIDGES);
}

#[test]
fn a_lost_answer_to_a_change_of_a_port_changes_it_once() {
    let house = House::start(1);
    for (fault, tool, method) in [
        ("drop_answer_after_apply", ADD, "PUT"),
        ("drop_answer_after_apply", REMOVE, "DELETE"),
        ("drop_before_apply", ADD, "PUT"),
        ("drop_before_apply", REMOVE, "DELETE"),
    ] {
        let wrote = house.writes(0);
        let plan = plan(&house, tool, &port(&house, 0, "ether5"));
        approve(&house, &plan);
        let prefix = "/rest/interface/bridge/port";
        house.fault(0, &json!({ "fault": fault, "method": method, "path_prefix": prefix, "times": 1 }));
        apply(&house, APPLY, &plan).unwrap_or_else(|failure| panic!("{fault} {tool}: {failure}"));
        let there = interfaces(&house, 0).iter().filter(|name| *name == "ether5").count();
        assert_eq!(there, usize::from(tool == ADD), "{fault} {tool}");
        assert_eq!(house.writes(0), wrote + 1, "{fault} {tool}");
    }
}

#[test]
fn a_bridge_that_changed_since_makes_the_plan_stale() {
    let house = House::start(1);
    let removal = plan(&house, REMOVE, &port(&house, 0, "ether3"));
    let change = plan(&house, MODIFY, &settings(&house, 0, json!({ "ageing_time": 60 })));
    approve(&house, &removal);
    approve(&house, &change);
    let at = rows(&house, 0, PORTS).into_iter().find(|row| row["interface"] == "ether3").unwrap();
    plant(&house, 0, PORTS, &json!({ ".id": at[".id"], "pvid": "40" }));
    let bridge = rows(&house, 0, BRIDGES)[0][".id"].clone();
    plant(&house, 0, BRIDGES, &json!({ ".id": bridge, "comment": "somebody was here" }));
    let before = (plain(&house, 0, PORTS), plain(&house, 0, BRIDGES));
    assert_eq!(apply(&house, APPLY, &removal).unwrap_err()["code"], "plan_stale");
    assert_eq!(apply(&house, APPLY, &change).unwrap_err()["code"], "plan_stale");
    assert_eq!((plain(&house, 0, PORTS), plain(&house, 0, BRIDGES)), before);
    assert_eq!(house.writes(0), 0);
}

#[test]
fn our_own_way_over_a_bridge_is_guarded() {
    let house = House::start(2);
    // The router does not tell which port we come through: the approver is told.
    let reasons = |plan: &Value| plan["devices"][0]["reasons"].to_string();
    let unknown = plan(&house, REMOVE, &port(&house, 0, "ether2"));
    assert!(reasons(&unknown).contains("our own way"), "{unknown}");
    seen(&house, 0, "bridge", "ether2");
    assert_eq!(house.refused(As::Agent, REMOVE, &port(&house, 0, "ether2")), "unsafe_operation");
    let other = plan(&house, REMOVE, &port(&house, 0, "ether3"));
    assert!(!reasons(&other).contains("our own way"), "{other}");
    // Untagged to the bridge itself: its VLAN and that of our port must be one.
    let filter = settings(&house, 0, json!({ "vlan_filtering": true }));
    let fine = plan(&house, MODIFY, &filter);
    assert_eq!(fine["risk_level"], "high");
    assert!(!reasons(&fine).contains("our own way"), "{fine}");
    let bridge = rows(&house, 0, BRIDGES)[0][".id"].clone();
    plant(&house, 0, BRIDGES, &json!({ ".id": bridge, "pvid": "99" }));
    let refused = house.try_call(As::Agent, MODIFY, &filter).unwrap_err();
    assert_eq!(refused["code"], "unsafe_operation", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("pvid"), "{refused}");
    // On the other router we come straight to an interface.
    seen(&house, 1, "ether5", "none");
    assert_eq!(house.refused(As::Agent, ADD, &port(&house, 1, "ether5")), "unsafe_operation");
    let apart = plan(&house, REMOVE, &port(&house, 1, "ether2"));
    assert!(!reasons(&apart).contains("our own way"), "{apart}");
    assert_eq!(house.writes(0) + house.writes(1), 0);
}

#[test]
fn what_makes_no_sense_is_refused_by_its_field() {
    let house = House::start(1);
    let second = json!({ "name": "bridge2", ".id": "*77" });
    plant(&house, 0, BRIDGES, &second);
    plant(&house, 0, "/interface", &json!({ ".id": "*77", "name": "bridge2", "type": "bridge" }));
    plant(
        &house,
        0,
        PORTS,
        &json!({ ".id": "*70", "bridge": "bridge", "interface": "wlan1", "dynamic": "true" }),
    );
    let at = |bridge: &str, interface: &str| json!({ "device_ids": [house.device(0)], "bridge_name": bridge, "interface": interface });
    for (tool, params, code, says) in [
        (ADD, at("bridge", "bridge"), "invalid_params", "itself"),
        (ADD, at("nowhere", "ether5"), "not_found", "bridge_name"),
        (ADD, at("bridge", "ether99"), "not_found", "interface"),
        (ADD, at("bridge2", "ether2"), "invalid_params", "another bridge"),
        (ADD, at("bridge", "bridge2"), "invalid_params", "cannot be a port"),
        (ADD, at("bridge", "guest"), "invalid_params", "loop"),
        (ADD, at("bridge", "wlan1"), "invalid_params", "RouterOS itself"),
        (ADD, at("", "ether5"), "invalid_params", "bridge_name"),
        (REMOVE, at("bridge", "bridge"), "invalid_params", "itself"),
        (REMOVE, at("nowhere", "ether2"), "not_found", "bridge_name"),
        (REMOVE, at("bridge2", "ether2"), "invalid_params", "another bridge"),
        (REMOVE, at("bridge", "wlan1"), "unsafe_operation", "RouterOS itself"),
    ] {
        let refused = house.try_call(As::Agent, tool, &params).unwrap_err();
        assert_eq!(refused["code"], code, "{tool} {params}: {refused}");
        assert!(refused.to_string().contains(says), "{tool} {params} says {says}: {refused}");
    }
    for (wanted, says) in [
        (json!({}), "bridge_settings"),
        (json!({ "stp": true, "protocol_mode": "none" }), "contradicts"),
        (json!({ "priority": 4095 }), "priority"),
        (json!({ "priority": "0x8001" }), "priority"),
        (json!({ "priority": "high" }), "priority"),
        (json!({ "protocol_mode": "pvst" }), "protocol_mode"),
        (json!({ "forward_delay": 10 }), "forward_delay"),
        (json!({ "max_message_age": 40 }), "max_message_age"),
        (json!({ "stp": false, "forward_delay": 20 }), "spanning tree"),
    ] {
        let refused = house.try_call(As::Agent, MODIFY, &settings(&house, 0, wanted.clone())).unwrap_err();
        assert_eq!(refused["code"], "invalid_params", "{wanted}: {refused}");
        assert!(refused.to_string().contains(says), "{wanted} says {says}: {refused}");
    }
    // A plan of bridges is started by its own tool.
    let plan = plan(&house, ADD, &port(&house, 0, "ether5"));
    approve(&house, &plan);
    assert_eq!(apply(&house, "apply_firewall_plan", &plan).unwrap_err()["code"], "invalid_params");
    assert_eq!(house.writes(0), 0);
}

#[test]
fn production_is_asked_for_and_its_spanning_trees_are_not_touched() {
    let house = House::start(10);
    assert_eq!(house.refused(As::Agent, ADD, &port(&house, 9, "ether5")), "capability_missing");
    allow_all(&house, 9);
    assert_eq!(house.refused(As::Agent, ADD, &port(&house, 9, "ether5")), "environment_denied");
    let house = House::start_set(10, &[], &[("TOOLS__ALLOW_PROD_TOPICS", "[\"bridge\"]")]);
    allow_all(&house, 9);
    let plan = plan(&house, ADD, &port(&house, 9, "ether5"));
    assert_eq!(plan["risk_level"], "high", "{plan}");
    for bridge in ["bridge-lan", "bridge-core", "bridge-prod"] {
        let params = |settings: Value| json!({ "device_ids": [house.device(9)], "bridge_name": bridge, "bridge_settings": settings });
        for keys in [json!({ "stp": true }), json!({ "priority": 0 }), json!({ "max_message_age": 20 })] {
            assert_eq!(house.refused(As::Agent, MODIFY, &params(keys)), "unsafe_operation");
        }
        assert_eq!(house.refused(As::Agent, MODIFY, &params(json!({ "ageing_time": 60 }))), "not_found");
    }
    assert_eq!(house.writes(9), 0);
}
