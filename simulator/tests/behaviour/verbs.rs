//! Methods, statuses, bodies.

use serde_json::json;
use simulator::{BoxSpec, Profile, User};

use crate::one;
use crate::support::{Client, fleet};

#[tokio::test(flavor = "multi_thread")]
async fn the_front_door() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let stranger = Client { login: "admin:wrong".into(), ..client.clone() };
    let refused = stranger.get("/rest/system/identity").await;
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate: basic"));
    assert_eq!(stranger.get("/").await.status, 200);
    assert_eq!(client.call("OPTIONS", "/rest/ip/dns", None).await.status, 503);
    assert_eq!(client.call("HEAD", "/rest/ip/dns", None).await.status, 501);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_of_reading() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    assert!(client.get("/rest/system/identity").await.json().is_object());
    assert!(client.get("/rest/interface").await.json().is_array());
    assert_eq!(client.get("/rest/ip/address?interface=nowhere").await.text(), "[]");
    let ethers = client.get("/rest/interface?type=ether&running=true&.proplist=name,mtu").await.rows();
    assert!(!ethers.is_empty());
    let mut keys: Vec<&str> = ethers[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, [".id", "mtu", "name"]);
    for row in client.get("/rest/ip/route").await.rows() {
        assert!(row.as_object().unwrap().values().all(serde_json::Value::is_string));
    }
    let named = client.get("/rest/interface/sfp-sfpplus1%20to%20core%2F1").await;
    assert_eq!(named.json()["name"], "sfp-sfpplus1 to core/1");
    assert_eq!(client.get("/rest/interface/*FFFF").await.status, 404);
    assert_eq!(client.get("/rest/interface/*FFFF").await.text(), r#"{"error":404,"message":"Not Found"}"#);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_in_the_routers_words() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let cases = [
        ("GET", "/rest/ip/address/%2A1", None, 400, "no such command prefix"),
        ("GET", "/rest/ip/nonsense", None, 400, "no such command or directory (nonsense)"),
        ("GET", "/rest/interface/wireless", None, 400, "no such command or directory (wireless)"),
        (
            "POST",
            "/rest/ping",
            Some(json!({"address": "1.1.1.1", "count": 1})),
            400,
            "no such command or directory (ping)",
        ),
        ("GET", "/rest/ip/dns/set", None, 400, "no such command"),
        ("GET", "/rest/interface/monitor-traffic", None, 400, "no such command"),
        (
            "PATCH",
            "/rest/ip/dns",
            Some(json!({"servers": "9.9.9.9"})),
            400,
            "missing or invalid resource identifier",
        ),
        ("DELETE", "/rest/interface/bridge/*FF", None, 404, ""),
        (
            "PUT",
            "/rest/ip/address",
            Some(json!({"address": "10.0.0.1/24", "interface": "nope"})),
            400,
            "input does not match any value of interface",
        ),
        (
            "PUT",
            "/rest/ip/address",
            Some(json!({"address": "10.0.0.1/24", "interface": "guest", "color": "red"})),
            400,
            "unknown parameter color",
        ),
        (
            "PUT",
            "/rest/ip/address",
            Some(json!({"interface": "guest"})),
            400,
            "missing value(s) of argument(s) address",
        ),
        (
            "POST",
            "/rest/ip/dns/set",
            Some(json!({"servers": "one"})),
            400,
            "invalid value for argument servers",
        ),
        (
            "PUT",
            "/rest/ip/firewall/address-list",
            Some(json!({"list": "blocked", "address": "203.0.113.45"})),
            400,
            "failure: already have such entry",
        ),
    ];
    for (method, path, body, status, detail) in cases {
        let told = client.call(method, path, body).await;
        assert_eq!((told.status, told.detail().as_str()), (status, detail), "{method} {path}");
        assert_eq!(told.json()["error"], json!(status));
    }
    let plain = client.raw("POST", "/rest/ip/dns/set", "Content-Type: text/plain\r\n", "{}").unwrap();
    assert_eq!(plain.status, 415);
    let broken =
        client.raw("POST", "/rest/ip/dns/set", "Content-Type: application/json\r\n", "{\"a\":1e3}").unwrap();
    assert_eq!((broken.status, broken.detail().as_str()), (400, "Failed to parse json"));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn print_filters_and_counts() {
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let count = client.post("/rest/ip/route/print", json!({"count-only": ""})).await;
    assert_eq!(count.text(), r#"{"ret":"6"}"#);
    let body = json!({".proplist": ["name"], ".query": ["type=bridge", "type=vlan", "#|"]});
    let rows = client.post("/rest/interface/print", body).await.rows();
    assert_eq!(rows.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), ["bridge", "guest"]);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies() {
    let half = User::new("half", "x", &["read", "write", "rest-api"]);
    let box_ = BoxSpec::new("box", Profile::Rb7_20_8).plain().user(half);
    let fleet = fleet(vec![box_], 100.0).await;
    let router = &fleet.routers()[0];
    let half = Client::new(router, "half", "x").get("/rest/system/identity").await;
    assert_eq!((half.status, half.detail().as_str()), (500, "std failure: not allowed (9)"));
    let ro = Client::ro(router);
    let refused = ro.post("/rest/ip/dns/set", json!({"servers": "9.9.9.9"})).await;
    assert_eq!((refused.status, refused.detail().as_str()), (500, "not enough permissions (9)"));
    let patch = ro.call("PATCH", "/rest/interface/*1", Some(json!({"comment": "x"}))).await;
    assert_eq!((patch.status, patch.detail().as_str()), (400, "missing or invalid resource identifier"));
    let rw = Client::rw(router);
    assert_eq!(rw.post("/rest/ip/dns/set", json!({"servers": "9.9.9.9"})).await.text(), "[]");
    let timer = json!({"name": "t", "interval": "1m", "on-event": ":log info x"});
    assert_eq!(rw.call("PUT", "/rest/system/scheduler", Some(timer)).await.status, 500);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_can_be_switched_off_from_7_21() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    fleet.routers()[0].change_behind_back("/ip/service/webserver", None, &[("rest-plain", "no")]).unwrap();
    let refused = client.get("/rest/system/identity").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().starts_with("<html>"));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn awkward_bytes() {
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let control = client.get("/rest/ip/address").await.bytes;
    assert!(control.contains(&1), "a raw control character");
    assert!(serde_json::from_slice::<serde_json::Value>(&control).is_err());
    fleet.stop().await;
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let foreign = client.get("/rest/interface").await.bytes;
    assert!(String::from_utf8(foreign).is_err(), "a byte that is no UTF-8");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_differ() {
    let (fleet, client) = one(Profile::Chr7_12_2).await;
    assert_eq!(
        client.get("/rest/system/routerboard").await.detail(),
        "no such command or directory (routerboard)"
    );
    assert_eq!(client.get("/rest/system/health").await.text(), "[]");
    assert_eq!(client.get("/rest/interface/wifi").await.status, 400);
    assert!(!client.get("/rest/interface/wireless").await.rows().is_empty());
    let vrf = client.post("/rest/ip/dns/set", json!({"vrf": "main"})).await;
    assert_eq!(vrf.detail(), "unknown parameter vrf");
    fleet.stop().await;
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let timer = json!({"name": "t", "interval": "1m", "on-event": ":log info x"});
    let refused = client.call("PUT", "/rest/system/scheduler", Some(timer)).await;
    assert_eq!(refused.detail(), "failure: not allowed by device-mode");
    let test = json!({"address": "192.0.2.1", "duration": "2s"});
    assert_eq!(
        client.post("/rest/tool/bandwidth-test", test).await.detail(),
        "failure: not allowed by device-mode"
    );
    let fetch = json!({"url": "http://192.0.2.1/"});
    assert_eq!(client.post("/rest/tool/fetch", fetch).await.detail(), "failure: not allowed by device-mode");
    fleet.stop().await;
}
