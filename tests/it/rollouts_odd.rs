//! What happens to routers, plans and processes while a rollout is on its way: another address, another box, one bad mate in
//! a wave, a plan that nobody started in time, a rollback that is killed.

use serde_json::{Value, json};

use crate::{
    house::{As, House, json_of, stderr, stdout},
    lone::{Lone, Routers, failure_of},
    rollouts_guided::{DNS, PLAN, approved, degrades, held_write, job, rested, servers, started},
};

/// Every look at name servers but the first two (the plan's, the job's) waits until it is let go.
fn held_compare() -> Value {
    json!({ "fault": "hold", "method": "GET", "path_prefix": DNS, "after": 1, "times": 1 })
}

#[test]
fn a_router_keeps_its_address_while_a_rollout_is_under_way() {
    let house = House::start(3);
    // Nobody's any more; another router will be said to live there.
    house.call(As::Admin, "device_remove", &json!({ "device_id": house.device(2), "reason": "moved" }));
    let plan = approved(&house, &[0, 1], "9.9.9.9", &json!({}));
    house.fault(0, &held_write());
    let id = started(&house, &plan);
    house.until("the first router to be written", || {
        (job(&house, &id)["devices"][0]["status"] == "started").then_some(())
    });
    let other = house.said["devices"][2]["address"].as_str().unwrap().rsplit(':').next().unwrap();
    let edits = [
        json!({ "device_id": house.device(1), "management_port": other.parse::<u16>().unwrap() }),
        json!({ "device_id": house.device(1), "management_ip": "127.0.0.2" }),
    ];
    for edit in &edits {
        let refused = house.try_call(As::Admin, "device_edit", edit).unwrap_err();
        assert_eq!(
            (&refused["code"], &refused["details"]["job_id"]),
            (&json!("device_in_job"), &json!(id)),
            "{refused}"
        );
    }
    house.release(0);
    let end = rested(&house, &id);
    assert_eq!(end["status"], "completed", "{end:#}");
    assert_eq!((house.writes(0), house.writes(1), house.writes(2)), (1, 1, 0));
    assert_eq!(house.call(As::Admin, "device_edit", &edits[0])["changed"], true, "afterwards it may move");
}

#[test]
fn a_router_that_is_another_box_since_its_write_is_not_undone_and_a_person_is_asked() {
    let house = House::start(2);
    let plan = approved(&house, &[0, 1], "9.9.9.9", &json!({}));
    house.fault(1, &held_compare());
    let no = json!({ "fault": "refuse_writes", "detail": "failure: not this one", "method": "POST", "path_prefix": DNS });
    house.fault(1, &no);
    let id = started(&house, &plan);
    house.until("the second router's turn", || {
        let waits = |entry: &Value| entry["path"].as_str().unwrap().starts_with(DNS) && entry["status"] == 0;
        (servers(&house, 0) == "9.9.9.9" && house.journal(1).iter().any(waits)).then_some(())
    });
    let at = format!("/boxes/{}/change-key", house.box_of(0));
    let other = house.control("POST", &at, Some(&json!({})));
    let trust = json!({ "device_id": house.device(0), "trust": { "spki_sha256": other["spki_sha256_hex"] } });
    house.call(As::Admin, "device_trust", &trust);
    house.release(1);
    // The second one refuses, so the first one is to be undone: but that is another box now.
    let stuck = rested(&house, &id);
    let waits = &stuck["waits_for"];
    assert_eq!((&stuck["status"], &waits["what"]), (&json!("stuck"), &json!("person")), "{stuck:#}");
    assert!(waits["device_ids"].as_array().unwrap().contains(&json!(house.device(0))), "{stuck:#}");
    assert_eq!(house.writes(0), 1, "nothing is sent to what may be another box");
    let guide = house.http(As::Agent, "GET", &format!("/api/jobs/{id}/guide"), None).body;
    assert!(guide["decisions"].as_array().unwrap().iter().any(|row| row["possible"] == true), "{guide:#}");
    let skip =
        house.cli(As::Admin, &["job", "skip", &id, house.device(0), "--reason", "it was replaced", "--wait"]);
    assert_eq!(skip.status.code(), Some(5), "{}{}", stdout(&skip), stderr(&skip));
    let end = rested(&house, &id);
    assert_eq!(end["status"], "partially_rolled_back", "never claimed: {end:#}");
    assert_eq!((servers(&house, 0), house.writes(0), house.writes(1)), (json!("9.9.9.9"), 1, 0));
}

#[test]
fn one_bad_router_in_a_wave_takes_its_healthy_mates_with_it() {
    let house = House::start(4);
    let before: Vec<Value> = (0..4).map(|n| servers(&house, n)).collect();
    let plan = approved(&house, &[0, 1, 2, 3], "9.9.9.9", &json!({ "batch_size": 2 }));
    degrades(&house, 1);
    let id = started(&house, &plan);
    let end = rested(&house, &id);
    assert_eq!(
        (&end["status"], &end["waves"][1]["status"]),
        (&json!("rolled_back"), &json!("failed")),
        "{end:#}"
    );
    let reasons = end["waves"][1]["reasons"].as_array().unwrap();
    assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().contains(house.device(1)), "{reasons:?}");
    for n in [0, 1, 2] {
        assert_eq!((&end["devices"][n]["status"], house.writes(n)), (&json!("undone"), 2), "{n}: {end:#}");
    }
    assert_eq!(house.writes(3), 0, "nothing is written to a later wave");
    assert_eq!((0..4).map(|n| servers(&house, n)).collect::<Vec<_>>(), before);
}

