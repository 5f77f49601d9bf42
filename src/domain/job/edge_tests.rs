//! What happens rarely and must not go wrong: times that run out, routers that keep what they should not, devices left out.

use events::{
    gate::DeadManStatus,
    ids::WaveNo,
    job::{Direction, JobStatus, StepStatus},
    principal::{Door, Role},
};

use crate::{
    domain::{
        Command,
        job::{
            ATTEMPTS_MAX, Need,
            stage::{
                begin, dead_man, dead_man_is, guarded, job, judge, look, needs, person, rollout, running,
                settled, skip, status_of, step, wants, write,
            },
        },
        testing::{Given, NOON, actor, agent, device_id, job_id, plan_id},
    },
    failure::Code,
};

fn armed(name: &str, given: &mut Given) {
    given.when(&agent(), dead_man(name, false));
    given.when(&agent(), dead_man_is(name, DeadManStatus::Armed));
}

fn direct(direction: Direction) -> Command {
    Command::DirectJob { job_id: job_id(1), direction, reason: "seen".into() }
}

#[test]
fn nothing_risky_is_sent_under_a_timed_undo_that_may_run_before_it_is_there() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    armed("r1", &mut given);
    given.after_s = 59;
    assert_eq!(needs(&given), [step(1, false)], "half of its 120 s are left");
    given.after_s = 60;
    given.refused(&agent(), begin(1, false), Code::Conflict);
    assert_eq!(needs(&given), [Need::Disarm(device_id("r1"))], "it is armed anew");
    given.when(&agent(), dead_man("r1", true));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    assert_eq!(needs(&given), [Need::Arm(device_id("r1"))]);
    armed("r1", &mut given);
    assert_eq!(needs(&given), [step(1, false)]);

    let mut long = guarded();
    long.waves[0][0].dead_man.as_mut().unwrap().seconds = 300;
    let mut given = running(long);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    armed("r1", &mut given);
    given.after_s = 300 - 66;
    assert_eq!(needs(&given), [step(1, false)]);
    given.after_s = 300 - 65;
    given.refused(&agent(), begin(1, false), Code::Conflict);
}

#[test]
fn what_is_held_when_time_runs_short_waits_for_its_end() {
    let mut plan = guarded();
    let second = plan.waves[0][0].operations[0].clone();
    plan.waves[0][0].operations.push(second);
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    armed("r1", &mut given);
    write(&mut given, 1, false, StepStatus::Applied);
    given.after_s = 60;
    assert_eq!(needs(&given), [Need::WaitUntil(NOON.plus_secs(125))]);
    given.after_s = 125;
    assert_eq!(needs(&given), [Need::Lapse(device_id("r1"))]);
}

#[test]
fn a_timed_undo_is_armed_a_few_times_only() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    for n in 0..ATTEMPTS_MAX {
        given.after_s = i64::from(n) * 200;
        armed("r1", &mut given);
        given.after_s += 125;
        given.when(&agent(), dead_man_is("r1", DeadManStatus::Lapsed));
    }
    given.refused(&agent(), dead_man("r1", false), Code::Conflict);
    assert!(wants(&given, JobStatus::Failed));
}

#[test]
fn a_start_that_came_too_late_arms_nothing() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.after_s = 15 * 60 + 1;
    given.refused(&agent(), dead_man("r1", false), Code::PlanExpired);
    given.refused(&agent(), begin(1, false), Code::PlanExpired);
}

#[test]
fn all_timed_undos_of_a_wave_are_disarmed_at_once() {
    let mut given = running(guarded());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    armed("r1", &mut given);
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(judge(&mut given, 1, &["r1"], 5));
    given.when(&agent(), dead_man("r1", true));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::Disarmed));
    given.when(&agent(), settled(1, StepStatus::Applied));
    given.after_s = 200;
    given.when(&agent(), look(2, 0, &["r2", "r3"], 5));
    for n in [2, 3] {
        armed(&format!("r{n}"), &mut given);
        write(&mut given, n, false, StepStatus::Applied);
    }
    assert!(judge(&mut given, 2, &["r2", "r3"], 5));
    assert_eq!(needs(&given), [Need::Disarm(device_id("r2")), Need::Disarm(device_id("r3"))]);
}

