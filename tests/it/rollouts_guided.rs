//! Rollouts that do not go smoothly: halted by a gate, cancelled, stuck, killed; and how people steer them.

use serde_json::{Value, json};

use crate::{
    house::{As, House, json_of, raw, stderr, stdout},
    lone::{Lone, Routers},
};

pub const PLAN: &str = "config_plan_dns_ntp_rollout";
/// Where name servers are read and set.
pub const DNS: &str = "/rest/ip/dns";
const APPLY: &str = "apply_firewall_plan";
/// What every look at a router reads.
const LOOK: &str = "/rest/system/resource";

/// A rollout of a name server, approved by a person: the first device alone, then in batches.
pub fn approved(house: &House, devices: &[usize], server: &str, more: &Value) -> Value {
    let ids: Vec<&str> = devices.iter().map(|n| house.device(*n)).collect();
    let mut params = json!({ "device_ids": ids, "dns_servers": [server], "batch_size": 1 });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let plan = house.call(As::Agent, PLAN, &params);
    let yes = json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] });
    house.call(As::Approver, "plan_approve", &yes);
    plan
}

/// Starts it without waiting for anything: the id of its job.
pub fn started(house: &House, plan: &Value) -> String {
    let job = house.call(As::Admin, "plan_start", &json!({ "plan_id": plan["plan_id"] }));
    job["job_id"].as_str().unwrap().to_owned()
}

pub fn job(house: &House, id: &str) -> Value {
    house.http(As::Agent, "GET", &format!("/api/admin/jobs/{id}"), None).body
}

/// The job once it rests.
pub fn rested(house: &House, id: &str) -> Value {
    house.until("the job to rest", || {
        let job = job(house, id);
        let moves = ["pending", "running", "rolling_back"].iter().any(|word| job["status"] == *word);
        (!moves).then_some(job)
    })
}

pub fn servers(house: &House, n: usize) -> Value {
    house.truth(n, "/ip/dns")["servers"].clone()
}

/// Three looks at a router, after the one before its wave, show a busy processor.
pub fn degrades(house: &House, n: usize) {
    let mut resource = house.truth(n, "/system/resource");
    resource["cpu-load"] = json!("99");
    let look = |fault: Value| {
        let mut fault = fault;
        fault["method"] = json!("GET");
        fault["path_prefix"] = json!("/rest/system/resource");
        house.fault(n, &fault);
    };
    look(json!({ "fault": "latency", "ms": 0, "times": 1 }));
    look(json!({ "fault": "status", "status": 200, "body": resource.to_string(), "times": 3 }));
}

/// The next write of name servers waits until it is let go.
pub fn held_write() -> Value {
    json!({ "fault": "hold", "method": "POST", "path_prefix": "/rest/ip/dns", "times": 1 })
}

/// What a person could do, as commands without the job's id.
fn choices(job: &Value) -> Vec<String> {
    let all = job["waits_for"]["choices"].as_array().cloned().unwrap_or_default();
    let words = |choice: &Value| {
        let command = choice["command"].as_str().unwrap().replace(job["job_id"].as_str().unwrap(), "JOB");
        command.trim_start_matches("appliance job ").trim_end_matches(" --reason TEXT").to_owned()
    };
    all.iter().map(words).collect()
}

