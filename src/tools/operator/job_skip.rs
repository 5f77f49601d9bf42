//! A person leaves one device of a job as it is.

use events::{
    ids::{DeviceId, JobId},
    job::Direction,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::{
            OPERATORS,
            directing::{Answer, direct},
        },
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    job_id: JobId,
    /// The device's id, as the job has it.
    device_id: DeviceId,
    /// Why, and what the router was found to be.
    reason: Text<1, 512>,
}

// The device may be gone from the registry, and is skipped all the same; who sees the plan sees its devices.
impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn job(&self) -> Option<JobId> {
        Some(self.job_id)
    }
}

pub struct JobSkip;

impl Tool for JobSkip {
    const SPEC: Spec = Spec::operator(
        "job_skip",
        "Skip a device of a job",
        "Leaves one device of a job that stands as it is, for good, and goes on without it.",
        Kind::Write,
        OPERATORS,
    )
    .changes_routers();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        direct(cx, params.job_id, Direction::Skip(params.device_id), params.reason).await
    }

    fn say(answer: &Answer) -> String {
        answer.say()
    }
}
