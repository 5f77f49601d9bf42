//! A store that no daemon serves, with routers in a process of their own.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use serde_json::{Value, json};

use crate::house::{APPLIANCE, PATIENCE, json_of, request, stderr};

/// Simulated routers in another process.
pub struct Routers {
    child: Child,
    pub said: Value,
}

impl Routers {
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

    /// The address and port of the n-th box.
    pub fn address(&self, n: usize) -> (&str, &str) {
        self.said["boxes"][n]["address"].as_str().unwrap().rsplit_once(':').unwrap()
    }

    /// The SHA-256 of the n-th box's key.
    pub fn key(&self, n: usize) -> &str {
        self.said["boxes"][n]["spki_sha256_hex"].as_str().unwrap()
    }

    fn name(&self, n: usize) -> &str {
        self.said["boxes"][n]["name"].as_str().unwrap()
    }

    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let base = format!("http://{}", self.said["control"].as_str().unwrap());
        let reply = request(&base, method, path, None, body.map(Value::to_string).as_deref());
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
        reply.body
    }

    pub fn fault(&self, n: usize, fault: &Value) {
        self.control("POST", &format!("/boxes/{}/fault", self.name(n)), Some(fault));
    }

    /// Lets go what the fault `hold` keeps waiting at the n-th box.
    pub fn release(&self, n: usize) {
        self.control("POST", &format!("/boxes/{}/release", self.name(n)), None);
    }

    /// Waits until the n-th box has a request with this method, under this path, that has no answer yet.
    pub fn until_held(&self, n: usize, method: &str, path: &str) {
        let started = Instant::now();
        loop {
            let journal = self.control("GET", &format!("/boxes/{}/journal", self.name(n)), None);
            let waits = |entry: &Value| {
                let fits = entry["method"] == method && entry["path"].as_str().unwrap().starts_with(path);
                fits && entry["status"] == 0
            };
            if journal.as_array().unwrap().iter().any(waits) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no {method} {path} comes");
            std::thread::yield_now();
        }
    }

    /// Requests of the n-th box that changed it.
    pub fn writes(&self, n: usize) -> usize {
        let journal = self.control("GET", &format!("/boxes/{}/journal", self.name(n)), None);
        journal.as_array().unwrap().iter().filter(|entry| entry["changed"] == true).count()
    }

    /// What the n-th box really has in a menu.
    pub fn truth(&self, n: usize, menu: &str) -> Value {
        self.control("GET", &format!("/boxes/{}/menu?path={menu}", self.name(n)), None)[0].clone()
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store of its own.
pub struct Lone {
    pub folder: tempfile::TempDir,
    pub admin: String,
    pub verifier_key: String,
}

impl Lone {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = json_of(&crate::house::appliance(&folder.path().join("state"), &["--json", "init"]));
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Self { admin: text("admin_token"), verifier_key: text("verifier_key"), folder }
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The store's file.
    pub fn file(&self) -> PathBuf {
        self.dir().join("events/appliance.redb")
    }

    /// The binary on this store, with or without a token.
    pub fn command(&self, token: Option<&str>, args: &[&str]) -> Command {
        let mut command = Command::new(APPLIANCE);
        command.arg("--dir").arg(self.dir()).args(args);
        command.env("APPLIANCE__ROUTERS__ALLOW_LOOPBACK", "true").env_remove("APPLIANCE_TOKEN_FILE");
        match token {
            Some(token) => command.env("APPLIANCE_TOKEN", token),
            None => command.env_remove("APPLIANCE_TOKEN"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary as the admin.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(Some(&self.admin), args).output().unwrap()
    }

    /// Runs the binary with a token, or with none.
    pub fn run_as(&self, token: Option<&str>, args: &[&str]) -> Output {
        self.command(token, args).output().unwrap()
    }

    /// A token of a role.
    pub fn token(&self, role: &str) -> String {
        let made = json_of(&self.run(&["--json", "token", "create", "--role", role, "--label", role]));
        made["token"].as_str().unwrap().to_owned()
    }

    /// Registers the n-th box under an id.
    pub fn add(&self, routers: &Routers, n: usize, id: &str, environment: &str) {
        let (ip, port) = routers.address(n);
        let password = self.folder.path().join("password");
        std::fs::write(&password, "rw-secret").unwrap();
        let added = self.run(&[
            "device",
            "add",
            id,
            "--address",
            ip,
            "--port",
            port,
            "--environment",
            environment,
            "--allow",
            "advanced_writes",
            "--trust-spki",
            routers.key(n),
            "--username",
            "appliance-rw",
            "--password-file",
            password.to_str().unwrap(),
        ]);
        assert!(added.status.success(), "{}", stderr(&added));
    }

    /// A plan for the device `id`, approved by a person, not started.
    pub fn approved_plan(&self, id: &str) -> String {
        let asked = json_of(&self.run_as(
            None,
            &[
                "--json",
                "call",
                "update_dns_servers",
                &format!("device_id={id}"),
                "dns_servers=[\"9.9.9.9\"]",
            ],
        ));
        let plan = asked["plan"]["plan_id"].as_str().unwrap_or_else(|| panic!("no plan: {asked}")).to_owned();
        let shown = json_of(&self.run(&["--json", "plan", "show", &plan]));
        let hash = shown["plan_hash"].as_str().unwrap();
        let approver = self.token("approver");
        let approved = self.run_as(Some(&approver), &["plan", "approve", &plan, "--hash", hash]);
        assert!(approved.status.success(), "{}", stderr(&approved));
        plan
    }

    /// A daemon that answers on its sockets.
    pub fn serve(&self) -> Daemon {
        let mut command = self.command(None, &["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while UnixStream::connect(self.dir().join("mcp.sock")).is_err() {
            assert!(started.elapsed() < PATIENCE, "the daemon does not answer");
            assert!(child.try_wait().unwrap().is_none(), "the daemon ended");
            std::thread::yield_now();
        }
        Daemon(child)
    }
}

/// A running `serve`.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The failure object on standard error.
pub fn failure_of(output: &Output) -> Value {
    let text = stderr(output);
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    line.and_then(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| json!({ "no failure": text }))
}
