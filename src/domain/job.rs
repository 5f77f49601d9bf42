//! Rules about jobs: one open job a device, a ticket before every write, and never a second write of anything that is
//! not settled by reading.
//!
//! [`next`] says what an open job needs now. It is asked again after every event, so going on after a crash is the
//! everyday path.

use std::collections::BTreeSet;

use events::{
    event::Event,
    ids::{DeviceId, JobId, Moment, PlanId, StepId, WaveNo},
    job::{JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled, StepStarted, StepStatus},
    operation::{Action, Operation},
    plan::{ApprovedBy, Plan, PlanStale},
    principal::{Actor, Door},
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Refusal, Rules, State,
        plan::{self, PlanState, PlanStatus},
    },
    failure::Code,
};

/// How often one operation is sent at most; each further try follows a reading that shows the state before.
pub const ATTEMPTS_MAX: u32 = 3;

/// A step as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Its place in the job.
    pub layout: StepLayout,
    /// Where it stands.
    pub status: StepStatus,
    /// How many intents there were.
    pub attempts: u32,
    /// True once the undo was begun: the step's end is then judged against the state before.
    pub undo: bool,
    /// Our word for its failure.
    pub code: Option<String>,
    /// RouterOS's words. Untrusted.
    pub detail: String,
    /// What was read back last.
    pub observed: Vec<(String, Option<String>)>,
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
}

impl JobState {
    /// The step, if the job has it.
    #[must_use]
    pub fn step(&self, step_id: StepId) -> Option<&StepState> {
        self.steps.iter().find(|step| step.layout.step_id == step_id)
    }

    /// Share of steps that need nothing more, in percent.
    #[must_use]
    pub fn progress_percent(&self) -> u8 {
        if self.status.is_over() || self.steps.is_empty() {
            return 100;
        }
        let open = |s: &&StepState| {
            matches!(s.status, StepStatus::Waiting | StepStatus::Started | StepStatus::InDoubt)
        };
        let done = self.steps.len() - self.steps.iter().filter(open).count();
        u8::try_from(done * 100 / self.steps.len()).unwrap_or(100)
    }
}

/// The operation of a step in its plan.
#[must_use]
pub fn operation_of<'a>(plan: &'a Plan, layout: &StepLayout) -> Option<&'a Operation> {
    plan.waves
        .iter()
        .flatten()
        .find(|part| part.device_id == layout.device_id)
        .and_then(|part| part.operations.get(usize::try_from(layout.operation).ok()?))
}

/// What will be sent for a step: its action, or its undo. An undo is one action (see [`plan`]): it has one intent and is
/// settled by one reading.
#[must_use]
pub fn action_of(operation: &Operation, undo: bool) -> Option<&Action> {
    if undo { operation.undo.first() } else { Some(&operation.action) }
}

/// What an open job needs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Ask for a ticket and send the step (or its undo).
    Write {
        /// Which step.
        step_id: StepId,
        /// The undo.
        undo: bool,
    },
    /// Read the device and say what became of the step.
    Settle(StepId),
    /// Change the job's state.
    Status(JobStatus, String),
    /// Nothing until somebody acts.
    Nothing,
}

/// What an open job needs now. Pure.
#[must_use]
pub fn next(job: &JobState, plan: &Plan) -> Need {
    if job.status.is_over() {
        return Need::Nothing;
    }
    let with = |status: StepStatus| job.steps.iter().find(|step| step.status == status);
    // Doubt comes first, in every state: nothing is written anywhere while a step of this job is not settled.
    if let Some(step) = with(StepStatus::Started).or_else(|| with(StepStatus::InDoubt)) {
        return Need::Settle(step.layout.step_id);
    }
    if with(StepStatus::Diverged).is_some() {
        return match job.status {
            JobStatus::Stuck => Need::Nothing,
            _ => Need::Status(JobStatus::Stuck, "a router is neither as before nor as wanted".into()),
        };
    }
    match job.status {
        JobStatus::Pending => Need::Status(JobStatus::Running, String::new()),
        // Everything in doubt has been settled since: go on.
        JobStatus::Stuck if job.rolling_back => {
            Need::Status(JobStatus::RollingBack, "settled by reading".into())
        }
        JobStatus::Stuck => Need::Status(JobStatus::Running, "settled by reading".into()),
        JobStatus::Running => next_forward(job, plan),
        JobStatus::RollingBack => next_backward(job),
        _ => Need::Nothing,
    }
}

