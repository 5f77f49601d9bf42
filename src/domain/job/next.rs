//! What an open job needs now. Pure: a function of the job, its plan, the time, and which devices do not answer.

use std::collections::BTreeSet;

use events::{
    gate::DeadManStatus,
    ids::{DeviceId, Moment, StepId, WaveNo},
    job::{JobStatus, StepStatus},
    plan::{DevicePart, Plan},
};

use crate::domain::job::{
    ATTEMPTS_MAX, DeadManState, JobState, SOAK_SAMPLES, StepState,
    dead_man::{arming_failed, is_guarded},
    part_of,
    step::{unread_before, wave_is_done},
};

/// What an open job needs now. What is about one device is done one after the other; devices do not wait for each other.
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
    /// Arm the timed undo of a device, and see it.
    Arm(DeviceId),
    /// Disarm it, and see it gone.
    Disarm(DeviceId),
    /// Read the device and say what became of its timed undo.
    SettleDeadMan(DeviceId),
    /// The time of a timed undo is over.
    Lapse(DeviceId),
    /// Look at the devices of a wave.
    Sample {
        /// Which wave.
        wave: WaveNo,
        /// 0 before it, then 1 to 3.
        sample: u8,
    },
    /// Have the gate of a wave judged.
    Judge(WaveNo),
    /// Change the job's state.
    Status(JobStatus, String),
    /// Nothing before then.
    WaitUntil(Moment),
}

/// What an open job needs now; nothing: somebody must act. `away` are devices that could not be read just now: what they
/// need is still said, but nobody waits for them when everything else is to be undone.
#[must_use]
pub fn next(job: &JobState, plan: &Plan, at: Moment, away: &BTreeSet<DeviceId>) -> Vec<Need> {
    if job.status.is_over() {
        return Vec::new();
    }
    // Doubt comes first, in every state.
    let mut needs = doubts(job, plan, at);
    let diverged = |step: &StepState| {
        step.status == StepStatus::Diverged && !job.skipped.contains(&step.layout.device_id)
    };
    if job.steps.iter().any(diverged) {
        if job.status != JobStatus::Stuck {
            let why = "a router is neither as before nor as wanted".to_owned();
            needs.push(Need::Status(JobStatus::Stuck, why));
        }
        return needs;
    }
    match job.status {
        JobStatus::Pending => needs.push(Need::Status(JobStatus::Running, String::new())),
        // Everything in doubt has been settled since: go on. A router that cannot be read keeps it waiting.
        JobStatus::Stuck if needs.is_empty() && away.is_empty() => {
            let status = if job.rolling_back { JobStatus::RollingBack } else { JobStatus::Running };
            needs.push(Need::Status(status, "nothing is in doubt any more".into()));
        }
        JobStatus::Running => forward(job, plan, at, &mut needs),
        JobStatus::RollingBack => backward(job, plan, away, &mut needs),
        _ => {}
    }
    needs
}

/// Steps and timed undos of which reading, or time, must tell what became of them.
fn doubts(job: &JobState, plan: &Plan, at: Moment) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut wake: Option<Moment> = None;
    for (device_id, man) in job.dead_men.iter().filter(|(device_id, _)| !job.skipped.contains(*device_id)) {
        let seconds =
            part_of(plan, device_id).and_then(|part| part.dead_man.as_ref()).map_or(0, |d| d.seconds);
        let over_at = man.over_at(seconds);
        let settled_by_time =
            matches!(man.status, DeadManStatus::Armed | DeadManStatus::InDoubt | DeadManStatus::Disarming);
        if settled_by_time && at >= over_at {
            needs.push(Need::Lapse(device_id.clone()));
        } else if man.is_unsettled() {
            needs.push(Need::SettleDeadMan(device_id.clone()));
        } else if man.status == DeadManStatus::Armed && job.status == JobStatus::Halted {
            wake = Some(wake.map_or(over_at, |earlier| earlier.min(over_at)));
        }
    }
    for step in job.steps.iter().filter(|step| !job.skipped.contains(&step.layout.device_id)) {
        let man = job.dead_men.get(&step.layout.device_id);
        let doubtful = man.is_some_and(DeadManState::is_unsettled);
        let unguarded = step.status == StepStatus::Held && !man.is_some_and(DeadManState::is_live);
        if (step.is_unsettled() && !doubtful) || unguarded {
            needs.push(Need::Settle(step.layout.step_id));
        }
    }
    if needs.is_empty() {
        needs.extend(wake.map(Need::WaitUntil));
    }
    needs
}

