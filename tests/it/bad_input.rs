//! Bad input at every door: a typed error that names what is wrong, and nothing changed.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::house::{APPLIANCE, As, House, PATIENCE, raw};

#[test]
fn parameters_are_refused_by_name() {
    let house = House::start(2);
    let device = house.device(0);
    let big = "x".repeat(200_000);
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("echo", json!({}), "invalid_params", "message"),
        ("echo", json!({ "message": "hi", "extra": 1 }), "invalid_params", "extra"),
        ("echo", json!({ "message": 7 }), "invalid_params", "message"),
        ("echo", json!({ "message": "" }), "invalid_params", "message"),
        ("echo", json!({ "message": big }), "invalid_params", "message"),
        ("get_dns_status", json!({ "device_id": "nobody" }), "unknown_device", ""),
        ("get_dns_status", json!({ "device_id": "" }), "invalid_params", "device_id"),
        ("get_dns_status", json!({ "device_id": ["a"] }), "invalid_params", "device_id"),
        ("update_dns_servers", json!({ "device_id": device }), "invalid_params", "dns_servers"),
        (
            "update_dns_servers",
            json!({ "device_id": device, "dns_servers": [] }),
            "invalid_params",
            "dns_servers",
        ),
        (
            "update_dns_servers",
            json!({ "device_id": device, "dns_servers": ["999.1.1.1"] }),
            "invalid_params",
            "dns_servers",
        ),
        (
            "update_dns_servers",
            json!({ "device_id": device, "dns_servers": ["9.9.9.9", "9.9.9.9"] }),
            "invalid_params",
            "dns_servers",
        ),
        (
            "update_dns_servers",
            json!({ "device_id": device, "dns_servers": ["9.9.9.9"], "dry_run": "yes" }),
            "invalid_params",
            "dry_run",
        ),
        ("set_system_identity", json!({ "device_id": device, "identity": "" }), "invalid_params", "identity"),
        (
            "set_system_identity",
            json!({ "device_id": device, "identity": "a\u{0}b" }),
            "invalid_params",
            "identity",
        ),
        ("list_devices", json!({ "environment": "production" }), "invalid_params", "environment"),
        ("list_devices", json!({ "limit": 0 }), "invalid_params", "limit"),
        ("list_devices", json!({ "limit": 100_000 }), "invalid_params", "limit"),
        ("list_devices", json!({ "cursor": "nonsense" }), "invalid_params", "cursor"),
        ("plan_details", json!({ "plan_id": "plan_zz" }), "invalid_params", "plan_id"),
        ("plan_details", json!({ "plan_id": "plan_01k0000000000000000000000z" }), "unknown_plan", ""),
        ("job_status", json!({ "job_id": "job_01k0000000000000000000000z" }), "unknown_job", ""),
        ("no_such_tool", json!({}), "unknown_tool", ""),
        ("echo", json!([1]), "invalid_params", ""),
    ];
    for (tool, params, code, field) in cases {
        let failure = house.try_call(As::Agent, tool, &params).unwrap_err();
        let shown: String = params.to_string().chars().take(80).collect();
        assert_eq!(failure["code"], code, "{tool} {shown}: {failure}");
        assert!(failure["message"].as_str().is_some_and(|m| !m.is_empty()), "{failure}");
        assert!(failure.to_string().contains(field), "{tool} {shown} names {field}: {failure}");
        assert!(failure.to_string().len() < 2_000, "{tool}: a failure is short");
    }
    assert_eq!(house.writes(0), 0);
}

#[test]
fn devices_are_refused_by_field() {
    let house = House::start(2);
    let add = |params: Value| house.try_call(As::Admin, "device_add", &params).unwrap_err();
    let taken = add(
        json!({ "device_id": "new", "name": house.device(0), "management_ip": "127.0.0.1", "environment": "lab" }),
    );
    assert_eq!(taken["code"], "already_exists", "{taken}");
    for (params, field) in [
        (json!({ "device_id": "Bad Id", "management_ip": "192.0.2.9", "environment": "lab" }), "device_id"),
        (json!({ "device_id": "new", "management_ip": "300.1.1.1", "environment": "lab" }), "management_ip"),
        (
            json!({ "device_id": "new", "management_ip": "192.0.2.9", "management_port": 0, "environment": "lab" }),
            "management_port",
        ),
        (
            json!({ "device_id": "new", "management_ip": "192.0.2.9", "management_port": 70_000, "environment": "lab" }),
            "management_port",
        ),
        (
            json!({ "device_id": "new", "management_ip": "192.0.2.9", "environment": "lab", "allow": ["everything"] }),
            "allow",
        ),
    ] {
        let failure = add(params.clone());
        assert_eq!(failure["code"], "invalid_params", "{params}: {failure}");
        assert!(failure.to_string().contains(field), "{params}: {failure}");
    }
    let listed = house.call(As::Admin, "list_devices", &json!({}));
    assert_eq!(listed["devices"].as_array().unwrap().len(), 2);
}

