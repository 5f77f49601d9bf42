//! One job, as far as it goes: devices at the same time, each one step after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use events::{
    gate::DeadManStatus,
    ids::{DeviceId, JobId, Moment, WaveNo},
    job::{JobStatus, StepStatus},
    plan::Plan,
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{sync::Notify, time::Instant};

use crate::{
    domain::{
        Command,
        job::{DeadManState, JobState, Need, SOAK_SAMPLES, next},
    },
    failure::Failure,
    runner::{Runner, settle},
};

/// Devices of one job that are worked on at the same time.
pub(super) const DEVICES_AT_ONCE_MAX: usize = 16;
/// After the store was away, or the rules said no, it is looked at again from what is durable then.
const PAUSE: Duration = Duration::from_secs(1);

/// Timers of routers may be this late.
pub(super) const LATE: Duration = Duration::from_secs(10);

/// What a piece of work is about. One at a time each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    /// The job as a whole: its state, its gates.
    Job,
    /// One device.
    Device(DeviceId),
}

/// How a piece of work went.
#[derive(Debug)]
pub(super) enum Went {
    /// Ask again.
    On,
    /// The router could not be read: nothing was sent, and it is tried again later.
    Unread,
    /// Not before so long.
    Later(Duration),
}

/// A device that does not answer.
struct Away {
    failures: u32,
    until: Instant,
}

/// What one drive of a job remembers.
#[derive(Default)]
struct Memory {
    away: BTreeMap<DeviceId, Away>,
    pauses: BTreeMap<About, Instant>,
    /// A wait that was kept to its end although the clock was set back meanwhile.
    waited: Option<(Moment, Instant)>,
    /// It is at least so late.
    at_least: Moment,
    /// The last look at a wave: which, and when.
    looked: Option<(WaveNo, u8, Instant)>,
}

impl Memory {
    /// Until when to wait for a moment. No wait of a plan is longer than `most`, whatever the clock says.
    fn wait(&mut self, until: Moment, now: Moment, most: Duration) -> Instant {
        let left = Duration::from_micros(until.micros_since(now).max(0).unsigned_abs());
        match self.waited {
            Some((of, end)) if of == until => {
                if end <= Instant::now() {
                    self.at_least = until;
                }
                end.min(Instant::now() + left)
            }
            _ => {
                let end = Instant::now() + left.min(most);
                self.waited = Some((until, end));
                end
            }
        }
    }

    /// When the next look at a wave may be, if not now: looks of a soak keep their distance although the clock is set ahead.
    fn looks_from(&mut self, wave: WaveNo, sample: u8, plan: &Plan) -> Option<Instant> {
        let share = Duration::from_secs(plan.rollout.soak_seconds.into()) / u32::from(SOAK_SAMPLES);
        let now = Instant::now();
        match self.looked {
            Some((of, last, at)) if of == wave && last + 1 == sample && last > 0 && now < at + share => {
                Some(at + share)
            }
            _ => {
                self.looked = Some((wave, sample, now));
                None
            }
        }
    }

    /// When this may be worked on again, if not now.
    fn rests_until(&self, about: &About) -> Option<Instant> {
        let away = match about {
            About::Device(device_id) => self.away.get(device_id).map(|away| away.until),
            About::Job => None,
        };
        away.max(self.pauses.get(about).copied()).filter(|until| *until > Instant::now())
    }

    fn note(&mut self, about: About, went: Result<Went, Failure>) {
        self.pauses.remove(&about);
        match (went, about) {
            (Ok(Went::On), About::Device(device_id)) => {
                self.away.remove(&device_id);
            }
            (Ok(Went::On), About::Job) => {}
            (Ok(Went::Unread), About::Device(device_id)) => {
                let away = self.away.entry(device_id).or_insert(Away { failures: 0, until: Instant::now() });
                away.failures += 1;
                away.until = Instant::now() + settle::pause_after(away.failures);
            }
            (Ok(Went::Unread), about) => {
                self.pauses.insert(about, Instant::now() + PAUSE);
            }
            (Ok(Went::Later(pause)), about) => {
                self.pauses.insert(about, Instant::now() + pause);
            }
            (Err(failure), about) => {
                tracing::warn!(?about, code = %failure.code, "{}", failure.say);
                self.pauses.insert(about, Instant::now() + PAUSE);
            }
        }
    }

