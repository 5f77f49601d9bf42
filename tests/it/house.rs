//! A started appliance with its fleet, and the few words a test needs to talk to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The binary under test.
pub const APPLIANCE: &str = env!("CARGO_BIN_EXE_appliance");

/// How long anything may take before a test gives up: far above what it takes, since machines are noisy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `appliance demo`, running.
pub struct House {
    child: Child,
    /// What `demo --json` said.
    pub said: Value,
    /// The state directory's parent; removed at the end.
    pub dir: tempfile::TempDir,
    stderr: Option<std::thread::JoinHandle<String>>,
}

/// Who calls.
#[derive(Clone, Copy)]
pub enum As {
    Agent,
    Approver,
    Admin,
    Nobody,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Value,
    pub text: String,
}

impl House {
    /// Starts a demo with so many routers.
    pub fn start(devices: usize) -> Self {
        Self::start_with(devices, &[])
    }

    /// Starts a demo with more flags.
    pub fn start_with(devices: usize, flags: &[&str]) -> Self {
        Self::start_set(devices, flags, &[])
    }

    /// Starts a demo with settings of its own: `("SERVER__MAX_SESSIONS", "2")`.
    pub fn start_set(devices: usize, flags: &[&str], settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> =
            settings.iter().map(|(key, value)| (format!("APPLIANCE__{key}"), *value)).collect();
        Self::start_all(devices, flags, &settings)
    }

    /// Starts a demo with more of an environment.
    pub fn start_among(devices: usize, environment: &[(&str, &str)]) -> Self {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Self::start_all(devices, &[], &environment)
    }

