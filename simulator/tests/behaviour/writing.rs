//! Adding, changing, moving, removing — and undoing.

use serde_json::{Value, json};
use simulator::Profile;

use crate::one;
use crate::support::Client;

async fn chain(client: &Client) -> Vec<String> {
    let rows = client.get("/rest/ip/firewall/filter").await.rows();
    rows.iter().map(|row| row[".id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_birth_to_death() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let body = json!({"address": "192.168.99.1/24", "interface": "guest", "comment": "visit"});
    let made = client.call("PUT", "/rest/ip/address", Some(body.clone())).await;
    assert_eq!(made.status, 201);
    let record = made.json();
    let id = record[".id"].as_str().unwrap();
    assert!(made.head.contains(&format!("location: /rest/ip/address/{}", id.to_lowercase())));
    assert_eq!((&record["network"], &record["actual-interface"]), (&json!("192.168.99.0"), &json!("guest")));
    let twice = client.call("PUT", "/rest/ip/address", Some(body)).await;
    assert_eq!(twice.detail(), "failure: already have such address");
    let path = format!("/rest/ip/address/{id}");
    let changed = client.call("PATCH", &path, Some(json!({"comment": "", "disabled": "yes"}))).await;
    assert_eq!(changed.status, 200);
    assert!(changed.json()["comment"].is_null(), "an empty comment is none");
    assert_eq!(changed.json()["disabled"], "true");
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(client.call("DELETE", &path, None).await.status, 404);
    let metal = client.call("DELETE", "/rest/interface/ethernet/*1", None).await;
    assert_eq!(metal.status, 400);
    assert_eq!(metal.detail(), "missing or invalid resource identifier");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_without_records() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    assert_eq!(
        client.post("/rest/ip/dns/set", json!({"servers": ["1.1.1.1", "9.9.9.9"]})).await.text(),
        "[]"
    );
    assert_eq!(fleet.routers()[0].read("/ip/dns")[0]["servers"], "1.1.1.1,9.9.9.9");
    client.post("/rest/system/ntp/client/set", json!({"enabled": true, "servers": "203.0.113.7"})).await;
    let ntp = client.get("/rest/system/ntp/client").await.json();
    assert_eq!((&ntp["servers"], &ntp["status"]), (&json!("203.0.113.7"), &json!("waiting")));
    let servers = client.get("/rest/system/ntp/client/servers").await.rows();
    assert_eq!(servers.len(), 1);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_keep_their_order() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let before = chain(&client).await;
    let rule = json!({"chain": "forward", "action": "drop", "src-address": "10.9.0.0/16", "place-before": before[1]});
    let made = client.call("PUT", "/rest/ip/firewall/filter", Some(rule)).await.json();
    let id = made[".id"].as_str().unwrap().to_owned();
    assert!(made["disabled"].is_null() && made["log"].is_null(), "only what was written");
    assert_eq!(chain(&client).await[1], id);
    let to = |destination: &str| json!({"numbers": id, "destination": destination});
    client.post("/rest/ip/firewall/filter/move", to(&before[0])).await;
    assert_eq!(chain(&client).await[0], id);
    client.post("/rest/ip/firewall/filter/move", to("*FFFF")).await;
    assert_eq!(chain(&client).await.last(), Some(&id), "an unknown destination is the end");
    client.post("/rest/ip/firewall/filter/move", to("2")).await;
    assert_eq!(chain(&client).await[2], id);
    let lost = json!({"numbers": "*FFFF", "destination": before[0]});
    assert_eq!(client.post("/rest/ip/firewall/filter/move", lost).await.status, 404);
    let unset = json!({"numbers": id, "value-name": "src-address"});
    assert_eq!(client.post("/rest/ip/firewall/filter/unset", unset).await.text(), "[]");
    let rule = client.get(&format!("/rest/ip/firewall/filter/{id}")).await.json();
    assert!(rule["src-address"].is_null());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_keys_and_dead_links() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let routes = client.get("/rest/ip/route").await.rows();
    let off: Vec<&Value> = routes.iter().filter(|row| row["disabled"] == "true").collect();
    assert_eq!(off.len(), 1);
    assert!(off[0]["distance"].is_null() && off[0]["routing-table"].is_null() && off[0]["active"].is_null());
    assert_eq!(off[0]["blackhole"], "");
    assert_eq!(client.call("DELETE", "/rest/ip/pool/*1", None).await.status, 204);
    assert_eq!(client.get("/rest/ip/dhcp-server").await.rows()[0]["address-pool"], "*1");
    let by_name =
        client.call("PATCH", "/rest/interface/ether1", Some(json!({"mtu": "x", "nonsense": "1"}))).await;
    assert_eq!(by_name.detail(), "missing or invalid resource identifier");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_are_one_thing_in_two_menus() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let body = json!({"name": "guest-ap", "master-interface": "wifi1", "configuration.ssid": "guests", "disabled": "no"});
    let made = client.call("PUT", "/rest/interface/wifi", Some(body)).await.json();
    let id = made[".id"].as_str().unwrap();
    let twin = client.get(&format!("/rest/interface/{id}")).await.json();
    assert_eq!((&twin["name"], &twin["type"]), (&json!("guest-ap"), &json!("wifi")));
    client.call("PATCH", &format!("/rest/interface/{id}"), Some(json!({"comment": "hi"}))).await;
    assert_eq!(client.get(&format!("/rest/interface/wifi/{id}")).await.json()["comment"], "hi");
    assert_eq!(client.call("DELETE", &format!("/rest/interface/wifi/{id}"), None).await.status, 204);
    assert_eq!(client.get(&format!("/rest/interface/{id}")).await.status, 404);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_remembers_a_hundred_and_undoes() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    for number in 0..105 {
        client.post("/rest/system/identity/set", json!({"name": format!("n{number}")})).await;
    }
    let history = client.get("/rest/system/history").await.rows();
    assert_eq!(history.len(), 100);
    assert_eq!(history[0]["undo"], "/system identity set name=n103");
    assert_eq!(client.post("/rest/undo", json!({})).await.text(), "[]");
    assert_eq!(client.get("/rest/system/identity").await.json()["name"], "n103");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_keys_never_come_back() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    assert!(!client.get("/rest/user").await.text().contains("secret"));
    let ecdsa = json!({"user": "admin", "key": "ecdsa-sha2-nistp256 AAAAE2VjZHNh x"});
    let refused = client.call("PUT", "/rest/user/ssh-keys", Some(ecdsa)).await;
    assert_eq!(refused.detail(), "unable to load key file (wrong format or bad passphrase)!");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn export_and_reading_it_in_pieces() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    assert_eq!(client.post("/rest/export", json!({"file": "before"})).await.text(), "[]");
    let mut text = String::new();
    loop {
        let ask = json!({"file": "before.rsc", "chunk-size": "1000", "offset": text.len().to_string()});
        let data = client.post("/rest/file/read", ask).await.rows()[0]["data"].as_str().unwrap().to_owned();
        if data.is_empty() {
            break;
        }
        text.push_str(&data);
    }
    assert!(text.contains("/ip dns\nset ") && text.contains("servers=192.0.2.1"), "{text}");
    assert!(!text.contains("town-wifi-key"), "secrets stay");
    let beyond = json!({"file": "before.rsc", "chunk-size": "10", "offset": "999999"});
    assert_eq!(client.post("/rest/file/read", beyond).await.detail(), "failure: chunk out of file bounds");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_records_are_there_as_they_are() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let router = &fleet.routers()[0];
    let row = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let before = client.get("/rest/system/history").await.rows().len();
    let lease = row(&[("address", "10.1.1.1"), ("host-name", "a\u{1b}[2J"), ("status", "bound")]);
    assert_eq!(router.plant("/ip/dhcp-server/lease", vec![lease]), Some(1));
    let leases = client.get("/rest/ip/dhcp-server/lease?address=10.1.1.1").await.rows();
    assert_eq!(leases[0]["status"], "bound", "{leases:?}");
    let id = leases[0][".id"].as_str().unwrap();
    assert_eq!(
        router.plant("/ip/dhcp-server/lease", vec![row(&[(".id", id), ("status", "waiting")])]),
        Some(1)
    );
    let again = client.get("/rest/ip/dhcp-server/lease?address=10.1.1.1").await.rows();
    assert_eq!((again.len(), &again[0]["status"]), (1, &json!("waiting")));
    assert_eq!(router.plant("/system/identity", vec![Vec::new()]), None, "a menu without records");
    assert_eq!(client.get("/rest/system/history").await.rows().len(), before, "nobody did it");
    // Of routes to one destination, the nearest that can be reached is active; others of that distance are as well.
    let route = |gateway: &str, distance: &str| {
        row(&[
            ("dst-address", "10.77.0.0/16"),
            ("gateway", gateway),
            ("distance", distance),
            ("routing-table", "main"),
        ])
    };
    let routes = [("192.0.2.1", "5"), ("192.0.2.1", "7"), ("203.0.113.250", "1"), ("192.0.2.1", "5")];
    let planted = routes.iter().map(|(gateway, distance)| route(gateway, distance)).collect();
    assert_eq!(router.plant("/ip/route", planted), Some(4));
    let shown = client.get("/rest/ip/route?dst-address=10.77.0.0/16").await.rows();
    let active: Vec<bool> = shown.iter().map(|row| row["active"] == "true").collect();
    assert_eq!(active, [true, false, false, true], "{shown:?}");
    fleet.stop().await;
}
