//! Console text: what an undo that lives on the router is made of.

use serde_json::{Map, Value, json};
use simulator::{Profile, Router};

use crate::scripts::said;
use crate::support::Client;
use crate::{one, one_at};

/// The rows of a menu without what is counted, timed or new with every row.
fn rows(router: &Router, menu: &str) -> Vec<Map<String, Value>> {
    const PASSING: [&str; 9] = [
        ".id",
        "bytes",
        "packets",
        "creation-time",
        "cache-used",
        "status",
        "synced-server",
        "synced-stratum",
        "system-offset",
    ];
    let mut rows = router.read(menu);
    for row in &mut rows {
        row.retain(|key, _| {
            !PASSING.contains(&key.as_str()) && !key.starts_with("rx-") && !key.starts_with("tx-")
        });
    }
    // Only where they can be moved does their order mean anything.
    if !menu.starts_with("/ip/firewall/filter") && menu != "/interface/bridge/port" {
        rows.sort_by_key(|row| Value::Object(row.clone()).to_string());
    }
    rows
}

fn id_of(router: &Router, menu: &str, key: &str, value: &str) -> String {
    let rows = router.read(menu);
    let row = rows.iter().find(|row| row.get(key).is_some_and(|v| v == value));
    row.unwrap_or_else(|| panic!("{menu} {key}={value}"))[".id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_every_menu_undoes_it() {
    let mut wrong = Vec::new();
    for profile in [Profile::Rb7_20_8, Profile::Chr7_12_2] {
        let (fleet, client) = one(profile).await;
        let router = fleet.routers()[0].clone();
        let ap = if profile == Profile::Rb7_20_8 { "/interface/wifi" } else { "/interface/wifiwave2" };
        let rule = "/ip/firewall/filter";
        let (address, list) = ("/ip/address", "/ip/firewall/address-list");
        for (method, menu, path, body) in [
            ("POST", "/ip/dns", "/set", json!({"servers": "9.9.9.9,1.1.1.1", "cache-size": "4096"})),
            ("POST", "/ip/dns", "/set", json!({"servers": ""})),
            ("POST", "/system/ntp/client", "/set", json!({"servers": "", "enabled": "no"})),
            ("POST", "/system/identity", "/set", json!({"name": "a \"b\" $c \\ é"})),
            (
                "PUT",
                address,
                "",
                json!({"address": "10.66.0.1/24", "interface": "guest", "comment": "a;b [c] {d}"}),
            ),
            ("PATCH", address, "/*3", json!({"comment": "x\r\ny"})),
            ("PATCH", address, "/*3", json!({"address": "172.16.40.2/24", "disabled": "yes"})),
            ("DELETE", address, "/*3", Value::Null),
            ("DELETE", address, "/*2", Value::Null),
            (
                "PUT",
                rule,
                "",
                json!({"chain": "forward", "action": "drop", "place-before": "*2", "log-prefix": "a b"}),
            ),
            ("PATCH", rule, "/*1", json!({"src-address": "10.0.0.0/8", "comment": "new"})),
            ("DELETE", rule, "/*2", Value::Null),
            ("DELETE", rule, "/*5", Value::Null),
            ("POST", rule, "/move", json!({"numbers": "*4", "destination": "*1"})),
            ("POST", rule, "/unset", json!({"numbers": "*1", "value-name": "connection-state"})),
            ("PUT", list, "", json!({"list": "mcp-blocked", "address": "10.1.0.0/16"})),
            ("DELETE", list, "/*2", Value::Null),
            (
                "PUT",
                "/ip/route",
                "",
                json!({"dst-address": "10.78.0.0/16", "gateway": "192.0.2.1", "distance": "5"}),
            ),
            ("PATCH", "/ip/route", "/*80000001", json!({"distance": "3", "comment": ""})),
            ("PATCH", "/ip/route", "/*80000001", json!({"check-gateway": "ping"})),
            ("DELETE", "/ip/route", "/*80000002", Value::Null),
            ("PUT", "/ip/pool", "", json!({"name": "p q", "ranges": "10.66.0.5-10.66.0.9"})),
            ("PATCH", "/ip/pool", "/*1", json!({"ranges": "10.66.0.5"})),
            (
                "PUT",
                "/ip/dhcp-server",
                "",
                json!({"name": "g", "interface": "guest", "address-pool": "dhcp_pool0"}),
            ),
            ("PATCH", "/ip/dhcp-server", "/*1", json!({"lease-time": "1h30m"})),
            (
                "PUT",
                "/ip/dhcp-server/network",
                "",
                json!({"address": "10.66.0.0/24", "gateway": "10.66.0.1"}),
            ),
            (
                "PATCH",
                "/ip/dhcp-server/network",
                "/*1",
                json!({"dns-server": "1.1.1.1,9.9.9.9", "domain": "lan"}),
            ),
            (
                "PUT",
                "/interface/bridge/port",
                "",
                json!({"bridge": "bridge", "interface": "ether5", "pvid": "40"}),
            ),
            ("PATCH", "/interface/bridge/port", "/*1", json!({"pvid": "40", "comment": "desk"})),
            ("DELETE", "/interface/bridge/port", "/*2", Value::Null),
            ("PATCH", "/interface/bridge", "/*10", json!({"vlan-filtering": "yes", "priority": "0x1000"})),
            (
                "PUT",
                "/interface/bridge/vlan",
                "",
                json!({"bridge": "bridge", "vlan-ids": "50", "tagged": "bridge,ether2"}),
            ),
            ("PATCH", "/interface", "/*2", json!({"comment": "caf\u{e9}"})),
            (
                "PATCH",
                ap,
                if profile == Profile::Rb7_20_8 { "/*20" } else { "/*29" },
                json!({"configuration.ssid": "an other"}),
            ),
            ("PATCH", "/interface/wireless", "/*28", json!({"ssid": "x $y", "frequency": "2412"})),
            (
                "PUT",
                "/system/scheduler",
                "",
                json!({"name": "nightly", "interval": "1d", "on-event": ":log info \"x\""}),
            ),
        ] {
            let before = rows(&router, menu);
            let body = (!body.is_null()).then_some(body);
            let done = client.call(method, &format!("/rest{menu}{path}"), body.clone()).await;
            let what = format!("{} {method} {menu}{path} {body:?}", profile.version());
            assert!(done.status < 300, "{what}: {}", done.text());
            assert_ne!(rows(&router, menu), before, "{what}: nothing changed");
            let history = client.get("/rest/system/history").await.rows();
            let undo = history[0]["undo"].as_str().unwrap().to_owned();
            let told = said(&client, &undo).await;
            let after = rows(&router, menu);
            if !told.is_empty() || after != before {
                wrong.push(format!("{what}: {undo}: {told}\n{before:?}\n{after:?}"));
            }
            router.restore();
        }
        fleet.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn inverses_look_before_they_act() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let count = |menu: &str, key: &str, value: &str| {
        router.read(menu).iter().filter(|row| row.get(key).is_some_and(|v| v == value)).count()
    };
    // A rule that was removed comes back once, and where it was.
    let rule =
        "chain=\"input\" action=\"drop\" connection-state=\"invalid\" !comment !src-address disabled=no";
    let back = format!(
        ":if ([:len [/ip/firewall/filter/find where {rule}]] = 0) do={{ /ip/firewall/filter/add chain=input action=drop connection-state=invalid place-before=*3 }}"
    );
    assert_eq!(said(&client, &back).await, "");
    assert_eq!(count("/ip/firewall/filter", "connection-state", "invalid"), 1, "it was there");
    assert!(router.remove_behind_back("/ip/firewall/filter", "*2"));
    assert_eq!(said(&client, &back).await, "");
    assert_eq!(said(&client, &back).await, "");
    assert_eq!(router.read("/ip/firewall/filter")[1]["connection-state"], "invalid");
    assert_eq!(count("/ip/firewall/filter", "connection-state", "invalid"), 1);
    // What one was added goes, whatever else there is.
    let add = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"];
    for address in add {
        let entry = json!({"list": "mcp", "address": address});
        client.call("PUT", "/rest/ip/firewall/address-list", Some(entry)).await;
    }
    let kept = id_of(&router, "/ip/firewall/address-list", "address", "10.2.0.0/16");
    let sweep = format!(
        ":foreach i in=[/ip/firewall/address-list/find where list=\"mcp\"] do={{ :if ($i != {kept}) do={{ /ip/firewall/address-list/remove $i }} }}"
    );
    assert_eq!(said(&client, &sweep).await, "");
    assert_eq!(count("/ip/firewall/address-list", "list", "mcp"), 1);
    assert_eq!(said(&client, "/ip/firewall/address-list/remove [find where list=\"mcp\"]").await, "");
    assert_eq!(count("/ip/firewall/address-list", "list", "mcp"), 0);
    // By id, if it is still the same thing.
    let guarded = ":if ([:len [/ip/address/find where .id=*3 address=\"172.16.40.1/24\"]] = 1) do={ /ip/address/set *3 address=172.16.40.9/24 }";
    assert_eq!(said(&client, guarded).await, "");
    assert_eq!(said(&client, guarded).await, "");
    assert_eq!(count("/ip/address", "address", "172.16.40.9/24"), 1);
    assert_eq!(
        said(
            &client,
            "/ip/address/set [find where address=\"172.16.40.9/24\"] address=\"172.16.40.1/24\" comment=\"\""
        )
        .await,
        ""
    );
    assert_eq!(count("/ip/address", "address", "172.16.40.1/24"), 1);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_and_absence() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let order = || -> Vec<String> {
        router.read("/ip/firewall/filter").iter().map(|row| row[".id"].as_str().unwrap().to_owned()).collect()
    };
    for (script, wanted) in [
        ("/ip/firewall/filter/move *3 *1", ["*3", "*1", "*2", "*4", "*5"]),
        ("/ip/firewall/filter/move numbers=*3 destination=*4", ["*1", "*2", "*3", "*4", "*5"]),
        (
            "/ip/firewall/filter/move [find where comment=\"keep what is known\"] destination=*5",
            ["*2", "*3", "*4", "*1", "*5"],
        ),
        ("/ip/firewall/filter\nmove *1 destination=*2", ["*1", "*2", "*3", "*4", "*5"]),
    ] {
        assert_eq!(said(&client, script).await, "", "{script}");
        assert_eq!(order(), wanted, "{script}");
    }
    for unset in [
        "unset *1 connection-state",
        "unset *1 value-name=connection-state",
        "unset numbers=*1 value-name=\"connection-state\"",
    ] {
        let before = router.read("/ip/firewall/filter")[0].get("connection-state").cloned();
        assert!(before.is_some(), "{unset}");
        assert_eq!(said(&client, &format!("/ip/firewall/filter/{unset}")).await, "", "{unset}");
        assert_eq!(router.read("/ip/firewall/filter")[0].get("connection-state"), None, "{unset}");
        assert_eq!(
            said(&client, "/ip/firewall/filter/set *1 connection-state=established,related").await,
            ""
        );
    }
    // Not set is equal to nothing; only yes-or-no is always there.
    for (condition, found) in [
        ("src-address=\"\"", "0"),
        ("!src-address", "5"),
        ("comment=\"\"", "0"),
        ("!comment", "3"),
        ("comment", "2"),
        ("disabled=no", "4"),
        ("disabled", "1"),
        ("log", "1"),
        ("!log", "4"),
        ("chain=\"input\" and (action=\"drop\" or action=\"reject\")", "2"),
        ("chain=input action=drop !disabled", "1"),
        ("dynamic=no", "5"),
        ("comment~\"^keep\"", "1"),
    ] {
        let asked = format!(":put [:len [/ip/firewall/filter/find where {condition}]]");
        assert_eq!(said(&client, &asked).await, found, "{condition}");
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_through_whole() {
    let (fleet, client) = one(Profile::Rb7_20_8).await;
    let router = fleet.routers()[0].clone();
    let text = r#"a \"b\" \\ \$c\r\n\t[d]; {e} caf\C3\A9 \01"#;
    assert_eq!(said(&client, &format!("/ip/address/set *3 comment=\"{text}\"")).await, "");
    assert_eq!(router.read("/ip/address")[2]["comment"], "a \"b\" \\ $c\r\n\t[d]; {e} caf\u{e9} \u{1}");
    let found = format!(":put [/ip/address/find where comment=\"{text}\"]");
    assert_eq!(said(&client, &found).await, "*3");
    // A byte that is no UTF-8 is written as it stands on the wire.
    assert_eq!(said(&client, ":put [/interface/find where comment=\"caf\\E9 camera\"]").await, "*3");
    assert_eq!(
        said(&client, ":local n \"x y\"; :put \"<$n> $(1 + 2) $[:len $n] \\$n\"").await,
        "<x y> 3 3 $n"
    );
    assert_eq!(said(&client, ":put \"\\q\"").await, "syntax error (line 1 column 1)");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_lists() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    assert_eq!(said(&client, "/ip/dns/set servers=1.1.1.1,9.9.9.9").await, "");
    assert_eq!(router.read("/ip/dns")[0]["servers"], "1.1.1.1,9.9.9.9");
    for (script, told) in [
        (":put [/ip/dns/get servers]", "1.1.1.1;9.9.9.9"),
        (":put [:len [/ip/dns/get servers]]", "2"),
        (":put [:typeof [/ip/dns/get servers]]", "array"),
        (":put ([/ip/dns/get servers] = \"1.1.1.1,9.9.9.9\")", "false"),
        (":put ([:tostr [/ip/dns/get servers]] = \"1.1.1.1;9.9.9.9\")", "true"),
        (":put [:len [/ip/dns/get cache-size]]", "4"),
        (":put ([/ip/address/get *3 comment] = \"\")", "true"),
        (":put [:len [/ip/address/find where comment=\"no such\"]]", "0"),
        (":local ids [/ip/address/find]; :put [:len $ids]", "3"),
        (":foreach i in={1;2} do={ :put $i }", "1\r\n2"),
        (":if (1 = 2) do={ :put a } else={ :put b }", "b"),
        (":if (\"x\") do={ :put a }", "conditional not boolean"),
        ("/ip/address/print count-only where interface=\"ether1\"", "1"),
        (":put [:len [/ip/address/find where interface=\"ether1\" or interface=\"guest\"]]", "2"),
    ] {
        assert_eq!(said(&client, script).await, told, "{script}");
    }
    assert_eq!(said(&client, "/ip/dns/set servers=\"\"").await, "");
    assert_eq!(router.read("/ip/dns")[0]["servers"], "");
    assert_eq!(said(&client, ":put [:len [/ip/dns/get servers]]").await, "0");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_not_begun() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 0.001).await;
    let router = fleet.routers()[0].clone();
    let told = said(&client, ":put begun; /ip/dns/set server=9.9.9.9").await;
    assert_eq!(told, "expected end of command (line 1 column 1)", "nothing was printed before");
    // A timer that cannot be read is no timer, however late the mistake.
    let timer = json!({"script": ":delay 90; :if (true) do={ /ip/dns/set servers=\"9.9.9.9 }"});
    let id = client.post("/rest/execute", timer).await.json()["ret"].as_str().unwrap().to_owned();
    assert!(id.starts_with('*'));
    loop {
        let log = router.read("/log");
        if log.iter().any(|row| row["message"].as_str().unwrap().starts_with("executing script failed")) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(client.get("/rest/system/script/job").await.text(), "[]");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_there() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let before = rows(&router, "/ip/address");
    for (script, told) in [
        ("/ip/address/remove [find where comment=\"nobody\"]", ""),
        ("/ip/address/set [find where comment=\"nobody\"] disabled=yes", ""),
        ("/ip/address/remove *99", "no such item"),
        ("/ip/address/remove $unknown", "no such item"),
        ("/ip/address/remove", "missing value(s) of argument(s) numbers"),
        // A number is a row of the last print, and a script has printed none.
        ("/ip/address/remove 0", "no such item"),
        ("/ip/firewall/filter/add chain=input place-before=*99", "no such item"),
        (":do { /ip/address/remove *99 } on-error={ :put gone }", "gone"),
        (":do { /ip/address/remove *99 } on-error={}; :put on", "on"),
        ("/interface/ethernet/set ether1 mtu=x", "invalid value for argument mtu"),
    ] {
        let answer = said(&client, script).await;
        assert!(answer == told || (told.starts_with("invalid") && !answer.is_empty()), "{script}: {answer}");
    }
    assert_eq!(rows(&router, "/ip/address"), before);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_may_do_what_its_user_may() {
    let (fleet, _) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let denied = "not enough permissions (9)";
    let rw = Client::rw(&router);
    assert_eq!(said(&rw, ":put [/ip/dns/get servers]").await, "192.0.2.1");
    assert_eq!(said(&rw, "/ip/dns/set servers=9.9.9.9").await, "");
    assert_eq!(said(&rw, "/system/scheduler/add name=x interval=1m on-event=\":put 1\"").await, denied);
    assert_eq!(said(&rw, "/system/reboot").await, denied);
    assert_eq!(said(&rw, ":put [/interface/wifi/security/get town passphrase]").await, "", "not sensitive");
    fleet.stop().await;
}
