//! One-device changes that add, remove or empty something: done, not done twice, refused, and lied about.

use serde_json::{Value, json};

use crate::{
    house::{As, House},
    topics::{plain, rows},
};

const ADDRESSES: &str = "/ip/address";
const LISTS: &str = "/ip/firewall/address-list";

fn with(house: &House, mut params: Value) -> Value {
    params["device_id"] = json!(house.device(0));
    params
}

/// Does it, and holds a second time to be none.
fn done(house: &House, tool: &str, params: &Value) -> Value {
    let mut dry = params.clone();
    dry["dry_run"] = json!(true);
    let wrote = house.writes(0);
    let shown = house.call(As::Agent, tool, &dry);
    assert_eq!(
        (&shown["changed"], shown["operations"].as_array().map(Vec::len)),
        (&json!(false), Some(1)),
        "{shown}"
    );
    assert_eq!(house.writes(0), wrote, "{tool}: a dry run sends nothing");
    let answer = house.call(As::Agent, tool, params);
    assert_eq!(answer["changed"], true, "{tool}: {answer}");
    assert_eq!(house.writes(0), wrote + 1, "{tool}");
    answer
}

#[test]
fn an_address_is_added_once_and_removed() {
    let house = House::start(1);
    let before = plain(&house, 0, ADDRESSES);
    let params =
        with(&house, json!({ "address": "10.99.0.1/24", "interface": "ether2", "comment": "second" }));
    let added = done(&house, "add_secondary_ip_address", &params);
    let again = house.call(As::Agent, "add_secondary_ip_address", &params);
    assert_eq!((&again["changed"], &again["address_id"]), (&json!(false), &added["address_id"]), "{again}");
    assert_eq!(rows(&house, 0, ADDRESSES).len(), before.len() + 1);
    let removed = done(
        &house,
        "remove_secondary_ip_address",
        &with(&house, json!({ "address_id": added["address_id"] })),
    );
    assert_eq!(removed["address"], "10.99.0.1/24");
    assert_eq!(plain(&house, 0, ADDRESSES), before);
}

#[test]
fn a_member_of_a_list_comes_and_goes() {
    let house = House::start(1);
    let before = plain(&house, 0, LISTS);
    for extra in [json!({}), json!({ "comment": "bad" }), json!({ "timeout": "1h" })] {
        let mut params = with(&house, extra.clone());
        params["list_name"] = json!("mcp-blocked");
        params["address"] = json!("203.0.113.9");
        done(&house, "update_firewall_address_list", &params);
        if extra.get("timeout").is_none() {
            let again = house.call(As::Agent, "update_firewall_address_list", &params);
            assert_eq!(again["changed"], false, "{again}");
        }
        let gone = with(
            &house,
            json!({ "list_name": "mcp-blocked", "address": "203.0.113.9/32", "action": "remove" }),
        );
        done(&house, "update_firewall_address_list", &gone);
        let none = house.call(As::Agent, "update_firewall_address_list", &gone);
        assert_eq!(none["changed"], false, "{none}");
        assert_eq!(plain(&house, 0, LISTS), before, "{extra}");
    }
}

#[test]
fn a_comment_is_set_and_a_cache_is_flushed() {
    let house = House::start(1);
    let interface = rows(&house, 0, "/interface")[0].clone();
    let params = with(&house, json!({ "interface_id": interface[".id"], "comment": "uplink to the hill" }));
    let answer = done(&house, "interface_update_comment", &params);
    assert_eq!(answer["name"], interface["name"]);
    assert_eq!(rows(&house, 0, "/interface")[0]["comment"], "uplink to the hill");
    assert_eq!(house.call(As::Agent, "interface_update_comment", &params)["changed"], false);
    let flushed = done(&house, "flush_dns_cache", &with(&house, json!({})));
    assert!(flushed["entries_flushed"].as_u64().unwrap() > 0, "{flushed}");
    let empty = house.call(As::Agent, "flush_dns_cache", &with(&house, json!({})));
    assert_eq!((&empty["changed"], &empty["entries_flushed"]), (&json!(false), &json!(0)), "{empty}");
}

