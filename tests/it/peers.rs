//! Peers that are slow, confused or hostile, down to their bytes.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::json;

use crate::house::{As, House, PATIENCE, raw, request};

fn host_of(house: &House) -> String {
    house.url().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

fn connect(house: &House, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(host_of(house)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// What comes until the appliance closes; that it never does is a failure.
fn until_closed(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was left open: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until the text was seen.
fn until_seen(stream: &mut TcpStream, text: &str) -> String {
    let (mut seen, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        match stream.read(&mut part) {
            Ok(0) => panic!("ended before {text:?}: {}", String::from_utf8_lossy(&seen)),
            Ok(n) => seen.extend_from_slice(&part[..n]),
            Err(error) => panic!("{error} before {text:?}: {}", String::from_utf8_lossy(&seen)),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

fn get(house: &House, token: &str, path: &str, more: &str) -> TcpStream {
    let host = host_of(house);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
    connect(house, head.as_bytes())
}

#[test]
fn an_idle_connection_has_its_own_time_and_a_second_head_the_time_of_the_first() {
    let settings = [("SERVER__HEADER_TIMEOUT_SECONDS", "1"), ("SERVER__IDLE_TIMEOUT_SECONDS", "3600")];
    let house = House::start_set(1, &[], &settings);
    let live = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", host_of(&house));
    let mut idle = connect(&house, live.as_bytes());
    until_seen(&mut idle, "live\n");
    // Each of these is left after the time of a head; the idle one outlives them.
    until_closed(connect(&house, b""));
    let mut second = connect(&house, live.as_bytes());
    until_seen(&mut second, "live\n");
    second.write_all(b"GET /live HT").unwrap();
    until_closed(second);
    until_closed(connect(&house, b"G"));
    idle.write_all(live.as_bytes()).unwrap();
    until_seen(&mut idle, "live\n");
}

#[test]
fn a_token_that_is_not_valid_is_told_from_none() {
    let house = House::start(1);
    let challenge = |token: Option<&str>| {
        let reply = request(house.url(), "GET", "/api/tools", token, None);
        assert_eq!(reply.status, 401);
        reply
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("www-authenticate:"))
            .unwrap()
            .to_owned()
    };
    assert!(!challenge(None).contains("error="), "{}", challenge(None));
    let wrong = challenge(Some("appl_nonsense"));
    assert!(wrong.contains("Bearer error=\"invalid_token\", resource_metadata="), "{wrong}");
}

#[test]
fn refused_sign_ins_are_all_on_record_at_the_end() {
    let house = House::start(1);
    let wrong = format!("appl_{}", "0".repeat(64));
    for _ in 0..20 {
        assert_eq!(request(house.url(), "GET", "/api/tools", Some(&wrong), None).status, 401);
    }
    let admin = house.token(As::Admin).unwrap().to_owned();
    let (clean, said, dir) = house.stop();
    assert!(clean, "{said}");
    let output = std::process::Command::new(crate::house::APPLIANCE)
        .arg("--dir")
        .arg(dir.path().join("demo"))
        .args(["--json", "call", "audit_events", "kind=SignInRefused"])
        .env("APPLIANCE_TOKEN", admin)
        .output()
        .unwrap();
    let answer = crate::house::json_of(&output);
    let events = answer["events"].as_array().unwrap();
    let count: u64 = events.iter().map(|event| event["fact"]["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 20, "{answer}");
}

#[test]
fn a_page_beyond_the_end_is_refused() {
    let house = House::start(1);
    for after in ["999999", "18446744073709551615"] {
        let reply = house.http(As::Admin, "GET", &format!("/api/events/page?after={after}"), None);
        assert_eq!((reply.status, &reply.body["details"]["field"]), (400, &json!("after")), "{}", reply.text);
    }
}

#[test]
fn a_client_that_leaves_its_stream_is_no_error() {
    let house = House::start(1);
    let (host, token) = (host_of(&house), house.token(As::Agent).unwrap().to_owned());
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    let post = |more: &str, body: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             Authorization: Bearer {token}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for _ in 0..20 {
        // Gone before the answer.
        drop(connect(&house, post("", &body).as_bytes()));
    }
    let mut first = connect(&house, post("", &body).as_bytes());
    let head = until_seen(&mut first, "\r\n\r\n").to_ascii_lowercase();
    let session =
        head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().trim().to_owned();
    let mut stream =
        get(&house, &token, "/mcp", &format!("Accept: text/event-stream\r\nMcp-Session-Id: {session}\r\n"));
    until_seen(&mut stream, "\r\n\r\n");
    drop(stream);
    let (clean, said, _dir) = house.stop();
    assert!(clean && !said.contains("ERROR"), "{said}");
}

#[test]
fn every_answer_is_guarded_and_none_tells_what_is_inside() {
    let house = House::start(1);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/live"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/nonsense"),
        ("GET", "/api/tools"),
        ("GET", "/api/devices/..%2f..%2fetc%2fpasswd"),
        ("GET", "/api/devices/%00"),
        ("GET", "/api/../mcp"),
        ("PUT", "/mcp"),
        ("HEAD", "/live"),
        ("OPTIONS", "/mcp"),
        ("OPTIONS", "/api/tools"),
        ("PUT", "/api/events"),
        ("POST", "/api/events/page"),
        ("TRACE", "/"),
        ("DELETE", "/live"),
        ("PUT", "/metrics"),
        ("HEAD", "/api/devices"),
        ("PATCH", "/mcp"),
        ("GET", "/mcp"),
    ] {
        for who in [As::Nobody, As::Agent] {
            let reply = house.http(who, method, path, None);
            let head = reply.head.to_ascii_lowercase();
            assert!((200..500).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text);
            for guard in [
                "x-content-type-options: nosniff",
                "cache-control: no-store",
                "content-security-policy: default-src 'none'",
            ] {
                assert!(head.contains(guard), "{method} {path} without {guard}: {head}");
            }
            for inside in ["panicked", "src/", ".rs:", "Error {", "/root", "backtrace"] {
                assert!(!reply.text.contains(inside), "{method} {path}: {}", reply.text);
            }
            if matches!(who, As::Nobody)
                && ["/api", "/mcp", "/metrics"].iter().any(|own| path.starts_with(own))
            {
                assert!([401, 404].contains(&reply.status), "{method} {path}: {}", reply.status);
            }
        }
    }
    for (path, status) in [("/live", 200), ("/ready", 200), ("/metrics", 401)] {
        assert_eq!(house.http(As::Nobody, "GET", path, None).status, status, "{path}");
    }
}

#[test]
fn deep_large_lying_and_smuggled_bodies_do_no_harm() {
    let house = House::start(1);
    let (host, token) = (host_of(&house), house.token(As::Agent).unwrap());
    let post = |path: &str, more: &str, body: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{more}\r\n{body}"
        );
        raw(&host, head.as_bytes()).status
    };
    let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
    for path in ["/api/tools/echo", "/mcp"] {
        for deep in
            ["[".repeat(100_000), "{\"a\":".repeat(100_000), format!("{{\"message\":{}", "[".repeat(100_000))]
        {
            let status = post(path, &length(&deep), &deep);
            assert!((400..500).contains(&status), "{path}: {status}");
        }
        let big = format!("{{\"message\":\"{}\"}}", "x".repeat(10_000_000));
        assert_eq!(post(path, &length(&big), &big), 413, "{path}");
        let chunk = "x".repeat(0x10_0000);
        let chunks = format!("{}0\r\n\r\n", format!("100000\r\n{chunk}\r\n").repeat(6));
        assert_eq!(post(path, "Transfer-Encoding: chunked\r\n", &chunks), 413, "{path}: chunked");
        // Two lengths, a length beside chunks, a length that is none: the next request must not hide in this one.
        for lie in
            ["Content-Length: 5\r\nContent-Length: 7\r\n", "Content-Length: x\r\n", "Content-Length: -1\r\n"]
        {
            assert_eq!(post(path, lie, "{}"), 400, "{path} {lie}");
        }
        let hidden = format!("0\r\n\r\nGET /live HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let both = connect(
            &house,
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{hidden}")
                .as_bytes(),
        );
        let answers = until_closed(both).matches("HTTP/1.1 ").count();
        assert_eq!(answers, 1, "{path}");
    }
    let garbage =
        connect(&house, format!("GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n\u{1}garbage\r\n\r\n").as_bytes());
    let answers = until_closed(garbage);
    assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("HTTP/1.1 400"), "{answers}");
    assert_eq!(house.http(As::Agent, "GET", "/ready", None).status, 200);
}
