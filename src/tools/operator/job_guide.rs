//! What happened to a job, and what a person can decide about it.

use events::ids::JobId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        params::DeviceRef,
        plan::{
            job_status::unknown,
            job_story::{Guide, guide},
            plan_details::sees_plan,
        },
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
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

pub struct JobGuide;

impl Tool for JobGuide {
    const SPEC: Spec = Spec::operator(
        "job_guide",
        "Guide to a job",
        "What happened to a job, in plain words, and which decisions make sense now.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = Params;
    type Answer = Guide;

    async fn run(cx: &Cx, params: Params) -> Result<Guide, Failure> {
        let at = cx.now();
        cx.view(|views| {
            let job = views.state.jobs.get(&params.job_id)?;
            let plan = views.state.plans.get(&job.plan_id)?;
            sees_plan(cx, &views.state, plan).then(|| guide(&views.state, job, &plan.plan, at))
        })
        .ok_or_else(|| unknown(params.job_id))
    }

    fn say(answer: &Guide) -> String {
        answer.say()
    }
}