#[test]
fn a_router_that_gets_worse_halts_the_rollout_and_everything_is_undone() {
    let house = House::start(3);
    let before: Vec<Value> = (0..3).map(|n| servers(&house, n)).collect();
    let plan = approved(&house, &[0, 1, 2], "9.9.9.9", &json!({}));
    degrades(&house, 1);
    let id = started(&house, &plan);
    let end = rested(&house, &id);
    assert_eq!((&end["status"], &end["progress_percent"]), (&json!("rolled_back"), &json!(100)), "{end:#}");
    assert!(end["reason"].as_str().unwrap().contains("undone") && end["waits_for"].is_null(), "{end:#}");
    let wave = &end["waves"][1];
    assert_eq!((&wave["status"], &wave["looks"]), (&json!("failed"), &json!(3)), "{end:#}");
    assert!(wave["reasons"][0].as_str().unwrap().contains("CPU load 99 %"), "{wave}");
    let cpu = wave["gate"][0]["cpu_percent"].as_array().unwrap();
    assert!(cpu[0].as_u64().unwrap() < 80 && cpu[1..] == [json!(99), json!(99), json!(99)], "{wave}");
    let after: Vec<Value> = (0..3).map(|n| servers(&house, n)).collect();
    assert_eq!(after, before);
    assert_eq!((house.writes(0), house.writes(1), house.writes(2)), (2, 2, 0));
    // The same, told to people and to agents.
    let watched = house.cli(As::Admin, &["job", "watch", &id]);
    assert_eq!(watched.status.code(), Some(5), "{}", stderr(&watched));
    let uri = format!("plan://{}/execution-log", plan["plan_id"].as_str().unwrap());
    let log = house.mcp(As::Agent, "resources/read", &json!({ "uri": uri })).to_string();
    for words in ["gate of wave 2 failed", "look 3 after it", "is rolling back", "undone, as read"] {
        assert!(log.contains(words), "no `{words}` in {log}");
    }
    let listed = stdout(&house.cli(As::Admin, &["events", "list", "--kind", "GateJudged"]));
    assert!(listed.contains("gate of wave 1 passed") && listed.contains("gate of wave 2"), "{listed}");
}

#[test]
fn what_stands_after_a_gate_goes_on_as_a_person_decides() {
    let house = House::start(3);
    let decisions = [
        ("retry", "completed", 0, "passed"),
        ("resume", "completed", 0, "accepted"),
        ("skip", "completed", 5, "accepted"),
        ("roll-back", "rolled_back", 5, "failed"),
        ("cancel", "cancelled", 0, "failed"),
    ];
    for (at, (decision, status, exit, wave)) in decisions.into_iter().enumerate() {
        let (server, before) = (format!("9.9.9.{}", at + 1), servers(&house, 0));
        let plan = approved(&house, &[0, 1, 2], &server, &json!({ "rollback_on_failure": false }));
        degrades(&house, 1);
        let id = started(&house, &plan);
        let halted = rested(&house, &id);
        assert_eq!(halted["status"], "halted", "{decision}: {halted:#}");
        assert_eq!(halted["waits_for"]["what"], "person", "{halted:#}");
        assert_eq!(halted["waits_for"]["device_ids"], json!([house.device(1)]), "{halted:#}");
        let skip = format!("skip JOB {}", house.device(1));
        assert_eq!(
            choices(&halted),
            ["retry JOB", &skip, "roll-back JOB", "resume JOB", "cancel JOB"],
            "{halted:#}"
        );
        assert_eq!(servers(&house, 2), before, "{decision}: nothing is written to a later wave");
        // Agents see it and have no say in it.
        let wish = json!({ "job_id": id, "reason": "let me" });
        for tool in ["job_cancel", "job_retry", "job_resume", "job_roll_back"] {
            assert_eq!(
                house.mcp_call(As::Agent, tool, &wish).unwrap_err()["code"],
                "not_for_agents",
                "{tool}"
            );
        }
        assert_eq!(house.refused(As::Approver, "job_resume", &wish), "role_required");
        let guide = stdout(&house.cli(As::Admin, &["job", "guide", &id]));
        for words in
            ["CPU load 99 %", "until a person decides", "What you can do:", "2 devices have the change"]
        {
            assert!(guide.contains(words), "no `{words}` in\n{guide}");
        }

        let mut args = vec!["job", decision, &id];
        args.extend((decision == "skip").then_some(house.device(1)));
        args.extend(["--reason", "I looked at it"]);
        args.extend((decision != "cancel").then_some("--wait"));
        let said = house.cli(As::Admin, &args);
        assert_eq!(said.status.code(), Some(exit), "{decision}: {}{}", stdout(&said), stderr(&said));
        if decision == "skip" {
            // It was the only one of its wave: what the gate said of it is let pass by a word of its own.
            assert_eq!(rested(&house, &id)["status"], "halted");
            assert_eq!(servers(&house, 2), before);
            let resume = ["job", "resume", &id, "--reason", "only that one is ill", "--wait"];
            assert_eq!(house.cli(As::Admin, &resume).status.code(), Some(0));
        }
        let end = rested(&house, &id);
        assert_eq!((&end["status"], &end["waves"][1]["status"]), (&json!(status), &json!(wave)), "{end:#}");
        assert_eq!(end["devices"][1]["skipped"] == true, decision == "skip", "{end:#}");
        let wanted = json!(server);
        let now: Vec<bool> = (0..3).map(|n| servers(&house, n) == wanted).collect();
        let expected = match decision {
            "roll-back" => [false; 3],
            "cancel" => [true, true, false],
            _ => [true; 3],
        };
        assert_eq!(now, expected, "{decision}");
        assert_eq!(house.refused(As::Admin, "job_cancel", &wish), "conflict", "{decision}: it is over");
        assert_eq!(house.refused(As::Admin, "job_retry", &wish), "conflict", "{decision}: it is over");
    }
}

