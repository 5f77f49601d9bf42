//! What would hold a router, or bring back a past, for ever: stuck jobs, and saved folds of another history.

use serde_json::json;

use crate::{
    house::{As, House, appliance, json_of, stderr},
    lone::Lone,
};

#[test]
fn a_diverged_router_is_freed_by_a_person_and_by_nobody_else() {
    let house = House::start(1);
    let device = house.device(0).to_owned();
    // Somebody changes the router between our write and our look at it.
    // The tool and the runner's comparison read first; the third look is the one after the write.
    let reads =
        json!({ "fault": "latency", "ms": 0, "method": "GET", "path_prefix": "/rest/ip/dns", "times": 2 });
    house.fault(0, &reads);
    let changed = json!({ "fault": "change_behind_back_before_read", "menu": "/ip/dns", "props": { "servers": "8.8.4.4" },
        "method": "GET", "path_prefix": "/rest/ip/dns", "times": 1 });
    house.fault(0, &changed);
    let change = json!({ "device_id": device, "dns_servers": ["9.9.9.9"] });
    let failure = house.try_call(As::Agent, "update_dns_servers", &change).unwrap_err();
    assert_eq!(failure["code"], "step_diverged", "{failure}");
    let job = failure["details"]["job_id"].as_str().unwrap().to_owned();
    assert_eq!(house.refused(As::Agent, "update_dns_servers", &change), "device_in_job");

    let cancel = json!({ "job_id": job, "reason": "the other change is right" });
    assert_eq!(house.refused(As::Approver, "job_cancel", &cancel), "role_required");
    assert_eq!(
        house.refused(
            As::Agent,
            "job_cancel",
            &json!({ "job_id": "job_00000000000000000000000000", "reason": "x" })
        ),
        "unknown_job"
    );
    let writes = house.writes(0);
    assert_eq!(house.call(As::Admin, "job_cancel", &cancel)["status"], "cancelled");
    assert_eq!(house.writes(0), writes, "nothing was sent");
    assert_eq!(house.refused(As::Admin, "job_cancel", &cancel), "conflict");
    house.call(As::Agent, "update_dns_servers", &change);
    assert_eq!(house.truth(0, "/ip/dns")["servers"], "9.9.9.9");
}

/// Tokens that a store has, and its digest, as a fresh process finds them.
fn found(lone: &Lone) -> (serde_json::Value, serde_json::Value) {
    let replayed = json_of(&appliance(&lone.dir(), &["--json", "replay"]));
    let live = json_of(&lone.run(&["--json", "call", "system_status"]));
    (replayed["digest"].clone(), live["digest"]["digest"].clone())
}

#[test]
fn saved_folds_of_another_history_are_not_believed() {
    let lone = Lone::new();
    let make = |n: usize| {
        let label = format!("token {n}");
        let made = lone.run(&[
            "--json",
            "token",
            "create",
            "--role",
            "read_only",
            "--label",
            &label,
            "--environments",
            "lab",
        ]);
        assert!(made.status.success(), "{}", stderr(&made));
    };
    make(1);
    // A backup is made here; then the history goes on, and its folds are saved at each stop.
    let backup = std::fs::read(lone.dir().join("events/appliance.redb")).unwrap();
    (2..5).for_each(make);
    std::fs::write(lone.dir().join("events/appliance.redb"), backup).unwrap();
    // The other history passes the places of the lost one, with facts of its own.
    for n in 5..12 {
        make(n);
        let (replayed, live) = found(&lone);
        assert_eq!(replayed, live, "after token {n}");
    }
    let listed = json_of(&lone.run(&["--json", "token", "list"])).to_string();
    for lost in 2..5 {
        assert!(!listed.contains(&format!("\"token {lost}\"")), "token {lost} is of the lost history");
    }
}

#[test]
fn a_new_store_in_an_old_folder_knows_nothing_of_the_old_one() {
    let lone = Lone::new();
    let old = lone.admin.clone();
    std::fs::remove_dir_all(lone.dir().join("events")).unwrap();
    let made = appliance(&lone.dir(), &["--json", "init"]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert_eq!(std::fs::read_dir(lone.dir().join("snapshots")).unwrap().count(), 0);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_appliance"))
        .arg("--dir")
        .arg(lone.dir())
        .args(["--json", "token", "list"])
        .env("APPLIANCE_TOKEN", old)
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(4), "the old admin's token is nobody's: {}", stderr(&status));
}

#[test]
fn a_key_that_was_cut_is_not_made_a_store_with() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("keys")).unwrap();
    let key = folder.path().join("keys/master.key");
    std::fs::write(&key, [1; 7]).unwrap();
    std::process::Command::new("chmod").arg("600").arg(&key).status().unwrap();
    let made = appliance(folder.path(), &["--json", "init"]);
    assert_eq!(made.status.code(), Some(2), "{}", stderr(&made));
    assert!(stderr(&made).contains("shorter than 32 bytes"), "{}", stderr(&made));
    assert!(!folder.path().join("events/appliance.redb").exists());
}