/// Why a device of a running job cannot go on, if so.
fn failure_of(job: &JobState, device_id: &DeviceId) -> Option<String> {
    if job.skipped.contains(device_id) {
        return None;
    }
    let told = |what: &str, code: Option<&str>| {
        let why = code.map_or_else(String::new, |code| format!(": {code}"));
        Some(format!("{device_id} {what}{why}"))
    };
    if arming_failed(job, device_id) {
        let code = job.dead_men.get(device_id).and_then(|man| man.code.as_deref());
        return told("could not arm its timed undo", code);
    }
    if let Some(step) = job.steps_of(device_id).find(|step| step.has_failed()) {
        return match step.status {
            StepStatus::RevertedByRouter => told("undid the change by itself", None),
            _ => told("failed", step.code.as_deref().or(Some("was not applied"))),
        };
    }
    let unread = job.steps_of(device_id).next().filter(|step| unread_before(job, step))?;
    let first = job.wave(unread.layout.wave)?.samples.first()?;
    let problem = first.iter().find(|sample| sample.device_id == *device_id)?.problem.as_deref();
    told("could not be looked at before its wave", problem)
}

fn forward(job: &JobState, plan: &Plan, at: Moment, needs: &mut Vec<Need>) {
    let in_doubt = !needs.is_empty();
    let reverses = !plan.undoes.is_empty();
    let failures: Vec<String> =
        plan.waves.iter().flatten().filter_map(|part| failure_of(job, &part.device_id)).collect();
    let failed = !failures.is_empty() && !reverses;
    let on_routers = job.steps.iter().any(StepState::is_on_router);
    if failed && !in_doubt {
        let why = failures.join("; ");
        let live = job.dead_men.values().any(DeadManState::is_live);
        if (on_routers || live) && plan.rollback_on_failure {
            needs.push(Need::Status(JobStatus::RollingBack, why));
            return;
        }
        if !on_routers && !live {
            // A rollout of several devices waits for a person: the failed device may be tried again or left out.
            let several = plan.waves.iter().flatten().count() > 1 && !plan.rollback_on_failure;
            let status = if several { JobStatus::Halted } else { JobStatus::Failed };
            needs.push(Need::Status(status, why));
            return;
        }
    }
    let mut waves = (1u32..).map(WaveNo).zip(&plan.waves);
    let Some((wave, parts)) = waves.find(|(wave, _)| !wave_is_done(job, plan, *wave)) else {
        if !in_doubt {
            needs.push(end(job, plan, &failures));
        }
        return;
    };
    if in_doubt && wave_has(job, parts, |step| step.status == StepStatus::InDoubt) {
        return; // nothing new is begun while a write of this wave is not settled
    }
    if !in_doubt && (failed || job.cancel.is_some()) && nothing_begun(job, parts) {
        needs.push(ended_early(job, &failures));
        return;
    }
    if let Some(until) = pause_until(job, plan, wave)
        && at < until
    {
        needs.push(Need::WaitUntil(until));
        return;
    }
    if plan.rollout.gate.is_some() && job.wave(wave).is_some_and(|wave| wave.samples.is_empty()) {
        needs.push(Need::Sample { wave, sample: 0 });
        return;
    }
    let before = needs.len();
    let stopping = failed || job.cancel.is_some();
    let begun_first = |begun: bool| parts.iter().filter(move |part| job.has_begun(&part.device_id) == begun);
    for part in begun_first(true).chain(begun_first(false)) {
        if let Some(need) = device_forward(job, part, at, failed, stopping) {
            needs.push(need);
        }
    }
    if needs.len() == before && !in_doubt {
        needs.extend(after_the_writes(job, plan, wave, parts, at, &failures));
    }
}

