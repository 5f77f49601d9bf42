//! The part of evidence that people read, made from the proven events and nothing else.
//!
//! Its words belong to the format's number: a file that was ever written must come out the same for ever. What is to be
//! told differently gets the next number (`docs/evidence.md`).

use std::collections::{BTreeMap, BTreeSet};

use events::{
    device::Environment,
    event::{Envelope, Event},
    gate::DeadManStatus,
    ids::{DeviceId, JobId, Moment, PlanId, Seq, StepId},
    job::{Direction, JobStatus, StepStatus},
    plan::{ApprovedBy, DevicePart, PlanProposed, RiskLevel},
    principal::{Actor, Door, Role},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    changes::diff_lines, domain::plan::PlanStatus, projections::evidence::timeline::Line,
    routeros::text::clean,
};

/// A plan and what became of it, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Readable {
    /// What the plan is for, in one line.
    summary: String,
    /// The tool that proposed it.
    tool: String,
    environment: Environment,
    /// SHA-256 over the plan: what was approved.
    plan_hash: String,
    /// Where the plan stood at the checkpoint.
    status: PlanStatus,
    /// The highest of its devices.
    risk_level: RiskLevel,
    rollback_on_failure: bool,
    /// Why it was made, in the requester's words.
    reason: String,
    /// The plans that this one reverses.
    undoes: Vec<PlanId>,
    pause_seconds: u32,
    soak_seconds: u32,
    /// True when waves were judged by a gate.
    gated: bool,
    /// Risky operations might be made without a timed undo on the router.
    without_dead_man: bool,
    /// How many persons had to approve it.
    approvals_needed: u8,
    /// The program that asked, as it named itself.
    client: String,
    /// The caller's own word for its session.
    correlation_id: String,
    proposed: Act,
    /// Who said yes or no, in order.
    decisions: Vec<Decision>,
    devices: Vec<Device>,
    job: Option<Job>,
    /// Verdicts of gates, in order.
    gates: Vec<Gate>,
    /// Every event of this file but the store's first, in order.
    timeline: Vec<Line>,
    /// When all of this was so.
    as_of: AsOf,
}

/// Somebody did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Act {
    /// The principal's stable name.
    by: String,
    /// The person or program that it stands for.
    label: String,
    role: Role,
    door: Door,
    at: Moment,
    seq: Seq,
}

/// A yes or a no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Decision {
    decision: Word,
    /// The rule of the configuration that said yes; absent when a person did.
    policy: Option<String>,
    comment: String,
    #[serde(flatten)]
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    Approved,
    Rejected,
}

/// One device's part, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Device {
    device_id: DeviceId,
    /// Counted from 1.
    wave: u32,
    risk_score: u8,
    risk_reasons: Vec<String>,
    /// Checks made before that did not hold: `CHECK: NOTE`.
    warnings: Vec<String>,
    /// Where the router's own undo stood last, if there was one.
    dead_man: Option<DeadManStatus>,
    /// True when a person left the device as it was.
    skipped: bool,
    steps: Vec<Step>,
}

/// The verdict on one wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Gate {
    wave: u32,
    passed: bool,
    reasons: Vec<String>,
    at: Moment,
    seq: Seq,
}

/// One operation, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Step {
    /// Absent before the plan was started.
    step_id: Option<StepId>,
    /// What differs, one line a property.
    changes: Vec<String>,
    status: StepStatus,
    /// Writes that were begun, undoing included.
    attempts: u32,
    /// True when its undo was begun.
    undo: bool,
    /// Our word for its failure.
    code: Option<String>,
    /// RouterOS's own words.
    detail: String,
    /// What was read back last.
    observed: BTreeMap<String, Option<String>>,
    /// When that was.
    settled_at: Option<Moment>,
}

/// The carrying out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Job {
    job_id: JobId,
    status: JobStatus,
    /// Why, where a reason was given.
    reason: String,
    started: Act,
    ended_at: Option<Moment>,
}

/// What the checkpoint speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AsOf {
    /// When it was signed.
    pub at: Moment,
    /// The newest event then.
    pub seq: Seq,
    /// Events of the ledger then.
    pub leaves: u64,
}

/// What the steps of a plan came to, by device and operation.
#[derive(Debug, Clone, Default)]
struct Outcome {
    step_id: Option<StepId>,
    status: Option<StepStatus>,
    attempts: u32,
    undo: bool,
    code: Option<String>,
    detail: String,
    observed: BTreeMap<String, Option<String>>,
    settled_at: Option<Moment>,
}

