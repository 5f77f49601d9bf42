//! Fifty routers, a store that knows them, and rollouts that are killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use events::event::{Envelope, Event};
use serde_json::{Map, Value, json};

use crate::{
    crash::rig::{Daemon, Routers, add_router, init, make_approver, scan},
    history::Request,
};

pub const DNS: &str = "/ip/dns";
pub const RULES: &str = "/ip/firewall/filter";
/// Where timed undos of ours stand.
pub const TIMERS: [&str; 2] = ["/system/scheduler", "/system/script/job"];
/// The comment of the rule that a risky rollout adds.
pub const MARK: &str = "of a rollout";

/// A router's menu, row by row.
pub type Rows = Vec<Map<String, Value>>;

/// What a rollout is about, and what it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Name servers, everywhere.
    Plain,
    /// Name servers, and the first answer of every router is lost.
    LostAnswers,
    /// Name servers, and the n-th router takes none: everything is undone.
    Refused(usize),
    /// A rule that may cut our own way, under a timed undo on every router.
    Risky,
}

impl Story {
    pub const fn is_risky(self) -> bool {
        matches!(self, Self::Risky)
    }
}

/// Routers with a store; rounds follow each other on it.
pub struct Fleet {
    routers: Routers,
    dir: tempfile::TempDir,
    admin: String,
    approver: String,
    count: usize,
    /// Everything in the log, as far as it was read.
    log: Vec<Envelope>,
    /// The last request that was judged, in the routers' order.
    order: u64,
    /// The server that all routers have.
    server: &'static str,
    next: Option<Planned>,
}

/// A plan that a person approved.
struct Planned {
    story: Story,
    plan_id: Value,
    /// The server that all routers have in the end.
    server: &'static str,
    /// Where it begins in the log.
    from: usize,
}

/// What one rollout showed.
pub struct Round {
    pub story: Story,
    /// The process was killed.
    pub killed: bool,
    /// The last place of the log before the rollout was started, and when the process died.
    pub head: u64,
    pub died_at: u64,
    /// When the next process was started, in microseconds since 1970.
    pub restarted_at: i64,
    /// The plan, and the log from the rollout's start on.
    pub log: Vec<Envelope>,
    /// Devices that the product called in doubt after its start, before it could ask any router anything.
    pub reported: BTreeSet<String>,
    /// Requests that changed a router, up to then: when, in microseconds since 1970.
    pub written: BTreeMap<String, Vec<i64>>,
    /// What routers saw since the rollout was started.
    pub requests: Vec<Request>,
    /// What each router has in the end, by menu.
    pub truth: BTreeMap<&'static str, BTreeMap<String, Rows>>,
    /// The server that all routers should have in the end.
    pub server: &'static str,
    /// The job's status in the end.
    pub status: Value,
    /// From the restart until the job was over.
    pub ended_after: Duration,
}

fn device(n: usize) -> String {
    format!("r{n}")
}

