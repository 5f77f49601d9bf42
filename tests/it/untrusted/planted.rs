//! Two hundred orders in eleven places of a router: they reach answers as data, cleaned, and nothing else.

use std::collections::BTreeSet;

use appliance::{access::principal::Kind, tools::catalog};
use serde_json::{Value, json};

use crate::{
    catalogue::{
        rows::{ROWS, Row},
        stage::Stage,
    },
    house::{As, House},
    protocol::Client,
    untrusted::{harmless, orders},
};

/// The longest text of a router in an answer, in bytes.
const TEXT_MAX: u64 = 1024;

/// Where texts of others stand in a router.
struct Place {
    /// It stands in the mark.
    letter: char,
    menu: &'static str,
    /// What a row needs besides; `$` is its number.
    fixed: &'static [(&'static str, &'static str)],
    /// The properties that take the text.
    open: &'static [&'static str],
}

const fn place(
    letter: char,
    menu: &'static str,
    fixed: &'static [(&'static str, &'static str)],
    open: &'static [&'static str],
) -> Place {
    Place { letter, menu, fixed, open }
}

/// Ten of them. The router's own name is the eleventh, `k`: it has room for one text at a time.
const PLACES: [Place; 10] = [
    place('a', "/interface", &[("type", "bridge"), ("running", "true"), ("disabled", "false")], &["name"]),
    place('b', "/interface", &[("type", "bridge"), ("name", "br$"), ("disabled", "true")], &["comment"]),
    place(
        'c',
        "/ip/address",
        &[("address", "10.250.$.1/30"), ("interface", "ether1"), ("network", "10.250.$.0")],
        &["comment"],
    ),
    place(
        'd',
        "/ip/route",
        &[("dst-address", "10.251.$.0/24"), ("gateway", "192.0.2.1"), ("static", "true")],
        &["comment"],
    ),
    place('e', "/ip/firewall/filter", &[("chain", "forward"), ("action", "passthrough")], &["comment"]),
    place('f', "/ip/firewall/address-list", &[("address", "10.252.$.1")], &["list", "comment"]),
    place('g', "/log", &[("time", "2026-10-01 00:00:00"), ("topics", "script,info")], &["message"]),
    place(
        'h',
        "/ip/dhcp-server/lease",
        &[("address", "10.253.$.1"), ("status", "bound"), ("dynamic", "true")],
        &["host-name"],
    ),
    place('i', "/interface/wifi", &[("name", "wifi-$"), ("disabled", "false")], &["configuration.ssid"]),
    place('j', "/ip/dns/cache", &[("type", "A"), ("data", "10.254.$.1"), ("ttl", "1d")], &["name"]),
];

/// What stands first in every planted text and survives cleaning: letters that no id of ours has.
const MARK: &str = "loul";

fn mark(place: char, n: usize) -> String {
    format!("{MARK}{place}{n:03}")
}

/// Every string leaf of an answer, with the schema that it has there; names of fields are leaves without one.
fn leaves<'a>(value: &'a Value, schema: &'a Value, out: &mut Vec<(&'a str, &'a Value)>) {
    static NONE: Value = Value::Null;
    // Of alternatives, what is not null counts.
    let branch = schema["anyOf"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["type"] != "null" && one["required"].is_null()));
    let schema = branch.unwrap_or(schema);
    match value {
        Value::String(text) => out.push((text, schema)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, &schema["items"], out)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            out.push((name, &NONE));
            let known = &schema["properties"][name];
            leaves(value, if known.is_null() { &schema["additionalProperties"] } else { known }, out);
        }),
        _ => {}
    }
}

/// Text for people holds nothing that was planted.
fn speaks_for_itself(what: &str, said: &str) {
    assert!(!said.contains(MARK) && !said.contains(char::is_control), "{what} quotes a router: {said}");
    for order in orders::ORDERS {
        let start: String = order.chars().take(12).collect();
        assert!(!said.contains(&start), "{what} quotes a router: {said}");
    }
}

/// The marks in an answer: each in a field for texts of routers, cleaned.
fn marks(what: &str, answer: &Value, schema: &Value) -> BTreeSet<String> {
    harmless(what, answer);
    let mut all = Vec::new();
    leaves(answer, schema, &mut all);
    let mut found = BTreeSet::new();
    for (text, schema) in all {
        let Some(at) = text.find(MARK) else { continue };
        assert_eq!(
            schema["maxLength"], TEXT_MAX,
            "{what}: a field that is not for texts of routers holds {text}: {schema}"
        );
        assert!(text.len() as u64 <= TEXT_MAX, "{what}: {} bytes", text.len());
        found.insert(text[at..].chars().take(MARK.len() + 4).collect());
    }
    found
}

