//! How far a job is, what it waits for, and what a person can decide about it. Pure.

use std::collections::BTreeSet;

use events::{
    ids::{DeviceId, JobId, Moment, WaveNo},
    job::{Direction, JobStatus, StepStatus},
    plan::Plan,
    principal::Actor,
};

use crate::domain::{
    Refusal, State,
    job::{
        JobState, Need, StepState,
        dead_man::{DeadManState, arming_failed},
        direct::{cancel, direct},
        next, part_of, plan_of,
        step::{unread_before, wave_is_done},
    },
};

/// What a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// Its turn, and a look at all of its devices.
    Turn,
    /// The end of the rest before a wave.
    Pause {
        /// The wave that follows.
        wave: WaveNo,
        /// When it may begin.
        until: Moment,
    },
    /// The next look at a wave that was written.
    Soak {
        /// Which wave.
        wave: WaveNo,
        /// Which of the looks after the wave, from 1 on.
        look: u8,
        /// When it is due.
        until: Moment,
    },
    /// Routers that must answer before it is known what became of a write or of a timed undo.
    Routers(Vec<DeviceId>),
    /// A person.
    Person,
}

impl JobState {
    /// Share of steps that need nothing more, in percent: 100 only once the job is over.
    #[must_use]
    pub fn progress_percent(&self) -> u8 {
        if self.status.is_over() {
            return 100;
        }
        let open = |step: &&StepState| {
            let forward = step.is_open() || step.status == StepStatus::Held;
            step.is_unsettled() || if self.rolling_back { step.is_on_router() } else { forward }
        };
        let left = self.steps.iter().filter(open).count();
        let done = (self.steps.len() - left) * 100 / self.steps.len().max(1);
        u8::try_from(done.min(99)).unwrap_or(99)
    }

    /// The wave that is worked on; once it is over, the last one that was.
    #[must_use]
    pub fn current_wave(&self, plan: &Plan) -> WaveNo {
        let last = |is: &dyn Fn(&StepState) -> bool| {
            let step = self.steps.iter().rev().find(|step| is(step)).or(self.steps.last());
            step.map_or(WaveNo(1), |step| step.layout.wave)
        };
        if self.rolling_back {
            return last(&|step| step.is_on_router() || step.is_unsettled());
        }
        let open = (1u32..).map(WaveNo).zip(&plan.waves).map(|(wave, _)| wave);
        match open.into_iter().find(|wave| !self.wave_is_done(plan, *wave)) {
            Some(wave) if !self.status.is_over() => wave,
            _ => last(&|step| step.status != StepStatus::Waiting),
        }
    }

    /// True when nothing of a wave has to be waited for any more: steps settled, gate passed, timed undos gone.
    #[must_use]
    pub fn wave_is_done(&self, plan: &Plan, wave: WaveNo) -> bool {
        wave_is_done(self, plan, wave)
    }

    /// True when the look before its wave could not read a device to which nothing was sent.
    #[must_use]
    pub fn unread_before(&self, step: &StepState) -> bool {
        unread_before(self, step)
    }

    /// Devices that keep the job from going on, or whose outcome is not known.
    #[must_use]
    pub fn troubled(&self, plan: &Plan) -> BTreeSet<&DeviceId> {
        let bad = |step: &&StepState| {
            step.has_failed()
                || step.is_unsettled()
                || step.status == StepStatus::Diverged
                || unread_before(self, step)
        };
        let steps = self.steps.iter().filter(bad).map(|step| &step.layout.device_id);
        let men = self.dead_men.iter();
        let men = men.filter(|(device_id, man)| man.is_unsettled() || arming_failed(self, device_id));
        let mut troubled: BTreeSet<_> = steps.chain(men.map(|(device_id, _)| device_id)).collect();
        for wave in &self.waves {
            let failed = wave.judged.as_ref().is_some_and(|judged| !judged.passed && !judged.accepted);
            let Some(policy) = plan.rollout.gate.as_ref().filter(|_| failed) else { continue };
            let looked = wave.samples.iter().skip(1).flatten().map(|sample| &sample.device_id);
            troubled.extend(looked.filter(|device_id| !wave.verdict_on(policy, device_id).passed));
        }
        // An undo that waits for a router: nothing was sent, so its step does not tell.
        if self.rolling_back && self.status == JobStatus::Stuck {
            let wave = self.current_wave(plan);
            let left = self.steps.iter().filter(|step| step.layout.wave == wave && step.is_on_router());
            troubled.extend(left.map(|step| &step.layout.device_id));
        }
        troubled.retain(|device_id| !self.skipped.contains(*device_id));
        troubled
    }

