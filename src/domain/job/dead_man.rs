//! Rules about the timed undo that a router keeps while a risky change is not confirmed.

use events::{
    event::Event,
    gate::{DeadManSettled, DeadManStarted, DeadManStatus},
    ids::{DeviceId, JobId, Moment},
    job::{JobStatus, StepStatus},
    plan::DevicePart,
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Refusal, Rules, State,
        job::{
            ATTEMPTS_MAX, JobState, find, part_of, plan_of,
            step::{begins_in_time, wave_is_open},
            still_that_box,
        },
    },
    failure::Code,
};

/// A timed undo may run this much later than its time says: a busy router, a slow clock (target: deadline + 5 s).
const LATE_S: i64 = 5;
/// A write may be on its way so long: RouterOS's wall, and a little more (FACTS 1.1). It must be there before the timed undo
/// runs, or nothing would undo it.
const WRITE_S: i64 = 65;

/// A timed undo as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadManState {
    /// Where it stands.
    pub status: DeadManStatus,
    /// How many intents to arm there were.
    pub attempts: u32,
    /// How many since a person had it tried again.
    pub tries: u32,
    /// It could not be armed, for a reason that does not pass by itself.
    pub hopeless: bool,
    /// How many intents to disarm there were.
    pub disarms: u32,
    /// RouterOS's id of it, while it is armed.
    pub reference: Option<String>,
    /// Before this moment plus its seconds it does not run: the intent to arm it.
    pub started_at: Moment,
    /// After this moment plus its seconds it has run, or never will: it was last seen or answered for.
    pub seen_at: Moment,
    /// Our word for its failure.
    pub code: Option<String>,
    /// What its row says besides its id, or RouterOS's words for its failure. Untrusted.
    pub detail: String,
}

impl DeadManState {
    pub(super) const fn new(at: Moment) -> Self {
        Self {
            status: DeadManStatus::Arming,
            attempts: 0,
            tries: 0,
            hopeless: false,
            disarms: 0,
            reference: None,
            started_at: at,
            seen_at: at,
            code: None,
            detail: String::new(),
        }
    }

    pub(super) fn started(&mut self, event: &DeadManStarted, at: Moment) {
        if event.disarm {
            self.status = DeadManStatus::Disarming;
            self.disarms = event.attempt;
            return;
        }
        self.status = DeadManStatus::Arming;
        (self.attempts, self.tries) = (event.attempt, self.tries + 1);
        (self.started_at, self.seen_at) = (at, at);
        self.reference = None;
        self.detail.clear();
    }

    pub(super) fn settled(&mut self, event: &DeadManSettled, at: Moment) {
        // Only while it is being armed does the time of its end move: a timer that is seen later was set before.
        if matches!(self.status, DeadManStatus::Arming | DeadManStatus::InDoubt) {
            self.seen_at = at;
        }
        let may_pass = |code: &str| {
            [Code::DeviceUnreachable, Code::Overloaded, Code::StorageUnavailable, Code::InDoubt]
                .iter()
                .any(|known| known.as_str() == code)
        };
        self.hopeless =
            event.status == DeadManStatus::NotArmed && !event.code.as_deref().is_some_and(may_pass);
        self.status = event.status;
        if event.reference.is_some() {
            self.reference.clone_from(&event.reference);
        }
        self.code.clone_from(&event.code);
        // What its row said is kept with its id.
        if !event.detail.is_empty() || self.reference.is_none() {
            self.detail.clone_from(&event.detail);
        }
    }

    /// True when it may run on the router.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(
            self.status,
            DeadManStatus::Arming | DeadManStatus::Armed | DeadManStatus::InDoubt | DeadManStatus::Disarming
        )
    }

    /// True when reading must tell what became of it.
    #[must_use]
    pub const fn is_unsettled(&self) -> bool {
        matches!(self.status, DeadManStatus::Arming | DeadManStatus::InDoubt | DeadManStatus::Disarming)
    }

    /// From then on it has run, or never will.
    #[must_use]
    pub const fn over_at(&self, seconds: u32) -> Moment {
        self.seen_at.plus_secs(seconds as i64 + LATE_S)
    }

    /// True when arming failed, until a person has it tried again.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.status, DeadManStatus::NotArmed) && (self.tries >= ATTEMPTS_MAX || self.hopeless)
    }

    /// True when what is sent now is there before it runs.
    #[must_use]
    pub const fn outlives_a_write(&self, seconds: u32, at: Moment) -> bool {
        let seconds = seconds as i64;
        // One that runs within two minutes leaves half of its time.
        let write = if seconds < 2 * WRITE_S { seconds / 2 } else { WRITE_S };
        matches!(self.status, DeadManStatus::Armed)
            && at.as_micros() < self.started_at.plus_secs(seconds - write).as_micros()
    }
}

