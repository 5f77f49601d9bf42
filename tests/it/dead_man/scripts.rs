//! The scripts on a console that shares no code with them: every change kind, any part of it made, run once or twice, and
//! the router is as it was, to the letter.

use appliance::changes::{
    dead_man::{inverse, quoted},
    firewall_filter::MENU,
    play::play,
    record,
};
use events::operation::{Action, FOUND, Operation};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::wire::{Row, Wire, plain};
use crate::house::{As, House};

/// Makes the first `made` operations, lets the router undo, and compares.
fn undone(wire: &Wire, operations: &[Operation], made: usize, times: usize, what: &str) {
    let script = inverse(operations).unwrap_or_else(|why| panic!("{what}: {why}"));
    let menus: Vec<&str> = operations.iter().map(|operation| operation.action.menu()).collect();
    let state = || menus.iter().map(|menu| plain(menu, &wire.rows(menu))).collect::<Vec<_>>();
    let before = state();
    for operation in &operations[..made] {
        wire.act(&operation.action);
    }
    if made > 0 {
        assert_ne!(before, state(), "{what}: nothing was changed by the first {made} of {operations:#?}");
    }
    for _ in 0..times {
        assert_eq!(wire.run(&script), "", "{what}: {script}");
    }
    assert_eq!(before, state(), "{what}: {made} made, run {times} times\n{script}\n{operations:#?}");
}

/// The operations that a tool's plan or dry run shows.
fn operations(house: &House, tool: &str, params: &Value) -> Vec<Operation> {
    let answer = house.call(As::Agent, tool, params);
    let shown = match answer["groups"].as_array() {
        Some(groups) => groups[0]["operations"].clone(),
        None => answer["operations"].clone(),
    };
    let operations: Vec<Operation> =
        serde_json::from_value(shown).unwrap_or_else(|error| panic!("{tool}: {error} {answer}"));
    assert!(!operations.is_empty(), "{tool}: {answer}");
    operations
}

fn id_where(wire: &Wire, menu: &str, is: impl Fn(&Row) -> bool) -> String {
    wire.rows(menu).into_iter().find(is).unwrap_or_else(|| panic!("no such record in {menu}"))[".id"].clone()
}

