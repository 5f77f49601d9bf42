//! Routers in a process of their own, a daemon that can be killed, and one risky plan for each router.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    house::{APPLIANCE, PATIENCE, Reply, reply_of},
    lone::{Lone, Routers},
};

/// When routers undo by themselves: soon in `cargo xtask trials`, which measures; else with room for a busy machine.
pub fn deadline_s() -> u64 {
    if measures() { 3 } else { 10 }
}

/// True in `cargo xtask trials`.
pub fn measures() -> bool {
    std::env::var_os("APPLIANCE_TRIALS").is_some()
}

const RULES: &str = "/ip/firewall/filter";
/// What the rule of a trial says, so that it is known again.
const MARK: &str = "trial";

/// What was seen of a router's rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// First there.
    pub written: Option<Instant>,
    /// Gone again.
    pub restored: Option<Instant>,
    /// The same, in microseconds since 1970.
    pub restored_at: i64,
}

pub struct Rig {
    routers: Routers,
    lone: Lone,
    approver: String,
    daemon: Option<Daemon>,
    count: usize,
    /// A plan of each router that a person approved.
    plans: Vec<Value>,
    /// The last request of the routers before those plans were made, in their order.
    order: u64,
}

struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(lone: &Lone) -> Self {
        let child = Command::new(APPLIANCE)
            .arg("--dir")
            .arg(lone.dir())
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error"])
            .env("APPLIANCE__ROUTERS__ALLOW_LOOPBACK", "true")
            .env("APPLIANCE__ROLLOUTS__DEAD_MAN_SECONDS", deadline_s().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Self { child, socket: lone.dir().join("control.sock") };
        let started = Instant::now();
        while UnixStream::connect(&daemon.socket).is_err() {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended");
            assert!(started.elapsed() < PATIENCE, "the daemon does not answer");
            std::thread::yield_now();
        }
        daemon
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        ask(&self.socket, method, path, token, body)
    }
}

