//! Who may come in, and what each may not do.

use serde_json::json;

use crate::house::{As, House, request};

#[test]
fn without_a_valid_token_nothing_is_told() {
    let house = House::start(1);
    for (method, path) in
        [("GET", "/api/tools"), ("POST", "/api/tools/list_devices"), ("POST", "/mcp"), ("GET", "/api/status")]
    {
        let body = (method == "POST").then(|| json!({}));
        let reply = house.http(As::Nobody, method, path, body.as_ref());
        assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text);
        assert!(reply.head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{}", reply.head);
        let wrong = request(
            house.url(),
            method,
            path,
            Some(&format!("appl_{}", "0".repeat(64))),
            body.map(|b| b.to_string()).as_deref(),
        );
        assert_eq!(wrong.status, 401, "{method} {path}");
    }
}

#[test]
fn each_tool_is_refused_to_those_it_is_not_for() {
    let house = House::start(1);
    let reader = house.call(
        As::Admin,
        "token_create",
        &json!({ "label": "reader", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] }),
    );
    let reader = reader["token"].as_str().unwrap();
    let tools = house.http(As::Admin, "GET", "/api/tools", None).body;
    let tools = tools["tools"].as_array().or_else(|| tools.as_array()).unwrap().clone();
    assert!(tools.len() >= 30, "{}", tools.len());
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let path = format!("/api/tools/{name}");
        let nobody = request(house.url(), "POST", &path, None, Some("{}"));
        assert_eq!(nobody.status, 401, "{name}");
        let read_only = tool["annotations"]["readOnlyHint"] == json!(true) || tool["kind"] == json!("read");
        let mine = request(house.url(), "GET", "/api/tools", Some(reader), None).text;
        if !read_only {
            assert!(!mine.contains(&format!("\"{name}\"")), "{name} is listed for a reader");
            let reply = request(house.url(), "POST", &path, Some(reader), Some("{}"));
            assert_eq!(
                (reply.status, reply.body["code"].as_str()),
                (403, Some("role_required")),
                "{name}: {}",
                reply.text
            );
        }
    }
}

#[test]
fn scopes_environments_and_capabilities_bound_what_a_token_touches() {
    let house = House::start(12);
    let narrow = house.call(
        As::Admin,
        "token_create",
        &json!({ "label": "narrow", "role": "ops_rw", "environments": ["lab"], "device_scopes": [house.device(0)] }),
    );
    let narrow = narrow["token"].as_str().unwrap();
    let call = |tool: &str, params: serde_json::Value| {
        request(house.url(), "POST", &format!("/api/tools/{tool}"), Some(narrow), Some(&params.to_string()))
    };
    assert_eq!(call("get_dns_status", json!({ "device_id": house.device(0) })).status, 200);
    let outside = call("get_dns_status", json!({ "device_id": house.device(1) }));
    assert_eq!(outside.body["code"], "unknown_device", "what is outside is not confirmed to exist");
    let listed = call("list_devices", json!({}));
    assert_eq!(listed.body["devices"].as_array().unwrap().len(), 1);
    house.call(As::Admin, "device_edit", &json!({ "device_id": house.device(0), "allow": [] }));
    let denied =
        call("update_dns_servers", json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] }));
    assert_eq!(denied.body["code"], "capability_missing", "{}", denied.text);
    // Denials are recorded without making the caller wait.
    house.until("the denial on record", || {
        let denials = house.call(As::Admin, "audit_events", &json!({ "kind": "ToolDenied", "limit": 10 }));
        denials.to_string().contains("capability_missing").then_some(())
    });
}

#[test]
fn a_revoked_token_ends_at_once() {
    let house = House::start(1);
    let made = house.call(
        As::Admin,
        "token_create",
        &json!({ "label": "short", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] }),
    );
    let token = made["token"].as_str().unwrap();
    assert_eq!(request(house.url(), "GET", "/api/tools", Some(token), None).status, 200);
    house.call(As::Admin, "token_revoke", &json!({ "token_id": made["token_id"] }));
    assert_eq!(request(house.url(), "GET", "/api/tools", Some(token), None).status, 401);
}

#[test]
fn the_local_user_requests_and_never_approves_nor_makes_tokens() {
    let house = House::start(1);
    let output = house.cli(As::Nobody, &["--json", "token", "create", "--role", "admin", "--label", "x"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let output = house
        .cli(As::Nobody, &["--json", "call", "get_dns_status", &format!("device_id={}", house.device(0))]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn agents_have_no_way_to_operators_tools() {
    let house = House::start(1);
    let init = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
                   "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" } } } });
    let host = house.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let body = init.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        house.token(As::Admin).unwrap(),
        body.len()
    );
    let reply = crate::house::raw(&host, request.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.text.contains("update_dns_servers"), "{}", reply.text);
    for operator in ["plan_approve", "plan_reject", "token_create", "device_add"] {
        assert!(!reply.text.contains(operator), "{operator} is shown to an agent");
    }
}