    /// What it waits for just now; nothing while it works, and once it is over.
    #[must_use]
    pub fn waits_for(&self, plan: &Plan, at: Moment) -> Option<Waits> {
        let in_doubt = |device_id: &&DeviceId| {
            self.steps_of(device_id).any(|step| step.status == StepStatus::InDoubt)
                || self.dead_men.get(*device_id).is_some_and(DeadManState::is_unsettled)
        };
        match self.status {
            JobStatus::Pending => return Some(Waits::Turn),
            JobStatus::Halted | JobStatus::Stuck => return Some(Waits::Person),
            status if status.is_over() => return None,
            _ => {}
        }
        let doubtful: Vec<DeviceId> = self.troubled(plan).into_iter().filter(in_doubt).cloned().collect();
        if !doubtful.is_empty() {
            return Some(Waits::Routers(doubtful));
        }
        let needs = next(self, plan, at, &BTreeSet::new());
        let [Need::WaitUntil(until)] = needs[..] else { return None };
        let wave = self.current_wave(plan);
        let index = usize::try_from(wave.0).unwrap_or(usize::MAX).saturating_sub(1);
        let parts = plan.waves.get(index).map(Vec::as_slice).unwrap_or_default();
        if !parts.iter().any(|part| self.has_begun(&part.device_id)) {
            return Some(Waits::Pause { wave, until });
        }
        let look = self.wave(wave).map_or(1, |wave| wave.samples.len());
        Some(Waits::Soak { wave, look: u8::try_from(look).unwrap_or(u8::MAX), until })
    }

    /// When the timed undo of a device may run at the earliest, while it may run at all.
    #[must_use]
    pub fn undoes_itself_at(&self, plan: &Plan, device_id: &DeviceId) -> Option<Moment> {
        let man = self.dead_men.get(device_id).filter(|man| man.is_live())?;
        let seconds = part_of(plan, device_id)?.dead_man.as_ref()?.seconds;
        Some(man.started_at.plus_secs(seconds.into()))
    }
}

/// What a person could decide about a job now, each with the rules' own answer: for every device in trouble whether it
/// may be skipped, then retrying, resuming and rolling back.
#[must_use]
pub fn directions(state: &State, job_id: JobId) -> Vec<(Direction, Result<(), Refusal>)> {
    let Some(job) = state.jobs.get(&job_id) else { return Vec::new() };
    let Ok(plan) = plan_of(state, job) else { return Vec::new() };
    let skips = job.troubled(plan).into_iter().map(|device_id| Direction::Skip(device_id.clone()));
    let all = [Direction::Retry].into_iter().chain(skips).chain([Direction::RollBack, Direction::Resume]);
    let asked = |direction: Direction| {
        let answer = direct(state, &Actor::system(), job_id, direction.clone(), String::new());
        (direction, answer.map(drop))
    };
    all.map(asked).collect()
}

/// Whether a job could be cancelled now, by a person.
///
/// # Errors
/// The rules' own refusal.
pub fn may_cancel(state: &State, job_id: JobId) -> Result<(), Refusal> {
    cancel(state, &Actor::system(), job_id, String::new()).map(drop)
}