/// The readable part of a plan's events.
#[must_use]
pub(super) fn readable(
    proposed: &PlanProposed,
    origin: &Envelope,
    events: &[Envelope],
    as_of: AsOf,
) -> Readable {
    let plan = &proposed.plan;
    let outcomes = outcomes(events);
    let job = job(events);
    let (dead_men, skipped) = (dead_men(events), skipped(events));
    let device = |part: &DevicePart, wave: u32| Device {
        device_id: part.device_id.clone(),
        wave,
        risk_score: part.risk.score,
        risk_reasons: part.risk.reasons.iter().map(|reason| clean(reason)).collect(),
        warnings: part
            .checks
            .iter()
            .filter(|check| !check.passed)
            .map(|check| clean(&format!("{}: {}", check.check, check.note)))
            .collect(),
        dead_man: dead_men.get(&part.device_id).copied(),
        skipped: skipped.contains(&part.device_id),
        steps: (0u32..)
            .zip(&part.operations)
            .map(|(number, operation)| {
                let found = outcomes.get(&(part.device_id.clone(), number)).cloned().unwrap_or_default();
                Step {
                    step_id: found.step_id,
                    changes: diff_lines(operation).iter().map(|line| clean(line)).collect(),
                    status: found.status.unwrap_or(StepStatus::Waiting),
                    attempts: found.attempts,
                    undo: found.undo,
                    code: found.code,
                    detail: clean(&found.detail),
                    observed: found.observed,
                    settled_at: found.settled_at,
                }
            })
            .collect(),
    };
    Readable {
        summary: clean(&plan.summary),
        tool: clean(&plan.tool),
        environment: plan.environment,
        plan_hash: clean(&proposed.plan_hash),
        status: status(usize::from(proposed.approvals_needed), events),
        risk_level: plan.waves.iter().flatten().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low),
        rollback_on_failure: plan.rollback_on_failure,
        reason: clean(&plan.reason),
        undoes: plan.undoes.clone(),
        pause_seconds: plan.rollout.pause_seconds,
        soak_seconds: plan.rollout.soak_seconds,
        gated: plan.rollout.gate.is_some(),
        without_dead_man: plan.rollout.without_dead_man,
        approvals_needed: proposed.approvals_needed,
        client: clean(&proposed.origin.client),
        correlation_id: clean(&proposed.origin.correlation_id),
        proposed: act(&proposed.by, origin),
        decisions: events.iter().filter_map(decision).collect(),
        devices: (1u32..)
            .zip(&plan.waves)
            .flat_map(|(wave, parts)| parts.iter().map(move |part| (part, wave)))
            .map(|(part, wave)| device(part, wave))
            .collect(),
        job,
        gates: events.iter().filter_map(gate).collect(),
        timeline: events.iter().map(Line::of).collect(),
        as_of,
    }
}

fn act(by: &Actor, envelope: &Envelope) -> Act {
    Act {
        by: clean(&by.name),
        label: clean(&by.label),
        role: by.role,
        door: by.door,
        at: envelope.at,
        seq: envelope.seq,
    }
}

fn decision(envelope: &Envelope) -> Option<Decision> {
    match &envelope.event {
        Event::PlanApproved(e) => {
            let (policy, by) = match &e.by {
                ApprovedBy::Person(person) => (None, person),
                ApprovedBy::Policy(policy) => (Some(clean(policy)), &envelope.actor),
            };
            let act = act(by, envelope);
            Some(Decision { decision: Word::Approved, policy, comment: clean(&e.comment), act })
        }
        Event::PlanRejected(e) => {
            let act = act(&e.by, envelope);
            Some(Decision { decision: Word::Rejected, policy: None, comment: clean(&e.comment), act })
        }
        _ => None,
    }
}

