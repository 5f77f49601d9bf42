//! The log proves itself: one digest by every way, damage is found, nothing acknowledged is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::house::{As, House, appliance, json_of, stderr};

/// A house with some history, stopped; its store, and what it said of itself while it ran.
fn with_history() -> (std::path::PathBuf, Value, tempfile::TempDir) {
    let house = House::start(3);
    for n in 0..3 {
        let device = house.device(n);
        house.call(
            As::Agent,
            "update_dns_servers",
            &json!({ "device_id": device, "dns_servers": ["9.9.9.9"] }),
        );
        house.call(
            As::Agent,
            "set_system_identity",
            &json!({ "device_id": device, "identity": format!("box {n}") }),
        );
        let _ = house.try_call(As::Agent, "get_dns_status", &json!({ "device_id": "nobody" }));
    }
    let status = house.call(As::Admin, "system_status", &json!({}));
    let store = house.store();
    let (clean, said, dir) = house.stop();
    assert!(clean, "{said}");
    (store, status, dir)
}

fn replay(store: &std::path::Path, more: &[&str]) -> Value {
    let args = [&["--json", "replay", "--store", store.to_str().unwrap()], more].concat();
    let output = appliance(store, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json_of(&output)
}

#[test]
fn live_replay_snapshot_and_export_have_one_digest() {
    let (store, status, dir) = with_history();
    let live_seq =
        status["state_digest"]["seq"].as_u64().or_else(|| status["digest"]["seq"].as_u64()).unwrap();
    let live =
        status["state_digest"]["digest"].as_str().or_else(|| status["digest"]["digest"].as_str()).unwrap();
    let at_live = replay(&store, &["--to", &live_seq.to_string()]);
    assert_eq!(at_live["digest"], live, "replay from zero to the same place");
    let whole = replay(&store, &[]);
    let export = dir.path().join("export.ndjson");
    let written = appliance(
        &store,
        &["events", "export", "--store", store.to_str().unwrap(), "--out", export.to_str().unwrap()],
    );
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let from_export = appliance(&store, &["--json", "replay", "--export", export.to_str().unwrap()]);
    assert_eq!(json_of(&from_export)["digest"], whole["digest"]);
    // Snapshot and tail: the next start restores from the snapshot that the stop saved.
    let snapshots = std::fs::read_dir(store.join("snapshots")).unwrap().count();
    assert!(snapshots > 0, "the stop saved a snapshot");
    let with = json_of(&appliance(&store, &["--json", "status"]));
    std::fs::remove_dir_all(store.join("snapshots")).unwrap();
    let digest_of = |status: &Value| {
        let digest =
            if status["state_digest"].is_object() { &status["state_digest"] } else { &status["digest"] };
        (digest["seq"].as_u64().unwrap(), digest["digest"].as_str().unwrap().to_owned())
    };
    for status in [with, json_of(&appliance(&store, &["--json", "status"]))] {
        let (seq, digest) = digest_of(&status);
        assert_eq!(replay(&store, &["--to", &seq.to_string()])["digest"], digest.as_str());
    }
}

/// What the ledger says in the end, folded once more with nothing but the words of the export.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    devices: BTreeSet<String>,
    plans: BTreeMap<String, String>,
    jobs: BTreeMap<String, String>,
    tokens: usize,
}

