//! Stories of whole rollouts, told in wishes: what is needed, what is allowed, and what it comes to.

use std::collections::BTreeSet;

use events::{
    device::Environment,
    gate::DeadManStatus,
    ids::WaveNo,
    job::{Direction, JobStatus, StepSettled, StepStatus},
    plan::{DevicePart, Origin},
};

use crate::domain::job::stage::*;
use crate::{
    domain::{
        Command,
        job::{Need, Waits, directions, next},
        plan::{PlanStatus, hash},
        testing::{Given, NOON, added, agent, alice, device_id, dns_plan, given, job_id, plan_id, step_id},
        undo::reversal,
    },
    failure::Code,
};

#[test]
fn the_next_wave_waits_for_the_gate_and_the_pause() {
    let mut given = running(rollout());
    given.refused(&agent(), begin(1, false), Code::Conflict); // not looked at yet
    assert_eq!(needs(&given), [Need::Sample { wave: WaveNo(1), sample: 0 }]);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    assert_eq!(needs(&given), [step(1, false)], "the canary alone");
    given.refused(&agent(), begin(2, false), Code::Conflict);
    write(&mut given, 1, false, StepStatus::Applied);
    given.refused(&agent(), begin(2, false), Code::Conflict);
    assert_eq!(needs(&given), [Need::WaitUntil(NOON.plus_secs(10))]);
    given.refused(&agent(), Command::JudgeGate { job_id: job_id(1), wave: WaveNo(1) }, Code::Conflict);
    assert!(judge(&mut given, 1, &["r1"], 5));
    assert_eq!(needs(&given), [Need::WaitUntil(NOON.plus_secs(90))], "a pause from the verdict on");
    given.after_s = 90;
    assert_eq!(needs(&given), [Need::Sample { wave: WaveNo(2), sample: 0 }]);
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    assert_eq!(needs(&given), [step(2, false), step(3, false)], "side by side");
    write(&mut given, 2, false, StepStatus::Applied);
    write(&mut given, 3, false, StepStatus::Applied);
    assert!(judge(&mut given, 2, &["r2", "r3"], 5));
    assert!(wants(&given, JobStatus::Completed));
}

#[test]
fn after_a_failed_gate_nothing_goes_forward_and_what_was_applied_is_undone() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    given.refused(&agent(), begin(2, false), Code::Conflict);
    assert!(wants(&given, JobStatus::RollingBack));
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    assert_eq!(needs(&given), [step(1, true)]);
    write(&mut given, 1, true, StepStatus::Undone);
    assert!(wants(&given, JobStatus::RolledBack));
}

#[test]
fn without_rollback_a_failed_gate_asks_a_person() {
    let mut plan = rollout();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    assert!(wants(&given, JobStatus::Halted));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    assert_eq!(needs(&given), []);
    let direct = |direction| Command::DirectJob { job_id: job_id(1), direction, reason: "seen".into() };

    for direction in [Direction::Retry, Direction::Resume, Direction::RollBack] {
        given.refused(&agent(), direct(direction), Code::NotForAgents);
    }
    let cancel = Command::CancelJob { job_id: job_id(1), reason: "no".into() };
    given.refused(&agent(), cancel, Code::NotForAgents);

    let mut again = Given { state: given.state.clone(), ..Given::default() };
    again.after_s = given.after_s;
    again.when(&person(), direct(Direction::Retry));
    assert!(judge(&mut again, 1, &["r1"], 5), "the gate is looked at anew");

    let mut resumed = Given { state: given.state.clone(), ..Given::default() };
    resumed.when(&person(), direct(Direction::Resume));
    resumed.after_s = 1000;
    assert_eq!(needs(&resumed), [Need::Sample { wave: WaveNo(2), sample: 0 }]);
    resumed.refused(&person(), direct(Direction::Resume), Code::Conflict);

    given.when(&person(), direct(Direction::RollBack));
    assert_eq!(needs(&given), [step(1, true)]);
}

