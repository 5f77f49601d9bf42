//! Plans that reverse others, by their rules.

use events::{
    device::{Environment, Trust},
    job::{JobStatus, StepSettled, StepStatus},
    operation::Action,
    plan::{ApprovedBy, Origin, Plan},
};

use crate::{
    domain::{
        Command,
        plan::PlanStatus,
        testing::{Given, added, agent, device_id, dns_plan, given, job_id, operation, plan_id, step_id},
        undo::{reversal, standing},
    },
    failure::Code,
};

const DAY_S: i64 = 24 * 3600;

fn fleet() -> Given {
    let lab = Environment::Lab;
    given([added("r1", 1, lab), added("r2", 2, lab), added("r3", 3, lab)])
}

/// A plan over three routers in two waves, under this number.
fn plan(n: u128) -> Plan {
    let mut plan = dns_plan(n, Environment::Lab, &["r1", "r2", "r3"]);
    let rest = plan.waves[0].split_off(1);
    plan.waves.push(rest);
    plan
}

fn propose(plan: &Plan, policy: Option<&str>) -> Command {
    Command::ProposePlan {
        plan: Box::new(plan.clone()),
        approval_token_sha256: "t".into(),
        policy: policy.map(str::to_owned),
        origin: Origin::default(),
    }
}

fn start(n: u128, steps: u128) -> Command {
    Command::StartJob {
        plan_id: plan_id(n),
        job_id: job_id(n),
        step_ids: (1..=steps).map(|step| step_id(100 * n + step)).collect(),
        approval_token_sha256: None,
    }
}

fn status(n: u128, status: JobStatus) -> Command {
    Command::SetJobStatus { job_id: job_id(n), status, reason: String::new() }
}

fn settle(n: u128, step: u128, device: &str, status: StepStatus) -> Command {
    Command::SettleStep(StepSettled {
        job_id: job_id(n),
        step_id: step_id(100 * n + step),
        device_id: device_id(device),
        status,
        code: (status != StepStatus::Applied).then(|| "device_unreachable".to_owned()),
        detail: String::new(),
        observed: vec![],
    })
}

/// Starts plan n and carries it out on these routers, in this order; those with `false` cannot be begun.
fn carry_out(given: &mut Given, n: u128, devices: &[(&str, bool)]) {
    given.when(&agent(), start(n, devices.len() as u128));
    given.when(&agent(), status(n, JobStatus::Running));
    for ((device, works), step) in devices.iter().zip(1u128..) {
        if *works {
            let (job_id, step_id) = (job_id(n), step_id(100 * n + step));
            let begin = Command::BeginStep { job_id, step_id, undo: false, operation_sha256: "h".into() };
            given.when(&agent(), begin);
            given.when(&agent(), settle(n, step, device, StepStatus::Applied));
        } else {
            given.when(&agent(), settle(n, step, device, StepStatus::NotApplied));
        }
    }
    let all = devices.iter().all(|(_, works)| *works);
    given.when(&agent(), status(n, if all { JobStatus::Completed } else { JobStatus::Failed }));
}

fn done() -> Given {
    let mut given = fleet();
    given.when(&agent(), propose(&plan(1), Some("immediate_writes:lab")));
    carry_out(&mut given, 1, &[("r1", true), ("r2", true), ("r3", true)]);
    given
}

/// What reverses plans, as a plan under this number.
fn undoing(given: &Given, n: u128, undoes: &[u128]) -> Plan {
    let undoes: Vec<_> = undoes.iter().copied().map(plan_id).collect();
    let mut plan = Plan { rollback_on_failure: false, ..plan(n) };
    let part = plan.waves[0][0].clone();
    let waves = reversal(&given.state, &undoes).unwrap();
    let parts = |wave: Vec<_>| {
        let part =
            |(device_id, operations)| events::plan::DevicePart { device_id, operations, ..part.clone() };
        wave.into_iter().map(part).collect()
    };
    plan.waves = waves.into_iter().map(parts).collect();
    plan.undoes = undoes;
    plan
}

const POLICY: &str = "rollback_of:";

fn policy(n: u128) -> String {
    format!("{POLICY}{}", plan_id(n))
}

fn stands(given: &Given, n: u128) -> PlanStatus {
    given.state.plans[&plan_id(n)].status
}

/// A change of a plan that must not be taken.
type Bend = Box<dyn Fn(&mut Plan)>;