impl Fleet {
    pub fn make(count: usize) -> Self {
        let routers = Routers::start(count);
        // Processes are killed here, the machine keeps its power: what is in memory is as durable as on a disk, and quicker.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let state = dir.path().join("state");
        let admin = init(&state);
        let daemon = Daemon::start(&state, &admin, None, false);
        for n in 0..count {
            // With all policies the scheduler is at hand, else only a script that waits.
            let login = if n % 2 == 0 { ("admin", "admin-secret") } else { ("appliance-rw", "rw-secret") };
            let allow = ["advanced_writes", "professional_workflows", "firewall_writes"];
            add_router(&daemon, &routers, n, &device(n), "lab", &allow, login);
            // A chain that may drop our own connection, for those who jump into it.
            let mine = json!({
                "menu": RULES, "props": { "chain": "mine", "action": "drop", "in-interface": "ether5" },
            });
            routers.of(n, "POST", "behind-back", Some(&mine));
        }
        let approver = make_approver(&daemon);
        let mut fleet =
            Self { routers, dir, admin, approver, count, log: Vec::new(), order: 0, server: "", next: None };
        fleet.plan(&daemon, Story::Plain);
        daemon.end(true);
        fleet
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Reads what was added to the log; only while no process has it.
    fn read_log(&mut self) {
        let from = self.log.last().map_or(1, |last| last.seq.0 + 1);
        self.log.extend(scan(&self.state(), from));
    }

    fn head(&self) -> u64 {
        self.log.last().map_or(0, |last| last.seq.0)
    }

    /// Boxes have their devices' order.
    fn by_device(&self, told: &Value) -> BTreeMap<String, Value> {
        (0..self.count).map(|n| (device(n), told[self.routers.name(n)].clone())).collect()
    }

    fn menu(&self, menu: &str) -> BTreeMap<String, Rows> {
        let told = self.by_device(&self.routers.control("GET", &format!("/truth?path={menu}"), None));
        let rows = |value: &Value| -> Rows {
            value.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
        };
        told.iter().map(|(device, value)| (device.clone(), rows(value))).collect()
    }

    fn journals(&self, since: u64) -> BTreeMap<String, Value> {
        self.by_device(&self.routers.control("GET", &format!("/journals?since={since}"), None))
    }

    /// The rollout that was planned, killed at the n-th time that a point is met; then a restart, to its end. `next` is
    /// planned while the process still lives.
    pub fn round(&mut self, point: &str, hit: usize, next: Story) -> Round {
        let Planned { story, plan_id, server, from } = self.next.take().expect("a plan");
        let state = self.state();
        self.read_log();
        let head = self.head();
        let since = self.order;
        self.prepare(story);

        let mut daemon = Daemon::start(&state, &self.admin, Some((point, hit)), false);
        let start = json!({ "plan_id": plan_id });
        let job_id = daemon.tool("plan_start", &start).body["job_id"].clone();
        daemon.until("the rollout to end", |daemon| {
            job_id.is_string() && is_over(&daemon.tool("job_status", &json!({ "job_id": job_id })).body)
        });
        let (killed, ..) = daemon.end(true);
        self.read_log();
        let died_at = self.head();

        // Nothing is read and nothing written before the product has said what it does not know.
        self.routers.control("POST", "/fault", Some(&json!({ "fault": "hold" })));
        let restarted_at = now();
        let began = Instant::now();
        let mut daemon = Daemon::start(&state, &self.admin, None, false);
        let plan = daemon.tool("plan_details", &start).body;
        let known = plan["job_id"].is_string();
        let job =
            |daemon: &Daemon, job_id: &Value| daemon.tool("job_status", &json!({ "job_id": job_id })).body;
        let reported = if known { in_doubt(&job(&daemon, &plan["job_id"])) } else { BTreeSet::new() };
        let journals = self.journals(since).into_iter();
        let written = journals.map(|(device, entries)| (device, changes(&entries))).collect();
        self.routers.control("POST", "/release", Some(&json!({})));

        let job_id = match known {
            true => plan["job_id"].clone(),
            false => daemon.tool("plan_start", &start).body["job_id"].clone(),
        };
        assert!(job_id.is_string(), "{plan}");
        daemon.until("the rollout to end", |daemon| is_over(&job(daemon, &job_id)));
        let ended_after = began.elapsed();
        let status = job(&daemon, &job_id)["status"].clone();

        let mut requests = Vec::new();
        for (device, entries) in self.journals(since) {
            for entry in entries.as_array().unwrap() {
                requests.push(Request::of(&device, entry));
                self.order = self.order.max(entry["order"].as_u64().unwrap());
            }
        }
        let menus = [DNS, RULES, TIMERS[0], TIMERS[1]];
        let truth: BTreeMap<_, _> = menus.into_iter().map(|menu| (menu, self.menu(menu))).collect();
        self.routers.control("DELETE", "/faults", None);
        self.server = server;
        self.clean(&truth[RULES]);
        self.plan(&daemon, next);
        daemon.end(true);
        self.read_log();
        // Of what was before, only the plan: the rest is the round's before.
        let own =
            |envelope: &&Envelope| envelope.seq.0 > head || matches!(envelope.event, Event::PlanProposed(_));
        let log = self.log[from..].iter().filter(own).cloned().collect();
        Round {
            story,
            killed,
            head,
            died_at,
            restarted_at,
            log,
            reported,
            written,
            requests,
            truth,
            server,
            status,
            ended_after,
        }
    }

    /// What a story meets on its way.
    fn prepare(&self, story: Story) {
        let set = |fault: Value| {
            let mut fault = fault;
            fault["method"] = json!("POST");
            fault["path_prefix"] = json!("/rest/ip/dns/set");
            fault
        };
        match story {
            Story::Plain | Story::Risky => {}
            Story::LostAnswers => {
                let lost = set(json!({ "fault": "drop_answer_after_apply", "times": 1 }));
                self.routers.control("POST", "/fault", Some(&lost));
            }
            Story::Refused(n) => {
                let no = set(json!({ "fault": "refuse_writes", "detail": "failure: not this one" }));
                self.routers.of(n, "POST", "fault", Some(&no));
            }
        }
    }

    /// Takes the rules of a rollout away, as somebody at the console.
    fn clean(&self, rules: &BTreeMap<String, Rows>) {
        for (n, rows) in (0..self.count).map(|n| (n, &rules[&device(n)])) {
            for row in rows.iter().filter(|row| is_ours(row)) {
                let remove = json!({ "menu": RULES, "id": row[".id"], "remove": true });
                self.routers.of(n, "POST", "behind-back", Some(&remove));
            }
        }
    }

    /// Has a story's rollout planned, and approved by a person.
    fn plan(&mut self, daemon: &Daemon, story: Story) {
        let from = self.log.len();
        let other = if self.server == "9.9.9.9" { "192.0.2.53" } else { "9.9.9.9" };
        let devices: Vec<String> = (0..self.count).map(device).collect();
        let (tool, mut params) = match story {
            Story::Risky => {
                let first = self.routers.of(0, "GET", &format!("menu?path={RULES}"), None)[0][".id"].clone();
                let rule = json!({
                    "chain": "input", "action": "jump", "jump_target": "mine", "comment": MARK, "place_before": first,
                });
                ("plan_add_firewall_rule", rule)
            }
            _ => ("config_plan_dns_ntp_rollout", json!({ "dns_servers": [other] })),
        };
        let how = json!({
            "device_ids": devices, "batch_size": 25, "pause_seconds_between_batches": 0, "soak_seconds": 0,
        });
        params.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        let plan = daemon.tool(tool, &params);
        let plan_id = plan.body["plan_id"].clone();
        assert!(plan_id.is_string(), "{}", plan.text);
        let guarded = plan.text.contains("may drop our own connection");
        assert_eq!(guarded, story.is_risky(), "{}", plan.text);
        let approve = json!({ "plan_id": plan_id, "plan_hash": plan.body["plan_hash"] });
        let approved = daemon.tool_as(&self.approver, "plan_approve", &approve);
        assert_eq!(approved.status, 200, "{}", approved.text);
        let server = match story {
            Story::Plain | Story::LostAnswers => other,
            Story::Refused(_) | Story::Risky => self.server,
        };
        self.next = Some(Planned { story, plan_id, server, from });
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with when the product says it did something")]
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// When requests changed a router.
fn changes(entries: &Value) -> Vec<i64> {
    let entries = entries.as_array().unwrap().iter();
    entries.filter(|entry| entry["changed"] == true).map(|entry| entry["unix_us"].as_i64().unwrap()).collect()
}

/// A rule of a rollout.
pub fn is_ours(row: &Map<String, Value>) -> bool {
    row.get("comment").is_some_and(|comment| comment == MARK)
}

fn is_over(job: &Value) -> bool {
    ["completed", "failed", "cancelled", "rolled_back", "partially_rolled_back"]
        .iter()
        .any(|over| job["status"] == *over)
}

/// Devices of which the product says that it does not know what became of a write.
fn in_doubt(job: &Value) -> BTreeSet<String> {
    let is = |value: &Value, words: &[&str]| words.iter().any(|word| value == word);
    let doubtful = |device: &&Value| {
        is(&device["status"], &["started", "in_doubt"])
            || is(&device["timed_undo"]["status"], &["arming", "in_doubt", "disarming"])
    };
    let devices = job["devices"].as_array().unwrap_or_else(|| panic!("{job}"));
    devices.iter().filter(doubtful).map(|device| device["device_id"].as_str().unwrap().to_owned()).collect()
}
