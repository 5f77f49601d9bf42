//! Faults, reboots, keys.

use std::time::Duration;

use serde_json::json;
use simulator::{BoxSpec, Fault, Fleet, FleetOptions, Profile};

use crate::one;
use crate::support::{Client, fleet};

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_once() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = &fleet.routers()[0];
    let dns = "/rest/ip/dns";
    let set = |server: &str| Some(json!({"servers": server}));
    let path = "/rest/ip/dns/set";
    router.inject(Fault::DropAnswerAfterApply.on("POST", dns).times(1));
    assert!(client.try_call("POST", path, set("1.1.1.1")).await.is_none());
    assert_eq!(router.read("/ip/dns")[0]["servers"], "1.1.1.1", "applied, though nobody was told");
    router.inject(Fault::DropBeforeApply.times(1));
    assert!(client.try_call("POST", path, set("8.8.8.8")).await.is_none());
    assert_eq!(router.read("/ip/dns")[0]["servers"], "1.1.1.1");
    let last = router.journal().last().cloned().unwrap();
    assert!(!last.changed && !last.answered);
    router.inject(Fault::RefuseWrites("failure: not now".into()).times(1));
    assert_eq!(client.get(dns).await.status, 200, "reads pass");
    assert_eq!(client.call("POST", path, set("8.8.8.8")).await.detail(), "failure: not now");
    router.inject(Fault::RefuseByPolicy.times(1));
    assert_eq!(client.call("POST", path, set("8.8.8.8")).await.status, 500);
    router.inject(Fault::Status(502, "gone".into()).times(1));
    assert_eq!(client.get(dns).await.status, 502);
    router.inject(Fault::Html.times(1));
    assert!(client.get(dns).await.text().starts_with("<html>"));
    router.inject(Fault::HalfJson.times(1));
    assert!(serde_json::from_slice::<serde_json::Value>(&client.get(dns).await.bytes).is_err());
    router.inject(Fault::EmptyAnswer.times(1));
    assert!(client.get(dns).await.bytes.is_empty());
    router.inject(Fault::WrongDataAfterBoot.times(1));
    assert!(client.get(dns).await.json().is_array());
    router.inject(Fault::SlowBytes(Duration::from_millis(10)).times(1));
    assert_eq!(client.get(dns).await.json()["servers"], "1.1.1.1");
    router.inject(Fault::Latency(Duration::from_secs(5)).times(1));
    assert_eq!(client.get(dns).await.status, 200);
    router.inject(Fault::ResetConnection.times(1));
    assert!(client.try_call("GET", dns, None).await.is_none());
    let props = vec![("servers".to_owned(), "5.5.5.5".to_owned())];
    router.inject(Fault::ChangeBehindBackBeforeRead { menu: "/ip/dns".into(), props }.times(1));
    assert_eq!(client.get("/rest/system/identity").await.status, 200);
    assert_eq!(client.get(dns).await.json()["servers"], "5.5.5.5");
    router.inject(Fault::Html);
    router.clear_faults();
    assert_eq!(client.get(dns).await.json()["servers"], "5.5.5.5");
    let orders: Vec<u64> = router.journal().iter().map(|entry| entry.order).collect();
    assert!(orders.is_sorted());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_waits_for_its_release_and_nothing_else() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let dns = "/rest/ip/dns";
    router.inject(Fault::Hold.on("POST", dns));
    router.inject(Fault::Html.on("GET", "/rest/system/identity"));
    let held = |server: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.post("/rest/ip/dns/set", json!({"servers": server})).await.status })
    };
    let first = held("9.9.9.9");
    let waits = |count: usize| {
        let arrived = router.journal().iter().filter(|entry| entry.method == "POST").count();
        arrived == count
    };
    while !waits(1) {
        tokio::task::yield_now().await;
    }
    // Others pass, and a minute of the router's does not let it go.
    assert_ne!(client.get(dns).await.json()["servers"], "9.9.9.9");
    client.post("/rest/execute", json!({"script": ":delay 60s", "as-string": ""})).await;
    assert!(!first.is_finished());
    router.release();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(router.read("/ip/dns")[0]["servers"], "9.9.9.9");
    assert!(client.get("/rest/system/identity").await.text().starts_with("<html>"), "other faults stay");
    assert_eq!(held("1.1.1.1").await.unwrap(), 200, "nothing more is held");
    // The end of all faults is a release as well.
    router.inject(Fault::Hold.on("POST", dns).times(1));
    let second = held("8.8.8.8");
    while !waits(4) {
        tokio::task::yield_now().await;
    }
    router.clear_faults();
    assert_eq!(second.await.unwrap(), 200);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_loses_what_is_volatile_and_dazes() {
    let spec = vec![BoxSpec::new("box", Profile::Ccr7_24).plain()];
    let options = FleetOptions { clock_scale: 3.0, ..FleetOptions::default() };
    let fleet = Fleet::start_with(spec, options).await.unwrap();
    let router = fleet.routers()[0].clone();
    let client = Client::admin(&router);
    client.post("/rest/ip/dns/set", json!({"servers": "9.9.9.9"})).await;
    client.post("/rest/execute", json!({"script": ":delay 1d"})).await;
    router.reboot(Duration::from_millis(300)).await;
    assert!(client.try_call("GET", "/", None).await.is_none(), "refused while down");
    router.is_up().await;
    let mut dazed = 0;
    let uptime = loop {
        let answer = client.get("/rest/system/resource").await;
        match answer.json()["uptime"].as_str() {
            Some(uptime) => break uptime.to_owned(),
            None => dazed += 1,
        }
    };
    assert!(dazed > 0, "the first answers are nonsense");
    assert!(!uptime.contains('d'), "{uptime}");
    assert_eq!(client.get("/rest/ip/dns").await.json()["servers"], "9.9.9.9");
    assert_eq!(client.get("/rest/system/script/job").await.text(), "[]");
    assert_eq!(client.get("/rest/system/history").await.text(), "[]");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_pinned_and_can_change() {
    let fleet =
        fleet(vec![BoxSpec::new("a", Profile::Ccr7_24), BoxSpec::new("b", Profile::Ccr7_24)], 1.0).await;
    let (a, b) = (&fleet.routers()[0], &fleet.routers()[1]);
    assert_eq!(a.spki_sha256(), a.spki_sha256());
    assert_ne!(a.spki_sha256(), b.spki_sha256());
    let before = (a.spki_sha256(), a.certificate_der());
    a.change_tls_key();
    assert_ne!(before, (a.spki_sha256(), a.certificate_der()));
    fleet.stop().await;
}