#[test]
fn a_failed_device_may_be_left_out_by_a_person() {
    let mut plan = rollout();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.after_s = 200;
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    write(&mut given, 2, false, StepStatus::Refused);
    given.refused(&agent(), begin(3, false), Code::Conflict);
    assert!(wants(&given, JobStatus::Halted), "nothing of this wave stands, the earlier one is kept");
    given.when(&agent(), status_of(1, JobStatus::Halted));
    let skip = Command::DirectJob {
        job_id: job_id(1),
        direction: Direction::Skip(device_id("r2")),
        reason: "in repair".into(),
    };
    given.when(&person(), skip.clone());
    given.refused(&person(), skip, Code::Conflict);
    assert_eq!(needs(&given), [step(3, false)]);
    write(&mut given, 3, false, StepStatus::Applied);
    assert!(judge(&mut given, 2, &["r3"], 5));
    assert!(wants(&given, JobStatus::Completed));
}

#[test]
fn a_gate_that_failed_for_one_device_is_judged_anew_without_it() {
    let mut plan = rollout();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.after_s = 200;
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    write(&mut given, 2, false, StepStatus::Applied);
    write(&mut given, 3, false, StepStatus::Applied);
    for sample in 1..=3 {
        given.after_s += 10;
        let Command::RecordGate { devices: busy, .. } = look(2, sample, &["r2"], 99) else { unreachable!() };
        let Command::RecordGate { devices: well, .. } = look(2, sample, &["r3"], 5) else { unreachable!() };
        let devices = busy.into_iter().chain(well).collect();
        let record = Command::RecordGate { job_id: job_id(1), wave: WaveNo(2), sample, devices };
        given.when(&agent(), record);
    }
    given.when(&agent(), Command::JudgeGate { job_id: job_id(1), wave: WaveNo(2) });
    assert!(wants(&given, JobStatus::Halted));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    let plan = given.state.plans[&plan_id(1)].plan.clone();
    assert_eq!(job(&given).troubled(&plan), BTreeSet::from([&device_id("r2")]), "only the busy one");
    let possible: Vec<Direction> = directions(&given.state, job_id(1))
        .into_iter()
        .filter_map(|(direction, answer)| answer.is_ok().then_some(direction))
        .collect();
    let all = [Direction::Retry, Direction::Skip(device_id("r2")), Direction::RollBack, Direction::Resume];
    assert_eq!(possible, all);
    given.when(&person(), skip("r2"));
    assert!(judge(&mut given, 2, &["r3"], 5), "without r2");
    assert!(wants(&given, JobStatus::Completed));
}

#[test]
fn a_device_that_could_not_be_read_before_its_wave_may_be_tried_again_or_left_out() {
    let mut plan = rollout();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    let Command::RecordGate { mut devices, .. } = look(1, 0, &["r1"], 5) else { unreachable!() };
    (devices[0].vitals, devices[0].problem) = (None, Some("device_unreachable".into()));
    given.when(&agent(), Command::RecordGate { job_id: job_id(1), wave: WaveNo(1), sample: 0, devices });
    assert!(wants(&given, JobStatus::Halted));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    let retry = Command::DirectJob { job_id: job_id(1), direction: Direction::Retry, reason: "up".into() };
    let mut again = Given { state: given.state.clone(), ..Given::default() };
    again.when(&person(), retry);
    assert_eq!(needs(&again), [Need::Sample { wave: WaveNo(1), sample: 0 }], "it is looked at anew");
    given.when(&person(), skip("r1"));
    assert_eq!(needs(&given), [Need::Sample { wave: WaveNo(2), sample: 0 }]);
}

#[test]
fn a_device_whose_timed_undo_cannot_be_armed_stops_no_other_once_it_is_left_out() {
    let mut plan = guarded();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::NotArmed));
    assert!(wants(&given, JobStatus::Halted));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    given.when(&person(), skip("r1"));
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    given.when(&agent(), dead_man("r2", false));
    given.when(&agent(), dead_man_is("r2", DeadManStatus::Armed));
    write(&mut given, 2, false, StepStatus::Applied);
    assert_eq!(job(&given).steps[1].status, StepStatus::Held);
}

