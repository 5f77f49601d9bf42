//! Static routes.

use serde_json::{Value, json};

use super::{apply, approve, carried_out, lied_to, plain, plan, rows, undone};
use crate::house::{As, House};

const MENU: &str = "/ip/route";
const APPLY: &str = "apply_routing_plan";
const ADD: &str = "plan_add_static_route";
const MODIFY: &str = "plan_modify_static_route";
const REMOVE: &str = "plan_remove_static_route";

/// The demo's static routes: the default route, one to the lab, and a disabled blackhole.
const DEFAULT: &str = "*80000001";
const LAB: &str = "*80000002";
const DISABLED: &str = "*80000003";
/// In a network of every demo router.
const GATEWAY: &str = "172.16.40.9";

fn to(house: &House, n: usize, destination: &str) -> Vec<Value> {
    rows(house, n, MENU).into_iter().filter(|row| row["dst-address"] == destination).collect()
}

/// A refusal with its code, and words that its message has.
fn refusal(house: &House, tool: &str, params: &Value, code: &str, says: &str) {
    let failure = house.try_call(As::Agent, tool, params).expect_err("a refusal");
    assert_eq!(failure["code"], code, "{tool} {params}: {failure}");
    assert!(failure["message"].as_str().unwrap().contains(says), "{tool} {params} says {says}: {failure}");
}

/// The next time the router tells who is logged in, it is us from this address.
fn seen_from(house: &House, address: &str) {
    let active = json!([{ ".id": "*1", "name": "appliance", "via": "rest-api", "address": address }]);
    house.fault(
        0,
        &json!({ "fault": "status", "status": 200, "body": active.to_string(), "method": "GET",
                 "path_prefix": "/rest/user/active", "times": 1 }),
    );
}

#[test]
fn a_route_is_added_changed_and_removed_on_every_release() {
    let house = House::start(12);
    for n in [0, 1, 8, 11] {
        let device = house.device(n);
        let allow = json!({ "device_id": device, "allow": ["professional_workflows", "routing_writes"] });
        house.call(As::Admin, "device_edit", &allow);
        let add = json!({
            "device_ids": [device], "dst_address": "10.50.0.0/16", "gateway": GATEWAY, "distance": 5,
            "comment": "to the mill",
        });
        let plan = carried_out(&house, ADD, &add, APPLY);
        assert_eq!((&plan["risk_level"], &plan["device_count"]), (&json!("medium"), &json!(1)), "{plan}");
        let added = to(&house, n, "10.50.0.0/16");
        assert_eq!((added.len(), &added[0]["comment"]), (1, &json!("to the mill")));
        assert_eq!((&added[0]["distance"], &added[0]["active"]), (&json!("5"), &json!("true")));
        refusal(&house, ADD, &add, "invalid_params", "dst_address");
        let id = &added[0][".id"];
        let change = json!({
            "device_ids": [device], "route_id": id, "dst_address": "10.51.0.0/16", "gateway": "172.16.40.10",
            "distance": 7, "comment": "",
        });
        carried_out(&house, MODIFY, &change, APPLY);
        let changed = to(&house, n, "10.51.0.0/16");
        assert_eq!((&changed[0]["gateway"], &changed[0]["distance"]), (&json!("172.16.40.10"), &json!("7")));
        assert!(changed[0].get("comment").is_none() && to(&house, n, "10.50.0.0/16").is_empty());
        let again = house.call(As::Agent, MODIFY, &change);
        assert_eq!((&again["plan_id"], &again["unchanged"]), (&Value::Null, &json!([device])), "so already");
        carried_out(&house, REMOVE, &json!({ "device_ids": [device], "route_id": id }), APPLY);
        assert!(to(&house, n, "10.51.0.0/16").is_empty());
        assert_eq!(house.writes(n), 3);
    }
}

