//! Rules about steps: when one may be sent, and what a reading may make of it.

use events::{
    event::Event,
    ids::{DeviceId, JobId, Moment, StepId, WaveNo},
    job::{JobStatus, StepSettled, StepStarted, StepStatus},
    plan::Plan,
};

use crate::{
    domain::{
        Refusal, Rules, State,
        job::{
            ATTEMPTS_MAX, JobState, StepState,
            dead_man::{DeadManState, arming_failed, is_guarded},
            find, part_of, plan_of, still_that_box,
        },
    },
    failure::Code,
};

fn find_step(job: &JobState, step_id: StepId) -> Result<&StepState, Refusal> {
    job.step(step_id)
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("{} has no step `{step_id}`", job.job_id)))
}

/// True when nothing of a wave has to be waited for any more: steps settled, gate passed, timed undos gone.
pub(super) fn wave_is_done(job: &JobState, plan: &Plan, wave: WaveNo) -> bool {
    let left_alone = |step: &&StepState| !job.skipped.contains(&step.layout.device_id);
    let of_wave = || job.steps.iter().filter(|step| step.layout.wave == wave).filter(left_alone);
    let settled = of_wave().all(|step| step.status == StepStatus::Applied || goes_past(job, plan, step));
    let touched = of_wave().any(|step| step.status == StepStatus::Applied);
    // A verdict that stands counts although every device that it was about is left alone.
    let passed = plan.rollout.gate.is_none()
        || match job.wave(wave).and_then(|wave| wave.judged.as_ref()) {
            Some(judged) => judged.passed || judged.accepted,
            None => !touched,
        };
    let live = |step: &StepState| job.dead_men.get(&step.layout.device_id).is_some_and(DeadManState::is_live);
    settled && passed && !of_wave().any(live)
}

/// A plan that reverses others goes on past a device that fails.
fn goes_past(job: &JobState, plan: &Plan, step: &StepState) -> bool {
    !plan.undoes.is_empty() && device_failed(job, step) && !step.is_unsettled() && !step.is_on_router()
}

fn device_failed(job: &JobState, step: &StepState) -> bool {
    job.steps_of(&step.layout.device_id).any(StepState::has_failed)
        || arming_failed(job, &step.layout.device_id)
        || unread_before(job, step)
}

/// The look before its wave could not read the device, and nothing was sent to it.
pub(super) fn unread_before(job: &JobState, step: &StepState) -> bool {
    let device_id = &step.layout.device_id;
    let first = job.wave(step.layout.wave).and_then(|wave| wave.samples.first());
    let unread =
        first.is_some_and(|first| first.iter().any(|s| s.device_id == *device_id && s.problem.is_some()));
    unread && !job.has_begun(device_id)
}

/// True when what happened to other devices keeps this one from being written to: a failure, or a write in doubt or with
/// another outcome than was wanted.
fn stops_others(job: &JobState, plan: &Plan, device_id: &DeviceId) -> bool {
    let others = || job.steps.iter().filter(|step| !job.skipped.contains(&step.layout.device_id));
    let in_doubt = |step: &StepState| {
        matches!(step.status, StepStatus::InDoubt | StepStatus::Diverged)
            && step.layout.device_id != *device_id
    };
    let failed = |step: &StepState| step.has_failed() || unread_before(job, step);
    let failures = plan.undoes.is_empty() && (others().any(failed) || job.dead_man_failed());
    failures || others().any(in_doubt)
}

/// True when all earlier waves are done, so that this one may be written to.
#[must_use]
pub fn wave_is_open(job: &JobState, plan: &Plan, wave: WaveNo) -> bool {
    let looked = plan.rollout.gate.is_none() || job.wave(wave).is_some_and(|wave| !wave.samples.is_empty());
    looked && (1..wave.0).all(|earlier| wave_is_done(job, plan, WaveNo(earlier)))
}

/// An approval is for now. A job that a crash kept from its first write does not make it days later by surprise.
pub(super) fn begins_in_time(rules: &Rules, job: &JobState, at: Moment) -> Result<(), Refusal> {
    let untouched = job.steps.iter().all(|step| step.attempts == 0);
    if untouched && at > job.started_at.plus_secs(rules.start_within_s) {
        return Err(Refusal::new(
            Code::PlanExpired,
            "its first write was not begun in time after its start; propose the change again",
        ));
    }
    Ok(())
}