/// All pages of a tool's answer.
fn pages(agent: &Client, tool: &Value, params: &Value) -> Vec<Value> {
    let name = tool["name"].as_str().unwrap();
    let most = &(catalog::find(name).unwrap().input_schema)()["properties"]["limit"]["maximum"];
    let mut params = params.clone();
    if most.is_u64() {
        params["limit"] = most.clone();
    }
    let mut pages = Vec::new();
    loop {
        let called = agent.call(name, &params);
        assert!(!called.failed, "{name} {params}: {}", called.value);
        speaks_for_itself(name, &called.said);
        params["cursor"] = called.value["next_cursor"].clone();
        pages.push(called.value);
        if params["cursor"].is_null() {
            return pages;
        }
    }
}

/// Plants every text in the ten places that have room for all.
fn plant(house: &House, texts: &[(usize, String)]) {
    for Place { letter, menu, fixed, open } in PLACES {
        let row = |(n, text): &(usize, String)| {
            let fixed = fixed
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.replace('$', &n.to_string()).into()));
            let open =
                open.iter().map(|key| ((*key).to_owned(), format!("{} {text}", mark(letter, *n)).into()));
            Value::Object(fixed.chain(open).collect())
        };
        let rows: Vec<Value> = texts.iter().map(row).collect();
        house.control(
            "POST",
            &format!("/boxes/{}/plant", house.box_of(0)),
            Some(&json!({ "menu": menu, "rows": rows })),
        );
    }
}

#[test]
fn two_hundred_orders_in_eleven_places_stay_data() {
    let house = House::start(1);
    let agent = Client::stateless(&house, As::Agent);
    let stage = Stage { house: &house, agent: &agent, n: 0, device: house.device(0) };
    let (listed, text) = (agent.tools(), agent.tools_text());
    let texts = orders::all();
    assert_eq!(texts.iter().map(|(_, text)| text).collect::<BTreeSet<_>>().len(), 200);
    let control = |action: &str| format!("/boxes/{}/{action}", house.box_of(0));
    plant(&house, &texts);

    let mut found = BTreeSet::new();
    let mut called = 0;
    let of = |tool: &str| listed.iter().find(|listed| listed["name"] == tool).unwrap();
    let mut look = |tool: &'static str, params: &Value| {
        for answer in pages(&agent, of(tool), params) {
            found.extend(marks(tool, &answer, &(catalog::find(tool).unwrap().output_schema)()));
        }
        called += 1;
    };
    let reads = |row: &&Row| catalog::find(row.tool).is_some_and(|def| def.spec.demand.kind == Kind::Read);
    for row in ROWS.iter().filter(reads) {
        look(row.tool, &(row.params)(&stage));
    }
    // Single records with orders in them.
    for (tool, id, lister, list) in [
        ("get_interface", "interface_id", "list_interfaces", "interfaces"),
        ("get_ip_address", "address_id", "list_ip_addresses", "addresses"),
        ("get_route", "route_id", "get_routing_summary", "routes"),
    ] {
        let all = pages(&agent, of(lister), &stage.device());
        let mut rows = all.iter().flat_map(|page| page[list].as_array().unwrap());
        let row = rows.find(|row| row.to_string().contains(MARK)).unwrap();
        look(tool, &stage.with(json!({ id: row["id"] })));
    }
    // The router's own name, and its own words in a refusal, one order at a time.
    for (n, text) in &texts {
        let marked = format!("{} {text}", mark('k', *n));
        let name = json!({ "menu": "/system/identity", "props": { "name": marked } });
        house.control("POST", &control("behind-back"), Some(&name));
        for tool in ["get_system_overview", "device_health", "check_connectivity"] {
            look(tool, &stage.device());
        }
        let words = json!({ "error": 400, "message": "Bad Request", "detail": marked }).to_string();
        let fault = json!({ "fault": "status", "status": 400, "body": words, "times": 1, "path_prefix": "/rest/ip/dns" });
        house.fault(0, &fault);
        let refused = agent.call("get_dns_status", &stage.device());
        assert_eq!(refused.code(), "device_refused", "{}", refused.value);
        speaks_for_itself("a refusal", &refused.said);
        harmless("a refusal", &refused.value);
        for (field, value) in
            refused.value.as_object().unwrap().iter().filter(|(field, _)| *field != "details")
        {
            assert!(!value.to_string().contains(MARK), "{field} quotes a router: {value}");
        }
        let quoted = refused.value["details"]["routeros"].as_str().unwrap();
        assert!(quoted.contains(&mark('k', *n)) && quoted.len() as u64 <= TEXT_MAX, "{quoted}");
    }

    let places = PLACES.iter().map(|place| place.letter).chain(['k']);
    let expected: BTreeSet<String> =
        places.flat_map(|place| texts.iter().map(move |(n, _)| mark(place, *n))).collect();
    let unseen: Vec<_> = expected.difference(&found).collect();
    assert!(unseen.is_empty(), "{} planted texts are in no answer: {unseen:?}", unseen.len());
    assert_eq!(agent.tools_text(), text, "tools/list is what it was, byte for byte");
    println!(
        "{} texts in {} places, {called} calls of read tools, {} marks seen",
        texts.len(),
        PLACES.len() + 1,
        found.len()
    );
    let (_, log, _dir) = house.stop();
    assert!(!log.contains(MARK) && !log.contains('\u{1b}'), "the log quotes a router");
}

