//! What REST and lanes make of everything that can come back over a connection, and of nothing.

use std::sync::{Arc, atomic::Ordering};

use events::operation::Action;
use tokio::sync::Notify;

use crate::routeros::{
    error::{Garble, RouterError},
    json::{BODY_MAX, JsonError},
    port::{Ask, Receipt, Reply},
    testing::{PASSWORD, PATIENCE, Rig, SHORT, Say, Wire, http, json},
};

fn set_dns() -> Action {
    Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![("servers".into(), "9.9.9.9".into())] }
}

/// How an exchange must end.
#[derive(Clone, Copy)]
struct Fit {
    read: fn(&Result<Reply, RouterError>) -> bool,
    /// Requests for one read: a broken way is tried again.
    tries: usize,
    /// A write that ended so may have taken effect.
    may_have_applied: bool,
}

const LOST: Fit =
    Fit { read: |read| matches!(read, Err(RouterError::Lost(_))), tries: 3, may_have_applied: true };

const fn once(read: fn(&Result<Reply, RouterError>) -> bool) -> Fit {
    Fit { read, tries: 1, may_have_applied: true }
}

fn value(read: &Result<Reply, RouterError>, name: &str) -> Option<String> {
    read.as_ref().ok().and_then(|reply| reply.rows.first()?.get(name).cloned())
}