#[test]
fn a_finished_plan_is_undone_wave_by_wave_from_the_last_under_its_own_approval() {
    let mut given = done();
    let back = undoing(&given, 2, &[1]);
    let devices: Vec<Vec<&str>> =
        back.waves.iter().map(|wave| wave.iter().map(|part| part.device_id.as_str()).collect()).collect();
    assert_eq!(devices, [vec!["r2", "r3"], vec!["r1"]]);
    assert_eq!(back.waves[0][0].operations, [operation("9.9.9.9", "1.1.1.1")], "the exact inverse");
    given.when(&agent(), propose(&back, Some(&policy(1))));
    let approvals = &given.state.plans[&plan_id(2)].approvals;
    assert!(matches!(&approvals[0].by, ApprovedBy::Policy(name) if *name == policy(1)));
    given.when(&agent(), start(2, 3));
    assert_eq!(stands(&given, 1), PlanStatus::RollingBack);
    given.refused(&agent(), propose(&undoing(&given, 3, &[1]), Some(&policy(1))), Code::Conflict);
    let mut given = done();
    given.when(&agent(), propose(&back, Some(&policy(1))));
    carry_out(&mut given, 2, &[("r2", true), ("r3", true), ("r1", true)]);
    assert_eq!((stands(&given, 1), stands(&given, 2)), (PlanStatus::RolledBack, PlanStatus::Completed));
    assert_eq!(standing(&given.state, plan_id(1)), []);
    let again = Plan { plan_id: plan_id(3), ..back };
    given.refused(&agent(), propose(&again, Some(&policy(1))), Code::PlanClosed);
    // What reverses is not reversed.
    let mut forth = again;
    forth.undoes = vec![plan_id(2)];
    given.refused(&agent(), propose(&forth, None), Code::Conflict);
}

#[test]
fn a_plan_that_is_not_exactly_the_undo_is_refused_whatever_approves_it() {
    let given = done();
    let right = undoing(&given, 2, &[1]);
    let forged: Vec<(&str, Bend)> = vec![
        ("another value", Box::new(|p| p.waves[0][0].operations[0] = operation("9.9.9.9", "6.6.6.6"))),
        (
            "another undo",
            Box::new(|p| {
                let other = Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![] };
                p.waves[0][0].operations[0].undo = vec![other];
            }),
        ),
        ("another expectation", Box::new(|p| p.waves[0][0].operations[0].expect_before.properties.clear())),
        ("no longer risky, or so", Box::new(|p| p.waves[0][0].operations[0].risky = Some("x".into()))),
        ("one more operation", Box::new(|p| p.waves[1][0].operations.push(operation("1.1.1.1", "6.6.6.6")))),
        ("another router", Box::new(|p| p.waves[1][0].device_id = device_id("r2"))),
        (
            "a router less",
            Box::new(|p| {
                p.waves.pop();
            }),
        ),
        ("the waves as they were", Box::new(|p| p.waves.reverse())),
        (
            "all at once",
            Box::new(|p| {
                let last = p.waves.pop().unwrap();
                p.waves[0].extend(last);
            }),
        ),
        ("twice the same", Box::new(|p| p.undoes.push(plan_id(1)))),
    ];
    for (what, forge) in forged {
        let mut plan = right.clone();
        forge(&mut plan);
        given.refused(&agent(), propose(&plan, None), Code::PlanStale);
        let refused = given.decide(&agent(), propose(&plan, Some(&policy(1))));
        assert_eq!(refused.map_err(|refusal| refusal.code), Err(Code::PlanStale), "{what}");
    }
    // These are for a person to approve, not for the approval of the plan that is undone.
    let other_way: Vec<(&str, Bend)> = vec![
        ("no pause", Box::new(|p| p.rollout.pause_seconds += 1)),
        ("without the timed undo", Box::new(|p| p.rollout.without_dead_man = true)),
        ("back and forth", Box::new(|p| p.rollback_on_failure = true)),
    ];
    for (what, forge) in other_way {
        let mut plan = right.clone();
        forge(&mut plan);
        assert!(given.decide(&agent(), propose(&plan, None)).is_ok(), "{what}");
        given.refused(&agent(), propose(&plan, Some(&policy(1))), Code::PlanStale);
    }
    for name in ["immediate_writes:lab", "workflow:x", &policy(7), POLICY] {
        given.refused(&agent(), propose(&right, Some(name)), Code::PlanStale);
    }
    let nothing = Plan { undoes: vec![], ..right.clone() };
    given.refused(&agent(), propose(&nothing, Some(&policy(1))), Code::PlanStale);
    assert!(
        given.decide(&agent(), propose(&right, Some(&policy(1)))).is_ok(),
        "the right one is not refused"
    );
}