#[test]
fn a_plan_that_nobody_approved_or_started_in_time_is_expired_at_every_door() {
    let routers = Routers::start(2);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    lone.add(&routers, 1, "r2", "prod");
    let asked = json_of(&lone.run_as(
        None,
        &["--json", "call", "update_dns_servers", "device_id=r1", "dns_servers=[\"9.9.9.9\"]"],
    ));
    let waiting = asked["plan"]["plan_id"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned();
    let hash =
        json_of(&lone.run(&["--json", "plan", "show", &waiting]))["plan_hash"].as_str().unwrap().to_owned();
    let ready = lone.approved_plan("r2");
    let approver = lone.token("approver");
    // The machine's clock is a week later.
    let later = |token: &str, args: &[&str]| {
        let mut command = lone.command(Some(token), args);
        command.env("APPLIANCE_CLOCK_AHEAD_SECONDS", (8 * 24 * 3600).to_string()).output().unwrap()
    };
    let refused = |token: &str, args: &[&str]| {
        let said = later(token, &[&["--json"], args].concat());
        let failure = failure_of(&said);
        assert_eq!((said.status.code(), &failure["code"]), (Some(4), &json!("plan_expired")), "{failure}");
        failure["message"].as_str().unwrap().to_owned()
    };
    let said = refused(&approver, &["plan", "approve", &waiting, "--hash", &hash]);
    assert!(said.contains("not approved in time"), "{said}");
    refused(&approver, &["plan", "reject", &waiting, "--comment", "late"]);
    let said = refused(&lone.admin, &["plan", "start", &ready]);
    assert!(said.contains("not started in time"), "{said}");
    for plan in [&waiting, &ready] {
        let shown = json_of(&later(&lone.admin, &["--json", "plan", "show", plan]));
        assert_eq!((&shown["status"], &shown["job_id"]), (&json!("expired"), &Value::Null), "{shown}");
    }
    let queue = json_of(&later(&approver, &["--json", "plan", "queue"]));
    assert!(!queue.to_string().contains(&waiting), "{queue}");
    assert_eq!((routers.writes(0), routers.writes(1)), (0, 0));
}

#[test]
fn a_rollback_that_is_killed_goes_on_and_is_whole() {
    let routers = Routers::start(3);
    let lone = Lone::new();
    let ids = ["r1", "r2", "r3"];
    for (n, id) in ids.into_iter().enumerate() {
        lone.add(&routers, n, id, "lab");
        let allowed = lone.run(&["device", "edit", id, "--allow", "professional_workflows"]);
        assert!(allowed.status.success(), "{}", stderr(&allowed));
    }
    let all = || (0..3).map(|n| routers.truth(n, "/ip/dns")["servers"].clone()).collect::<Vec<_>>();
    let before = all();
    let mut args =
        vec!["--json", "call", PLAN, "device_ids=[\"r1\",\"r2\",\"r3\"]", "dns_servers=[\"9.9.9.9\"]"];
    args.extend(["batch_size=1", "soak_seconds=0", "pause_seconds_between_batches=0"]);
    let plan = json_of(&lone.run_as(None, &args));
    let (id, hash) = (plan["plan_id"].as_str().unwrap(), plan["plan_hash"].as_str().unwrap());
    let approver = lone.token("approver");
    let yes = lone.run_as(Some(&approver), &["plan", "approve", id, "--hash", hash]);
    assert!(yes.status.success(), "{}", stderr(&yes));
    let done = lone.run(&["--json", "plan", "start", id]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(all(), ["9.9.9.9"; 3]);

    let daemon = lone.serve();
    // The second router keeps its undo waiting.
    routers.fault(1, &json!({ "fault": "hold", "method": "POST", "path_prefix": DNS, "times": 1 }));
    let mut asking = lone
        .command(Some(&lone.admin), &["--json", "plan", "rollback", id, "--reason", "wrong servers"])
        .spawn()
        .unwrap();
    routers.until_held(1, "POST", DNS);
    // No goodbye: dropping it kills it at once. What was sent arrives all the same.
    drop(daemon);
    let _ = asking.wait().unwrap();
    let journal = routers.writes(1);
    routers.release(1);
    let _daemon = lone.serve();
    let jobs = json_of(&lone.run(&["--json", "job", "list"]));
    let job = jobs["jobs"][0]["job_id"].as_str().unwrap_or_else(|| panic!("{jobs}"));
    let watched = lone.run(&["--json", "job", "watch", job]);
    assert_eq!(watched.status.code(), Some(0), "{}{}", stdout(&watched), stderr(&watched));
    let shown = json_of(&lone.run(&["--json", "plan", "show", id]));
    assert_eq!(shown["status"], "rolled_back", "{shown:#}");
    assert_eq!(all(), before);
    assert_eq!((journal, routers.writes(0), routers.writes(1), routers.writes(2)), (1, 2, 2, 2), "each once");
    let again = failure_of(&lone.run(&["--json", "plan", "rollback", id, "--reason", "again"]));
    assert_eq!(again["code"], "plan_closed", "{again}");
}