#[test]
fn a_router_that_refuses_is_left_out_and_the_others_go_on() {
    let house = House::start(3);
    let plan = approved(&house, &[0, 1, 2], "9.9.9.9", &json!({ "rollback_on_failure": false }));
    house.fault(1, &json!({ "fault": "refuse_writes", "detail": "failure: \u{1b}[31mno", "times": 1 }));
    let id = started(&house, &plan);
    let halted = rested(&house, &id);
    assert_eq!(halted["status"], "halted", "{halted:#}");
    let device = &halted["devices"][1];
    assert_eq!((&device["status"], &device["steps_applied"]), (&json!("refused"), &json!(0)), "{device}");
    let path = |what: &str| format!("/api/jobs/{id}/{what}");
    let reason = json!({ "reason": "that one is being replaced" });
    let resumed = house.http(As::Admin, "POST", &path("resume"), Some(&reason));
    assert_eq!((resumed.status, &resumed.body["code"]), (409, &json!("conflict")), "{}", resumed.text);
    assert!(resumed.body["message"].as_str().unwrap().contains("retry it, or skip its device"));
    let guide = house.http(As::Agent, "GET", &path("guide"), None).body;
    let trouble = &guide["trouble"][0];
    assert!(trouble["says"].as_str().unwrap().contains("did not take the change"), "{guide:#}");
    assert_eq!(trouble["routeros"], "failure: no", "the router's words, cleaned");
    let open = |decision: &str| {
        let all = guide["decisions"].as_array().unwrap();
        all.iter().find(|row| row["decision"] == decision).unwrap()["possible"] == true
    };
    assert!(
        open("retry") && open("skip") && open("roll_back") && open("cancel") && !open("resume"),
        "{guide:#}"
    );

    let nobody = json!({ "device_id": "nobody", "reason": "x" });
    assert_eq!(house.http(As::Admin, "POST", &path("skip"), Some(&nobody)).body["code"], "conflict");
    let skip = json!({ "device_id": house.device(1), "reason": "that one is being replaced" });
    let skipped = house.http(As::Admin, "POST", &path("skip"), Some(&skip));
    assert_eq!((skipped.status, &skipped.body["status"]), (200, &json!("running")), "{}", skipped.text);
    let end = rested(&house, &id);
    assert_eq!(end["status"], "completed", "{end:#}");
    let device = &end["devices"][1];
    assert_eq!((&device["status"], &device["skipped"]), (&json!("refused"), &json!(true)), "{device}");
    assert_eq!((servers(&house, 0), servers(&house, 2)), (json!("9.9.9.9"), json!("9.9.9.9")));
    assert_ne!(servers(&house, 1), "9.9.9.9");
    let what = house.call(As::Admin, "audit_events", &json!({ "kind": "JobDirected" }));
    let text = what["events"][0]["text"].as_str().unwrap();
    assert!(text.contains("skip") && text.ends_with("that one is being replaced"), "{text}");
}

