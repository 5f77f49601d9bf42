//! Simulated routers in a process of their own, a store to copy from, and a daemon that may die at any moment.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    ops::ControlFlow,
    os::unix::{net::UnixStream, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use events::{
    audit::{self, Source},
    event::Envelope,
    ids::Seq,
    job::JobStatus,
};
use serde_json::{Map, Value, json};

use crate::{
    crash::{Seen, scenarios::Scenario},
    history::{History, Request, complaints},
    house::{APPLIANCE, PATIENCE, Reply, json_of, reply_of, request, terminate},
};

const BEFORE: &str = "192.0.2.53";
const WANTED: &str = "9.9.9.9";
const RULES: &str = "/ip/firewall/filter";
/// The comment of the rule that is added.
const MARK: &str = "of a risky plan";
/// The list that gets a member.
const LIST: &str = "mcp-crash";

/// A site has one router of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// One-device changes run at once.
    Lab,
    /// A person approves first.
    Prod,
}

/// Boxes on loopback, steered over the control API.
pub struct Routers {
    child: Child,
    said: Value,
}

impl Routers {
    /// Asks or steers one box.
    pub fn of(&self, n: usize, method: &str, what: &str, body: Option<&Value>) -> Value {
        self.control(method, &format!("/boxes/{}/{what}", self.name(n)), body)
    }

    pub fn name(&self, n: usize) -> &str {
        self.said["boxes"][n]["name"].as_str().unwrap()
    }