#[test]
fn an_approval_is_good_for_its_undo_for_a_day_and_a_person_approves_later() {
    let mut given = done();
    let back = undoing(&given, 2, &[1]);
    given.after_s = DAY_S;
    assert!(given.decide(&agent(), propose(&back, Some(&policy(1)))).is_ok());
    given.after_s = DAY_S + 1;
    given.refused(&agent(), propose(&back, Some(&policy(1))), Code::PlanExpired);
    given.when(&agent(), propose(&back, None));
    given.refused(&agent(), start(2, 3), Code::PlanNotApproved);
    assert_eq!(stands(&given, 1), PlanStatus::Completed, "nothing happened yet");
}

#[test]
fn what_is_carried_out_or_never_was_is_not_undone() {
    let mut given = fleet();
    given.when(&agent(), propose(&plan(1), Some("immediate_writes:lab")));
    let undo = |given: &Given| {
        let mut plan = plan(2);
        plan.undoes = vec![plan_id(1)];
        given.decide(&agent(), propose(&plan, None)).map_err(|refusal| (refusal.code, refusal.job_id))
    };
    assert_eq!(undo(&given), Err((Code::Conflict, None)));
    given.when(&agent(), start(1, 3));
    assert_eq!(undo(&given), Err((Code::Conflict, Some(job_id(1)))));
    given.when(&agent(), status(1, JobStatus::Running));
    given.when(&agent(), status(1, JobStatus::Failed));
    assert_eq!(undo(&given), Err((Code::PlanClosed, Some(job_id(1)))), "it left nothing");
    let mut unknown = plan(2);
    unknown.undoes = vec![plan_id(9)];
    given.refused(&agent(), propose(&unknown, None), Code::UnknownPlan);
}

#[test]
fn what_could_not_be_undone_is_told_and_undone_the_next_time() {
    let mut given = done();
    given.when(&agent(), propose(&undoing(&given, 2, &[1]), Some(&policy(1))));
    carry_out(&mut given, 2, &[("r2", true), ("r3", false), ("r1", true)]);
    assert_eq!(stands(&given, 1), PlanStatus::PartiallyRolledBack);
    let left = standing(&given.state, plan_id(1));
    assert_eq!(left.iter().map(|left| left.device_id.as_str()).collect::<Vec<_>>(), ["r3"]);
    // In vain: it stands as it stood.
    given.when(&agent(), propose(&undoing(&given, 3, &[1]), Some(&policy(1))));
    carry_out(&mut given, 3, &[("r3", false)]);
    assert_eq!(stands(&given, 1), PlanStatus::PartiallyRolledBack);
    given.when(&agent(), propose(&undoing(&given, 4, &[1]), Some(&policy(1))));
    carry_out(&mut given, 4, &[("r3", true)]);
    assert_eq!(stands(&given, 1), PlanStatus::RolledBack);
}

#[test]
fn nothing_undone_leaves_the_plan_as_it_stood() {
    let mut given = done();
    given.when(&agent(), propose(&undoing(&given, 2, &[1]), Some(&policy(1))));
    carry_out(&mut given, 2, &[("r2", false), ("r3", false), ("r1", false)]);
    assert_eq!(stands(&given, 1), PlanStatus::Completed);
}

#[test]
fn what_was_proposed_twice_is_started_once() {
    let mut given = done();
    let back = undoing(&given, 2, &[1]);
    given.when(&agent(), propose(&back, Some(&policy(1))));
    given.when(&agent(), propose(&Plan { plan_id: plan_id(3), ..back }, Some(&policy(1))));
    given.when(&agent(), start(2, 3));
    given.refused(&agent(), start(3, 3), Code::Conflict);
    let mut given = done();
    let back = undoing(&given, 2, &[1]);
    given.when(&agent(), propose(&back, Some(&policy(1))));
    given.when(&agent(), propose(&Plan { plan_id: plan_id(3), ..back }, Some(&policy(1))));
    carry_out(&mut given, 2, &[("r2", true), ("r3", false), ("r1", true)]);
    given.refused(&agent(), start(3, 3), Code::PlanStale);
}

