//! Evidence of a plan: made by the appliance, with it or without, and checked where nothing of it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    house::{APPLIANCE, As, House, json_of, stderr, stdout},
    lone::{Lone, Routers, failure_of},
};

/// An empty folder on a machine that knows nothing of the store.
struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("evidence.json");
        fs::write(&path, text).unwrap();
        path
    }

    fn verify(&self, file: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(APPLIANCE);
        command.args(["verify", "--evidence"]).arg(file).args(more);
        command.current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn verdict(&self, file: &Path, more: &[&str]) -> Value {
        let output = self.verify(file, &[&["--json"], more].concat());
        assert!([0, 6].contains(&output.status.code().unwrap()), "{}", stderr(&output));
        let verdict = json_of(&output);
        assert_eq!(verdict["good"], output.status.success(), "{verdict}");
        verdict
    }
}

/// A store with a plan that was approved by a person and carried out.
fn carried_out() -> (Lone, Routers, String) {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    let started = lone.run_as(None, &["plan", "start", &plan]);
    assert!(started.status.success(), "{}", stderr(&started));
    (lone, routers, plan)
}

/// Without what belongs to the moment at which it was made.
fn lasting(mut evidence: Value) -> Value {
    evidence["readable"]["as_of"] = Value::Null;
    evidence["checkpoint"] = Value::Null;
    for item in evidence["events"].as_array_mut().unwrap() {
        item["proof"] = Value::Null;
    }
    evidence
}

