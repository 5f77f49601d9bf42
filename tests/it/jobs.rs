//! Plans started from the command line: carried to their end, watched, interrupted, taken up again.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Command,
};

use serde_json::json;

use crate::{
    house::{json_of, stderr, stdout},
    lone::{Lone, Routers},
};

#[test]
fn without_a_daemon_a_started_plan_is_carried_to_its_end() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    let started = lone.run_as(None, &["--json", "plan", "start", &plan]);
    assert_eq!(started.status.code(), Some(0), "{}", stderr(&started));
    let job = json_of(&started);
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(routers.truth(0, "/ip/dns")["servers"], "9.9.9.9");
    assert!(stderr(&started).contains("running"), "progress is told: {}", stderr(&started));
    let again = lone.run_as(None, &["--json", "plan", "start", &plan]);
    assert_eq!(again.status.code(), Some(4), "{}", stderr(&again));
}

#[test]
fn a_plan_that_fails_exits_with_1() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    routers.fault(0, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    let started = lone.run_as(None, &["--json", "plan", "start", &plan]);
    let job = json_of(&started);
    assert_eq!((started.status.code(), &job["status"]), (Some(1), &json!("failed")), "{job}");
}

#[test]
fn an_interrupted_start_says_how_to_go_on_and_watching_goes_on() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    // The write waits, so that the interruption comes while the step is in hand.
    routers.fault(0, &json!({ "fault": "hold", "method": "POST", "times": 1 }));
    let mut child = lone.command(None, &["--json", "plan", "start", &plan]).spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("running") {
        assert!(talk.read_line(&mut said).unwrap() > 0, "ended before it ran: {said}");
    }
    routers.until_held(0, "POST", "/rest/");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    // It hears of that before it hears of the write, whose answer and reading back are still to come.
    routers.release(0);
    talk.read_to_string(&mut said).unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("appliance job watch job_"), "{said}");

    let jobs = json_of(&lone.run(&["--json", "job", "list"]));
    let job = jobs["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    let watched = lone.run_as(None, &["--json", "job", "watch", &job]);
    assert_eq!(watched.status.code(), Some(0), "{}", stderr(&watched));
    let last = stdout(&watched).lines().last().unwrap().to_owned();
    assert!(last.contains("\"completed\""), "{last}");
}

#[test]
fn with_a_daemon_a_start_returns_at_once_or_waits_when_asked() {
    let routers = Routers::start(2);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    lone.add(&routers, 1, "r2", "prod");
    let (first, second) = (lone.approved_plan("r1"), lone.approved_plan("r2"));
    let _daemon = lone.serve();
    let started = lone.run_as(None, &["--json", "plan", "start", &first]);
    assert_eq!(started.status.code(), Some(0), "{}", stderr(&started));
    let job = json_of(&started)["job_id"].as_str().unwrap().to_owned();
    let watched = lone.run_as(None, &["job", "watch", &job]);
    assert_eq!(watched.status.code(), Some(0), "{}", stderr(&watched));
    let waited = lone.run_as(None, &["--json", "plan", "start", "--wait", &second]);
    assert_eq!(waited.status.code(), Some(0), "{}", stderr(&waited));
    assert_eq!(json_of(&waited)["status"], "completed");
}

#[test]
fn whoever_stops_watching_a_daemon_s_job_leaves_it_running_and_hears_so() {
    let routers = Routers::start(1);
    let lone = Lone::new();
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    routers.fault(0, &json!({ "fault": "hold", "method": "POST", "times": 1 }));
    let _daemon = lone.serve();
    let job = json_of(&lone.run(&["--json", "plan", "start", &plan]))["job_id"].as_str().unwrap().to_owned();
    let mut child = lone.command(Some(&lone.admin), &["job", "watch", &job]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    assert!(lines.read_line(&mut said).unwrap() > 0, "ended before it was watched");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{said}{talk}");
    assert!(talk.contains("goes on in the running appliance") && talk.contains("job cancel"), "{talk}");
    routers.release(0);
    let watched = lone.run(&["job", "watch", &job]);
    assert_eq!(watched.status.code(), Some(0), "{}", stderr(&watched));
}
