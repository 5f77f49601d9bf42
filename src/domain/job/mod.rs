//! Rules about jobs: one open job a device, a ticket before every write, never a second write of anything that is not
//! settled by reading, and no write to a later wave before the gate of the earlier one has passed.
//!
//! [`next`] says what an open job needs now. It is asked again after every event, so going on after a crash is the
//! everyday path.

mod dead_man;
mod direct;
#[cfg(test)]
mod edge_tests;
mod next;
mod progress;
#[cfg(test)]
mod stage;
mod start;
mod step;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use events::{
    event::Event,
    gate::GateSample,
    ids::{DeviceId, JobId, Moment, PlanId, StepId, WaveNo},
    job::{Direction, JobStatus, StepLayout, StepStatus},
    operation::{Action, Operation},
    plan::{DevicePart, GatePolicy, Plan},
    principal::Actor,
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Refusal, State, gate,
        plan::{self, PlanStatus},
    },
    failure::Code,
};

pub use dead_man::{DeadManState, arming_failed};
pub(super) use dead_man::{begin as begin_dead_man, settle as settle_dead_man};
pub(super) use direct::{cancel, direct, judge_gate, record_gate, set_status, stale};
pub use next::{Need, next};
pub use progress::{Waits, directions, may_cancel};
pub use start::bound_sha256;
pub(super) use start::start;
pub use step::wave_is_open;
pub(super) use step::{begin as begin_step, settle as settle_step};

/// How often one operation is sent at most; each further try follows a reading that shows the state before.
pub const ATTEMPTS_MAX: u32 = 3;
/// Looks at each device of a wave after it: two of three must be well (DECISIONS: jobs on routers, 2).
pub const SOAK_SAMPLES: u8 = 3;

/// A step as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Its place in the job.
    pub layout: StepLayout,
    /// Where it stands.
    pub status: StepStatus,
    /// How many intents there were.
    pub attempts: u32,
    /// How many of them since it was begun, or since a person had it tried again.
    pub tries: u32,
    /// True once the undo was begun: the step's end is then judged against the state before.
    pub undo: bool,
    /// It could not be begun, and is not tried again by itself.
    pub given_up: bool,
    /// Our word for its failure.
    pub code: Option<String>,
    /// RouterOS's words. Untrusted.
    pub detail: String,
    /// What was read back last.
    pub observed: Vec<(String, Option<String>)>,
}

impl StepState {
    /// True when reading must tell what became of it.
    #[must_use]
    pub const fn is_unsettled(&self) -> bool {
        matches!(self.status, StepStatus::Started | StepStatus::InDoubt)
    }

    /// True when the router has the change, as read.
    #[must_use]
    pub const fn is_on_router(&self) -> bool {
        matches!(self.status, StepStatus::Applied | StepStatus::Held)
    }

    /// True when the router may have the change, or something else that came of it.
    #[must_use]
    pub const fn may_stand(&self) -> bool {
        self.is_on_router() || self.is_unsettled() || matches!(self.status, StepStatus::Diverged)
    }

    /// True when it is not done and will not be by itself.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        match self.status {
            StepStatus::Refused | StepStatus::RevertedByRouter => true,
            StepStatus::NotApplied => self.given_up || self.tries >= ATTEMPTS_MAX,
            _ => false,
        }
    }

    /// True when it may be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, StepStatus::Waiting | StepStatus::NotApplied) && !self.has_failed()
    }
}

/// A wave as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaveState {
    /// The looks at its devices: the first one before the wave.
    pub samples: Vec<Vec<GateSample>>,
    /// When its last step was settled.
    pub settled_at: Option<Moment>,
    /// What the rules said of its gate.
    pub judged: Option<Judged>,
    /// A person had it looked at again: that a device rebooted before is known.
    pub looked_again: bool,
}

impl WaveState {
    /// What its looks say of it.
    #[must_use]
    pub fn verdict(&self, policy: &GatePolicy) -> gate::Verdict {
        gate::judge(policy, &self.samples, self.looked_again)
    }

    /// What its looks say of one device.
    #[must_use]
    pub fn verdict_on(&self, policy: &GatePolicy, device_id: &DeviceId) -> gate::Verdict {
        gate::judge_one(policy, &self.samples, self.looked_again, device_id)
    }
}

