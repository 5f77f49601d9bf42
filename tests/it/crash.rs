//! The real binary is killed at named points of a write; routers live on in another process. After a restart nothing was
//! written without a durable intent, nothing begun is forgotten, and nothing was written twice without reading.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::house::{APPLIANCE, PATIENCE, json_of, request, stderr, terminate};

/// Kills in a run of the pipeline; more on demand.
const KILLS: usize = 40;

struct Routers {
    child: Child,
    said: Value,
}

impl Routers {
    fn start(count: usize) -> Self {
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

    fn control(&self, path: &str) -> Value {
        let control = self.said["control"].as_str().unwrap();
        request(&format!("http://{control}"), "GET", path, None, None).body
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Case<'a> {
    dir: &'a Path,
    token: String,
}

impl Case<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(APPLIANCE);
        command
            .arg("--dir")
            .arg(self.dir)
            .arg("--json")
            .args(args)
            .env("APPLIANCE__ROUTERS__ALLOW_LOOPBACK", "true")
            .env("APPLIANCE_TOKEN", &self.token)
            .env_remove("APPLIANCE_TOKEN_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A daemon that answers on its socket (or has died already, being told to).
    fn serve(&self, kill_at: Option<&str>) -> Child {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(point) = kill_at {
            command.env("APPLIANCE_CRASH_AT", point);
        }
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        while UnixStream::connect(self.dir.join("control.sock")).is_err() {
            assert!(started.elapsed() < PATIENCE, "the daemon does not answer");
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
        child
    }
}

/// One kill. False when the point was not reached any more.
fn kill_at(point: &str, hit: usize, routers: &Routers, n: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let made =
        json_of(&Command::new(APPLIANCE).arg("--dir").arg(&dir).args(["--json", "init"]).output().unwrap());
    let case = Case { dir: &dir, token: made["admin_token"].as_str().unwrap().to_owned() };
    let router = &routers.said["boxes"][n];
    let (name, address) = (router["name"].as_str().unwrap(), router["address"].as_str().unwrap());
    let (ip, port) = address.rsplit_once(':').unwrap();
    let password = dir.join("password");
    std::fs::write(&password, "rw-secret").unwrap();
    let added = case.run(&[
        "device",
        "add",
        "r1",
        "--address",
        ip,
        "--port",
        port,
        "--environment",
        "lab",
        "--allow",
        "advanced_writes",
        "--trust-spki",
        router["spki_sha256_hex"].as_str().unwrap(),
        "--username",
        "appliance-rw",
        "--password-file",
        password.to_str().unwrap(),
    ]);
    assert!(added.status.success(), "{}", stderr(&added));
    let before = routers.control(&format!("/boxes/{name}/menu?path=/ip/dns"))[0]["servers"].clone();

    let mut daemon = case.serve(Some(&format!("{point}:{hit}")));
    let called = case.run(&["call", "update_dns_servers", "device_id=r1", "dns_servers=[\"9.9.9.9\"]"]);
    if called.status.success() && daemon.try_wait().unwrap().is_none() {
        // The point was not hit so often; nothing to learn any more.
        terminate(&daemon);
        daemon.wait().unwrap();
        return false;
    }
    if daemon.try_wait().unwrap().is_none() {
        // A refusal without a kill would be a failure of its own.
        let said = stderr(&called);
        let started = Instant::now();
        while daemon.try_wait().unwrap().is_none() {
            assert!(
                started.elapsed() < PATIENCE,
                "{point}:{hit}: the call failed and nobody was killed: {said}"
            );
            std::thread::yield_now();
        }
    }

    let mut daemon = case.serve(None);
    let started = Instant::now();
    let jobs = loop {
        let jobs = json_of(&case.run(&["job", "list"]));
        let open =
            jobs["jobs"].as_array().unwrap().iter().any(|job| {
                !["completed", "failed", "rolled_back"].contains(&job["status"].as_str().unwrap())
            });
        if !open {
            break jobs;
        }
        assert!(started.elapsed() < PATIENCE, "{point}:{hit}: a job is forgotten: {jobs}");
    };
    terminate(&daemon);
    daemon.wait().unwrap();

    let export = dir.join("export.ndjson");
    let exported = case.run(&["events", "export", "--out", export.to_str().unwrap()]);
    assert!(exported.status.success(), "{point}:{hit}: {}", stderr(&exported));
    let text = std::fs::read_to_string(&export).unwrap();
    let intents = text.lines().filter(|line| line.contains("\"StepStarted\"")).count();
    let journal = routers.control(&format!("/boxes/{name}/journal"));
    let sent: Vec<usize> = journal
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .filter(|(_, entry)| {
            entry["method"] == "POST" && entry["path"].as_str().unwrap().ends_with("/ip/dns/set")
        })
        .map(|(at, _)| at)
        .collect();
    assert!(sent.len() <= intents, "{point}:{hit}: {} writes, {intents} intents", sent.len());
    for pair in sent.windows(2) {
        let read = journal.as_array().unwrap()[pair[0]..pair[1]].iter().any(|entry| entry["method"] == "GET");
        assert!(read, "{point}:{hit}: written twice without reading");
    }
    let after = routers.control(&format!("/boxes/{name}/menu?path=/ip/dns"))[0]["servers"].clone();
    match jobs["jobs"][0]["status"].as_str() {
        Some("completed") => assert_eq!(after, "9.9.9.9", "{point}:{hit}"),
        Some(other) => panic!("{point}:{hit}: {other}: {jobs}"),
        None => assert_eq!((after, sent.len()), (before, 0), "{point}:{hit}: no job, no change"),
    }
    let verdict = case.run(&["verify"]);
    assert_eq!(verdict.status.code(), Some(0), "{point}:{hit}: {}", stderr(&verdict));
    true
}

#[test]
fn kills_at_every_point_of_a_write_leave_nothing_forgotten_nor_blindly_repeated() {
    let budget = std::env::var("APPLIANCE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut points: Vec<&str> = [
        appliance::runner::CRASH_POINTS,
        appliance::routeros::lanes::CRASH_POINTS,
        appliance::engine::CRASH_POINTS,
        &["log.append.before_commit", "log.append.after_commit"],
    ]
    .concat();
    let routers = Routers::start(budget);
    let (mut kills, mut reached) = (0, std::collections::BTreeSet::new());
    for hit in 1.. {
        points.retain(|point| {
            if kills == budget {
                return true;
            }
            let killed = kill_at(point, hit, &routers, kills);
            if killed {
                kills += 1;
                reached.insert(*point);
            }
            killed
        });
        if kills == budget || points.is_empty() {
            break;
        }
    }
    assert!(reached.len() >= 15, "points that were reached: {reached:?}");
    assert!(kills == budget || points.is_empty(), "{kills} kills");
}