impl Facts {
    fn of_export(text: &str) -> Self {
        let mut facts = Self::default();
        let text_of = |value: &Value| value.as_str().unwrap().to_owned();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let Some((kind, fact)) = line["event"].as_object().and_then(|event| event.iter().next()) else {
                continue;
            };
            let plan = || text_of(&fact["plan_id"]);
            match kind.as_str() {
                "DeviceAdded" => drop(facts.devices.insert(text_of(&fact["device_id"]))),
                "DeviceRemoved" => drop(facts.devices.remove(fact["device_id"].as_str().unwrap())),
                "TokenCreated" => facts.tokens += 1,
                "PlanProposed" => {
                    drop(facts.plans.insert(text_of(&fact["plan"]["plan_id"]), "pending".into()))
                }
                "PlanApproved" => drop(facts.plans.insert(plan(), "approved".into())),
                "PlanRejected" => drop(facts.plans.insert(plan(), "rejected".into())),
                "PlanStale" => drop(facts.plans.insert(plan(), "stale".into())),
                "JobStarted" => {
                    facts.plans.insert(plan(), "executing".into());
                    facts.jobs.insert(text_of(&fact["job_id"]), "pending".into());
                }
                "JobStatusChanged" => {
                    let status = text_of(&fact["status"]);
                    let of_plan = if status == "running" { "executing".to_owned() } else { status.clone() };
                    facts.plans.insert(plan(), of_plan);
                    facts.jobs.insert(text_of(&fact["job_id"]), status);
                }
                _ => {}
            }
        }
        facts
    }

    fn of_live(house: &House) -> Self {
        let list = |tool: &str, field: &str, id: &str| -> BTreeMap<String, String> {
            let answer = house.call(As::Admin, tool, &json!({ "limit": 100 }));
            let rows = answer[field].as_array().unwrap().clone();
            let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
            rows.iter().map(|row| (text(row, id), text(row, "status"))).collect()
        };
        Self {
            devices: list("list_devices", "devices", "id").into_keys().collect(),
            plans: list("plan_list", "plans", "plan_id"),
            jobs: list("job_list", "jobs", "job_id"),
            tokens: house.call(As::Admin, "token_list", &json!({}))["tokens"].as_array().unwrap().len(),
        }
    }
}

#[test]
fn the_live_process_and_replay_agree_at_every_place_and_so_does_a_fold_of_the_export() {
    let house = House::start(12);
    let mut live: BTreeMap<u64, String> = BTreeMap::new();
    let mut look = |house: &House| {
        let digest = house.call(As::Admin, "system_status", &json!({}))["digest"].clone();
        live.insert(digest["seq"].as_u64().unwrap(), digest["digest"].as_str().unwrap().to_owned());
    };
    for n in 0..6 {
        let device = house.device(n).to_owned();
        for (tool, params) in [
            ("update_dns_servers", json!({ "device_id": device, "dns_servers": ["9.9.9.9"] })),
            ("set_system_identity", json!({ "device_id": device, "identity": format!("box {n}") })),
            ("update_ntp_servers", json!({ "device_id": device, "ntp_servers": ["162.159.200.1"] })),
        ] {
            house.call(As::Agent, tool, &params);
            look(&house);
        }
    }
    // A plan that waits, one that a person rejects, one that a router refuses, a token, a device that leaves.
    let prod = (0..12)
        .find(|n| {
            house.call(As::Admin, "device_show", &json!({ "device_id": house.device(*n) }))["environment"]
                == "prod"
        })
        .expect("the demo fleet has a prod router");
    let prod = house.device(prod).to_owned();
    house.call(As::Admin, "device_edit", &json!({ "device_id": prod, "allow": ["advanced_writes"] }));
    look(&house);
    let propose = |server: &str| {
        house.call(As::Agent, "update_dns_servers", &json!({ "device_id": prod, "dns_servers": [server] }))["plan"].clone()
    };
    propose("9.9.9.9");
    look(&house);
    let rejected = propose("8.8.8.8");
    look(&house);
    house.call(As::Approver, "plan_reject", &json!({ "plan_id": rejected["plan_id"], "comment": "no" }));
    look(&house);
    house.fault(
        6,
        &json!({ "fault": "refuse_by_policy", "method": "POST", "path_prefix": "/rest/ip/dns/set" }),
    );
    house.refused(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": house.device(6), "dns_servers": ["9.9.9.9"] }),
    );
    look(&house);
    house.call(As::Admin, "device_remove", &json!({ "device_id": house.device(7), "reason": "gone" }));
    look(&house);
    let facts = Facts::of_live(&house);
    look(&house);
    let store = house.store();
    let (clean, said, dir) = house.stop();
    assert!(clean, "{said}");

    assert!(live.len() >= 20, "{} places", live.len());
    let distinct: BTreeSet<_> = live.values().collect();
    assert_eq!(distinct.len(), live.len(), "every place has a state of its own");
    for (seq, digest) in &live {
        let replayed = replay(&store, &["--to", &seq.to_string()]);
        assert_eq!(
            (replayed["seq"].as_u64(), replayed["digest"].as_str()),
            (Some(*seq), Some(digest.as_str()))
        );
    }
    let export = dir.path().join("export.ndjson");
    let (from, to) = (store.to_str().unwrap(), export.to_str().unwrap());
    let written = appliance(&store, &["events", "export", "--store", from, "--out", to]);
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let (first, last) = (live.keys().next().unwrap().to_string(), live.keys().last().unwrap().to_string());
    for seq in [first, last] {
        let output = appliance(&store, &["--json", "replay", "--export", to, "--to", &seq]);
        assert_eq!(
            json_of(&output)["digest"],
            live[&seq.parse::<u64>().unwrap()].as_str(),
            "the export at {seq}"
        );
    }
    let folded = Facts::of_export(&std::fs::read_to_string(&export).unwrap());
    assert_eq!(folded, facts);
    let statuses: BTreeSet<_> = facts.plans.values().map(String::as_str).collect();
    assert_eq!(
        statuses,
        BTreeSet::from(["completed", "failed", "pending", "rejected"]),
        "the story is not a dull one"
    );
    assert_eq!(facts.devices.len(), 11);
}