fn refusal(status: &str, detail: &str) -> Vec<Say> {
    vec![Say::Bytes(json(status, format!(r#"{{"error":1,"message":"m","detail":"{detail}"}}"#)))]
}

fn raw(text: &str, then: Say) -> Vec<Say> {
    vec![Say::Bytes(text.as_bytes().to_vec()), then]
}

const PAGE: &str = "<html><body>WebFig</body></html>";

/// Everything that a box may answer, and how it must end.
#[rustfmt::skip]
fn answers() -> Vec<(&'static str, Vec<Say>, Fit)> {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = |bytes: &[u8]| vec![Say::Bytes(json("200 OK", bytes))];
    let reads = |read| Fit { may_have_applied: false, ..once(read) };
    vec![
        ("an object", body(b"{\"name\":\"r\"}"), reads(|r| value(r, "name").as_deref() == Some("r"))),
        ("a list", body(b"[{\"name\":\"r\"},{\"name\":\"s\"}]"), reads(|r| r.as_ref().is_ok_and(|r| r.rows.len() == 2))),
        ("an id", body(b"{\"ret\":\"*2\"}"), reads(|r| r.as_ref().is_ok_and(|r| r.ret.as_deref() == Some("*2")))),
        ("nothing in 200", body(b""), reads(|r| r.as_ref().is_ok_and(|r| r.rows.is_empty()))),
        ("nothing in 204", raw("HTTP/1.1 204 No Content\r\n\r\n", Say::Bytes(vec![])), reads(|r| r.as_ref().is_ok_and(|r| r.rows.is_empty()))),
        ("control bytes", body(b"{\"name\":\"a\x01\x1b[2J\nb\"}"), reads(|r| value(r, "name").as_deref() == Some("a\u{1}\u{1b}[2J\nb"))),
        ("cp1252", body(b"{\"name\":\"caf\xe9\"}"), reads(|r| value(r, "name").as_deref() == Some("caf\u{fffd}"))),
        ("an answer ended by closing", raw("HTTP/1.0 200 OK\r\n\r\n{\"name\":\"r\"}", Say::Close), reads(|r| value(r, "name").is_some())),
        ("half a JSON", body(b"[{\"name\":\"a"), once(|r| matches!(r, Err(RouterError::Garbled(Garble::Json(JsonError::Syntax { .. })))))),
        ("a page", vec![Say::Bytes(http("200 OK", "text/html", PAGE))], once(|r| matches!(r, Err(RouterError::NotRest { status: 200 })))),
        ("a page without its kind", body(PAGE.as_bytes()), once(|r| matches!(r, Err(RouterError::NotRest { status: 200 })))),
        ("REST is off", vec![Say::Bytes(http("403 Forbidden", "text/html", PAGE))], once(|r| matches!(r, Err(RouterError::NotRest { status: 403 })))),
        ("words in 500", refusal("500 Internal Server Error", "failure: busy"), once(|r| matches!(r, Err(RouterError::Refused { status: 500, .. })))),
        ("a missing policy", refusal("500 Internal Server Error", "not enough permissions (9)"), once(|r| matches!(r, Err(RouterError::Forbidden { .. })))),
        ("500 alone", vec![Say::Bytes(json("500 Oh", ""))], once(|r| matches!(r, Err(RouterError::Garbled(Garble::Wordless(500)))))),
        ("the wall", refusal("400 Bad Request", "Session closed"), once(|r| matches!(r, Err(RouterError::Wall)))),
        ("not there", vec![Say::Bytes(json("404 Not Found", "{\"error\":404,\"message\":\"Not Found\"}"))], once(|r| matches!(r, Err(RouterError::Absent { status: 404, .. })))),
        ("a wrong login", vec![Say::Bytes(http("401 Unauthorized", "text/html", PAGE))], reads(|r| matches!(r, Err(RouterError::Auth)))),
        ("a length too short", raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"name\":\"r\"}", Say::Close), once(|r| matches!(r, Err(RouterError::Garbled(_))))),
        ("a length too long", raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"name\":\"r\"}", Say::Close), LOST),
        ("chunks cut off", raw(&format!("{chunked}c\r\n{{\"name\":\"r\"}}\r\n"), Say::Close), LOST),
        ("a chunk without a size", raw(&format!("{chunked}zz\r\n{{}}\r\n"), Say::Close), LOST),
        ("an answer broken off", raw("HTTP/1.1 200 OK\r\nContent-Le", Say::Reset), LOST),
        ("a reset", vec![Say::Reset], LOST),
        ("a closed connection", vec![Say::Close], LOST),
        ("no HTTP", raw("220 mail.example ESMTP\r\n", Say::Close), LOST),
        ("a head without end", vec![Say::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()), Say::Endless(b"X-More: and more\r\n".to_vec())], LOST),
        ("a line without end", vec![Say::Bytes(b"HTTP/1.1 200 OK\r\nX-More: ".to_vec()), Say::Endless(vec![b'x'; 4096])], LOST),
    ]
}

#[tokio::test]
async fn every_answer_to_a_question_has_one_meaning() {
    for (what, answer, fit) in answers() {
        let wire = Wire::start(vec![answer]).await;
        let read = Rig::at(wire.port).read().await;
        assert!((fit.read)(&read), "{what}: {read:?}");
        assert_eq!(wire.requests().len(), fit.tries, "{what}");
    }
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_comes_back() {
    for (what, answer, fit) in answers() {
        let wire = Wire::start(vec![answer]).await;
        let written = Rig::at(wire.port).write(&set_dns(), PATIENCE).await;
        let may = written.as_ref().err().is_some_and(RouterError::may_have_applied);
        assert_eq!(may, fit.may_have_applied, "{what}: {written:?}");
        let requests = wire.requests();
        assert_eq!(requests.len(), 1, "{what}: never sent again");
        assert!(requests[0].starts_with("POST /rest/ip/dns/set HTTP/1.1\r\n"), "{}", requests[0]);
        assert!(requests[0].ends_with(r#"{"servers":"9.9.9.9"}"#), "{}", requests[0]);
    }
}

#[tokio::test]
async fn a_write_to_a_port_where_nobody_listens_was_not_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let error = Rig::at(port).write(&set_dns(), PATIENCE).await.unwrap_err();
    assert!(matches!(error, RouterError::Unreachable(_)) && !error.may_have_applied(), "{error:?}");
}

#[tokio::test]
async fn a_ticket_is_good_for_its_own_action_only() {
    let wire = Wire::saying(json("200 OK", "[]")).await;
    let rig = Rig::at(wire.port);
    let other = Action::Remove { menu: "/ip/route".into(), id: "*1".into() };
    let ticket = crate::routeros::testing::ticket(&set_dns()).await;
    let written: Result<Receipt, _> =
        crate::routeros::port::Writer::write(&rig.lanes, ticket, "", &other, PATIENCE).await;
    assert!(matches!(written, Err(RouterError::NotTicketed)), "{written:?}");
    let ticket = crate::routeros::testing::ticket(&set_dns()).await;
    let bound = "0".repeat(64);
    let written =
        crate::routeros::port::Writer::write(&rig.lanes, ticket, &bound, &set_dns(), PATIENCE).await;
    assert!(matches!(written, Err(RouterError::OtherBox)), "{written:?}");
    assert_eq!(wire.connections(), 0);
}

#[tokio::test]
async fn a_body_without_end_is_left_at_a_bound() {
    let start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{\"name\":\"".to_vec();
    let wire = Wire::start(vec![vec![Say::Bytes(start), Say::Endless(vec![b'a'; 65_536])]]).await;
    let read = Rig::at(wire.port).read().await;
    assert!(matches!(read, Err(RouterError::Garbled(Garble::Json(JsonError::TooLong)))), "{read:?}");
    assert_eq!(wire.requests().len(), 1, "not asked for again");
    let sent = wire.sent.load(Ordering::SeqCst);
    assert!(sent < 3 * BODY_MAX, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_login_goes_there() {
    let elsewhere = Wire::saying(json("200 OK", "{\"name\":\"trap\"}")).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let head = format!(
            "HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:{}/rest/system/identity\r\nContent-Length: 0\r\n\r\n",
            elsewhere.port
        );
        let wire = Wire::saying(head.into_bytes()).await;
        let read = Rig::at(wire.port).read().await;
        assert!(matches!(read, Err(RouterError::Garbled(Garble::Wordless(_)))), "{status}: {read:?}");
        assert_eq!(wire.requests().len(), 1, "{status}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn ids_go_raw_and_the_box_sees_its_own_address() {
    let wire = Wire::saying(json("200 OK", "{\".id\":\"*1F\",\"name\":\"ether1\"}")).await;
    let rig = Rig::at(wire.port);
    for id in ["*1F", "*0", "*80000001"] {
        rig.ask(Ask::Record { menu: "/interface".into(), id: id.into() }, PATIENCE).await.unwrap();
    }
    let remove = Action::Remove { menu: "/ip/route".into(), id: "*8000002A".into() };
    rig.write(&remove, PATIENCE).await.unwrap();
    let requests = wire.requests();
    for (request, line) in requests.iter().zip([
        "GET /rest/interface/*1F ",
        "GET /rest/interface/*0 ",
        "GET /rest/interface/*80000001 ",
        "DELETE /rest/ip/route/*8000002A ",
    ]) {
        assert!(request.starts_with(line) && !request.to_ascii_uppercase().contains("%2A"), "{request}");
        let head = request.to_ascii_lowercase();
        assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", wire.port)), "{request}");
        assert!(head.contains("authorization: basic ") && !head.contains(".invalid"), "{request}");
        assert!(!request.contains(PASSWORD), "the login is in its header, not in clear words");
    }
    assert_eq!(wire.connections(), 1, "one connection is used again");
}

#[tokio::test]
async fn a_silent_router_ends_the_call_keeps_its_lane_and_answers_nobody_else() {
    let answer = Arc::new(Notify::new());
    let wire = Wire::start(vec![
        vec![Say::Wait(Arc::clone(&answer)), Say::Bytes(json("200 OK", "{\"name\":\"late\"}"))],
        vec![Say::Bytes(json("200 OK", "{\"name\":\"second\"}"))],
    ])
    .await;
    let rig = Rig::at(wire.port);
    assert!(matches!(rig.read_within(SHORT).await, Err(RouterError::Timeout)));
    // The router goes on with the first, so the second waits; nothing of it is sent.
    assert!(matches!(rig.read_within(SHORT).await, Err(RouterError::Busy)));
    assert_eq!(wire.requests().len(), 1);
    answer.notify_one();
    let read = rig.read().await;
    assert_eq!(value(&read, "name").as_deref(), Some("second"), "{read:?}");
    assert_eq!((wire.requests().len(), wire.connections()), (2, 2), "never on a connection after a timeout");
}

#[tokio::test]
async fn a_slow_answer_is_followed_to_its_end_although_nobody_waits() {
    let slow = json("200 OK", "{\"name\":\"slow\"}");
    let wire =
        Wire::start(vec![vec![Say::Drip(slow)], vec![Say::Bytes(json("200 OK", "{\"name\":\"next\"}"))]])
            .await;
    let rig = Rig::at(wire.port);
    assert!(matches!(rig.read_within(SHORT).await, Err(RouterError::Timeout)));
    let read = rig.read().await;
    assert_eq!(value(&read, "name").as_deref(), Some("next"), "{read:?}");
    assert_eq!((wire.requests().len(), wire.connections()), (2, 2));
}

#[tokio::test]
async fn a_write_without_an_answer_is_in_doubt_and_reading_comes_after_it() {
    let answer = Arc::new(Notify::new());
    let wire = Wire::start(vec![
        vec![Say::Wait(Arc::clone(&answer)), Say::Bytes(json("200 OK", "[]"))],
        vec![Say::Bytes(json("200 OK", "{\"servers\":\"9.9.9.9\"}"))],
    ])
    .await;
    let rig = Rig::at(wire.port);
    let error = rig.write(&set_dns(), SHORT).await.unwrap_err();
    assert!(matches!(error, RouterError::Timeout) && error.may_have_applied(), "{error:?}");
    let reading = rig.read();
    tokio::pin!(reading);
    let early = tokio::time::timeout(SHORT, &mut reading).await;
    assert!(early.is_err(), "read before the write had ended: {early:?}");
    assert_eq!(wire.requests().len(), 1);
    answer.notify_one();
    assert!(reading.await.is_ok());
    assert_eq!(wire.requests().len(), 2, "the write was sent once");
}

#[tokio::test]
async fn a_router_that_fails_again_and_again_is_left_alone_for_a_moment() {
    let wire = Wire::start(vec![vec![Say::Reset]]).await;
    let rig = Rig::at(wire.port);
    assert!(matches!(rig.read().await, Err(RouterError::Lost(_))));
    let asked = wire.requests().len();
    let resting = rig.read().await;
    assert!(
        matches!(resting, Err(RouterError::Resting { retry_after }) if !retry_after.is_zero()),
        "{resting:?}"
    );
    assert_eq!(wire.requests().len(), asked, "nothing was sent");
    // A job does not wait: what became of a write must be known.
    assert!(matches!(rig.write(&set_dns(), PATIENCE).await, Err(RouterError::Lost(_))));
    assert_eq!(wire.requests().len(), asked + 1);
}