#[test]
fn cancelling_finishes_what_is_in_hand_and_begins_nothing_else() {
    let house = House::start(4);
    let plan = approved(&house, &[0, 1, 2, 3], "9.9.9.9", &json!({ "batch_size": 2 }));
    house.fault(1, &held_write());
    let id = started(&house, &plan);
    let begun = house.until("the second wave to be written", || {
        let job = job(&house, &id);
        (job["devices"][1]["status"] == "started").then_some(job)
    });
    assert_eq!((&begun["wave"], &begun["wave_count"]), (&json!(2), &json!(3)), "{begun:#}");
    assert_eq!(begun["current_device_id"], house.device(1), "{begun:#}");
    let wish = json!({ "job_id": id, "reason": "the window is over" });
    let first = house.mcp_call(As::Agent, "job_cancel", &wish).unwrap();
    assert_eq!(first["status"], "running", "{first}");
    assert_eq!(house.mcp_call(As::Agent, "job_cancel", &wish).unwrap(), first, "twice is once");
    let asked = job(&house, &id);
    assert_eq!(asked["cancel"]["reason"], "the window is over", "{asked:#}");
    house.release(1);
    let end = rested(&house, &id);
    assert_eq!(end["status"], "cancelled", "{end:#}");
    assert!(end["reason"].as_str().unwrap().ends_with("the window is over"), "{end:#}");
    for n in 0..3 {
        assert_eq!(servers(&house, n), "9.9.9.9", "{n} was in hand");
    }
    assert_eq!((house.writes(1), house.writes(3)), (1, 0), "each write once, and none to the last wave");
    let again = house.http(
        As::Admin,
        "POST",
        &format!("/api/admin/jobs/{id}/cancel"),
        Some(&json!({ "reason": "x" })),
    );
    assert_eq!((again.status, &again.body["code"]), (409, &json!("conflict")), "{}", again.text);
    let requests = house.call(As::Admin, "audit_events", &json!({ "kind": "JobCancelRequested" }));
    assert_eq!(requests["returned_count"], 1, "{requests}");
}

#[test]
fn a_router_that_falls_silent_asks_a_person_and_is_left_as_it_is() {
    let house = House::start(3);
    let slowly = json!({ "rollback_on_failure": false, "pause_seconds_between_batches": 2 });
    let plan = approved(&house, &[0, 1, 2], "9.9.9.9", &slowly);
    let lost = json!({ "fault": "drop_answer_after_apply", "method": "POST", "path_prefix": "/rest/ip/dns", "times": 1 });
    house.fault(1, &lost);
    // The comparison when the job begins, and the one before the write.
    let dns = |fault: Value| {
        let mut fault = fault;
        fault["method"] = json!("GET");
        fault["path_prefix"] = json!("/rest/ip/dns");
        house.fault(1, &fault);
    };
    dns(json!({ "fault": "latency", "ms": 0, "times": 2 }));
    dns(json!({ "fault": "html" }));
    let id = started(&house, &plan);
    let waiting = house.until("the doubt", || {
        let job = job(&house, &id);
        (job["waits_for"]["what"] == "routers" || job["status"] == "stuck").then_some(job)
    });
    assert_eq!(waiting["waits_for"]["device_ids"], json!([house.device(1)]), "{waiting:#}");
    let stuck = rested(&house, &id);
    assert_eq!(
        (&stuck["status"], &stuck["devices"][1]["status"]),
        (&json!("stuck"), &json!("in_doubt")),
        "{stuck:#}"
    );
    assert_eq!(choices(&stuck), [format!("skip JOB {}", house.device(1))], "{stuck:#}");
    let wish = json!({ "job_id": id, "reason": "enough" });
    assert_eq!(house.mcp_call(As::Agent, "job_cancel", &wish).unwrap_err()["code"], "not_for_agents");
    for tool in ["job_cancel", "job_retry", "job_roll_back"] {
        assert_eq!(house.refused(As::Admin, tool, &wish), "conflict", "{tool}: nobody knows what it has");
    }
    let guide = stdout(&house.cli(As::Admin, &["job", "guide", &id]));
    assert!(guide.contains("it may have the change or not"), "{guide}");
    let skipped =
        house.cli(As::Admin, &["job", "skip", &id, house.device(1), "--reason", "on its way out", "--wait"]);
    assert_eq!(skipped.status.code(), Some(0), "{}{}", stdout(&skipped), stderr(&skipped));
    let end = rested(&house, &id);
    let device = &end["devices"][1];
    assert_eq!(
        (&device["status"], &device["skipped"]),
        (&json!("in_doubt"), &json!(true)),
        "never claimed: {end:#}"
    );
    assert_eq!((servers(&house, 2), house.writes(1)), (json!("9.9.9.9"), 1));
    let moves = house.call(As::Admin, "audit_events", &json!({ "kind": "JobStatusChanged" }));
    let moves = moves["events"].as_array().unwrap();
    let times = moves.iter().filter(|event| event["text"].as_str().unwrap().contains("is stuck")).count();
    assert_eq!(times, 1, "what is left alone asks nobody again: {moves:#?}");
}