#[test]
fn an_undo_that_waits_for_a_router_names_it_and_may_be_given_up() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    given.when(&agent(), status_of(1, JobStatus::Stuck));
    let plan = given.state.plans[&plan_id(1)].plan.clone();
    assert_eq!(job(&given).troubled(&plan), BTreeSet::from([&device_id("r1")]));
    given.when(&person(), skip("r1"));
    assert_eq!(job(&given).status, JobStatus::RollingBack);
    assert!(wants(&given, JobStatus::PartiallyRolledBack));
}

#[test]
fn what_a_job_waits_for_is_said_with_its_time() {
    let mut given = running(rollout());
    let waits = |given: &Given| {
        let plan = given.state.plans[&plan_id(1)].plan.clone();
        job(given).waits_for(&plan, NOON.plus_secs(given.after_s))
    };
    assert_eq!(waits(&given), None, "it works");
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settled(1, StepStatus::InDoubt));
    assert_eq!(waits(&given), Some(Waits::Routers(vec![device_id("r1")])));
    given.when(&agent(), settled(1, StepStatus::Applied));
    let until = NOON.plus_secs(10);
    assert_eq!(waits(&given), Some(Waits::Soak { wave: WaveNo(1), look: 1, until }));
    assert_eq!(job(&given).progress_percent(), 33);
    assert!(judge(&mut given, 1, &["r1"], 5));
    let until = NOON.plus_secs(30 + 60);
    assert_eq!(waits(&given), Some(Waits::Pause { wave: WaveNo(2), until }));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    assert_eq!(waits(&given), Some(Waits::Person));
}

#[test]
fn a_wish_to_cancel_lets_the_devices_in_hand_finish() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), begin(1, false));
    let cancel = Command::CancelJob { job_id: job_id(1), reason: "wrong window".into() };
    given.when(&alice(), cancel.clone());
    assert_eq!(given.decide(&agent(), cancel.clone()), Ok(vec![]), "once is enough");
    given.when(&agent(), settled(1, StepStatus::Applied));
    assert!(judge(&mut given, 1, &["r1"], 5));
    assert!(wants(&given, JobStatus::Cancelled));
    given.when(&agent(), status_of(1, JobStatus::Cancelled));
    given.refused(&agent(), cancel, Code::Conflict);
    assert_eq!(job(&given).steps[0].status, StepStatus::Applied, "what was done is kept");
    assert!(given.state.leases.is_empty());
}

#[test]
fn what_is_applied_under_a_timed_undo_is_held_until_the_gate_has_passed() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    assert_eq!(needs(&given), [Need::Arm(device_id("r1"))]);
    given.refused(&agent(), begin(1, false), Code::Conflict);
    given.when(&agent(), dead_man("r1", false));
    assert_eq!(needs(&given), [Need::SettleDeadMan(device_id("r1"))]);
    given.refused(&agent(), begin(1, false), Code::Conflict);
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    assert_eq!(needs(&given), [step(1, false)]);
    write(&mut given, 1, false, StepStatus::Applied);
    assert_eq!(job(&given).steps[0].status, StepStatus::Held);
    given.refused(&agent(), dead_man("r1", true), Code::Conflict); // the gate comes first
    given.refused(&agent(), settled(1, StepStatus::Applied), Code::Conflict);
    assert!(judge(&mut given, 1, &["r1"], 5));
    assert_eq!(needs(&given), [Need::Disarm(device_id("r1"))]);
    given.when(&agent(), dead_man("r1", true));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    assert_eq!(needs(&given), [Need::Settle(step_id(1))], "it may have run right before");
    given.when(&agent(), settled(1, StepStatus::Applied));
    assert_eq!(job(&given).steps[0].status, StepStatus::Applied);
}

