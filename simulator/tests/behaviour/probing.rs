//! ping, traceroute, bandwidth-test, monitor-traffic, and what changes by itself.

use serde_json::json;
use simulator::{BoxSpec, Profile};

use crate::support::{Client, fleet};
use crate::{one, one_at};

#[tokio::test(flavor = "multi_thread")]
async fn pings_sum_up() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    for path in ["/rest/ping", "/rest/tool/ping"] {
        let rows = client.post(path, json!({"address": "9.9.9.9", "count": "4"})).await.rows();
        assert_eq!(rows.len(), 4);
        let last = &rows[3];
        assert_eq!(
            (&last["sent"], &last["received"], &last["packet-loss"]),
            (&json!("4"), &json!("4"), &json!("0"))
        );
    }
    let before = fleet.routers()[0].router_time();
    let lost = client.post("/rest/tool/ping", json!({"address": "203.0.113.99", "count": 2})).await.rows();
    assert!(fleet.routers()[0].router_time() - before >= std::time::Duration::from_secs(2));
    assert_eq!(lost[1]["status"], "timeout");
    assert_eq!(lost[1]["packet-loss"], "100");
    assert!(lost[1]["time"].is_null() && lost[1]["ttl"].is_null() && lost[1]["size"].is_null());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_come_in_sections() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let once = client
        .post("/rest/interface/monitor-traffic", json!({"interface": "ether1", "once": ""}))
        .await
        .rows();
    assert_eq!(once.len(), 1);
    assert!(once[0][".section"].is_null());
    let ask = json!({"interface": "ether1", "duration": "3s"});
    let three = client.post("/rest/interface/monitor-traffic", ask).await.rows();
    assert_eq!(
        three.iter().map(|row| row[".section"].as_str().unwrap()).collect::<Vec<_>>(),
        ["0", "1", "2"]
    );
    let unknown =
        client.post("/rest/interface/monitor-traffic", json!({"interface": "eth9", "once": ""})).await;
    assert_eq!(unknown.detail(), "input does not match any value of interface");
    let never =
        client.post("/rest/interface/monitor-traffic", json!({"interface": "ether1", "once": "false"})).await;
    assert_eq!(never.detail(), "Session closed");
    let trace = client.post("/rest/tool/traceroute", json!({"address": "1.1.1.1", "count": 2})).await.rows();
    assert_eq!(trace.last().unwrap()["address"], "1.1.1.1");
    assert_eq!(trace.iter().filter(|row| row[".section"] == "1").count() * 2, trace.len());
    let test = json!({"address": "192.0.2.1", "duration": "3s", "user": "u", "password": "wrong"});
    let told = client.post("/rest/tool/bandwidth-test", test).await.rows();
    assert_eq!(told.last().unwrap()["status"], "authentication failed");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_uptime_services_and_log() {
    let boxes = vec![BoxSpec::new("box", Profile::Ccr7_24).plain().overloaded()];
    let fleet = fleet(boxes, 100.0).await;
    let client = Client::admin(&fleet.routers()[0]);
    assert_eq!(client.get("/rest/system/resource").await.json()["cpu-load"], "97");
    let own = |rows: &[serde_json::Value]| {
        let row = rows.iter().find(|row| row["dynamic"] == "true").expect("our own connection");
        row[".id"].as_str().unwrap().to_owned()
    };
    let first = own(&client.get("/rest/ip/service").await.rows());
    let second = own(&client.get("/rest/ip/service").await.rows());
    assert_ne!(first, second, "dynamic ids never repeat");
    assert_eq!(client.get("/rest/ip/service?dynamic=false").await.rows().len(), 8);
    client.post("/rest/log/warning", json!({"message": "mark"})).await;
    let log = client.get("/rest/log").await.rows();
    assert_eq!(log.last().unwrap()["message"], "mark", "oldest first");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_with_a_time_go_by_themselves() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 0.1).await;
    let entry = json!({"list": "mcp-x", "address": "203.0.113.80", "timeout": "1d"});
    let made = client.call("PUT", "/rest/ip/firewall/address-list", Some(entry)).await.json();
    assert_eq!((&made["dynamic"], &made["timeout"]), (&json!("true"), &json!("1d")));
    fleet.stop().await;
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let brief = json!({"list": "mcp-y", "address": "203.0.113.81", "timeout": "5s"});
    client.call("PUT", "/rest/ip/firewall/address-list", Some(brief)).await;
    client.post("/rest/tool/ping", json!({"address": "1.1.1.1", "count": 6})).await;
    assert_eq!(client.get("/rest/ip/firewall/address-list?list=mcp-y").await.text(), "[]");
    fleet.stop().await;
}
