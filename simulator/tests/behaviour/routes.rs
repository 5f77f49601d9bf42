//! Addresses and routes: what reads back, what is refused, which routes carry traffic.

use serde_json::{Value, json};
use simulator::Profile;

use crate::one;
use crate::support::Client;

async fn add(client: &Client, path: &str, body: Value) -> Value {
    let made = client.call("PUT", path, Some(body.clone())).await;
    assert_eq!(made.status, 201, "{body}: {}", made.text());
    made.json()
}

async fn refused(client: &Client, method: &str, path: &str, body: Value) -> String {
    let told = client.call(method, path, Some(body.clone())).await;
    assert_eq!(told.status, 400, "{body}: {}", told.text());
    told.detail()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_brings_its_network_and_its_connected_route() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let menu = "/rest/ip/address";
    let made = add(&client, menu, json!({"address": "192.168.99.7/24", "interface": "guest"})).await;
    let mut keys: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    // The keys of a recorded answer, no more and no less.
    let recorded = [
        ".id",
        "actual-interface",
        "address",
        "disabled",
        "dynamic",
        "interface",
        "invalid",
        "network",
        "slave",
        "vrf",
    ];
    assert_eq!(keys, recorded);
    assert_eq!((&made["address"], &made["network"]), (&json!("192.168.99.7/24"), &json!("192.168.99.0")));
    let path = format!("{menu}/{}", made[".id"].as_str().unwrap());
    let moved = client.call("PATCH", &path, Some(json!({"address": "192.168.98.7/25"}))).await.json();
    assert_eq!(moved["network"], "192.168.98.0");
    let connected = client.get("/rest/ip/route?dst-address=192.168.98.0/25").await.rows();
    assert_eq!(connected.len(), 1);
    assert_eq!((&connected[0]["connect"], &connected[0]["dynamic"]), (&json!("true"), &json!("true")));
    let alone = add(&client, menu, json!({"address": "192.168.97.7", "interface": "guest"})).await;
    assert_eq!((&alone["address"], &alone["network"]), (&json!("192.168.97.7/32"), &json!("192.168.97.7")));
    let peer = json!({"address": "192.168.96.1", "network": "192.168.96.2", "interface": "guest"});
    assert_eq!(add(&client, menu, peer).await["network"], "192.168.96.2");
    let masked = json!({"address": "192.168.95.1", "netmask": "255.255.255.0", "interface": "guest"});
    let masked = add(&client, menu, masked).await;
    assert_eq!(masked["address"], "192.168.95.1/24");
    assert!(masked["netmask"].is_null());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_cannot_be() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let menu = "/rest/ip/address";
    add(&client, menu, json!({"address": "192.168.99.7/24", "interface": "guest"})).await;
    for (body, words) in [
        (json!({"address": "192.168.99.7/24", "interface": "guest"}), "failure: already have such address"),
        (json!({"address": "192.168.99.7/30", "interface": "guest"}), "failure: already have such address"),
        (json!({"address": "192.168.99.8/33", "interface": "guest"}), "invalid value for argument address"),
        (json!({"address": "2001:db8::1/64", "interface": "guest"}), "invalid value for argument address"),
        (json!({"address": "", "interface": "guest"}), "invalid value for argument address"),
        (
            json!({"address": "192.168.99.8/24", "interface": "LAN"}),
            "input does not match any value of interface",
        ),
        (
            json!({"address": "192.168.99.8/24", "interface": ""}),
            "input does not match any value of interface",
        ),
        (
            json!({"address": "192.168.99.8", "netmask": "255.0.255.0", "interface": "guest"}),
            "invalid value for argument netmask",
        ),
    ] {
        assert_eq!(refused(&client, "PUT", menu, body.clone()).await, words, "{body}");
    }
    // The same address elsewhere, and another one beside it, are nothing special.
    add(&client, menu, json!({"address": "192.168.99.7/24", "interface": "bridge"})).await;
    let other = add(&client, menu, json!({"address": "192.168.99.8/24", "interface": "guest"})).await;
    let path = format!("{menu}/{}", other[".id"].as_str().unwrap());
    let clash = json!({"address": "192.168.99.7/24"});
    assert_eq!(refused(&client, "PATCH", &path, clash).await, "failure: already have such address");
    assert_eq!(client.get(&path).await.json()["address"], "192.168.99.8/24", "nothing was changed");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_router_made_itself_is_not_ours_to_change() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let lent = [("bridge", "bridge"), ("interface", "guest"), ("dynamic", "true")];
    let lent: Vec<(String, String)> = lent.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    fleet.routers()[0].seed("/interface/bridge/port", 1, &lent).unwrap();
    let leased = [("address", "10.44.0.9/24"), ("interface", "guest"), ("dynamic", "true")];
    let leased: Vec<(String, String)> =
        leased.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    fleet.routers()[0].seed("/ip/address", 1, &leased).unwrap();
    let id = |rows: &[Value]| {
        rows.iter().find(|row| row["dynamic"] == "true").unwrap()[".id"].as_str().unwrap().to_owned()
    };
    for menu in ["ip/address", "ip/route", "interface/bridge/port"] {
        let id = id(&client.get(&format!("/rest/{menu}")).await.rows());
        let path = format!("/rest/{menu}/{id}");
        let words = "missing or invalid resource identifier";
        assert_eq!(refused(&client, "PATCH", &path, json!({"comment": "mine"})).await, words, "{menu}");
        let gone = client.call("DELETE", &path, None).await;
        assert_eq!((gone.status, gone.detail().as_str()), (400, words), "{menu}");
        for verb in ["set", "remove", "disable"] {
            let body = json!({"numbers": id});
            let path = format!("/rest/{menu}/{verb}");
            assert_eq!(refused(&client, "POST", &path, body).await, words, "{menu} {verb}");
        }
        assert_eq!(client.get(&path).await.status, 200, "{menu}: still there");
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_shows_its_defaults_and_whether_it_works() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let menu = "/rest/ip/route";
    let made = add(&client, menu, json!({"dst-address": "10.5.6.7/16", "gateway": "192.0.2.1"})).await;
    for (key, value) in [
        ("dst-address", "10.5.0.0/16"),
        ("distance", "1"),
        ("scope", "30"),
        ("target-scope", "10"),
        ("routing-table", "main"),
        ("static", "true"),
        ("active", "true"),
        ("immediate-gw", "192.0.2.1%ether1"),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    assert!(made["inactive"].is_null() && made["comment"].is_null() && made["ecmp"].is_null());
    let lost = add(&client, menu, json!({"dst-address": "10.6.0.0/16", "gateway": "203.0.113.9"})).await;
    assert_eq!(lost["inactive"], "true");
    assert!(lost["active"].is_null());
    // A second way of the same distance shares the traffic, a farther one waits.
    let second = add(&client, menu, json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.7"})).await;
    assert_eq!((&second["active"], &second["ecmp"]), (&json!("true"), &json!("true")));
    let far =
        add(&client, menu, json!({"dst-address": "10.5.0.0/16", "gateway": "ether1", "distance": 9})).await;
    assert!(far["active"].is_null() && far["ecmp"].is_null() && far["inactive"].is_null());
    let path = format!("{menu}/{}", second[".id"].as_str().unwrap());
    let off = client.call("PATCH", &path, Some(json!({"disabled": true}))).await.json();
    for key in ["dynamic", "distance", "scope", "target-scope", "routing-table", "active", "ecmp"] {
        assert!(off[key].is_null(), "a disabled route has no {key}");
    }
    let on = client.call("PATCH", &path, Some(json!({"disabled": "no", "distance": "5"}))).await.json();
    assert_eq!((&on["distance"], &on["routing-table"]), (&json!("5"), &json!("main")));
    let hole = add(&client, menu, json!({"dst-address": "10.8.0.0/16", "blackhole": "yes"})).await;
    assert_eq!((&hole["blackhole"], &hole["active"]), (&json!(""), &json!("true")));
    let all = add(&client, menu, json!({"gateway": "192.0.2.1", "routing-table": "backup"})).await;
    assert_eq!(all["dst-address"], "0.0.0.0/0");
    // The link goes, and with it everything that needs it.
    client.call("PATCH", "/rest/interface/guest", Some(json!({"disabled": "yes"}))).await;
    assert_eq!(client.get("/rest/ip/route?gateway=guest").await.text(), "[]");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_that_cannot_be() {
    let (fleet, client) = one(Profile::Hex7_16_2).await;
    let menu = "/rest/ip/route";
    for (body, words) in [
        (json!({"dst-address": "10.5.0.0/16"}), "missing value(s) of argument(s) gateway"),
        (
            json!({"dst-address": "10.5.0.0/16", "gateway": "ether9"}),
            "input does not match any value of gateway",
        ),
        (
            json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.1%ether9"}),
            "input does not match any value of gateway",
        ),
        (json!({"dst-address": "10.5.0.0/16", "gateway": ""}), "invalid value for argument gateway"),
        (json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2"}), "invalid value for argument gateway"),
        (
            json!({"dst-address": "10.5.0.0/64", "gateway": "192.0.2.1"}),
            "invalid value for argument dst-address",
        ),
        (
            json!({"dst-address": "2001:db8::/32", "gateway": "192.0.2.1"}),
            "invalid value for argument dst-address",
        ),
        (
            json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.1", "distance": "0"}),
            "value of distance out of range (1..255)",
        ),
        (
            json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.1", "routing-table": "nowhere"}),
            "input does not match any value of routing-table",
        ),
    ] {
        assert_eq!(refused(&client, "PUT", menu, body.clone()).await, words, "{body}");
    }
    let made = add(&client, menu, json!({"dst-address": "10.5.0.0/16", "gateway": "192.0.2.1"})).await;
    let id = made[".id"].as_str().unwrap();
    let words = "missing value(s) of argument(s) gateway";
    let unset = json!({"numbers": id, "value-name": "gateway"});
    assert_eq!(refused(&client, "POST", "/rest/ip/route/unset", unset).await, words);
    let unset = json!({"numbers": id, "value-name": "distance"});
    let words = "input does not match any value of value-name";
    assert_eq!(refused(&client, "POST", "/rest/ip/route/unset", unset).await, words);
    client
        .call("PATCH", &format!("{menu}/{id}"), Some(json!({"pref-src": "192.0.2.11", "comment": "x"})))
        .await;
    let unset = json!({"numbers": id, "value-name": "pref-src"});
    assert_eq!(client.post("/rest/ip/route/unset", unset).await.text(), "[]");
    let bare = client.call("PATCH", &format!("{menu}/{id}"), Some(json!({"comment": ""}))).await.json();
    assert!(bare["pref-src"].is_null() && bare["comment"].is_null());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_interface_leaves_its_number_behind() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let rule = json!({"chain": "forward", "action": "drop", "in-interface": "!guest"});
    let rule = add(&client, "/rest/ip/firewall/filter", rule).await;
    assert_eq!(client.call("DELETE", "/rest/interface/vlan/*11", None).await.status, 204);
    let addresses = client.get("/rest/ip/address?interface=*11").await.rows();
    assert_eq!((addresses.len(), &addresses[0]["invalid"]), (1, &json!("true")));
    let rule =
        client.get(&format!("/rest/ip/firewall/filter/{}", rule[".id"].as_str().unwrap())).await.json();
    assert_eq!((&rule["in-interface"], &rule["invalid"]), (&json!("!*11"), &json!("true")));
    assert_eq!(client.get("/rest/ip/route?gateway=guest").await.text(), "[]");
    // The number is not given to anybody else.
    let vlan = json!({"name": "guest", "interface": "bridge", "vlan-id": 40});
    let again = add(&client, "/rest/interface/vlan", vlan).await;
    assert_ne!(again[".id"], "*11");
    assert_eq!(client.get("/rest/ip/address?interface=*11").await.rows().len(), 1);
    fleet.stop().await;
}
