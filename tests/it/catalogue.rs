//! Every read tool about a router, on every simulated release: answers that keep their own schema, refusals that say why;
//! and the list of commands, checked against the console trees of real releases.

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::OnceLock};

use appliance::tools::catalog;
use serde_json::{Value, json};

use crate::house::{As, House, json_of, stderr, stdout};

/// The demo's devices by release.
const RELEASES: [(&str, usize); 4] = [("7.20.8", 0), ("7.24", 1), ("7.16.2", 8), ("7.12.2", 11)];

/// Read tools that take a router and, at most, a page: the list in the answer, and the rows it has on each release of
/// [`RELEASES`]; `None` where only the shape counts.
const LISTS: &[(&str, &str, u32, Option<[usize; 4]>)] = &[
    ("list_interfaces", "interfaces", 500, None),
    ("get_interface_stats", "stats", 500, None),
    ("list_ip_addresses", "addresses", 500, Some([3, 3, 3, 3])),
    ("get_arp_table", "arp_entries", 1000, Some([3, 3, 3, 3])),
    ("get_dns_cache", "cache_entries", 1000, Some([3, 3, 3, 3])),
    ("get_routing_summary", "routes", 1000, None),
    ("list_firewall_filter_rules", "filter_rules", 500, Some([5, 5, 5, 5])),
    ("list_firewall_nat_rules", "nat_rules", 500, Some([1, 1, 1, 1])),
    ("list_firewall_address_lists", "address_lists", 1000, Some([2, 2, 2, 2])),
    ("get_recent_logs", "log_entries", 1000, None),
    ("get_logging_config", "logging_actions", 500, Some([4, 4, 4, 4])),
    ("get_dhcp_server_status", "servers", 500, Some([1, 1, 1, 1])),
    ("get_dhcp_leases", "leases", 500, Some([1, 1, 1, 1])),
    ("list_bridges", "bridges", 500, Some([1, 1, 1, 1])),
    ("list_bridge_ports", "bridge_ports", 500, Some([4, 3, 3, 3])),
    ("get_wireless_interfaces", "wireless_interfaces", 500, Some([3, 1, 1, 2])),
    ("get_wireless_clients", "wireless_clients", 500, Some([2, 1, 1, 2])),
    ("get_capsman_remote_caps", "remote_caps", 500, Some([2, 1, 1, 1])),
    ("get_capsman_registrations", "registrations", 500, Some([1, 1, 1, 1])),
];

/// Read tools without a list, and what else they take.
fn others(house: &House, device: &str) -> Vec<(&'static str, Value)> {
    let first = |tool: &str, list: &str| {
        house.call(As::Agent, tool, &json!({ "device_id": device }))[list][0]["id"].clone()
    };
    vec![
        ("device_health", json!({ "device_id": device })),
        ("check_connectivity", json!({ "device_id": device })),
        ("get_system_overview", json!({ "device_id": device })),
        ("get_system_packages", json!({ "device_id": device })),
        ("get_system_clock", json!({ "device_id": device })),
        ("get_dns_status", json!({ "device_id": device })),
        ("get_ntp_status", json!({ "device_id": device })),
        (
            "get_interface",
            json!({ "device_id": device, "interface_id": first("list_interfaces", "interfaces") }),
        ),
        (
            "get_ip_address",
            json!({ "device_id": device, "address_id": first("list_ip_addresses", "addresses") }),
        ),
        ("get_route", json!({ "device_id": device, "route_id": first("get_routing_summary", "routes") })),
    ]
}

/// What of a schema an answer does not keep. The words are those that the catalogue's schemas use; another one fails.
fn breaches(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(schema) = schema.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (word, wanted) in schema {
        let kept = match word.as_str() {
            "description" | "default" | "format" | "title" | "examples" => true,
            "type" => {
                let fits = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                wanted.as_array().map_or_else(|| fits(wanted), |kinds| kinds.iter().any(fits))
            }
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "required" => {
                let missing = |name: &&Value| value.get(name.as_str().unwrap()).is_none();
                !value.is_object() || !wanted.as_array().unwrap().iter().any(|name| missing(&name))
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        found.extend(breaches(schema, inner, &format!("{at}.{name}")));
                    }
                }
                let known = wanted.as_object().unwrap();
                if let (Some(object), None) = (value.as_object(), schema.get("additionalProperties")) {
                    for name in object.keys().filter(|name| !known.contains_key(*name)) {
                        found.push(format!("{at}.{name} is not in the schema"));
                    }
                }
                true
            }
            "additionalProperties" => true,
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(breaches(wanted, item, &format!("{at}[{n}]")));
                }
                true
            }
            "anyOf" | "oneOf" => {
                wanted.as_array().unwrap().iter().any(|schema| breaches(schema, value, at).is_empty())
            }
            "minimum" => value.as_f64().is_none_or(|n| n >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= wanted.as_f64().unwrap()),
            "maxLength" => {
                value.as_str().is_none_or(|t| t.chars().count() as u64 <= wanted.as_u64().unwrap())
            }
            "minLength" => {
                value.as_str().is_none_or(|t| t.chars().count() as u64 >= wanted.as_u64().unwrap())
            }
            "pattern" => true,
            other => panic!("{at}: a schema says `{other}`, which this check does not know"),
        };
        if !kept {
            found.push(format!("{at}: {word} {wanted} does not hold for {value}"));
        }
    }
    found
}