#[test]
fn what_could_not_be_armed_is_armed_again_when_a_person_says_so() {
    let mut plan = guarded();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    given.when(&agent(), dead_man("r1", false));
    given.when(&agent(), dead_man_is("r1", DeadManStatus::NotArmed));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    given.when(&person(), direct(Direction::Retry));
    assert_eq!(needs(&given), [Need::Arm(device_id("r1"))]);
    armed("r1", &mut given);
}

#[test]
fn leaving_out_the_last_device_of_a_failed_wave_lets_nothing_pass() {
    let mut plan = rollout();
    plan.rollback_on_failure = false;
    let mut given = running(plan);
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    given.when(&agent(), status_of(1, JobStatus::Halted));
    given.when(&person(), skip("r1"));
    assert!(wants(&given, JobStatus::Halted), "its verdict stands");
    given.refused(&agent(), begin(2, false), Code::Conflict);
    given.when(&agent(), status_of(1, JobStatus::Halted));
    given.when(&person(), direct(Direction::Resume));
    given.after_s = 200;
    assert_eq!(needs(&given), [Need::Sample { wave: WaveNo(2), sample: 0 }], "a person let it pass");
}

#[test]
fn an_undoing_that_a_person_ends_is_partly_rolled_back() {
    let mut given = running(rollout());
    given.when(&agent(), look(1, 0, &["r1"], 5));
    write(&mut given, 1, false, StepStatus::Applied);
    assert!(!judge(&mut given, 1, &["r1"], 97));
    given.when(&agent(), status_of(1, JobStatus::RollingBack));
    given.when(&agent(), status_of(1, JobStatus::Stuck));
    given.refused(&agent(), status_of(1, JobStatus::Cancelled), Code::Conflict);
    given.when(&person(), Command::CancelJob { job_id: job_id(1), reason: "it is scrap".into() });
    assert_eq!(job(&given).status, JobStatus::PartiallyRolledBack);
}

#[test]
fn no_plan_has_a_device_twice_or_a_risk_that_nothing_undoes() {
    use crate::domain::testing::{added, given as told};
    use events::{device::Environment, plan::Origin};
    let fleet = || told((1..=3).map(|n| added(&format!("r{n}"), n, Environment::Lab)));
    let propose = |plan| Command::ProposePlan {
        plan: Box::new(plan),
        approval_token_sha256: String::new(),
        policy: None,
        origin: Origin::default(),
    };
    let mut twice = rollout();
    twice.waves[1][0].device_id = device_id("r1");
    fleet().refused(&agent(), propose(twice), Code::InvalidParams);
    let mut bare = guarded();
    bare.waves[1][1].dead_man = None;
    fleet().refused(&agent(), propose(bare.clone()), Code::Bug);
    bare.rollout.without_dead_man = true;
    fleet().when(&agent(), propose(bare));
}

#[test]
fn nobody_in_the_name_of_a_program_approves_even_where_the_requester_may() {
    use crate::domain::testing::{added, dns_plan, given as told};
    use events::{device::Environment, plan::Origin};
    let plan = dns_plan(1, Environment::Lab, &["r1"]);
    let hash = crate::domain::plan::hash(&plan);
    let mut given = told([added("r1", 1, Environment::Lab)]);
    given.rules.lab_self_approval = true;
    let program = actor("token:robot", Role::OpsRw, Door::Api);
    let propose = |plan| Command::ProposePlan {
        plan: Box::new(plan),
        approval_token_sha256: String::new(),
        policy: None,
        origin: Origin::default(),
    };
    given.when(&program, propose(plan));
    let approve = |personal| Command::ApprovePlan {
        plan_id: plan_id(1),
        plan_hash: hash.clone(),
        comment: String::new(),
        personal,
    };
    given.refused(&program, approve(false), Code::RoleRequired);
    given.when(&program, approve(true));
    let local = actor("local:1000", Role::OpsRw, Door::Cli);
    given.when(&local, propose(dns_plan(2, Environment::Lab, &["r1"])));
    let hash = given.state.plans[&plan_id(2)].plan_hash.clone();
    let comment = String::new();
    given.when(
        &local,
        Command::ApprovePlan { plan_id: plan_id(2), plan_hash: hash, comment, personal: false },
    );
}