#[test]
fn a_timed_undo_that_ran_is_a_failure_that_reading_shows() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settled(1, StepStatus::InDoubt));
    given.refused(&agent(), dead_man_is("r1", DeadManStatus::Lapsed), Code::Conflict);
    given.after_s = 125;
    assert_eq!(needs(&given), [Need::Lapse(device_id("r1")), Need::Settle(step_id(1))]);
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Lapsed));
    given.when(&agent(), settled(1, StepStatus::NotApplied));
    assert_eq!(job(&given).steps[0].status, StepStatus::RevertedByRouter, "it is not sent again");
    assert!(wants(&given, JobStatus::Failed));
}

#[test]
fn a_timed_undo_that_outlives_its_time_is_removed_before_its_steps_are_read() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settled(1, StepStatus::InDoubt));
    given.refused(&agent(), dead_man("r1", true), Code::Conflict); // nothing is settled, and no gate passed
    given.refused(&agent(), dead_man_is("r1", DeadManStatus::Armed), Code::Conflict);
    given.after_s = 125;
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Lapsed));
    given.when(&agent(), dead_man("r1", true));
    assert!(!needs(&given).contains(&Need::Settle(step_id(1))), "not while it may still run");
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    assert_eq!(needs(&given), [Need::Settle(step_id(1))]);
    given.when(&agent(), settled(1, StepStatus::Applied));
    assert!(judge(&mut given, 1, &["r1"], 5), "its gate is still to come");
}

#[test]
fn a_timed_undo_that_is_left_alone_is_not_removed() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    write(&mut given, 1, false, StepStatus::Applied);
    given.after_s = 125;
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Lapsed));
    given.when(&agent(), status_of(1, JobStatus::Stuck));
    given.when(&person(), skip("r1"));
    given.refused(&agent(), dead_man("r1", true), Code::Conflict);
}

#[test]
fn nothing_is_begun_beside_a_device_that_diverged() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.after_s = 200;
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    write(&mut given, 2, false, StepStatus::Diverged);
    given.refused(&agent(), begin(3, false), Code::Conflict);
}

#[test]
fn a_risky_step_is_not_sent_where_the_timed_undo_was_refused() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::NotArmed));
    given.refused(&agent(), begin(1, false), Code::Conflict);
    given.refused(&agent(), dead_man("r1", false), Code::Conflict);
    assert!(wants(&given, JobStatus::Failed));
}

#[test]
fn undoing_disarms_first() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    assert_eq!(needs(&given), [Need::Disarm(device_id("r1"))]);
    given.refused(&agent(), begin(1, true), Code::Conflict);
    given.when(&agent(), dead_man("r1", true));
    given.refused(&agent(), status_of(1, JobStatus::RolledBack), Code::Conflict);
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    given.when(&agent(), settled(1, StepStatus::Applied));
    assert_eq!(needs(&given), [step(1, true)]);
}

#[test]
fn a_router_that_is_away_does_not_hold_up_the_undoing_of_others() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.after_s = 200;
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    write(&mut given, 2, false, StepStatus::Applied);
    write(&mut given, 3, false, StepStatus::Refused);
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    assert_eq!(needs(&given), [step(2, true)], "the latest wave first");
    let away = BTreeSet::from([device_id("r2")]);
    let now = NOON.plus_secs(given.after_s);
    let plan = &given.state.plans[&plan_id(1)].plan;
    assert_eq!(next(job(&given), plan, now, &away), [step(2, true), step(1, true)]);
}

#[test]
fn a_device_that_became_another_box_is_not_written_to() {
    let mut plan = rollout();
    plan.waves[0][0].bound_sha256 = "0".repeat(64);
    let mut given = given((1..=3).map(|n| added(&format!("r{n}"), n, Environment::Lab)));
    let start = Command::StartJob {
        plan_id: plan_id(1),
        job_id: job_id(1),
        step_ids: (1..=3).map(step_id).collect(),
        approval_token_sha256: None,
    };
    given.when(
        &agent(),
        Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some("p".into()),
            origin: Origin::default(),
        },
    );
    given.refused(&agent(), start, Code::PlanStale);
}

