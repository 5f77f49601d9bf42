//! The catalogue on simulated routers of every release: the table of all tools, what single tools promise beyond it, and
//! the list of commands, checked against the console trees of real releases.

pub mod rows;
pub mod stage;
mod table;
mod wrong;

use std::{path::PathBuf, process::Command};

use appliance::{access::principal::Kind, tools::catalog};
use serde_json::{Value, json};

use self::{
    rows::{ROWS, Row},
    stage::Stage,
};
use crate::{
    house::{As, House, json_of, stderr, stdout},
    protocol::Client,
    schema::{self, breaches},
};

/// Calls a tool that must succeed through the protocol, and holds the answer against its own schema.
fn answered(house: &House, tool: &str, params: &Value) -> Value {
    let answer = Client::stateless(house, As::Agent).done(tool, params);
    let schema = (catalog::find(tool).unwrap().output_schema)();
    let breaches = breaches(&schema, &answer, tool, schema::As::Author);
    assert!(breaches.is_empty(), "{breaches:#?}\n{answer:#}");
    answer
}

#[test]
fn a_router_that_is_down_is_said_by_every_read_tool() {
    let house = House::start(1);
    let agent = Client::stateless(&house, As::Agent);
    let stage = Stage { house: &house, agent: &agent, n: 0, device: house.device(0) };
    let reads = |row: &&Row| {
        let Some(spec) = catalog::find(row.tool).map(|def| &def.spec) else { return false };
        // These two answer that it is down.
        let tells = ["check_connectivity", "device_health"].contains(&row.tool);
        spec.open_world && spec.demand.kind == Kind::Read && !tells
    };
    let asked: Vec<(&str, Value)> =
        ROWS.iter().filter(reads).map(|row| (row.tool, (row.params)(&stage))).collect();
    assert!(asked.len() > 20, "{asked:?}");
    house.fault(0, &json!({ "fault": "html", "times": 1000 }));
    for (tool, params) in asked {
        assert_eq!(agent.call(tool, &params).code(), "device_garbled", "{tool}");
        assert_eq!(house.refused(As::Nobody, tool, &params), "unauthenticated", "{tool}");
    }
}

