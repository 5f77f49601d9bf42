//! Firewall rules and address lists.

use serde_json::{Value, json};
use simulator::Profile;

use crate::support::Client;
use crate::{one, one_at};

const FILTER: &str = "/rest/ip/firewall/filter";
const LIST: &str = "/rest/ip/firewall/address-list";

async fn put(client: &Client, path: &str, body: Value) -> Result<Value, String> {
    let made = client.call("PUT", path, Some(body)).await;
    if made.status == 201 { Ok(made.json()) } else { Err(made.detail()) }
}

async fn patch(client: &Client, rule: &Value, body: Value) -> Result<Value, String> {
    let path = format!("{FILTER}/{}", rule[".id"].as_str().unwrap());
    let made = client.call("PATCH", &path, Some(body)).await;
    if made.status == 200 { Ok(made.json()) } else { Err(made.detail()) }
}

async fn ids(client: &Client) -> Vec<String> {
    let rows = client.get(FILTER).await.rows();
    rows.iter().map(|row| row[".id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn matchers_read_back_as_the_router_writes_them() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let rule = json!({
        "chain": "forward", "action": "accept", "src-address": "10.9.8.7/24", "dst-address": "!10.1.2.3/32",
        "protocol": "6", "dst-port": "443,8000-8100,25-25", "connection-state": "established,related",
        "comment": ""
    });
    let rule = put(&client, FILTER, rule).await.unwrap();
    let mut keys: Vec<&str> = rule.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let told = [
        ".id",
        "action",
        "bytes",
        "chain",
        "connection-state",
        "dst-address",
        "dst-port",
        "dynamic",
        "invalid",
        "packets",
        "protocol",
        "src-address",
    ];
    assert_eq!(keys, told, "no matcher that was not written, and neither disabled nor log");
    assert_eq!((&rule["src-address"], &rule["dst-address"]), (&json!("10.9.8.0/24"), &json!("!10.1.2.3")));
    assert_eq!((&rule["protocol"], &rule["dst-port"]), (&json!("tcp"), &json!("443,8000-8100,25")));
    let ranged = patch(&client, &rule, json!({"src-address": "10.9.8.1-10.9.8.20"})).await.unwrap();
    assert_eq!(ranged["src-address"], "10.9.8.1-10.9.8.20");
    // Once written, these stay.
    let written = patch(&client, &rule, json!({"disabled": false, "log": "no"})).await.unwrap();
    assert_eq!((&written["disabled"], &written["log"]), (&json!("false"), &json!("false")));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_cannot_be() {
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let ports = "failure: ports can be specified if proto is tcp,udp,udp-lite,dccp,sctp";
    for (more, words) in [
        (json!({"dst-port": "80"}), ports),
        (json!({"src-port": "80", "protocol": "icmp"}), ports),
        (json!({"port": "80", "protocol": "gre"}), ports),
        (json!({"dst-port": "80", "protocol": "!tcp"}), ports),
        (json!({"dst-port": "80-70", "protocol": "tcp"}), "invalid value for argument dst-port"),
        (json!({"dst-port": "", "protocol": "tcp"}), "invalid value for argument dst-port"),
        (json!({"protocol": "tpc"}), "invalid value for argument protocol"),
        (json!({"src-address": ""}), "invalid value for argument src-address"),
        (json!({"src-address": "10.0.0.9-10.0.0.1"}), "invalid value for argument src-address"),
        (json!({"src-address": "2001:db8::1"}), "invalid value for argument src-address"),
        (json!({"src-address-list": ""}), "invalid value for argument src-address-list"),
        (json!({"connection-state": "fresh"}), "input does not match any value of connection-state"),
        (json!({"connection-state": ""}), "input does not match any value of connection-state"),
        (json!({"action": "allow"}), "input does not match any value of action"),
        (json!({"action": "jump"}), "failure: jump-target must be specified"),
        (
            json!({"action": "reject", "reject-with": "tcp-reset"}),
            "failure: tcp-reset can be used only with tcp",
        ),
        (json!({"in-interface": "ether9"}), "input does not match any value of in-interface"),
        (json!({"in-interface": "WAN"}), "input does not match any value of in-interface"),
        (json!({"in-interface": ""}), "input does not match any value of in-interface"),
        (json!({"in-interface-list": "DMZ"}), "input does not match any value of in-interface-list"),
        (json!({"disabled": "maybe"}), "invalid value for argument disabled"),
        (json!({"color": "red"}), "unknown parameter color"),
        (json!({"chain": ""}), "invalid value for argument chain"),
        (
            json!({"chain": "input", "out-interface": "ether1"}),
            "failure: outgoing interface matching not possible in input and prerouting chains",
        ),
        (
            json!({"chain": "output", "in-interface": "ether1"}),
            "failure: incoming interface matching not possible in output and postrouting chains",
        ),
    ] {
        let mut rule = json!({"chain": "forward"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(put(&client, FILTER, rule.clone()).await, Err(words.to_owned()), "{rule}");
    }
    assert_eq!(
        put(&client, FILTER, json!({"action": "drop"})).await,
        Err("missing value(s) of argument(s) chain".into())
    );
    let fine = json!({"chain": "forward", "in-interface": "!all-vlan", "src-address-list": "no such list yet",
        "action": "jump", "jump-target": "no-such-chain-yet"});
    assert!(put(&client, FILTER, fine).await.is_ok(), "unknown lists and chains are taken");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_and_an_unset_are_judged_like_an_add() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let rule = json!({"chain": "forward", "protocol": "tcp", "dst-port": "80", "src-address": "10.9.0.0/16"});
    let rule = put(&client, FILTER, rule).await.unwrap();
    let id = rule[".id"].as_str().unwrap().to_owned();
    let ports = "failure: ports can be specified if proto is tcp,udp,udp-lite,dccp,sctp";
    assert_eq!(patch(&client, &rule, json!({"protocol": "icmp"})).await, Err(ports.into()));
    assert_eq!(
        patch(&client, &rule, json!({"src-address": ""})).await,
        Err("invalid value for argument src-address".into())
    );
    assert_eq!(
        patch(&client, &rule, json!({"place-before": "*1"})).await,
        Err("unknown parameter place-before".into())
    );
    assert_eq!(patch(&client, &rule, json!({"protocol": "udp"})).await.unwrap()["protocol"], "udp");
    let unset = async |name: &str| {
        client.post(&format!("{FILTER}/unset"), json!({"numbers": id, "value-name": name})).await
    };
    assert_eq!(unset("protocol").await.detail(), ports);
    assert_eq!(unset("dst-port").await.text(), "[]");
    assert_eq!(unset("protocol").await.text(), "[]");
    assert_eq!(unset("src-address").await.text(), "[]");
    for name in ["chain", "action", "disabled", "log", "log-prefix", "bytes", "nonsense", ""] {
        assert_eq!(unset(name).await.detail(), "input does not match any value of value-name", "{name}");
    }
    let left = client.get(&format!("{FILTER}/{id}")).await.json();
    assert!(left["protocol"].is_null() && left["dst-port"].is_null() && left["src-address"].is_null());
    let nobody = json!({"numbers": "*FFFF", "value-name": "protocol"});
    assert_eq!(client.post(&format!("{FILTER}/unset"), nobody).await.status, 404);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_and_numbers() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let before = ids(&client).await;
    let nowhere = json!({"chain": "forward", "place-before": "*FFFF"});
    assert_eq!(client.call("PUT", FILTER, Some(nowhere)).await.status, 404);
    assert_eq!(ids(&client).await, before, "nothing was added");
    let rule = json!({"chain": "forward", "comment": "one", "place-before": before[2]});
    let one = put(&client, FILTER, rule).await.unwrap()[".id"].as_str().unwrap().to_owned();
    let two = put(&client, FILTER, json!({"chain": "forward", "comment": "two"})).await.unwrap();
    let two = two[".id"].as_str().unwrap().to_owned();
    let mut wanted = before.clone();
    wanted.insert(2, one.clone());
    wanted.push(two.clone());
    assert_eq!(ids(&client).await, wanted);
    // Without a destination: to the end. Several keep their order among themselves.
    assert_eq!(client.post(&format!("{FILTER}/move"), json!({"numbers": one})).await.text(), "[]");
    assert_eq!(ids(&client).await.last(), Some(&one));
    let both = json!({"numbers": format!("{one},{two}"), "destination": before[0]});
    client.post(&format!("{FILTER}/move"), both).await;
    assert_eq!(ids(&client).await[..2], [one.clone(), two.clone()]);
    let itself = json!({"numbers": one, "destination": one});
    client.post(&format!("{FILTER}/move"), itself).await;
    assert_eq!(ids(&client).await[0], one);
    let history = client.get("/rest/system/history").await.rows();
    let wanted = format!("/ip firewall filter move {one}\n/ip firewall filter move {two} destination={one}");
    assert_eq!(history[1]["undo"], wanted);
    // A number that once was is never given again: not after a removal, not after an undo.
    assert_eq!(client.call("DELETE", &format!("{FILTER}/{two}"), None).await.status, 204);
    let three = put(&client, FILTER, json!({"chain": "forward"})).await.unwrap()[".id"].clone();
    assert_eq!(client.post("/rest/undo", json!({})).await.text(), "[]");
    let four = put(&client, FILTER, json!({"chain": "forward"})).await.unwrap()[".id"].clone();
    fleet.routers()[0].restore();
    assert_eq!(ids(&client).await, before, "as it was unpacked");
    let five = put(&client, FILTER, json!({"chain": "forward"})).await.unwrap()[".id"].clone();
    let mut all = [json!(one), json!(two), three, four, five].map(|id| id.to_string());
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_says_where_the_rule_stood() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let before = ids(&client).await;
    let path = format!("{FILTER}/{}", before[1]);
    client.call("DELETE", &path, None).await;
    let history = client.get("/rest/system/history").await.rows();
    let undo = history[0]["undo"].as_str().unwrap();
    assert!(undo.ends_with(&format!(" place-before={}", before[2])), "{undo}");
    assert!(undo.starts_with("/ip firewall filter add chain=input action=drop"), "{undo}");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_address_lists() {
    let (fleet, client) = one_at(Profile::Rb7_20_8, 50.0).await;
    let entry = |address: &str| json!({"list": "mcp-test", "address": address});
    let plain = put(&client, LIST, entry("203.0.113.7/32")).await.unwrap();
    assert_eq!((&plain["address"], &plain["dynamic"]), (&json!("203.0.113.7"), &json!("false")));
    assert_eq!(plain["disabled"], "false");
    assert!(plain["timeout"].is_null() && plain["comment"].is_null());
    let twice = "failure: already have such entry";
    assert_eq!(put(&client, LIST, entry("203.0.113.7")).await, Err(twice.into()));
    assert_eq!(put(&client, LIST, entry("203.0.113.99/24")).await.unwrap()["address"], "203.0.113.0/24");
    assert_eq!(put(&client, LIST, entry("203.0.113.0/24")).await, Err(twice.into()));
    assert!(put(&client, LIST, entry("bad.example")).await.is_ok());
    assert!(put(&client, LIST, entry("10.0.0.1-10.0.0.9")).await.is_ok());
    for wrong in ["", "300.1.1.1", "10.0.0.1/40", "2001:db8::1", "two words"] {
        let refused = put(&client, LIST, entry(wrong)).await;
        assert_eq!(refused, Err("invalid value for argument address".into()), "{wrong}");
    }
    let nameless = json!({"list": "", "address": "10.0.0.1"});
    assert_eq!(put(&client, LIST, nameless).await, Err("invalid value for argument list".into()));
    let mut timed = entry("203.0.113.8");
    timed["timeout"] = json!("00:05:00");
    let timed = put(&client, LIST, timed).await.unwrap();
    assert_eq!((&timed["dynamic"], &timed["timeout"]), (&json!("true"), &json!("5m")));
    let path = format!("{LIST}/{}", timed[".id"].as_str().unwrap());
    // Router time passes fifty times as fast; the entry counts down and goes.
    let mut last = json!("5m");
    let mut steps = 0;
    loop {
        let answer = client.get(&path).await;
        if answer.status == 404 {
            break;
        }
        let left = answer.json()["timeout"].clone();
        steps += usize::from(left != last);
        last = left;
    }
    assert!(steps > 1, "counted down before it went");
    // A dynamic entry may be removed and changed like any other.
    let mut timed = entry("203.0.113.8");
    timed["timeout"] = json!("1d");
    let timed = put(&client, LIST, timed).await.unwrap();
    let path = format!("{LIST}/{}", timed[".id"].as_str().unwrap());
    let longer = client.call("PATCH", &path, Some(json!({"timeout": "2d", "comment": "x"}))).await.json();
    assert_eq!((&longer["timeout"], &longer["comment"]), (&json!("2d"), &json!("x")));
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    fleet.stop().await;
}
