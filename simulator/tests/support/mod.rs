//! A client that knows nothing but sockets, and where the shared folder is.

#![allow(clippy::unwrap_used, reason = "a test's helper; clippy sees no test here")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]
#![allow(dead_code, reason = "every test binary uses its own part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use base64::Engine;
use serde_json::Value;
use simulator::{Fleet, FleetOptions, Router};

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub bytes: Vec<u8>,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON, control characters and foreign bytes made harmless first.
    pub fn json(&self) -> Value {
        let tame: String = self.text().chars().map(|c| if c < ' ' { '?' } else { c }).collect();
        serde_json::from_str(&tame).unwrap_or_else(|error| panic!("{error}: {tame}"))
    }

    pub fn rows(&self) -> Vec<Value> {
        self.json().as_array().cloned().unwrap_or_else(|| panic!("no array: {}", self.text()))
    }

    pub fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or("").to_owned()
    }
}

/// One box and one user.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub login: String,
}

impl Client {
    pub fn new(router: &Router, user: &str, password: &str) -> Self {
        assert!(!router.tls(), "this client speaks plain HTTP");
        Client { address: router.address(), login: format!("{user}:{password}") }
    }

    pub fn admin(router: &Router) -> Self {
        Client::new(router, "admin", "admin-secret")
    }

    pub fn ro(router: &Router) -> Self {
        Client::new(router, "appliance-ro", "ro-secret")
    }

    pub fn rw(router: &Router) -> Self {
        Client::new(router, "appliance-rw", "rw-secret")
    }

    /// A request as text, headers and all.
    pub fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<Response> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.write_all(self.request(method, path, headers, body).as_bytes()).ok()?;
        read_response(&mut stream, method)
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let login = base64::engine::general_purpose::STANDARD.encode(&self.login);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\nAuthorization: Basic {login}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        self.try_call(method, path, body).await.expect("the box answers")
    }

    /// Nothing if the connection broke.
    pub async fn try_call(&self, method: &str, path: &str, body: Option<Value>) -> Option<Response> {
        let (me, method, path) = (self.clone(), method.to_owned(), path.to_owned());
        tokio::task::spawn_blocking(move || {
            let text = body.as_ref().map(Value::to_string).unwrap_or_default();
            let headers = if body.is_some() { "Content-Type: application/json\r\n" } else { "" };
            me.raw(&method, &path, headers, &text)
        })
        .await
        .unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.call("POST", path, Some(body)).await
    }
}

/// Reads to the end of the connection; nothing if that is no whole answer.
pub fn read_response(stream: &mut impl Read, method: &str) -> Option<Response> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok()?;
    let split = all.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..split]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut bytes = all[split + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        bytes = unchunk(&bytes)?;
    } else if let Some(line) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        let length: usize = line.trim().parse().ok()?;
        if bytes.len() < length && method != "HEAD" {
            return None;
        }
    }
    Some(Response { status, head, bytes })
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(out);
        }
        out.extend(bytes.get(end + 2..end + 2 + length)?);
        bytes = bytes.get(end + 4 + length..)?;
    }
}

/// A fleet whose clock runs so many times as fast.
pub async fn fleet(specs: Vec<simulator::BoxSpec>, clock_scale: f64) -> Fleet {
    Fleet::start_with(specs, FleetOptions { clock_scale, ..FleetOptions::default() }).await.unwrap()
}

/// The folder with schemas and captures. Absent: CI fails, others skip.
pub fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("APPLIANCE_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let found = named.into_iter().chain([beside]).find(|folder| folder.join("routeros").is_dir());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "../shared must be there in CI");
        println!("skipped: no ../shared");
    }
    found
}