/// No value is over 1 kB, but for what will be sent, which an approver sees whole; a line of a diff holds two values.
fn short_but_for_what_is_sent(what: &str, field: &str, value: &Value) {
    match value {
        Value::String(text) => {
            let values = if ["planned_changes", "changes"].contains(&field) { 2 } else { 1 };
            assert!(
                text.len() as u64 <= values * (TEXT_MAX + 64),
                "{what}: {field} has {} bytes",
                text.len()
            );
        }
        Value::Array(items) => items.iter().for_each(|item| short_but_for_what_is_sent(what, field, item)),
        Value::Object(fields) => {
            for (name, value) in
                fields.iter().filter(|(name, _)| *name != "action" && *name != "expect_after")
            {
                short_but_for_what_is_sent(what, name, value);
            }
        }
        _ => {}
    }
}

#[test]
fn plans_about_planted_records_show_them_as_data() {
    let house = House::start(1);
    let agent = Client::stateless(&house, As::Agent);
    let stage = Stage { house: &house, agent: &agent, n: 0, device: house.device(0) };
    // One order in each dress.
    let texts: Vec<_> = orders::all().into_iter().take(8).collect();
    plant(&house, &texts);
    let mut shown = 0;
    for (n, _) in &texts {
        let id = |place: char, menu: &str| {
            stage.record(menu, |row| {
                row["comment"].as_str().is_some_and(|text| text.starts_with(&mark(place, *n)))
            })[".id"]
                .clone()
        };
        let (interface, address, rule) =
            (id('b', "/interface"), id('c', "/ip/address"), id('e', "/ip/firewall/filter"));
        for (tool, params) in [
            (
                "interface_update_comment",
                stage.with(json!({ "interface_id": interface, "comment": "x", "dry_run": true })),
            ),
            ("remove_secondary_ip_address", stage.with(json!({ "address_id": address, "dry_run": true }))),
            ("plan_modify_firewall_rule", stage.plan(json!({ "rule_id": rule, "comment": "x" }))),
            ("plan_remove_firewall_rule", stage.plan(json!({ "rule_id": rule }))),
        ] {
            let called = agent.call(tool, &params);
            assert!(!called.failed, "{tool} {params}: {}", called.value);
            harmless(tool, &called.value);
            short_but_for_what_is_sent(tool, "", &called.value);
            speaks_for_itself(tool, &called.said);
            shown += usize::from(called.value.to_string().contains(MARK));
            if called.value["plan_id"].is_string() {
                let plan = agent.call("plan_details", &json!({ "plan_id": called.value["plan_id"] }));
                harmless("plan_details", &plan.value);
                short_but_for_what_is_sent("plan_details", "", &plan.value);
                speaks_for_itself("plan_details", &plan.said);
                assert!(plan.value.to_string().contains(MARK), "{}", plan.value);
            }
        }
    }
    assert_eq!(shown, 4 * texts.len(), "what is changed is shown");
    assert_eq!(house.writes(0), 0);
}
