//! Starts a plan of many devices and answers before it is over.

use std::time::Duration;

use events::{
    ids::{JobId, PlanId},
    job::JobStatus,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::{Code, Failure},
    tools::{
        apply::{ApplyParams, started},
        context::Cx,
        rollout::estimate,
        tool::Topic,
        topic::minutes,
    },
};

/// A rollout takes minutes. What goes wrong at once, such as a router that is not as planned, is told with the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A rollout that was started.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StartAnswer {
    job_id: JobId,
    /// Mostly `running`: job_status tells how it goes on.
    status: JobStatus,
    /// When nothing fails, pauses included.
    estimated_duration_minutes: f64,
    plan_id: PlanId,
    device_count: usize,
    batch_count: usize,
    /// Of the largest batch.
    batch_size: usize,
    batch_pause_seconds: u32,
    /// What happens next.
    next_step: String,
}

impl StartAnswer {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        match self.status {
            JobStatus::Completed => format!("{} is done on {} devices", self.plan_id, self.device_count),
            _ => format!("{} changes {} devices; job_status follows it", self.job_id, self.device_count),
        }
    }
}

/// Starts an approved plan of a topic.
///
/// # Errors
/// `invalid_params` for a plan of another topic, refusals of the rules, and how the job ended, if it ended at once and not
/// well.
pub(super) async fn start(cx: &Cx, topic: &Topic, params: &ApplyParams) -> Result<StartAnswer, Failure> {
    let (job_id, plan) = started(cx, topic, params).await?;
    if let Some(job) = cx.followed(job_id, Some(PATIENCE)).await? {
        cx.ended_well(&job)?;
    }
    let status = cx
        .view(|views| views.state.jobs.get(&job_id).map(|job| job.status))
        .ok_or_else(|| Failure::new(Code::Bug, "a started job is not there"))?;
    let next_step = match status {
        JobStatus::Completed => "none".to_owned(),
        _ => format!("job_status {job_id} tells where it stands; nothing is sent twice"),
    };
    Ok(StartAnswer {
        job_id,
        status,
        estimated_duration_minutes: minutes(estimate(&plan.rollout, plan.waves.len())),
        plan_id: params.plan_id,
        device_count: plan.waves.iter().flatten().count(),
        batch_count: plan.waves.len(),
        batch_size: plan.waves.iter().map(Vec::len).max().unwrap_or_default(),
        batch_pause_seconds: plan.rollout.pause_seconds,
        next_step,
    })
}