/// The next step of a device in its wave.
fn device_forward(
    job: &JobState,
    part: &DevicePart,
    at: Moment,
    failed: bool,
    stopping: bool,
) -> Option<Need> {
    let device_id = &part.device_id;
    let begun = job.has_begun(device_id);
    let left = job.skipped.contains(device_id) || failure_of(job, device_id).is_some();
    if left || failed || (stopping && !begun) {
        return None;
    }
    let man = job.dead_men.get(device_id);
    if job.steps_of(device_id).any(StepState::is_unsettled) || man.is_some_and(DeadManState::is_unsettled) {
        return None;
    }
    let step = job.steps_of(device_id).find(|step| !step.is_on_router())?;
    if !step.is_open() {
        return None;
    }
    let guarded = part.dead_man.is_none() || is_guarded(job, part, at);
    let held = job.steps_of(device_id).any(|step| step.status == StepStatus::Held);
    // Armed, but it would run before a write is surely there.
    let late = man.filter(|man| !guarded && man.status == DeadManStatus::Armed);
    let seconds = part.dead_man.as_ref().map_or(0, |dead_man| dead_man.seconds);
    match (guarded, held, late) {
        (true, ..) => Some(Need::Write { step_id: step.layout.step_id, undo: false }),
        (false, true, Some(man)) => {
            Some(Need::WaitUntil(man.over_at(seconds))).filter(|_| at < man.over_at(seconds))
        }
        (false, false, Some(_)) => Some(Need::Disarm(device_id.clone())),
        (false, true, None) => None, // the held ones are read first
        (false, false, None) => Some(Need::Arm(device_id.clone())),
    }
}

/// Gate, disarming, or what a failure or a wish to cancel leads to.
fn after_the_writes(
    job: &JobState,
    plan: &Plan,
    wave: WaveNo,
    parts: &[DevicePart],
    at: Moment,
    failures: &[String],
) -> Vec<Need> {
    let touched = wave_has(job, parts, StepState::is_on_router);
    let state = job.wave(wave);
    if plan.rollout.gate.is_some() && touched {
        let judged = state.and_then(|wave| wave.judged.as_ref());
        match judged {
            None => return vec![soak(job, plan, wave, at)],
            Some(judged) if !judged.passed && !judged.accepted => {
                let why = format!("gate of wave {}: {}", wave.0, judged.reasons.join("; "));
                let status =
                    if plan.rollback_on_failure { JobStatus::RollingBack } else { JobStatus::Halted };
                return vec![Need::Status(status, why)];
            }
            Some(_) => {}
        }
    }
    let armed = |part: &&DevicePart| {
        job.dead_men.get(&part.device_id).is_some_and(|man| man.status == DeadManStatus::Armed)
    };
    // All of them at once: a router that does not answer lets no other one's time run out.
    let disarming: Vec<Need> =
        parts.iter().filter(armed).map(|part| Need::Disarm(part.device_id.clone())).collect();
    if disarming.is_empty() { vec![ended_early(job, failures)] } else { disarming }
}

/// The looks after a wave, spread over its soak time; a router that is lost is not waited for.
fn soak(job: &JobState, plan: &Plan, wave: WaveNo, at: Moment) -> Need {
    let Some(state) = job.wave(wave) else { return Need::Judge(wave) };
    let taken = u8::try_from(state.samples.len()).unwrap_or(u8::MAX);
    let lost = state.samples.iter().skip(1).flatten().any(|sample| sample.vitals.is_none());
    if lost || taken > SOAK_SAMPLES {
        return Need::Judge(wave);
    }
    let share = i64::from(plan.rollout.soak_seconds) * 1_000_000 * i64::from(taken) / i64::from(SOAK_SAMPLES);
    let due = state.settled_at.map_or(at, |settled| Moment::from_micros(settled.as_micros() + share));
    if at < due { Need::WaitUntil(due) } else { Need::Sample { wave, sample: taken } }
}