#[test]
fn what_would_harm_or_makes_no_sense_is_refused() {
    let house = House::start(1);
    let refused = |tool: &str, params: Value| house.refused(As::Agent, tool, &with(&house, params));
    let add = |address: &str| json!({ "address": address, "interface": "bridge" });
    let lan = rows(&house, 0, ADDRESSES).into_iter().find(|row| row["interface"] == "bridge").unwrap();
    let overlapping = lan["address"].as_str().unwrap().replace("/24", "/16");
    assert_eq!(refused("add_secondary_ip_address", add(&overlapping)), "invalid_params");
    assert_eq!(refused("add_secondary_ip_address", add("10.99.0.0/24")), "invalid_params");
    assert_eq!(
        refused("add_secondary_ip_address", add("127.9.0.1/8")),
        "unsafe_operation",
        "we come from there"
    );
    assert_eq!(
        refused("add_secondary_ip_address", json!({ "address": "10.99.0.1/24", "interface": "nowhere" })),
        "device_refused"
    );
    assert_eq!(refused("remove_secondary_ip_address", json!({ "address_id": "*FFFF" })), "not_found");
    let member = |list: &str, address: &str| json!({ "list_name": list, "address": address });
    assert_eq!(refused("update_firewall_address_list", member("blocked", "203.0.113.9")), "unsafe_operation");
    assert_eq!(refused("update_firewall_address_list", member("mcp-a", "203.0.113.9/24")), "invalid_params");
    assert_eq!(
        refused("interface_update_comment", json!({ "interface_id": "*FFFF", "comment": "x" })),
        "not_found"
    );
    assert_eq!(
        refused("interface_update_comment", json!({ "interface_id": "ether1", "comment": "x" })),
        "invalid_params"
    );
    assert_eq!(house.writes(0), 0);
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    let interface = rows(&house, 0, "/interface")[0][".id"].clone();
    let address =
        rows(&house, 0, ADDRESSES).into_iter().find(|row| row["interface"] == "guest").unwrap()[".id"]
            .clone();
    let cases = [
        ("interface_update_comment", json!({ "interface_id": interface, "comment": "lies" }), "/interface"),
        ("add_secondary_ip_address", json!({ "address": "10.99.0.1/24", "interface": "ether2" }), ADDRESSES),
        ("remove_secondary_ip_address", json!({ "address_id": address }), ADDRESSES),
        ("update_firewall_address_list", json!({ "list_name": "mcp-a", "address": "203.0.113.9" }), LISTS),
        ("update_dns_servers", json!({ "dns_servers": ["9.9.9.9"] }), "/ip/dns"),
        ("update_ntp_servers", json!({ "ntp_servers": ["192.0.2.123"] }), "/system/ntp/client"),
        ("set_system_identity", json!({ "identity": "liar" }), "/system/identity"),
        ("flush_dns_cache", json!({}), "/ip/dns/cache"),
    ];
    for (tool, params, menu) in cases {
        let params = with(&house, params);
        let before = plain(&house, 0, menu);
        house.fault(0, &json!({ "fault": "yes_without_change", "times": 1 }));
        let failure = house.try_call(As::Agent, tool, &params).expect_err(tool);
        assert_eq!(failure["code"], "device_refused", "{tool}: {failure}");
        assert_eq!(plain(&house, 0, menu), before, "{tool}");
        house.fault(0, &json!({ "fault": "no_with_change", "times": 1 }));
        let answer = house.call(As::Agent, tool, &params);
        assert_eq!(answer["changed"], true, "{tool}: {answer}");
        assert_ne!(plain(&house, 0, menu), before, "{tool}: it did it");
    }
}