/// A plan that reverses the first one, approved by a person, is being carried out.
fn reverse(given: &mut Given, steps: u128) {
    let mut undo = dns_plan(2, Environment::Lab, &["r1"]);
    let part = undo.waves[0][0].clone();
    let waves = reversal(&given.state, &[plan_id(1)]).unwrap().into_iter();
    let parts = |wave: Vec<_>| {
        let part = |(device_id, operations)| DevicePart { device_id, operations, ..part.clone() };
        wave.into_iter().map(part).collect()
    };
    undo.waves = waves.map(parts).collect();
    undo.undoes = vec![plan_id(1)];
    let plan_hash = hash(&undo);
    let propose = Command::ProposePlan {
        plan: Box::new(undo),
        approval_token_sha256: "t".into(),
        policy: None,
        origin: Origin::default(),
    };
    given.when(&agent(), propose);
    let (plan_id_2, comment) = (plan_id(2), String::new());
    let approve = Command::ApprovePlan { plan_id: plan_id_2, plan_hash, comment, personal: true };
    given.when(&alice(), approve);
    let start = Command::StartJob {
        plan_id: plan_id_2,
        job_id: job_id(2),
        step_ids: (1..=steps).map(|n| step_id(100 + n)).collect(),
        approval_token_sha256: Some("t".into()),
    };
    given.when(&agent(), start);
    given.when(&agent(), status_of(2, JobStatus::Running));
}

#[test]
fn a_plan_that_reverses_another_moves_it_along_and_goes_past_a_failing_device() {
    let mut given = running(rollout());
    for (wave, devices) in [(1, &["r1"][..]), (2, &["r2", "r3"])] {
        given.after_s += 100;
        given.when(&agent(), look(wave, 0, devices, 5));
        for name in devices {
            write(&mut given, name[1..].parse().unwrap(), false, StepStatus::Applied);
        }
        assert!(judge(&mut given, wave, devices, 5));
    }
    given.when(&agent(), status_of(1, JobStatus::Completed));
    reverse(&mut given, 3);
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::RollingBack);
    let of = |n: u128, name: &str, status| {
        Command::SettleStep(StepSettled {
            job_id: job_id(2),
            step_id: step_id(100 + n),
            device_id: device_id(name),
            status,
            code: None,
            detail: String::new(),
            observed: vec![],
        })
    };
    let (refused, applied) = (StepStatus::Refused, StepStatus::Applied);
    for (n, name, status) in [(1, "r2", refused), (2, "r3", applied), (3, "r1", applied)] {
        let (job_id, step_id) = (job_id(2), step_id(100 + n));
        given.when(
            &agent(),
            Command::BeginStep { job_id, step_id, undo: false, operation_sha256: "h".into() },
        );
        given.when(&agent(), of(n, name, status));
    }
    let second = &given.state.jobs[&job_id(2)];
    let needs = next(second, &given.state.plans[&plan_id(2)].plan, NOON, &BTreeSet::new());
    assert!(matches!(needs.as_slice(), [Need::Status(JobStatus::Failed, why)] if why.starts_with("1 of 3")));
    given.when(&agent(), status_of(2, JobStatus::Failed));
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::PartiallyRolledBack);
}

#[test]
fn without_a_gate_a_timed_undo_is_disarmed_once_its_steps_are_done() {
    let mut plan = guarded();
    plan.rollout.gate = None;
    let mut given = running(plan);
    assert_eq!(needs(&given), [Need::Arm(device_id("r1"))]);
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    write(&mut given, 1, false, StepStatus::Applied);
    assert_eq!(job(&given).steps[0].status, StepStatus::Held);
    assert_eq!(needs(&given), [Need::Disarm(device_id("r1"))]);
    given.when(&agent(), dead_man("r1", true));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    assert_eq!(needs(&given), [Need::Settle(step_id(1))], "read again before it counts");
}

