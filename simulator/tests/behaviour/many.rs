//! Large routers, made in one stroke.

use serde_json::{Value, json};
use simulator::{Fault, Profile};

use crate::one;

fn pattern(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_rules_leases_and_routes() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let before = router.read("/ip/firewall/filter").len();
    let rules = pattern(&[
        ("chain", "forward"),
        ("action", "drop"),
        ("src-address", "$(net 10.200.0.9/24)"),
        ("comment", "rule $(n)"),
        ("bytes", "$(n)"),
    ]);
    assert_eq!(router.seed("/ip/firewall/filter", 3_000, &rules), Ok(before + 3_000));
    let leases = pattern(&[
        ("address", "$(ip 10.100.8.0)"),
        ("mac-address", "$(mac)"),
        ("server", "dhcp1"),
        ("status", "bound"),
        ("dynamic", "true"),
        ("active-address", "$(ip 10.100.8.0)"),
    ]);
    router.seed("/ip/dhcp-server/lease", 5_000, &leases).unwrap();
    let routes = pattern(&[("dst-address", "$(net 20.0.0.0/24)"), ("gateway", "192.0.2.1")]);
    router.seed("/ip/route", 100_000, &routes).unwrap();

    let rows = client.get("/rest/ip/firewall/filter").await.rows();
    assert_eq!(rows.len(), before + 3_000);
    let last: &Value = rows.last().unwrap();
    assert_eq!((&last["comment"], &last["src-address"]), (&json!("rule 2999"), &json!("10.211.183.0/24")));
    assert_eq!((&last["bytes"], &last["packets"]), (&json!("2999"), &json!("0")));
    assert!(client.get("/rest/ip/dhcp-server/lease").await.rows().len() >= 5_000);
    let count = client.post("/rest/ip/route/print", json!({"count-only": ""})).await.json();
    assert_eq!(count["ret"], router.read("/ip/route").len().to_string());
    let some = json!({".query": ["dst-address=21.134.159.0/24"], ".proplist": ["active", "distance"]});
    let found = client.post("/rest/ip/route/print", some).await.rows();
    assert_eq!((found.len(), &found[0]["active"], &found[0]["distance"]), (1, &json!("true"), &json!("1")));
    // Such a box still takes a change, and still answers.
    let one = json!({"dst-address": "30.0.0.0/8", "gateway": "192.0.2.1"});
    assert_eq!(client.call("PUT", "/rest/ip/route", Some(one)).await.status, 201);
    // What no box would take is taken by none.
    let wrong = pattern(&[("chain", "forward"), ("dst-port", "80")]);
    assert!(router.seed("/ip/firewall/filter", 10, &wrong).is_err());
    assert_eq!(router.read("/ip/firewall/filter").len(), before + 3_000);
    assert!(router.seed("/ip/dns", 1, &wrong).is_err() && router.seed("/nonsense", 1, &wrong).is_err());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_lies_about_a_write() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    router.inject(Fault::ForgetWrite.times(1));
    let body = json!({"address": "10.9.9.9/24", "interface": "guest"});
    let told = client.call("PUT", "/rest/ip/address", Some(body.clone())).await;
    assert_eq!((told.status, &told.json()["network"]), (201, &json!("10.9.9.0")));
    let id = told.json()[".id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/rest/ip/address/{id}")).await.status, 404, "said, not done");
    assert!(router.journal().iter().all(|entry| !entry.changed));
    router.inject(Fault::NoWithChange("failure: no".into()).times(1));
    let told = client.call("PUT", "/rest/ip/address", Some(body.clone())).await;
    assert_eq!((told.status, told.detail().as_str()), (400, "failure: no"));
    let twice = client.call("PUT", "/rest/ip/address", Some(body)).await;
    assert_eq!(twice.detail(), "failure: already have such address", "refused, and done");
    fleet.stop().await;
}
