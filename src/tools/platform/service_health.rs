//! Tells how the appliance itself is doing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    engine::Storage,
    failure::Failure,
    tools::{
        context::Cx,
        params::Nothing,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// `healthy`, or `degraded` while nothing can be written.
    status: &'static str,
    /// The only environment served, or `all`.
    environment: &'static str,
    transport: &'static str,
    /// `ready`, or why the store cannot be written.
    database: String,
    version: &'static str,
    /// Newest place in the log.
    head_seq: u64,
    /// Devices you may see, by status.
    devices: BTreeMap<&'static str, usize>,
    open_jobs: usize,
}

pub struct ServiceHealth;

impl Tool for ServiceHealth {
    const SPEC: Spec = Spec::read(
        "service_health",
        "Service health",
        "How the appliance itself is doing: store, devices by status, open jobs.",
    )
    .local();
    type Params = Nothing;
    type Answer = Answer;

    async fn run(cx: &Cx, _: Nothing) -> Result<Answer, Failure> {
        let (status, database) = match &*cx.engine().storage().borrow() {
            Storage::Ready => ("healthy", "ready".to_owned()),
            Storage::Unavailable { since, .. } => ("degraded", format!("cannot be written since {since}")),
            Storage::Stopped => ("degraded", "stopping".to_owned()),
        };
        let head_seq = cx.log().head().seq.0;
        Ok(cx.view(|views| {
            let mut devices = BTreeMap::new();
            for device in views.state.devices.values().filter(|device| cx.principal().sees(device)) {
                *devices.entry(device.status.as_str()).or_default() += 1;
            }
            Answer {
                status,
                environment: cx.policy().environment.map_or("all", events::device::Environment::as_str),
                transport: match cx.principal().actor.door {
                    events::principal::Door::McpStdio => "stdio",
                    _ => "http",
                },
                database,
                version: cx.policy().version,
                head_seq,
                devices,
                open_jobs: views.state.jobs.values().filter(|job| !job.status.is_over()).count(),
            }
        }))
    }

    fn say(answer: &Answer) -> String {
        format!("{}, store {}, {} open jobs", answer.status, answer.database, answer.open_jobs)
    }
}