#[test]
fn a_job_that_is_stuck_does_not_go_on_while_its_router_is_away() {
    let mut plan = guarded();
    plan.rollout.gate = None;
    let mut given = running(plan);
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    write(&mut given, 1, false, StepStatus::Applied);
    given.when(&agent(), status_of(1, JobStatus::Stuck));
    let plan = &given.state.plans[&plan_id(1)].plan;
    let away = |ids: &[&str]| next(job(&given), plan, NOON, &ids.iter().map(|id| device_id(id)).collect());
    assert_eq!(away(&["r1"]), []);
    assert!(matches!(away(&[])[..], [Need::Status(JobStatus::Running, _)]));
}

#[test]
fn what_a_person_left_in_doubt_is_not_said_to_be_undone() {
    let mut given = running(dns_plan(1, Environment::Lab, &["r1", "r2"]));
    write(&mut given, 1, false, StepStatus::Applied);
    write(&mut given, 2, false, StepStatus::Applied);
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    write(&mut given, 2, true, StepStatus::InDoubt);
    given.when(&agent(), status_of(1, JobStatus::Stuck));
    let skip = Direction::Skip(device_id("r2"));
    given.when(&alice(), Command::DirectJob { job_id: job_id(1), direction: skip, reason: "dead".into() });
    write(&mut given, 1, true, StepStatus::Undone);
    assert!(wants(&given, JobStatus::PartiallyRolledBack));
}

#[test]
fn a_reversal_that_left_a_device_out_is_a_partial_one() {
    let mut given = running(dns_plan(1, Environment::Lab, &["r1", "r2"]));
    write(&mut given, 1, false, StepStatus::Applied);
    write(&mut given, 2, false, StepStatus::Applied);
    given.when(&agent(), status_of(1, JobStatus::Completed));
    reverse(&mut given, 2);
    let begin = |n: u128| Command::BeginStep {
        job_id: job_id(2),
        step_id: step_id(100 + n),
        undo: false,
        operation_sha256: "h".into(),
    };
    given.when(&agent(), begin(1));
    let applied = StepSettled {
        job_id: job_id(2),
        step_id: step_id(101),
        device_id: device_id("r1"),
        status: StepStatus::Applied,
        code: None,
        detail: String::new(),
        observed: vec![],
    };
    given.when(&agent(), Command::SettleStep(applied));
    given.when(&agent(), status_of(2, JobStatus::Stuck));
    let skip = Direction::Skip(device_id("r2"));
    given.when(&alice(), Command::DirectJob { job_id: job_id(2), direction: skip, reason: "dead".into() });
    given.when(&agent(), status_of(2, JobStatus::Completed));
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::PartiallyRolledBack);
}

#[test]
fn what_is_tried_again_is_held_with_everything_that_its_new_timed_undo_covers_and_has_a_gate_of_its_own() {
    let mut plan = guarded();
    plan.rollback_on_failure = false;
    let more = plan.waves[0][0].operations[0].clone();
    plan.waves[0][0].operations.push(more);
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    let settled = |n: u128, status| {
        Command::SettleStep(StepSettled {
            job_id: job_id(1),
            step_id: step_id(n),
            device_id: device_id("r1"),
            status,
            code: None,
            detail: String::new(),
            observed: vec![],
        })
    };
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settled(1, StepStatus::Applied));
    given.when(&agent(), begin(2, false));
    given.when(&agent(), settled(2, StepStatus::Refused));
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.when(&agent(), dead_man("r1", true));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    given.when(&agent(), settled(1, StepStatus::Applied));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    let retry = Command::DirectJob { job_id: job_id(1), direction: Direction::Retry, reason: "again".into() };
    given.when(&alice(), retry);
    given.when(&agent(), dead_man("r1", false));
    assert_eq!(job(&given).steps[0].status, StepStatus::Held, "the new timer undoes it as well");
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Armed));
    given.when(&agent(), begin(2, false));
    given.when(&agent(), settled(2, StepStatus::Applied));
    assert!(judge(&mut given, 1, &["r1"], 5), "looked at once more");
}
