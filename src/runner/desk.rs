//! What the runner needs of the house: the rules with their ledger, and the time.

use std::{collections::BTreeSet, sync::Arc};

use events::{
    device::Purpose,
    ids::{DeviceId, JobId, Moment},
    plan::Plan,
    principal::Actor,
};

use crate::{
    domain::{
        Command,
        job::{JobState, bound_sha256},
    },
    engine::{Committed, Engine, clock},
    failure::Failure,
    routeros::port::Promise,
};

/// The rules with their ledger, and the time. The engine in the house; a ledger in memory in tests of whole rollouts.
pub trait Desk: Send + Sync {
    /// Submits a wish of the product itself and waits until it is durable.
    fn submit(&self, command: Command) -> Promise<'_, Result<Committed, Failure>>;
    /// A job and its plan as they stand.
    fn job(&self, job_id: JobId) -> Option<(JobState, Arc<Plan>)>;
    /// Jobs that hold devices.
    fn open_jobs(&self) -> BTreeSet<JobId>;
    /// The router user that writes to a device.
    fn user(&self, device_id: &DeviceId) -> Option<String>;
    /// What makes a device that very box now, as [`bound_sha256`] says it.
    fn bound(&self, device_id: &DeviceId) -> Option<String>;
    /// Now.
    fn now(&self) -> Moment;
}

impl Desk for Engine {
    fn submit(&self, command: Command) -> Promise<'_, Result<Committed, Failure>> {
        Box::pin(Self::submit(self, Actor::system(), command))
    }

    fn job(&self, job_id: JobId) -> Option<(JobState, Arc<Plan>)> {
        self.view(|views| {
            let job = views.state.jobs.get(&job_id)?;
            let plan = views.state.plans.get(&job.plan_id)?;
            Some((job.clone(), Arc::clone(&plan.plan)))
        })
    }

    fn open_jobs(&self) -> BTreeSet<JobId> {
        self.view(|views| views.state.leases.values().copied().collect())
    }

    fn user(&self, device_id: &DeviceId) -> Option<String> {
        self.view(|views| {
            let logins = &views.state.devices.get(device_id)?.credentials;
            let login = logins.get(&Purpose::Write).or_else(|| logins.get(&Purpose::Read))?;
            Some(login.1.clone())
        })
    }

    fn bound(&self, device_id: &DeviceId) -> Option<String> {
        self.view(|views| views.state.devices.get(device_id).map(bound_sha256))
    }

    fn now(&self) -> Moment {
        clock::now()
    }
}
