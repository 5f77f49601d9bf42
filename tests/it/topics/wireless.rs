//! SSIDs and radios, on every Wi-Fi stack.

use serde_json::{Value, json};

use super::{apply, approve, carried_out, level, lied_to, plain, plan, rows, undone_on};
use crate::house::{As, House};

const APPLY: &str = "apply_wireless_plan";
const OLD: &str = "/interface/wireless";
const NEW: &str = "/interface/wifi";
const WAVE2: &str = "/interface/wifiwave2";

/// Every stack of every simulated release: the device, the stack, a radio, a security profile.
const STACKS: [(usize, &str, &str, &str); 6] = [
    (0, NEW, "wifi2", "town"),
    (0, OLD, "wlan1", "default"),
    (1, NEW, "cap-wifi1", "town"),
    (8, NEW, "cap-wifi1", "town"),
    (11, WAVE2, "wifi1", "town"),
    (11, OLD, "wlan1", "default"),
];

/// A band, a channel and its MHz for a radio: the second stack of 7.12.2 and the first of 7.20.8 send at 5 GHz.
fn place(n: usize, radio: &str) -> (&'static str, u16, &'static str) {
    match (n, radio) {
        (0 | 2 | 11, "wifi1") => ("5ghz-ac", 44, "5220"),
        _ => ("2ghz-n", 11, "2462"),
    }
}

fn word(menu: &str, newer: &'static str, older: &'static str) -> &'static str {
    if menu == OLD { older } else { newer }
}

fn record(house: &House, n: usize, menu: &str, name: &str) -> Value {
    let all = rows(house, n, menu);
    all.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}")).clone()
}

fn allow(house: &House, n: usize) {
    let edit =
        json!({ "device_id": house.device(n), "allow": ["professional_workflows", "wireless_writes"] });
    house.call(As::Admin, "device_edit", &edit);
}

/// An SSID on a radio, made, with its id.
fn made(house: &House, devices: &[usize], menu: &str, radio: &str, profile: &str) -> Value {
    made_in(house, devices, menu, radio, profile, "")
}

/// The same, in a bridge.
fn made_in(house: &House, devices: &[usize], menu: &str, radio: &str, profile: &str, bridge: &str) -> Value {
    let params = json!({
        "device_ids": devices.iter().map(|n| house.device(*n)).collect::<Vec<_>>(), "ssid": "guests",
        "interface": radio, "security_profile": profile, "name": "guest-wifi",
        "bridge": bridge,
    });
    carried_out(house, "plan_create_wireless_ssid", &params, APPLY);
    record(house, devices[0], menu, "guest-wifi")[".id"].clone()
}

#[test]
fn an_ssid_is_made_changed_and_removed_on_every_stack() {
    let house = House::start(12);
    for (n, menu, radio, profile) in STACKS {
        if n > 7 {
            allow(&house, n);
        }
        let device = house.device(n);
        let before = plain(&house, n, menu);
        let id = made(&house, &[n], menu, radio, profile);
        let guests = record(&house, n, menu, "guest-wifi");
        let ssid = word(menu, "configuration.ssid", "ssid");
        assert_eq!((&guests[ssid], &guests["master-interface"]), (&json!("guests"), &json!(radio)), "{menu}");
        assert_eq!(guests[word(menu, "security", "security-profile")], profile, "{menu} of {n}");
        assert_eq!(guests["disabled"], "false");
        let again = json!({ "device_ids": [device], "ssid": "guests", "interface": radio, "security_profile": profile });
        assert_eq!(house.refused(As::Agent, "plan_create_wireless_ssid", &again), "invalid_params");

        let change = json!({ "device_ids": [device], "ssid_id": id, "ssid": "visitors" });
        carried_out(&house, "plan_modify_wireless_ssid", &change, APPLY);
        assert_eq!(record(&house, n, menu, "guest-wifi")[ssid], "visitors");
        assert!(
            house.call(As::Agent, "plan_modify_wireless_ssid", &change)["plan_id"].is_null(),
            "no change"
        );

        let removal = json!({ "device_ids": [device], "ssid_id": id });
        let plan = carried_out(&house, "plan_remove_wireless_ssid", &removal, APPLY);
        let operations = plan["groups"][0]["operations"].as_array().unwrap().clone();
        assert_eq!(operations.len(), 2, "off, then gone: {operations:?}");
        assert_eq!(plain(&house, n, menu), before, "{menu} of {n}");
        assert_eq!(house.refused(As::Agent, "plan_remove_wireless_ssid", &removal), "not_found");
    }
}