    fn devices_away(&self) -> BTreeSet<DeviceId> {
        self.away.keys().cloned().collect()
    }

    fn is_stuck(&self) -> bool {
        self.away.values().any(|away| away.failures >= settle::TRIES_BEFORE_STUCK)
    }
}

impl Runner {
    /// Carries one job as far as it goes.
    pub(super) async fn drive(&self, job_id: JobId) {
        let wake = Arc::new(Notify::new());
        self.wakes().insert(job_id, Arc::clone(&wake));
        self.drive_woken(job_id, &wake).await;
        self.wakes().remove(&job_id);
        if self.desk.job(job_id).is_none_or(|(job, _)| job.status.is_over()) {
            self.forget_overdue(job_id);
        }
    }

    async fn drive_woken(&self, job_id: JobId, wake: &Notify) {
        let mut hands: FuturesUnordered<BoxFuture<'_, (About, Result<Went, Failure>)>> =
            FuturesUnordered::new();
        let mut busy: BTreeSet<About> = BTreeSet::new();
        let mut memory = Memory::default();
        loop {
            if self.stop.is_cancelled() {
                break;
            }
            let Some((job, plan)) = self.desk.job(job_id) else { break };
            events::crash::point("runner.picked");
            // What is left alone keeps nobody waiting.
            memory.away.retain(|device_id, _| !job.skipped.contains(device_id));
            let job = Arc::new(job);
            let mut wait: Option<Instant> = None;
            let mut sooner = |until: Instant| wait = Some(wait.map_or(until, |now| now.min(until)));
            let needs = self.needs(&job, &plan, &memory);
            for need in needs {
                let about = match need {
                    Need::WaitUntil(until) => {
                        sooner(memory.wait(until, self.desk.now(), longest_wait(&plan)));
                        continue;
                    }
                    Need::Sample { wave, sample } => {
                        if let Some(until) = memory.looks_from(wave, sample, &plan) {
                            sooner(until);
                            continue;
                        }
                        About::Job
                    }
                    ref need => about(need, &job),
                };
                if let Some(until) = memory.rests_until(&about) {
                    sooner(until);
                    continue;
                }
                if busy.contains(&about) || busy.len() >= DEVICES_AT_ONCE_MAX {
                    continue;
                }
                busy.insert(about.clone());
                let (job, plan) = (Arc::clone(&job), Arc::clone(&plan));
                hands.push(Box::pin(async move {
                    // Never closed, so a turn always comes.
                    let _turn = self.turns.acquire().await;
                    // Nothing is begun while we stop.
                    if self.stop.is_cancelled() {
                        return (about, Ok(Went::On));
                    }
                    (about, self.take(&job, &plan, need).await)
                }));
            }
            // One that stands already waits for a person.
            let goes = matches!(job.status, JobStatus::Pending | JobStatus::Running | JobStatus::RollingBack);
            if busy.is_empty() && goes && memory.is_stuck() && memory.rests_until(&About::Job).is_none() {
                let went = self.say_stuck(&job, &memory).await;
                memory.note(About::Job, went);
                continue;
            }
            if busy.is_empty() && wait.is_none() {
                break;
            }
            // In this order, not by chance: a story can be played again.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some((about, went)) = hands.next(), if !hands.is_empty() => {
                    busy.remove(&about);
                    memory.note(about, went);
                }
                () = wake.notified() => {}
                () = sleep_until(wait) => {}
            }
        }
        // A step that was begun is finished.
        while hands.next().await.is_some() {}
    }

    /// What the rules say; a job that is stuck since a router does not answer needs that router to be read.
    fn needs(&self, job: &JobState, plan: &Plan, memory: &Memory) -> Vec<Need> {
        let away = memory.devices_away();
        let mut needs = next(job, plan, self.desk.now().max(memory.at_least), &away);
        if needs.is_empty() && job.status == JobStatus::Stuck {
            let look = |device_id: &DeviceId| {
                let armed = |man: &DeadManState| man.status == DeadManStatus::Armed;
                if job.dead_men.get(device_id).is_some_and(armed) {
                    return Some(Need::Disarm(device_id.clone()));
                }
                let mut steps = job.steps_of(device_id).rev().filter(|_| job.rolling_back);
                let applied = steps.find(|step| step.status == StepStatus::Applied);
                // A look is all that a job that is stuck allows.
                let step = applied.or_else(|| job.steps_of(device_id).next())?;
                Some(Need::Write { step_id: step.layout.step_id, undo: job.rolling_back })
            };
            let diverged = job.steps.iter().any(|step| {
                step.status == StepStatus::Diverged && !job.skipped.contains(&step.layout.device_id)
            });
            if !diverged {
                needs.extend(away.iter().filter_map(look));
            }
        }
        needs
    }

    async fn take(&self, job: &JobState, plan: &Plan, need: Need) -> Result<Went, Failure> {
        match need {
            Need::Status(JobStatus::Running, reason) if job.status == JobStatus::Pending => {
                self.begin_job(job, plan, reason).await
            }
            Need::Status(status, reason) => self.set_status(job.job_id, status, reason).await,
            // What stopped it was that its router could not be read: it goes on when it can be.
            Need::Write { step_id, .. } if job.status == JobStatus::Stuck => {
                self.can_go_on(job, plan, step_id).await
            }
            Need::Write { step_id, undo } => self.write_step(job, plan, step_id, undo).await,
            Need::Settle(step_id) => self.settle_by_reading(job, plan, step_id).await,
            Need::Arm(device_id) => self.arm(job, plan, &device_id).await,
            Need::Disarm(device_id) => self.disarm(job, plan, &device_id).await,
            Need::SettleDeadMan(device_id) => self.settle_dead_man(job, plan, &device_id).await,
            Need::Lapse(device_id) => self.lapse(job, plan, &device_id).await,
            Need::Sample { wave, sample } => self.sample(job, plan, wave, sample).await,
            Need::Judge(wave) => {
                events::crash::point("gate.before_judge");
                self.submit(Command::JudgeGate { job_id: job.job_id, wave }).await?;
                events::crash::point("gate.after_judge");
                Ok(Went::On)
            }
            Need::WaitUntil(_) => Ok(Went::On),
        }
    }

    pub(super) async fn set_status(
        &self,
        job_id: JobId,
        status: JobStatus,
        reason: String,
    ) -> Result<Went, Failure> {
        events::crash::point("runner.before_status");
        self.submit(Command::SetJobStatus { job_id, status, reason }).await?;
        events::crash::point("runner.after_status");
        Ok(Went::On)
    }

    /// A router could not be read for some time: people are asked. Reading goes on.
    async fn say_stuck(&self, job: &JobState, memory: &Memory) -> Result<Went, Failure> {
        let reason = if let Some(device_id) = self.overdue_of(job.job_id, &memory.devices_away()) {
            format!(
                "the time of {device_id} is over and its timed undo is still on the router: remove it there"
            )
        } else if job.is_unsettled() {
            "a router cannot be read, so what became of a write is not known".to_owned()
        } else {
            "a router cannot be read, is another box now, or keeps its timed undo, so its change is not undone or \
             confirmed yet"
                .to_owned()
        };
        let (job_id, status) = (job.job_id, JobStatus::Stuck);
        events::crash::point("settle.before_stuck");
        self.submit(Command::SetJobStatus { job_id, status, reason }).await?;
        events::crash::point("settle.after_stuck");
        Ok(Went::On)
    }
}

/// The longest that anything in a plan waits.
fn longest_wait(plan: &Plan) -> Duration {
    let timers = plan.waves.iter().flatten().filter_map(|part| part.dead_man.as_ref()).map(|man| man.seconds);
    let own = [plan.rollout.pause_seconds, plan.rollout.soak_seconds];
    let most = timers.chain(own).max().unwrap_or(0);
    Duration::from_secs(u64::from(most)) + LATE
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn about(need: &Need, job: &JobState) -> About {
    match need {
        Need::Write { step_id, .. } | Need::Settle(step_id) => {
            job.step(*step_id).map_or(About::Job, |step| About::Device(step.layout.device_id.clone()))
        }
        Need::Arm(device_id)
        | Need::Disarm(device_id)
        | Need::SettleDeadMan(device_id)
        | Need::Lapse(device_id) => About::Device(device_id.clone()),
        Need::Sample { .. } | Need::Judge(_) | Need::Status(..) | Need::WaitUntil(_) => About::Job,
    }
}
