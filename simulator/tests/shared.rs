//! The simulator against the recorded console trees and the list of calls: nothing that RouterOS lacks.

#![allow(clippy::unwrap_used, reason = "a test's helper; clippy sees no test here")]

mod support;

use serde_json::{Value, json};
use simulator::spec::{Catalogue, Shape};
use simulator::{BoxSpec, Profile, Router};
use support::{Client, fleet, shared};

fn tree(profile: Profile) -> Option<Value> {
    let file = shared()?.join(format!("routeros/schema/{}.json", profile.version()));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    Some(schema["tree"].clone())
}

fn names(command: &Value) -> Vec<&str> {
    command.as_array().map(|args| args.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

#[test]
fn every_path_and_argument_exists_in_its_release() {
    let mut wrong = Vec::new();
    for profile in Profile::ALL {
        let Some(tree) = tree(profile) else { return };
        for menu in Catalogue::of(profile).menus().filter(|menu| !menu.hardware) {
            let node =
                menu.path.split('/').filter(|part| !part.is_empty()).fold(&tree, |node, part| &node[part]);
            let mut complain =
                |what: String| wrong.push(format!("{} {}: {what}", profile.version(), menu.path));
            if !node.is_object() {
                complain("no such menu".into());
                continue;
            }
            if menu.shape != Shape::Dir && node["print"].is_null() {
                complain("cannot be read".into());
            }
            let has_records = !node["find"].is_null();
            // Health has rows on boards only, and the dumps come from a virtual router.
            let tells = menu.shape != Shape::Dir && menu.path != "/system/health";
            if tells && has_records != (menu.shape == Shape::List) {
                complain("records or none?".into());
            }
            for (word, args) in &menu.commands {
                if node[*word].is_null() {
                    complain(format!("no command {word}"));
                    continue;
                }
                let known = names(&node[*word]);
                for arg in args.iter().filter(|arg| !known.contains(*arg)) {
                    // `numbers` is `.id` where a command names its rows otherwise.
                    if !(*arg == "value-name" && *word == "get") {
                        complain(format!("{word} has no argument {arg}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} deviations:\n{}", wrong.len(), wrong.join("\n"));
}

/// One line of the list of calls.
#[derive(Clone, Debug)]
struct Row {
    method: String,
    path: String,
    request: Vec<String>,
    response: Vec<String>,
    since: String,
    until: String,
    note: String,
}

fn endpoints() -> Option<Vec<Row>> {
    let text = std::fs::read_to_string(shared()?.join("routeros/endpoints.tsv")).unwrap();
    let list =
        |text: &str| text.split(',').filter(|word| !matches!(*word, "" | "-")).map(str::to_owned).collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').chain(std::iter::repeat("")).take(8).collect();
        Row {
            method: cells[1].to_owned(),
            path: cells[2].to_owned(),
            request: list(cells[3]),
            response: list(cells[4]),
            since: cells[5].to_owned(),
            until: cells[6].to_owned(),
            note: cells[7].to_owned(),
        }
    };
    Some(text.lines().skip(1).map(row).collect())
}

fn number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn value_for(path: &str, name: &str) -> Value {
    let text = match (path, name) {
        ("/rest/ip/address", "address") => "10.77.0.1/24",
        ("/rest/ip/dhcp-server/network", "address") => "10.77.0.0/24",
        (_, "address") => "1.1.1.1",
        ("/rest/interface/bridge/port", "interface") => "ether5",
        (_, "interface") => "guest",
        (_, "master-interface") => "wifi1",
        (_, "once" | "count-only" | "as-string") => "",
        (_, "servers" | "dns-server") => "9.9.9.9",
        (_, "dst-address") => "10.78.0.0/16",
        (_, "src-address") if path.contains("firewall") => "10.79.0.0/16",
        (_, "gateway") => "192.0.2.1",
        (_, "distance" | "count" | "bridge-count") => "2",
        (_, "routing-table" | "vrf") => "main",
        (_, "enabled" | "disabled" | "use-dns") => "no",
        (_, "vlan-filtering") => "yes",
        (_, "protocol-mode") => "rstp",
        (_, "priority") => "0x7000",
        (_, "pvid") => "40",
        (_, "bridge") => "bridge",
        (_, "chain") => "input",
        (_, "action") => "drop",
        (_, "protocol") if path.contains("bandwidth") => "udp",
        (_, "protocol") => "tcp",
        (_, "dst-port") => "8080",
        (_, "place-before") => "*1",
        (_, "ranges") => "10.77.0.10-10.77.0.20",
        (_, "address-pool") => "dhcp_pool0",
        (_, "lease-time" | "timeout" | "interval" | "duration") => "1s",
        (_, "size") => "64",
        (_, "max-hops") => "5",
        (_, "direction") => "both",
        (_, "security.authentication-types") => "wpa2-psk",
        (_, "chunk-size") => "1024",
        (_, "offset") => "0",
        (_, "file") if path.contains("read") => "town-ca.crt",
        (_, "public-key-file") => "jump.pub",
        (_, "key") => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvz ops@jump",
        (_, "user") => "admin",
        (_, "encryption") => "aes-sha256",
        (_, "script") => ":put 1",
        (_, "policy") => "read,write",
        (_, "start-time") => "00:00:00",
        (_, "on-event") => ":log info x",
        (_, "numbers") => "*1",
        (_, "destination") => "*2",
        (_, "value-name") => "comment",
        (_, "list") => "mcp-test",
        (_, name) => return json!(format!("new-{}", name.replace('.', "-"))),
    };
    json!(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_call_is_answered() {
    let Some(rows) = endpoints() else { return };
    let specs = Profile::ALL.map(|profile| BoxSpec::new(profile.version(), profile).plain());
    let fleet = fleet(specs.to_vec(), 200.0).await;
    let mut wrong = Vec::new();
    for router in fleet.routers() {
        for row in rows.iter().filter(|row| row.method != "API") {
            if let Err(complaint) = check(router, row).await {
                wrong.push(format!("{} {} {}: {complaint}", router.name(), row.method, row.path));
            }
        }
    }
    fleet.stop().await;
    assert!(wrong.is_empty(), "{} deviations:\n{}", wrong.len(), wrong.join("\n"));
}

async fn check(router: &Router, row: &Row) -> Result<(), String> {
    let profile = router.profile();
    let here = number(profile.version());
    let gone = (!row.since.is_empty() && here < number(&row.since))
        || (!row.until.is_empty() && here > number(&row.until));
    let package = ["wireless", "caps-man", "wifiwave2"]
        .iter()
        .find(|word| row.path.split('/').any(|part| part == **word) && !row.path.contains("/wifi/"));
    let lacks =
        package.is_some_and(|word| !profile.has_package(if *word == "caps-man" { "wireless" } else { word }));
    let hardware = row.note.contains("hardware only") && !profile.is_hardware();
    let refused = (row.note.contains("refused") || row.path.ends_with("bandwidth-test"))
        && profile.device_mode() == "home";
    let client = Client::admin(router);
    let menu = row.path.trim_end_matches("/{id}").to_owned();
    let mut path = row.path.clone();
    let absent = gone || lacks || hardware;
    if path.ends_with("{id}") && !absent {
        let id = target(&client, router, &menu, &row.method).await;
        path = path.replace("{id}", &id);
    }
    if path.ends_with("ssh-keys/import") {
        let file =
            json!({"name": "jump.pub", "contents": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvz ops@jump"});
        client.call("PUT", "/rest/file", Some(file)).await;
    }
    let body = (!row.request.is_empty()).then(|| {
        Value::Object(row.request.iter().map(|name| (name.clone(), value_for(&menu, name))).collect())
    });
    // Boards without radios have what their access points bring.
    let radio = if router.profile() == Profile::Rb7_20_8 { "wifi1" } else { "cap-wifi1" };
    let body = body.map(|mut body| {
        if body.get("master-interface").is_some() {
            body["master-interface"] = json!(radio);
        }
        body
    });
    let body = if row.method == "POST" { Some(body.unwrap_or(json!({}))) } else { body };
    let answer = client.call(&row.method, &path, body).await;
    if absent {
        return (answer.status == 400).then_some(()).ok_or(format!("{} though absent", answer.status));
    }
    if refused {
        let told = answer.detail() == "failure: not allowed by device-mode";
        return told.then_some(()).ok_or(answer.text());
    }
    let wanted = match row.method.as_str() {
        "PUT" => 201,
        "DELETE" => 204,
        _ => 200,
    };
    if answer.status != wanted {
        return Err(format!("{} {}", answer.status, answer.text()));
    }
    if row.response.is_empty() {
        return Ok(());
    }
    let told = answer.json();
    let records: Vec<Value> = told.as_array().cloned().unwrap_or_else(|| vec![told.clone()]);
    let empty_on_virtual = menu.ends_with("/system/health") && !profile.is_hardware();
    if records.is_empty() && !empty_on_virtual {
        return Err("no rows".into());
    }
    // Some properties come with some releases, some rows only; a row somewhere must have them.
    let late = ["fingerprint", "bits", "key-type", "vrf", "l2mtu", "mac-address", "status", "last-logged-in"];
    let late = |name: &str| late.contains(&name) || matches!(name, "ssid" | "interval" | "address" if lacks);
    let missing: Vec<&String> = row
        .response
        .iter()
        .filter(|name| {
            !records.is_empty()
                && !late(name)
                && !records.iter().any(|record| !record[name.as_str()].is_null())
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("lacks {missing:?}")) }
}

/// A record to change: one we may remove when it is to be removed.
async fn target(client: &Client, router: &Router, menu: &str, method: &str) -> String {
    let rows = router.read(menu.trim_start_matches("/rest"));
    let fits = |row: &&serde_json::Map<String, Value>| {
        let is = |key: &str| row.get(key).and_then(Value::as_str) == Some("true");
        !is("dynamic") && !is("builtin")
    };
    let chosen = if method == "DELETE" { rows.iter().rev().find(fits) } else { rows.iter().find(fits) };
    let _ = client;
    chosen.and_then(|row| row[".id"].as_str()).unwrap_or("*0").to_owned()
}