/// The schema of a tool's answers as `tools/list` shows it: the same for every house.
fn listed(house: &House, tool: &str) -> Value {
    static LISTED: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    let listed = LISTED.get_or_init(|| {
        let tools = house.listed(As::Admin).into_iter();
        tools.map(|tool| (tool["name"].as_str().unwrap().to_owned(), tool["outputSchema"].clone())).collect()
    });
    listed.get(tool).unwrap_or_else(|| panic!("{tool} is not listed")).clone()
}

/// Calls a tool that must succeed, and holds the answer against its own schema, the whole one and the one that is listed.
fn answered(house: &House, tool: &str, params: &Value) -> Value {
    let answer = house.call(As::Agent, tool, params);
    for schema in [(catalog::find(tool).unwrap().output_schema)(), listed(house, tool)] {
        let breaches = breaches(&schema, &answer, tool);
        assert!(breaches.is_empty(), "{breaches:#?}\n{answer:#}");
    }
    answer
}

/// Calls a tool that must fail, and holds the failure against the listed schema as some clients do.
fn failed(house: &House, who: As, tool: &str, params: &Value) -> Value {
    let failure = match house.try_call(who, tool, params) {
        Ok(answer) => panic!("{tool} {params} should fail, answered {answer}"),
        Err(failure) => failure,
    };
    let mut schema = listed(house, tool);
    // A failure has fields that an answer has not.
    schema["additionalProperties"] = json!(true);
    let breaches = breaches(&schema, &failure, tool);
    assert!(breaches.is_empty(), "{breaches:#?}\n{failure:#}");
    failure
}

#[test]
fn the_schema_check_can_fail() {
    let schema = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": ["integer", "null"], "minimum": 1 } } });
    assert!(breaches(&schema, &json!({ "a": 1 }), "x").is_empty());
    assert!(breaches(&schema, &json!({ "a": null }), "x").is_empty());
    for bad in [json!({}), json!({ "a": 0 }), json!({ "a": "1" }), json!([]), json!({ "a": 1, "b": 2 })] {
        assert!(!breaches(&schema, &bad, "x").is_empty(), "{bad}");
    }
}

#[test]
fn every_read_tool_answers_on_every_release_and_keeps_its_schema() {
    let house = House::start(12);
    for (at, (release, n)) in RELEASES.into_iter().enumerate() {
        let device = house.device(n);
        for (tool, list, _, rows) in LISTS {
            let answer = answered(&house, tool, &json!({ "device_id": device }));
            let found =
                answer[*list].as_array().unwrap_or_else(|| panic!("{tool} has no `{list}`: {answer}"));
            assert_eq!(answer["total_count"].as_u64().unwrap(), found.len() as u64, "{tool} on {release}");
            assert_eq!((&answer["transport"], &answer["fallback_used"]), (&json!("rest"), &json!(false)));
            match rows {
                Some(rows) => assert_eq!(found.len(), rows[at], "{tool} on {release}: {answer:#}"),
                None => assert!(!found.is_empty(), "{tool} on {release}"),
            }
        }
        for (tool, params) in others(&house, device) {
            answered(&house, tool, &params);
        }
        assert_eq!(house.writes(n), 0, "reading changes nothing on {release}");
    }
}

#[test]
fn every_read_tool_refuses_what_makes_no_sense_and_asks_no_router() {
    let house = House::start(1);
    let device = house.device(0);
    let before = house.journal(0).len();
    for (tool, _, max, _) in LISTS {
        let refused = |params: Value, code: &str, says: &str| {
            let failure = failed(&house, As::Agent, tool, &params);
            assert_eq!(failure["code"], code, "{tool} {params}: {failure}");
            assert!(failure.to_string().contains(says), "{tool} {params} says {says}: {failure}");
        };
        refused(json!({ "device_id": "nobody" }), "unknown_device", "list_devices");
        refused(json!({ "device_id": device, "limit": 0 }), "invalid_params", "limit");
        refused(json!({ "device_id": device, "limit": max + 1 }), "invalid_params", "limit");
        refused(json!({ "device_id": device, "cursor": "nonsense" }), "invalid_params", "cursor");
        refused(json!({ "device_id": device, "nonsense": 1 }), "invalid_params", "nonsense");
    }
    for (tool, id) in
        [("get_interface", "interface_id"), ("get_ip_address", "address_id"), ("get_route", "route_id")]
    {
        for bad in [json!("ether1"), json!("*"), json!("*1/../2"), json!(1), Value::Null] {
            let failure = failed(&house, As::Agent, tool, &json!({ "device_id": device, id: bad }));
            assert_eq!(failure["code"], "invalid_params", "{tool} {bad}: {failure}");
            assert!(failure.to_string().contains(id), "{tool} {bad}: {failure}");
        }
    }
    for (field, bad) in [
        ("topics", json!([])),
        ("topics", json!(["a", 1])),
        ("start_time", json!("yesterday")),
        ("end_time", json!("2026-13-01")),
        ("message", json!("")),
    ] {
        let params = json!({ "device_id": device, field: bad });
        let failure = house.try_call(As::Agent, "get_recent_logs", &params).unwrap_err();
        assert_eq!(failure["code"], "invalid_params", "{params}: {failure}");
        assert!(failure.to_string().contains(field), "{params}: {failure}");
    }
    assert_eq!(house.journal(0).len(), before, "no router was asked");
}

