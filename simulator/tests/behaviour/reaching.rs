//! Changes that keep the managing client out: the box goes silent until its configuration lets the client in.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use simulator::{BoxSpec, Fleet, Profile, Router};

use crate::support::{Client, Response, fleet, read_response};

const OPEN: (bool, bool) = (true, true);
const SHUT: (bool, bool) = (false, false);

async fn start(spec: impl FnOnce(BoxSpec) -> BoxSpec) -> (Fleet, Router, Client) {
    let fleet = fleet(vec![spec(BoxSpec::new("box", Profile::Ccr7_24).plain())], 100.0).await;
    let router = fleet.routers()[0].clone();
    let client = Client::admin(&router);
    assert_eq!(router.reachable(), OPEN, "at first");
    (fleet, router, client)
}

fn id_of(router: &Router, menu: &str, key: &str, value: &str) -> String {
    let rows = router.read(menu);
    let row = rows.iter().find(|row| row.get(key).is_some_and(|v| v == value));
    row.unwrap_or_else(|| panic!("{menu} {key}={value}"))[".id"].as_str().unwrap().to_owned()
}

/// Sends a request; the answer is read later.
fn send(client: &Client, method: &str, path: &str, body: Option<&Value>) -> TcpStream {
    let mut stream = TcpStream::connect(client.address).unwrap();
    let text = body.map(Value::to_string).unwrap_or_default();
    let headers = if body.is_some() { "Content-Type: application/json\r\n" } else { "" };
    stream.write_all(client.request(method, path, headers, &text).as_bytes()).unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> Option<Response> {
    tokio::task::spawn_blocking(move || read_response(&mut stream, "GET")).await.unwrap()
}

#[allow(clippy::disallowed_methods, reason = "compared with the journal's clock")]
fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Makes a change that cuts the client off; then nothing is served until the box is as it was.
async fn cuts(router: &Router, client: &Client, method: &str, path: &str, body: Option<Value>) {
    // The change itself is carried out, and its answer is lost with the way back.
    let change = send(client, method, path, body.as_ref());
    while !router.journal().iter().any(|entry| entry.changed && entry.path == path && !entry.answered) {
        tokio::task::yield_now().await;
    }
    assert_eq!(router.reachable(), SHUT, "{method} {path} {body:?}");
    let asked = send(client, "GET", "/rest/system/identity", None);
    let opened = now_us();
    router.restore();
    assert_eq!(router.reachable(), OPEN, "{method} {path}: restored");
    assert_eq!(answer(asked).await.unwrap().status, 200, "sent again and again until it arrives");
    assert!(answer(change).await.is_some_and(|told| told.status < 300), "{method} {path}");
    let journal = router.journal();
    let seen = journal.iter().rev().find(|entry| entry.path == "/rest/system/identity").unwrap();
    assert!(seen.unix_us >= opened, "{method} {path}: nothing got in before");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_the_client_connects_to() {
    let (fleet, router, client) = start(|spec| spec).await;
    assert_eq!(router.management(), Ipv4Addr::new(192, 0, 2, 10), "the uplink's");
    let id = id_of(&router, "/ip/address", "address", "192.0.2.10/24");
    let path = format!("/rest/ip/address/{id}");
    cuts(&router, &client, "DELETE", &path, None).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"disabled": "yes"}))).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"address": "192.0.2.222/24"}))).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"interface": "guest"}))).await;
    // Other addresses may come and go.
    let other = id_of(&router, "/ip/address", "interface", "guest");
    assert_eq!(client.call("DELETE", &format!("/rest/ip/address/{other}"), None).await.status, 204);
    assert_eq!(router.reachable(), OPEN);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_the_client_comes_in_by() {
    let (fleet, router, client) = start(|spec| spec).await;
    let off = json!({"disabled": "yes"});
    cuts(&router, &client, "PATCH", "/rest/interface/*1", Some(off.clone())).await;
    cuts(&router, &client, "PATCH", "/rest/interface/ethernet/*1", Some(off)).await;
    let disable = json!({"numbers": "ether1"});
    cuts(&router, &client, "POST", "/rest/interface/disable", Some(disable)).await;
    let port = json!({"bridge": "bridge", "interface": "ether1"});
    cuts(&router, &client, "PUT", "/rest/interface/bridge/port", Some(port)).await;
    // A new name is no new cable, and a comment is nothing at all.
    let renamed = json!({"name": "uplink", "comment": "to the town hall"});
    assert_eq!(client.call("PATCH", "/rest/interface/*1", Some(renamed)).await.status, 200);
    assert_eq!(router.reachable(), OPEN);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back() {
    let (fleet, router, client) = start(|spec| spec).await;
    let id = id_of(&router, "/ip/route", "dst-address", "0.0.0.0/0");
    let path = format!("/rest/ip/route/{id}");
    cuts(&router, &client, "DELETE", &path, None).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"disabled": "yes"}))).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"gateway": "192.0.2.200"}))).await;
    // A closer route leads elsewhere, or nowhere.
    let lan = router.read("/ip/address").iter().find(|row| row["interface"] == "bridge").unwrap()["network"]
        .as_str()
        .unwrap()
        .to_owned();
    let inside = format!("{}77", lan.strip_suffix('0').unwrap());
    for route in [
        json!({"dst-address": "127.0.0.0/8", "gateway": inside}),
        json!({"dst-address": "127.0.0.0/8", "gateway": "guest"}),
        json!({"dst-address": "127.0.0.1/32", "blackhole": "yes"}),
    ] {
        cuts(&router, &client, "PUT", "/rest/ip/route", Some(route)).await;
    }
    for route in [
        json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.1"}),
        json!({"dst-address": "127.0.0.0/8", "gateway": "192.0.2.1"}),
        json!({"dst-address": "127.0.0.0/8", "gateway": "203.0.113.9"}),
        json!({"dst-address": "127.0.0.0/8", "gateway": "guest", "routing-table": "backup"}),
    ] {
        assert_eq!(client.call("PUT", "/rest/ip/route", Some(route)).await.status, 201);
        assert_eq!(router.reachable(), OPEN);
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_input_chain() {
    let (fleet, router, client) = start(|spec| spec).await;
    let filter = "/rest/ip/firewall/filter";
    let first = router.read("/ip/firewall/filter")[0][".id"].as_str().unwrap().to_owned();
    // Whether a standing connection goes on, and whether a new one comes about.
    let stands_only = (false, true);
    for (rule, wanted) in [
        (json!({"chain": "input", "action": "drop"}), stands_only),
        (json!({"chain": "input", "action": "reject"}), stands_only),
        (json!({"chain": "input", "action": "tarpit", "protocol": "tcp"}), stands_only),
        (json!({"chain": "input", "action": "drop", "protocol": "tcp", "dst-port": "22,80"}), stands_only),
        (json!({"chain": "input", "action": "drop", "protocol": "tcp", "dst-port": "!22"}), stands_only),
        (json!({"chain": "input", "action": "drop", "src-address": "127.0.0.0/8"}), stands_only),
        (json!({"chain": "input", "action": "drop", "src-address": "!10.0.0.0/8"}), stands_only),
        (json!({"chain": "input", "action": "drop", "src-address": "127.0.0.0-127.0.0.9"}), stands_only),
        (json!({"chain": "input", "action": "drop", "dst-address": "192.0.2.10"}), stands_only),
        (json!({"chain": "input", "action": "drop", "in-interface": "ether1"}), stands_only),
        (json!({"chain": "input", "action": "drop", "in-interface-list": "WAN"}), stands_only),
        (json!({"chain": "input", "action": "drop", "in-interface-list": "!LAN"}), stands_only),
        (json!({"chain": "input", "action": "drop", "in-interface-list": "all"}), stands_only),
        (json!({"chain": "input", "action": "drop", "connection-state": "new,invalid"}), stands_only),
        (json!({"chain": "input", "action": "drop", "dst-address-list": "management"}), stands_only),
        (json!({"chain": "input", "action": "drop", "place-before": first}), SHUT),
        (json!({"chain": "input", "action": "drop", "disabled": "yes"}), OPEN),
        (json!({"chain": "forward", "action": "drop"}), OPEN),
        (json!({"chain": "output", "action": "drop"}), OPEN),
        (json!({"chain": "input", "action": "log"}), OPEN),
        (json!({"chain": "input", "action": "passthrough"}), OPEN),
        (json!({"chain": "input", "action": "drop", "protocol": "udp"}), OPEN),
        (json!({"chain": "input", "action": "drop", "protocol": "tcp", "dst-port": "22,443"}), OPEN),
        (json!({"chain": "input", "action": "drop", "src-address": "10.0.0.0/8"}), OPEN),
        (json!({"chain": "input", "action": "drop", "in-interface": "!ether1"}), OPEN),
        (json!({"chain": "input", "action": "drop", "in-interface-list": "LAN"}), OPEN),
        (json!({"chain": "input", "action": "drop", "connection-state": "established"}), OPEN),
        (json!({"chain": "input", "action": "drop", "src-address-list": "nobody"}), OPEN),
        (json!({"chain": "input", "action": "jump", "jump-target": "nowhere"}), OPEN),
    ] {
        let made = client.call("PUT", filter, Some(rule.clone())).await;
        assert_eq!(made.status, 201, "{rule}: {}", made.text());
        assert_eq!(router.reachable(), wanted, "{rule}");
        router.restore();
    }
    // An accept before the drop, an address in a list, a chain of one's own.
    let add = async |rule: Value| {
        let made = client.call("PUT", filter, Some(rule.clone())).await;
        assert_eq!(made.status, 201, "{rule}: {}", made.text());
    };
    add(json!({"chain": "input", "action": "accept", "protocol": "tcp", "dst-port": "80"})).await;
    add(json!({"chain": "input", "action": "drop"})).await;
    assert_eq!(router.reachable(), OPEN);
    router.restore();
    add(json!({"chain": "input", "action": "jump", "jump-target": "guard"})).await;
    add(json!({"chain": "guard", "action": "return", "src-address": "127.0.0.1"})).await;
    add(json!({"chain": "guard", "action": "drop"})).await;
    assert_eq!(router.reachable(), OPEN);
    router.restore();
    add(json!({"chain": "input", "action": "drop", "src-address-list": "blocked"})).await;
    assert_eq!(router.reachable(), OPEN);
    let entry = json!({"list": "blocked", "address": "127.0.0.0/8"});
    client.call("PUT", "/rest/ip/firewall/address-list", Some(entry)).await;
    assert_eq!(router.reachable(), stands_only);
    router.restore();
    // Moving, enabling and changing rules counts like adding them.
    add(json!({"chain": "input", "action": "drop", "disabled": "yes", "comment": "last"})).await;
    let id = id_of(&router, "/ip/firewall/filter", "comment", "last");
    client.post(&format!("{filter}/enable"), json!({"numbers": id})).await;
    assert_eq!(router.reachable(), stands_only);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_connection_outlives_a_rule_for_new_ones() {
    let (fleet, router, client) = start(|spec| spec).await;
    let mut standing = TcpStream::connect(client.address).unwrap();
    let keep = |path: &str| client.request("GET", path, "", "").replace("Connection: close\r\n", "");
    standing.write_all(keep("/rest/ip/dns").as_bytes()).unwrap();
    let rule = json!({"chain": "input", "action": "drop", "protocol": "tcp"});
    let made = client.call("PUT", "/rest/ip/firewall/filter", Some(rule)).await;
    assert_eq!(made.status, 201, "the answer to the fatal change still gets out");
    // The old connection speaks on; a new one waits for better times.
    standing.write_all(client.request("GET", "/rest/system/clock", "", "").as_bytes()).unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut standing, &mut all).unwrap();
        String::from_utf8_lossy(&all).into_owned()
    });
    let told = told.await.unwrap();
    assert!(told.matches("HTTP/1.1 200").count() == 2 && told.contains("time-zone-name"), "{told}");
    let waiting = send(&client, "GET", "/rest/system/identity", None);
    assert_eq!(router.reachable(), (false, true));
    let opened = now_us();
    router.change_behind_back("/ip/firewall/filter", Some("*1"), &[("comment", "still shut")]).unwrap();
    let id = id_of(&router, "/ip/firewall/filter", "protocol", "tcp");
    assert!(router.remove_behind_back("/ip/firewall/filter", &id));
    assert_eq!(answer(waiting).await.unwrap().status, 200);
    let journal = router.journal();
    let seen = journal.iter().find(|entry| entry.path == "/rest/system/identity").unwrap();
    assert!(seen.unix_us >= opened);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_client_is_told() {
    let (fleet, router, client) = start(|spec| spec).await;
    let rule = json!({"chain": "input", "action": "reject", "reject-with": "tcp-reset", "protocol": "tcp"});
    assert_eq!(client.call("PUT", "/rest/ip/firewall/filter", Some(rule)).await.status, 201);
    assert!(client.try_call("GET", "/rest/system/identity", None).await.is_none(), "reset");
    router.restore();
    // The service moved to another port: nobody listens at the old one.
    let moved = json!({"numbers": "www", "port": "8080"});
    assert_eq!(client.post("/rest/ip/service/set", moved).await.status, 200);
    assert!(client.try_call("GET", "/rest/system/identity", None).await.is_none(), "refused");
    router.restore();
    assert_eq!(client.get("/rest/system/identity").await.status, 200);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_undoes_it_by_itself_answers_again() {
    let (fleet, router, client) = start(|spec| spec).await;
    let undo = json!({"script": ":delay 30s; /interface enable ether1"});
    assert_eq!(client.post("/rest/execute", undo).await.status, 200);
    let change = send(&client, "PATCH", "/rest/interface/*1", Some(&json!({"disabled": "yes"})));
    // Neither side does anything; the timer brings the answer.
    assert_eq!(answer(change).await.unwrap().status, 200);
    assert_eq!(router.reachable(), OPEN);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_through_a_bridge() {
    let lan = Ipv4Addr::new(10, 100, 0, 1);
    let inside = Ipv4Addr::new(10, 100, 0, 100);
    let (fleet, router, client) = start(|spec| spec.management(lan).client(inside)).await;
    assert_eq!(router.management(), lan);
    let active = client.get("/rest/user/active").await.rows();
    assert_eq!(active[0]["address"], "10.100.0.100");
    // The cable ends at the first port that has a link.
    let port = id_of(&router, "/interface/bridge/port", "interface", "ether2");
    let path = format!("/rest/interface/bridge/port/{port}");
    cuts(&router, &client, "DELETE", &path, None).await;
    cuts(&router, &client, "PATCH", &path, Some(json!({"disabled": "yes"}))).await;
    cuts(&router, &client, "PATCH", "/rest/interface/bridge/*10", Some(json!({"disabled": "yes"}))).await;
    cuts(&router, &client, "DELETE", "/rest/interface/bridge/*10", None).await;
    cuts(&router, &client, "PATCH", "/rest/interface/*2", Some(json!({"disabled": "yes"}))).await;
    assert_eq!(client.call("PATCH", &path, Some(json!({"pvid": 40}))).await.status, 200);
    assert_eq!(router.reachable(), OPEN, "without filtering a pvid is nothing");
    let filtering = json!({"vlan-filtering": "yes"});
    cuts(&router, &client, "PATCH", "/rest/interface/bridge/*10", Some(filtering.clone())).await;
    assert_eq!(client.call("PATCH", "/rest/interface/bridge/*10", Some(filtering)).await.status, 200);
    assert_eq!(router.reachable(), OPEN, "the same pvid on both sides");
    let other = id_of(&router, "/interface/bridge/port", "interface", "ether3");
    let gone = client.call("DELETE", &format!("/rest/interface/bridge/port/{other}"), None).await;
    assert_eq!((gone.status, router.reachable()), (204, OPEN));
    // The uplink is nothing to this client.
    let uplink = client.call("PATCH", "/rest/interface/*1", Some(json!({"disabled": "yes"}))).await;
    assert_eq!((uplink.status, router.reachable()), (200, OPEN));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_its_own_on_loopback() {
    let own = Ipv4Addr::new(127, 31, 5, 2);
    let (fleet, router, client) = start(|spec| spec.listen(own)).await;
    assert_eq!((router.address().ip(), router.management()), (own.into(), own));
    let id = id_of(&router, "/ip/address", "address", "127.31.5.2/24");
    cuts(&router, &client, "DELETE", &format!("/rest/ip/address/{id}"), None).await;
    fleet.stop().await;
    let nowhere = BoxSpec::new("box", Profile::Ccr7_24).management(Ipv4Addr::new(203, 0, 113, 1));
    let told = Fleet::start(vec![nowhere]).await.unwrap_err().to_string();
    assert_eq!(told, "box has no such management address");
}