#[test]
fn a_radio_is_tuned_on_every_stack() {
    let house = House::start(12);
    for (n, menu, radio, _) in STACKS {
        if n > 7 {
            allow(&house, n);
        }
        let (band, channel, mhz) = place(n, radio);
        let settings = json!({
            "device_ids": [house.device(n)], "interface": radio, "band": band, "channel": channel, "tx_power": 17,
        });
        carried_out(&house, "plan_wireless_rf_settings", &settings, APPLY);
        let tuned = record(&house, n, menu, radio);
        let told = |newer, older| tuned[word(menu, newer, older)].as_str().unwrap();
        assert_eq!(told("channel.frequency", "frequency"), mhz, "{menu} of {n}");
        assert_eq!(told("channel.band", "band"), word(menu, band, "2ghz-b/g/n"), "{menu} of {n}");
        assert_eq!(tuned["running"], "true", "{tuned}");
        assert_eq!(told("configuration.tx-power", "tx-power"), "17", "{menu} of {n}");
    }
}

#[test]
fn a_new_ssid_comes_into_a_bridge_and_is_taken_out_of_it_when_it_is_removed() {
    let house = House::start(1);
    let device = house.device(0);
    let params = json!({
        "device_ids": [device], "ssid": "guests", "band": "5ghz-ax", "channel": 36, "security_profile": "town",
        "bridge": "bridge",
    });
    let plan = carried_out(&house, "plan_create_wireless_ssid", &params, APPLY);
    assert!(plan["devices"][0]["reasons"].to_string().contains("1 client may"), "{plan}");
    let guests = rows(&house, 0, NEW).pop().unwrap();
    assert_eq!(guests["master-interface"], "wifi1", "the radio of that band");
    let ports = rows(&house, 0, "/interface/bridge/port");
    assert!(ports.iter().any(|port| port["interface"] == guests["name"]), "{ports:?}");
    let removal = json!({ "device_ids": [device], "ssid_id": guests[".id"] });
    let plan = carried_out(&house, "plan_remove_wireless_ssid", &removal, APPLY);
    assert_eq!(plan["groups"][0]["operations"].as_array().unwrap().len(), 3, "{plan}");
    let left = rows(&house, 0, "/interface/bridge/port");
    assert_eq!(left.len() + 1, ports.len(), "no dead port is left: {left:?}");
    // An address would keep the dead interface.
    carried_out(&house, "plan_create_wireless_ssid", &params, APPLY);
    let guests = rows(&house, 0, NEW).pop().unwrap();
    let ports = json!({ "device_ids": [device], "bridge_name": "bridge", "interface": guests["name"] });
    carried_out(&house, "plan_remove_bridge_port", &ports, "apply_bridge_plan");
    let address = json!({ "device_id": device, "address": "10.99.9.1/24", "interface": guests["name"] });
    house.call(As::Agent, "add_secondary_ip_address", &address);
    let removal = json!({ "device_ids": [device], "ssid_id": guests[".id"] });
    let refused = house.try_call(As::Agent, "plan_remove_wireless_ssid", &removal).unwrap_err();
    assert_eq!(refused["code"], "unsafe_operation");
    assert!(refused["message"].as_str().unwrap().contains("/ip/address"), "{refused}");
}

#[test]
fn every_change_is_undone_to_the_letter() {
    let house = House::start(4);
    for (devices, menu, radio, id, profile) in [
        ([0, 2], NEW, "wifi1", "*20", "town"),
        ([0, 2], NEW, "wifi2", "*21", "town"),
        ([0, 2], OLD, "wlan1", "*28", "default"),
        ([1, 3], NEW, "cap-wifi1", "*20", "town"),
    ] {
        let menus = [menu, "/interface/bridge/port"];
        let create =
            json!({ "ssid": "new", "interface": radio, "security_profile": profile, "bridge": "bridge" });
        undone_on(&house, devices, "plan_create_wireless_ssid", &create, APPLY, &menus);
        let modify = json!({ "ssid_id": id, "ssid": "new" });
        undone_on(&house, devices, "plan_modify_wireless_ssid", &modify, APPLY, &menus);
        let (band, channel, _) = place(devices[0], radio);
        let tune = json!({ "interface": radio, "band": band, "channel": channel, "tx_power": 9 });
        undone_on(&house, devices, "plan_wireless_rf_settings", &tune, APPLY, &menus);
        level(&house, devices, menu, &json!({ "name": "spare-wifi", "master-interface": radio }));
    }
}

