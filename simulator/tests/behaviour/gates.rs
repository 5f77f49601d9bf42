//! What a health gate looks at: gauges, uptime, time, names.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, Profile, Vitals};

use crate::one;
use crate::scripts::said;
use crate::support::Client;

fn vitals(of: Value) -> Vitals {
    let mut vitals = Vitals::default();
    vitals.tamper(of.as_object().unwrap()).unwrap();
    vitals
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_show_what_they_are_told_to() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let router = &fleet.routers()[0];
    let before = client.get("/rest/system/resource").await.json();
    assert!(before["cpu-load"].as_str().unwrap().parse::<u32>().unwrap() < 10);
    let bad = json!({"cpu-load": 97, "free-memory": 1048576, "free-hdd-space": "4096", "temperature": 88});
    router.set_vitals(vitals(bad)).unwrap();
    let shown = client.get("/rest/system/resource").await.json();
    assert_eq!(
        (&shown["cpu-load"], &shown["free-memory"], &shown["free-hdd-space"]),
        (&json!("97"), &json!("1048576"), &json!("4096"))
    );
    assert_eq!(shown["total-memory"], before["total-memory"]);
    let health = client.get("/rest/system/health").await.rows();
    assert_eq!((&health[0]["name"], &health[0]["value"]), (&json!("cpu-temperature"), &json!("88")));
    assert_eq!(health[1]["value"], "no-input", "no thermometer");
    let mut vitals = router.vitals();
    vitals.tamper(json!({"temperature": null}).as_object().unwrap()).unwrap();
    assert_eq!((vitals.cpu_load, vitals.temperature), (Some(97), None), "the others stay");
    assert!(vitals.tamper(json!({"fan": 1}).as_object().unwrap()).is_err());
    assert!(vitals.tamper(json!({"cpu-load": 1, "free-memory": "much"}).as_object().unwrap()).is_err());
    assert_eq!(vitals.cpu_load, Some(97), "all or nothing");
    router.set_vitals(Vitals::default()).unwrap();
    assert_ne!(client.get("/rest/system/resource").await.json()["cpu-load"], "97");
    fleet.stop().await;
    let (fleet, _) = one(Profile::Chr7_12_2).await;
    let told = fleet.routers()[0].set_vitals(Vitals { temperature: Some(90), ..Vitals::default() });
    assert_eq!(told, Err("this box has no thermometer".to_owned()));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn degraded_from_the_second_write_on() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = &fleet.routers()[0];
    let load =
        async || client.get("/rest/system/resource").await.json()["cpu-load"].as_str().unwrap().to_owned();
    router.inject(Fault::Degrade(Vitals { cpu_load: Some(96), ..Vitals::default() }).after(1).times(1));
    client.post("/rest/ip/dns/set", json!({"servers": "9.9.9.9"})).await;
    assert_ne!(load().await, "96");
    assert_eq!(client.post("/rest/ip/dns/set", json!({"servers": "1.1.1.1"})).await.text(), "[]");
    assert_eq!(router.read("/ip/dns")[0]["servers"], "1.1.1.1", "the write itself is carried out");
    assert_eq!(load().await, "96");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_found_again_after_a_while() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let status = || router.read("/system/ntp/client")[0]["status"].as_str().unwrap().to_owned();
    let becomes = async |wanted: &str| {
        while status() != wanted {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(status(), "synchronized", "for days");
    let set = |servers: &str| json!({"enabled": "yes", "servers": servers});
    client.post("/rest/system/ntp/client/set", set("203.0.113.7")).await;
    let since = router.router_time();
    assert_eq!(status(), "waiting");
    while router.router_time() < since + Duration::from_secs(120) {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(), "waiting", "nobody answers there");
    client.post("/rest/system/ntp/client/set", set("203.0.113.7,9.9.9.9")).await;
    becomes("synchronized").await;
    assert_eq!(router.read("/system/ntp/client")[0]["synced-server"], "9.9.9.9");
    client.post("/rest/system/ntp/client/set", json!({"enabled": "no"})).await;
    assert_eq!(status(), "stopped");
    assert!(router.read("/system/ntp/client")[0].get("synced-server").is_none());
    // The rows of the servers menu are the same list.
    client.post("/rest/system/ntp/client/set", set("203.0.113.7")).await;
    let row = json!({"address": "1.1.1.1"});
    assert_eq!(client.call("PUT", "/rest/system/ntp/client/servers", Some(row)).await.status, 201);
    becomes("synchronized").await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_begins_uptime_and_time_anew() {
    let spec = vec![simulator::BoxSpec::new("box", Profile::Ccr7_24).plain()];
    let fleet = crate::support::fleet(spec, 1.0).await;
    let router = fleet.routers()[0].clone();
    let uptime = || router.read("/system/resource")[0]["uptime"].as_str().unwrap().to_owned();
    assert!(uptime().contains('d'));
    router.set_vitals(Vitals { cpu_load: Some(97), ..Vitals::default() }).unwrap();
    router.reboot(Duration::from_millis(10)).await;
    router.is_up().await;
    assert!(uptime().len() <= 3 && uptime().ends_with('s'), "{}", uptime());
    assert_eq!(router.read("/system/ntp/client")[0]["status"], "waiting");
    assert_eq!(router.read("/system/resource")[0]["cpu-load"], "97", "the reason is still there");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_through_one_server() {
    let (fleet, _) = one(Profile::Ccr7_24).await;
    let router = &fleet.routers()[0];
    let client = Client::rw(router);
    let failed = "failure: dns server failure";
    for (script, told) in [
        (":put [:resolve download.mikrotik.com server=9.9.9.9]", "159.148.147.251"),
        (":put [:resolve domain-name=\"download.mikrotik.com\" server=\"9.9.9.9\"]", "159.148.147.251"),
        (":put [:resolve \"mikrotik.com\" server=1.1.1.1]", "93.184.215.14"),
        (":put [:resolve mikrotik.com server=203.0.113.1]", failed),
        (":put [:resolve nothing.invalid server=9.9.9.9]", "failure: dns name does not exist"),
        (":put [:resolve mikrotik.com server=dns.example]", "invalid value for argument server"),
        (":resolve mikrotik.com server=9.9.9.9", ""),
        (":do { :resolve mikrotik.com server=203.0.113.1; :put ok } on-error={ :put dead }", "dead"),
    ] {
        assert_eq!(said(&client, script).await, told, "{script}");
    }
    // Without a server the box asks its own.
    assert_eq!(said(&client, ":put [:resolve mikrotik.com]").await, "93.184.215.14");
    client.post("/rest/ip/dns/set", json!({"servers": "203.0.113.1"})).await;
    assert_eq!(said(&client, ":put [:resolve mikrotik.com]").await, failed);
    client.post("/rest/ip/dns/set", json!({"servers": "203.0.113.1,8.8.8.8"})).await;
    assert_eq!(said(&client, ":put [:resolve mikrotik.com]").await, "93.184.215.14");
    fleet.stop().await;
}
