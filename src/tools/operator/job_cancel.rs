//! Ends a job: one that runs once the devices in hand are finished, one that stands at once, by a person.

use events::{ids::JobId, job::JobStatus};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::{
            OPERATORS,
            directing::{Params, status_in_sight},
        },
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    job_id: JobId,
    /// `cancelled`; or where it stands until the devices in hand are finished.
    status: JobStatus,
    next_step: String,
}

pub struct JobCancel;

impl Tool for JobCancel {
    // It stops writing, so it is there when nothing may be changed, too.
    const SPEC: Spec = Spec::operator(
        "job_cancel",
        "Cancel a job",
        "Ends a job that runs: devices in hand are finished, no other is begun, and what was applied stays.",
        Kind::Write,
        OPERATORS,
    )
    .for_everyone()
    .idempotent()
    .destructive();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let job_id = params.job_id;
        status_in_sight(cx, job_id)?;
        cx.submit(Command::CancelJob { job_id, reason: params.reason.0 }).await.map_err(|failure| {
            match failure.code {
                Code::Conflict => failure.hint("job_status tells where it stands"),
                Code::NotForAgents => failure.hint(format!("a person runs `appliance job guide {job_id}`")),
                _ => failure,
            }
        })?;
        let status = status_in_sight(cx, job_id)?;
        let next_step = match status {
            JobStatus::Pending | JobStatus::Running => {
                "job_status tells when the devices in hand are finished and it is cancelled".to_owned()
            }
            _ => "none".to_owned(),
        };
        Ok(Answer { job_id, status, next_step })
    }

    fn say(answer: &Answer) -> String {
        match answer.status {
            JobStatus::Pending | JobStatus::Running => {
                format!("{} ends once the devices in hand are finished", answer.job_id)
            }
            status => format!("{} is {}; its routers are free", answer.job_id, status.as_str()),
        }
    }
}
