//! A person says yes to a plan's hash.

use events::ids::{Moment, PlanId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::{
        Command,
        plan::{PlanStatus, find},
    },
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::APPROVAL,
        params::{DeviceRef, Text},
        plan::plan_details::sees_plan,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
    /// The hash that the person was shown.
    plan_hash: Text<64, 64>,
    comment: Option<Text<0, 512>>,
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
    /// `approved`, or `pending` while it needs another person.
    status: PlanStatus,
    /// Named persons who approved it.
    approvals: usize,
    approvals_needed: u8,
    /// Once approved: it must be started before then.
    start_before: Option<Moment>,
    /// What happens next.
    next_step: String,
}

pub struct PlanApprove;

impl Tool for PlanApprove {
    // Whether this very person may is a rule about the plan, so the rules decide it, not the role alone.
    const SPEC: Spec = Spec::operator(
        "plan_approve",
        "Approve a plan",
        "A named approver says yes to this plan's hash.",
        Kind::Write,
        APPROVAL,
    )
    .changes_routers();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let plan_id = params.plan_id;
        plan_in_sight(cx, plan_id)?;
        let comment = params.comment.map(|comment| comment.0).unwrap_or_default();
        let personal = cx.principal().personal;
        cx.submit(Command::ApprovePlan { plan_id, plan_hash: params.plan_hash.0, comment, personal }).await?;
        let at = cx.now();
        cx.view(|views| {
            let plan = find(&views.state, plan_id)?;
            let (approvals, approvals_needed) = (plan.approvals.len(), plan.approvals_needed);
            let status = plan.status_at(at);
            let pending = status == PlanStatus::Pending;
            let next_step = if pending {
                format!(
                    "{approvals} of {approvals_needed}: another named approver must approve the same hash"
                )
            } else {
                format!("start it: appliance plan start {plan_id}")
            };
            let start_before = (!pending).then_some(plan.expires_at);
            Ok(Answer { plan_id, status, approvals, approvals_needed, start_before, next_step })
        })
    }

    fn say(answer: &Answer) -> String {
        format!("{}: {} of {} approvals", answer.plan_id, answer.approvals, answer.approvals_needed)
    }
}

/// The caller sees every device of the plan.
pub(super) fn plan_in_sight(cx: &Cx, plan_id: PlanId) -> Result<(), Failure> {
    let seen = cx
        .view(|views| views.state.plans.get(&plan_id).is_some_and(|plan| sees_plan(cx, &views.state, plan)));
    if seen { Ok(()) } else { Err(Failure::new(Code::UnknownPlan, format!("there is no plan `{plan_id}`"))) }
}
