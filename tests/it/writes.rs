//! One write, whole: read, intent, write, read back; and everything that can go wrong on the way.

use serde_json::json;

use crate::house::{As, House};

#[test]
fn dns_is_changed_read_back_and_told_with_before_and_after() {
    let house = House::start(1);
    let device = house.device(0);
    let before = house.call(As::Agent, "get_dns_status", &json!({ "device_id": device }));
    let answer = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": device, "dns_servers": ["9.9.9.9", "149.112.112.112"] }),
    );
    assert_eq!(answer["changed"], true, "{answer}");
    assert_eq!(answer["old_servers"], before["dns_servers"]);
    assert_eq!(answer["new_servers"], json!(["9.9.9.9", "149.112.112.112"]));
    assert_eq!(house.truth(0, "/ip/dns")["servers"], "9.9.9.9,149.112.112.112");
    let job = house.call(As::Agent, "job_status", &json!({ "job_id": answer["job_id"] }));
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(house.writes(0), 1);
}

#[test]
fn the_siblings_change_ntp_and_identity() {
    let house = House::start(1);
    let device = house.device(0);
    let ntp = house.call(
        As::Agent,
        "update_ntp_servers",
        &json!({ "device_id": device, "ntp_servers": ["162.159.200.1"] }),
    );
    assert_eq!(ntp["changed"], true, "{ntp}");
    let truth = house.truth(0, "/system/ntp/client");
    assert_eq!((truth["enabled"].as_str(), truth["servers"].as_str()), (Some("true"), Some("162.159.200.1")));
    let identity = house.call(
        As::Agent,
        "set_system_identity",
        &json!({ "device_id": device, "identity": "tower seven" }),
    );
    assert_eq!(identity["new_identity"], "tower seven");
    assert_eq!(house.truth(0, "/system/identity")["name"], "tower seven");
}

#[test]
fn equal_is_no_write_and_dry_run_sends_nothing() {
    let house = House::start(1);
    let device = house.device(0);
    let now = house.call(As::Agent, "get_dns_status", &json!({ "device_id": device }));
    let same = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": device, "dns_servers": now["dns_servers"] }),
    );
    assert_eq!(same["changed"], false, "{same}");
    let dry = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": device, "dns_servers": ["9.9.9.9"], "dry_run": true }),
    );
    assert_eq!((&dry["changed"], &dry["dry_run"]), (&json!(false), &json!(true)), "{dry}");
    assert!(!dry["planned_changes"].is_null(), "{dry}");
    assert_eq!(house.writes(0), 0);
}

#[test]
fn in_prod_the_tool_returns_a_plan_that_another_person_approves() {
    let house = House::start(12);
    let n = (0..12)
        .find(|n| {
            let shown = house.call(As::Admin, "device_show", &json!({ "device_id": house.device(*n) }));
            shown["environment"] == "prod" || shown["device"]["environment"] == "prod"
        })
        .expect("the demo fleet has a prod router");
    let device = house.device(n);
    house.call(As::Admin, "device_edit", &json!({ "device_id": device, "allow": ["advanced_writes"] }));
    let answer = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": device, "dns_servers": ["9.9.9.9"] }),
    );
    assert_eq!(answer["changed"], false, "{answer}");
    let plan = &answer["plan"];
    let (id, hash) = (plan["plan_id"].as_str().unwrap(), plan["plan_hash"].as_str().unwrap());
    assert!(plan["approval_token"].as_str().unwrap().len() > 40);
    assert_eq!(house.writes(n), 0);
    // The requester cannot start it, an approver must see the very hash, and nobody approves twice.
    let start = json!({ "plan_id": id });
    assert_eq!(house.refused(As::Agent, "plan_start", &start), "plan_not_approved");
    let approve = |hash: &str| json!({ "plan_id": id, "plan_hash": hash });
    assert_eq!(house.refused(As::Agent, "plan_approve", &approve(hash)), "role_required");
    assert_eq!(house.refused(As::Admin, "plan_approve", &approve(hash)), "role_required");
    assert_eq!(house.refused(As::Approver, "plan_approve", &approve(&"0".repeat(64))), "plan_hash_mismatch");
    house.call(As::Approver, "plan_approve", &approve(hash));
    assert_eq!(house.refused(As::Approver, "plan_approve", &approve(hash)), "plan_already_approved");
    assert_eq!(house.refused(As::Approver, "plan_start", &start), "role_required");
    let started = house.call(As::Agent, "plan_start", &start);
    let job = house.until("the job's end", || {
        let job = house.call(As::Agent, "job_status", &json!({ "job_id": started["job_id"] }));
        (job["status"] == "completed").then_some(job)
    });
    assert_eq!(job["progress_percent"], 100);
    assert_eq!(house.truth(n, "/ip/dns")["servers"], "9.9.9.9");
    assert_eq!(house.refused(As::Agent, "plan_start", &start), "plan_already_started");
}