pub fn begin(
    state: &State,
    rules: &Rules,
    job_id: JobId,
    step_id: StepId,
    undo: bool,
    operation_sha256: String,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    let plan = plan_of(state, job)?;
    if !undo {
        begins_in_time(rules, job, at)?;
    }
    let step = find_step(job, step_id)?;
    let device_id = &step.layout.device_id;
    let part = part_of(plan, device_id)
        .ok_or_else(|| Refusal::new(Code::Bug, "a step whose plan is not about its device"))?;
    let man = job.dead_men.get(device_id);
    let allowed = match (job.status, undo) {
        (JobStatus::Running, false) => {
            let earlier = job.steps_of(device_id).take_while(|other| other.layout.step_id != step_id);
            let begun = job.has_begun(device_id);
            step.is_open()
                && step.tries < ATTEMPTS_MAX
                && wave_is_open(job, plan, step.layout.wave)
                && earlier.into_iter().all(StepState::is_on_router)
                && (part.dead_man.is_none() || is_guarded(job, part, at))
                && (job.cancel.is_none() || begun)
                && !stops_others(job, plan, device_id)
        }
        (JobStatus::RollingBack, true) => {
            step.status == StepStatus::Applied && !man.is_some_and(DeadManState::is_live)
        }
        _ => false,
    };
    let settled = !job.steps_of(device_id).any(StepState::is_unsettled)
        && !man.is_some_and(DeadManState::is_unsettled)
        && !job.skipped.contains(device_id);
    if !allowed || !settled {
        return Err(Refusal::new(
            Code::Conflict,
            format!(
                "{step_id} is {} in a job that is {}: nothing may be sent now",
                step.status.as_str(),
                job.status.as_str()
            ),
        ));
    }
    still_that_box(state, part)?;
    Ok(vec![
        StepStarted {
            job_id,
            step_id,
            device_id: device_id.clone(),
            attempt: step.attempts + 1,
            undo,
            operation_sha256,
        }
        .into(),
    ])
}

pub fn settle(state: &State, mut settled: StepSettled, at: Moment) -> Result<Vec<Event>, Refusal> {
    let job = find(state, settled.job_id)?;
    let step = find_step(job, settled.step_id)?;
    let man = job.dead_men.get(&step.layout.device_id);
    let live = man.is_some_and(DeadManState::is_live);
    let legal = match (step.status, settled.status) {
        (StepStatus::Started, StepStatus::InDoubt) => true,
        // The read-back of an undo that did not take: the step is still applied.
        (StepStatus::Started | StepStatus::InDoubt, StepStatus::Applied | StepStatus::Diverged) => true,
        (StepStatus::Started | StepStatus::InDoubt, StepStatus::NotApplied | StepStatus::Refused) => {
            !step.undo
        }
        (StepStatus::Started | StepStatus::InDoubt, StepStatus::Undone) => step.undo,
        // The timed undo is gone: reading tells whether it has run.
        (StepStatus::Held, StepStatus::Applied | StepStatus::RevertedByRouter | StepStatus::Diverged) => {
            !live
        }
        // It could not be begun: nothing was sent.
        (StepStatus::Waiting | StepStatus::NotApplied, StepStatus::NotApplied) => {
            !step.has_failed() && settled.code.is_some() && job.status == JobStatus::Running
        }
        _ => false,
    };
    if !legal {
        return Err(Refusal::new(
            Code::Conflict,
            format!(
                "{} is {} and cannot become {}",
                settled.step_id,
                step.status.as_str(),
                settled.status.as_str()
            ),
        ));
    }
    // What was read back under an armed undo is not confirmed before its wave's gate (DECISIONS: jobs on routers, 1).
    if settled.status == StepStatus::Applied && !step.undo && live {
        settled.status = StepStatus::Held;
    }
    // What was sent and is not there once the timed undo may have run was not lost on its way: it is not sent again.
    let dead_man =
        part_of(plan_of(state, job)?, &step.layout.device_id).and_then(|part| part.dead_man.as_ref());
    let may_have_run = man.zip(dead_man).is_some_and(|(man, dead_man)| {
        man.reference.is_some() && at >= man.started_at.plus_secs(dead_man.seconds.into())
    });
    if settled.status == StepStatus::NotApplied && step.is_unsettled() && may_have_run {
        settled.status = StepStatus::RevertedByRouter;
    }
    Ok(vec![settled.into()])
}