fn next_forward(job: &JobState, plan: &Plan) -> Need {
    let failed = job.steps.iter().find(|step| {
        step.status == StepStatus::Refused
            || (step.status == StepStatus::NotApplied && step.attempts >= ATTEMPTS_MAX)
    });
    if let Some(step) = failed {
        let why = format!(
            "step on {} {}",
            step.layout.device_id,
            step.code
                .as_deref()
                .map_or_else(|| "was not applied".to_owned(), |code| format!("failed: {code}"))
        );
        let applied = job.steps.iter().any(|step| step.status == StepStatus::Applied);
        return if applied && plan.rollback_on_failure {
            Need::Status(JobStatus::RollingBack, why)
        } else {
            Need::Status(JobStatus::Failed, why)
        };
    }
    let open =
        job.steps.iter().find(|step| matches!(step.status, StepStatus::Waiting | StepStatus::NotApplied));
    match open {
        Some(step) => Need::Write { step_id: step.layout.step_id, undo: false },
        None => Need::Status(JobStatus::Completed, String::new()),
    }
}

/// What a job that undoes needs now, as long as nothing is in doubt. Pure.
#[must_use]
pub fn next_backward(job: &JobState) -> Need {
    // Last applied first; an undo that was read back as not done is tried again. A router whose later step cannot be
    // undone keeps its earlier ones: undone out of order they would be something that nobody planned.
    let mut given_up = BTreeSet::new();
    for step in job.steps.iter().rev().filter(|step| step.status == StepStatus::Applied) {
        let device_id = &step.layout.device_id;
        if step.undo && step.attempts >= 2 * ATTEMPTS_MAX {
            given_up.insert(device_id);
        } else if !given_up.contains(device_id) {
            return Need::Write { step_id: step.layout.step_id, undo: true };
        }
    }
    match given_up.iter().next() {
        Some(device_id) => {
            Need::Status(JobStatus::PartiallyRolledBack, format!("{device_id} could not be undone"))
        }
        None => Need::Status(JobStatus::RolledBack, "everything applied was undone".into()),
    }
}

pub(super) fn start(
    state: &State,
    actor: &Actor,
    plan_id: PlanId,
    job_id: JobId,
    step_ids: &[StepId],
    approval_token_sha256: Option<&str>,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let plan = plan::find(state, plan_id)?;
    if let Some(job_id) = plan.job_id {
        return Err(Refusal {
            job_id: Some(job_id),
            ..Refusal::new(Code::PlanAlreadyStarted, format!("{plan_id} was started already as {job_id}"))
        });
    }
    match plan.status_at(at) {
        PlanStatus::Approved => {}
        PlanStatus::Pending => {
            return Err(Refusal::new(
                Code::PlanNotApproved,
                format!("{plan_id} waits for a person's approval"),
            ));
        }
        PlanStatus::Expired => {
            return Err(Refusal::new(Code::PlanExpired, format!("{plan_id} has expired; propose it again")));
        }
        other => return Err(Refusal::new(Code::PlanClosed, format!("{plan_id} is {}", other.as_str()))),
    }
    token_fits(plan, actor, approval_token_sha256)?;
    let mut steps = Vec::new();
    let mut ids = step_ids.iter();
    for (wave, parts) in (1u32..).zip(&plan.plan.waves) {
        for part in parts {
            let environment = state.device(&part.device_id)?.settings.environment;
            if environment != plan.plan.environment {
                return Err(Refusal::new(
                    Code::PlanStale,
                    format!(
                        "device `{}` was moved to {} since the plan was made; propose the change again",
                        part.device_id,
                        environment.as_str()
                    ),
                ));
            }
            if let Some(holder) = state.leases.get(&part.device_id) {
                return Err(Refusal {
                    job_id: Some(*holder),
                    ..Refusal::new(
                        Code::DeviceInJob,
                        format!("device `{}` is held by {holder}", part.device_id),
                    )
                });
            }
            for operation in (0u32..).take(part.operations.len()) {
                let Some(step_id) = ids.next() else {
                    return Err(Refusal::new(Code::Bug, "fewer step ids than operations"));
                };
                steps.push(StepLayout {
                    step_id: *step_id,
                    device_id: part.device_id.clone(),
                    wave: WaveNo(wave),
                    operation,
                });
            }
        }
    }
    Ok(vec![JobStarted { job_id, plan_id, by: actor.clone(), steps }.into()])
}

