//! Carries out jobs: for every open job, ask the rules what it needs, do that, report, ask again.
//!
//! A reconciler: it looks at open jobs at start, on each decision, and every few seconds. Going on after a crash is the
//! same code as progress. It is the only room that holds the [`Writer`] port.

mod effect;
mod seen;
mod settle;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use events::{
    ids::JobId,
    job::{JobStatus, StepStatus},
    plan::Plan,
    principal::Actor,
};
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        Command,
        job::{JobState, Need, next},
    },
    engine::{Engine, is_decision},
    failure::Failure,
    routeros::port::{Reader, Writer},
};

/// Looked at this often even when nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Jobs carried out at once; further ones wait for their turn.
const JOBS_AT_ONCE_MAX: usize = 64;

/// What the runner works with.
#[derive(Clone)]
pub struct Runner {
    engine: Engine,
    reader: Arc<dyn Reader>,
    writer: Arc<dyn Writer>,
    stop: CancellationToken,
}

/// Whether a job can go on at once.
enum Pace {
    /// Ask again now.
    Again,
    /// Ask again after this long, or when stopped.
    After(Duration),
    /// Nothing to do until somebody acts.
    Rest,
}

impl Runner {
    /// A runner on an engine; only the composition root has a [`Writer`] to give.
    #[must_use]
    pub fn new(
        engine: Engine,
        reader: Arc<dyn Reader>,
        writer: Arc<dyn Writer>,
        stop: CancellationToken,
    ) -> Self {
        Self { engine, reader, writer, stop }
    }

    /// Runs until stopped. Stops between steps: a step that was begun is finished first.
    pub async fn run(self) {
        let mut heard = self.engine.subscribe();
        let mut driven: BTreeSet<JobId> = BTreeSet::new();
        let mut drives: JoinSet<JobId> = JoinSet::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            for job_id in self.open_jobs() {
                if driven.len() >= JOBS_AT_ONCE_MAX || self.stop.is_cancelled() {
                    break;
                }
                if driven.insert(job_id) {
                    let runner = self.clone();
                    drives.spawn(async move {
                        runner.drive(job_id).await;
                        job_id
                    });
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = tick.tick() => {}
                Some(done) = drives.join_next() => match done {
                    Ok(job_id) => { driven.remove(&job_id); }
                    Err(error) => {
                        tracing::error!(%error, "a job's drive ended abnormally; it is taken up again");
                        driven.clear();
                        drives.abort_all();
                        while drives.join_next().await.is_some() {}
                    }
                },
                event = heard.recv() => match event {
                    // A flood of records must not wake the loop for each one.
                    Ok(envelope) if !is_decision(&envelope.event) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
            }
        }
        while drives.join_next().await.is_some() {}
    }

    fn open_jobs(&self) -> Vec<JobId> {
        self.engine.view(|views| {
            views
                .state
                .jobs
                .values()
                .filter(|job| !job.status.is_over() && !rests(job))
                .map(|job| job.job_id)
                .collect()
        })
    }

    /// Carries one job as far as it goes.
    async fn drive(&self, job_id: JobId) {
        let mut failures = 0u32;
        while !self.stop.is_cancelled() {
            let found = self.engine.view(|views| {
                let job = views.state.jobs.get(&job_id)?;
                let plan = views.state.plans.get(&job.plan_id)?;
                Some((job.clone(), plan.plan.clone()))
            });
            let Some((job, plan)) = found else { return };
            let pace = match self.take_one(&job, &plan, &mut failures).await {
                Ok(pace) => pace,
                Err(failure) => {
                    // The store is away or the rules said no: look again later, from what is durable then.
                    tracing::warn!(%job_id, code = %failure.code, "{}", failure.say);
                    Pace::After(Duration::from_secs(1))
                }
            };
            match pace {
                Pace::Again => {}
                Pace::Rest => return,
                Pace::After(pause) => {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => return,
                    }
                }
            }
        }
    }

    async fn take_one(&self, job: &JobState, plan: &Plan, failures: &mut u32) -> Result<Pace, Failure> {
        events::crash::point("runner.picked");
        match next(job, plan) {
            Need::Nothing => Ok(Pace::Rest),
            // What stopped an undo was that its router could not be read: it goes on when it can be.
            Need::Status(JobStatus::RollingBack, _)
                if job.status == JobStatus::Stuck && !self.can_be_undone_now(job, plan).await =>
            {
                self.unread(job, failures).await
            }
            Need::Status(status, reason) => {
                events::crash::point("runner.before_status");
                self.submit(Command::SetJobStatus { job_id: job.job_id, status, reason }).await?;
                events::crash::point("runner.after_status");
                Ok(Pace::Again)
            }
            Need::Write { step_id, undo } => {
                if self.write_step(job, plan, step_id, undo).await? {
                    *failures = 0;
                    return Ok(Pace::Again);
                }
                self.unread(job, failures).await
            }
            Need::Settle(step_id) => {
                if self.settle_by_reading(job, plan, step_id).await? {
                    *failures = 0;
                    return Ok(Pace::Again);
                }
                self.unread(job, failures).await
            }
        }
    }

    /// A router could not be read: the pauses grow, and after some tries people are asked. Reading goes on.
    async fn unread(&self, job: &JobState, failures: &mut u32) -> Result<Pace, Failure> {
        *failures += 1;
        if *failures == settle::TRIES_BEFORE_STUCK && job.status != JobStatus::Stuck {
            let in_doubt =
                job.steps.iter().any(|step| matches!(step.status, StepStatus::Started | StepStatus::InDoubt));
            let reason = if in_doubt {
                "a router cannot be read, so what became of a write is not known"
            } else {
                "a router cannot be read, so its change is not undone yet"
            };
            let (status, reason) = (JobStatus::Stuck, reason.to_owned());
            events::crash::point("settle.before_stuck");
            self.submit(Command::SetJobStatus { job_id: job.job_id, status, reason }).await?;
            events::crash::point("settle.after_stuck");
        }
        Ok(Pace::After(settle::pause_after(*failures)))
    }

    async fn submit(&self, command: Command) -> Result<crate::engine::Committed, Failure> {
        self.engine.submit(Actor::system(), command).await
    }
}

/// A stuck job with a diverged step waits for a person; one that is merely in doubt is read again and again.
fn rests(job: &JobState) -> bool {
    job.status == JobStatus::Stuck && job.steps.iter().any(|step| step.status == StepStatus::Diverged)
}
