//! `device show`: what a router can do, on every simulated release, and when it does not answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    house::{As, House, json_of, stderr, stdout},
    lone::Lone,
};

fn shown(house: &House, n: usize) -> Value {
    let output = house.cli(As::Nobody, &["--json", "device", "show", house.device(n)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json_of(&output)
}

fn people(house: &House, n: usize) -> String {
    let output = house.cli(As::Nobody, &["device", "show", house.device(n)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn by<'a>(list: &'a Value, key: &str) -> BTreeMap<&'a str, &'a Value> {
    list.as_array().unwrap().iter().map(|row| (row[key].as_str().unwrap(), row)).collect()
}

/// The tools that read every menu that only some routers have.
const READERS: [&str; 6] = [
    "device_health",
    "get_system_overview",
    "get_wireless_interfaces",
    "get_wireless_clients",
    "get_capsman_remote_caps",
    "get_capsman_registrations",
];

#[test]
fn what_a_router_is_said_to_lack_it_lacks_and_what_it_is_said_to_have_it_has() {
    let house = House::start(12);
    for (n, release) in [(0, "7.20.8"), (1, "7.24"), (8, "7.16.2"), (11, "7.12.2")] {
        for tool in READERS {
            house.call(As::Agent, tool, &json!({ "device_id": house.device(n) }));
        }
        // As the router itself answered when it was asked for these menus.
        let mut there: BTreeMap<String, bool> = BTreeMap::new();
        for entry in house.journal(n) {
            let path = entry["path"].as_str().unwrap().split('?').next().unwrap();
            if let (Some(menu), "GET") = (path.strip_prefix("/rest"), entry["method"].as_str().unwrap()) {
                there.insert(menu.to_owned(), entry["status"] == 200);
            }
        }
        let shown = shown(&house, n);
        let abilities = &shown["abilities"];
        assert_eq!(
            (&abilities["answered"], &abilities["failure"]),
            (&json!(true), &Value::Null),
            "{abilities}"
        );
        assert!(abilities["routeros_version"].as_str().unwrap().starts_with(release), "{abilities}");
        let menus = by(&abilities["menus"], "menu");
        let mut compared = 0;
        for (menu, is_there) in &there {
            let Some(said) = menus.get(menu.as_str()) else { continue };
            assert_eq!(said["supported"], if *is_there { "yes" } else { "no" }, "{release}: {said}");
            compared += 1;
        }
        assert!(compared >= 12, "{release}: {there:?}");
        assert!(!abilities["tools"].to_string().contains("unknown"), "{abilities}");
    }
}

#[test]
fn each_release_says_what_it_can_and_which_release_has_the_rest() {
    let house = House::start(12);
    let tool = |n: usize, name: &str| -> (String, String) {
        let shown = shown(&house, n);
        let found = by(&shown["abilities"]["tools"], "tool")[name].clone();
        (found["supported"].as_str().unwrap().to_owned(), found["lacks"].to_string())
    };
    let (can, lacks) = tool(0, "get_wireless_interfaces");
    assert_eq!(can, "partly", "{lacks}");
    assert!(lacks.contains("/interface/wifiwave2") && lacks.contains("RouterOS 7.1 to 7.12.2"), "{lacks}");
    assert!(!lacks.contains("\"/interface/wireless\""), "it has the package: {lacks}");
    let (can, lacks) = tool(1, "get_wireless_interfaces");
    assert!(can == "partly" && lacks.contains("\"/interface/wireless\""), "no package: {lacks}");
    let (can, lacks) = tool(11, "get_wireless_interfaces");
    assert!(can == "partly" && lacks.contains("RouterOS 7.13 and newer"), "{lacks}");
    let (can, lacks) = tool(11, "device_health");
    assert!(can == "partly" && lacks.contains("hardware only"), "a virtual router: {lacks}");
    assert_eq!(tool(8, "device_health"), ("yes".to_owned(), "[]".to_owned()));
    assert_eq!(tool(8, "get_arp_table").0, "yes");

    let home = shown(&house, 8)["abilities"]["device_mode"].clone();
    assert_eq!((&home["mode"], &home["flagged"]), (&json!("home"), &json!(false)));
    let blocked = home["blocked"].as_array().unwrap();
    assert!(blocked.contains(&json!("bandwidth-test")) && blocked.contains(&json!("scheduler")), "{home}");
    assert!(!blocked.contains(&json!("partitions")), "this release does not know it: {home}");
    let packages = shown(&house, 0)["abilities"]["packages"].clone();
    let names: Vec<&str> =
        packages.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["routeros", "wifi-qcom", "wireless"], "what is only on offer is not there");

    let text = people(&house, 8);
    for words in [
        "What it can do (told now)",
        "release     7.16.2 (stable)",
        "device-mode home; blocks scheduler, socks, fetch, bandwidth-test",
        "get_wireless_interfaces (partly): ",
        "is in RouterOS 7.1 to 7.12.2, package wifiwave2",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("get_arp_table"), "what it can in full is only counted\n{text}");
    let over_http =
        house.http(As::Admin, "GET", &format!("/api/devices/{}/abilities", house.device(8)), None);
    assert_eq!((over_http.status, &over_http.body["device_mode"]), (200, &home));
    for n in [0, 1, 8, 11] {
        assert_eq!(house.writes(n), 0, "looking changes nothing");
    }
}

#[test]
fn a_router_that_does_not_answer_is_shown_by_what_is_on_record() {
    let house = House::start(1);
    let known = shown(&house, 0);
    house.until("its release on record", || {
        let kept = house.call(As::Admin, "device_show", &json!({ "device_id": house.device(0) }));
        let version = kept["identification"]["routeros_version"].as_str().unwrap_or_default().to_owned();
        version.starts_with("7.20.8").then_some(())
    });
    house.fault(0, &json!({ "fault": "html", "times": 1000 }));
    let shown = shown(&house, 0);
    let abilities = &shown["abilities"];
    assert_eq!(abilities["answered"], false, "{abilities}");
    assert_eq!(abilities["failure"]["code"], "device_garbled", "{abilities}");
    assert_eq!(abilities["routeros_version"], known["abilities"]["routeros_version"]);
    assert_eq!((&abilities["packages"], &abilities["device_mode"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["management_ip"], known["management_ip"], "the record is whole");
    let tools = by(&abilities["tools"], "tool");
    assert_eq!(tools["get_arp_table"]["supported"], "yes", "its release is known");
    let lacks = tools["get_wireless_interfaces"]["lacks"].to_string();
    assert!(lacks.contains("/interface/wireless") && lacks.contains("\"certain\":false"), "{lacks}");
    let text = people(&house, 0);
    for words in [
        "What it can do (on record; the router was not reached)",
        "not told    device_garbled: ",
        "release     7.20.8",
        "packages    not known",
        "package wireless (in the base package to 7.12): not known",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn of_a_router_never_met_nothing_is_claimed() {
    let lone = Lone::new();
    let added =
        lone.run(&["device", "add", "r1", "--address", "192.0.2.7", "--environment", "lab", "--no-trust"]);
    assert!(added.status.success(), "{}", stderr(&added));
    let shown = json_of(&lone.run(&["--json", "device", "show", "r1"]));
    let abilities = &shown["abilities"];
    assert_eq!((&abilities["answered"], &abilities["release_supported"]), (&json!(false), &Value::Null));
    assert_eq!(abilities["failure"]["code"], "trust_unconfirmed", "{abilities}");
    let tools = abilities["tools"].as_array().unwrap();
    assert!(!tools.is_empty() && tools.iter().all(|tool| tool["supported"] == "unknown"), "{abilities}");
    let text = stdout(&lone.run(&["device", "show", "r1"]));
    assert!(text.contains("release     not known yet") && text.contains("not known"), "{text}");
}