#[test]
fn a_router_in_a_job_is_not_removed_and_with_another_key_it_is_another_router() {
    let house = House::start(2);
    let before = servers(&house, 0);
    let plan = approved(&house, &[0, 1], "9.9.9.9", &json!({}));
    house.fault(0, &held_write());
    let id = started(&house, &plan);
    house.until("the first router to be written", || {
        (job(&house, &id)["devices"][0]["status"] == "started").then_some(())
    });
    let device = house.device(1);
    let remove = json!({ "device_id": device, "reason": "sold" });
    assert_eq!(house.refused(As::Admin, "device_remove", &remove), "device_in_job");
    let at = format!("/boxes/{}/change-key", house.box_of(1));
    let other = house.control("POST", &at, Some(&json!({})));
    let trust = json!({ "device_id": device, "trust": { "spki_sha256": other["spki_sha256_hex"] } });
    house.call(As::Admin, "device_trust", &trust);
    house.release(0);
    let end = rested(&house, &id);
    assert_eq!(
        (&end["status"], &end["devices"][1]["reason"]),
        (&json!("rolled_back"), &json!("plan_stale")),
        "{end:#}"
    );
    assert_eq!((servers(&house, 0), house.writes(1)), (before, 0));
}

#[test]
fn five_rollouts_go_at_once_and_a_router_is_in_one_job() {
    let house = House::start(10);
    for n in [8, 9] {
        let edit = json!({ "device_id": house.device(n), "environment": "lab", "allow": ["professional_workflows"] });
        house.call(As::Admin, "device_edit", &edit);
    }
    let pairs: Vec<[usize; 2]> = (0..5).map(|at| [2 * at, 2 * at + 1]).collect();
    let plans: Vec<Value> = pairs.iter().map(|pair| approved(&house, pair, "9.9.9.9", &json!({}))).collect();
    let overlapping = approved(&house, &[1, 2], "1.1.1.1", &json!({}));
    pairs.iter().for_each(|[first, _]| house.fault(*first, &held_write()));
    let jobs: Vec<String> = plans.iter().map(|plan| started(&house, plan)).collect();
    house.until("all five to write at once", || {
        let list = house.call(As::Admin, "job_list", &json!({ "open": true }));
        let writing = |id: &String| job(&house, id)["devices"][0]["status"] == "started";
        (list["total_count"] == 5 && jobs.iter().all(writing)).then_some(())
    });
    let params = json!({ "plan_id": overlapping["plan_id"] });
    let refused = house.try_call(As::Admin, "plan_start", &params).unwrap_err();
    assert_eq!(refused["code"], "device_in_job", "{refused}");
    pairs.iter().for_each(|[first, _]| house.release(*first));
    for (id, pair) in jobs.iter().zip(&pairs) {
        assert_eq!(rested(&house, id)["status"], "completed");
        assert!(pair.iter().all(|n| servers(&house, *n) == "9.9.9.9" && house.writes(*n) == 1), "{pair:?}");
    }
}