#[test]
fn a_changed_export_does_not_verify() {
    let (store, _, dir) = with_history();
    let export = dir.path().join("export.ndjson");
    appliance(
        &store,
        &["events", "export", "--store", store.to_str().unwrap(), "--out", export.to_str().unwrap()],
    );
    let verify =
        |path: &std::path::Path| appliance(&store, &["--json", "verify", "--export", path.to_str().unwrap()]);
    assert_eq!(verify(&export).status.code(), Some(0), "{}", stderr(&verify(&export)));
    let text = std::fs::read_to_string(&export).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = dir.path().join("changed.ndjson");
    let mut without: Vec<&str> = lines.clone();
    without.remove(lines.len() / 2);
    let mut swapped = lines.clone();
    swapped.swap(lines.len() / 2, lines.len() / 2 + 1);
    let renamed = text.replacen("token:", "tokem:", 1);
    for mutated in [without.join("\n"), swapped.join("\n"), renamed] {
        std::fs::write(&changed, mutated).unwrap();
        assert_eq!(verify(&changed).status.code(), Some(6), "{}", stderr(&verify(&changed)));
    }
}

#[test]
fn an_older_copy_put_back_is_found_with_a_checkpoint_kept_elsewhere() {
    let (store, _, dir) = with_history();
    let file = store.join("events/appliance.redb");
    let older = std::fs::read(&file).unwrap();
    let output = appliance(&store, &["--json", "call", "echo", "message=one more"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let checkpoint = dir.path().join("kept-elsewhere");
    std::fs::copy(store.join("checkpoints.log"), &checkpoint).unwrap();
    let verify = |more: &[&str]| {
        let args = [&["--json", "verify", "--store", store.to_str().unwrap()], more].concat();
        appliance(&store, &args).status.code()
    };
    let kept = ["--checkpoint", checkpoint.to_str().unwrap()];
    assert_eq!((verify(&[]), verify(&kept)), (Some(0), Some(0)));
    std::fs::write(&file, older).unwrap();
    assert_eq!(verify(&[]), Some(0), "an older copy is consistent in itself");
    assert_eq!(verify(&kept), Some(6), "the checkpoint knows better");
    let other = tempfile::tempdir().unwrap();
    let fresh = other.path().join("state");
    json_of(&appliance(&fresh, &["--json", "init"]));
    let args = ["--json", "verify", "--store", fresh.to_str().unwrap(), kept[0], kept[1]];
    assert_eq!(
        appliance(&fresh, &args).status.code(),
        Some(6),
        "another log is not the one of the checkpoint"
    );
}