#[test]
fn another_box_is_not_undone() {
    let mut given = fleet();
    let bound =
        |given: &Given, name: &str| crate::domain::job::bound_sha256(&given.state.devices[&device_id(name)]);
    let mut first = plan(1);
    for part in first.waves.iter_mut().flatten() {
        part.bound_sha256 = bound(&given, part.device_id.as_str());
    }
    given.when(&agent(), propose(&first, Some("immediate_writes:lab")));
    carry_out(&mut given, 1, &[("r1", true), ("r2", true), ("r3", true)]);
    let with_bounds = |given: &Given, n| {
        let mut back = undoing(given, n, &[1]);
        for part in back.waves.iter_mut().flatten() {
            part.bound_sha256 = bound(given, part.device_id.as_str());
        }
        back
    };
    assert!(given.decide(&agent(), propose(&with_bounds(&given, 2), Some(&policy(1)))).is_ok());
    given.refused(&agent(), propose(&undoing(&given, 2, &[1]), Some(&policy(1))), Code::PlanStale);
    let trust = Trust::SpkiPin { sha256: "a".repeat(64) };
    given.when(&agent(), Command::TrustDevice { device_id: device_id("r2"), trust });
    given.refused(&agent(), propose(&with_bounds(&given, 2), Some(&policy(1))), Code::PlanStale);
}

#[test]
fn a_session_is_undone_newest_first_by_one_plan() {
    let mut given = done();
    let mut second = dns_plan(2, Environment::Lab, &["r2"]);
    second.waves[0][0].operations = vec![operation("9.9.9.9", "8.8.8.8")];
    given.when(&agent(), propose(&second, Some("immediate_writes:lab")));
    carry_out(&mut given, 2, &[("r2", true)]);
    // Alone, the older one is no longer what the router shows; that is for who looks at the router to say.
    let back = undoing(&given, 3, &[2, 1]);
    let devices: Vec<Vec<&str>> =
        back.waves.iter().map(|wave| wave.iter().map(|part| part.device_id.as_str()).collect()).collect();
    assert_eq!(devices, [vec!["r2"], vec!["r3"], vec!["r1"]]);
    assert_eq!(
        back.waves[0][0].operations,
        [operation("8.8.8.8", "9.9.9.9"), operation("9.9.9.9", "1.1.1.1")]
    );
    let mut wrong = back.clone();
    wrong.undoes.reverse();
    given.refused(&agent(), propose(&wrong, None), Code::PlanStale);
    given.refused(&agent(), propose(&back, Some(&policy(2))), Code::PlanStale);
    given.when(&agent(), propose(&back, None));
    given.when(
        &crate::domain::testing::alice(),
        Command::ApprovePlan {
            plan_id: plan_id(3),
            plan_hash: given.state.plans[&plan_id(3)].plan_hash.clone(),
            comment: String::new(),
            personal: true,
        },
    );
    // The newest change of r2 is undone, the older one is not.
    let person =
        crate::domain::testing::actor("p", events::principal::Role::OpsRw, events::principal::Door::Cli);
    given.when(&person, start(3, 4));
    given.when(&agent(), status(3, JobStatus::Running));
    let begin = |step| Command::BeginStep {
        job_id: job_id(3),
        step_id: step_id(300 + step),
        undo: false,
        operation_sha256: "h".into(),
    };
    given.when(&agent(), begin(1));
    given.when(&agent(), settle(3, 1, "r2", StepStatus::Applied));
    given.when(&agent(), settle(3, 2, "r2", StepStatus::NotApplied));
    for (step, device) in [(3, "r3"), (4, "r1")] {
        given.when(&agent(), begin(step));
        given.when(&agent(), settle(3, step, device, StepStatus::Applied));
    }
    given.when(&agent(), status(3, JobStatus::Failed));
    assert_eq!(
        (stands(&given, 2), stands(&given, 1)),
        (PlanStatus::RolledBack, PlanStatus::PartiallyRolledBack)
    );
    let left = standing(&given.state, plan_id(1));
    assert_eq!(left.iter().map(|left| left.device_id.as_str()).collect::<Vec<_>>(), ["r2"]);
}