fn ask(socket: &std::path::Path, method: &str, path: &str, token: &str, body: &str) -> Reply {
    let mut answer = Vec::new();
    if let Ok(mut stream) = UnixStream::connect(socket) {
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

impl Rig {
    pub fn start(count: usize) -> Self {
        let (routers, lone) = (Routers::start(count), Lone::new());
        let daemon = Daemon::start(&lone);
        let mut rig = Self {
            routers,
            lone,
            approver: String::new(),
            daemon: Some(daemon),
            count,
            plans: Vec::new(),
            order: 0,
        };
        for n in 0..count {
            let (ip, port) = rig.routers.address(n);
            // The usual user that writes lacks the policy `policy`.
            let (user, password) =
                if rig.by_scheduler(n) { ("admin", "admin-secret") } else { ("appliance-rw", "rw-secret") };
            let added = rig.admin(
                "device_add",
                &json!({
                    "device_id": format!("r{n}"), "management_ip": ip, "management_port": port.parse::<u16>().unwrap(),
                    "environment": "lab", "allow": ["professional_workflows", "firewall_writes"],
                    "trust": { "spki_sha256": rig.routers.key(n) }, "username": user, "password": password,
                }),
            );
            assert_eq!(added.status, 200, "{}", added.text);
            // Behind a jump to this chain our own connection may be dropped; in truth nothing comes over that interface.
            rig.behind_back(
                n,
                &json!({
                    "menu": RULES, "props": { "chain": "mine", "action": "drop", "in-interface": "ether5" },
                }),
            );
        }
        let made = rig.admin(
            "token_create",
            &json!({ "label": "Ada", "role": "approver", "personal": true, "environments": ["lab"], "device_scopes": ["*"] }),
        );
        rig.approver = made.body["token"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
        rig
    }

    /// Every other router lets us use its scheduler.
    pub fn by_scheduler(&self, n: usize) -> bool {
        n.is_multiple_of(2)
    }

    fn admin(&self, tool: &str, params: &Value) -> Reply {
        self.tool(&self.lone.admin, tool, params)
    }

    fn tool(&self, token: &str, tool: &str, params: &Value) -> Reply {
        let daemon = self.daemon.as_ref().expect("a daemon");
        daemon.ask("POST", &format!("/api/tools/{tool}"), token, &params.to_string())
    }

    fn behind_back(&self, n: usize, body: &Value) {
        self.on_box(n, "POST", "behind-back", Some(body));
    }

    fn on_box(&self, n: usize, method: &str, what: &str, body: Option<&Value>) -> Value {
        let name = self.routers.said["boxes"][n]["name"].as_str().unwrap();
        self.routers.control(method, &format!("/boxes/{name}/{what}"), body)
    }

    fn rules(&self, n: usize) -> Vec<Value> {
        self.on_box(n, "GET", &format!("menu?path={RULES}"), None).as_array().unwrap().clone()
    }

    fn is_written(&self, n: usize) -> bool {
        self.rules(n).iter().any(|rule| rule["comment"] == MARK)
    }

    /// A risky plan for each router, approved.
    pub fn plan_all(&mut self) {
        let orders =
            (0..self.count).flat_map(|n| self.journal(n)).map(|entry| entry["order"].as_u64().unwrap());
        self.order = orders.max().unwrap_or(0);
        self.plans = (0..self.count)
            .map(|n| {
                let first = self.rules(n)[0][".id"].clone();
                let params = json!({
                    "device_ids": [format!("r{n}")], "chain": "input", "action": "jump", "jump_target": "mine",
                    "comment": MARK, "place_before": first, "soak_seconds": 0,
                });
                let plan = self.admin("plan_add_firewall_rule", &params);
                assert_eq!(plan.status, 200, "{}", plan.text);
                assert!(plan.text.contains("may drop our own connection"), "{}", plan.text);
                let approve = json!({ "plan_id": plan.body["plan_id"], "plan_hash": plan.body["plan_hash"] });
                let approved = self.tool(&self.approver, "plan_approve", &approve);
                assert_eq!(approved.status, 200, "{}", approved.text);
                plan.body["plan_id"].clone()
            })
            .collect();
    }

    pub fn fault_all(&self, fault: &Value) {
        (0..self.count).for_each(|n| self.routers.fault(n, fault));
    }

    /// Starts all plans at the same time, and waits for nothing.
    pub fn start_all(&self) {
        let socket = &self.daemon.as_ref().expect("a daemon").socket;
        std::thread::scope(|scope| {
            for some in self.plans.chunks(self.plans.len().div_ceil(8)) {
                scope.spawn(move || {
                    for plan in some {
                        let params = json!({ "plan_id": plan }).to_string();
                        let started = ask(socket, "POST", "/api/tools/plan_start", &self.lone.admin, &params);
                        assert_eq!(started.status, 200, "{}", started.text);
                    }
                });
            }
        });
    }

    /// Looks at all rules until it is so, or for so many seconds.
    pub fn look_until(&self, seen: &mut [Seen], so: impl Fn(&[Seen]) -> bool, seconds: u64) {
        let started = Instant::now();
        while !so(seen) && started.elapsed() < Duration::from_secs(seconds) {
            for (n, one) in seen.iter_mut().enumerate() {
                match (self.is_written(n), one.written, one.restored) {
                    (true, None, _) => one.written = Some(Instant::now()),
                    (false, Some(_), None) => {
                        (one.restored, one.restored_at) = (Some(Instant::now()), now());
                    }
                    _ => {}
                }
            }
            // Who asks all the time takes the processor from those who work.
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        drop(self.daemon.take());
    }

    pub fn revive(&mut self) {
        self.daemon = Some(Daemon::start(&self.lone));
    }

    /// All links and routers are well again.
    pub fn heal(&self) {
        for n in 0..self.count {
            self.on_box(n, "DELETE", "faults", None);
            self.on_box(n, "POST", "mend", Some(&json!({})));
        }
    }

    /// Waits until no job is open, and holds the ledger against the routers.
    pub fn settled(&self) {
        let started = Instant::now();
        loop {
            let metrics =
                self.daemon.as_ref().expect("a daemon").ask("GET", "/metrics", &self.lone.admin, "").text;
            if metrics.lines().any(|line| line == "appliance_jobs_running 0") {
                break;
            }
            if started.elapsed() > 2 * PATIENCE {
                let open = self.admin("job_list", &json!({ "open": true })).body;
                panic!("jobs hang: {open:#}");
            }
            std::thread::yield_now();
        }
        for (n, plan) in self.plans.iter().enumerate() {
            let details = self.admin("plan_details", &json!({ "plan_id": plan })).body;
            let claims = details["status"] == "completed";
            assert_eq!(claims, self.is_written(n), "router {n}: {details:#}");
        }
    }

    /// No rule of a trial and no timer is left.
    pub fn clean(&self) {
        for n in 0..self.count {
            for rule in self.rules(n).iter().filter(|rule| rule["comment"] == MARK) {
                self.behind_back(n, &json!({ "menu": RULES, "id": rule[".id"], "remove": true }));
            }
            assert_eq!(self.timers(n), [0, 0], "router {n} keeps a timer");
        }
    }

    /// Entries of the scheduler, and scripts that run.
    fn timers(&self, n: usize) -> [usize; 2] {
        ["/system/scheduler", "/system/script/job"]
            .map(|menu| self.on_box(n, "GET", &format!("menu?path={menu}"), None).as_array().unwrap().len())
    }

    fn journal(&self, n: usize) -> Vec<Value> {
        self.on_box(n, "GET", "journal", None).as_array().unwrap().clone()
    }

    /// When this round's timer was set on a router, by the means that it allows, in microseconds since 1970: the last one
    /// before the rule was written.
    pub fn armed_at(&self, n: usize) -> Option<i64> {
        let arm = if self.by_scheduler(n) { "/rest/system/scheduler" } else { "/rest/execute" };
        let journal = self.journal(n);
        let mine = journal.iter().filter(|entry| entry["order"].as_u64().unwrap() > self.order);
        let before_the_write = mine.take_while(|entry| {
            let is_rule = entry["path"].as_str().unwrap().starts_with("/rest/ip/firewall/filter");
            !(entry["method"] == "PUT" && is_rule && entry["changed"] == true)
        });
        let arms = before_the_write.filter(|entry| entry["path"] == arm && entry["changed"] == true);
        arms.last().map(|entry| entry["unix_us"].as_i64().unwrap())
    }

    /// The rule stands although nothing is there to undo it: asked in this order, no timer has run in between.
    pub fn is_unguarded(&self, n: usize) -> bool {
        self.timers(n) == [0, 0] && self.is_written(n)
    }

    /// Nothing goes wrong: the undo is disarmed, and nothing fires later.
    pub fn good(&mut self, wrong: &mut Vec<String>) {
        self.plan_all();
        self.start_all();
        self.settled();
        let disarmed = Instant::now();
        // One look after the last moment at which a timer could fire.
        while disarmed.elapsed() < Duration::from_secs(deadline_s() + 1) {
            std::thread::park_timeout(Duration::from_secs(1));
        }
        // A busy machine may be too slow for a gate within the deadline: then a timer was right to fire, and the job says so.
        for (n, plan) in self.plans.iter().enumerate() {
            let details = self.admin("plan_details", &json!({ "plan_id": plan })).body;
            if !self.is_written(n) && (measures() || details["status"] == "completed") {
                wrong.push(format!("router {n}: a timer fired although all was well"));
            }
        }
        self.clean();
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with when routers say that they saw something")]
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}
