//! What the four decisions about a job that stands have in common.

use events::{
    ids::JobId,
    job::{Direction, JobStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::Command,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        plan::{job_status::unknown, plan_details::sees_plan},
        tool::Targets,
    },
};

/// Which job, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    pub(super) job_id: JobId,
    pub(super) reason: Text<1, 512>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn job(&self) -> Option<JobId> {
        Some(self.job_id)
    }
}

/// Where the job stands after the decision.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    job_id: JobId,
    status: JobStatus,
    /// What to look at next.
    next_step: String,
}

impl Answer {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        format!("{} is {}", self.job_id, self.status.as_str())
    }
}

/// The status of a job whose plan the caller sees.
pub(super) fn status_in_sight(cx: &Cx, job_id: JobId) -> Result<JobStatus, Failure> {
    let status = cx.view(|views| {
        let job = views.state.jobs.get(&job_id)?;
        let plan = views.state.plans.get(&job.plan_id)?;
        sees_plan(cx, &views.state, plan).then_some(job.status)
    });
    status.ok_or_else(|| unknown(job_id))
}

/// Submits a decision; the rules say whether it makes sense.
pub(super) async fn direct(
    cx: &Cx,
    job_id: JobId,
    direction: Direction,
    reason: Text<1, 512>,
) -> Result<Answer, Failure> {
    status_in_sight(cx, job_id)?;
    cx.submit(Command::DirectJob { job_id, direction, reason: reason.0 }).await.map_err(|failure| {
        match failure.code {
            Code::Conflict => {
                failure.hint(format!("`appliance job guide {job_id}` tells what makes sense now"))
            }
            _ => failure,
        }
    })?;
    let status = status_in_sight(cx, job_id)?;
    Ok(Answer { job_id, status, next_step: format!("appliance job watch {job_id}") })
}

/// A decision without parameters of its own.
macro_rules! decision {
    ($(#[$doc:meta])* $name:ident, $tool:literal, $title:literal, $description:literal, $direction:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::tools::tool::Tool for $name {
            const SPEC: $crate::tools::tool::Spec = $crate::tools::tool::Spec::operator(
                $tool,
                $title,
                $description,
                $crate::access::principal::Kind::Write,
                $crate::tools::operator::OPERATORS,
            )
            .changes_routers();
            type Params = $crate::tools::operator::directing::Params;
            type Answer = $crate::tools::operator::directing::Answer;

            async fn run(
                cx: &$crate::tools::context::Cx,
                params: Self::Params,
            ) -> Result<Self::Answer, $crate::failure::Failure> {
                $crate::tools::operator::directing::direct(cx, params.job_id, $direction, params.reason).await
            }

            fn say(answer: &Self::Answer) -> String {
                answer.say()
            }
        }
    };
}
pub(super) use decision;