/// True when the timed undo of a device could not be armed, or was armed as often as may be and its steps are not done.
#[must_use]
pub fn arming_failed(job: &JobState, device_id: &DeviceId) -> bool {
    job.dead_men.get(device_id).is_some_and(|man| {
        let spent = man.tries >= ATTEMPTS_MAX && !man.is_live();
        man.has_failed() || (spent && job.steps_of(device_id).any(super::StepState::is_open))
    })
}

/// True when the risky steps of a device may be sent now.
pub(super) fn is_guarded(job: &JobState, part: &DevicePart, at: Moment) -> bool {
    let seconds = part.dead_man.as_ref().map_or(0, |dead_man| dead_man.seconds);
    job.dead_men.get(&part.device_id).is_some_and(|man| man.outlives_a_write(seconds, at))
}

pub fn begin(
    state: &State,
    rules: &Rules,
    job_id: JobId,
    device_id: &DeviceId,
    disarm: bool,
    operation_sha256: String,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let job = find(state, job_id)?;
    let plan = plan_of(state, job)?;
    let part = part_of(plan, device_id)
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("{job_id} is not about `{device_id}`")))?;
    let man = job.dead_men.get(device_id);
    let no = |why: &str| Err(Refusal::new(Code::Conflict, format!("the timed undo of `{device_id}` {why}")));
    let attempt = if disarm {
        // One that is still there after its time guards nothing any more.
        let over = man.is_some_and(|man| man.status == DeadManStatus::Lapsed && man.reference.is_some());
        let Some(man) = man.filter(|man| over || man.status == DeadManStatus::Armed) else {
            return no("is not armed");
        };
        let unsettled = job.steps_of(device_id).any(super::StepState::is_unsettled);
        let wanted = job.rolling_back
            || plan.rollout.gate.is_none()
            || job.steps_of(device_id).all(|step| {
                step.status != StepStatus::Held
                    || job.wave(step.layout.wave).is_some_and(|wave| {
                        wave.judged.as_ref().is_some_and(|judged| judged.passed || judged.accepted)
                    })
            });
        if job.status.is_over() || job.skipped.contains(device_id) {
            return no("is left as it is");
        }
        if !over && (unsettled || !wanted) {
            return no("is kept until the gate of its wave has passed");
        }
        man.disarms + 1
    } else {
        let wave = job.steps_of(device_id).next().map(|step| step.layout.wave);
        let open = wave.is_some_and(|wave| wave_is_open(job, plan, wave));
        begins_in_time(rules, job, at)?;
        let live = man.is_some_and(DeadManState::is_live) || arming_failed(job, device_id);
        let untouched = !job.has_begun(device_id);
        let stopped = job.skipped.contains(device_id) || (job.cancel.is_some() && untouched);
        if part.dead_man.is_none() || job.status != JobStatus::Running || !open || live || stopped {
            return no("cannot be armed now");
        }
        man.map_or(1, |man| man.attempts + 1)
    };
    still_that_box(state, part)?;
    let device_id = device_id.clone();
    Ok(vec![DeadManStarted { job_id, device_id, attempt, disarm, operation_sha256 }.into()])
}

pub fn settle(state: &State, settled: DeadManSettled, at: Moment) -> Result<Vec<Event>, Refusal> {
    use DeadManStatus::{Armed, Arming, Disarmed, Disarming, InDoubt, Lapsed, NotArmed};
    let job = find(state, settled.job_id)?;
    let plan = plan_of(state, job)?;
    let no = |why: String| Err(Refusal::new(Code::Conflict, why));
    let Some(man) = job.dead_men.get(&settled.device_id) else {
        return no(format!("`{}` has no timed undo", settled.device_id));
    };
    let seconds = part_of(plan, &settled.device_id)
        .and_then(|part| part.dead_man.as_ref())
        .map_or(0, |dead_man| dead_man.seconds);
    let over = at >= man.over_at(seconds);
    let legal = match (man.status, settled.status) {
        (Arming, Armed | NotArmed | InDoubt) | (InDoubt, Armed | NotArmed) => true,
        (Disarming, Disarmed | Armed) => true,
        (Armed | InDoubt | Disarming, Lapsed) => over,
        // Seen under another id; or still there after its time, and never seen before.
        (Armed | Lapsed, Armed) => settled.reference.is_some() && settled.reference != man.reference,
        _ => false,
    };
    if !legal {
        return no(format!(
            "the timed undo of `{}` is {} and cannot become {} now",
            settled.device_id,
            man.status.as_str(),
            settled.status.as_str()
        ));
    }
    Ok(vec![settled.into()])
}
