//! Access points of the three stacks and their clients.

use serde_json::{Value, json};
use simulator::{BoxSpec, Profile, Router};

use crate::one;
use crate::support::{Client, fleet};

async fn put(client: &Client, path: &str, body: Value) -> Result<Value, String> {
    let made = client.call("PUT", path, Some(body)).await;
    if made.status == 201 { Ok(made.json()) } else { Err(made.detail()) }
}

/// The clients of an access point.
fn clients(router: &Router, stack: &str, name: &str) -> usize {
    let rows = router.read(&format!("/interface/{stack}/registration-table"));
    rows.iter().filter(|row| row["interface"] == name).count()
}

async fn set(client: &Client, path: &str, body: Value) -> Value {
    let set = client.call("PATCH", path, Some(body.clone())).await;
    assert_eq!(set.status, 200, "{body}: {}", set.text());
    set.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_numbers_of_the_new_stack() {
    for profile in [Profile::Rb7_20_8, Profile::Chr7_12_2] {
        let stack = if profile == Profile::Chr7_12_2 { "wifiwave2" } else { "wifi" };
        let (fleet, client) = one(profile).await;
        let menu = format!("/rest/interface/{stack}");
        let path = format!("{menu}/wifi1");
        let id = client.get(&path).await.json()[".id"].as_str().unwrap().to_owned();
        let path = format!("{menu}/{id}");
        let good = json!({"channel.frequency": "5180,5200-5240", "channel.width": "20/40/80mhz", "channel.band": "5ghz-ac"});
        assert_eq!(set(&client, &path, good).await["channel.frequency"], "5180,5200-5240");
        for (body, words) in [
            (json!({"channel.frequency": "36"}), "invalid value for argument channel.frequency"),
            (json!({"channel.frequency": ""}), "invalid value for argument channel.frequency"),
            (json!({"channel.band": "5ghz-a/n/ac"}), "input does not match any value of channel.band"),
            (json!({"channel.width": "80mhz"}), "input does not match any value of channel.width"),
            (json!({"configuration.ssid": ""}), "invalid value for argument configuration.ssid"),
            (json!({"security.passphrase": "short"}), "invalid value for argument security.passphrase"),
            (
                json!({"security.authentication-types": "wpa9"}),
                "input does not match any value of security.authentication-types",
            ),
            (json!({"security": "nowhere"}), "input does not match any value of security"),
            (json!({"configuration": "nowhere"}), "input does not match any value of configuration"),
            (json!({"ssid": "x"}), "unknown parameter ssid"),
            (json!({"master-interface": "wifi1"}), "input does not match any value of master-interface"),
        ] {
            let told = client.call("PATCH", &path, Some(body.clone())).await;
            assert_eq!((told.status, told.detail().as_str()), (400, words), "{stack} {body}");
        }
        for (body, words) in [
            (
                json!({"name": "x", "configuration.ssid": "s"}),
                "missing value(s) of argument(s) master-interface",
            ),
            (
                json!({"name": "x", "master-interface": "ether1"}),
                "input does not match any value of master-interface",
            ),
            (
                json!({"name": "x", "master-interface": "wlan1"}),
                "input does not match any value of master-interface",
            ),
            (
                json!({"name": "ether1", "master-interface": "wifi1"}),
                "failure: already have interface with such name",
            ),
        ] {
            // Names are unique among all interfaces, whatever their kind.
            assert_eq!(put(&client, &menu, body.clone()).await, Err(words.to_owned()), "{stack} {body}");
        }
        fleet.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_access_point() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let body = json!({"name": "guests", "master-interface": "wifi1", "configuration.ssid": "guests",
        "security.authentication-types": "wpa2-psk,wpa3-psk", "security.passphrase": "long enough"});
    let made = put(&client, "/rest/interface/wifi", body).await.unwrap();
    assert_eq!((&made["disabled"], &made["running"]), (&json!("true"), &json!("false")));
    assert!(made["master"].is_null() && made["inactive"].is_null(), "flags are there when they are true");
    let path = format!("/rest/interface/wifi/{}", made[".id"].as_str().unwrap());
    assert_eq!(set(&client, &path, json!({"disabled": "no"})).await["running"], "true");
    assert_eq!(client.get("/rest/interface/guests").await.json()["running"], "true");
    let second = json!({"name": "more", "master-interface": "guests", "configuration.ssid": "x"});
    let words = "input does not match any value of master-interface";
    assert_eq!(put(&client, "/rest/interface/wifi", second).await, Err(words.into()));
    // It lives and dies with its master.
    set(&client, "/rest/interface/wifi/*20", json!({"disabled": "yes"})).await;
    let dead = client.get(&path).await.json();
    assert_eq!((&dead["running"], &dead["inactive"]), (&json!("false"), &json!("true")));
    set(&client, "/rest/interface/wifi/*20", json!({"disabled": "no"})).await;
    let metal = client.call("DELETE", "/rest/interface/wifi/*20", None).await;
    assert_eq!((metal.status, metal.detail().as_str()), (400, "missing or invalid resource identifier"));
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_goes_leaves_its_virtual_ones() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let body = json!({"name": "guests", "master-interface": "cap-wifi1", "configuration.ssid": "g", "disabled": "no"});
    let made = put(&client, "/rest/interface/wifi", body).await.unwrap();
    assert_eq!(client.call("DELETE", "/rest/interface/wifi/*20", None).await.status, 204);
    let left = client.get(&format!("/rest/interface/wifi/{}", made[".id"].as_str().unwrap())).await.json();
    assert_eq!((&left["master-interface"], &left["running"]), (&json!("*20"), &json!("false")));
    assert_eq!(left["inactive"], "true");
    assert_eq!(client.get("/rest/interface/wifi/registration-table").await.text(), "[]");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_fall_out_when_their_network_goes() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let router = fleet.routers()[0].clone();
    let path = "/rest/interface/wifi/*20";
    for (body, stay) in [
        (json!({"comment": "hall"}), 1),
        (json!({"configuration.ssid": "town"}), 1),
        (json!({"channel.width": "20mhz"}), 1),
        (json!({"configuration.ssid": "village"}), 0),
        (json!({"security.passphrase": "something else"}), 0),
        (json!({"disabled": "yes"}), 0),
        // No channel that this radio can do.
        (json!({"channel.frequency": "2412"}), 0),
        (json!({"channel.band": "2ghz-ax"}), 0),
    ] {
        set(&client, path, body.clone()).await;
        assert_eq!(clients(&router, "wifi", "wifi1"), stay, "{body}");
        router.restore();
        assert_eq!(clients(&router, "wifi", "wifi1"), 1);
    }
    let lost = set(&client, path, json!({"channel.frequency": "2412"})).await;
    assert_eq!((&lost["running"], &lost[".about"]), (&json!("false"), &json!("no available channels")));
    router.restore();
    let off = json!({"numbers": "wifi1"});
    assert_eq!(client.post("/rest/interface/disable", off).await.text(), "[]");
    assert_eq!(clients(&router, "wifi", "wifi1"), 0);
    router.restore();
    let ssid = json!({"numbers": "wifi1", "value-name": "configuration.ssid"});
    assert_eq!(client.post("/rest/interface/wifi/unset", ssid).await.text(), "[]");
    assert_eq!(clients(&router, "wifi", "wifi1"), 0);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_profile_counts() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let router = fleet.routers()[0].clone();
    let station = [("interface", "wifi2"), ("ssid", "town"), ("mac-address", "$(mac)")];
    let station: Vec<(String, String)> =
        station.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    router.seed("/interface/wifi/registration-table", 3, &station).unwrap();
    let profile = "/rest/interface/wifi/configuration/town-2g";
    set(&client, profile, json!({"comment": "both floors"})).await;
    assert_eq!((clients(&router, "wifi", "wifi2"), clients(&router, "wifi", "wifi1")), (3, 1));
    set(&client, "/rest/interface/wifi/security/town", json!({"passphrase": "a new one for all"})).await;
    assert_eq!((clients(&router, "wifi", "wifi2"), clients(&router, "wifi", "wifi1")), (0, 1));
    router.restore();
    router.seed("/interface/wifi/registration-table", 3, &station).unwrap();
    set(&client, profile, json!({"ssid": "village"})).await;
    assert_eq!((clients(&router, "wifi", "wifi2"), clients(&router, "wifi", "wifi1")), (0, 1));
    assert_eq!(client.call("DELETE", profile, None).await.status, 204);
    let left = client.get("/rest/interface/wifi/wifi2").await.json();
    assert_eq!((&left["configuration"], &left["running"]), (&json!("*1"), &json!("false")), "and no SSID");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_stack() {
    let (fleet, client) = one(Profile::Chr7_12_2).await;
    let router = fleet.routers()[0].clone();
    let menu = "/rest/interface/wireless";
    let profile = json!({"name": "guests", "mode": "dynamic-keys", "authentication-types": "wpa2-psk",
        "wpa2-pre-shared-key": "long enough"});
    let made = put(&client, "/rest/interface/wireless/security-profiles", profile.clone()).await.unwrap();
    assert_eq!((&made["unicast-ciphers"], &made["default"]), (&json!("aes-ccm"), &json!("false")));
    let twice = put(&client, "/rest/interface/wireless/security-profiles", profile).await;
    assert_eq!(twice, Err("failure: security profile with the same name already exists".into()));
    let ap = json!({"master-interface": "wlan1", "ssid": "guests", "security-profile": "guests", "disabled": "no"});
    let made = put(&client, menu, ap).await.unwrap();
    assert_eq!((&made["name"], &made["running"]), (&json!("wlan2"), &json!("true")));
    assert_eq!((&made["interface-type"], &made["mode"]), (&json!("virtual"), &json!("ap-bridge")));
    for (body, words) in [
        (json!({"ssid": "x"}), "missing value(s) of argument(s) master-interface"),
        (json!({"master-interface": "wifi1"}), "input does not match any value of master-interface"),
        (json!({"master-interface": "wlan2"}), "input does not match any value of master-interface"),
        (
            json!({"master-interface": "wlan1", "security-profile": "nowhere"}),
            "input does not match any value of security-profile",
        ),
        (json!({"master-interface": "wlan1", "band": "5ghz-ax"}), "input does not match any value of band"),
        (
            json!({"master-interface": "wlan1", "frequency": "2437"}),
            "failure: frequency can not be set on virtual interface",
        ),
        (json!({"master-interface": "wlan1", "ssid": ""}), "invalid value for argument ssid"),
    ] {
        assert_eq!(put(&client, menu, body.clone()).await, Err(words.to_owned()), "{body}");
    }
    let master = format!("{menu}/*28");
    for (body, words) in [
        (json!({"frequency": "6"}), "invalid value for argument frequency"),
        (json!({"channel-width": "80mhz"}), "input does not match any value of channel-width"),
        (json!({"tx-power": "41"}), "value of tx-power out of range (0..40)"),
    ] {
        assert_eq!(client.call("PATCH", &master, Some(body.clone())).await.detail(), words, "{body}");
    }
    let moved = json!({"frequency": "2462", "band": "2ghz-onlyn", "channel-width": "20mhz", "tx-power": 17});
    assert_eq!(set(&client, &master, moved).await["frequency"], "2462");
    assert_eq!(clients(&router, "wireless", "wlan1"), 1);
    let key = json!({"wpa2-pre-shared-key": "another one"});
    set(&client, "/rest/interface/wireless/security-profiles/*0", key).await;
    assert_eq!(clients(&router, "wireless", "wlan1"), 0);
    // A profile in use goes, and leaves its number.
    let path = format!("/rest/interface/wireless/security-profiles/{}", "guests");
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    let left = client.get(&format!("{menu}/wlan2")).await.json();
    assert!(left["security-profile"].as_str().unwrap().starts_with('*'));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_for_those_who_may_see_them() {
    let fleet = fleet(vec![BoxSpec::new("box", Profile::Rb7_20_8).plain()], 100.0).await;
    let (admin, rw) = (Client::admin(&fleet.routers()[0]), Client::rw(&fleet.routers()[0]));
    for path in [
        "/rest/interface/wifi",
        "/rest/interface/wifi/*20",
        "/rest/interface/wifi/security",
        "/rest/interface/wireless/security-profiles",
    ] {
        assert!(admin.get(path).await.text().contains("-key\""), "{path}");
        assert!(!rw.get(path).await.text().contains("-key\""), "{path}");
    }
    let print = rw.post("/rest/interface/wifi/security/print", json!({})).await;
    assert!(print.text().contains("authentication-types") && !print.text().contains("passphrase"));
    let get = json!({"numbers": "town", "value-name": "passphrase"});
    assert_eq!(
        rw.post("/rest/interface/wifi/security/get", get).await.detail(),
        "not enough permissions (9)"
    );
    let written = json!({"security.passphrase": "written by one who cannot read it"});
    assert!(set(&rw, "/rest/interface/wifi/*20", written).await["security.passphrase"].is_null());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_radio_shows_its_power_only_in_a_mode_that_uses_it() {
    let (fleet, client) = one(Profile::Chr7_12_2).await;
    let path = "/rest/interface/wireless/*28";
    let loud = set(&client, path, json!({"tx-power-mode": "all-rates-fixed", "tx-power": "20"})).await;
    assert_eq!((&loud["tx-power-mode"], &loud["tx-power"]), (&json!("all-rates-fixed"), &json!("20")));
    let plain = set(&client, path, json!({"tx-power-mode": "default"})).await;
    assert!(plain["tx-power"].is_null(), "{plain}");
    fleet.stop().await;
}