#[test]
fn a_router_that_is_down_is_said_by_every_read_tool() {
    let house = House::start(1);
    let params = json!({ "device_id": house.device(0) });
    house.fault(0, &json!({ "fault": "html", "times": 1000 }));
    for (tool, ..) in LISTS {
        assert_eq!(failed(&house, As::Agent, tool, &params)["code"], "device_garbled", "{tool}");
    }
    for (tool, id) in
        [("get_interface", "interface_id"), ("get_ip_address", "address_id"), ("get_route", "route_id")]
    {
        let params = json!({ "device_id": house.device(0), id: "*1" });
        assert_eq!(house.refused(As::Agent, tool, &params), "device_garbled", "{tool}");
        assert_eq!(house.refused(As::Nobody, tool, &params), "unauthenticated", "{tool}");
    }
}

#[test]
fn tools_of_our_own_records_and_writes_keep_their_schema_and_refuse_nonsense() {
    let house = House::start(1);
    let device = house.device(0);
    for (tool, params) in [
        ("echo", json!({ "message": "hello" })),
        ("service_health", json!({})),
        ("list_devices", json!({ "environment": "lab", "limit": 1 })),
        ("set_system_identity", json!({ "device_id": device, "identity": "tower" })),
        ("set_system_identity", json!({ "device_id": device, "identity": "tower" })),
        ("update_ntp_servers", json!({ "device_id": device, "ntp_servers": ["192.0.2.1"], "dry_run": true })),
    ] {
        answered(&house, tool, &params);
    }
    let done =
        answered(&house, "update_dns_servers", &json!({ "device_id": device, "dns_servers": ["9.9.9.9"] }));
    answered(&house, "plan_details", &json!({ "plan_id": done["plan_id"] }));
    answered(&house, "job_status", &json!({ "job_id": done["job_id"] }));
    let events = answered(&house, "audit_events", &json!({ "device_id": device, "limit": 1000 }));
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in ["PlanProposed", "JobStarted", "StepStarted", "StepSettled"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let writes = house.writes(0);
    // An id of ours that was never given out.
    let unknown = |id: &Value| {
        let id = id.as_str().unwrap();
        let last = if id.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &id[..id.len() - 1])
    };
    for (tool, params, code) in [
        ("echo", json!({}), "invalid_params"),
        ("echo", json!({ "message": 7 }), "invalid_params"),
        ("service_health", json!({ "deep": true }), "invalid_params"),
        ("list_devices", json!({ "environment": "moon" }), "invalid_params"),
        ("list_devices", json!({ "limit": 1001 }), "invalid_params"),
        ("plan_details", json!({ "plan_id": unknown(&done["plan_id"]) }), "unknown_plan"),
        ("plan_details", json!({ "plan_id": done["job_id"] }), "invalid_params"),
        ("job_status", json!({ "job_id": unknown(&done["job_id"]) }), "unknown_job"),
        ("job_status", json!({ "job_id": "" }), "invalid_params"),
        ("audit_events", json!({ "from": "yesterday" }), "invalid_params"),
        ("audit_events", json!({ "device_id": "nobody" }), "unknown_device"),
        ("set_system_identity", json!({ "device_id": device, "identity": "" }), "invalid_params"),
        ("set_system_identity", json!({ "device_id": device, "identity": "a\u{1b}[2J" }), "invalid_params"),
        ("update_dns_servers", json!({ "device_id": device, "dns_servers": [] }), "invalid_params"),
        (
            "update_dns_servers",
            json!({ "device_id": device, "dns_servers": ["dns.example"] }),
            "invalid_params",
        ),
        ("update_ntp_servers", json!({ "device_id": device, "ntp_servers": ["-x-"] }), "invalid_params"),
        (
            "update_ntp_servers",
            json!({ "device_id": "nobody", "ntp_servers": ["1.1.1.1"] }),
            "unknown_device",
        ),
    ] {
        assert_eq!(failed(&house, As::Agent, tool, &params)["code"], code, "{tool} {params}");
    }
    assert_eq!(house.writes(0), writes, "a refusal changes nothing");
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
fn a_record_that_is_not_there_is_not_found() {
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
    assert!(refused["hint"].as_str().unwrap().contains("list_name"), "{refused}");
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
    ("bytes, packets", "the counters that every firewall table prints; the manual names settings only"),
    ("not in the manual for ip/arp: DHCP", "the old spelling, as captured; the manual has the new one"),
];
