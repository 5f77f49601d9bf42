//! Where a job stands, device by device.

use events::{
    ids::{DeviceId, JobId, Moment, PlanId},
    job::{JobStatus, StepStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::job::JobState,
    failure::{Code, Failure},
    routeros::text::Untrusted,
    tools::{
        context::Cx,
        params::DeviceRef,
        plan::plan_details::sees_plan,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The job.
    job_id: JobId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

/// One device of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeviceState {
    device_id: DeviceId,
    status: StepStatus,
    attempts: u32,
    /// Our word for its failure.
    reason: Option<String>,
    /// RouterOS's own words.
    routeros: Untrusted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    job_id: JobId,
    plan_id: PlanId,
    status: JobStatus,
    progress_percent: u8,
    current_device_id: Option<DeviceId>,
    wave: u32,
    devices: Vec<DeviceState>,
    started_at: Moment,
    started_by: String,
    duration_s: f64,
    /// Why it stands there, when there is something to say.
    reason: String,
    /// What a person must do, when it cannot go on by itself.
    waits_for: Option<&'static str>,
}

/// A job as shown, at a moment.
pub(in crate::tools) fn shown(job: &JobState, at: Moment) -> Answer {
    let open = |status| matches!(status, StepStatus::Waiting | StepStatus::Started | StepStatus::InDoubt);
    let current = job.steps.iter().find(|step| open(step.status)).filter(|_| !job.status.is_over());
    let micros = job.ended_at.unwrap_or(at).micros_since(job.started_at);
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    let duration_s = micros as f64 / 1e6;
    Answer {
        job_id: job.job_id,
        plan_id: job.plan_id,
        status: job.status,
        progress_percent: job.progress_percent(),
        current_device_id: current.map(|step| step.layout.device_id.clone()),
        wave: current.or(job.steps.last()).map_or(1, |step| step.layout.wave.0),
        devices: job
            .steps
            .iter()
            .map(|step| DeviceState {
                device_id: step.layout.device_id.clone(),
                status: step.status,
                attempts: step.attempts,
                reason: step.code.clone(),
                routeros: Untrusted::new(&step.detail),
            })
            .collect(),
        started_at: job.started_at,
        started_by: format!("{} ({})", job.by.label, job.by.name),
        duration_s,
        reason: job.reason.clone(),
        waits_for: (job.status == JobStatus::Stuck).then_some(
            "a person to look at the router: it is neither as before nor as wanted, or cannot be read; then `appliance job cancel` frees it",
        ),
    }
}

pub struct JobStatusTool;

impl Tool for JobStatusTool {
    const SPEC: Spec = Spec::read(
        "job_status",
        "Job status",
        "Where a job stands: status, progress, and each device with its step.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let at = cx.now();
        cx.view(|views| {
            let job = views.state.jobs.get(&params.job_id)?;
            let plan = views.state.plans.get(&job.plan_id)?;
            sees_plan(cx, &views.state, plan).then(|| shown(job, at))
        })
        .ok_or_else(|| Failure::new(Code::UnknownJob, format!("there is no job `{}`", params.job_id)))
    }

    fn say(answer: &Answer) -> String {
        format!("{} at {} %", answer.job_id, answer.progress_percent)
    }
}
