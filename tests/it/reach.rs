//! Nobody hands out or reaches more than they have; what registers a device does all of it or nothing.

use serde_json::{Value, json};

use crate::house::{As, House, Reply, request};

/// A token made by the house's admin, and a way to call with it.
struct Caller<'a> {
    house: &'a House,
    token: String,
}

impl<'a> Caller<'a> {
    fn made(house: &'a House, role: &str, environments: &[&str], scopes: &[&str]) -> Self {
        let made = house.call(
            As::Admin,
            "token_create",
            &json!({ "label": role, "role": role, "environments": environments, "device_scopes": scopes }),
        );
        Self { house, token: made["token"].as_str().unwrap().to_owned() }
    }

    fn call(&self, tool: &str, params: &Value) -> Reply {
        let path = format!("/api/tools/{tool}");
        request(self.house.url(), "POST", &path, Some(&self.token), Some(&params.to_string()))
    }
}

fn token_for(environments: &[&str], scopes: &[&str]) -> Value {
    json!({ "label": "made", "role": "ops_rw", "environments": environments, "device_scopes": scopes })
}

#[test]
fn a_limited_admin_makes_and_ends_no_wider_token() {
    let house = House::start(1);
    let narrow = Caller::made(&house, "admin", &["lab"], &["tag:site=north", "r1"]);
    let tokens = || house.call(As::Admin, "token_list", &json!({}))["total_count"].clone();
    let before = tokens();
    for (wanted, code) in [
        (token_for(&["lab", "prod"], &["r1"]), "environment_denied"),
        (token_for(&["lab"], &["*"]), "device_out_of_scope"),
        (token_for(&["lab"], &["r2"]), "device_out_of_scope"),
        (token_for(&["lab"], &["tag:site=south"]), "device_out_of_scope"),
    ] {
        let reply = narrow.call("token_create", &wanted);
        assert_eq!(
            (reply.status, reply.body["code"].as_str()),
            (403, Some(code)),
            "{wanted}: {}",
            reply.text
        );
    }
    assert_eq!(tokens(), before, "nothing was made");
    let own = narrow.call("token_create", &token_for(&["lab"], &["r1", "tag:site=north"]));
    assert_eq!(own.status, 200, "{}", own.text);

    let wide = house.call(As::Admin, "token_create", &token_for(&["prod"], &["*"]));
    let ended = narrow.call("token_revoke", &json!({ "token_id": wide["token_id"] }));
    assert_eq!(ended.body["code"], "environment_denied", "{}", ended.text);
    let ended = narrow.call("token_revoke", &json!({ "token_id": own.body["token_id"] }));
    assert_eq!(ended.status, 200, "{}", ended.text);
}

#[test]
fn a_limited_admin_moves_no_device_out_of_reach_and_sees_no_others_events() {
    let house = House::start(2);
    let narrow = Caller::made(&house, "admin", &["lab"], &[house.device(0)]);
    let moved = narrow.call("device_edit", &json!({ "device_id": house.device(0), "environment": "prod" }));
    assert_eq!(moved.body["code"], "environment_denied", "{}", moved.text);
    let added = |id: &str| json!({ "device_id": id, "management_ip": "192.0.2.77", "environment": "lab" });
    let refused = narrow.call("device_add", &added("another"));
    assert_eq!(refused.body["code"], "device_out_of_scope", "{}", refused.text);
    assert_eq!(house.refused(As::Admin, "device_show", &json!({ "device_id": "another" })), "unknown_device");

    house.call(As::Admin, "get_dns_status", &json!({ "device_id": house.device(1) }));
    let all = |events: &Value| events["events"].to_string().contains(house.device(1));
    house.until("the call on record", || {
        all(&house.call(As::Admin, "audit_events", &json!({ "limit": 50 }))).then_some(())
    });
    let seen = narrow.call("audit_events", &json!({ "limit": 1000 }));
    assert!(!all(&seen.body), "{} is shown", house.device(1));
}