/// Where the plan stands after its events.
fn status(approvals_needed: usize, events: &[Envelope]) -> PlanStatus {
    let (mut status, mut approvals) = (PlanStatus::Pending, 0);
    for envelope in events {
        status = match &envelope.event {
            Event::PlanApproved(e) => {
                approvals += 1;
                let enough = approvals >= approvals_needed || matches!(e.by, ApprovedBy::Policy(_));
                if !enough {
                    continue;
                }
                PlanStatus::Approved
            }
            Event::PlanRejected(_) => PlanStatus::Rejected,
            Event::PlanExpired(_) => PlanStatus::Expired,
            Event::PlanStale(_) => PlanStatus::Stale,
            Event::JobStarted(_) => PlanStatus::Executing,
            Event::JobStatusChanged(e) => match e.status {
                JobStatus::Pending | JobStatus::Running | JobStatus::Halted | JobStatus::Stuck => {
                    PlanStatus::Executing
                }
                JobStatus::RollingBack => PlanStatus::RollingBack,
                JobStatus::Completed => PlanStatus::Completed,
                JobStatus::Failed => PlanStatus::Failed,
                JobStatus::Cancelled => PlanStatus::Cancelled,
                JobStatus::RolledBack => PlanStatus::RolledBack,
                JobStatus::PartiallyRolledBack => PlanStatus::PartiallyRolledBack,
            },
            _ => continue,
        };
    }
    status
}

fn job(events: &[Envelope]) -> Option<Job> {
    let mut job: Option<Job> = None;
    for envelope in events {
        match (&envelope.event, &mut job) {
            (Event::JobStarted(e), _) => {
                job = Some(Job {
                    job_id: e.job_id,
                    status: JobStatus::Pending,
                    reason: String::new(),
                    started: act(&e.by, envelope),
                    ended_at: None,
                });
            }
            (Event::JobStatusChanged(e), Some(job)) => {
                job.status = e.status;
                job.reason = clean(&e.reason);
                job.ended_at = e.status.is_over().then_some(envelope.at);
            }
            _ => {}
        }
    }
    job
}

fn gate(envelope: &Envelope) -> Option<Gate> {
    let Event::GateJudged(e) = &envelope.event else { return None };
    let reasons = e.reasons.iter().map(|reason| clean(reason)).collect();
    Some(Gate { wave: e.wave.0, passed: e.passed, reasons, at: envelope.at, seq: envelope.seq })
}

fn dead_men(events: &[Envelope]) -> BTreeMap<DeviceId, DeadManStatus> {
    let stands = |envelope: &Envelope| match &envelope.event {
        Event::DeadManStarted(e) if e.disarm => Some((e.device_id.clone(), DeadManStatus::Disarming)),
        Event::DeadManStarted(e) => Some((e.device_id.clone(), DeadManStatus::Arming)),
        Event::DeadManSettled(e) => Some((e.device_id.clone(), e.status)),
        _ => None,
    };
    events.iter().filter_map(stands).collect()
}

fn skipped(events: &[Envelope]) -> BTreeSet<DeviceId> {
    let left = |envelope: &Envelope| match &envelope.event {
        Event::JobDirected(e) => match &e.direction {
            Direction::Skip(device_id) => Some(device_id.clone()),
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(left).collect()
}

fn outcomes(events: &[Envelope]) -> BTreeMap<(DeviceId, u32), Outcome> {
    let mut places: BTreeMap<StepId, (DeviceId, u32)> = BTreeMap::new();
    let mut outcomes: BTreeMap<(DeviceId, u32), Outcome> = BTreeMap::new();
    for envelope in events {
        match &envelope.event {
            Event::JobStarted(e) => {
                for layout in &e.steps {
                    let place = (layout.device_id.clone(), layout.operation);
                    places.insert(layout.step_id, place.clone());
                    outcomes.insert(place, Outcome { step_id: Some(layout.step_id), ..Outcome::default() });
                }
            }
            Event::StepStarted(e) => {
                if let Some(outcome) = places.get(&e.step_id).and_then(|place| outcomes.get_mut(place)) {
                    outcome.status = Some(StepStatus::Started);
                    outcome.attempts += 1;
                    outcome.undo |= e.undo;
                }
            }
            Event::StepSettled(e) => {
                if let Some(outcome) = places.get(&e.step_id).and_then(|place| outcomes.get_mut(place)) {
                    outcome.status = Some(e.status);
                    outcome.code = e.code.as_deref().map(clean);
                    outcome.detail.clone_from(&e.detail);
                    let shown =
                        |(name, value): &(String, Option<String>)| (clean(name), value.as_deref().map(clean));
                    outcome.observed = e.observed.iter().map(shown).collect();
                    outcome.settled_at = Some(envelope.at);
                }
            }
            _ => {}
        }
    }
    outcomes
}

impl Readable {
    /// What the plan is for.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Where it stood at the checkpoint.
    #[must_use]
    pub const fn status(&self) -> PlanStatus {
        self.status
    }

    /// What was approved.
    #[must_use]
    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }
}
