//! Name servers and time servers for many routers.

use serde_json::{Value, json};

use super::{approved, asked, ids, rested, started, writes};
use crate::house::{As, House, json_of, stdout};

const PLAN: &str = "config_plan_dns_ntp_rollout";
const APPLY: &str = "config_apply_dns_ntp_rollout";

fn servers(house: &House, n: usize) -> (Value, Value) {
    (house.truth(n, "/ip/dns")["servers"].clone(), house.truth(n, "/system/ntp/client")["servers"].clone())
}

#[test]
fn five_devices_are_changed_one_first_then_two_at_a_time_each_batch_behind_its_gate() {
    let house = House::start(5);
    let params = json!({
        "device_ids": ids(&house, 0..5), "dns_servers": ["9.9.9.9", "1.1.1.1"], "ntp_servers": ["198.51.100.123"],
        "batch_size": 2,
    });
    let plan = house.mcp_call(As::Agent, PLAN, &params).unwrap();
    assert_eq!(
        (&plan["device_count"], &plan["batch_count"], &plan["devices_per_batch"], &plan["risk_level"]),
        (&json!(5), &json!(3), &json!([1, 2, 2]), &json!("medium")),
        "{plan:#}"
    );
    assert!(plan["approval_token"].is_string() && plan["approval_expires_at"].is_string(), "{plan}");
    let told = &plan["devices"][3];
    assert_eq!((&told["device_id"], &told["wave"]), (&json!(house.device(3)), &json!(3)), "{told}");
    assert_eq!(told["proposed_dns_servers"], json!(["9.9.9.9", "1.1.1.1"]), "{told}");
    assert!(told["current_dns_servers"].is_array() && told["current_ntp_servers"].is_array(), "{told}");
    let checks: Vec<&str> =
        told["checks"].as_array().unwrap().iter().map(|check| check["check"].as_str().unwrap()).collect();
    for check in ["reachable", "version", "device_mode", "capability", "health", "management_path"] {
        assert!(checks.contains(&check), "{checks:?}");
    }
    assert_eq!(writes(&house, 0..5), 0, "planning changes nothing");
    // What is the same on several devices is told once.
    let groups = plan["groups"].as_array().unwrap();
    let of_groups: usize = groups.iter().map(|group| group["device_ids"].as_array().unwrap().len()).sum();
    assert!(of_groups == 5 && groups.len() < 5, "{groups:#?}");

    let id = plan["plan_id"].as_str().unwrap();
    let shown = house.cli(As::Approver, &["plan", "show", id]);
    let text = stdout(&shown);
    for words in [
        "batches of 1 + 2 + 2 devices",
        "gate: CPU 80 %",
        "undone when one fails",
        "change 1 on",
        "/ip/dns servers",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    let details = json_of(&house.cli(As::Approver, &["--json", "plan", "show", id]));
    assert_eq!(details["groups"], plan["groups"], "the same in full");
    assert!(details["origin"]["call_id"].is_string(), "{details}");
    assert!(!details.to_string().contains(plan["approval_token"].as_str().unwrap()));

    assert_eq!(started(&house, APPLY, &plan).unwrap_err()["code"], "plan_not_approved");
    approved(&house, &plan);
    let job = started(&house, APPLY, &plan).unwrap();
    assert_eq!(
        (&job["device_count"], &job["batch_count"], &job["batch_size"], &job["batch_pause_seconds"]),
        (&json!(5), &json!(3), &json!(2), &json!(0)),
        "{job}"
    );
    assert!(job["estimated_duration_minutes"].as_f64().unwrap() > 0.0, "{job}");
    assert_eq!(rested(&house, &job["job_id"])["status"], "completed");
    for n in 0..5 {
        assert_eq!(servers(&house, n), (json!("9.9.9.9,1.1.1.1"), json!("198.51.100.123")), "{n}");
        assert_eq!(house.writes(n), 2, "{n}: each write once");
    }
    // No write of a batch before the last write of the one before it and three looks at each of its devices.
    let batches: [&[usize]; 3] = [&[0], &[1, 2], &[3, 4]];
    let all = |batch: &[usize]| -> Vec<u64> {
        let paths = ["/rest/ip/dns", "/rest/system/ntp"];
        batch.iter().flat_map(|n| paths.iter().flat_map(|path| asked(&house, *n, path, true))).collect()
    };
    for two in batches.windows(2) {
        let (last, next) = (*all(two[0]).iter().max().unwrap(), *all(two[1]).iter().min().unwrap());
        assert!(last < next, "a batch began before the one before it was written");
        for n in two[0] {
            let looks = asked(&house, *n, "/rest/system/resource", false);
            let between = looks.iter().filter(|at| (last..next).contains(at)).count();
            assert!(between >= 3, "{between} looks at {n} between two batches");
        }
    }
    assert_eq!(started(&house, APPLY, &plan).unwrap_err()["code"], "plan_already_started");
    let again = house.mcp_call(As::Agent, PLAN, &params).unwrap();
    assert!(again["plan_id"].is_null() && again["unchanged"].as_array().unwrap().len() == 5, "{again}");
}

#[test]
fn a_batch_that_fails_undoes_those_before_it_and_spares_those_after_it() {
    let house = House::start(4);
    let before: Vec<_> = (0..4).map(|n| servers(&house, n)).collect();
    let params = json!({
        "device_ids": ids(&house, 0..4), "dns_servers": ["9.9.9.9"], "ntp_servers": ["198.51.100.123"], "batch_size": 1,
    });
    let plan = house.mcp_call(As::Agent, PLAN, &params).unwrap();
    approved(&house, &plan);
    house.fault(2, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    let failed = started(&house, APPLY, &plan);
    let job_id = failed.as_ref().map_or_else(|failure| &failure["details"]["job_id"], |job| &job["job_id"]);
    assert_eq!(rested(&house, job_id)["status"], "rolled_back", "{failed:?}");
    for (n, before) in before.iter().enumerate() {
        assert_eq!(servers(&house, n), *before, "{n} is as it was");
    }
    assert_eq!((house.writes(0), house.writes(1), house.writes(3)), (4, 4, 0));
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
    assert_eq!(details["status"], "rolled_back", "{details}");
}

#[test]
fn one_device_of_five_that_was_changed_by_hand_stops_the_whole_plan_before_anything_is_sent() {
    for (menu, props) in [
        ("/ip/dns", json!({ "servers": "8.8.8.8" })),
        // The second change of a device counts as well as the first.
        ("/system/ntp/client", json!({ "servers": "198.51.100.124", "enabled": "true" })),
    ] {
        let house = House::start(5);
        let params = json!({
            "device_ids": ids(&house, 0..5), "dns_servers": ["9.9.9.9"], "ntp_servers": ["198.51.100.123"], "batch_size": 2,
        });
        let plan = house.mcp_call(As::Agent, PLAN, &params).unwrap();
        approved(&house, &plan);
        let at = format!("/boxes/{}/behind-back", house.box_of(3));
        let done = house.control("POST", &at, Some(&json!({ "menu": menu, "props": props })));
        assert_eq!(done, json!({}), "{menu}: by hand");
        let stale = started(&house, APPLY, &plan).unwrap_err();
        assert_eq!(stale["code"], "plan_stale", "{menu}: {stale}");
        assert_eq!(writes(&house, 0..5), 0, "{menu}");
        let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
        assert_eq!(details["status"], "stale", "{menu}");
    }
}

#[test]
fn production_and_many_devices_are_of_high_risk() {
    let house = House::start(12);
    let put = |n: usize, environment: &str| {
        let allow = ["professional_workflows"];
        let edit = json!({ "device_id": house.device(n), "environment": environment, "allow": allow });
        house.call(As::Admin, "device_edit", &edit);
    };
    (0..12).for_each(|n| put(n, "lab"));
    let plan = |devices: std::ops::Range<usize>| {
        let params = json!({ "device_ids": ids(&house, devices), "ntp_servers": ["ntp.example.org"] });
        house.mcp_call(As::Agent, PLAN, &params).unwrap()
    };
    assert_eq!(plan(0..3)["risk_level"], "medium");
    let many = plan(0..11);
    assert_eq!(
        (&many["risk_level"], &many["devices_per_batch"]),
        (&json!("high"), &json!([1, 5, 5])),
        "{many}"
    );
    assert!(many["devices"][0]["reasons"].to_string().contains("more than 10"), "{many}");
    (0..2).for_each(|n| put(n, "prod"));
    let prod = plan(0..2);
    let device = &prod["devices"][0];
    // 30 + production 30 + the warning 10.
    assert_eq!((&prod["risk_level"], &device["risk_score"]), (&json!("high"), &json!(70)), "{prod}");
    let checks = device["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["check"] == "production" && check["passed"] == false),
        "{device}"
    );
    assert_eq!(writes(&house, 0..12), 0);
}

#[test]
fn a_device_in_another_job_is_a_warning_when_planned_and_a_refusal_when_started() {
    let house = House::start(3);
    let plan = |devices: &[usize], server: &str, soak: u32| {
        let params = json!({
            "device_ids": ids(&house, devices.iter().copied()), "dns_servers": [server], "soak_seconds": soak,
        });
        let plan = house.mcp_call(As::Agent, PLAN, &params).unwrap();
        approved(&house, &plan);
        plan
    };
    let long = plan(&[0, 1], "9.9.9.9", 3600);
    let before = plan(&[1, 2], "1.1.1.1", 0);
    let job = started(&house, APPLY, &long).unwrap();
    assert_eq!(job["status"], "running", "{job}");
    assert!(job["estimated_duration_minutes"].as_f64().unwrap() > 120.0, "{job}");
    let refused = started(&house, APPLY, &before).unwrap_err();
    assert_eq!((&refused["code"], &refused["details"]["job_id"]), (&json!("device_in_job"), &job["job_id"]));
    let after = plan(&[1, 2], "8.8.8.8", 0);
    let held = |n: usize| {
        let checks = after["devices"][n]["checks"].as_array().unwrap();
        checks.iter().any(|check| check["check"] == "open_job" && check["passed"] == false)
    };
    assert!(held(0) && !held(1), "{after:#}");
    assert_eq!(
        (&after["devices"][0]["risk_score"], &after["devices"][1]["risk_score"]),
        (&json!(40), &json!(30))
    );
    assert_eq!(house.writes(2), 0);
}