/// A change kind: a name for people, the tool, and its parameters, made from what the router has now.
type Case = (&'static str, fn(&Wire) -> Value);

const RULES: &str = "/ip/firewall/filter";
const ROUTES: &str = "/ip/route";
const POOLS: &str = "/ip/pool";
const WIFI: &str = "/interface/wifi";

fn rule(wire: &Wire, n: usize) -> String {
    wire.rows(RULES)[n][".id"].clone()
}

const CASES: &[Case] = &[
    ("update_dns_servers", |_| json!({ "dns_servers": ["9.9.9.9", "1.0.0.1"] })),
    ("update_ntp_servers", |_| json!({ "ntp_servers": ["192.0.2.123"] })),
    ("set_system_identity", |_| json!({ "identity": "a \"b\" $c \\ d?" })),
    (
        "interface_update_comment",
        |wire| json!({ "interface_id": wire.rows("/interface")[0][".id"], "comment": "to the [tower]; \"x\" {y} $(z)" }),
    ),
    (
        "add_secondary_ip_address",
        |_| json!({ "address": "10.99.0.1/24", "interface": "ether2", "comment": "50 % $off" }),
    ),
    (
        "remove_secondary_ip_address",
        |wire| json!({ "address_id": id_where(wire, "/ip/address", |row| row["interface"] == "guest") }),
    ),
    (
        "update_firewall_address_list",
        |_| json!({ "list_name": "mcp-a", "address": "203.0.113.9", "comment": "bad" }),
    ),
    (
        "update_firewall_address_list",
        |_| json!({ "list_name": "mcp-a", "address": "203.0.113.0/25", "timeout": "1h" }),
    ),
    ("plan_add_firewall_rule", |wire| {
        json!({ "chain": "forward", "action": "drop", "protocol": "tcp", "dst_port": "23", "src_address": "203.0.113.0/24",
                "comment": "no \"telnet\"", "place_before": rule(wire, 2) })
    }),
    (
        "plan_add_firewall_rule",
        |_| json!({ "chain": "input", "action": "accept", "protocol": "udp", "dst_port": "53" }),
    ),
    ("plan_modify_firewall_rule", |wire| {
        json!({ "rule_id": rule(wire, 3), "src_address": "198.51.100.0/24", "comment": "ours",
                "place_before": rule(wire, 0) })
    }),
    (
        "plan_modify_firewall_rule",
        |wire| json!({ "rule_id": rule(wire, 3), "action": "accept", "protocol": "udp", "dst_port": "53", "comment": "" }),
    ),
    ("plan_remove_firewall_rule", |wire| json!({ "rule_id": rule(wire, 0) })),
    ("plan_remove_firewall_rule", |wire| json!({ "rule_id": rule(wire, 2) })),
    ("plan_remove_firewall_rule", |wire| json!({ "rule_id": rule(wire, 4) })),
    (
        "plan_add_static_route",
        |_| json!({ "dst_address": "10.50.0.0/16", "gateway": "172.16.40.9", "distance": 5, "comment": "to the mill" }),
    ),
    ("plan_modify_static_route", |wire| {
        let id = id_where(wire, ROUTES, |row| row["dst-address"] == "10.99.0.0/16");
        json!({ "route_id": id, "comment": "other", "distance": 7 })
    }),
    (
        "plan_remove_static_route",
        |wire| json!({ "route_id": id_where(wire, ROUTES, |row| row["dst-address"] == "10.99.0.0/16") }),
    ),
    ("plan_create_dhcp_pool", |_| {
        json!({ "pool_name": "guests", "address_range": "172.16.7.10-172.16.7.99", "gateway": "172.16.7.1",
                "dns_servers": ["9.9.9.9", "172.16.7.1"], "interface": "guests lan" })
    }),
    ("plan_modify_dhcp_pool", |wire| {
        let pool = wire.rows(POOLS)[0].clone();
        json!({ "pool_id": pool[".id"],
                "modifications": { "address_range": pool["ranges"].replace(".199", ".180"), "lease_time": 3600 } })
    }),
    ("plan_remove_dhcp_pool", |wire| json!({ "pool_id": wire.rows(POOLS)[0][".id"] })),
    ("plan_add_bridge_port", |_| json!({ "bridge_name": "bridge", "interface": "ether5" })),
    ("plan_remove_bridge_port", |wire| {
        let of_bridge = |row: &Row| row["bridge"] == "bridge";
        let port = wire.rows("/interface/bridge/port").into_iter().rfind(of_bridge).unwrap();
        json!({ "bridge_name": "bridge", "interface": port["interface"] })
    }),
    (
        "plan_modify_bridge_settings",
        |_| json!({ "bridge_name": "bridge", "bridge_settings": { "ageing_time": 600, "priority": 4096 } }),
    ),
    (
        "plan_create_wireless_ssid",
        |_| json!({ "ssid": "guests", "interface": "wifi2", "security_profile": "town", "name": "guest-wifi", "bridge": "bridge" }),
    ),
    (
        "plan_wireless_rf_settings",
        |_| json!({ "interface": "wifi2", "band": "2ghz-n", "channel": 11, "tx_power": 17 }),
    ),
];

#[test]
fn every_change_kind_is_undone_by_the_router_whatever_part_of_it_was_made() {
    let house = House::start(1);
    let wire = Wire::of(&house, 0);
    wire.done("PUT", "/interface/bridge", Some(&json!({ "name": "guests lan" })));
    wire.done("PUT", "/ip/address", Some(&json!({ "address": "172.16.7.1/24", "interface": "guests lan" })));
    for (tool, params) in CASES {
        let made_of = || {
            let mut params = params(&wire);
            if tool.starts_with("plan_") {
                params["device_ids"] = json!([house.device(0)]);
            } else {
                params["device_id"] = json!(house.device(0));
                params["dry_run"] = json!(true);
            }
            operations(&house, tool, &params)
        };
        let count = made_of().len();
        for made in 0..=count {
            for times in 1..=2 {
                // Records that were put back have other ids: planned anew each time.
                undone(&wire, &made_of(), made, times, tool);
            }
        }
    }
    // An SSID and its port, taken away together.
    wire.done(
        "PUT",
        WIFI,
        Some(&json!({ "name": "guest-wifi", "master-interface": "wifi2", "configuration.ssid": "guests", "disabled": "false" })),
    );
    wire.done(
        "PUT",
        "/interface/bridge/port",
        Some(&json!({ "bridge": "bridge", "interface": "guest-wifi" })),
    );
    for made in 0..=3 {
        for times in 1..=2 {
            let id = id_where(&wire, WIFI, |row| row["name"] == "guest-wifi");
            let params = json!({ "device_ids": [house.device(0)], "ssid_id": id });
            let operations = operations(&house, "plan_remove_wireless_ssid", &params);
            assert_eq!(operations.len(), 3);
            undone(&wire, &operations, made, times, "plan_remove_wireless_ssid");
        }
    }
}

/// Text as people and programs put it into comments.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        vec(
            select(vec![
                "\"", "\\", "$", "$a", "[", "]", "{", "}", "(", ";", "?", "#", " ", "no", "é", "\n", "\r",
                "\t", "\\41"
            ]),
            0..8
        )
        .prop_map(|parts| parts.concat()),
    ]
}