#[test]
fn a_removed_ssid_is_put_back_with_its_bridge() {
    for (devices, menu, radio, profile) in [
        ([0, 2], NEW, "wifi1", "town"),
        ([0, 2], OLD, "wlan1", "default"),
        ([1, 3], NEW, "cap-wifi1", "town"),
    ] {
        // Fresh routers of one kind give the same ids.
        let house = House::start(4);
        let guests = made_in(&house, &devices, menu, radio, profile, "bridge");
        assert_eq!(record(&house, devices[1], menu, "guest-wifi")[".id"], guests);
        let menus = [menu, "/interface/bridge/port"];
        undone_on(&house, devices, "plan_remove_wireless_ssid", &json!({ "ssid_id": guests }), APPLY, &menus);
        let back = record(&house, devices[0], menu, "guest-wifi");
        assert_ne!(back[".id"], guests, "as it was, under another id");
        assert_eq!(back["disabled"], "false", "{back}");
    }
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    let create = json!({ "ssid": "new", "interface": "wifi2", "security_profile": "town" });
    lied_to(&house, "plan_create_wireless_ssid", &create, APPLY, NEW);
    let change = json!({ "ssid_id": "*28", "ssid": "new" });
    lied_to(&house, "plan_modify_wireless_ssid", &change, APPLY, OLD);
    let tune = json!({ "interface": "wifi1", "channel": 48 });
    lied_to(&house, "plan_wireless_rf_settings", &tune, APPLY, NEW);
    let guests = made(&house, &[0], NEW, "wifi1", "town");
    lied_to(&house, "plan_remove_wireless_ssid", &json!({ "ssid_id": guests }), APPLY, NEW);
}

#[test]
fn a_lost_answer_makes_one_ssid() {
    let house = House::start(1);
    for fault in ["drop_answer_after_apply", "drop_before_apply"] {
        let (count, wrote) = (rows(&house, 0, NEW).len(), house.writes(0));
        let params = json!({
            "device_ids": [house.device(0)], "ssid": fault, "interface": "wifi2", "security_profile": "town",
        });
        let plan = plan(&house, "plan_create_wireless_ssid", &params);
        approve(&house, &plan);
        let only =
            json!({ "fault": fault, "method": "PUT", "path_prefix": "/rest/interface/wifi", "times": 1 });
        house.fault(0, &only);
        apply(&house, APPLY, &plan).unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert_eq!((rows(&house, 0, NEW).len(), house.writes(0)), (count + 1, wrote + 1), "{fault}");
    }
}

#[test]
fn an_interface_that_changed_since_makes_the_plan_stale() {
    let house = House::start(1);
    let guests = made(&house, &[0], OLD, "wlan1", "default");
    let removal = plan(
        &house,
        "plan_remove_wireless_ssid",
        &json!({ "device_ids": [house.device(0)], "ssid_id": guests }),
    );
    approve(&house, &removal);
    let other = json!({ "device_ids": [house.device(0)], "ssid_id": guests, "ssid": "other" });
    carried_out(&house, "plan_modify_wireless_ssid", &other, APPLY);
    let before = plain(&house, 0, OLD);
    assert_eq!(apply(&house, APPLY, &removal).unwrap_err()["code"], "plan_stale");
    assert_eq!(plain(&house, 0, OLD), before);
}

#[test]
fn passphrases_stay_on_the_router() {
    let house = House::start(1);
    let params = json!({ "device_ids": [house.device(0)], "ssid_id": "*20", "ssid": "village" });
    let plan = carried_out(&house, "plan_modify_wireless_ssid", &params, APPLY);
    assert_eq!(record(&house, 0, NEW, "wifi1")["security.passphrase"], "town-wifi-key", "it is still there");
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
    let events = house.call(As::Admin, "audit_events", &json!({ "limit": 1000 }));
    let store = house.store();
    let (_, log, _dir) = house.stop();
    let mut said = vec![plan.to_string(), details.to_string(), events.to_string(), log];
    for entry in walkdir::WalkDir::new(store).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            said.push(String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned());
        }
    }
    assert!(said.iter().any(|text| text.contains("village")), "the change is on record");
    for key in ["town-wifi-key", "town-legacy-key"] {
        assert!(said.iter().all(|text| !text.contains(key)), "{key}");
    }
}

