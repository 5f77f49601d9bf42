//! Bridges and their ports.

use serde_json::{Value, json};
use simulator::Profile;

use crate::one;
use crate::support::Client;

const PORT: &str = "/rest/interface/bridge/port";

async fn port(client: &Client, body: Value) -> Result<Value, String> {
    let made = client.call("PUT", PORT, Some(body)).await;
    if made.status == 201 { Ok(made.json()) } else { Err(made.detail()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_takes_its_interface() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let vlan = json!({"name": "v50", "interface": "ether1", "vlan-id": 50});
    client.call("PUT", "/rest/interface/vlan", Some(vlan)).await;
    let address = json!({"address": "10.50.0.1/24", "interface": "v50"});
    client.call("PUT", "/rest/ip/address", Some(address)).await;
    let made = port(&client, json!({"bridge": "bridge", "interface": "v50"})).await.unwrap();
    for (key, value) in [
        ("pvid", "1"),
        ("priority", "0x80"),
        ("horizon", "none"),
        ("edge", "auto"),
        ("frame-types", "admit-all"),
        ("disabled", "false"),
        ("dynamic", "false"),
        ("inactive", "false"),
        ("role", "designated-port"),
        ("forwarding", "true"),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    assert_eq!(client.get("/rest/interface/v50").await.json()["slave"], "true");
    let address = client.get("/rest/ip/address?interface=v50").await.rows()[0].clone();
    assert_eq!((&address["slave"], &address["actual-interface"]), (&json!("true"), &json!("bridge")));
    assert_eq!(client.get("/rest/ip/route?dst-address=10.50.0.0/24").await.text(), "[]");
    // Switched off, a port lets go of its interface, but nobody else gets it.
    let path = format!("{PORT}/{}", made[".id"].as_str().unwrap());
    let off = client.call("PATCH", &path, Some(json!({"disabled": "yes", "pvid": 7}))).await.json();
    assert_eq!(
        (&off["inactive"], &off["role"], &off["pvid"]),
        (&json!("true"), &json!("disabled-port"), &json!("7"))
    );
    assert!(client.get("/rest/interface/v50").await.json()["slave"].is_null());
    let twice = port(&client, json!({"bridge": "bridge", "interface": "v50"})).await;
    assert_eq!(twice, Err("failure: device already added as bridge port".into()));
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert!(port(&client, json!({"bridge": "bridge", "interface": "v50"})).await.is_ok());
    // No link, no forwarding.
    let dark = port(&client, json!({"bridge": "bridge", "interface": "ether5"})).await.unwrap();
    assert_eq!((&dark["inactive"], &dark["forwarding"]), (&json!("true"), &json!("false")));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_cannot_be() {
    let (fleet, client) = one(Profile::Chr7_12_2).await;
    let twice = "failure: device already added as bridge port";
    for (body, words) in [
        (json!({"bridge": "bridge", "interface": "ether2"}), twice),
        (json!({"bridge": "br9", "interface": "ether1"}), "input does not match any value of bridge"),
        (json!({"bridge": "ether1", "interface": "ether5"}), "input does not match any value of bridge"),
        (json!({"bridge": "bridge", "interface": "ether9"}), "input does not match any value of interface"),
        (json!({"bridge": "bridge", "interface": "lo"}), "input does not match any value of interface"),
        (json!({"bridge": "bridge", "interface": "bridge"}), "failure: can not add bridge as its own port"),
        (json!({"bridge": "bridge"}), "missing value(s) of argument(s) interface"),
        (
            json!({"bridge": "bridge", "interface": "ether5", "pvid": "4095"}),
            "value of pvid out of range (1..4094)",
        ),
        (
            json!({"bridge": "bridge", "interface": "ether5", "frame-types": "all"}),
            "input does not match any value of frame-types",
        ),
    ] {
        assert_eq!(port(&client, body.clone()).await, Err(words.to_owned()), "{body}");
    }
    // A port may name a list.
    assert!(port(&client, json!({"bridge": "bridge", "interface": "LAN"})).await.is_ok());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_bridge() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let path = "/rest/interface/bridge/*10";
    let body = json!({"priority": "28672", "ageing-time": "00:03:00", "protocol-mode": "mstp", "vlan-filtering": true});
    let set = client.call("PATCH", path, Some(body)).await.json();
    for (key, value) in
        [("priority", "0x7000"), ("ageing-time", "3m"), ("protocol-mode", "mstp"), ("vlan-filtering", "true")]
    {
        assert_eq!(set[key], value, "{key}");
    }
    for (body, words) in [
        (json!({"priority": "70000"}), "invalid value for argument priority"),
        (json!({"protocol-mode": "pvst"}), "input does not match any value of protocol-mode"),
        (json!({"forward-delay": "soon"}), "invalid value for argument forward-delay"),
        (json!({"name": "ether1"}), "failure: already have interface with such name"),
        (json!({"stp": "yes"}), "unknown parameter stp"),
    ] {
        let told = client.call("PATCH", path, Some(body.clone())).await;
        assert_eq!((told.status, told.detail().as_str()), (400, words), "{body}");
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_bridge_leaves_its_ports() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let ports = client.get(PORT).await.rows().len();
    assert_eq!(client.call("DELETE", "/rest/interface/bridge/*10", None).await.status, 204);
    let left = client.get(PORT).await.rows();
    assert_eq!(left.len(), ports);
    assert!(left.iter().all(|row| row["bridge"] == "*10" && row["inactive"] == "true"));
    assert!(client.get("/rest/interface/ether2").await.json()["slave"].is_null());
    client.call("PUT", "/rest/interface/bridge", Some(json!({"name": "new"}))).await;
    let taken = port(&client, json!({"bridge": "new", "interface": "ether2"})).await;
    assert_eq!(taken, Err("failure: device already added as bridge port".into()));
    fleet.stop().await;
}
