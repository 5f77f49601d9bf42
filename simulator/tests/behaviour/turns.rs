//! Whose turn it is: queues, the wall, logins.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;
use simulator::{BoxSpec, Entry, Profile, Router};

use crate::one_at;
use crate::support::{Client, fleet};

/// Waits until the journal shows what is looked for; nextest's own limit bounds it.
async fn until(router: &Router, seen: impl Fn(&[Entry]) -> bool) {
    while !seen(&router.journal()) {
        tokio::task::yield_now().await;
    }
}

/// Waits until a user's first request runs: it logs in only when it has its turn.
async fn until_running(router: &Router) {
    while router.read("/user/active").is_empty() {
        tokio::task::yield_now().await;
    }
}

fn ping(count: u32) -> serde_json::Value {
    json!({"address": "1.1.1.1", "count": count})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_waits_another_does_not() {
    let fleet = fleet(vec![BoxSpec::new("box", Profile::Ccr7_24).plain()], 0.001).await;
    let router = fleet.routers()[0].clone();
    let (rw, ro) = (Client::rw(&router), Client::ro(&router));
    // On a clock that nearly stands still the ping goes on for as long as the test looks.
    let long = tokio::spawn({
        let rw = rw.clone();
        async move { rw.post("/rest/tool/ping", ping(40)).await }
    });
    until_running(&router).await;
    let queued = tokio::spawn({
        let rw = rw.clone();
        async move { rw.get("/rest/system/identity").await }
    });
    until(&router, |journal| journal.len() == 2).await;
    assert_eq!(ro.get("/rest/system/identity").await.status, 200);
    let status = |journal: &[Entry], path: &str, user: &str| {
        journal.iter().find(|entry| entry.path == path && entry.user == user).map_or(0, |entry| entry.status)
    };
    let journal = router.journal();
    // The other user is through although the first one's ping and what waits behind it are not.
    assert_eq!(status(&journal, "/rest/system/identity", "appliance-ro"), 200);
    assert_eq!(status(&journal, "/rest/tool/ping", "appliance-rw"), 0);
    assert_eq!(status(&journal, "/rest/system/identity", "appliance-rw"), 0);
    assert!(!long.is_finished() && !queued.is_finished());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_seconds_and_no_more() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 60.0).await;
    let router = fleet.routers()[0].clone();
    let before = router.router_time();
    let endless = tokio::spawn({
        let client = client.clone();
        async move { client.post("/rest/tool/ping", json!({"address": "1.1.1.1"})).await }
    });
    until_running(&router).await;
    let queued = client.get("/rest/system/identity").await;
    let endless = endless.await.unwrap();
    for closed in [&endless, &queued] {
        assert_eq!(closed.text(), r#"{"detail":"Session closed","error":400,"message":"Bad Request"}"#);
        assert_eq!(closed.status, 400);
    }
    assert!(router.router_time() - before >= std::time::Duration::from_secs(60));
    assert_eq!(client.get("/rest/system/identity").await.status, 200, "the next one is fine");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_does_not_stop_the_command() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 20.0).await;
    let router = fleet.routers()[0].clone();
    let body = json!({"script": ":delay 10s; /system identity set name=late", "as-string": ""}).to_string();
    let mut stream = TcpStream::connect(client.address).unwrap();
    let headers = "Content-Type: application/json\r\n";
    stream.write_all(client.request("POST", "/rest/execute", headers, &body).as_bytes()).unwrap();
    until_running(&router).await;
    drop(stream);
    // Waits its turn behind the command nobody listens to any more.
    assert_eq!(client.get("/rest/system/identity").await.json()["name"], "late");
    assert_eq!(router.journal()[0].status, 200);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_lasts_ten_minutes() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 1.0).await;
    let router = fleet.routers()[0].clone();
    let ro = Client::ro(&router);
    ro.get("/rest/system/identity").await;
    ro.get("/rest/system/identity").await;
    let logins = |rows: &[serde_json::Map<String, serde_json::Value>]| {
        rows.iter()
            .filter(|row| {
                row["message"].as_str().is_some_and(|text| text.contains("user appliance-ro logged in"))
            })
            .count()
    };
    assert_eq!(logins(&router.read("/log")), 1, "one line a login, not a request");
    assert_eq!(router.read("/user/active").len(), 2, "two rows a login");
    // Rights change with the next login, passwords with the next request.
    let group =
        router.read("/user/group").iter().find(|row| row["name"] == "appliance-ro-group").cloned().unwrap();
    let id = group[".id"].as_str().unwrap();
    router.change_behind_back("/user/group", Some(id), &[("policy", "read")]).unwrap();
    assert_eq!(ro.get("/rest/system/identity").await.status, 200);
    router.change_behind_back("/user", Some("appliance-ro"), &[("password", "other")]).unwrap();
    assert_eq!(ro.get("/rest/system/identity").await.status, 401);
    drop(client);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_change_when_the_login_is_renewed() {
    let (fleet, _) = one_at(Profile::Ccr7_24, 1_000.0).await;
    let router = fleet.routers()[0].clone();
    let ro = Client::ro(&router);
    let since = router.router_time();
    assert_eq!(ro.get("/rest/system/identity").await.status, 200);
    router.change_behind_back("/user/group", Some("appliance-ro-group"), &[("policy", "read")]).unwrap();
    let refused = loop {
        let answer = ro.get("/rest/system/identity").await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert!(router.router_time() - since >= std::time::Duration::from_secs(600));
    assert_eq!(refused.detail(), "std failure: not allowed (9)");
    fleet.stop().await;
}