    pub fn start(count: usize) -> Self {
        let binary = Path::new(APPLIANCE).with_file_name("simulator");
        assert!(binary.exists(), "{} is built with the workspace", binary.display());
        let mut child = Command::new(binary)
            .args(["--boxes", &count.to_string(), "--control", "127.0.0.1:0", "--profile", "7.20.8"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { said: serde_json::from_str(&line).unwrap(), child }
    }

    /// Asks or steers all boxes.
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let control = self.said["control"].as_str().unwrap();
        let body = body.map(Value::to_string);
        let reply = request(&format!("http://{control}"), method, path, None, body.as_deref());
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
        reply.body
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon on a store, reached over its control socket.
pub struct Daemon {
    child: Child,
    stderr: Option<JoinHandle<String>>,
    socket: PathBuf,
    token: String,
}

impl Daemon {
    pub fn start(dir: &Path, token: &str, kill_at: Option<(&str, usize)>, limited: bool) -> Self {
        let mut command = if limited {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", APPLIANCE]);
            command
        } else {
            Command::new(APPLIANCE)
        };
        command
            .arg("--dir")
            .arg(dir)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"])
            .env("APPLIANCE__ROUTERS__ALLOW_LOOPBACK", "true")
            .env("APPLIANCE_CRASH_TELL", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        match kill_at {
            Some((point, hit)) => command.env("APPLIANCE_CRASH_AT", format!("{point}:{hit}")),
            None => command.env_remove("APPLIANCE_CRASH_AT"),
        };
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let socket = dir.join("control.sock");
        let mut daemon = Self { child, stderr: Some(stderr), socket, token: token.to_owned() };
        daemon.until("the daemon to answer", |daemon| UnixStream::connect(&daemon.socket).is_ok());
        daemon
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it is so, or until the process is dead.
    pub fn until(&mut self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !self.is_dead() && !so(self) {
            assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
            // Who asks all the time takes the processor from those who work.
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// One request; status 0 when the process died meanwhile.
    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let mut answer = Vec::new();
        if let Ok(mut stream) = UnixStream::connect(&self.socket) {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.read_to_end(&mut answer);
        }
        reply_of(&answer)
    }

    /// Calls a tool; status 0 when the process died meanwhile.
    pub fn tool(&self, tool: &str, params: &Value) -> Reply {
        self.tool_as(&self.token.clone(), tool, params)
    }

    pub fn tool_as(&self, token: &str, tool: &str, params: &Value) -> Reply {
        self.ask("POST", &format!("/api/tools/{tool}"), token, &params.to_string())
    }

    pub fn until_ready(&mut self) {
        self.until("the store to be written again", |daemon| {
            let token = daemon.token.clone();
            daemon.ask("GET", "/ready", &token, "").status == 200
        });
    }

    fn jobs_running(&self) -> Option<u64> {
        let metrics = self.ask("GET", "/metrics", &self.token, "").text;
        let line = metrics.lines().find(|line| line.starts_with("appliance_jobs_running "))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits for the end; answers whether it was killed, and which points were reached how often.
    pub fn end(mut self, ask_to: bool) -> (bool, BTreeMap<String, usize>, String) {
        if ask_to && !self.is_dead() {
            terminate(&self.child);
        }
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "the daemon does not end");
            std::thread::yield_now();
        };
        let said = self.stderr.take().unwrap().join().unwrap();
        let mut reached = BTreeMap::new();
        for line in said.lines() {
            if let Some(point) = line.strip_prefix("crash point ") {
                *reached.entry(point.to_owned()).or_insert(0) += 1;
            }
        }
        let words: String = said
            .lines()
            .filter(|line| !line.starts_with("crash point "))
            .fold(String::new(), |all, line| all + line + "\n");
        let killed = status.signal() == Some(9);
        assert!(killed || status.success(), "the daemon ended with {status}:\n{words}");
        (killed, reached, words)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store with its devices, closed cleanly; every run begins with a copy of it.
pub struct Template {
    routers: Routers,
    dir: tempfile::TempDir,
    admin: String,
    approver: String,
    head: u64,
}

impl Template {
    pub fn make(sites: usize) -> Self {
        let routers = Routers::start(2 * sites);
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let admin = init(&state);
        let daemon = Daemon::start(&state, &admin, None, false);
        for n in 0..2 * sites {
            let environment = if n % 2 == 0 { "lab" } else { "prod" };
            let allow = ["advanced_writes", "professional_workflows", "firewall_writes"];
            let login = ("appliance-rw", "rw-secret");
            add_router(&daemon, &routers, n, &format!("r{n}"), environment, &allow, login);
            // A chain that may drop our own connection, for those who jump into it.
            let mine = json!({
                "menu": RULES, "props": { "chain": "mine", "action": "drop", "in-interface": "ether5" },
            });
            routers.of(n, "POST", "behind-back", Some(&mine));
        }
        let approver = make_approver(&daemon);
        daemon.end(true);
        let head = envelopes(&state).last().unwrap().seq.0;
        Self { routers, dir, admin, approver, head }
    }

    pub fn site(&self, n: usize) -> Site<'_> {
        Site {
            template: self,
            n,
            of_now: Cell::new(Device::Lab),
            what: Cell::new(What::Servers),
            runs: Cell::new(0),
            acknowledged: Cell::new(false),
        }
    }
}

/// A new store; answers its admin token.
pub fn init(state: &Path) -> String {
    let init = Command::new(APPLIANCE).arg("--dir").arg(state).args(["--json", "init"]).output().unwrap();
    json_of(&init)["admin_token"].as_str().unwrap().to_owned()
}

pub fn add_router(
    daemon: &Daemon,
    routers: &Routers,
    n: usize,
    device_id: &str,
    environment: &str,
    allow: &[&str],
    (username, password): (&str, &str),
) {
    let at = &routers.said["boxes"][n];
    let (ip, port) = at["address"].as_str().unwrap().rsplit_once(':').unwrap();
    let added = daemon.tool(
        "device_add",
        &json!({
            "device_id": device_id, "management_ip": ip, "management_port": port.parse::<u16>().unwrap(),
            "environment": environment, "allow": allow,
            "trust": { "spki_sha256": at["spki_sha256_hex"] },
            "username": username, "password": password,
        }),
    );
    assert_eq!(added.status, 200, "{}", added.text);
}

/// A named person who approves; answers her token.
pub fn make_approver(daemon: &Daemon) -> String {
    let made = daemon.tool(
        "token_create",
        &json!({
            "label": "Ada", "role": "approver", "personal": true,
            "environments": ["lab", "staging", "prod"], "device_scopes": ["*"],
        }),
    );
    made.body["token"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn envelopes(state: &Path) -> Vec<Envelope> {
    scan(state, 1)
}

/// The log from a place on.
pub fn scan(state: &Path, from: u64) -> Vec<Envelope> {
    let mut all = Vec::new();
    audit::scan(&Source::Store(state.join("events/appliance.redb")), Seq(from), None, &mut |envelope| {
        all.push(envelope);
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

/// What a story changes: a value of a menu, or the records of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The servers of `/ip/dns`.
    Servers,
    /// A member of an address list, which the router gives its id.
    Member,
    /// A filter rule that may cut our own way: under a timed undo, with a gate.
    Rule,
}

/// Two routers and the right to run one daemon after the other.
pub struct Site<'a> {
    template: &'a Template,
    n: usize,
    /// The router that the story of now is about.
    of_now: Cell<Device>,
    /// What the story of now changes.
    what: Cell<What>,
    /// Stories told so far.
    runs: Cell<u32>,
    /// The caller was told that the change was made.
    acknowledged: Cell<bool>,
}

impl Site<'_> {
    fn number(&self) -> usize {
        2 * self.n + usize::from(self.of_now.get() == Device::Prod)
    }

    pub fn device(&self) -> String {
        format!("r{}", self.number())
    }

    fn control(&self, method: &str, what: &str, body: Option<&Value>) -> Value {
        self.template.routers.of(self.number(), method, what, body)
    }

    pub fn fault(&self, fault: &Value) {
        self.control("POST", "fault", Some(fault));
    }

    pub fn heal(&self) {
        self.control("DELETE", "faults", None);
    }

    fn set_behind_back(&self, servers: &str) {
        let body = json!({ "menu": "/ip/dns", "props": { "servers": servers } });
        self.control("POST", "behind-back", Some(&body));
    }

    fn journal(&self) -> Vec<Value> {
        self.control("GET", "journal", None).as_array().unwrap().clone()
    }

    /// The tool of the story, and its parameters.
    pub fn change(&self) -> (&'static str, Value) {
        match self.what.get() {
            What::Servers => {
                ("update_dns_servers", json!({ "device_id": self.device(), "dns_servers": [WANTED] }))
            }
            What::Member => (
                "update_firewall_address_list",
                json!({ "device_id": self.device(), "list_name": LIST, "address": self.address() }),
            ),
            What::Rule => {
                let rows = self.control("GET", &format!("menu?path={RULES}"), None);
                let first = rows[0][".id"].clone();
                (
                    "plan_add_firewall_rule",
                    json!({
                        "device_ids": [self.device()], "chain": "input", "action": "jump", "jump_target": "mine",
                        "comment": MARK, "place_before": first, "soak_seconds": 0,
                    }),
                )
            }
        }
    }

    /// Each run has its own.
    fn address(&self) -> String {
        let run = self.runs.get();
        format!("203.0.{}.{}", run / 250, run % 250 + 1)
    }

    /// The menu that the story changes, as the router has it, and whether it is as wanted.
    fn outcome(&self) -> (&'static str, Vec<Map<String, Value>>, bool) {
        let menu = match self.what.get() {
            What::Servers => "/ip/dns",
            What::Member => "/ip/firewall/address-list",
            What::Rule => RULES,
        };
        let rows = self.control("GET", &format!("menu?path={menu}"), None);
        let rows: Vec<Map<String, Value>> =
            rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
        let wanted = |row: &&Map<String, Value>| match self.what.get() {
            What::Servers => row["servers"] == WANTED,
            What::Member => row["list"] == LIST && row["address"] == self.address(),
            What::Rule => row.get("comment").is_some_and(|text| text == MARK),
        };
        let changed = rows.iter().filter(wanted).count() == 1;
        (menu, rows, changed)
    }

    pub fn make_change(&self, daemon: &Daemon) {
        let (tool, params) = self.change();
        let reply = daemon.tool(tool, &params);
        if reply.status == 200 {
            assert_eq!(reply.body["changed"], true, "{}", reply.text);
            self.acknowledged.set(true);
        }
    }

    /// Begins the change, and does something once the router has the write.
    pub fn make_change_while(&self, daemon: &mut Daemon, then: impl FnOnce()) {
        let seen = self.journal().last().map_or(0, |entry| entry["order"].as_u64().unwrap());
        let (token, socket) = (daemon.token.clone(), daemon.socket.clone());
        let (tool, params) = self.change();
        let caller = std::thread::spawn(move || {
            let body = params.to_string();
            let mut answer = Vec::new();
            if let Ok(mut stream) = UnixStream::connect(socket) {
                let head = format!(
                    "POST /api/tools/{tool} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                     Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.read_to_end(&mut answer);
            }
            reply_of(&answer).status
        });
        daemon.until("the write to arrive", |_| {
            self.journal()
                .iter()
                .any(|entry| entry["order"].as_u64().unwrap() > seen && entry["method"] != "GET")
        });
        then();
        let status = caller.join().unwrap();
        self.acknowledged.set(status == 200);
    }

    /// Waits until no job is open.
    pub fn await_settled(&self, daemon: &mut Daemon) {
        daemon.until("all jobs to be settled", |daemon| daemon.jobs_running() == Some(0));
    }

    /// A plan that a person approves and starts, to its end.
    pub fn approve_and_start(&self, daemon: &mut Daemon, between: impl FnOnce()) {
        let answer = daemon.tool(self.change().0, &self.change().1);
        let plan = if answer.body["plan"].is_object() { &answer.body["plan"] } else { &answer.body };
        let approve = json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] });
        let _ = daemon.tool_as(&self.template.approver, "plan_approve", &approve);
        between();
        let _ = daemon.tool("plan_start", &json!({ "plan_id": plan["plan_id"] }));
        self.await_settled(daemon);
    }

    pub fn renew_login(&self, daemon: &Daemon) {
        let edit = json!({ "device_id": self.device(), "username": "appliance-rw", "password": "rw-secret" });
        let _ = daemon.tool("device_edit", &edit);
        self.make_change(daemon);
    }

    pub fn approve_what_is_stale(&self, daemon: &mut Daemon) {
        self.approve_and_start(daemon, || self.set_behind_back("203.0.113.1"));
    }

    /// Tells a story, with or without a death in it, and looks at everything afterwards.
    pub fn run(&self, scenario: &Scenario, kill_at: Option<(&str, usize)>) -> Seen {
        self.of_now.set(scenario.device);
        self.what.set(scenario.what);
        self.runs.set(self.runs.get() + 1);
        self.acknowledged.set(false);
        self.heal();
        self.set_behind_back(BEFORE);
        if scenario.what == What::Rule {
            let (_, rows, _) = self.outcome();
            for row in rows.iter().filter(|row| row.get("comment").is_some_and(|text| text == MARK)) {
                self.control(
                    "POST",
                    "behind-back",
                    Some(&json!({ "menu": RULES, "id": row[".id"], "remove": true })),
                );
            }
        }
        let seen_before = self.journal().last().map_or(0, |entry| entry["order"].as_u64().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        copy(&self.template.dir.path().join("state"), &dir);
        let admin = &self.template.admin;
        if let Some(prior) = scenario.prior {
            let daemon = Daemon::start(&dir, admin, Some((prior, 1)), false);
            self.make_change(&daemon);
            let (killed, ..) = daemon.end(false);
            assert!(killed, "{}: the first process is killed at {prior}", scenario.name);
        }

        let mut daemon = Daemon::start(&dir, admin, kill_at, scenario.limited);
        (scenario.act)(self, &mut daemon);
        let (killed, reached, words) = daemon.end(true);
        self.heal();

        let started = Instant::now();
        let mut daemon = Daemon::start(&dir, admin, None, false);
        self.await_settled(&mut daemon);
        let resumed = started.elapsed();
        // The logins survived together with what the log says of them.
        let read = daemon.tool("get_dns_status", &json!({ "device_id": self.device() }));
        let (died, _, later) = daemon.end(true);
        assert!(!died);

        let mut seen = Seen { killed, reached, resumed, ..Seen::default() };
        if read.status != 200 {
            seen.complaints.push(format!("the router cannot be read any more: {}", read.text));
        }
        self.judge(scenario, &dir, seen_before, &mut seen);
        if words.contains("panicked") || later.contains("panicked") {
            seen.complaints.push(format!("a panic:\n{words}{later}"));
        }
        seen
    }

    fn judge(&self, scenario: &Scenario, dir: &Path, seen_before: u64, seen: &mut Seen) {
        let log = envelopes(dir);
        let mut history = History::of_log(&log, self.template.head);
        let device = self.device();
        history.requests = self
            .journal()
            .iter()
            .filter(|entry| entry["order"].as_u64().unwrap() > seen_before)
            .map(|entry| Request::of(&device, entry))
            .collect();
        let (menu, rows, changed) = self.outcome();
        history.truth.insert((device.clone(), menu.into()), rows.clone());
        seen.complaints.extend(complaints(&history));
        seen.writes = history.requests.iter().filter(|request| request.method != "GET").count();
        seen.intents = history.intents();

        let jobs = history.jobs();
        let completed = jobs.contains(&JobStatus::Completed);
        if self.acknowledged.get() && !(completed && changed) {
            seen.complaints.push(format!("acknowledged and lost: {jobs:?}, {rows:?}"));
        }
        if changed != completed {
            seen.complaints.push(format!("log and router differ: {jobs:?}, {rows:?}"));
        }
        if !scenario.may_fail && jobs.iter().any(|job| *job != JobStatus::Completed) {
            seen.complaints.push(format!("a job did not end well: {jobs:?}"));
        }
        for menu in ["/system/scheduler", "/system/script/job"] {
            let left = self.control("GET", &format!("menu?path={menu}"), None);
            if left != json!([]) {
                seen.complaints.push(format!("left timer: the router keeps {left}"));
            }
        }
        let verdict = audit::verify(
            &Source::Store(dir.join("events/appliance.redb")),
            &audit::Options::default(),
            &mut |_| {},
        );
        match verdict {
            Ok(verdict) if verdict.is_good() => {}
            other => seen.complaints.push(format!("does not verify: {other:?}")),
        }
    }
}
