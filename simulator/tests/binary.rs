//! The simulator as a process: its one line, its control API, its end — and a TLS client that pins.

#![allow(clippy::unwrap_used, reason = "a test's helper; clippy sees no test here")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use simulator::{BoxSpec, Profile};
use support::{fleet, read_response};

/// Ends the child even when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn control(address: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let response = read_response(&mut stream, method).unwrap();
    assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
    response.json()
}

#[test]
fn a_fleet_in_its_own_process() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--boxes", "3", "--plain", "--clock-scale", "10"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut child = Running(child);
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address: SocketAddr = ready["control"].as_str().unwrap().parse().unwrap();
    let boxes = control(address, "GET", "/boxes", &json!({}));
    assert_eq!(boxes, ready["boxes"]);
    assert_eq!(boxes.as_array().unwrap().len(), 3);
    let name = boxes[0]["name"].as_str().unwrap();
    let menu = format!("/boxes/{name}/menu?path=/ip/dns");
    assert_eq!(control(address, "GET", &menu, &json!({}))[0]["servers"], "192.0.2.1");
    let change = json!({"menu": "/ip/dns", "props": {"servers": "9.9.9.9"}});
    control(address, "POST", &format!("/boxes/{name}/behind-back"), &change);
    assert_eq!(control(address, "GET", &menu, &json!({}))[0]["servers"], "9.9.9.9");
    let fault = json!({"fault": "status", "status": 502, "body": "x", "method": "GET", "times": 1});
    control(address, "POST", &format!("/boxes/{name}/fault"), &fault);
    let box_: SocketAddr = boxes[0]["address"].as_str().unwrap().parse().unwrap();
    let client = support::Client { address: box_, login: "admin:admin-secret".into() };
    assert_eq!(client.raw("GET", "/rest/ip/dns", "", "").unwrap().status, 502);
    assert_eq!(client.raw("GET", "/rest/ip/dns", "", "").unwrap().status, 200);
    control(address, "DELETE", &format!("/boxes/{name}/faults"), &json!({}));
    let at = |action: &str| format!("/boxes/{name}/{action}");
    assert_eq!(boxes[0]["management"], "192.0.2.10");
    let pool =
        json!({"menu": "/ip/pool", "count": 40, "props": {"name": "p$(n)", "ranges": "$(ip 10.9.0.1)"}});
    assert_eq!(control(address, "POST", &at("seed"), &pool)["rows"], 41);
    let refused =
        control(address, "POST", &at("behind-back"), &json!({"menu": "/ip/pool", "props": {"name": "x"}}));
    assert_eq!(refused["refused"], "missing value(s) of argument(s) ranges");
    // A box that has cut itself off is still in reach of the control API, and can be put right by it.
    let off = json!({"menu": "/interface", "id": "*1", "props": {"disabled": "yes"}});
    assert_eq!(control(address, "POST", &at("behind-back"), &off), json!({}));
    let shut = control(address, "GET", &at("way"), &json!({}));
    assert_eq!((&shut["connects"], &shut["stands"]), (&json!(false), &json!(false)));
    assert_eq!(control(address, "GET", &at("menu?path=/interface"), &json!({}))[0]["disabled"], "true");
    assert_eq!(control(address, "POST", &at("restore"), &json!({}))["connects"], true);
    assert_eq!(control(address, "GET", &at("menu?path=/ip/pool"), &json!({})).as_array().unwrap().len(), 1);
    whole_fleet(address, &boxes);
    let journal = control(address, "GET", &format!("/boxes/{name}/journal"), &json!({}));
    assert!(journal.as_array().unwrap().iter().any(|entry| entry["status"] == 502));
    control(address, "POST", &format!("/boxes/{name}/reboot"), &json!({"down_ms": 50}));
    let ended = Command::new("kill").arg(child.0.id().to_string()).status().unwrap();
    assert!(ended.success());
    assert!(child.0.wait().unwrap().success(), "ends cleanly when asked to");
}

