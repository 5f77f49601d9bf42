//! What the HTTP doors do with clients that are silent, slow, greedy or rude.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::house::{As, House, Reply, raw, reply_of, request};

/// Longer than anything here takes; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.host()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the other side closes; an error is a wait that had no end.
fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
        Err(error) => panic!("not closed: {error}"),
    }
}

fn initialize(house: &House, token: &str) -> Reply {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    mcp(house, token, "POST", "", &body.to_string())
}

fn mcp(house: &House, token: &str, method: &str, more: &str, body: &str) -> Reply {
    let bytes = format!(
        "{method} /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n{more}Content-Length: {}\r\n\r\n{body}",
        house.host(),
        body.len()
    );
    raw(house.host(), bytes.as_bytes())
}

fn session_of(reply: &Reply) -> String {
    let head = reply.head.to_ascii_lowercase();
    let line = head.lines().find(|line| line.starts_with("mcp-session-id:")).expect("a session");
    line["mcp-session-id:".len()..].trim().to_owned()
}

#[test]
fn connections_without_a_request_are_closed() {
    let settings = [("SERVER__HEADER_TIMEOUT_SECONDS", "1"), ("SERVER__IDLE_TIMEOUT_SECONDS", "1")];
    let house = House::start_set(1, &[], &settings);
    let begin = |bytes: &[u8]| {
        let mut stream = connect(&house);
        stream.write_all(bytes).unwrap();
        stream
    };
    let silent = begin(b"");
    let half_preface = begin(b"PRI * HTTP/2.0\r\n\r\n");
    let preface = begin(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00");
    let half_head = begin(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
    for stream in [silent, half_preface, preface, half_head] {
        closed(stream);
    }
    let mut idle = begin(format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", house.host()).as_bytes());
    let mut first = [0; 15];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    closed(idle);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let house = House::start_set(1, &[], &[("SERVER__BODY_TIMEOUT_SECONDS", "1")]);
    let token = house.token(As::Agent).unwrap();
    for path in ["/api/tools/echo", "/mcp"] {
        let mut stream = connect(&house);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nAccept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{\"mess",
            house.host()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let reply = reply_of(&closed(stream));
        assert!((400..600).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
    }
}

#[test]
fn names_are_read_strictly() {
    let house = House::start(1);
    let status =
        |head: &str| raw(house.host(), format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).status;
    let port = house.host().rsplit_once(':').unwrap().1;
    assert_eq!(status(&format!("GET /live HTTP/1.1\r\nHost: localhost:{port}")), 200);
    assert_eq!(status(&format!("GET http://localhost:{port}/live HTTP/1.1\r\nHost: localhost:{port}")), 200);
    for bad in [
        "GET /live HTTP/1.1\r\nHost: [::1]evil",
        "GET /live HTTP/1.1\r\nHost: evil@localhost",
        "GET /live HTTP/1.1\r\nHost: localhost:99999",
        "GET /live HTTP/1.1\r\nHost: evil.example",
        "GET /live HTTP/1.1\r\nHost: localhost\r\nHost: localhost",
        "GET /live HTTP/1.1\r\nX-No-Host: 1",
        "GET http://evil.example/live HTTP/1.1\r\nHost: localhost",
        "GET /live HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",
    ] {
        let status = status(bad);
        assert!((400..500).contains(&status), "{bad}: {status}");
    }
}

#[test]
fn a_refused_sign_in_names_where_to_learn_more_and_is_on_record_once_a_minute() {
    let house = House::start(1);
    let wrong = format!("appl_{}", "0".repeat(64));
    for _ in 0..20 {
        let reply = request(house.url(), "GET", "/api/tools", Some(&wrong), None);
        let about = format!("http://{}/.well-known/oauth-protected-resource/mcp", house.host());
        assert!(reply.head.contains(&format!("resource_metadata=\"{about}\"")), "{}", reply.head);
    }
    let about = request(house.url(), "GET", "/.well-known/oauth-protected-resource/mcp", None, None);
    assert_eq!(about.body["resource"], format!("http://{}/mcp", house.host()));
    let refused = house.until("the refusal on record", || {
        let found = house.call(As::Admin, "audit_events", &json!({ "kind": "SignInRefused" }));
        (found["returned_count"] != 0).then_some(found)
    });
    assert_eq!(refused["returned_count"], 1, "{refused}");
    assert_eq!(refused["events"][0]["fact"]["from"], "127.0.0.1");
    assert!(!refused.to_string().contains(&"0".repeat(64)));
}

#[test]
fn sessions_are_bounded_for_each_and_belong_to_one() {
    let house = House::start_set(1, &[], &[("SERVER__MAX_SESSIONS_PER_PRINCIPAL", "2")]);
    let (agent, admin) = (house.token(As::Agent).unwrap(), house.token(As::Admin).unwrap());
    let first = session_of(&initialize(&house, agent));
    session_of(&initialize(&house, agent));
    let third = initialize(&house, agent);
    assert_eq!((third.status, third.body["code"].as_str()), (503, Some("overloaded")), "{}", third.text);
    assert!(third.head.to_ascii_lowercase().contains("retry-after"), "{}", third.head);

    // What needs no session goes on, and others have room of their own.
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
                   "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" } } } });
    let more = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
    assert_eq!(mcp(&house, agent, "POST", more, &list.to_string()).status, 200);
    session_of(&initialize(&house, admin));

    // Another's session does not exist, and is not ended by them.
    let named = format!("Mcp-Session-Id: {first}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
    let ping = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" }).to_string();
    for method in ["POST", "DELETE"] {
        assert_eq!(mcp(&house, admin, method, &named, &ping).status, 404, "{method}");
    }
    assert_eq!(mcp(&house, agent, "POST", &named, &ping).status, 200);
    // One ended makes room for one.
    assert!((200..300).contains(&mcp(&house, agent, "DELETE", &named, "").status));
    house.until("room again", || (initialize(&house, agent).status == 200).then_some(()));
}

/// Opens the stream of events and reads to the line that ends its head.
fn events(house: &House, token: &str) -> BufReader<TcpStream> {
    let mut stream = connect(house);
    let head = format!(
        "GET /api/events?after=0 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n",
        house.host()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    reader
}

#[test]
fn the_stream_of_events_ends_with_its_token() {
    let house = House::start(1);
    let made = house.call(
        As::Admin,
        "token_create",
        &json!({ "label": "short", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] }),
    );
    let mut stream = events(&house, made["token"].as_str().unwrap());
    house.call(As::Admin, "token_revoke", &json!({ "token_id": made["token_id"] }));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("event:end") && rest.contains("the token was revoked"), "{}", rest.len());
}

