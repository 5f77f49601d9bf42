//! The log proves itself: one digest by every way, damage is found, nothing acknowledged is missing.

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

#[test]
fn replay_to_any_place_equals_replaying_the_rest_away() {
    let (store, _, _dir) = with_history();
    let head = replay(&store, &[])["seq"].as_u64().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..20u64 {
        let to = (n * 7919 + 13) % head + 1;
        let first = replay(&store, &["--to", &to.to_string()]);
        let second = replay(&store, &["--to", &to.to_string()]);
        assert_eq!(first["digest"], second["digest"], "--to {to}");
        seen.insert(first["digest"].as_str().unwrap().to_owned());
    }
    assert!(seen.len() > 3, "places differ");
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
fn a_cut_tail_is_found_with_a_checkpoint() {
    let (store, _, dir) = with_history();
    let export = dir.path().join("export.ndjson");
    appliance(
        &store,
        &["events", "export", "--store", store.to_str().unwrap(), "--out", export.to_str().unwrap()],
    );
    let kept = std::fs::read_to_string(store.join("checkpoints.log")).unwrap();
    let checkpoint = dir.path().join("checkpoint");
    std::fs::write(&checkpoint, kept).unwrap();
    // An older copy of the whole store: made before, put back later.
    let good = appliance(
        &store,
        &[
            "--json",
            "verify",
            "--store",
            store.to_str().unwrap(),
            "--checkpoint",
            checkpoint.to_str().unwrap(),
        ],
    );
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    let other = tempfile::tempdir().unwrap();
    let fresh = other.path().join("state");
    json_of(&appliance(&fresh, &["--json", "init"]));
    let foreign = appliance(
        &fresh,
        &[
            "--json",
            "verify",
            "--store",
            fresh.to_str().unwrap(),
            "--checkpoint",
            checkpoint.to_str().unwrap(),
        ],
    );
    assert_eq!(
        foreign.status.code(),
        Some(6),
        "another, shorter log is not the one of the checkpoint: {}",
        stderr(&foreign)
    );
}
