//! Standard input: whose rights it has, alone and through a running daemon.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Barrier,
};

use serde_json::{Value, json};

use crate::{
    house::{json_of, stderr, terminate},
    lone::{Lone, Routers},
};

/// An MCP client on the binary's standard input and output.
struct Client {
    child: Child,
    send: Option<ChildStdin>,
    read: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let send = child.stdin.take();
        let read = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self { child, send, read, id: 0 };
        let about = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                            "clientInfo": { "name": "test", "version": "1" } });
        client.ask("initialize", &about);
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.send.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.read.read_line(&mut line).unwrap() > 0, "the other side closed");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id {
                return answer;
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        told(&self.ask("tools/call", &json!({ "name": tool, "arguments": arguments })))
    }

    /// The same; nothing when the other side goes away before it answers.
    fn try_call(&mut self, tool: &str, arguments: &Value) -> Option<Value> {
        self.id += 1;
        let params = json!({ "name": tool, "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": self.id, "method": "tools/call", "params": params });
        writeln!(self.send.as_mut().unwrap(), "{message}").ok()?;
        loop {
            let mut line = String::new();
            if self.read.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == self.id {
                return Some(told(&answer));
            }
        }
    }

    fn tools(&mut self) -> String {
        self.ask("tools/list", &json!({})).to_string()
    }

    /// Closes standard input and returns the exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.send.take());
        self.child.wait().unwrap().code()
    }
}

/// A tool's answer, or its failure's object.
fn told(answer: &Value) -> Value {
    if answer["error"].is_object() {
        return answer["error"]["data"].clone();
    }
    answer["result"]["structuredContent"].clone()
}

/// What a principal may do over standard input, whoever carries it.
fn reader_and_approver_are_who_they_are(lone: &Lone, reader: &str, approver: &str) {
    let mut client = Client::start(lone.command(Some(reader), &["stdio"]));
    assert!(!client.tools().contains("update_dns_servers"), "a reader sees no writes");
    let refused =
        client.call("update_dns_servers", &json!({ "device_id": "r1", "dns_servers": ["9.9.9.9"] }));
    assert_eq!(refused["code"], "role_required", "{refused}");
    assert_eq!(client.end(), Some(0));

    let mut client = Client::start(lone.command(Some(approver), &["stdio"]));
    for tool in ["plan_approve", "plan_reject", "token_create"] {
        let refused = client.call(tool, &json!({}));
        assert_eq!(refused["code"], "not_for_agents", "{tool}: {refused}");
    }
    assert_eq!(client.end(), Some(0));

    let mut client = Client::start(lone.command(None, &["stdio"]));
    assert!(client.tools().contains("update_dns_servers"), "the local user may ask for changes");
    let refused = client.call("plan_approve", &json!({}));
    assert_eq!(refused["code"], "not_for_agents", "{refused}");
    assert_eq!(client.end(), Some(0));
}