#[test]
fn the_console_reads_back_exactly_what_was_quoted() {
    let house = House::start(1);
    let wire = Wire::of(&house, 0);
    let config = Config { cases: 8, failure_persistence: None, ..Config::default() };
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    let mut runner = TestRunner::new(config);
    let list = "/ip/firewall/address-list";
    runner
        .run(&vec(any_text(), 1..100), |texts| {
            let line = |(n, text): (usize, &String)| {
                format!(
                    "{list}/add list=quoted address=10.0.{}.{} comment={}",
                    n / 200,
                    n % 200 + 1,
                    quoted(text)
                )
            };
            let script: Vec<String> = texts.iter().enumerate().map(line).collect();
            prop_assert_eq!(wire.run(&script.join("; ")), "");
            let told = crate::topics::rows(&house, 0, list);
            let told: Vec<&str> = told
                .iter()
                .filter(|row| row["list"] == "quoted")
                .map(|row| row["comment"].as_str().unwrap_or_default())
                .collect();
            prop_assert_eq!(told, texts.iter().map(String::as_str).collect::<Vec<_>>());
            wire.run(&format!("{list}/remove [{list}/find where list=quoted]"));
            Ok(())
        })
        .unwrap();
}

/// A rule that lets nobody in or out.
fn any_rule() -> impl Strategy<Value = Vec<(String, String)>> {
    let said = |name: &'static str, values: &'static [&'static str]| {
        option::of(select(values))
            .prop_map(move |value| value.map(|value| (name.to_owned(), value.to_owned())))
    };
    let text = option::of(any_text()).prop_map(|text| text.map(|text| ("comment".to_owned(), text)));
    let matchers = (
        said("src-address", &["10.0.0.0/8", "192.0.2.1", "192.0.2.1-192.0.2.9"]),
        said("dst-port", &["80", "80,443"]),
        said("connection-state", &["established,related", "new"]),
        said("log", &["true", "false"]),
        said("log-prefix", &["no", "yes", "5"]),
        said("disabled", &["true", "false"]),
    );
    (select(&["accept", "drop"][..]), matchers, text).prop_map(|(action, (a, b, c, d, e, f), text)| {
        let fixed = [("chain", "forward"), ("action", action), ("protocol", "tcp")];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told = [a, b, c, d, e, f, text].into_iter().flatten().filter(|(_, value)| !value.is_empty());
        fixed.into_iter().chain(told).collect()
    })
}