/// The rest before a wave, counted from the verdict on the one before (or its last step).
fn pause_until(job: &JobState, plan: &Plan, wave: WaveNo) -> Option<Moment> {
    let earlier = job.wave(WaveNo(wave.0.checked_sub(1)?))?;
    let ended = earlier.judged.as_ref().map(|judged| judged.at).or(earlier.settled_at)?;
    Some(ended.plus_secs(plan.rollout.pause_seconds.into()))
}

fn wave_has(job: &JobState, parts: &[DevicePart], is: impl Fn(&StepState) -> bool) -> bool {
    parts.iter().any(|part| job.steps_of(&part.device_id).any(&is))
}

fn nothing_begun(job: &JobState, parts: &[DevicePart]) -> bool {
    !parts.iter().any(|part| job.has_begun(&part.device_id))
}

/// The state of a job that goes no further forward.
fn ended_early(job: &JobState, failures: &[String]) -> Need {
    match &job.cancel {
        Some(wish) if failures.is_empty() => {
            Need::Status(JobStatus::Cancelled, format!("cancelled by {}: {}", wish.by.label, wish.reason))
        }
        _ => Need::Status(JobStatus::Halted, failures.join("; ")),
    }
}

/// All waves are done.
fn end(job: &JobState, plan: &Plan, failures: &[String]) -> Need {
    if failures.is_empty() {
        return Need::Status(JobStatus::Completed, left_out(job));
    }
    let devices = plan.waves.iter().flatten().count();
    let why = format!("{} of {devices} devices failed: {}", failures.len(), failures.join("; "));
    Need::Status(JobStatus::Failed, why)
}

fn left_out(job: &JobState) -> String {
    match job.skipped.len() {
        0 => String::new(),
        n => format!("{n} devices were left out by a person"),
    }
}

fn backward(job: &JobState, plan: &Plan, away: &BTreeSet<DeviceId>, needs: &mut Vec<Need>) {
    // Last applied first. A router whose later step cannot be undone keeps its earlier ones: undone out of order they
    // would be something that nobody planned.
    let mut given_up = Vec::new();
    for parts in plan.waves.iter().rev() {
        let mut waits = false;
        for part in parts.iter().filter(|part| !job.skipped.contains(&part.device_id)) {
            let device_id = &part.device_id;
            let man = job.dead_men.get(device_id);
            if man.is_some_and(|man| man.status == DeadManStatus::Armed) {
                needs.push(Need::Disarm(device_id.clone()));
                waits |= !away.contains(device_id);
                continue;
            }
            if man.is_some_and(DeadManState::is_live)
                || job.steps_of(device_id).any(|step| step.is_unsettled() || step.status == StepStatus::Held)
            {
                waits |= !away.contains(device_id);
                continue; // said among the doubts
            }
            let applied = job.steps_of(device_id).rev().find(|step| step.status == StepStatus::Applied);
            match applied {
                Some(step) if step.undo && step.tries >= 2 * ATTEMPTS_MAX => given_up.push(device_id),
                Some(step) => {
                    needs.push(Need::Write { step_id: step.layout.step_id, undo: true });
                    waits |= !away.contains(device_id);
                }
                None => {}
            }
        }
        if waits {
            return;
        }
    }
    if !needs.is_empty() {
        return;
    }
    needs.push(match given_up.first() {
        Some(device_id) => {
            Need::Status(JobStatus::PartiallyRolledBack, format!("{device_id} could not be undone"))
        }
        None if job.steps.iter().any(StepState::may_stand) => {
            Need::Status(JobStatus::PartiallyRolledBack, left_out(job))
        }
        None => Need::Status(JobStatus::RolledBack, "everything applied was undone".into()),
    });
}