/// By flag, by file in the environment, and plainly in the environment.
fn invalid_tokens_are_refused_at_the_start(lone: &Lone) {
    let wrong = format!("appl_{}", "0".repeat(64));
    let file = lone.folder.path().join("wrong.token");
    std::fs::write(&file, &wrong).unwrap();
    let mut by_environment_file = lone.command(None, &["--json", "stdio"]);
    by_environment_file.env("APPLIANCE_TOKEN_FILE", &file);
    let commands = [
        lone.command(Some(&wrong), &["--json", "stdio"]),
        lone.command(Some("not a token"), &["--json", "stdio"]),
        lone.command(None, &["--json", "--token-file", file.to_str().unwrap(), "stdio"]),
        by_environment_file,
    ];
    for mut command in commands {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(stderr(&output).contains("\"unauthenticated\""), "{}", stderr(&output));
        assert!(output.stdout.is_empty(), "standard output belongs to the protocol");
        assert!(!stderr(&output).contains(&wrong), "no token in an error");
    }
    let missing = lone.run_as(None, &["--token-file", "/nonexistent/token", "stdio"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}

#[test]
fn alone_standard_input_has_the_rights_of_its_token() {
    let lone = Lone::new();
    let (reader, approver) = (lone.token("read_only"), lone.token("approver"));
    reader_and_approver_are_who_they_are(&lone, &reader, &approver);
    invalid_tokens_are_refused_at_the_start(&lone);
}

#[test]
fn through_a_daemon_standard_input_has_the_rights_of_its_token() {
    let lone = Lone::new();
    let (reader, approver) = (lone.token("read_only"), lone.token("approver"));
    let _daemon = lone.serve();
    reader_and_approver_are_who_they_are(&lone, &reader, &approver);
    invalid_tokens_are_refused_at_the_start(&lone);
}

#[test]
fn a_token_that_is_revoked_ends_its_open_session() {
    let lone = Lone::new();
    let made = crate::house::json_of(&lone.run(&[
        "--json",
        "token",
        "create",
        "--role",
        "read_only",
        "--label",
        "short",
    ]));
    let _daemon = lone.serve();
    let mut client = Client::start(lone.command(made["token"].as_str(), &["stdio"]));
    assert!(client.call("list_devices", &json!({}))["devices"].is_array());
    let revoked = lone.run(&["token", "revoke", made["token_id"].as_str().unwrap()]);
    assert!(revoked.status.success(), "{}", stderr(&revoked));
    let refused = client.call("list_devices", &json!({}));
    assert_eq!(refused["code"], "unauthenticated", "{refused}");
}

#[test]
fn while_standard_input_holds_the_store_people_reach_it_through_it() {
    let lone = Lone::new();
    let mut client = Client::start(lone.command(None, &["stdio"]));
    client.call("list_devices", &json!({}));
    let status = lone.run(&["--json", "status"]);
    assert_eq!(status.status.code(), Some(0), "{}", stderr(&status));
    let mut second = Client::start(lone.command(None, &["stdio"]));
    assert!(second.call("list_devices", &json!({}))["devices"].is_array());
    assert_eq!(second.end(), Some(0));
    assert_eq!(client.end(), Some(0));
    assert!(!lone.dir().join("control.sock").exists(), "its sockets go with it");
}

#[test]
fn sockets_that_a_killed_daemon_left_confuse_nobody() {
    let lone = Lone::new();
    drop(lone.serve());
    assert!(lone.dir().join("control.sock").exists() && lone.dir().join("mcp.sock").exists());
    let called = lone.run(&["--json", "call", "list_devices"]);
    assert_eq!(called.status.code(), Some(0), "{}", stderr(&called));
    let mut client = Client::start(lone.command(None, &["stdio"]));
    assert!(client.call("list_devices", &json!({}))["devices"].is_array());
    assert_eq!(client.end(), Some(0));
    drop(lone.serve());
    let mut daemon = lone.serve();
    let called = lone.run(&["--json", "call", "list_devices"]);
    assert_eq!(called.status.code(), Some(0), "{}", stderr(&called));
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    assert!(!lone.dir().join("control.sock").exists());
}

#[test]
fn a_second_daemon_is_told_who_holds_the_store() {
    let lone = Lone::new();
    let daemon = lone.serve();
    let pid = daemon.0.id().to_string();
    for args in [
        &["--json", "serve", "--listen", "127.0.0.1:0"][..],
        &["--json", "verify"],
        &["--json", "replay"],
        &["--json", "events", "export"],
    ] {
        let output = lone.run(args);
        assert_eq!(output.status.code(), Some(7), "{args:?}: {}", stderr(&output));
        let said = crate::lone::failure_of(&output);
        assert_eq!(said["code"], "store_unusable", "{args:?}: {said}");
        assert_eq!(said["details"]["pid"].to_string(), pid, "{args:?}: {said}");
        assert!(said["message"].as_str().unwrap().contains(&pid), "{args:?}: {said}");
    }
}

#[test]
fn an_appliance_that_only_reads_offers_no_guide_to_a_change() {
    let lone = Lone::new();
    let guides = |read_only: &str| {
        let mut command = lone.command(None, &["stdio"]);
        command.env("APPLIANCE__TOOLS__READ_ONLY", read_only);
        let mut client = Client::start(command);
        let listed = client.ask("prompts/list", &json!({}))["result"]["prompts"].as_array().unwrap().len();
        let got = client.ask("prompts/get", &json!({ "name": "dns-ntp-rollout" }));
        assert_eq!(client.end(), Some(0));
        (listed, got["error"]["data"]["code"].clone())
    };
    assert_eq!(guides("false"), (10, Value::Null));
    assert_eq!(guides("true"), (8, json!("read_only")));
}

#[test]
fn clients_of_older_protocols_know_a_number_for_what_is_not_there() {
    let lone = Lone::new();
    let mut client = Client::start(lone.command(None, &["stdio"]));
    let read = client.ask("resources/read", &json!({ "uri": "fleet://health-summary" }));
    assert_eq!(read["result"]["contents"][0]["mimeType"], "application/json", "{read}");
    for uri in ["device://nobody/overview", "device://nobody/nothing"] {
        let missing = client.ask("resources/read", &json!({ "uri": uri }));
        assert_eq!(missing["error"]["code"], -32002, "{missing}");
        assert_eq!(missing["error"]["data"]["uri"], uri, "{missing}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_rollout_needs_an_appliance_that_outlives_its_client() {
    let routers = Routers::start(2);
    let lone = Lone::new();
    for (n, id) in ["r1", "r2"].into_iter().enumerate() {
        lone.add(&routers, n, id, "lab");
        let allowed = lone.run(&["device", "edit", id, "--allow", "professional_workflows"]);
        assert!(allowed.status.success(), "{}", stderr(&allowed));
    }
    let before = routers.truth(0, "/ip/dns")["servers"].clone();
    let mut client = Client::start(lone.command(None, &["stdio"]));
    let params = json!({ "device_ids": ["r1", "r2"], "dns_servers": ["9.9.9.9"], "soak_seconds": 0,
                         "pause_seconds_between_batches": 0 });
    let plan = client.call("config_plan_dns_ntp_rollout", &params);
    assert!(plan["plan_id"].is_string(), "{plan}");
    assert_eq!(client.end(), Some(0));
    let (id, hash) = (plan["plan_id"].as_str().unwrap(), plan["plan_hash"].as_str().unwrap());
    let approver = lone.token("approver");
    let approved = lone.run_as(Some(&approver), &["plan", "approve", id, "--hash", hash]);
    assert!(approved.status.success(), "{}", stderr(&approved));

    let apply = json!({ "plan_id": id, "approval_token": plan["approval_token"] });
    let mut client = Client::start(lone.command(None, &["stdio"]));
    let refused = client.call("config_apply_dns_ntp_rollout", &apply);
    assert_eq!(refused["code"], "conflict", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("appliance serve"), "{refused}");
    assert_eq!(client.end(), Some(0));
    assert_eq!(routers.truth(0, "/ip/dns")["servers"], before, "nothing was sent");

    // The same client in front of a daemon.
    let _daemon = lone.serve();
    let mut client = Client::start(lone.command(None, &["stdio"]));
    let started = client.call("config_apply_dns_ntp_rollout", &apply);
    assert!(started["job_id"].is_string(), "{started}");
    assert_eq!(client.end(), Some(0));
}

/// A plan for two routers, approved by a person: its id, and what applies it.
fn approved(lone: &Lone, approver: &str, devices: &[String]) -> (String, Value) {
    let mut client = Client::start(lone.command(None, &["stdio"]));
    let params = json!({ "device_ids": devices, "dns_servers": ["9.9.9.9"], "soak_seconds": 0,
                         "pause_seconds_between_batches": 0 });
    let plan = client.call("config_plan_dns_ntp_rollout", &params);
    assert_eq!(client.end(), Some(0));
    let id = plan["plan_id"].as_str().unwrap_or_else(|| panic!("{plan}")).to_owned();
    let hash = plan["plan_hash"].as_str().unwrap();
    let yes = lone.run_as(Some(approver), &["plan", "approve", &id, "--hash", hash]);
    assert!(yes.status.success(), "{}", stderr(&yes));
    let apply = json!({ "plan_id": id, "approval_token": plan["approval_token"] });
    (id, apply)
}

#[test]
fn an_apply_while_the_appliance_stops_is_whole_or_not_at_all() {
    const APPLY: &str = "config_apply_dns_ntp_rollout";
    let routers = Routers::start(8);
    let lone = Lone::new();
    let approver = lone.token("approver");
    let (mut started, mut refused) = (0, 0);
    for round in 0..4 {
        let pair = [2 * round, 2 * round + 1];
        let devices = pair.map(|n| format!("r{n}"));
        for (n, id) in pair.into_iter().zip(&devices) {
            lone.add(&routers, n, id, "lab");
            let allowed = lone.run(&["device", "edit", id, "--allow", "professional_workflows"]);
            assert!(allowed.status.success(), "{}", stderr(&allowed));
        }
        let (plan, apply) = approved(&lone, &approver, &devices);
        let mut daemon = lone.serve();
        let mut clients: Vec<Client> =
            (0..4).map(|_| Client::start(lone.command(None, &["stdio"]))).collect();
        // Once it is told, once it is too late, and then whoever is quicker.
        let mut answers: Vec<Option<Value>> = Vec::new();
        if round == 0 {
            answers.push(clients[0].try_call(APPLY, &apply));
        }
        if round == 1 {
            terminate(&daemon.0);
            assert!(daemon.0.wait().unwrap().success(), "it stops in order");
        }
        let line = Barrier::new(clients.len() + 1);
        let call = |client: &mut Client| {
            line.wait();
            client.try_call(APPLY, &apply)
        };
        let call = &call;
        let more: Vec<Option<Value>> = std::thread::scope(|scope| {
            let all: Vec<_> = clients.iter_mut().map(|client| scope.spawn(move || call(client))).collect();
            line.wait();
            if round != 1 {
                terminate(&daemon.0);
            }
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        answers.extend(more);
        if round != 1 {
            assert!(daemon.0.wait().unwrap().success(), "it stops in order");
        }
        for client in clients {
            let _ = client.end();
        }
        let jobs: Vec<&Value> = answers.iter().flatten().map(|answer| &answer["job_id"]).collect();
        let jobs: Vec<&Value> = jobs.into_iter().filter(|job| job.is_string()).collect();
        assert!(jobs.len() <= 1, "an approval is used once: {answers:?}");
        (started, refused) = (started + jobs.len(), refused + usize::from(jobs.is_empty()));
        let shown = json_of(&lone.run(&["--json", "plan", "show", &plan]));
        if let Some(job) = jobs.first() {
            assert_eq!(&&shown["job_id"], job, "what was acknowledged is there: {shown}");
        }
        let end = match shown["job_id"].as_str() {
            Some(job) => lone.run(&["--json", "job", "watch", job]),
            None => {
                assert_eq!(shown["status"], "approved", "a refused start consumes nothing: {shown}");
                lone.run(&["--json", "plan", "start", &plan])
            }
        };
        assert_eq!(end.status.code(), Some(0), "{}", stderr(&end));
        for n in pair {
            assert_eq!(routers.truth(n, "/ip/dns")["servers"], "9.9.9.9");
            assert_eq!(routers.writes(n), 1, "written once");
        }
    }
    assert!(started > 0 && refused > 0, "{started} started, {refused} refused");
}
