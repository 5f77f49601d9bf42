//! Starts an approved plan.

use std::sync::Arc;

use events::{
    ids::{JobId, PlanId},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::{Kind, allows},
    domain::plan,
    failure::{Code, Failure},
    tools::{
        catalog,
        context::Cx,
        operator::{OPERATORS, plan_approve::plan_in_sight},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
        undo::reversal,
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
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
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
        let (tool, steps, devices, undone) = cx.view(|views| {
            let plan = plan::find(&views.state, plan_id)?;
            let parts = || plan.plan.waves.iter().flatten();
            let devices: Vec<_> =
                parts().filter_map(|part| views.state.devices.get(&part.device_id).cloned()).collect();
            let steps = parts().map(|part| part.operations.len()).sum();
            let undone = plan.plan.undoes.iter().filter_map(|id| views.state.plans.get(id));
            let undone: Vec<Arc<Plan>> = undone.map(|plan| Arc::clone(&plan.plan)).collect();
            Ok::<_, Failure>((plan.plan.tool.clone(), steps, devices, undone))
        })?;
        // What a device allows may have been taken back since the plan was made.
        let Some(def) = catalog::find(&tool) else {
            return Err(Failure::new(Code::PlanStale, "the tool that made this plan is no more")
                .hint("propose the change again"));
        };
        for device in &devices {
            allows(&def.spec.demand, device)?;
            cx.policy().admit_topic(&def.spec.demand, device)?;
        }
        // What reverses plans does to devices what those did.
        undone.iter().try_for_each(|original| reversal::may_change(cx, original))?;
        let job_id = cx.start(plan_id, steps, None).await?;
        Ok(Answer { plan_id, job_id, next_step: format!("appliance job watch {job_id}") })
    }
}