#[test]
fn whoever_applies_hears_how_far_it_is() {
    let house = House::start(2);
    let rule = json!({
        "device_ids": [house.device(0), house.device(1)], "chain": "forward", "action": "drop", "protocol": "gre",
    });
    let plan = house.call(As::Agent, "plan_add_firewall_rule", &rule);
    let yes = json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] });
    house.call(As::Approver, "plan_approve", &yes);
    let arguments = json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": APPLY, "arguments": arguments,
        "_meta": { "progressToken": "p", "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" } } } });
    let body = call.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {APPLY}\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        house.host(),
        house.token(As::Agent).unwrap(),
        body.len()
    );
    let reply = raw(house.host(), &[head.as_bytes(), body.as_bytes()].concat());
    let lines = reply.text.lines().filter_map(|line| line.strip_prefix("data: "));
    let messages: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    let news = messages.iter().filter(|message| message["method"] == "notifications/progress");
    let news: Vec<&Value> = news.map(|message| &message["params"]).collect();
    let progress: Vec<f64> = news.iter().map(|news| news["progress"].as_f64().unwrap()).collect();
    assert!(progress.len() > 2 && progress.windows(2).all(|two| two[0] < two[1]), "{}", reply.text);
    assert!(news.iter().all(|news| news["total"] == 100.0), "{news:?}");
    let told = |words: &str| news.iter().any(|news| news["message"].as_str().unwrap().contains(words));
    assert!(told("wave 1 of 2") && told("wave 2 of 2") && told(house.device(1)), "{news:?}");
    let answer = messages.iter().find(|message| message["id"] == 1).unwrap();
    assert_ne!(answer["result"]["isError"], true, "{answer}");
}

#[test]
fn a_rollout_killed_in_its_soak_and_in_its_pause_goes_on_where_it_was() {
    let routers = Routers::start(2);
    let lone = Lone::new();
    for (n, id) in ["r1", "r2"].into_iter().enumerate() {
        lone.add(&routers, n, id, "lab");
        let allowed = lone.run(&["device", "edit", id, "--allow", "professional_workflows"]);
        assert!(allowed.status.success(), "{}", stderr(&allowed));
    }
    let plan = json_of(&lone.run_as(
        None,
        &[
            "--json",
            "call",
            PLAN,
            "device_ids=[\"r1\",\"r2\"]",
            "dns_servers=[\"9.9.9.9\"]",
            "batch_size=1",
            "soak_seconds=3",
            "pause_seconds_between_batches=12",
        ],
    ));
    let (id, hash) = (plan["plan_id"].as_str().unwrap(), plan["plan_hash"].as_str().unwrap());
    let approver = lone.token("approver");
    let yes = lone.run_as(Some(&approver), &["plan", "approve", id, "--hash", hash]);
    assert!(yes.status.success(), "{}", stderr(&yes));
    // The look before the wave passes.
    routers.fault(0, &json!({ "fault": "hold", "method": "GET", "path_prefix": LOOK, "after": 1 }));
    let mut daemon = lone.serve();
    let job = json_of(&lone.run(&["--json", "plan", "start", id]))["job_id"].as_str().unwrap().to_owned();
    let shown = || {
        let shown = json_of(&lone.run(&["--json", "job", "show", &job]));
        assert!(["pending", "running"].iter().any(|word| shown["status"] == *word), "{shown}");
        shown
    };
    // The first look of the soak waits, and with it whoever looks.
    routers.until_held(0, "GET", LOOK);
    let soaking = shown();
    assert_eq!(
        (&soaking["waves"][0]["status"], &soaking["progress_percent"]),
        (&json!("soaking"), &json!(50))
    );
    // No goodbye: dropping it kills it at once.
    drop(daemon);
    routers.release(0);
    daemon = lone.serve();
    loop {
        let shown = shown();
        let now = shown["waits_for"]["what"].clone();
        assert!(now.is_null() || shown["waits_for"]["until"].is_string() || now == "turn", "{shown}");
        if now == "pause" {
            break;
        }
    }
    drop(daemon);
    let _daemon = lone.serve();
    let watched = lone.run(&["--json", "job", "watch", &job]);
    assert_eq!(watched.status.code(), Some(0), "{}{}", stdout(&watched), stderr(&watched));
    let last: Value = serde_json::from_str(stdout(&watched).lines().last().unwrap()).unwrap();
    let passed = |wave: &Value| wave["status"] == "passed" && wave["looks"] == 3;
    assert!(last["waves"].as_array().unwrap().iter().all(passed), "{last:#}");
    for n in 0..2 {
        assert_eq!(routers.truth(n, "/ip/dns")["servers"], "9.9.9.9");
        assert_eq!(routers.writes(n), 1, "router {n} is written to once");
    }
}