#[test]
fn a_stop_tells_streams_and_waits_for_no_idle_client() {
    let house = House::start(1);
    let mut stream = events(&house, house.token(As::Admin).unwrap());
    let mut idle = connect(&house);
    idle.write_all(format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", house.host()).as_bytes()).unwrap();
    let (clean, stderr, _dir) = house.stop();
    assert!(clean, "{stderr}");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("the appliance is stopping"), "{}", rest.len());
}

#[test]
fn events_come_in_pages_that_follow_each_other() {
    let house = House::start(2);
    let admin = house.token(As::Admin);
    let page = |query: &str| request(house.url(), "GET", &format!("/api/events/page{query}"), admin, None);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = page(&format!("?after={after}&limit=3"));
        assert_eq!(page.status, 200, "{}", page.text);
        let events = page.body["events"].as_array().unwrap();
        assert!(events.len() <= 3);
        seen.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        after = page.body["next_after"].as_u64().unwrap();
        if page.body["more"] == false {
            break;
        }
    }
    assert!(seen.len() > 6 && seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.first(), Some(&1));
    for bad in ["?after=x", "?limit=0", "?limit=1001", "?afterwards=1"] {
        assert_eq!(page(bad).body["code"], "invalid_params", "{bad}");
    }
    for (bad, field) in [("Last-Event-ID: x", "Last-Event-ID"), ("Last-Event-ID: 99999999", "Last-Event-ID")]
    {
        let head = format!(
            "GET /api/events HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{bad}\r\n\r\n",
            house.host(),
            admin.unwrap()
        );
        let reply = raw(house.host(), head.as_bytes());
        assert_eq!(
            (reply.status, reply.body["code"].as_str()),
            (400, Some("invalid_params")),
            "{}",
            reply.text
        );
        assert!(reply.text.contains(field), "{}", reply.text);
    }
}

#[test]
fn malformed_messages_are_answered_and_hurt_nobody() {
    let house = House::start(1);
    let agent = house.token(As::Agent).unwrap();
    let named = {
        let session = session_of(&initialize(&house, agent));
        format!("Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: 2025-11-25\r\n")
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let huge = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":"{}"}}"#, "x".repeat(10_000_000));
    for bad in ["{", "null", "\"x\"", "{\"jsonrpc\":\"1.0\"}", batch, deep.as_str(), huge.as_str(), ""] {
        let reply = mcp(&house, agent, "POST", &named, bad);
        let shown: String = bad.chars().take(40).collect();
        assert!((400..500).contains(&reply.status), "{shown}: {} {}", reply.status, reply.text);
    }
    let api = |body: &str| request(house.url(), "POST", "/api/tools/echo", Some(agent), Some(body));
    for bad in ["{", "[]", deep.as_str(), "{\"message\": 1}", "{\"message\": \"\\u0000\"}"] {
        let reply = api(bad);
        assert_eq!(
            (reply.status, reply.body["code"].as_str()),
            (400, Some("invalid_params")),
            "{}",
            reply.text
        );
    }
    for (method, path) in [
        ("HEAD", "/api/tools"),
        ("OPTIONS", "/mcp"),
        ("PUT", "/mcp"),
        ("TRACE", "/live"),
        ("PUT", "/api/devices/r1"),
        ("GET", "/api/devices/..%2f..%2fkeys"),
        ("GET", "/..%2f..%2fetc/passwd"),
    ] {
        let reply = request(house.url(), method, path, Some(agent), None);
        assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status);
    }
    // A flood of notifications: one connection, no answers, and others are served meanwhile.
    let mut flood = connect(&house);
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": 1 } })
        .to_string();
    let one = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {agent}\r\n{named}Content-Length: {}\r\n\r\n{note}",
        house.host(),
        note.len()
    );
    flood.set_write_timeout(Some(PATIENCE)).unwrap();
    let reader = std::thread::spawn({
        let mut answers = flood.try_clone().unwrap();
        move || {
            let _ = std::io::copy(&mut answers, &mut std::io::sink());
        }
    });
    for _ in 0..2_000 {
        flood.write_all(one.as_bytes()).unwrap();
    }
    assert_eq!(api("{\"message\": \"still here\"}").status, 200);
    flood.shutdown(std::net::Shutdown::Both).unwrap();
    reader.join().unwrap();
    assert_eq!(
        mcp(
            &house,
            agent,
            "POST",
            &named,
            &json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }).to_string()
        )
        .status,
        200
    );
}