#[test]
fn a_lost_answer_is_settled_by_reading_and_never_written_twice() {
    let house = House::start(1);
    house.fault(0, &json!({ "fault": "drop_answer_after_apply", "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
    let answer = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] }),
    );
    assert_eq!(answer["changed"], true, "{answer}");
    assert_eq!(house.writes(0), 1, "read, not repeated");
    assert_eq!(house.truth(0, "/ip/dns")["servers"], "9.9.9.9");
}

#[test]
fn a_write_that_never_arrived_is_sent_again_only_after_reading() {
    let house = House::start(1);
    house.fault(0, &json!({ "fault": "drop_before_apply", "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
    let answer = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] }),
    );
    assert_eq!(answer["changed"], true, "{answer}");
    let journal = house.journal(0);
    let of = |path: &str, method: &str| {
        journal
            .iter()
            .enumerate()
            .filter(|(_, e)| e["path"].as_str().is_some_and(|p| p.starts_with(path)) && e["method"] == method)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let sent = of("/rest/ip/dns/set", "POST");
    assert_eq!(sent.len(), 2, "{journal:?}");
    let read = of("/rest/ip/dns", "GET");
    assert!(read.iter().any(|at| *at > sent[0] && *at < sent[1]), "a reading stands between the two");
}

#[test]
fn a_router_that_refuses_is_told_in_its_own_words_and_nothing_changed() {
    let house = House::start(1);
    let before = house.truth(0, "/ip/dns");
    house.fault(
        0,
        &json!({ "fault": "refuse_by_policy", "method": "POST", "path_prefix": "/rest/ip/dns/set" }),
    );
    let failure = house
        .try_call(
            As::Agent,
            "update_dns_servers",
            &json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] }),
        )
        .unwrap_err();
    assert_eq!(failure["code"], "device_forbidden", "{failure}");
    assert!(failure["details"]["routeros"].as_str().unwrap().contains("not enough permissions"), "{failure}");
    assert_eq!(house.truth(0, "/ip/dns"), before);
    // The device is free again.
    let job = house.call(As::Agent, "job_status", &json!({ "job_id": failure["details"]["job_id"] }));
    assert_eq!(job["status"], "failed");
}

#[test]
fn a_change_behind_our_back_makes_the_plan_stale() {
    let house = House::start(12);
    let n = (0..12)
        .find(|n| {
            let shown = house.call(As::Admin, "device_show", &json!({ "device_id": house.device(*n) }));
            shown["environment"] == "prod" || shown["device"]["environment"] == "prod"
        })
        .expect("the demo fleet has a prod router");
    house.call(
        As::Admin,
        "device_edit",
        &json!({ "device_id": house.device(n), "allow": ["advanced_writes"] }),
    );
    let answer = house.call(
        As::Agent,
        "update_dns_servers",
        &json!({ "device_id": house.device(n), "dns_servers": ["9.9.9.9"] }),
    );
    let plan = &answer["plan"];
    house.call(
        As::Approver,
        "plan_approve",
        &json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] }),
    );
    house.control(
        "POST",
        &format!("/boxes/{}/behind-back", house.box_of(n)),
        Some(&json!({ "menu": "/ip/dns", "props": { "servers": "203.0.113.1" } })),
    );
    let started = house.call(As::Agent, "plan_start", &json!({ "plan_id": plan["plan_id"] }));
    house.until("the job's end", || {
        let job = house.call(As::Agent, "job_status", &json!({ "job_id": started["job_id"] }));
        (job["status"] == "failed").then_some(())
    });
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
    assert_eq!(details["status"], "stale", "{details}");
    assert_eq!(house.truth(n, "/ip/dns")["servers"], "203.0.113.1", "nothing was written over it");
}

#[test]
fn another_key_means_quarantine_and_no_login_is_sent() {
    let house = House::start(1);
    let device = house.device(0);
    house.call(As::Agent, "get_dns_status", &json!({ "device_id": device }));
    house.control("POST", &format!("/boxes/{}/change-key", house.box_of(0)), Some(&json!({})));
    let seen = house.journal(0).len();
    let code = house.until("the new key to be seen", || {
        let failure = house.try_call(As::Agent, "get_dns_status", &json!({ "device_id": device })).err()?;
        failure["code"]
            .as_str()
            .map(str::to_owned)
            .filter(|code| code == "tls_mismatch" || code == "device_quarantined")
    });
    assert!(["tls_mismatch", "device_quarantined"].contains(&code.as_str()));
    house.until("the quarantine", || {
        let code = house.refused(As::Agent, "get_dns_status", &json!({ "device_id": device }));
        (code == "device_quarantined").then_some(())
    });
    assert_eq!(house.journal(0).len(), seen, "not one request reached the box");
}