/// Agents must show the token of a plan that a person approved; people and policies need none.
fn token_fits(plan: &PlanState, actor: &Actor, shown: Option<&str>) -> Result<(), Refusal> {
    let by_person = matches!(plan.approved, Some((ApprovedBy::Person(_), _)));
    let agent = matches!(actor.door, Door::McpHttp | Door::McpStdio);
    let fits = match shown {
        // Both are hashes of 256 random bits, so comparing them in variable time tells nothing.
        Some(shown) => !plan.approval_token_sha256.is_empty() && shown == plan.approval_token_sha256,
        None => !(by_person && agent),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::new(Code::ApprovalTokenInvalid, "`approval_token`: not the token of this plan"))
}

fn find(state: &State, job_id: JobId) -> Result<&JobState, Refusal> {
    state
        .jobs
        .get(&job_id)
        .ok_or_else(|| Refusal::new(Code::UnknownJob, format!("there is no job `{job_id}`")))
}

fn find_step(job: &JobState, step_id: StepId) -> Result<&StepState, Refusal> {
    job.step(step_id)
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("{} has no step `{step_id}`", job.job_id)))
}

pub(super) fn begin_step(
    state: &State,
    rules: &Rules,
    job_id: JobId,
    step_id: StepId,
    undo: bool,
    operation_sha256: String,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    // An approval is for now. A job that a crash kept from its first write does not make it days later by surprise.
    let untouched = job.steps.iter().all(|step| step.status == StepStatus::Waiting);
    if !undo && untouched && at > job.started_at.plus_secs(rules.start_within_s) {
        return Err(Refusal::new(
            Code::PlanExpired,
            "its first write was not begun in time after its start; propose the change again",
        ));
    }
    let step = find_step(job, step_id)?;
    let allowed = match (job.status, step.status, undo) {
        (JobStatus::Running, StepStatus::Waiting | StepStatus::NotApplied, false) => {
            step.attempts < ATTEMPTS_MAX
        }
        (JobStatus::RollingBack, StepStatus::Applied, true) => true,
        _ => false,
    };
    let settled = !job.steps.iter().any(|s| matches!(s.status, StepStatus::Started | StepStatus::InDoubt));
    if !allowed || !settled {
        return Err(Refusal::new(
            Code::Conflict,
            format!(
                "{step_id} is {:?} in a job that is {:?}: nothing may be sent now",
                step.status, job.status
            ),
        ));
    }
    Ok(vec![
        StepStarted {
            job_id,
            step_id,
            device_id: step.layout.device_id.clone(),
            attempt: step.attempts + 1,
            undo,
            operation_sha256,
        }
        .into(),
    ])
}

pub(super) fn settle_step(state: &State, settled: StepSettled) -> Result<Vec<Event>, Refusal> {
    let job = find(state, settled.job_id)?;
    let step = find_step(job, settled.step_id)?;
    let open = matches!(step.status, StepStatus::Started | StepStatus::InDoubt);
    let end = match settled.status {
        StepStatus::InDoubt => step.status == StepStatus::Started,
        // The read-back of an undo that did not take: the step is still applied.
        StepStatus::Applied | StepStatus::Diverged => true,
        StepStatus::NotApplied | StepStatus::Refused => !step.undo,
        StepStatus::Undone => step.undo,
        _ => false,
    };
    if !open || !end {
        return Err(Refusal::new(
            Code::Conflict,
            format!("{} is {:?} and cannot become {:?}", settled.step_id, step.status, settled.status),
        ));
    }
    Ok(vec![settled.into()])
}

