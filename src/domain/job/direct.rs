//! Rules about a job as a whole: its state, gates, wishes to cancel, and what a person decides when it stands.

use events::{
    event::Event,
    gate::{GateJudged, GateSample, GateSampled},
    ids::{DeviceId, JobId, WaveNo},
    job::{Direction, JobCancelRequested, JobDirected, JobStatus, JobStatusChanged, StepStatus},
    plan::PlanStale,
    principal::{Actor, Door},
};

use crate::{
    domain::{
        Refusal, State,
        gate::Verdict,
        job::{DeadManState, JobState, SOAK_SAMPLES, StepState, find, plan_of, step::unread_before},
    },
    failure::Code,
};

pub fn stale(state: &State, job_id: JobId, device_id: DeviceId) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    if job.steps.iter().any(|step| step.status != StepStatus::Waiting) || !job.dead_men.is_empty() {
        return Err(Refusal::new(Code::Conflict, "something was sent already; the plan is not merely stale"));
    }
    let reason = format!("{device_id} is not as it was when the plan was made");
    Ok(vec![
        JobStatusChanged { job_id, plan_id: job.plan_id, status: JobStatus::Failed, reason }.into(),
        PlanStale { plan_id: job.plan_id, device_id }.into(),
    ])
}

/// True when nothing on any router waits for this job any more.
fn leaves_nothing_open(job: &JobState) -> bool {
    let held =
        |step: &StepState| step.status == StepStatus::Held && !job.skipped.contains(&step.layout.device_id);
    !job.is_unsettled()
        && !job.steps.iter().any(held)
        && !job.dead_men.iter().any(|(id, man)| man.is_live() && !job.skipped.contains(id))
}

pub fn set_status(
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
            | (Stuck, Running | RollingBack | Failed | Cancelled | PartiallyRolledBack)
    ) && !(job.rolling_back && matches!(status, Running | Cancelled | Failed))
        && (job.rolling_back || status != PartiallyRolledBack);
    if !legal || (status.is_over() && !leaves_nothing_open(job)) {
        return Err(Refusal::new(
            Code::Conflict,
            format!("{job_id} is {} and cannot become {} now", job.status.as_str(), status.as_str()),
        ));
    }
    Ok(vec![JobStatusChanged { job_id, plan_id: job.plan_id, status, reason }.into()])
}

pub fn record_gate(
    state: &State,
    job_id: JobId,
    wave: WaveNo,
    sample: u8,
    devices: Vec<GateSample>,
) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    let taken = job.wave(wave).map(|wave| (wave.samples.len(), wave.judged.is_some()));
    if taken != Some((usize::from(sample), false))
        || sample > SOAK_SAMPLES
        || job.status != JobStatus::Running
    {
        return Err(Refusal::new(
            Code::Conflict,
            format!("look {sample} at wave {} of {job_id} is not the next one", wave.0),
        ));
    }
    Ok(vec![GateSampled { job_id, wave, sample, devices }.into()])
}

/// The rules judge: nobody brings a verdict.
pub fn judge_gate(state: &State, job_id: JobId, wave: WaveNo) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    let plan = plan_of(state, job)?;
    let looked = job.wave(wave).filter(|wave| wave.judged.is_none());
    let enough = looked.filter(|wave| {
        let lost = wave.samples.iter().skip(1).flatten().any(|sample| sample.vitals.is_none());
        lost || wave.samples.len() > usize::from(SOAK_SAMPLES)
    });
    let (Some(looked), Some(policy)) = (enough, &plan.rollout.gate) else {
        return Err(Refusal::new(
            Code::Conflict,
            format!("the gate of wave {} of {job_id} cannot be judged now", wave.0),
        ));
    };
    let Verdict { passed, reasons } = looked.verdict(policy);
    Ok(vec![GateJudged { job_id, wave, passed, reasons }.into()])
}

/// What stands is decided by a person who has looked.
fn by_a_person(actor: &Actor, job_id: JobId) -> Result<(), Refusal> {
    if matches!(actor.door, Door::McpHttp | Door::McpStdio) {
        let why = format!("{job_id} waits for a person, who looks at the router before deciding");
        return Err(Refusal::new(Code::NotForAgents, why));
    }
    Ok(())
}