#[test]
fn registering_a_device_is_done_whole_or_not_at_all() {
    let house = House::start(1);
    let base = |more: &Value| {
        let mut params = json!({ "device_id": "new", "management_ip": "192.0.2.77", "environment": "lab" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    for more in [
        json!({ "trust": { "spki_sha256": "not hex" } }),
        json!({ "username": "ro" }),
        json!({ "password": "p" }),
        json!({ "username": "", "password": "p" }),
        json!({ "username": "ro", "password": "p", "write_username": "rw" }),
        json!({ "username": "ro", "password": "p", "write_username": "line\nbreak", "write_password": "p" }),
    ] {
        assert_eq!(house.refused(As::Admin, "device_add", &base(&more)), "invalid_params", "{more}");
        assert_eq!(house.refused(As::Admin, "device_show", &json!({ "device_id": "new" })), "unknown_device");
    }
    house.call(As::Admin, "device_add", &base(&json!({ "username": "ro", "password": "p" })));
    let shown = || house.call(As::Admin, "device_show", &json!({ "device_id": "new" }));
    let before = shown();
    // A user name alone would leave the old password behind it; and a bad login leaves the new name unused.
    for edit in [
        json!({ "device_id": "new", "username": "other" }),
        json!({ "device_id": "new", "name": "renamed", "write_username": "rw" }),
        json!({ "device_id": "new", "name": "renamed", "trust": { "spki_sha256": "00" } }),
    ] {
        assert_eq!(house.refused(As::Admin, "device_edit", &edit), "invalid_params", "{edit}");
        assert_eq!(shown(), before, "{edit}");
    }
    let same = house.call(As::Admin, "device_edit", &json!({ "device_id": "new", "username": "ro" }));
    assert_eq!(same["changed"], false);
}

#[test]
fn a_device_is_neither_added_nor_moved_to_where_no_router_lives() {
    let house = House::start(1);
    let shown = || house.call(As::Admin, "device_show", &json!({ "device_id": house.device(0) }));
    let before = shown();
    for ip in ["169.254.169.254", "224.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "fe80::1", "ff02::1"] {
        let add = json!({ "device_id": "new", "management_ip": ip, "environment": "lab" });
        let edit = json!({ "device_id": house.device(0), "management_ip": ip });
        for (tool, params) in [("device_add", add), ("device_edit", edit)] {
            let failure = house.try_call(As::Admin, tool, &params).unwrap_err();
            assert_eq!(failure["code"], "invalid_params", "{tool} {ip}: {failure}");
            assert_eq!(failure["details"]["field"], "management_ip", "{tool} {ip}: {failure}");
        }
        let probe = json!({ "address": ip, "port": 80, "tls": false });
        assert_eq!(house.refused(As::Admin, "device_probe", &probe), "device_unreachable", "{ip}");
    }
    assert_eq!(shown(), before);
}

#[test]
fn proxies_of_the_environment_never_see_a_routers_login() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let mut environment = names.map(|name| (name, url.as_str())).to_vec();
    environment.extend([("NO_PROXY", ""), ("no_proxy", "")]);
    let house = House::start_among(1, &environment);
    house.call(As::Agent, "get_dns_status", &json!({ "device_id": house.device(0) }));
    let seen = proxy.accept();
    assert!(seen.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "the proxy was called");
}

#[test]
fn an_appliance_for_one_environment_shows_and_touches_no_other() {
    let house = House::start(12);
    let prod = house.call(As::Admin, "list_devices", &json!({ "environment": "prod" }));
    let prod = prod["devices"][0]["id"].as_str().unwrap().to_owned();
    let state = house.store();
    let (_, _, _dir) = house.stop();
    let run = |args: &[&str]| {
        let mut all = vec!["--json"];
        all.extend(args);
        std::process::Command::new(env!("CARGO_BIN_EXE_appliance"))
            .arg("--dir")
            .arg(&state)
            .args(all)
            .env("APPLIANCE__TOOLS__ENVIRONMENT", "lab")
            .output()
            .unwrap()
    };
    let listed = String::from_utf8(run(&["call", "list_devices"]).stdout).unwrap();
    assert!(listed.contains("\"lab\"") && !listed.contains(&prod), "{listed}");
    let events = String::from_utf8(run(&["call", "audit_events", "limit=1000"]).stdout).unwrap();
    assert!(!events.contains(&prod), "{prod} is shown");
    let refused = run(&["call", "get_dns_status", &format!("device_id={prod}")]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("environment_denied"), "{refused:?}");
}