/// A verdict of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// When.
    pub at: Moment,
    /// The next wave may follow.
    pub passed: bool,
    /// A person let it pass although it had failed.
    pub accepted: bool,
    /// Why.
    pub reasons: Vec<String>,
}

/// A wish that a job ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelWish {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Moment,
    /// Why, in their words.
    pub reason: String,
}

/// A job as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    /// Its id.
    pub job_id: JobId,
    /// Its plan.
    pub plan_id: PlanId,
    /// Who started it.
    pub by: Actor,
    /// Where it stands.
    pub status: JobStatus,
    /// Why, in one line made by us.
    pub reason: String,
    /// When it was started.
    pub started_at: Moment,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// True once it began to undo: it never goes forward again.
    pub rolling_back: bool,
    /// Its steps, in order.
    pub steps: Vec<StepState>,
    /// Its waves, in order.
    pub waves: Vec<WaveState>,
    /// Timed undos on routers.
    pub dead_men: BTreeMap<DeviceId, DeadManState>,
    /// Somebody wants it to end.
    pub cancel: Option<CancelWish>,
    /// Devices that a person left as they are.
    pub skipped: BTreeSet<DeviceId>,
}

impl JobState {
    /// The step, if the job has it.
    #[must_use]
    pub fn step(&self, step_id: StepId) -> Option<&StepState> {
        self.steps.iter().find(|step| step.layout.step_id == step_id)
    }

    /// The steps of a device, in order.
    pub fn steps_of<'a>(&'a self, device_id: &'a DeviceId) -> impl DoubleEndedIterator<Item = &'a StepState> {
        self.steps.iter().filter(move |step| step.layout.device_id == *device_id)
    }

    /// A wave, counted from 1.
    #[must_use]
    pub fn wave(&self, wave: WaveNo) -> Option<&WaveState> {
        self.waves.get(usize::try_from(wave.0).ok()?.checked_sub(1)?)
    }

    /// True when something that was sent, or a timed undo, must still be settled on a device that is not left alone.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        let step = |s: &StepState| s.is_unsettled() && !self.skipped.contains(&s.layout.device_id);
        self.steps.iter().any(step)
            || self.dead_men.iter().any(|(device, man)| man.is_unsettled() && !self.skipped.contains(device))
    }

    /// True when a timed undo could not be armed, on a device that is not left alone.
    #[must_use]
    pub fn dead_man_failed(&self) -> bool {
        self.dead_men.keys().any(|device| arming_failed(self, device) && !self.skipped.contains(device))
    }

    /// True when a device was touched at all.
    #[must_use]
    pub fn has_begun(&self, device_id: &DeviceId) -> bool {
        self.dead_men.contains_key(device_id)
            || self.steps_of(device_id).any(|step| step.attempts > 0 || step.status != StepStatus::Waiting)
    }
}

/// The part of a device in a plan.
#[must_use]
pub fn part_of<'a>(plan: &'a Plan, device_id: &DeviceId) -> Option<&'a DevicePart> {
    plan.waves.iter().flatten().find(|part| part.device_id == *device_id)
}

/// The operation of a step in its plan.
#[must_use]
pub fn operation_of<'a>(plan: &'a Plan, layout: &StepLayout) -> Option<&'a Operation> {
    part_of(plan, &layout.device_id)?.operations.get(usize::try_from(layout.operation).ok()?)
}

/// What will be sent for a step: its action, or its undo. An undo is one action (see [`plan`]): it has one intent and is
/// settled by one reading.
#[must_use]
pub fn action_of(operation: &Operation, undo: bool) -> Option<&Action> {
    if undo { operation.undo.first() } else { Some(&operation.action) }
}

fn find(state: &State, job_id: JobId) -> Result<&JobState, Refusal> {
    state
        .jobs
        .get(&job_id)
        .ok_or_else(|| Refusal::new(Code::UnknownJob, format!("there is no job `{job_id}`")))
}

fn plan_of<'a>(state: &'a State, job: &JobState) -> Result<&'a Plan, Refusal> {
    plan::find(state, job.plan_id).map(|plan| &*plan.plan)
}