/// A job that runs is asked to end; one that stands is ended by a person who has looked.
pub fn cancel(state: &State, actor: &Actor, job_id: JobId, reason: String) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    match job.status {
        JobStatus::Pending | JobStatus::Running if job.cancel.is_some() => Ok(Vec::new()),
        JobStatus::Pending | JobStatus::Running => {
            Ok(vec![JobCancelRequested { job_id, by: actor.clone(), reason }.into()])
        }
        JobStatus::Halted | JobStatus::Stuck => {
            by_a_person(actor, job_id)?;
            let reason = format!("cancelled by {}: {reason}", actor.label);
            // What was being undone is in part undone.
            let end = if job.rolling_back { JobStatus::PartiallyRolledBack } else { JobStatus::Cancelled };
            set_status(state, job_id, end, reason).map_err(|refusal| Refusal {
                say: format!(
                    "{job_id} cannot end: a write or a timed undo is not settled yet; skip its device first, having \
                     looked at the router"
                ),
                ..refusal
            })
        }
        JobStatus::RollingBack => {
            Err(Refusal::new(Code::Conflict, format!("{job_id} is undoing what it did; that is not stopped")))
        }
        over => Err(Refusal::new(Code::Conflict, format!("{job_id} is over already: {}", over.as_str()))),
    }
}

/// What a person decides about a job that stands.
pub fn direct(
    state: &State,
    actor: &Actor,
    job_id: JobId,
    direction: Direction,
    reason: String,
) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    let plan = plan_of(state, job)?;
    let no = |why: String| Err(Refusal::new(Code::Conflict, why));
    by_a_person(actor, job_id)?;
    if !matches!(job.status, JobStatus::Halted | JobStatus::Stuck) {
        return no(format!("{job_id} does not wait for a person: it is {}", job.status.as_str()));
    }
    let diverged = |step: &StepState| {
        step.status == StepStatus::Diverged && !job.skipped.contains(&step.layout.device_id)
    };
    let stuck = job.is_unsettled() || job.steps.iter().any(diverged);
    let gate_failed = job
        .waves
        .iter()
        .any(|wave| wave.judged.as_ref().is_some_and(|judged| !judged.passed && !judged.accepted));
    let step_failed = |step: &StepState| {
        (step.has_failed() || unread_before(job, step)) && !job.skipped.contains(&step.layout.device_id)
    };
    let failed = job.steps.iter().any(step_failed) || job.dead_man_failed();
    let status = match &direction {
        Direction::Skip(device_id) => {
            let Some(_) = job.steps_of(device_id).next().filter(|_| !job.skipped.contains(device_id)) else {
                return no(format!("{job_id} has no device `{device_id}` left to skip"));
            };
            if job.dead_men.get(device_id).is_some_and(DeadManState::is_live) {
                return no(format!(
                    "`{device_id}` still has a timed undo armed; wait until its time is over, then skip it"
                ));
            }
            if job.rolling_back { JobStatus::RollingBack } else { JobStatus::Running }
        }
        _ if stuck => {
            return no(format!(
                "a router of {job_id} is in doubt or diverged: look at it, then skip that device first"
            ));
        }
        Direction::Retry if job.rolling_back => JobStatus::RollingBack,
        Direction::Retry if failed || gate_failed => JobStatus::Running,
        Direction::Retry => return no(format!("nothing of {job_id} failed")),
        Direction::Resume if failed => {
            return no(format!("a step of {job_id} failed: retry it, or skip its device"));
        }
        Direction::Resume if !gate_failed || job.rolling_back => {
            return no(format!("no gate of {job_id} failed: there is nothing to let pass"));
        }
        Direction::Resume => JobStatus::Running,
        Direction::RollBack
            if plan
                .waves
                .iter()
                .flatten()
                .any(|part| part.operations.iter().any(|operation| operation.undo.is_empty())) =>
        {
            return no(format!("a step of {job_id} has no undo"));
        }
        Direction::RollBack => JobStatus::RollingBack,
    };
    let directed = JobDirected { job_id, by: actor.clone(), direction, reason: reason.clone() };
    let mut events = vec![directed.into()];
    if job.status != status {
        let reason = format!("directed by {}: {reason}", actor.label);
        events.push(JobStatusChanged { job_id, plan_id: job.plan_id, status, reason }.into());
    }
    Ok(events)
}
