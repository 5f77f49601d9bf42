//! Fifty routers, a store that knows them, and a rollout that may be killed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use events::event::Envelope;
use serde_json::{Map, Value, json};

use crate::{
    crash::rig::{Daemon, Routers, add_router, envelopes, init, make_approver},
    history::Request,
};

/// Routers with a store; rounds follow each other on it.
pub struct Fleet {
    routers: Routers,
    dir: tempfile::TempDir,
    admin: String,
    approver: String,
    count: usize,
}

/// What one rollout showed.
pub struct Round {
    /// The process was killed.
    pub killed: bool,
    /// The last place of the log before the rollout was started, and when the process died.
    pub head: u64,
    pub died_at: u64,
    /// The whole log in the end.
    pub log: Vec<Envelope>,
    /// Devices that had a write when the process died.
    pub written_at_death: Vec<String>,
    /// What routers saw since the rollout was started.
    pub requests: Vec<Request>,
    /// `/ip/dns` of each router in the end.
    pub truth: BTreeMap<String, Vec<Map<String, Value>>>,
    /// The job's status in the end.
    pub status: Value,
    /// From the restart until nothing was in doubt, and until the job was over.
    pub settled_after: Duration,
    pub ended_after: Duration,
}

fn device(n: usize) -> String {
    format!("r{n}")
}

impl Fleet {
    pub fn make(count: usize) -> Self {
        let routers = Routers::start(count);
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let admin = init(&state);
        let daemon = Daemon::start(&state, &admin, None, false);
        for n in 0..count {
            add_router(
                &daemon,
                &routers,
                n,
                &device(n),
                "lab",
                &["advanced_writes", "professional_workflows"],
            );
        }
        let approver = make_approver(&daemon);
        daemon.end(true);
        Self { routers, dir, admin, approver, count }
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn journal(&self, n: usize) -> Vec<Value> {
        self.routers.of(n, "GET", "journal", None).as_array().unwrap().clone()
    }

    fn orders(&self) -> Vec<u64> {
        let last = |n| self.journal(n).last().map_or(0, |entry| entry["order"].as_u64().unwrap());
        (0..self.count).map(last).collect()
    }

    /// A rollout of these servers, killed at the n-th time that a point is met; then a restart, to its end.
    pub fn round(&self, servers: &str, point: &str, hit: usize) -> Round {
        let state = self.state();
        let plan_id = self.plan(servers);
        let head = envelopes(&state).last().unwrap().seq.0;
        let seen = self.orders();

        let mut daemon = Daemon::start(&state, &self.admin, Some((point, hit)), false);
        let start = json!({ "plan_id": plan_id });
        let started = daemon.tool("plan_start", &start);
        let job_id = started.body["job_id"].clone();
        daemon.until("the rollout to end", |daemon| {
            job_id.is_string() && is_over(&daemon.tool("job_status", &json!({ "job_id": job_id })).body)
        });
        let (killed, ..) = daemon.end(true);
        let died_at = envelopes(&state).last().unwrap().seq.0;
        let writes = |n: &usize| {
            let since = |entry: &Value| entry["order"].as_u64().unwrap() > seen[*n];
            self.journal(*n).iter().any(|entry| since(entry) && entry["changed"] == true)
        };
        let written_at_death = (0..self.count).filter(writes).map(device).collect();

        let began = Instant::now();
        let mut daemon = Daemon::start(&state, &self.admin, None, false);
        let plan = daemon.tool("plan_details", &start).body;
        let job_id = match plan["job_id"].as_str() {
            Some(job_id) => json!(job_id),
            None => daemon.tool("plan_start", &start).body["job_id"].clone(),
        };
        assert!(job_id.is_string(), "{plan}");
        let job = |daemon: &Daemon| daemon.tool("job_status", &json!({ "job_id": job_id })).body;
        daemon.until("nothing to be in doubt", |daemon| !is_in_doubt(&job(daemon)));
        let settled_after = began.elapsed();
        daemon.until("the rollout to end", |daemon| is_over(&job(daemon)));
        let ended_after = began.elapsed();
        let status = job(&daemon)["status"].clone();
        daemon.end(true);

        let mut requests = Vec::new();
        let mut truth = BTreeMap::new();
        for (n, seen) in seen.iter().enumerate() {
            let since = |entry: &&Value| entry["order"].as_u64().unwrap() > *seen;
            requests.extend(self.journal(n).iter().filter(since).map(|entry| Request::of(&device(n), entry)));
            let rows = self.routers.of(n, "GET", "menu?path=/ip/dns", None);
            let rows = rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone());
            truth.insert(device(n), rows.collect());
        }
        let log = envelopes(&state);
        Round {
            killed,
            head,
            died_at,
            log,
            written_at_death,
            requests,
            truth,
            status,
            settled_after,
            ended_after,
        }
    }

    /// A rollout of these servers to all routers, approved by a person.
    fn plan(&self, servers: &str) -> String {
        let daemon = Daemon::start(&self.state(), &self.admin, None, false);
        let devices: Vec<String> = (0..self.count).map(device).collect();
        let plan = daemon.tool(
            "config_plan_dns_ntp_rollout",
            &json!({
                "device_ids": devices, "dns_servers": [servers], "batch_size": 20,
                "pause_seconds_between_batches": 0, "soak_seconds": 0,
            }),
        );
        let plan_id = plan.body["plan_id"].as_str().unwrap_or_else(|| panic!("{}", plan.text)).to_owned();
        let approve = json!({ "plan_id": plan_id, "plan_hash": plan.body["plan_hash"] });
        let approved = daemon.tool_as(&self.approver, "plan_approve", &approve);
        assert_eq!(approved.status, 200, "{}", approved.text);
        daemon.end(true);
        plan_id
    }
}

fn is_over(job: &Value) -> bool {
    ["completed", "failed", "cancelled", "rolled_back", "partially_rolled_back"]
        .iter()
        .any(|over| job["status"] == *over)
}

fn is_in_doubt(job: &Value) -> bool {
    let doubtful = |device: &Value| device["status"] == "started" || device["status"] == "in_doubt";
    job["devices"].as_array().is_none_or(|devices| devices.iter().any(doubtful))
}