    fn start_all(devices: usize, flags: &[&str], environment: &[(String, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(APPLIANCE)
            .args(["demo", "--json", "--devices", &devices.to_string(), "--dir"])
            .arg(dir.path().join("demo"))
            .args(flags)
            // Nobody watches the clock in tests; those about time say so themselves.
            .env("APPLIANCE__ROLLOUTS__PAUSE_SECONDS", "0")
            .env("APPLIANCE__ROLLOUTS__SOAK_SECONDS", "0")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env_remove("APPLIANCE_TOKEN")
            .env_remove("APPLIANCE_TOKEN_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(stderr).read_to_string(&mut text);
            text
        });
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Ok(said) = serde_json::from_str(&line) else {
            let _ = child.kill();
            panic!("demo did not say where it is: {line:?}\n{}", stderr.join().unwrap());
        };
        Self { child, said, dir, stderr: Some(stderr) }
    }

    /// The state directory.
    pub fn store(&self) -> PathBuf {
        PathBuf::from(self.said["store"].as_str().unwrap())
    }

    pub fn url(&self) -> &str {
        self.said["url"].as_str().unwrap()
    }

    /// The id of the n-th device (0-based).
    pub fn device(&self, n: usize) -> &str {
        self.said["devices"][n]["id"].as_str().unwrap()
    }

    pub fn token(&self, who: As) -> Option<&str> {
        let key = match who {
            As::Agent => "agent",
            As::Approver => "approver",
            As::Admin => "admin",
            As::Nobody => return None,
        };
        self.said["tokens"][key].as_str()
    }

    /// An HTTP request to the appliance.
    pub fn http(&self, who: As, method: &str, path: &str, body: Option<&Value>) -> Reply {
        request(self.url(), method, path, self.token(who), body.map(Value::to_string).as_deref())
    }

    /// Asks the MCP door as one client does, without a session; the answer's `result` or `error`.
    pub fn mcp(&self, who: As, method: &str, params: &Value) -> Value {
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        });
        let named = params["name"].as_str().or_else(|| params["uri"].as_str());
        let named = named.map_or_else(String::new, |name| format!("Mcp-Name: {name}\r\n"));
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{named}\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            self.host(),
            self.token(who).unwrap_or_default(),
            body.len()
        );
        let reply = raw(self.host(), &[head.as_bytes(), body.as_bytes()].concat());
        let lines = reply.text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        let answers = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let answer = answers.rev().find(|answer| answer["id"] == 1);
        let mut answer = answer.unwrap_or_else(|| panic!("{method}: {} {}", reply.status, reply.text));
        if answer["error"].is_object() { answer["error"].take() } else { answer["result"].take() }
    }

    /// Calls a tool as an agent does: its answer, or its failure's object.
    pub fn mcp_call(&self, who: As, tool: &str, arguments: &Value) -> Result<Value, Value> {
        let mut said = self.mcp(who, "tools/call", &json!({ "name": tool, "arguments": arguments }));
        if said["structuredContent"].is_null() {
            return Err(said["data"].take());
        }
        let content = said["structuredContent"].take();
        if said["isError"] == true { Err(content) } else { Ok(content) }
    }

    /// The tools that a caller is shown.
    pub fn listed(&self, who: As) -> Vec<Value> {
        self.mcp(who, "tools/list", &json!({}))["tools"].as_array().unwrap().clone()
    }

    /// Calls a tool and returns the answer, or the failure's object.
    pub fn try_call(&self, who: As, tool: &str, params: &Value) -> Result<Value, Value> {
        let reply = self.http(who, "POST", &format!("/api/tools/{tool}"), Some(params));
        if reply.status == 200 { Ok(reply.body) } else { Err(reply.body) }
    }

    /// Calls a tool that must succeed.
    pub fn call(&self, who: As, tool: &str, params: &Value) -> Value {
        self.try_call(who, tool, params).unwrap_or_else(|failure| panic!("{tool}: {failure}"))
    }

    /// Calls a tool that must fail, and returns its code.
    pub fn refused(&self, who: As, tool: &str, params: &Value) -> String {
        match self.try_call(who, tool, params) {
            Ok(answer) => panic!("{tool} should fail, answered {answer}"),
            Err(failure) => failure["code"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Runs the command line against this house.
    pub fn cli(&self, who: As, args: &[&str]) -> Output {
        let mut command = Command::new(APPLIANCE);
        command.arg("--dir").arg(self.store()).args(args).stdin(Stdio::null());
        command.env_remove("APPLIANCE_TOKEN_FILE");
        match self.token(who) {
            Some(token) => command.env("APPLIANCE_TOKEN", token),
            None => command.env_remove("APPLIANCE_TOKEN"),
        };
        command.output().unwrap()
    }

    /// The simulator's control API.
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let control = self.said["control"].as_str().unwrap();
        let base = if control.starts_with("http") { control.to_owned() } else { format!("http://{control}") };
        let reply = request(&base, method, path, None, body.map(Value::to_string).as_deref());
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
        reply.body
    }

    /// The simulated box behind a device: its name on the control API.
    pub fn box_of(&self, n: usize) -> String {
        let address = self.said["devices"][n]["address"].as_str().unwrap();
        let boxes = self.control("GET", "/boxes", None);
        let list = boxes.as_array().or_else(|| boxes["boxes"].as_array()).unwrap();
        let found = list.iter().find(|b| b["address"].as_str().is_some_and(|a| a.ends_with(port(address))));
        found.unwrap_or_else(|| panic!("no box at {address}"))["name"].as_str().unwrap().to_owned()
    }

    /// What a box really has in a menu.
    pub fn truth(&self, n: usize, menu: &str) -> Value {
        let rows = self.control("GET", &format!("/boxes/{}/menu?path={menu}", self.box_of(n)), None);
        rows.as_array().or_else(|| rows["rows"].as_array()).unwrap()[0].clone()
    }

    /// Requests that a box has seen.
    pub fn journal(&self, n: usize) -> Vec<Value> {
        let journal = self.control("GET", &format!("/boxes/{}/journal", self.box_of(n)), None);
        journal.as_array().or_else(|| journal["entries"].as_array()).unwrap().clone()
    }

    /// Requests of a box that changed it.
    pub fn writes(&self, n: usize) -> usize {
        self.journal(n).iter().filter(|entry| entry["changed"] == json!(true)).count()
    }

    pub fn fault(&self, n: usize, fault: &Value) {
        self.control("POST", &format!("/boxes/{}/fault", self.box_of(n)), Some(fault));
    }

    /// Lets go what the fault `hold` keeps waiting at a box.
    pub fn release(&self, n: usize) {
        self.control("POST", &format!("/boxes/{}/release", self.box_of(n)), None);
    }

    /// Asks until the answer is there.
    pub fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = ask() {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
            std::thread::yield_now();
        }
    }

    /// SIGTERM; waits for the end and returns what was said on standard error.
    pub fn stop(mut self) -> (bool, String, tempfile::TempDir) {
        terminate(&self.child);
        let status = self.child.wait().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        (status.success(), stderr, dir)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or(address)
}

/// SIGTERM without unsafe code.
pub fn terminate(child: &Child) {
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// One HTTP/1.1 request on a connection of its own.
pub fn request(base: &str, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Reply {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: application/json\r\n"
    );
    if let Some(token) = token {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(body) = body {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    raw(host, &[head.as_bytes(), body.unwrap_or_default().as_bytes()].concat())
}

/// Sends bytes and reads to the end.
pub fn raw(host: &str, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The other side may answer and close before everything is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    reply_of(&answer)
}

impl House {
    /// Where the HTTP door listens.
    pub fn host(&self) -> &str {
        self.url().trim_start_matches("http://").trim_end_matches('/')
    }
}

/// An answer's bytes, taken apart; status 0 when there is none.
pub fn reply_of(answer: &[u8]) -> Reply {
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut content = answer[at.min(answer.len())..].to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        content = dechunk(&content);
    }
    let text = String::from_utf8_lossy(&content).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, head, body, text }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = bytes.windows(2).position(|w| w == b"\r\n") {
        let Ok(size) = usize::from_str_radix(String::from_utf8_lossy(&bytes[..at]).trim(), 16) else { break };
        let end = at + 2 + size;
        if size == 0 || end > bytes.len() {
            break;
        }
        out.extend_from_slice(&bytes[at + 2..end]);
        bytes = bytes.get(end + 2..).unwrap_or_default();
    }
    out
}

/// Runs the command line without a house.
pub fn appliance(dir: &Path, args: &[&str]) -> Output {
    Command::new(APPLIANCE)
        .arg("--dir")
        .arg(dir)
        .args(args)
        .env_remove("APPLIANCE_TOKEN")
        .env_remove("APPLIANCE_TOKEN_FILE")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one JSON document on standard output.
pub fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", stdout(output), stderr(output)))
}