#[test]
fn a_change_is_on_record_with_all_its_steps() {
    let house = House::start(1);
    let device = house.device(0);
    let params = json!({ "device_id": device, "identity": "tower" });
    assert_eq!(answered(&house, "set_system_identity", &params)["changed"], true);
    let again = answered(&house, "set_system_identity", &params);
    assert_eq!(again["changed"], false, "what is equal is not written: {again}");
    let events = answered(&house, "audit_events", &json!({ "device_id": device, "limit": 1000 }));
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in ["PlanProposed", "JobStarted", "StepStarted", "StepSettled"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn a_look_at_the_way_says_how_often_it_was_tried() {
    let house = House::start(1);
    let params = json!({ "device_id": house.device(0) });
    let check = || answered(&house, "check_connectivity", &params);
    let fine = check();
    assert_eq!((&fine["reachable"], &fine["attempts"]), (&json!(true), &json!(1)), "{fine}");
    assert!(fine["rest_time_ms"].as_f64().unwrap() > 0.0 && fine["ssh_time_ms"].is_null(), "{fine}");
    let reset = |times: u32| house.fault(0, &json!({ "fault": "reset_connection", "times": times }));
    reset(1);
    let again = check();
    assert_eq!((&again["reachable"], &again["attempts"]), (&json!(true), &json!(2)), "{again}");
    reset(3);
    let lost = check();
    assert_eq!((&lost["reachable"], &lost["attempts"]), (&json!(false), &json!(3)), "{lost}");
    assert_eq!(lost["failure_reason"], "network_error", "{lost}");
    let resting = check();
    assert_eq!((&resting["reachable"], &resting["attempts"]), (&json!(false), &json!(0)), "{resting}");
}

#[test]
fn a_record_that_is_not_there_says_who_lists_them() {
    let house = House::start(1);
    for (tool, id, list) in [
        ("get_interface", "interface_id", "list_interfaces"),
        ("get_ip_address", "address_id", "list_ip_addresses"),
        ("get_route", "route_id", "get_routing_summary"),
    ] {
        let params = json!({ "device_id": house.device(0), id: "*7FFFFFF0" });
        let failure = house.try_call(As::Agent, tool, &params).unwrap_err();
        assert_eq!(failure["code"], "not_found", "{failure}");
        assert!(failure["hint"].as_str().unwrap().contains(list), "{failure}");
    }
    let params = json!({ "device_id": house.device(0), "interface_names": ["ether1", "ether99"] });
    let failure = house.try_call(As::Agent, "get_interface_stats", &params).unwrap_err();
    assert_eq!(failure["code"], "not_found", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("ether99"), "{failure}");
}

#[test]
fn a_refusal_shows_what_hides_in_what_it_quotes() {
    let house = House::start(1);
    let hidden = "\u{202e}moc.elpmaxe\u{feff}";
    for (tool, field, value) in [
        ("update_ntp_servers", "ntp_servers", json!([hidden])),
        ("list_devices", hidden, json!(1)),
        ("get_interface_stats", "interface_names", json!([hidden])),
    ] {
        let mut params = json!({ field: value });
        if tool != "list_devices" {
            params["device_id"] = json!(house.device(0));
        }
        let refused = Client::stateless(&house, As::Agent).call(tool, &params);
        let said = refused.value["message"].as_str().unwrap();
        assert!(
            refused.failed && said.contains("\\u{202e}") && said.contains("\\u{feff}"),
            "{tool}: {said:?}"
        );
        for text in [said, &refused.said] {
            assert!(!text.contains(['\u{202e}', '\u{feff}']), "{tool}: {text:?}");
        }
    }
}

#[test]
fn pages_of_a_list_follow_each_other() {
    let house = House::start(1);
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let params = json!({ "device_id": house.device(0), "limit": 2, "cursor": cursor });
        let answer = answered(&house, "list_firewall_filter_rules", &params);
        assert_eq!(answer["total_count"], 5);
        seen.extend(answer["filter_rules"].as_array().unwrap().iter().map(|rule| rule["id"].to_string()));
        cursor = answer["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{seen:?}");
}

#[test]
fn the_newest_log_lines_come_first_and_filters_apply_before_the_limit() {
    let house = House::start(1);
    let device = house.device(0);
    let logs = |more: Value| {
        let mut params = json!({ "device_id": device });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answered(&house, "get_recent_logs", &params)
    };
    let all = logs(json!({}));
    let times: Vec<&str> =
        all["log_entries"].as_array().unwrap().iter().map(|line| line["time"].as_str().unwrap()).collect();
    assert!(times.len() >= 5 && times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let old = logs(json!({ "topics": ["dhcp", "nonsense"], "limit": 1 }));
    assert_eq!((old["total_count"].as_u64(), old["log_entries"].as_array().unwrap().len()), (Some(1), 1));
    assert!(old["log_entries"][0]["topics"].as_array().unwrap().contains(&json!("dhcp")), "{old}");
    let failed = logs(json!({ "message": "LOGIN FAILURE" }));
    assert_eq!(failed["total_count"], 1, "{failed}");
    let reboot = times.last().unwrap().replace(' ', "T");
    let upto = logs(json!({ "end_time": reboot }));
    assert_eq!(upto["total_count"], 1, "the end is included: {upto}");
    let from = logs(json!({ "start_time": reboot }));
    assert_eq!(from["total_count"], all["total_count"], "so is the start");
    let none = logs(json!({ "end_time": "2001-01-01T00:00:00Z" }));
    assert_eq!((&none["total_count"], &none["log_entries"]), (&json!(0), &json!([])));
}

#[test]
fn a_large_routing_table_is_counted_first_and_never_read_whole() {
    let house = House::start(1);
    house.fault(
        0,
        &json!({ "fault": "status", "status": 200, "body": "{\"ret\":\"100000\"}", "method": "POST",
                 "path_prefix": "/rest/ip/route/print", "times": 1 }),
    );
    let answer = answered(&house, "get_routing_summary", &json!({ "device_id": house.device(0) }));
    assert_eq!((&answer["total_routes"], &answer["listed"]), (&json!(100_000), &json!("static")));
    assert_eq!(answer["routes"].as_array().unwrap().len() as u64, answer["static_routes"].as_u64().unwrap());
    let asked: Vec<String> = house.journal(0).iter().map(|entry| entry.to_string()).collect();
    let gets: Vec<&String> =
        asked.iter().filter(|entry| entry.contains("/rest/ip/route") && entry.contains("GET")).collect();
    assert!(gets.iter().all(|entry| entry.contains("static=true")), "{gets:#?}");
    house.fault(
        0,
        &json!({ "fault": "status", "status": 200, "body": "{\"ret\":\"100000\"}", "method": "POST",
                 "path_prefix": "/rest/ip/firewall/address-list/print", "times": 1 }),
    );
    let refused = house
        .try_call(As::Agent, "list_firewall_address_lists", &json!({ "device_id": house.device(0) }))
        .unwrap_err();
    assert_eq!(refused["code"], "too_many_records", "{refused}");
    assert_eq!(refused["details"], json!({ "records": 100_000, "limit": 20_000 }), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("list_name"), "{refused}");
    let gets = |entry: &Value| {
        let entry = entry.to_string();
        entry.contains("/rest/ip/firewall/address-list") && entry.contains("\"GET\"")
    };
    assert!(!house.journal(0).iter().any(gets), "none was read");
}

#[test]
fn a_missing_menu_says_which_releases_have_it() {
    let house = House::start(1);
    house.call(As::Agent, "check_connectivity", &json!({ "device_id": house.device(0) }));
    house.until("the release to be kept", || {
        let listed = house.call(As::Agent, "list_devices", &json!({}));
        listed["devices"][0]["routeros_version"]
            .as_str()
            .is_some_and(|v| v.starts_with("7.20.8"))
            .then_some(())
    });
    house.fault(
        0,
        &json!({ "fault": "status", "status": 400, "times": 1, "path_prefix": "/rest/interface/bridge",
                 "body": "{\"error\":400,\"message\":\"Bad Request\",\"detail\":\"no such command or directory (bridge)\"}" }),
    );
    let failure =
        house.try_call(As::Agent, "list_bridges", &json!({ "device_id": house.device(0) })).unwrap_err();
    assert_eq!(failure["code"], "device_unsupported", "{failure}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("RouterOS 7.1 and newer") && message.contains("7.20.8"), "{failure}");
}

#[test]
fn wifi_of_all_stacks_has_one_shape_and_profiles_are_followed() {
    let house = House::start(12);
    let stacks = |n: usize| -> Vec<(String, String)> {
        let answer = answered(&house, "get_wireless_interfaces", &json!({ "device_id": house.device(n) }));
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let rows = answer["wireless_interfaces"].as_array().unwrap();
        rows.iter().map(|row| (text(&row["stack"]), text(&row["ssid"]))).collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    // wifi2 has no SSID of its own: it stands in the profile that it names.
    assert_eq!(stacks(0), pairs(&[("wireless", "town-legacy"), ("wifi", "town"), ("wifi", "town")]));
    assert_eq!(stacks(11), pairs(&[("wireless", "town-legacy"), ("wifiwave2", "town-wave2")]));
    let answer = answered(&house, "get_wireless_interfaces", &json!({ "device_id": house.device(0) }));
    let wifi1 = &answer["wireless_interfaces"][1];
    assert_eq!((&wifi1["registered_clients"], &wifi1["authenticated_clients"]), (&json!(1), &json!(1)));
    assert_eq!(answer["capsman_detected"], true);
    let asked = house.journal(0).iter().map(ToString::to_string).collect::<String>();
    assert!(!asked.contains("passphrase"), "secrets are not asked for");
}

#[test]
fn packages_and_access_points_have_the_fields_of_the_contract() {
    let house = House::start(12);
    let row = |n: usize, tool: &str, list: &str, name: &str| {
        let answer = answered(&house, tool, &json!({ "device_id": house.device(n) }));
        let rows = answer[list].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
    };
    let container = row(0, "get_system_packages", "packages", "container");
    assert_eq!(
        (&container["size"], &container["flags"]),
        (&json!(200_704), &json!(["disabled", "available"]))
    );
    let routeros = row(0, "get_system_packages", "packages", "routeros");
    assert_eq!((&routeros["installed"], &routeros["flags"]), (&json!(true), &json!([])));
    let old = row(11, "get_system_packages", "packages", "routeros");
    assert_eq!(old["size"], Value::Null, "7.12 does not tell it");
    for n in [0, 11] {
        let cap = row(n, "get_capsman_remote_caps", "remote_caps", "[6C:3B:6B:00:00:01]");
        assert_eq!((&cap["radio_mac"], &cap["radios"]), (&json!(["6C:3B:6B:00:00:02"]), &json!(1)), "{cap}");
    }
}

#[test]
fn the_list_of_commands_is_true_to_every_release() {
    let house = House::start(1);
    let listed = house.cli(As::Agent, &["schema", "endpoints"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    let text = stdout(&listed);
    let header = "tool\tmethod\tpath\trequest\tresponse\tmin_version\tmax_version\tnote";
    assert_eq!(text.lines().next(), Some(header));
    assert!(text.lines().all(|line| line.split('\t').count() == 8), "{text}");
    let rows = json_of(&house.cli(As::Agent, &["--json", "schema", "endpoints"]));
    assert_eq!(rows.as_array().unwrap().len() + 1, text.lines().count());
    for def in catalog::all().filter(|def| def.spec.open_world && def.spec.name != "device_probe") {
        let named = text.lines().any(|line| line.starts_with(&format!("{}\t", def.spec.name)));
        assert!(named, "{} talks to routers and lists no command", def.spec.name);
    }
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/routeros");
    if !shared.exists() {
        assert!(std::env::var_os("CI").is_none(), "CI has ../shared");
        println!("skipped: no ../shared");
        return;
    }
    let list = house.dir.path().join("endpoints.tsv");
    std::fs::write(&list, &text).unwrap();
    let mut releases: Vec<PathBuf> =
        std::fs::read_dir(shared.join("schema")).unwrap().map(|file| file.unwrap().path()).collect();
    releases.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("7."));
    assert!(releases.len() >= 12, "{releases:?}");
    let checked = Command::new("python3")
        .arg(shared.join("check_endpoints.py"))
        .arg("--props")
        .arg(shared.join("schema/props-manual.json"))
        .arg(&list)
        .args(&releases)
        .output()
        .unwrap();
    let said = stdout(&checked);
    assert!(checked.status.success(), "{said}{}", stderr(&checked));
    assert!(stderr(&checked).contains(" 0 errors"), "{}", stderr(&checked));
    // Each warning has its reason; a new one needs one too.
    for warning in said.lines() {
        assert!(EXPLAINED.iter().any(|(words, _)| warning.contains(words)), "{warning}");
    }
}

/// Warnings of the check, and why the list is right all the same.
const EXPLAINED: &[(&str, &str)] = &[
    ("/system/routerboard", "the trees are of CHR, which has no board; absent means none"),
    ("no manual page for interface/wifiwave2", "the manual is of a release that has `wifi` instead"),
    ("/ip/hotspot", "a package that the trees do not have; absent means none"),
    (
        "/ip/ipsec/mode-config",
        "the trees that are kept leave it out; the manual has it, and absent means none",
    ),
    ("bytes, packets", "the counters that every firewall table prints; the manual names settings only"),
    ("not in the manual for ip/arp: DHCP", "the old spelling, as captured; the manual has the new one"),
];
