//! Deliberate mistakes: each breaks one rule, and the checker must find it.

use events::{
    event::Event,
    job::{JobStatus, StepStatus},
    operation::Action,
};

use crate::domain::{
    Command, State,
    job::{Judged, StepState},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A gate that failed is kept as passed.
    GateAlwaysPasses,
    /// The next wave begins without a look at the one before.
    WaveWithoutGate,
    /// Doubt is taken for success.
    AppliedUnread,
    /// What is sent is not what the intent says.
    OtherAction,
    /// A timed undo is taken for disarmed although it is not.
    TimersAreHidden,
    /// A job that is over keeps its devices.
    LeaseIsKept,
    /// A job never ends.
    NeverDone,
    /// A step that was begun is begun once more.
    IntentTwice,
    /// An undo is taken for done when its answer comes.
    UndoneUnread,
}

impl Mutant {
    /// Each with words of the fault that it must show.
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::GateAlwaysPasses, "the gate passed"),
        (Self::WaveWithoutGate, "before the gate"),
        (Self::AppliedUnread, "was not read"),
        (Self::OtherAction, "not what its intent says"),
        (Self::TimersAreHidden, "still waits on the router"),
        (Self::LeaseIsKept, "not the fold"),
        (Self::NeverDone, "no end in sight"),
        (Self::IntentTwice, "was not read"),
        (Self::UndoneUnread, "was not read"),
    ];

    pub(super) fn bend_event(self, event: &mut Event) {
        if let (Self::GateAlwaysPasses, Event::GateJudged(judged)) = (self, event) {
            judged.passed = true;
        }
    }

    pub(super) fn bend_command(self, mut command: Command) -> Command {
        match (self, &mut command) {
            (Self::AppliedUnread, Command::SettleStep(settled)) if settled.status == StepStatus::InDoubt => {
                settled.status = StepStatus::Applied;
            }
            (Self::UndoneUnread, Command::SettleStep(settled)) if settled.status == StepStatus::InDoubt => {
                settled.status = StepStatus::Undone;
            }
            (Self::NeverDone, Command::SetJobStatus { status, .. }) if status.is_over() => {
                *status = JobStatus::Running;
            }
            _ => {}
        }
        command
    }

    pub(super) fn bend_state(self, state: &mut State, event: &Event) {
        match (self, event) {
            (Self::WaveWithoutGate, Event::StepSettled(settled)) => {
                let Some(job) = state.jobs.get_mut(&settled.job_id) else { return };
                let at = job.started_at;
                let Some(wave) = job.step(settled.step_id).map(|step| step.layout.wave.0 as usize - 1) else {
                    return;
                };
                job.waves[wave].judged = Some(Judged { at, passed: true, accepted: true, reasons: vec![] });
            }
            (Self::LeaseIsKept, Event::JobStatusChanged(changed)) if changed.status.is_over() => {
                let Some(job) = state.jobs.get(&changed.job_id) else { return };
                let kept: Vec<_> = job.steps.iter().map(|step| step.layout.device_id.clone()).collect();
                state.leases.extend(kept.into_iter().map(|device_id| (device_id, changed.job_id)));
            }
            (Self::IntentTwice, Event::StepStarted(started)) => {
                let Some(job) = state.jobs.get_mut(&started.job_id) else { return };
                let same = |step: &&mut StepState| step.layout.step_id == started.step_id;
                if let Some(step) = job.steps.iter_mut().find(same) {
                    step.status = StepStatus::NotApplied;
                }
            }
            _ => {}
        }
    }

    pub(super) fn bend_action(self, action: &Action) -> Action {
        let mut action = action.clone();
        if let (Self::OtherAction, Action::SetSingleton { properties, .. }) = (self, &mut action) {
            properties.iter_mut().for_each(|(_, value)| value.push('0'));
        }
        action
    }
}
