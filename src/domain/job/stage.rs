//! What stories of whole rollouts are told with: plans, devices, wishes, and what they need.

#![allow(missing_docs, reason = "names of a test harness speak for themselves")]

use std::collections::BTreeSet;

use events::{
    device::Environment,
    event::Event,
    gate::{DeadManSettled, DeadManStatus, GateSample, Vitals},
    ids::WaveNo,
    job::{Direction, JobStatus, StepSettled, StepStatus},
    operation::Action,
    plan::{DeadMan, GatePolicy, Origin, Plan, Rollout, Rung},
    principal::{Actor, Door, Role},
};

use crate::domain::{
    Command,
    job::{JobState, Need, next},
    testing::{Given, NOON, actor, added, agent, device_id, dns_plan, given, job_id, plan_id, step_id},
};

/// Whoever operates, at a door of people.
pub(super) fn person() -> Actor {
    actor("token:operator", Role::OpsRw, Door::Cli)
}

pub(super) fn skip(name: &str) -> Command {
    let direction = Direction::Skip(device_id(name));
    Command::DirectJob { job_id: job_id(1), direction, reason: "seen".into() }
}

/// Three devices in two waves, with a gate, 30 s of soak and a minute of pause.
pub(super) fn rollout() -> Plan {
    let mut plan = dns_plan(1, Environment::Lab, &["r1", "r2", "r3"]);
    let rest = plan.waves[0].split_off(1);
    plan.waves.push(rest);
    plan.rollout = Rollout {
        pause_seconds: 60,
        soak_seconds: 30,
        gate: Some(GatePolicy::default()),
        ..Rollout::default()
    };
    plan
}

/// The same under a timed undo.
pub(super) fn guarded() -> Plan {
    let mut plan = rollout();
    for part in plan.waves.iter_mut().flatten() {
        part.operations[0].risky = Some("it may cut our way".into());
        part.dead_man = Some(DeadMan {
            rung: Rung::TimerJob,
            seconds: 120,
            arm: Action::Command { menu: "/".into(), command: "execute".into(), properties: vec![] },
            menu: "/system/script/job".into(),
            name: None,
        });
    }
    plan
}

pub(super) fn running(plan: Plan) -> Given {
    let mut given = given((1..=3).map(|n| added(&format!("r{n}"), n, Environment::Lab)));
    propose_and_start(&mut given, plan, 1);
    given
}

pub(super) fn propose_and_start(given: &mut Given, plan: Plan, job: u128) {
    let plan_id = plan.plan_id;
    let steps = plan.waves.iter().flatten().map(|part| part.operations.len()).sum();
    given.when(
        &agent(),
        Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some("p".into()),
            origin: Origin::default(),
        },
    );
    given.when(
        &agent(),
        Command::StartJob {
            plan_id,
            job_id: job_id(job),
            step_ids: (1..).map(|n| step_id(100 * (job - 1) + n)).take(steps).collect(),
            approval_token_sha256: None,
        },
    );
    given.when(&agent(), status_of(job, JobStatus::Running));
}

pub(super) fn status_of(job: u128, status: JobStatus) -> Command {
    Command::SetJobStatus { job_id: job_id(job), status, reason: String::new() }
}

pub(super) fn needs(given: &Given) -> Vec<Need> {
    let job = &given.state.jobs[&job_id(1)];
    let now = NOON.plus_secs(given.after_s);
    next(job, &given.state.plans[&plan_id(1)].plan, now, &BTreeSet::new())
}

pub(super) fn job(given: &Given) -> &JobState {
    &given.state.jobs[&job_id(1)]
}

pub(super) fn begin(n: u128, undo: bool) -> Command {
    Command::BeginStep { job_id: job_id(1), step_id: step_id(n), undo, operation_sha256: "h".into() }
}

pub(super) fn settled(n: u128, status: StepStatus) -> Command {
    Command::SettleStep(StepSettled {
        job_id: job_id(1),
        step_id: step_id(n),
        device_id: device_id(&format!("r{n}")),
        status,
        code: (status == StepStatus::NotApplied).then(|| "device_unreachable".into()),
        detail: String::new(),
        observed: vec![],
    })
}

pub(super) fn write(given: &mut Given, n: u128, undo: bool, status: StepStatus) {
    given.when(&agent(), begin(n, undo));
    given.when(&agent(), settled(n, status));
}

pub(super) fn look(wave: u32, sample: u8, devices: &[&str], cpu: u8) -> Command {
    let device = |name: &&str| GateSample {
        device_id: device_id(name),
        vitals: Some(Vitals {
            cpu_percent: cpu,
            memory_percent: 10,
            disk_percent: 10,
            temperature_celsius: None,
            uptime_seconds: 1000,
        }),
        problem: None,
        notes: vec![],
    };
    let devices = devices.iter().map(device).collect();
    Command::RecordGate { job_id: job_id(1), wave: WaveNo(wave), sample, devices }
}

/// The three looks after a wave, and the verdict; true when it passed.
pub(super) fn judge(given: &mut Given, wave: u32, devices: &[&str], cpu: u8) -> bool {
    for sample in 1..=3 {
        given.after_s += 10;
        assert_eq!(needs(given), [Need::Sample { wave: WaveNo(wave), sample }]);
        given.when(&agent(), look(wave, sample, devices, cpu));
    }
    assert_eq!(needs(given), [Need::Judge(WaveNo(wave))]);
    let events = given.when(&agent(), Command::JudgeGate { job_id: job_id(1), wave: WaveNo(wave) });
    matches!(&events[0], Event::GateJudged(judged) if judged.passed)
}

pub(super) fn step(n: u128, undo: bool) -> Need {
    Need::Write { step_id: step_id(n), undo }
}

pub(super) fn dead_man(name: &str, disarm: bool) -> Command {
    let operation_sha256 = "h".into();
    Command::BeginDeadMan { job_id: job_id(1), device_id: device_id(name), disarm, operation_sha256 }
}

pub(super) fn dead_man_is(name: &str, status: DeadManStatus) -> Command {
    Command::SettleDeadMan(DeadManSettled {
        job_id: job_id(1),
        device_id: device_id(name),
        status,
        reference: (status == DeadManStatus::Armed).then(|| "*7".into()),
        code: (status == DeadManStatus::NotArmed).then(|| "device_refused".into()),
        detail: String::new(),
    })
}

pub(super) fn wants(given: &Given, status: JobStatus) -> bool {
    matches!(needs(given).as_slice(), [Need::Status(wanted, _)] if *wanted == status)
}