#[test]
fn every_change_of_a_route_is_undone_to_the_letter() {
    let house = House::start(2);
    let add = json!({ "dst_address": "10.50.0.0/16", "gateway": GATEWAY });
    undone(&house, ADD, &add, APPLY, &[MENU]);
    let change = json!({
        "route_id": LAB, "dst_address": "10.98.0.0/16", "gateway": GATEWAY, "distance": 20, "comment": "moved",
    });
    undone(&house, MODIFY, &change, APPLY, &[MENU]);
    undone(&house, MODIFY, &json!({ "route_id": DISABLED, "comment": "still off" }), APPLY, &[MENU]);
    // A blackhole, in use: what it is comes back too.
    for n in [0, 1] {
        let on = json!({ "menu": MENU, "id": DISABLED, "props": { "disabled": "false" } });
        house.control("POST", &format!("/boxes/{}/behind-back", house.box_of(n)), Some(&on));
    }
    undone(&house, REMOVE, &json!({ "route_id": DISABLED }), APPLY, &[MENU]);
    let hole = &to(&house, 0, "198.51.100.0/24")[0];
    assert_eq!((&hole["blackhole"], &hole["active"]), (&json!(""), &json!("true")), "{hole}");
    assert!(hole.get("gateway").is_none() && hole[".id"] != DISABLED, "put back: {hole}");
    undone(&house, REMOVE, &json!({ "route_id": LAB }), APPLY, &[MENU]);
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    let add = json!({ "dst_address": "10.50.0.0/16", "gateway": GATEWAY });
    lied_to(&house, ADD, &add, APPLY, MENU);
    lied_to(&house, MODIFY, &json!({ "route_id": LAB, "gateway": GATEWAY }), APPLY, MENU);
    lied_to(&house, REMOVE, &json!({ "route_id": LAB }), APPLY, MENU);
}

#[test]
fn a_lost_answer_to_an_add_adds_one_route() {
    let house = House::start(1);
    for (n, fault) in ["drop_answer_after_apply", "drop_before_apply"].into_iter().enumerate() {
        let destination = format!("10.5{n}.0.0/16");
        let params =
            json!({ "device_ids": [house.device(0)], "dst_address": destination, "gateway": GATEWAY });
        let wrote = house.writes(0);
        let plan = plan(&house, ADD, &params);
        approve(&house, &plan);
        let lost = json!({ "fault": fault, "method": "PUT", "path_prefix": "/rest/ip/route", "times": 1 });
        house.fault(0, &lost);
        apply(&house, APPLY, &plan).unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert_eq!((to(&house, 0, &destination).len(), house.writes(0)), (1, wrote + 1), "{fault}");
    }
}

#[test]
fn a_table_that_changed_since_makes_the_plan_stale() {
    let house = House::start(1);
    let device = house.device(0);
    let removal = plan(&house, REMOVE, &json!({ "device_ids": [device], "route_id": LAB }));
    approve(&house, &removal);
    let add = json!({ "device_ids": [device], "dst_address": "10.50.0.0/16", "gateway": GATEWAY });
    let addition = plan(&house, ADD, &add);
    approve(&house, &addition);
    let other = json!({ "device_ids": [device], "route_id": LAB, "comment": "somebody was here" });
    carried_out(&house, MODIFY, &other, APPLY);
    let second = json!({ "device_ids": [device], "dst_address": "10.50.0.0/16", "gateway": "172.16.40.77" });
    carried_out(&house, ADD, &second, APPLY);
    let before = plain(&house, 0, MENU);
    for stale in [&removal, &addition] {
        assert_eq!(apply(&house, APPLY, stale).unwrap_err()["code"], "plan_stale");
    }
    assert_eq!(plain(&house, 0, MENU), before);
}

