//! When a step may be begun, or undone, by other words than the rules.

use std::{collections::BTreeSet, time::Duration};

use events::{
    gate::DeadManStatus,
    ids::DeviceId,
    job::{JobStatus, StepStarted, StepStatus},
};

use crate::runner::seeds::check::{JobView, StepView};

/// An undo is tried so often; then the router is left as it is.
const UNDO_TRIES_MAX: u32 = 6;

/// Why a step may not be begun, if so.
pub(super) fn why_not_forward(job: &JobView, e: &StepStarted, clock_set: bool) -> Option<&'static str> {
    let step = job.steps.iter().find(|step| step.layout.step_id == e.step_id)?;
    let wave = step.layout.wave.0 as usize - 1;
    let gated = job.plan.rollout.gate.is_some();
    let reverses = !job.plan.undoes.is_empty();
    let failed = |step: &StepView| matches!(step.status, StepStatus::Refused | StepStatus::RevertedByRouter);
    let done = |step: &&StepView| step.status == StepStatus::Applied;
    if job.status != JobStatus::Running || job.rolled_back {
        return Some("of a job that does not run");
    }
    if job.skipped.contains(&e.device_id) {
        return Some("on a device that was left out");
    }
    if job.gates.iter().any(|gate| gate.passed == Some(false) && !gate.accepted) {
        return Some("after a gate that failed");
    }
    for (number, gate) in job.gates.iter().enumerate().take(wave) {
        let of_wave: Vec<_> = job
            .steps
            .iter()
            .filter(|s| s.layout.wave.0 as usize - 1 == number && !job.skipped.contains(&s.layout.device_id))
            .collect();
        let finished = of_wave.iter().all(|s| {
            let over = |s: &StepView| failed(s) || s.status == StepStatus::NotApplied;
            done(s)
                || (reverses && !s.is_unsettled() && job.of(&s.layout.device_id).any(over))
                || (reverses && s.attempts == 0)
        });
        if !finished {
            return Some("of a later wave before the earlier one is done");
        }
        if gated && of_wave.iter().any(done) && !gate.is_open() {
            return Some("of a later wave before the gate of an earlier one passed");
        }
    }
    let pause = Duration::from_secs(job.plan.rollout.pause_seconds.into());
    let rested = wave.checked_sub(1).and_then(|before| job.gates[before].rested());
    if rested.is_some_and(|rested| rested < pause) && !clock_set {
        return Some("before the pause after the earlier wave is over");
    }
    if gated && job.gates[wave].looks.is_empty() {
        return Some("before the first look at its wave");
    }
    // One that a person has tried again is not new, though nothing was sent to it.
    let tried = |s: &StepView| s.attempts > 0 || s.status != StepStatus::Waiting;
    let begun = job.timers.contains_key(&e.device_id) || job.of(&e.device_id).any(tried);
    if job.cancelled && !begun {
        return Some("on a new device after a wish to cancel");
    }
    if !reverses && job.others(&e.device_id).any(failed) {
        return Some("after a step on another device failed");
    }
    if job.others(&e.device_id).any(|s| matches!(s.status, StepStatus::InDoubt | StepStatus::Diverged)) {
        return Some("while another device is in doubt");
    }
    let earlier =
        job.of(&e.device_id).take_while(|s| s.layout.step_id != e.step_id).all(StepView::is_on_router);
    if !earlier {
        return Some("before the earlier steps of its device");
    }
    let armed = job.timers.get(&e.device_id) == Some(&DeadManStatus::Armed);
    if job.part(&e.device_id).dead_man.is_some() && !armed {
        return Some("of a risky change without an armed undo");
    }
    None
}

/// Why an undo may not be begun, if so. Nobody waits for devices that are `away`.
pub(super) fn why_not_back(
    job: &JobView,
    e: &StepStarted,
    away: &BTreeSet<DeviceId>,
) -> Option<&'static str> {
    let step = job.steps.iter().find(|step| step.layout.step_id == e.step_id)?;
    let stands = |s: &StepView| s.is_on_router() || s.is_unsettled();
    if job.status != JobStatus::RollingBack {
        return Some("to undo in a job that does not roll back");
    }
    if job.skipped.contains(&e.device_id) {
        return Some("to undo on a device that was left out");
    }
    if job.timer_is_live(&e.device_id) {
        return Some("to undo under a live timed undo");
    }
    if step.status != StepStatus::Applied {
        return Some("to undo what is not applied");
    }
    let later = job.of(&e.device_id).skip_while(|s| s.layout.step_id != e.step_id).skip(1);
    if later.into_iter().any(stands) {
        return Some("to undo before the later steps of its device");
    }
    let later = job.others(&e.device_id).filter(|s| s.layout.wave > step.layout.wave);
    let waits = |s: &StepView| {
        let device_id = &s.layout.device_id;
        // A timed undo that does not go is a person's.
        let left = away.contains(device_id) || job.timers.get(device_id) == Some(&DeadManStatus::Lapsed);
        stands(s) && s.undo_tries < UNDO_TRIES_MAX && !left
    };
    if later.into_iter().any(waits) {
        return Some("to undo before the later waves");
    }
    None
}