#[test]
fn routers_that_misbehave_are_told_apart() {
    let house = House::start(1);
    let device = house.device(0);
    for (fault, codes) in [
        (json!({ "fault": "html", "times": 8 }), vec!["device_garbled"]),
        (json!({ "fault": "half_json", "times": 8 }), vec!["device_garbled"]),
        (json!({ "fault": "empty_answer", "times": 8 }), vec!["device_garbled"]),
        (json!({ "fault": "wrong_data_after_boot", "times": 8 }), vec!["device_garbled"]),
        (
            json!({ "fault": "status", "status": 500, "body": "{\"error\":500,\"message\":\"Internal Server Error\"}", "times": 8 }),
            vec!["device_refused", "device_garbled"],
        ),
        (json!({ "fault": "reset_connection", "times": 8 }), vec!["device_unreachable"]),
    ] {
        house.fault(0, &fault);
        let code = house.refused(As::Agent, "get_dns_status", &json!({ "device_id": device }));
        assert!(codes.contains(&code.as_str()), "{fault}: {code}");
        house.control("DELETE", &format!("/boxes/{}/faults", house.box_of(0)), None);
        house.until("the router to be asked again", || {
            house.try_call(As::Agent, "get_dns_status", &json!({ "device_id": device })).ok()
        });
    }
}

#[test]
fn a_wrong_password_is_said_and_not_repeated_for_ever() {
    let house = House::start(1);
    let device = house.device(0);
    house.call(
        As::Admin,
        "device_edit",
        &json!({ "device_id": device, "username": "appliance-ro", "password": "wrong" }),
    );
    let code = house.refused(As::Agent, "get_dns_status", &json!({ "device_id": device }));
    assert_eq!(code, "device_auth_failed");
    let tried = house.journal(0).iter().filter(|entry| entry["status"] == 401).count();
    assert_eq!(tried, 1, "one try");
}

#[test]
fn http_that_is_not_http_json_or_small_is_refused() {
    let house = House::start(1);
    let host = house.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let token = house.token(As::Agent).unwrap();
    let post = |body: &str, extra: &str| {
        raw(
            &host,
            format!(
                "POST /api/tools/echo HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Authorization: Bearer {token}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    assert_eq!(post("{not json", "").body["code"], "invalid_params");
    assert_eq!(post(&format!("{{\"message\":\"{}\"}}", "x".repeat(2_000_000)), "").status, 413);
    assert_eq!(post("{\"message\":\"hi\"}", "Origin: https://evil.example\r\n").status, 403);
    let foreign = raw(
        &host,
        format!("GET /api/tools HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(foreign.status, 403, "{}", foreign.text);
    let not_found = house.http(As::Agent, "GET", "/api/nonsense", None);
    assert_eq!(not_found.status, 404, "{}", not_found.text);
    let put = house.http(As::Agent, "PUT", "/api/tools", Some(&json!({})));
    assert!([404, 405].contains(&put.status), "{}", put.status);
    let echo = post("{\"message\":\"still here\"}", "");
    assert_eq!(echo.status, 200, "{}", echo.text);
}

#[test]
fn json_rpc_that_is_malformed_batched_or_flooding_does_no_harm() {
    let house = House::start(1);
    let host = house.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let token = house.token(As::Agent).unwrap();
    let mcp = |body: &str| {
        raw(
            &host,
            format!(
                "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Accept: application/json, text/event-stream\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    for body in [
        "{",
        "[]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
        "{\"jsonrpc\":\"1.0\"}",
        "null",
        "\u{0}",
    ] {
        let reply = mcp(body);
        assert!((400..500).contains(&reply.status), "{body}: {} {}", reply.status, reply.text);
    }
    for _ in 0..200 {
        let _ = mcp("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nonsense\"}");
    }
    assert_eq!(mcp(&format!("{{\"x\":\"{}\"}}", "y".repeat(5 * 1024 * 1024))).status, 413);
    assert_eq!(house.http(As::Agent, "GET", "/ready", None).status, 200);
}

#[test]
fn headers_that_never_end_are_cut_off() {
    let house = House::start(1);
    let host = house.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut slow = std::net::TcpStream::connect(&host).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    let mut rest = Vec::new();
    // Ends because the appliance closes; a read that times out would be an error.
    slow.read_to_end(&mut rest).expect("the connection is closed by the appliance");
}

#[test]
fn closed_standard_input_ends_stdio() {
    let house = House::start(1);
    let output = std::process::Command::new(APPLIANCE)
        .arg("--dir")
        .arg(house.store())
        .arg("stdio")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty(), "standard output belongs to the protocol");
}
