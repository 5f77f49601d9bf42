//! Large routers: lists are cut and end, every row comes once, and the router is counted before it is read.

use std::{collections::BTreeSet, fmt::Write as _, time::Instant};

use serde_json::{Value, json};

use crate::{
    house::{As, House},
    protocol::Client,
};

/// No answer passes this, with its structure (TOOLS: decision 4).
const ANSWER_MAX: usize = 100_000;
/// Rows that one request of the simulator's control plants.
const AT_ONCE: usize = 20_000;

/// How large the router is: `APPLIANCE_LARGE` as the goal says it, else as much as a quick test bears.
struct Size {
    rules: usize,
    leases: usize,
    routes: usize,
    /// Of the routes, those that somebody wrote.
    written: usize,
    entries: usize,
}

fn size() -> Size {
    if std::env::var_os("APPLIANCE_LARGE").is_some() {
        return Size { rules: 3000, leases: 5000, routes: 100_000, written: 1500, entries: 15_000 };
    }
    Size { rules: 700, leases: 700, routes: 21_000, written: 1100, entries: 1200 }
}

fn dotted(first: u8, n: usize) -> String {
    format!("{first}.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

/// Plants so many rows.
fn plant(house: &House, menu: &str, count: usize, row: impl Fn(usize) -> Value) {
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(AT_ONCE) {
        let rows: Vec<Value> = some.iter().map(|n| row(*n)).collect();
        let planted = house.control(
            "POST",
            &format!("/boxes/{}/plant", house.box_of(0)),
            Some(&json!({ "menu": menu, "rows": rows })),
        );
        assert_eq!(planted["planted"], some.len());
    }
}

/// What paging through a list showed.
struct Paged {
    pages: usize,
    largest: usize,
    rows: Vec<Value>,
    total: u64,
}

/// Pages through a list; `limit` rows at a time.
fn paged(agent: &Client, tool: &str, list: &str, mut params: Value, limit: u32) -> Paged {
    params["limit"] = json!(limit);
    let mut all = Paged { pages: 0, largest: 0, rows: Vec::new(), total: 0 };
    loop {
        let called = agent.call(tool, &params);
        assert!(!called.failed, "{tool}: {}", called.value);
        let rows = called.value[list].as_array().unwrap();
        assert!(!rows.is_empty() && rows.len() <= limit as usize, "{tool}: {} rows", rows.len());
        all.pages += 1;
        all.largest = all.largest.max(called.value.to_string().len());
        all.rows.extend(rows.iter().cloned());
        all.total = called.value["total_count"].as_u64().unwrap();
        params["cursor"] = called.value["next_cursor"].clone();
        if params["cursor"].is_null() {
            return all;
        }
    }
}

/// The requests of a menu that a box saw after one moment, in order.
fn asked(house: &House, after: u64, menu: &str) -> Vec<String> {
    let entries = house.journal(0).into_iter().filter(|entry| entry["order"].as_u64().unwrap() > after);
    let words = entries.map(|entry| {
        let text = |field: &str| entry[field].as_str().unwrap().to_owned();
        format!("{} {}?{} {}", text("method"), text("path"), text("query"), text("body"))
    });
    words.filter(|asked| asked.contains(&format!("/rest{menu}"))).collect()
}

#[test]
fn large_lists_are_cut_and_every_row_comes_once() {
    let (house, size) = (House::start(1), size());
    let agent = Client::stateless(&house, As::Agent);
    let device = json!({ "device_id": house.device(0) });
    plant(&house, "/ip/firewall/filter", size.rules, |n| {
        json!({ "chain": "forward", "action": "drop", "protocol": "tcp", "src-address": dotted(100, n), "dst-port": "8080",
                "comment": format!("blocked after ticket {n}, see the register of the operations team"), "bytes": "0", "packets": "0" })
    });
    plant(&house, "/ip/dhcp-server/lease", size.leases, |n| {
        json!({ "address": dotted(101, n), "active-address": dotted(101, n), "mac-address": format!("02:00:00:{:02X}:{:02X}:{:02X}", n >> 16, n >> 8 & 255, n & 255),
                "server": "dhcp1", "status": "bound", "host-name": format!("client-{n}.example.net"), "dynamic": "true", "expires-after": "21m14s" })
    });
    plant(&house, "/ip/route", size.routes, |n| {
        let written = n < size.written;
        let origin = if written { "static" } else { "bgp" };
        json!({ "dst-address": format!("{}/32", dotted(102, n)), "gateway": "192.0.2.1", "distance": "20", "routing-table": "main", "scope": "40",
                origin: "true", "dynamic": (!written).to_string(), "disabled": "false" })
    });
    plant(
        &house,
        "/ip/firewall/address-list",
        size.entries,
        |n| json!({ "list": "blocked", "address": dotted(103, n), "disabled": "false", "dynamic": "false" }),
    );

    let mut table = String::from(
        "| tool | rows | pages | largest answer | requests for the first page |\n|---|---|---|---|---|\n",
    );
    for (tool, list, menu, planted, limit) in [
        ("list_firewall_filter_rules", "filter_rules", "/ip/firewall/filter", size.rules, 500),
        ("get_dhcp_leases", "leases", "/ip/dhcp-server/lease", size.leases, 500),
        ("get_routing_summary", "routes", "/ip/route", size.written, 1000),
        ("list_firewall_address_lists", "address_lists", "/ip/firewall/address-list", size.entries, 1000),
    ] {
        let before = house.journal(0).last().map_or(0, |entry| entry["order"].as_u64().unwrap());
        let mut first = device.clone();
        first["limit"] = json!(limit);
        let page = agent.done(tool, &first);
        let requests = asked(&house, before, menu);
        let counts = requests.iter().take_while(|asked| asked.contains("count-only")).count();
        assert_eq!(requests.len(), counts + 1, "{tool} counts, then reads once: {requests:#?}");
        if menu != "/ip/firewall/filter" {
            assert!(counts > 0, "{tool} counts first: {requests:#?}");
        }
        if menu == "/ip/route" {
            assert_eq!(page["listed"], "static");
            assert!(page["total_routes"].as_u64().unwrap() >= size.routes as u64, "{page}");
            assert!(requests[counts].contains("static=true"), "the whole table is never read: {requests:#?}");
        }
        let started = Instant::now();
        let all = paged(&agent, tool, list, device.clone(), limit);
        let ids: BTreeSet<&str> = all.rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), all.rows.len(), "{tool}: a row came twice");
        assert_eq!(all.total, all.rows.len() as u64, "{tool}: rows are missing");
        assert!(
            all.rows.len() >= planted && all.pages > 1,
            "{tool}: {} rows, {} pages",
            all.rows.len(),
            all.pages
        );
        assert!(all.largest <= ANSWER_MAX, "{tool}: {} bytes", all.largest);
        let took = started.elapsed().as_millis();
        println!("{tool}: {} pages in {took} ms", all.pages);
        writeln!(
            table,
            "| {tool} | {} | {} | {} B | {counts} × count-only, 1 × print |",
            all.rows.len(),
            all.pages,
            all.largest
        )
        .unwrap();
    }
    println!(
        "{} rules, {} leases, {} routes ({} static), {} entries\n{table}",
        size.rules, size.leases, size.routes, size.written, size.entries
    );
    assert_eq!(house.writes(0), 0);
}
