//! Starts an approved plan.

use events::{
    device::Capability,
    ids::{JobId, PlanId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::plan,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::{OPERATORS, plan_approve::plan_in_sight},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    plan_id: PlanId,
    job_id: JobId,
    /// What to look at next.
    next_step: String,
}

pub struct PlanStart;

impl Tool for PlanStart {
    const SPEC: Spec = Spec::operator(
        "plan_start",
        "Start a plan",
        "Starts an approved plan; answers with its job.",
        Kind::Write,
        OPERATORS,
    )
    .changes_routers();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let plan_id = params.plan_id;
        plan_in_sight(cx, plan_id)?;
        let (steps, missing) = cx.view(|views| {
            let plan = plan::find(&views.state, plan_id)?;
            let parts = || plan.plan.waves.iter().flatten();
            // What a device allows may have been taken back since the plan was made.
            let missing = parts().find(|part| {
                let device = views.state.devices.get(&part.device_id);
                !device
                    .is_some_and(|device| device.settings.capabilities.contains(&Capability::AdvancedWrites))
            });
            Ok::<_, Failure>((
                parts().map(|part| part.operations.len()).sum(),
                missing.map(|part| part.device_id.clone()),
            ))
        })?;
        if let Some(device_id) = missing {
            return Err(Failure::new(
                Code::CapabilityMissing,
                "a device of this plan does not allow writes any more",
            )
            .device(&device_id));
        }
        let job_id = cx.start(plan_id, steps, None).await?;
        Ok(Answer { plan_id, job_id, next_step: format!("appliance job watch {job_id}") })
    }
}