#[test]
fn the_default_route_and_what_no_person_made_are_left_alone() {
    let house = House::start(1);
    let device = house.device(0);
    let connected = rows(&house, 0, MENU).into_iter().find(|row| row["connect"] == "true").unwrap();
    let connected = connected[".id"].as_str().unwrap();
    let before = plain(&house, 0, MENU);
    let on = |id: &str, more: Value| {
        let mut params = json!({ "device_ids": [device], "route_id": id });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let add =
        |destination: &str| json!({ "device_ids": [device], "dst_address": destination, "gateway": GATEWAY });
    for everything in ["0.0.0.0/0", "::/0"] {
        refusal(&house, ADD, &add(everything), "unsafe_operation", "default route");
    }
    for (id, code, says) in [
        (DEFAULT, "unsafe_operation", "default route"),
        (connected, "unsafe_operation", "no static route"),
        ("*8000FFFF", "not_found", "*8000FFFF"),
    ] {
        refusal(&house, MODIFY, &on(id, json!({ "comment": "x" })), code, says);
        refusal(&house, REMOVE, &on(id, json!({})), code, says);
    }
    refusal(
        &house,
        MODIFY,
        &on(LAB, json!({ "dst_address": "0.0.0.0/0" })),
        "unsafe_operation",
        "default route",
    );
    // What a disabled route hides could not be put back.
    refusal(&house, REMOVE, &on(DISABLED, json!({})), "unsafe_operation", "disabled");
    refusal(&house, MODIFY, &on(DISABLED, json!({ "distance": 9 })), "unsafe_operation", "disabled");
    refusal(&house, MODIFY, &on(DISABLED, json!({ "gateway": GATEWAY })), "invalid_params", "gateway");
    assert_eq!((plain(&house, 0, MENU), house.writes(0)), (before, 0));
}

#[test]
fn nonsense_is_refused_by_field_and_asks_no_router() {
    let house = House::start(1);
    let device = house.device(0);
    let asked = house.journal(0).len();
    for (tool, more, says) in [
        (ADD, json!({ "dst_address": "10.1.2.3/16", "gateway": GATEWAY }), "10.1.0.0/16"),
        (ADD, json!({ "dst_address": "10.1.2.3", "gateway": GATEWAY }), "10.1.2.3/32"),
        (ADD, json!({ "dst_address": "2001:db8::/32", "gateway": GATEWAY }), "IPv6"),
        (ADD, json!({ "dst_address": "10.1.0.0/16", "gateway": "ether1" }), "gateway"),
        (ADD, json!({ "dst_address": "10.1.0.0/16", "gateway": GATEWAY, "distance": 0 }), "distance"),
        (ADD, json!({ "dst_address": "10.1.0.0/16", "gateway": GATEWAY, "distance": 256 }), "distance"),
        (ADD, json!({ "gateway": GATEWAY }), "dst_address"),
        (MODIFY, json!({ "route_id": LAB }), "at least one"),
        (MODIFY, json!({ "route_id": "lab", "comment": "x" }), "route_id"),
        (MODIFY, json!({ "route_id": LAB, "disabled": true }), "disabled"),
        (REMOVE, json!({}), "route_id"),
        (REMOVE, json!({ "route_id": LAB, "force": true }), "force"),
    ] {
        let mut params = json!({ "device_ids": [device] });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refusal(&house, tool, &params, "invalid_params", says);
    }
    assert_eq!(house.journal(0).len(), asked, "no router was asked");
    let bare = json!({ "device_ids": [device], "dst_address": "10.1.0.0/16" });
    refusal(&house, ADD, &bare, "invalid_params", "gateway");
    let own = rows(&house, 0, "/ip/address")[0]["address"].as_str().unwrap().to_owned();
    let own = own.split('/').next().unwrap();
    let looped = json!({ "device_ids": [device], "dst_address": "10.1.0.0/16", "gateway": own });
    refusal(&house, ADD, &looped, "invalid_params", "router itself");
}

#[test]
fn the_route_that_carries_us_stays_and_one_that_takes_us_over_is_high_risk() {
    let house = House::start(1);
    let device = house.device(0);
    let lab = json!({ "device_ids": [device], "route_id": LAB });
    let moved = json!({ "device_ids": [device], "route_id": LAB, "gateway": GATEWAY });
    for (tool, params) in [(REMOVE, &lab), (MODIFY, &moved)] {
        seen_from(&house, "10.99.7.7");
        refusal(&house, tool, params, "unsafe_operation", "carries the router's answers to us");
    }
    let nearer =
        |gateway: &str| json!({ "device_ids": [device], "dst_address": "10.99.7.0/24", "gateway": gateway });
    seen_from(&house, "10.99.7.7");
    refusal(&house, ADD, &nearer("203.0.113.9"), "unsafe_operation", "in no network of the router");
    seen_from(&house, "10.99.7.7");
    let risky = plan(&house, ADD, &nearer(GATEWAY));
    assert_eq!(risky["risk_level"], "high", "{risky}");
    let part = &risky["devices"][0];
    assert!(part["reasons"][0].as_str().unwrap().contains("another way"), "{risky}");
    assert!(risky["groups"][0]["operations"][0]["risky"].is_string(), "{risky}");
    // Our way does not go there: the same is no risk, a gateway that is out of reach a warning.
    let plain_one = plan(&house, ADD, &nearer(GATEWAY));
    assert_eq!(plain_one["risk_level"], "medium", "{plain_one}");
    let out_of_reach = plan(&house, ADD, &nearer("203.0.113.9"));
    assert!(out_of_reach["devices"][0]["reasons"].to_string().contains("no network"), "{out_of_reach}");
    assert_eq!(house.writes(0), 0);
}

#[test]
fn a_routing_table_is_never_read_whole() {
    let house = House::start(1);
    let device = house.device(0);
    let add = json!({ "device_ids": [device], "dst_address": "10.50.0.0/16", "gateway": GATEWAY });
    carried_out(&house, ADD, &add, APPLY);
    let id = to(&house, 0, "10.50.0.0/16")[0][".id"].clone();
    let change = json!({ "device_ids": [device], "route_id": id, "distance": 9 });
    carried_out(&house, MODIFY, &change, APPLY);
    carried_out(&house, REMOVE, &json!({ "device_ids": [device], "route_id": id }), APPLY);
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut queries = 0;
    for entry in house.journal(0) {
        let (method, path) = (text(&entry, "method"), text(&entry, "path"));
        match (method.as_str(), path.as_str()) {
            ("GET", "/rest/ip/route") => {
                assert!(text(&entry, "query").contains("dst-address="), "{entry}");
            }
            ("POST", "/rest/ip/route/print") => {
                assert!(text(&entry, "body").contains("dst-address="), "{entry}");
                queries += 1;
            }
            _ => {}
        }
    }
    assert_eq!(queries, 3, "one question a plan");
}

#[test]
fn what_a_device_does_not_allow_is_refused_and_old_names_work() {
    let house = House::start(12);
    let prod = house.device(9);
    let params = json!({ "device_ids": [prod], "dst_address": "10.50.0.0/16", "gateway": GATEWAY });
    let old = house.mcp_call(As::Agent, "routing/add-static-route", &params).unwrap_err();
    assert_eq!(old["code"], "capability_missing", "{old}");
    let allow = json!({ "device_id": prod, "allow": ["professional_workflows", "routing_writes"] });
    house.call(As::Admin, "device_edit", &allow);
    assert_eq!(house.refused(As::Agent, ADD, &params), "environment_denied");
    let removal = json!({ "device_ids": [house.device(0)], "route_id": LAB });
    let old = house.mcp_call(As::Agent, "routing/remove-static-route", &removal).unwrap();
    assert_eq!(old["device_count"], 1, "{old}");
    let firewall = json!({ "plan_id": old["plan_id"], "approval_token": old["approval_token"] });
    refusal(&house, "apply_firewall_plan", &firewall, "invalid_params", "not a firewall plan");
    assert_eq!(apply(&house, APPLY, &old).unwrap_err()["code"], "plan_not_approved");
    assert_eq!((house.writes(9), house.writes(0)), (0, 0));
}
