//! Deliberate mistakes: each breaks one rule, and the checker must find it by the words that are about that rule.

use std::{collections::BTreeMap, sync::Arc};

use events::{
    event::Event,
    gate::DeadManStatus,
    ids::{DeviceId, JobId, StepId},
    job::{JobStatus, StepStatus},
    operation::Action,
    plan::Plan,
};

use crate::{
    domain::{
        Command, State,
        job::{DeadManState, JobState, Judged, StepState, WaveState},
        plan::PlanStatus,
    },
    runner::seeds::router::{JOBS, Router},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A gate that failed is kept as passed.
    GateAlwaysPasses,
    /// So is one that failed for this reason.
    GateForgives(&'static str),
    /// A gate that passed is kept as failed.
    GateNeverPasses,
    /// The verdict `failed` is kept, and the job goes on.
    FailedGoesOn,
    /// The next wave begins without a look at the one before.
    WaveWithoutGate,
    /// A wave begins without the look before it.
    NoFirstLook,
    /// A gate is judged after one look.
    JudgedAfterOneLook,
    /// Only one device of the wave is looked at.
    LooksAtOne,
    /// Nobody waits between waves.
    PauseIgnored,
    /// Nobody waits between looks.
    SoakIgnored,
    /// A failed step is taken for done.
    FailureIsSuccess,
    /// A job that stands goes on.
    StandingGoesOn,
    /// A wish to cancel is forgotten.
    CancelIsForgotten,
    /// Doubt is taken for a write that did not happen.
    DoubtIsNothing,
    /// Steps of a device in the wrong order.
    StepsBackwards,
    /// What was applied is left when something fails.
    NeverRollsBack,
    /// What was applied is undone although nobody asked for that.
    RollsBackUnasked,
    /// The first wave is undone first.
    WavesUndoneForward,
    /// The first step of a device is undone first.
    StepsUndoneForward,
    /// A job that stands undoes.
    UndoesStanding,
    /// What was never applied is undone.
    UndoesNothing,
    /// Our undo does not wait for the one on the router.
    UndoesUnderTimer,
    /// A device that was left alone is forgotten to be.
    SkipIsForgotten,
    /// Doubt is taken for success.
    AppliedUnread,
    /// An undo is taken for done when its answer comes.
    UndoneUnread,
    /// A router that nobody touched is said to differ.
    DivergedForNothing,
    /// What is sent is not what the intent says.
    OtherAction,
    /// Nor what the plan says.
    OtherPlan,
    /// An intent is not on record.
    IntentIsLost,
    /// The start of a job is not on record.
    StartIsLost,
    /// A step that was begun is begun once more.
    IntentTwice,
    /// One intent, two writes.
    SentTwice,
    /// A write goes out when reading has settled it long since.
    LateWrite,
    /// More and more writes at the same time.
    SlotsLeak,
    /// A timed undo that could not be armed is taken for armed.
    WritesUnarmed,
    /// A timed undo is taken for armed when its answer is lost.
    ArmedUnread,
    /// It is disarmed as soon as the steps are done.
    DisarmsEarly,
    /// A timed undo is taken for disarmed although it is not.
    TimersAreHidden,
    /// What is held is kept as confirmed.
    HeldIsApplied,
    /// What is held is read before its timed undo is gone.
    HeldIsNotWaitedFor,
    /// Another script is ended.
    EndsAnother,
    /// A job that is over keeps its devices.
    LeaseIsKept,
    /// A job that is open does not keep them.
    LeaseIsForgotten,
    /// A job never ends.
    NeverDone,
    /// A job ends in doubt.
    EndsInDoubt,
    /// A job that failed says that it is completed.
    CompletedInPart,
    /// A job that undid a part says that it undid all.
    UndoneInPart,
    /// A job stands and does not say why.
    SaysNotWhy,
    /// A job stands and does not.
    ToAndFro,
    /// What is known is not what is on record.
    KnowsOtherwise,
    /// A router forgets what it was told.
    RouterForgets,
    /// A reversal is blind to a device.
    ReversalLeavesOut,
    /// A plan that was reversed in part says that it was reversed.
    ReversedInPart,
}

impl Mutant {
    /// Each with words of the fault that it must show: those about looks and waves.
    pub(super) const OF_GATES: [(Self, &'static str); 16] = [
        (Self::GateAlwaysPasses, "the gate passed"),
        (Self::GateForgives("CPU load"), "CPU"),
        (Self::GateForgives("memory in use"), "memory"),
        (Self::GateForgives("disk in use"), "disk"),
        (Self::GateForgives("temperature"), "heat"),
        (Self::GateForgives("rebooted"), "it booted"),
        (Self::GateForgives("fails a probe"), "probe"),
        (Self::GateForgives("cannot be read"), "is lost"),
        (Self::GateNeverPasses, "which is well"),
        (Self::FailedGoesOn, "after a gate that failed"),
        (Self::WaveWithoutGate, "before the gate of an earlier one"),
        (Self::NoFirstLook, "before the first look"),
        (Self::JudgedAfterOneLook, "was judged after"),
        (Self::LooksAtOne, "leaves out"),
        (Self::PauseIgnored, "before the pause"),
        (Self::SoakIgnored, "before its time"),
    ];
    /// Those about the order of steps, forward and back.
    pub(super) const OF_STEPS: [(Self, &'static str); 16] = [
        (Self::FailureIsSuccess, "before the earlier one is done"),
        (Self::FailureIsSuccess, "after a step on another device failed"),
        (Self::StandingGoesOn, "of a job that does not run"),
        (Self::CancelIsForgotten, "after a wish to cancel"),
        (Self::DoubtIsNothing, "while another device is in doubt"),
        (Self::StepsBackwards, "before the earlier steps of its device"),
        (Self::NeverRollsBack, "what was applied is not undone"),
        (Self::RollsBackUnasked, "nobody had asked for that"),
        (Self::WavesUndoneForward, "before the later waves"),
        (Self::StepsUndoneForward, "before the later steps of its device"),
        (Self::UndoesStanding, "in a job that does not roll back"),
        (Self::UndoesNothing, "to undo what is not applied"),
        (Self::UndoesUnderTimer, "under a live timed undo"),
        (Self::SkipIsForgotten, "an intent on a device that was left out"),
        (Self::SkipIsForgotten, "to undo on a device that was left out"),
        (Self::SkipIsForgotten, "a write on a device that was left out"),
    ];
    /// Those about what is sent, what is claimed, and how it ends.
    pub(super) const OF_REQUESTS_AND_ENDS: [(Self, &'static str); 31] = [
        (Self::AppliedUnread, "what is claimed was not read"),
        (Self::UndoneUnread, "what is claimed was not read"),
        (Self::DivergedForNothing, "nobody changed it"),
        (Self::OtherAction, "not what its intent says"),
        (Self::OtherPlan, "not in the plan"),
        (Self::IntentIsLost, "without a durable intent"),
        (Self::StartIsLost, "an intent of no job"),
        (Self::IntentTwice, "a second intent"),
        (Self::SentTwice, "was sent twice"),
        (Self::LateWrite, "after its intent was settled"),
        (Self::SlotsLeak, "at the same time"),
        (Self::WritesUnarmed, "without an armed undo"),
        (Self::ArmedUnread, "is said to be Armed"),
        (Self::DisarmsEarly, "disarmed before the gate"),
        (Self::TimersAreHidden, "still waits on the router"),
        (Self::HeldIsApplied, "confirmed under an armed timed undo"),
        (Self::HeldIsNotWaitedFor, "its timed undo is still armed"),
        (Self::EndsAnother, "somebody else was ended"),
        (Self::LeaseIsKept, "the lease of"),
        (Self::LeaseIsForgotten, "another one holds"),
        (Self::NeverDone, "no end in sight"),
        (Self::EndsInDoubt, "with an unsettled step"),
        (Self::EndsInDoubt, "with a timed undo that may run"),
        (Self::CompletedInPart, "completed, and not all"),
        (Self::UndoneInPart, "rolled back, and a step is not"),
        (Self::SaysNotWhy, "does not say why"),
        (Self::ToAndFro, "to and fro"),
        (Self::KnowsOtherwise, "not the fold"),
        (Self::RouterForgets, "is not as its steps say"),
        (Self::ReversalLeavesOut, "the reversal leaves out"),
        (Self::ReversedInPart, "a plan is rolled back, and a router was left out"),
    ];

    /// What is on record otherwise than it was decided.
    pub(super) fn bend_event(self, event: &mut Event) {
        match (self, event) {
            (Self::GateAlwaysPasses, Event::GateJudged(judged)) => judged.passed = true,
            (Self::GateNeverPasses, Event::GateJudged(judged)) => judged.passed = false,
            (Self::GateForgives(why), Event::GateJudged(judged)) => {
                judged.passed |= judged.reasons.iter().all(|reason| reason.contains(why));
            }
            (Self::HeldIsApplied, Event::StepSettled(settled)) if settled.status == StepStatus::Held => {
                settled.status = StepStatus::Applied;
            }
            (Self::EndsInDoubt, Event::JobStatusChanged(changed))
                if matches!(changed.status, JobStatus::Stuck | JobStatus::Halted) =>
            {
                changed.status = JobStatus::Failed;
            }
            (Self::CompletedInPart, Event::JobStatusChanged(changed))
                if changed.status == JobStatus::Failed =>
            {
                changed.status = JobStatus::Completed;
            }
            (Self::UndoneInPart, Event::JobStatusChanged(changed))
                if changed.status == JobStatus::PartiallyRolledBack =>
            {
                changed.status = JobStatus::RolledBack;
            }
            _ => {}
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
            (Self::DivergedForNothing, Command::SettleStep(settled))
                if settled.status == StepStatus::Refused =>
            {
                settled.status = StepStatus::Diverged;
            }
            (Self::ArmedUnread, Command::SettleDeadMan(settled))
                if settled.status == DeadManStatus::InDoubt =>
            {
                (settled.status, settled.reference) = (DeadManStatus::Armed, Some("*2".to_owned()));
            }
            (Self::NeverDone, Command::SetJobStatus { status, .. }) if status.is_over() => {
                *status = JobStatus::Running;
            }
            (Self::SaysNotWhy, Command::SetJobStatus { reason, .. }) => reason.clear(),
            (Self::LooksAtOne, Command::RecordGate { devices, .. }) => devices.truncate(1),
            _ => {}
        }
        command
    }

    /// What the product knows otherwise than it is on record.
    pub(super) fn bend_state(self, state: &mut State, event: &Event) {
        match event {
            Event::PlanProposed(proposed) => {
                if let Some(plan) = state.plans.get_mut(&proposed.plan.plan_id) {
                    self.bend_plan(Arc::make_mut(&mut plan.plan));
                }
            }
            Event::JobStarted(started) if self == Self::LeaseIsForgotten => {
                let last = started.steps.last().map(|step| &step.device_id);
                state.leases.retain(|device_id, _| Some(device_id) != last);
            }
            Event::JobStatusChanged(changed) => {
                let Some(job) = state.jobs.get_mut(&changed.job_id) else { return };
                let devices = job.steps.iter().map(|step| step.layout.device_id.clone());
                let kept: Vec<(DeviceId, JobId)> = devices.map(|id| (id, changed.job_id)).collect();
                self.bend_job(job, changed.status);
                if self == Self::WavesUndoneForward
                    && changed.status == JobStatus::RollingBack
                    && let Some(plan) = state.plans.get_mut(&changed.plan_id)
                {
                    Arc::make_mut(&mut plan.plan).waves.reverse();
                }
                if self == Self::LeaseIsKept && changed.status.is_over() {
                    state.leases.extend(kept);
                }
                if self == Self::ReversedInPart && changed.status.is_over() {
                    let undone = state.plans.get(&changed.plan_id).map(|plan| plan.plan.undoes.clone());
                    for plan_id in undone.unwrap_or_default() {
                        state.plans.get_mut(&plan_id).unwrap().status = PlanStatus::RolledBack;
                    }
                }
            }
            _ => {
                let Some(job) = job_of(event).and_then(|job_id| state.jobs.get_mut(&job_id)) else { return };
                self.bend_known(job, event);
            }
        }
    }

    fn bend_plan(self, plan: &mut Plan) {
        match self {
            Self::PauseIgnored => plan.rollout.pause_seconds = 0,
            Self::SoakIgnored => plan.rollout.soak_seconds = 0,
            Self::NeverRollsBack => plan.rollback_on_failure = false,
            Self::RollsBackUnasked => plan.rollback_on_failure = true,
            _ => {}
        }
    }

    /// After a change of a job's state.
    fn bend_job(self, job: &mut JobState, status: JobStatus) {
        match (self, status) {
            (Self::NoFirstLook, JobStatus::Running) => {
                let unseen = job.waves.iter_mut().filter(|wave| wave.samples.is_empty());
                unseen.for_each(|wave: &mut WaveState| wave.samples.push(Vec::new()));
            }
            (Self::StandingGoesOn, JobStatus::Halted) => {
                job.status = JobStatus::Running;
                let failed = job.steps.iter_mut().filter(|step| step.has_failed());
                failed.for_each(|step| {
                    (step.status, step.given_up, step.tries) = (StepStatus::Waiting, false, 0)
                });
                job.dead_men.retain(|_, man| !man.has_failed());
            }
            (Self::ToAndFro, JobStatus::Halted) => job.status = JobStatus::Running,
            (Self::UndoesStanding, JobStatus::Halted) => {
                (job.status, job.rolling_back) = (JobStatus::RollingBack, true);
            }
            (Self::StepsUndoneForward, JobStatus::RollingBack) => job.steps.reverse(),
            (Self::UndoesNothing, JobStatus::RollingBack) => {
                let waiting = job.steps.iter_mut().filter(|step| step.status == StepStatus::Waiting);
                waiting.for_each(|step| step.status = StepStatus::Applied);
            }
            (Self::UndoesUnderTimer, JobStatus::RollingBack) => {
                job.dead_men.values_mut().for_each(|man| man.status = DeadManStatus::Disarmed);
                let held = job.steps.iter_mut().filter(|step| step.status == StepStatus::Held);
                held.for_each(|step| step.status = StepStatus::Applied);
            }
            (Self::ReversalLeavesOut, JobStatus::Completed) => {
                let last = job.steps.last().map(|step| step.layout.device_id.clone());
                let steps = job.steps.iter_mut().filter(|step| Some(&step.layout.device_id) == last.as_ref());
                steps.for_each(|step| step.status = StepStatus::NotApplied);
            }
            _ => {}
        }
    }

    /// After any other fact about a job.
    fn bend_known(self, job: &mut JobState, event: &Event) {
        match (self, event) {
            (Self::FailedGoesOn, Event::GateJudged(judged)) => {
                job.waves[judged.wave.0 as usize - 1].judged.iter_mut().for_each(|own| own.passed = true);
            }
            (Self::WaveWithoutGate, Event::StepSettled(settled)) => judge(job, settled.step_id),
            (Self::DisarmsEarly, Event::StepSettled(settled)) if settled.status == StepStatus::Held => {
                judge(job, settled.step_id);
            }
            (Self::JudgedAfterOneLook, Event::GateSampled(sampled)) if sampled.sample == 1 => {
                let samples = &mut job.waves[sampled.wave.0 as usize - 1].samples;
                samples.extend([sampled.devices.clone(), sampled.devices.clone()]);
            }
            (Self::FailureIsSuccess, Event::StepSettled(settled))
                if matches!(settled.status, StepStatus::Refused | StepStatus::NotApplied)
                    && !job.dead_men.contains_key(&settled.device_id) =>
            {
                set(job, settled.step_id, StepStatus::Applied);
            }
            (Self::DoubtIsNothing, Event::StepSettled(settled)) if settled.status == StepStatus::InDoubt => {
                set(job, settled.step_id, StepStatus::Applied);
            }
            (Self::HeldIsNotWaitedFor, Event::StepSettled(settled)) if settled.status == StepStatus::Held => {
                let man = job.dead_men.get_mut(&settled.device_id);
                man.into_iter().for_each(|man: &mut DeadManState| man.status = DeadManStatus::Disarmed);
            }
            (Self::KnowsOtherwise, Event::StepSettled(settled)) => {
                let step = job.steps.iter_mut().find(|step| step.layout.step_id == settled.step_id);
                step.into_iter().for_each(|step| step.detail.push('x'));
            }
            (Self::IntentTwice, Event::StepStarted(started)) => {
                set(job, started.step_id, StepStatus::NotApplied);
            }
            (Self::StepsBackwards, Event::JobStarted(_)) => job.steps.reverse(),
            (Self::CancelIsForgotten, Event::JobCancelRequested(_)) => job.cancel = None,
            (Self::SkipIsForgotten, Event::JobDirected(_)) => job.skipped.clear(),
            (Self::WritesUnarmed, Event::DeadManSettled(settled))
                if settled.status == DeadManStatus::NotArmed =>
            {
                let man = job.dead_men.get_mut(&settled.device_id);
                man.into_iter().for_each(|man| {
                    (man.status, man.reference) = (DeadManStatus::Armed, Some("*2".to_owned()));
                });
            }
            _ => {}
        }
    }

    /// What the store loses although it said yes.
    pub(super) const fn hides(self, event: &Event) -> bool {
        matches!(
            (self, event),
            (Self::IntentIsLost, Event::StepStarted(_)) | (Self::StartIsLost, Event::JobStarted(_))
        )
    }

    /// What routers do when something is on record.
    pub(super) fn bend_routers(self, routers: &mut BTreeMap<DeviceId, Router>, event: &Event) {
        if let (Self::RouterForgets, Event::StepSettled(settled)) = (self, event)
            && settled.status == StepStatus::Applied
            && let Some(router) = routers.get_mut(&settled.device_id)
        {
            router.config = router.start.clone();
        }
    }

    pub(super) fn bend_action(self, action: &Action) -> Action {
        let mut action = action.clone();
        match (self, &mut action) {
            (Self::OtherAction | Self::OtherPlan, Action::SetSingleton { properties, .. }) => {
                properties.iter_mut().for_each(|(_, value)| value.push('0'));
            }
            (Self::EndsAnother, Action::Remove { menu, id }) if menu == JOBS => "*1".clone_into(id),
            _ => {}
        }
        action
    }
}

const fn job_of(event: &Event) -> Option<JobId> {
    match event {
        Event::JobStarted(e) => Some(e.job_id),
        Event::StepStarted(e) => Some(e.job_id),
        Event::StepSettled(e) => Some(e.job_id),
        Event::GateSampled(e) => Some(e.job_id),
        Event::GateJudged(e) => Some(e.job_id),
        Event::DeadManSettled(e) => Some(e.job_id),
        Event::JobCancelRequested(e) => Some(e.job_id),
        Event::JobDirected(e) => Some(e.job_id),
        _ => None,
    }
}

fn set(job: &mut JobState, step_id: StepId, status: StepStatus) {
    let same = |step: &&mut StepState| step.layout.step_id == step_id;
    if let Some(step) = job.steps.iter_mut().find(same) {
        step.status = status;
    }
}

/// The gate of a step's wave counts as passed.
fn judge(job: &mut JobState, step_id: StepId) {
    let at = job.started_at;
    let Some(wave) = job.step(step_id).map(|step| step.layout.wave.0 as usize - 1) else { return };
    job.waves[wave].judged = Some(Judged { at, passed: true, accepted: true, reasons: vec![] });
}
