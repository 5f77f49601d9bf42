//! Where a job stands.

use events::ids::JobId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    failure::{Code, Failure},
    tools::{
        context::Cx,
        params::DeviceRef,
        plan::{
            job_shown::{Answer, shown},
            plan_details::sees_plan,
        },
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
    fn job(&self) -> Option<JobId> {
        Some(self.job_id)
    }
}

/// The refusal that names a job unknown.
pub(in crate::tools) fn unknown(job_id: JobId) -> Failure {
    Failure::new(Code::UnknownJob, format!("there is no job `{job_id}`"))
}

pub struct JobStatusTool;

impl Tool for JobStatusTool {
    const SPEC: Spec = Spec::read(
        "job_status",
        "Job status",
        "Where a job stands: progress, waves with their gates, each device, and what it waits for.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let at = cx.now();
        cx.view(|views| {
            let job = views.state.jobs.get(&params.job_id)?;
            let plan = views.state.plans.get(&job.plan_id)?;
            sees_plan(cx, &views.state, plan).then(|| shown(&views.state, job, &plan.plan, at))
        })
        .ok_or_else(|| unknown(params.job_id))
    }

    fn say(answer: &Answer) -> String {
        answer.summary.say()
    }
}
