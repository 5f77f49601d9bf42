//! What the tools that start approved plans have in common.

use std::sync::Arc;

use events::{
    ids::{DeviceId, JobId, PlanId},
    job::{JobStatus, StepStatus},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Code, Failure},
    tools::{
        catalog,
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Targets, Topic},
    },
};

/// Parameters of the tools that start an approved plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyParams {
    /// The plan.
    pub(super) plan_id: PlanId,
    /// What the plan tool answered with.
    approval_token: Text<1, 128>,
}

impl Targets for ApplyParams {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

/// One device of an apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AppliedDevice {
    device_id: DeviceId,
    /// Of its last step.
    status: StepStatus,
    steps: usize,
}

/// What became of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplyAnswer {
    plan_id: PlanId,
    job_id: JobId,
    /// `completed`, or `running` when it goes on after this call's time.
    status: JobStatus,
    devices: Vec<AppliedDevice>,
    /// What happens next.
    next_step: String,
}

impl ApplyAnswer {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        match self.status {
            JobStatus::Completed => {
                format!("{} applied and read back on {} devices", self.plan_id, self.devices.len())
            }
            _ => format!("{} goes on; job_status tells where it stands", self.job_id),
        }
    }
}

/// Starts an approved plan of a topic.
///
/// # Errors
/// `invalid_params` for a plan of another topic, refusals of the rules.
pub(super) async fn started(
    cx: &Cx,
    topic: &Topic,
    params: &ApplyParams,
) -> Result<(JobId, Arc<Plan>), Failure> {
    let plan_id = params.plan_id;
    let plan =
        cx.view(|views| crate::domain::plan::find(&views.state, plan_id).map(|plan| Arc::clone(&plan.plan)))?;
    let own = catalog::find(&plan.tool).and_then(|def| def.spec.demand.topic);
    if own != Some(topic.name) {
        return Err(Failure::param("plan_id", format!("{plan_id} is not a {} plan", topic.name))
            .hint("plan_details tells which tool made it"));
    }
    let steps = plan.waves.iter().flatten().map(|part| part.operations.len()).sum();
    let job_id = cx.start(plan_id, steps, Some(&params.approval_token.0)).await?;
    cx.progress(0.0, Some(100.0), "started");
    Ok((job_id, plan))
}

/// Starts an approved plan of a topic and waits for its end.
///
/// # Errors
/// `invalid_params` for a plan of another topic, refusals of the rules, and how the job ended, if not well.
pub(super) async fn apply(cx: &Cx, topic: &Topic, params: &ApplyParams) -> Result<ApplyAnswer, Failure> {
    let plan_id = params.plan_id;
    let (job_id, _) = started(cx, topic, params).await?;
    let settled = cx.followed(job_id, None).await?;
    if let Some(job) = &settled {
        cx.ended_well(job)?;
    }
    let job = settled
        .or_else(|| cx.view(|views| views.state.jobs.get(&job_id).cloned()))
        .ok_or_else(|| Failure::new(Code::Bug, "a started job is not there"))?;
    let mut devices: Vec<AppliedDevice> = Vec::new();
    for step in &job.steps {
        match devices.iter_mut().find(|device| device.device_id == step.layout.device_id) {
            Some(device) => (device.status, device.steps) = (step.status, device.steps + 1),
            None => devices.push(AppliedDevice {
                device_id: step.layout.device_id.clone(),
                status: step.status,
                steps: 1,
            }),
        }
    }
    let next_step = match job.status {
        JobStatus::Completed => "none".to_owned(),
        _ => format!("job_status {job_id} tells where it stands; nothing is sent twice"),
    };
    Ok(ApplyAnswer { plan_id, job_id, status: job.status, devices, next_step })
}

/// A tool that starts an approved plan of a topic.
macro_rules! apply_tool {
    ($(#[$doc:meta])* $name:ident, $tool:literal, $title:literal, $description:literal, $topic:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::tools::tool::Tool for $name {
            const SPEC: $crate::tools::tool::Spec =
                $crate::tools::tool::Spec::apply($tool, $title, $description, &$topic);
            type Params = $crate::tools::apply::ApplyParams;
            type Answer = $crate::tools::apply::ApplyAnswer;

            async fn run(
                cx: &$crate::tools::context::Cx,
                params: Self::Params,
            ) -> Result<Self::Answer, $crate::failure::Failure> {
                $crate::tools::apply::apply(cx, &$topic, &params).await
            }

            fn say(answer: &Self::Answer) -> String {
                answer.say()
            }
        }
    };
}
pub(super) use apply_tool;