/// The box of a part is the one that the plan was made for.
fn still_that_box(state: &State, part: &DevicePart) -> Result<(), Refusal> {
    let device = state.device(&part.device_id)?;
    if part.bound_sha256.is_empty() || part.bound_sha256 == bound_sha256(device) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::PlanStale,
        format!(
            "address or key of device `{}` changed since the plan was made; propose the change again",
            part.device_id
        ),
    ))
}

pub(super) fn apply(state: &mut State, event: &Event, at: Moment) {
    match event {
        Event::JobStarted(e) => {
            for step in &e.steps {
                state.leases.insert(step.device_id.clone(), e.job_id);
            }
            plan::change(state, e.plan_id, |plan| {
                plan.status = PlanStatus::Executing;
                plan.job_id = Some(e.job_id);
            });
            plan::undoing(state, e.plan_id, PlanStatus::RollingBack);
            let waves = e.steps.iter().map(|step| step.wave.0).max().unwrap_or(0);
            let job = JobState {
                job_id: e.job_id,
                plan_id: e.plan_id,
                by: e.by.clone(),
                status: JobStatus::Pending,
                reason: String::new(),
                started_at: at,
                ended_at: None,
                rolling_back: false,
                steps: e.steps.iter().cloned().map(fresh_step).collect(),
                waves: (0..waves).map(|_| WaveState::default()).collect(),
                dead_men: BTreeMap::new(),
                cancel: None,
                skipped: BTreeSet::new(),
            };
            state.jobs.insert(e.job_id, job);
        }
        Event::StepStarted(e) => change(state, e.job_id, |job| {
            let Some(step) = step_mut(job, e.step_id) else { return };
            step.status = StepStatus::Started;
            step.attempts = e.attempt;
            step.tries = if step.undo == e.undo { step.tries + 1 } else { 1 };
            step.undo = e.undo;
            // A verdict is about what was written before it: what is tried again, or goes on, has a gate of its own.
            let wave = step.layout.wave;
            if let Some(wave) = wave_mut(job, wave).filter(|_| !e.undo) {
                wave.judged = None;
                wave.samples.truncate(1);
            }
        }),
        Event::StepSettled(e) => change(state, e.job_id, |job| {
            let Some(step) = step_mut(job, e.step_id) else { return };
            // Nothing was sent: it could not be begun.
            step.given_up = e.status == StepStatus::NotApplied && !step.is_unsettled();
            step.status = e.status;
            step.code.clone_from(&e.code);
            step.detail.clone_from(&e.detail);
            // What is known of a record that was added is kept while nothing newer is.
            if !e.observed.is_empty() || !step.is_unsettled() {
                step.observed.clone_from(&e.observed);
            }
            let wave = step.layout.wave;
            if let Some(wave) = wave_mut(job, wave) {
                wave.settled_at = Some(at);
            }
        }),
        Event::JobCancelRequested(e) => change(state, e.job_id, |job| {
            job.cancel.get_or_insert(CancelWish { by: e.by.clone(), at, reason: e.reason.clone() });
        }),
        Event::JobDirected(e) => change(state, e.job_id, |job| directed(job, &e.direction, at)),
        Event::GateSampled(e) => change(state, e.job_id, |job| {
            if let Some(wave) = wave_mut(job, e.wave) {
                wave.samples.push(e.devices.clone());
            }
        }),
        Event::GateJudged(e) => change(state, e.job_id, |job| {
            if let Some(wave) = wave_mut(job, e.wave) {
                let (passed, reasons) = (e.passed, e.reasons.clone());
                wave.judged = Some(Judged { at, passed, accepted: false, reasons });
            }
        }),
        Event::DeadManStarted(e) => change(state, e.job_id, |job| {
            let man = job.dead_men.entry(e.device_id.clone()).or_insert_with(|| DeadManState::new(at));
            man.started(e, at);
            // What it undoes is everything of the device: also what was confirmed before it was tried again.
            let again = |step: &&mut StepState| {
                !e.disarm && step.layout.device_id == e.device_id && step.status == StepStatus::Applied
            };
            job.steps.iter_mut().filter(again).for_each(|step| step.status = StepStatus::Held);
        }),
        Event::DeadManSettled(e) => change(state, e.job_id, |job| {
            if let Some(man) = job.dead_men.get_mut(&e.device_id) {
                man.settled(e, at);
            }
        }),
        Event::JobStatusChanged(e) => {
            change(state, e.job_id, |job| {
                job.status = e.status;
                job.reason.clone_from(&e.reason);
                job.ended_at = e.status.is_over().then_some(at);
                job.rolling_back |= e.status == JobStatus::RollingBack;
            });
            if e.status.is_over() {
                state.leases.retain(|_, holder| *holder != e.job_id);
                plan::undone(state, e.plan_id, e.job_id);
            }
            plan::change(state, e.plan_id, |plan| {
                plan.status = plan_status_of(e.status);
                plan.ended_at = e.status.is_over().then_some(at);
            });
        }
        _ => {}
    }
}