pub(super) fn stale(state: &State, job_id: JobId, device_id: DeviceId) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    if job.steps.iter().any(|step| step.status != StepStatus::Waiting) {
        return Err(Refusal::new(Code::Conflict, "something was sent already; the plan is not merely stale"));
    }
    let reason = format!("{device_id} is not as it was when the plan was made");
    Ok(vec![
        JobStatusChanged { job_id, plan_id: job.plan_id, status: JobStatus::Failed, reason }.into(),
        PlanStale { plan_id: job.plan_id, device_id }.into(),
    ])
}

pub(super) fn set_status(
    state: &State,
    job_id: JobId,
    status: JobStatus,
    reason: String,
) -> Result<Vec<Event>, Refusal> {
    use JobStatus::{
        Cancelled, Completed, Failed, Halted, PartiallyRolledBack, Pending, RolledBack, RollingBack, Running,
        Stuck,
    };
    let job = find(state, job_id)?;
    if job.status == status {
        return Ok(Vec::new());
    }
    let legal = matches!(
        (job.status, status),
        (Pending, Running | Cancelled | Stuck)
            | (Running, Completed | Failed | Cancelled | Halted | RollingBack | Stuck)
            | (Halted, Running | RollingBack | Failed | Cancelled)
            | (RollingBack, RolledBack | PartiallyRolledBack | Stuck)
            | (Stuck, Running | RollingBack | Failed | Cancelled)
    ) && !(job.rolling_back && status == Running);
    let unsettled =
        job.steps.iter().any(|step| matches!(step.status, StepStatus::Started | StepStatus::InDoubt));
    if !legal || (status.is_over() && unsettled) {
        return Err(Refusal::new(
            Code::Conflict,
            format!("{job_id} is {:?} and cannot become {status:?} now", job.status),
        ));
    }
    Ok(vec![JobStatusChanged { job_id, plan_id: job.plan_id, status, reason }.into()])
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
            let steps = e.steps.iter().cloned().map(fresh_step).collect();
            state.jobs.insert(
                e.job_id,
                JobState {
                    job_id: e.job_id,
                    plan_id: e.plan_id,
                    by: e.by.clone(),
                    status: JobStatus::Pending,
                    reason: String::new(),
                    started_at: at,
                    ended_at: None,
                    rolling_back: false,
                    steps,
                },
            );
        }
        Event::StepStarted(e) => change_step(state, e.job_id, e.step_id, |step| {
            step.status = StepStatus::Started;
            step.attempts = e.attempt;
            step.undo = e.undo;
        }),
        Event::StepSettled(e) => change_step(state, e.job_id, e.step_id, |step| {
            step.status = e.status;
            step.code.clone_from(&e.code);
            step.detail.clone_from(&e.detail);
            step.observed.clone_from(&e.observed);
        }),
        Event::JobStatusChanged(e) => {
            if let Some(job) = state.jobs.get_mut(&e.job_id) {
                job.status = e.status;
                job.reason.clone_from(&e.reason);
                job.ended_at = e.status.is_over().then_some(at);
                job.rolling_back |= e.status == JobStatus::RollingBack;
            }
            if e.status.is_over() {
                state.leases.retain(|_, holder| *holder != e.job_id);
            }
            plan::change(state, e.plan_id, |plan| plan.status = plan_status_of(e.status));
        }
        _ => {}
    }
}

fn fresh_step(layout: StepLayout) -> StepState {
    StepState {
        layout,
        status: StepStatus::Waiting,
        attempts: 0,
        undo: false,
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

fn change_step(state: &mut State, job_id: JobId, step_id: StepId, with: impl FnOnce(&mut StepState)) {
    let step = state
        .jobs
        .get_mut(&job_id)
        .and_then(|job| job.steps.iter_mut().find(|step| step.layout.step_id == step_id));
    if let Some(step) = step {
        with(step);
    }
}