/// What is asked of all boxes at once, and what is done to one of them while it runs.
fn whole_fleet(address: SocketAddr, boxes: &Value) {
    let names: Vec<&str> =
        boxes.as_array().unwrap().iter().map(|told| told["name"].as_str().unwrap()).collect();
    let (first, second) = (names[0], names[1]);
    let truth = control(address, "GET", "/truth?path=/system/identity", &json!({}));
    assert_eq!(truth.as_object().unwrap().keys().collect::<Vec<_>>(), names);
    assert_eq!(truth[second][0]["name"], second);
    let client = |at: usize| support::Client {
        address: boxes[at]["address"].as_str().unwrap().parse().unwrap(),
        login: "admin:admin-secret".into(),
    };
    let json = "Content-Type: application/json\r\n";
    let set = |at: usize, server: &str| {
        let body = json!({ "servers": server }).to_string();
        client(at).raw("POST", "/rest/ip/dns/set", json, &body).unwrap().status
    };
    let before = control(address, "GET", "/writes", &json!({}));
    let since = before.as_array().unwrap().last().map_or(0, |entry| entry["order"].as_u64().unwrap());
    let journals = control(address, "GET", "/journals", &json!({}));
    let all = journals.as_object().unwrap().values().flat_map(|entries| entries.as_array().unwrap());
    let last = all.map(|entry| entry["order"].as_u64().unwrap()).max().unwrap();
    assert_eq!((set(1, "1.1.1.1"), set(0, "8.8.8.8"), set(1, "nonsense")), (200, 200, 400));
    let told = control(address, "GET", &format!("/writes?since={since}"), &json!({}));
    let told: Vec<(&str, &str)> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["box"].as_str().unwrap(), entry["path"].as_str().unwrap()))
        .collect();
    let path = "/rest/ip/dns/set";
    assert_eq!(
        told,
        [(second, path), (first, path)],
        "in the order of arrival, and only what changed something"
    );
    let journals = control(address, "GET", &format!("/journals?since={last}"), &json!({}));
    let of = |name: &str| journals[name].as_array().unwrap().len();
    assert_eq!((of(first), of(second)), (1, 2), "what was refused is there too");
    // One fault for all, and its release; the end of all faults.
    control(address, "POST", "/fault", &json!({ "fault": "hold", "method": "POST" }));
    let held: Vec<_> = [client(0), client(1)]
        .into_iter()
        .map(|client| {
            std::thread::spawn(move || {
                client.raw("POST", "/rest/ip/dns/set", json, r#"{"servers": "9.9.9.9"}"#)
            })
        })
        .collect();
    control(address, "POST", "/release", &json!({}));
    assert!(held.into_iter().all(|one| one.join().unwrap().unwrap().status == 200));
    control(address, "POST", "/fault", &json!({ "fault": "html" }));
    control(address, "DELETE", "/faults", &json!({}));
    assert_eq!((set(0, "8.8.8.8"), set(1, "1.1.1.1")), (200, 200));
    // A link that is cut, seen over the whole fleet.
    let cut = control(address, "POST", &format!("/boxes/{second}/cut"), &json!({}));
    assert_eq!((&cut["cut"], &cut["connects"]), (&json!(true), &json!(false)));
    let ways = control(address, "GET", "/ways", &json!({}));
    assert_eq!((&ways[first]["stands"], &ways[second]["stands"]), (&json!(true), &json!(false)));
    assert_eq!(control(address, "POST", &format!("/boxes/{second}/mend"), &json!({}))["connects"], true);
    // Gauges, and a box that is worse from its next write on.
    let load = || control(address, "GET", "/truth?path=/system/resource", &json!({}));
    control(address, "POST", &format!("/boxes/{first}/vitals"), &json!({"cpu-load": 97}));
    let hot = json!({"fault": "degrade", "vitals": {"cpu-load": 96}, "times": 1});
    control(address, "POST", &format!("/boxes/{second}/fault"), &hot);
    assert_eq!(load()[first][0]["cpu-load"], "97");
    assert_ne!(load()[second][0]["cpu-load"], "96");
    assert_eq!(set(1, "9.9.9.9"), 200);
    assert_eq!(load()[second][0]["cpu-load"], "96");
    control(address, "DELETE", &format!("/boxes/{first}/vitals"), &json!({}));
    assert_ne!(load()[first][0]["cpu-load"], "97");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_certificate_it_shows() {
    let fleet = fleet(vec![BoxSpec::new("box", Profile::Ccr7_24)], 1.0).await;
    let router = fleet.routers()[0].clone();
    let told = tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(router.certificate_der().unwrap())).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("box.invalid").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(router.address()).unwrap());
        stream.write_all(b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n").unwrap();
        let response = read_response(&mut stream, "GET").unwrap();
        (response.status, stream.conn.protocol_version())
    })
    .await
    .unwrap();
    assert_eq!(told, (200, Some(rustls::ProtocolVersion::TLSv1_2)));
    fleet.stop().await;
}
