//! execute, jobs, timers, the scheduler.

use serde_json::{Value, json};
use simulator::{Profile, Router};

use crate::support::Client;
use crate::{one, one_at};

pub async fn said(client: &Client, script: &str) -> String {
    let answer = client.post("/rest/execute", json!({"script": script, "as-string": "yes"})).await;
    assert_eq!(answer.status, 200);
    answer.json()["ret"].as_str().unwrap().to_owned()
}

async fn until_identity(router: &Router, name: &str) {
    while router.read("/system/identity")[0]["name"] != name {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_look_before_they_act() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    assert_eq!(said(&client, ":put [/ip/dns/get servers]").await, "192.0.2.1");
    let add = ":if ([:len [/ip/address find comment=\"mcp x\"]] = 0) do={ /ip address add address=10.66.0.1/24 interface=guest comment=\"mcp x\" }";
    said(&client, add).await;
    said(&client, add).await;
    assert_eq!(client.get("/rest/ip/address?comment=mcp%20x").await.rows().len(), 1);
    said(&client, "/ip address remove [find comment=\"mcp x\"]").await;
    assert_eq!(client.get("/rest/ip/address?comment=mcp%20x").await.text(), "[]");
    said(&client, "/ip address remove [find comment=\"mcp x\"]").await;
    let refused = said(&client, "/ip/dns/set servers=nonsense").await;
    assert_eq!(refused, "invalid value for argument servers", "refused with status 200");
    assert!(said(&client, "/ip/dns/frobnicate").await.starts_with("bad command name frobnicate"));
    assert_eq!(said(&client, ":do { /ip/dns/set servers=x } on-error={ :put caught }").await, "caught");
    assert!(said(&client, ":put [:resolve example.com server=9.9.9.9]").await.contains(':'));
    assert_eq!(said(&client, ":resolve example.com server=203.0.113.1").await, "failure: dns server failure");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_unless_it_is_taken_away() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let timer = json!({"script": ":delay 30s; /system identity set name=back"});
    client.post("/rest/execute", timer).await;
    until_identity(&router, "back").await;
    fleet.stop().await;
    // On a clock that stands nearly still the timer is taken away before it can fire.
    let (fleet, client) = one_at(Profile::Ccr7_24, 0.001).await;
    let timer = json!({"script": ":delay 30s; /system identity set name=back"});
    let id = client.post("/rest/execute", timer).await.json()["ret"].as_str().unwrap().to_owned();
    let jobs = client.get("/rest/system/script/job").await.rows();
    assert_eq!(jobs[0][".id"], Value::String(id.clone()));
    let path = format!("/rest/system/script/job/{id}");
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(client.call("DELETE", &path, None).await.status, 404);
    assert_eq!(client.get("/rest/system/script/job").await.text(), "[]");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_runs_where_it_is_allowed() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let entry = json!({
        "name": "undo", "interval": "20s",
        "on-event": "/system identity set name=scheduled; /system scheduler remove [find name=undo]",
    });
    assert_eq!(client.call("PUT", "/rest/system/scheduler", Some(entry)).await.status, 201);
    until_identity(&fleet.routers()[0], "scheduled").await;
    while !fleet.routers()[0].read("/system/scheduler").is_empty() {
        tokio::task::yield_now().await;
    }
    fleet.stop().await;
}
