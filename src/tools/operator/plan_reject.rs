//! A person says no to a plan.

use events::ids::PlanId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::Failure,
    tools::{
        context::Cx,
        operator::{APPROVAL, plan_approve::plan_in_sight},
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
    /// Why.
    comment: Text<1, 512>,
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
    status: &'static str,
}

pub struct PlanReject;

impl Tool for PlanReject {
    const SPEC: Spec = Spec::operator(
        "plan_reject",
        "Reject a plan",
        "A named approver says no to this plan.",
        Kind::Write,
        APPROVAL,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let plan_id = params.plan_id;
        plan_in_sight(cx, plan_id)?;
        let personal = cx.principal().personal;
        cx.submit(Command::RejectPlan { plan_id, comment: params.comment.0, personal }).await?;
        Ok(Answer { plan_id, status: "rejected" })
    }
}
