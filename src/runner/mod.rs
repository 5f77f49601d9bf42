//! Carries out jobs: for every open job, ask the rules what it needs, do that, report, ask again.
//!
//! A reconciler: it looks at open jobs at start, on each decision, and every few seconds. Going on after a crash is the
//! same code as progress. It is the only room that holds the [`Writer`] port.

mod dead_man;
#[cfg(test)]
mod dead_man_tests;
mod desk;
mod drive;
mod effect;
mod gate;
#[cfg(test)]
mod seeds;
mod seen;
mod settle;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::{
    event::Event,
    ids::{DeviceId, JobId},
};
use tokio::{
    sync::{Notify, Semaphore, broadcast::error::RecvError},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::Command,
    engine::{Committed, Engine},
    failure::Failure,
    routeros::port::{Reader, Writer},
};

pub use desk::Desk;

use dead_man::Overdue;

/// Looked at this often even when nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Jobs carried out at once; further ones wait for their turn. One that pauses or stands costs next to nothing.
const JOBS_AT_ONCE_MAX: usize = 1024;
/// Routers that all jobs together work on at the same time.
const DEVICES_IN_ALL_MAX: usize = 256;

/// What the runner works with.
#[derive(Clone)]
pub struct Runner {
    desk: Arc<dyn Desk>,
    reader: Arc<dyn Reader>,
    writer: Arc<dyn Writer>,
    /// Called when somebody else decided something about a job.
    wakes: Arc<Mutex<BTreeMap<JobId, Arc<Notify>>>>,
    /// Timed undos that are still on their router although their time is over.
    overdue: Arc<Mutex<BTreeMap<(JobId, DeviceId), Overdue>>>,
    turns: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Runner {
    /// A runner at a desk; only the composition root has a [`Writer`] to give.
    #[must_use]
    pub fn new(
        desk: Arc<dyn Desk>,
        reader: Arc<dyn Reader>,
        writer: Arc<dyn Writer>,
        stop: CancellationToken,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(DEVICES_IN_ALL_MAX));
        Self { desk, reader, writer, wakes: Arc::default(), overdue: Arc::default(), turns, stop }
    }

    /// Runs until stopped. Stops between steps: a step that was begun is finished first.
    pub async fn run(self, engine: Engine) {
        let mut heard = engine.subscribe();
        let mut waiting: BTreeSet<JobId> = self.desk.open_jobs();
        let mut driven: BTreeSet<JobId> = BTreeSet::new();
        let mut drives: JoinSet<()> = JoinSet::new();
        let mut tasks: BTreeMap<tokio::task::Id, JobId> = BTreeMap::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while driven.len() < JOBS_AT_ONCE_MAX
                && !self.stop.is_cancelled()
                && let Some(job_id) = waiting.iter().find(|job_id| !driven.contains(job_id)).copied()
            {
                waiting.remove(&job_id);
                driven.insert(job_id);
                let runner = self.clone();
                let task = drives.spawn(async move { runner.drive(job_id).await });
                tasks.insert(task.id(), job_id);
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = tick.tick() => waiting = self.desk.open_jobs(),
                Some(done) = drives.join_next_with_id() => {
                    let id = done.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                    let job_id = tasks.remove(&id);
                    if let Err(error) = done {
                        // With the next look at all jobs, so that it does not spin.
                        tracing::error!(%error, ?job_id, "a job's drive ended abnormally; it is taken up again");
                    }
                    driven.retain(|driven| Some(*driven) != job_id);
                }
                event = heard.recv() => match event {
                    // A flood of records must not wake the loop for each one.
                    Ok(envelope) => if let Some(job_id) = about_a_job(&envelope.event) {
                        waiting.insert(job_id);
                        if let Some(wake) = self.wakes().get(&job_id) {
                            wake.notify_one();
                        }
                    },
                    Err(RecvError::Lagged(_)) => waiting = self.desk.open_jobs(),
                    Err(RecvError::Closed) => break,
                },
            }
        }
        while drives.join_next().await.is_some() {}
    }

    fn wakes(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobId, Arc<Notify>>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn submit(&self, command: Command) -> Result<Committed, Failure> {
        self.desk.submit(command).await
    }
}

/// The job that somebody may have decided something about.
const fn about_a_job(event: &Event) -> Option<JobId> {
    match event {
        Event::JobStarted(e) => Some(e.job_id),
        Event::JobCancelRequested(e) => Some(e.job_id),
        Event::JobDirected(e) => Some(e.job_id),
        Event::JobStatusChanged(e) => Some(e.job_id),
        _ => None,
    }
}