#[test]
fn what_makes_no_sense_or_cannot_be_undone_is_refused() {
    let house = House::start(1);
    let refused = |tool: &str, more: Value| {
        let mut params = json!({ "device_ids": [house.device(0)] });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.refused(As::Agent, tool, &params)
    };
    for (more, code) in [
        (json!({ "ssid": "a" }), "invalid_params"),
        (json!({ "ssid": "ü".repeat(17), "interface": "wifi1" }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "wifi1", "channel": 100 }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "wifi1", "channel": 44 }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "wifi1", "band": "6ghz-ax" }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "wlan1", "band": "2ghz-ax" }), "invalid_params"),
        (json!({ "ssid": "town", "interface": "wifi1", "security_profile": "town" }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "wifi1", "name": "ether1" }), "invalid_params"),
        (json!({ "ssid": "a", "interface": "ether1" }), "not_found"),
        (json!({ "ssid": "a", "interface": "wifi1", "security_profile": "nobody" }), "not_found"),
        (json!({ "ssid": "a", "interface": "wifi1", "bridge": "nowhere" }), "not_found"),
    ] {
        assert_eq!(refused("plan_create_wireless_ssid", more.clone()), code, "{more}");
    }
    for (more, code) in [
        (json!({ "ssid_id": "*20" }), "invalid_params"),
        (json!({ "ssid_id": "*20", "security_profile": "town" }), "unsafe_operation"),
        (json!({ "ssid_id": "*20", "channel": 1 }), "invalid_params"),
        (json!({ "ssid_id": "*28", "security_profile": "nobody" }), "not_found"),
        (json!({ "ssid_id": "*1", "ssid": "a" }), "not_found"),
    ] {
        assert_eq!(refused("plan_modify_wireless_ssid", more.clone()), code, "{more}");
    }
    for id in ["*20", "*28"] {
        assert_eq!(
            refused("plan_remove_wireless_ssid", json!({ "ssid_id": id })),
            "unsafe_operation",
            "a radio"
        );
    }
    for (more, code) in [
        (json!({ "interface": "wifi1" }), "invalid_params"),
        (json!({ "interface": "wifi1", "channel": 64 }), "invalid_params"),
        (json!({ "interface": "wlan1", "channel": 14 }), "invalid_params"),
        (json!({ "interface": "wifi1", "channel": 149, "tx_power": 20 }), "invalid_params"),
        (json!({ "interface": "wifi1", "tx_power": 31 }), "invalid_params"),
        (json!({ "interface": "ether1", "channel": 1 }), "not_found"),
    ] {
        assert_eq!(refused("plan_wireless_rf_settings", more.clone()), code, "{more}");
    }
    assert_eq!(house.writes(0), 0);
}

#[test]
fn those_who_are_connected_make_it_a_high_risk() {
    let house = House::start(1);
    let params = json!({ "device_ids": [house.device(0)], "ssid_id": "*28", "ssid": "new" });
    let plan = plan(&house, "plan_modify_wireless_ssid", &params);
    assert_eq!(plan["risk_level"], "high");
    let reasons = plan["devices"][0]["reasons"].to_string();
    assert!(reasons.contains("clients are connected") && reasons.contains("1 client loses"), "{reasons}");
}

#[test]
fn a_router_without_wifi_says_what_has_it() {
    let house = House::start(1);
    let absent = json!({
        "fault": "status", "status": 400, "path_prefix": "/rest/interface/wi",
        "body": "{\"error\":400,\"message\":\"Bad Request\",\"detail\":\"no such command prefix\"}",
    });
    house.fault(0, &absent);
    let params = json!({ "device_ids": [house.device(0)], "interface": "wifi1", "channel": 36 });
    let refused = house.try_call(As::Agent, "plan_wireless_rf_settings", &params).unwrap_err();
    assert_eq!(refused["code"], "device_unsupported", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("7.13"), "{refused}");
}