/// What a person's decision means for the steps.
fn directed(job: &mut JobState, direction: &Direction, at: Moment) {
    match direction {
        Direction::Skip(device_id) => {
            job.skipped.insert(device_id.clone());
            // A gate that failed is judged anew, without that device; with no device left its verdict stands.
            let Some(wave) = job.steps_of(device_id).next().map(|step| step.layout.wave) else { return };
            let left =
                |step: &StepState| step.layout.wave == wave && !job.skipped.contains(&step.layout.device_id);
            let left = job.steps.iter().any(left);
            if let Some(wave) = wave_mut(job, wave).filter(|wave| left || wave.judged.is_none()) {
                look_again(wave, at);
            }
        }
        Direction::Resume => {
            if let Some(judged) = last_judged(job).filter(|judged| !judged.passed) {
                judged.accepted = true;
            }
        }
        Direction::Retry => {
            let skipped = job.skipped.clone();
            let failed =
                |step: &&mut StepState| step.has_failed() && !skipped.contains(&step.layout.device_id);
            for step in job.steps.iter_mut().filter(failed) {
                (step.status, step.given_up, step.tries) = (StepStatus::NotApplied, false, 0);
            }
            for man in job.dead_men.values_mut().filter(|man| !man.is_live()) {
                (man.tries, man.hopeless) = (0, false);
            }
            job.waves.iter_mut().for_each(|wave| look_again(wave, at));
        }
        Direction::RollBack => {}
    }
}

/// A gate that failed, and a look before the wave that failed, are looked at anew.
fn look_again(wave: &mut WaveState, at: Moment) {
    if wave.judged.as_ref().is_some_and(|judged| judged.passed || judged.accepted) {
        return;
    }
    let unread = wave.samples.first().is_some_and(|first| first.iter().any(|s| s.problem.is_some()));
    wave.samples.truncate(usize::from(!unread || wave.settled_at.is_some()));
    wave.judged = None;
    wave.looked_again |= !wave.samples.is_empty();
    wave.settled_at = wave.settled_at.map(|_| at);
}

fn last_judged(job: &mut JobState) -> Option<&mut Judged> {
    job.waves.iter_mut().filter_map(|wave| wave.judged.as_mut()).next_back()
}

fn change(state: &mut State, job_id: JobId, with: impl FnOnce(&mut JobState)) {
    if let Some(job) = state.jobs.get_mut(&job_id) {
        with(job);
    }
}

fn step_mut(job: &mut JobState, step_id: StepId) -> Option<&mut StepState> {
    job.steps.iter_mut().find(|step| step.layout.step_id == step_id)
}

fn wave_mut(job: &mut JobState, wave: WaveNo) -> Option<&mut WaveState> {
    job.waves.get_mut(usize::try_from(wave.0).ok()?.checked_sub(1)?)
}

fn fresh_step(layout: StepLayout) -> StepState {
    StepState {
        layout,
        status: StepStatus::Waiting,
        attempts: 0,
        tries: 0,
        undo: false,
        given_up: false,
        code: None,
        detail: String::new(),
        observed: Vec::new(),
    }
}

const fn plan_status_of(job: JobStatus) -> PlanStatus {
    match job {
        JobStatus::Pending | JobStatus::Running | JobStatus::Halted | JobStatus::Stuck => {
            PlanStatus::Executing
        }
        JobStatus::RollingBack => PlanStatus::RollingBack,
        JobStatus::Completed => PlanStatus::Completed,
        JobStatus::Failed => PlanStatus::Failed,
        JobStatus::Cancelled => PlanStatus::Cancelled,
        JobStatus::RolledBack => PlanStatus::RolledBack,
        JobStatus::PartiallyRolledBack => PlanStatus::PartiallyRolledBack,
    }
}
