//! A person ends a job that does not go on by itself.

use events::{ids::JobId, job::JobStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::OPERATORS,
        params::{DeviceRef, Text},
        plan::plan_details::sees_plan,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    job_id: JobId,
    /// Why; for a stuck job also what the router was found to be.
    reason: Text<1, 512>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    job_id: JobId,
    status: JobStatus,
}

pub struct JobCancel;

impl Tool for JobCancel {
    const SPEC: Spec = Spec::operator(
        "job_cancel",
        "Cancel a job",
        "Ends a job that is stuck or halted and frees its router. Sends nothing: the router stays as it is.",
        Kind::Write,
        OPERATORS,
    )
    .destructive();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let job_id = params.job_id;
        let status = cx.view(|views| {
            let job = views.state.jobs.get(&job_id)?;
            let plan = views.state.plans.get(&job.plan_id)?;
            sees_plan(cx, &views.state, plan).then_some(job.status)
        });
        match status {
            None => return Err(Failure::new(Code::UnknownJob, format!("there is no job `{job_id}`"))),
            Some(JobStatus::Stuck | JobStatus::Halted) => {}
            Some(_) => {
                return Err(Failure::new(Code::Conflict, format!("{job_id} goes on by itself or is over"))
                    .hint("job_status tells where it stands"));
            }
        }
        let reason = format!("cancelled by {}: {}", cx.principal().actor.label, params.reason.0);
        let status = JobStatus::Cancelled;
        cx.submit(Command::SetJobStatus { job_id, status, reason }).await?;
        Ok(Answer { job_id, status })
    }

    fn say(answer: &Answer) -> String {
        format!("{} is cancelled; its router is free", answer.job_id)
    }
}