#[test]
fn evidence_is_checked_where_there_is_no_store() {
    let (lone, _routers, plan) = carried_out();
    let file = lone.folder.path().join("e.json");
    let path = file.to_str().unwrap();
    let made = lone.run(&["--json", "plan", "evidence", &plan, "--out", path]);
    assert!(made.status.success(), "{}", stderr(&made));
    let said = json_of(&made);
    assert_eq!((&said["good"], &said["status"]), (&json!(true), &json!("completed")), "{said}");
    let text = fs::read_to_string(&file).unwrap();
    let kinds: Vec<Value> = serde_json::from_str::<Value>(&text).unwrap()["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["kind"].clone())
        .collect();
    for kind in ["StoreCreated", "PlanProposed", "PlanApproved", "JobStarted", "StepStarted", "StepSettled"] {
        assert!(kinds.contains(&json!(kind)), "{kind}: {kinds:?}");
    }
    let calls = kinds.iter().filter(|kind| **kind == "ToolCalled").count();
    assert!(calls >= 2, "the calls that approved and started it: {kinds:?}");

    let elsewhere = Elsewhere::new();
    let copy = elsewhere.put(&text);
    let verdict = elsewhere.verdict(&copy, &["--key", &lone.verifier_key]);
    assert_eq!(verdict["verdict"], "content consistent, signer checked", "{verdict}");
    assert_eq!((&verdict["plan_id"], &verdict["status"]), (&json!(plan), &json!("completed")));
    assert_eq!(elsewhere.verdict(&copy, &[])["verdict"], "content consistent, signer unchecked");
    let human = stdout(&elsewhere.verify(&copy, &[]));
    for word in ["signer unchecked", &plan, "completed", "--key", "as of", "root"] {
        assert!(human.contains(word), "{word}: {human}");
    }
    let foreign = elsewhere.verdict(&copy, &["--key", &Lone::new().verifier_key]);
    assert_eq!(foreign["verdict"], "NOT signed by the given key");
    assert_eq!(foreign["complaints"][0]["check"], "signature");

    // A friendly lie over true proofs.
    let lie = text.replacen("\"status\": \"completed\"", "\"status\": \"failed\"", 1);
    assert_ne!(lie, text);
    let refused = elsewhere.verify(&elsewhere.put(&lie), &[]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(stdout(&refused).contains("`readable.status` says something else"), "{}", stdout(&refused));
    let mut less: Value = serde_json::from_str(&text).unwrap();
    less["events"].as_array_mut().unwrap().remove(2);
    let less = elsewhere.verdict(&elsewhere.put(less.to_string()), &[]);
    assert_eq!(less["good"], false, "{less}");
}

#[test]
fn the_running_appliance_a_stopped_store_and_an_export_give_the_same() {
    let (lone, _routers, plan) = carried_out();
    let of = |args: &[&str]| {
        let output = lone.run(&[&["plan", "evidence", &plan], args].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        json_of(&output)
    };
    let dir = lone.dir();
    let stopped = of(&["--store", dir.to_str().unwrap()]);
    let opened = of(&[]);
    let export = lone.folder.path().join("log.ndjson");
    let exported = lone.run(&["events", "export", "--out", export.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    let from_lines = of(&["--export", export.to_str().unwrap()]);
    let daemon = lone.serve();
    let running = of(&[]);
    let again = of(&[]);
    let held = lone.run(&["--json", "plan", "evidence", &plan, "--store", dir.to_str().unwrap()]);
    assert_eq!(held.status.code(), Some(7), "somebody holds it: {}", stderr(&held));
    drop(daemon);
    let elsewhere = Elsewhere::new();
    for evidence in [&stopped, &opened, &from_lines, &running, &again] {
        assert_eq!(lasting(evidence.clone()), lasting(stopped.clone()));
        let copy = elsewhere.put(evidence.to_string());
        assert_eq!(elsewhere.verdict(&copy, &["--key", &lone.verifier_key])["good"], true);
    }
}

#[test]
fn plans_that_were_not_carried_out_have_evidence_too() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let waiting = lone.approved_plan("r1");
    let failing = lone.approved_plan("r1");
    let elsewhere = Elsewhere::new();
    let status = |plan: &str| {
        let made = lone.run(&["plan", "evidence", plan]);
        assert!(made.status.success(), "{}", stderr(&made));
        let verdict = elsewhere.verdict(&elsewhere.put(&made.stdout), &["--key", &lone.verifier_key]);
        assert_eq!(verdict["good"], true, "{verdict}");
        verdict["status"].clone()
    };
    assert_eq!(status(&waiting), "approved");
    routers.fault(0, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    let started = lone.run_as(None, &["plan", "start", &failing]);
    assert_eq!(started.status.code(), Some(1), "{}", stderr(&started));
    assert_eq!(status(&failing), "failed");
    assert_eq!(status(&waiting), "approved");
}

#[test]
fn immediate_changes_have_evidence_and_only_who_sees_the_plan_gets_it() {
    let house = House::start(2);
    let params = json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] });
    let changed = house.call(As::Agent, "update_dns_servers", &params);
    let plan = changed["plan_id"].as_str().unwrap_or_else(|| panic!("no plan: {changed}")).to_owned();
    let asked = json!({ "plan_id": plan });
    let evidence = house.call(As::Admin, "plan_evidence", &asked);
    assert_eq!(evidence["format"], "appliance-evidence/1");
    assert_eq!(evidence["readable"]["decisions"][0]["policy"], "immediate_writes:lab");
    let elsewhere = Elsewhere::new();
    let verdict = elsewhere.verdict(&elsewhere.put(evidence.to_string()), &[]);
    assert_eq!((&verdict["good"], &verdict["status"]), (&json!(true), &json!("completed")), "{verdict}");

    let narrow = house.call(
        As::Admin,
        "token_create",
        &json!({ "role": "read_only", "label": "narrow", "environments": ["lab"], "device_scopes": [house.device(1)] }),
    );
    let blind = crate::house::request(
        house.url(),
        "POST",
        "/api/tools/plan_evidence",
        narrow["token"].as_str(),
        Some(&asked.to_string()),
    );
    assert_eq!((blind.status, &blind.body["code"]), (404, &json!("unknown_plan")), "{}", blind.text);
    let agent = house.mcp_call(As::Agent, "plan_evidence", &asked);
    assert!(agent.is_err(), "no door of agents leads there: {agent:?}");
}

#[test]
fn what_cannot_be_made_or_checked_is_said_and_changes_nothing() {
    let (lone, _routers, plan) = carried_out();
    let folder = lone.folder.path();
    let file = folder.join("e.json");
    let path = file.to_str().unwrap();
    let code = |args: &[&str]| {
        let output = lone.run(&[&["--json"], args].concat());
        (output.status.code().unwrap(), failure_of(&output)["code"].clone())
    };
    let unknown = "plan_00000000000000000000000000";
    let dir = lone.dir();
    let store = dir.to_str().unwrap();
    assert_eq!(code(&["plan", "evidence", unknown]), (3, json!("unknown_plan")));
    assert_eq!(code(&["plan", "evidence", unknown, "--store", store]), (3, json!("unknown_plan")));
    assert_eq!(code(&["plan", "evidence", "job_1"]), (2, json!("invalid_params")));
    assert_eq!(code(&["plan", "evidence", "job_1", "--store", store]), (2, json!("invalid_params")));
    assert_eq!(code(&["plan", "evidence", &plan, "--force"]), (2, json!("invalid_params")));
    assert_eq!(
        code(&["plan", "evidence", &plan, "--out", folder.to_str().unwrap()]),
        (2, json!("invalid_params"))
    );
    let nowhere = folder.join("none/e.json");
    assert_eq!(
        code(&["plan", "evidence", &plan, "--out", nowhere.to_str().unwrap()]),
        (3, json!("not_found"))
    );
    fs::write(&file, "mine").unwrap();
    assert_eq!(code(&["plan", "evidence", &plan, "--out", path]), (4, json!("already_exists")));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let forced = lone.run(&["plan", "evidence", &plan, "--out", path, "--force"]);
    assert!(forced.status.success(), "{}", stderr(&forced));

    let elsewhere = Elsewhere::new();
    let refused = |bytes: &[u8], more: &[&str]| {
        let output = elsewhere.verify(&elsewhere.put(bytes), &[&["--json"], more].concat());
        (output.status.code().unwrap(), failure_of(&output)["code"].clone())
    };
    let bad = (2, json!("invalid_params"));
    for bytes in [&b""[..], b"nothing", b"\xff\xfe\x00", b"[]", br#"{"format":"appliance-evidence/9"}"#] {
        assert_eq!(refused(bytes, &[]), bad, "{}", String::from_utf8_lossy(bytes));
    }
    let good = fs::read(&file).unwrap();
    assert_eq!(refused(&good[..good.len() / 2], &[]), bad);
    assert_eq!(refused(&good, &["--key", "nonsense"]), bad);
    assert_eq!(refused(&good, &["--store", "x"]), bad);
    let gone = elsewhere.verify(&elsewhere.0.path().join("gone"), &["--json"]);
    assert_eq!((gone.status.code(), failure_of(&gone)["code"].clone()), (Some(3), json!("not_found")));
    let folder = elsewhere.verify(elsewhere.0.path(), &["--json"]);
    assert_eq!(folder.status.code(), Some(2), "{}", stderr(&folder));
    let sparse = fs::File::create(elsewhere.0.path().join("huge")).unwrap();
    sparse.set_len(300 << 20).unwrap();
    let huge = elsewhere.verify(&elsewhere.0.path().join("huge"), &["--json"]);
    assert_eq!(huge.status.code(), Some(2), "{}", stderr(&huge));
    assert!(stderr(&huge).contains("more than"), "{}", stderr(&huge));
}

/// The evidence of every plan that a house has, checked; its status by plan.
fn every_plan(house: &House) -> Vec<(String, Value)> {
    let plans = house.call(As::Admin, "plan_list", &json!({ "limit": 100 }));
    let ids =
        plans["plans"].as_array().unwrap().iter().map(|plan| plan["plan_id"].as_str().unwrap().to_owned());
    let checked = ids.map(|id| {
        let evidence = house.call(As::Admin, "plan_evidence", &json!({ "plan_id": id }));
        let verdict =
            appliance::projections::evidence::verify(evidence.to_string().as_bytes(), None).unwrap();
        let told = serde_json::to_value(&verdict).unwrap();
        assert!(verdict.good && verdict.notes.is_empty(), "{told:#}\n{:#}", evidence["readable"]);
        (told["status"].as_str().unwrap().to_owned(), evidence)
    });
    checked.collect()
}

#[test]
fn real_rollouts_have_evidence_whatever_became_of_them() {
    let house = House::start(4);
    let ids: Vec<&str> = (0..3).map(|n| house.device(n)).collect();
    let carry = |plan: &Value, tool: &str| {
        crate::topics::approve(&house, plan);
        let params = json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] });
        let _ = house.mcp_call(As::Agent, tool, &params);
        house.until("the job to rest", || {
            let plan = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
            let status = plan["status"].as_str().unwrap().to_owned();
            (!["approved", "executing", "rolling_back"].contains(&status.as_str())).then_some(status)
        })
    };
    let rollout = |servers: &str| {
        let params = json!({ "device_ids": ids, "dns_servers": [servers], "ntp_servers": ["192.0.2.1"],
            "batch_size": 1, "pause_seconds_between_batches": 0, "soak_seconds": 0 });
        house.mcp_call(As::Agent, "config_plan_dns_ntp_rollout", &params).unwrap()
    };
    assert_eq!(carry(&rollout("9.9.9.9"), "config_apply_dns_ntp_rollout"), "completed");
    let failing = rollout("1.1.1.1");
    house.fault(2, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    assert_eq!(carry(&failing, "config_apply_dns_ntp_rollout"), "rolled_back");
    house.control("DELETE", &format!("/boxes/{}/faults", house.box_of(2)), None);
    let rule = json!({ "device_ids": ids, "chain": "forward", "action": "drop", "protocol": "tcp", "dst_port": "23",
        "comment": "no telnet", "pause_seconds_between_batches": 0, "soak_seconds": 0 });
    let firewall = house.mcp_call(As::Agent, "plan_add_firewall_rule", &rule).unwrap();
    assert_eq!(carry(&firewall, "apply_firewall_plan"), "completed");
    let back = json!({ "plan_id": firewall["plan_id"], "reason": "wrong port" });
    let back = house.mcp_call(As::Agent, "config_rollback_plan", &back).unwrap();
    assert_eq!(back["status"], "rolled_back", "{back:#}");
    let waiting = rollout("8.8.8.8");

    let all = every_plan(&house);
    let by_plan = |id: &Value| all.iter().find(|(_, evidence)| evidence["plan_id"] == *id).unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(by_plan(&waiting["plan_id"]).0, "pending");
    let (status, undone) = by_plan(&failing["plan_id"]);
    assert_eq!(status, "rolled_back");
    assert!(undone["readable"]["gates"].as_array().is_some_and(|gates| gates.len() >= 2), "{undone:#}");
    let (status, reversing) = by_plan(&back["rollback_plan_id"]);
    assert_eq!(
        (status.as_str(), &reversing["readable"]["undoes"]),
        ("completed", &json!([firewall["plan_id"]]))
    );
    let (_, origin) = by_plan(&firewall["plan_id"]);
    let calls: Vec<&str> = origin["readable"]["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["kind"] == "ToolCalled")
        .map(|line| line["what"].as_str().unwrap().split(' ').next().unwrap())
        .collect();
    for tool in ["plan_add_firewall_rule", "plan_approve", "apply_firewall_plan", "config_rollback_plan"] {
        assert!(calls.contains(&tool), "{tool}: {calls:?}");
    }
}