/// One change of a table: of which record, and how.
#[derive(Debug, Clone)]
enum Change {
    Add(Vec<(String, String)>, prop::sample::Index),
    Remove(prop::sample::Index),
    Set(prop::sample::Index, Vec<(String, String)>),
    Move(prop::sample::Index, prop::sample::Index),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any_rule(), any::<prop::sample::Index>()).prop_map(|(rule, before)| Change::Add(rule, before)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
        (any::<prop::sample::Index>(), any_rule()).prop_map(|(which, rule)| Change::Set(which, rule)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(which, before)| Change::Move(which, before)),
    ]
}

/// The operations of changes, each planned on what the one before leaves.
fn planned(rows: &[Row], changes: &[Change]) -> Vec<Operation> {
    let mut now = rows.to_vec();
    let mut all = Vec::new();
    for change in changes {
        // What is added gets an id that no plan knows: what would have to name it has no script.
        let known: Vec<Row> =
            now.iter().filter(|row| rows.iter().any(|old| old[".id"] == row[".id"])).cloned().collect();
        let pick = |index: &prop::sample::Index| (!known.is_empty()).then(|| index.get(&known).clone());
        let next: Vec<Operation> = match change {
            Change::Add(rule, before) => {
                let before = pick(before).map(|row| row[".id"].clone());
                vec![record::add(&MENU, &now, rule.clone(), before.as_deref())]
            }
            Change::Remove(index) => {
                pick(index).and_then(|row| record::remove(&MENU, &now, &row).ok()).into_iter().collect()
            }
            Change::Set(index, rule) => {
                // RouterOS has no `unset` for a log's prefix; no tool sets one.
                let rule: Vec<_> = rule.iter().filter(|(name, _)| name != "log-prefix").cloned().collect();
                let set = |row: Row| record::set(&MENU, &row, &rule).unwrap();
                pick(index).map(set).unwrap_or_default()
            }
            Change::Move(index, before) => pick(index)
                .zip(pick(before))
                .and_then(|(row, before)| record::move_before(&MENU, &now, &row, &before[".id"]).unwrap())
                .into_iter()
                .collect(),
        };
        for operation in next {
            now = play(&now, &operation.action, FOUND);
            all.push(operation);
        }
    }
    all
}

#[test]
fn any_part_of_any_changes_of_a_table_is_undone_by_the_router() {
    let house = House::start(1);
    let wire = Wire::of(&house, 0);
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    let mut runner = TestRunner::new(config);
    let strategy = (vec(any_rule(), 0..4), vec(any_change(), 1..5), any::<prop::sample::Index>(), 1usize..=2);
    let scripts = std::cell::Cell::new(0);
    runner
        .run(&strategy, |(rules, changes, made, times)| {
            for row in wire.rows(MENU.path) {
                wire.done("DELETE", &format!("{}/{}", MENU.path, row[".id"]), None);
            }
            for rule in rules {
                wire.act(&Action::Add { menu: MENU.path.to_owned(), properties: rule });
            }
            let operations = planned(&wire.rows(MENU.path), &changes);
            let Ok(script) = inverse(&operations) else { return Ok(()) };
            scripts.set(scripts.get() + 1);
            let made = if operations.is_empty() { 0 } else { made.index(operations.len() + 1) };
            let before = plain(MENU.path, &wire.rows(MENU.path));
            operations[..made].iter().for_each(|operation| wire.act(&operation.action));
            for _ in 0..times {
                prop_assert_eq!(wire.run(&script), "");
            }
            let after = plain(MENU.path, &wire.rows(MENU.path));
            prop_assert_eq!(before, after, "{} made, run {} times: {}", made, times, script);
            Ok(())
        })
        .unwrap();
    assert!(scripts.get() > 12, "only {} of the changes can be undone by a script", scripts.get());
}
