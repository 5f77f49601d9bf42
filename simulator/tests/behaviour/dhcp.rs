//! Pools, networks, servers.

use serde_json::{Value, json};
use simulator::Profile;

use crate::one;
use crate::support::Client;

async fn put(client: &Client, path: &str, body: Value) -> Result<Value, String> {
    let made = client.call("PUT", path, Some(body)).await;
    if made.status == 201 { Ok(made.json()) } else { Err(made.detail()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn pools() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let pool = |name: &str, ranges: &str| json!({"name": name, "ranges": ranges});
    let menu = "/rest/ip/pool";
    let made = put(&client, menu, pool("guests", "172.16.40.10-172.16.40.99,172.16.40.200")).await.unwrap();
    assert_eq!(made["ranges"], "172.16.40.10-172.16.40.99,172.16.40.200");
    for (body, words) in [
        (pool("guests", "10.0.0.1"), "failure: pool with such name exists"),
        (pool("", "10.0.0.1"), "invalid value for argument name"),
        (pool("p", ""), "invalid value for argument ranges"),
        (pool("p", "10.0.0.9-10.0.0.1"), "invalid value for argument ranges"),
        (pool("p", "10.0.0.1-10.0.0.9,10.0.0.5"), "invalid value for argument ranges"),
        (pool("p", "10.0.0.0/24"), "invalid value for argument ranges"),
        (
            json!({"name": "p", "ranges": "10.0.0.1", "next-pool": "nowhere"}),
            "input does not match any value of next-pool",
        ),
        (json!({"name": "p"}), "missing value(s) of argument(s) ranges"),
    ] {
        assert_eq!(put(&client, menu, body.clone()).await, Err(words.to_owned()), "{body}");
    }
    let path = format!("{menu}/{}", made[".id"].as_str().unwrap());
    let renamed = json!({"name": "dhcp_pool0"});
    let clash = client.call("PATCH", &path, Some(renamed)).await;
    assert_eq!(clash.detail(), "failure: pool with such name exists");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_goes_leaves_its_number_and_can_be_replaced() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let next = json!({"name": "second", "ranges": "10.1.1.1-10.1.1.9", "next-pool": "dhcp_pool0"});
    put(&client, "/rest/ip/pool", next).await.unwrap();
    assert_eq!(client.call("DELETE", "/rest/ip/pool/*1", None).await.status, 204);
    let server = client.get("/rest/ip/dhcp-server").await.rows()[0].clone();
    assert_eq!(server["address-pool"], "*1");
    assert_eq!(client.get("/rest/ip/pool/second").await.json()["next-pool"], "*1");
    let path = format!("/rest/ip/dhcp-server/{}", server[".id"].as_str().unwrap());
    let dead = client.call("PATCH", &path, Some(json!({"address-pool": "*1"}))).await;
    assert_eq!(dead.detail(), "input does not match any value of address-pool");
    let again = json!({"name": "dhcp_pool0", "ranges": "10.1.2.1-10.1.2.9"});
    assert_ne!(put(&client, "/rest/ip/pool", again).await.unwrap()[".id"], "*1");
    assert_eq!(client.get(&path).await.json()["address-pool"], "*1", "a namesake is somebody else");
    let mended = client.call("PATCH", &path, Some(json!({"address-pool": "dhcp_pool0"}))).await.json();
    assert_eq!(mended["address-pool"], "dhcp_pool0");
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    let leases = client.get("/rest/ip/dhcp-server/lease").await.rows();
    assert!(leases.iter().all(|lease| lease["server"] == "*1"), "{leases:?}");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_and_servers() {
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let menu = "/rest/ip/dhcp-server/network";
    let network =
        json!({"address": "172.16.40.1/24", "gateway": "172.16.40.1", "dns-server": "9.9.9.9,1.1.1.1"});
    let made = put(&client, menu, network.clone()).await.unwrap();
    assert_eq!(
        (&made["address"], &made["dns-server"]),
        (&json!("172.16.40.0/24"), &json!("9.9.9.9,1.1.1.1"))
    );
    assert_eq!((&made["ntp-server"], &made["dynamic"]), (&json!(""), &json!("false")));
    assert_eq!(put(&client, menu, network).await, Err("failure: such network already exists".into()));
    let path = format!("{menu}/{}", made[".id"].as_str().unwrap());
    let wrong = client.call("PATCH", &path, Some(json!({"gateway": "gw"}))).await;
    assert_eq!(wrong.detail(), "invalid value for argument gateway");
    // What a fresh row shows may be written, and nothing else that is empty.
    let none = client.call("PATCH", &path, Some(json!({"gateway": ""}))).await;
    assert_eq!((none.status, &none.json()["gateway"]), (200, &json!("")));
    let none = client.call("PATCH", &path, Some(json!({"address": ""}))).await;
    assert_eq!(none.detail(), "invalid value for argument address");
    let unset = json!({"numbers": made[".id"], "value-name": "dns-server"});
    assert_eq!(client.post(&format!("{menu}/unset"), unset).await.text(), "[]");
    assert_eq!(client.get(&path).await.json()["dns-server"], "");

    let menu = "/rest/ip/dhcp-server";
    let server = |name: &str, interface: &str, pool: &str| json!({"name": name, "interface": interface, "address-pool": pool, "lease-time": "00:30:00"});
    let made = put(&client, menu, server("guests", "guest", "dhcp_pool0")).await.unwrap();
    for (key, value) in [("lease-time", "30m"), ("disabled", "false"), ("invalid", "false")] {
        assert_eq!(made[key], value, "{key}");
    }
    for (body, words) in [
        (server("guests", "ether1", "dhcp_pool0"), "failure: dhcp-server with such name already exists"),
        (server("x", "guest", "dhcp_pool0"), "failure: already have dhcp-server on this interface"),
        (server("x", "ether9", "dhcp_pool0"), "input does not match any value of interface"),
        (server("x", "ether1", "nowhere"), "input does not match any value of address-pool"),
        (server("x", "ether2", "dhcp_pool0"), "failure: can not run on slave interface"),
    ] {
        assert_eq!(put(&client, menu, body.clone()).await, Err(words.to_owned()), "{body}");
    }
    let mut asleep = server("x", "ether2", "dhcp_pool0");
    asleep["disabled"] = json!("yes");
    let asleep = put(&client, menu, asleep).await.unwrap();
    assert_eq!(asleep["invalid"], "true");
    let wake = json!({"numbers": asleep[".id"]});
    let told = client.post(&format!("{menu}/enable"), wake).await;
    assert_eq!(told.detail(), "failure: can not run on slave interface");
    fleet.stop().await;
}
