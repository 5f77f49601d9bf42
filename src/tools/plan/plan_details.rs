//! Everything about a plan but its token.

use events::{
    device::Environment,
    ids::{DeviceId, JobId, Moment, PlanId},
    plan::{ApprovedBy, Risk, RiskLevel},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{ShownOperation, diff_lines},
    domain::{
        State,
        plan::{Approval, PlanState, PlanStatus},
    },
    failure::{Code, Failure},
    tools::{
        context::Cx,
        page,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The plan.
    plan_id: PlanId,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

/// One device's part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Part {
    device_id: DeviceId,
    wave: usize,
    /// What differs, one line a property.
    changes: Vec<String>,
    risk: Risk,
    /// Exactly what is sent, with undo and expectations.
    operations: Vec<ShownOperation>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    plan_id: PlanId,
    plan_hash: String,
    tool_name: String,
    summary: String,
    status: PlanStatus,
    environment: Environment,
    risk_level: RiskLevel,
    created_by: String,
    created_at: Moment,
    /// While it waits: it ends then.
    expires_at: Moment,
    approved_by: Option<String>,
    approved_at: Option<Moment>,
    auto_approved: bool,
    job_id: Option<JobId>,
    rollback_on_failure: bool,
    devices: Vec<Part>,
    device_count: usize,
    /// The devices of a very large plan come in pages.
    next_cursor: Option<String>,
}

/// A plan as shown at a moment, its devices beginning with number `from`.
pub(in crate::tools) fn shown(plan: &PlanState, at: Moment, from: usize) -> Answer {
    let parts = || plan.plan.waves.iter().flatten();
    let named = |approval: &Approval| match &approval.by {
        ApprovedBy::Person(actor) => format!("{} ({})", actor.label, actor.name),
        ApprovedBy::Policy(name) => format!("policy {name}"),
    };
    let names: Vec<String> = plan.approvals.iter().map(named).collect();
    let approved_by = Some(names.join(", ")).filter(|names| !names.is_empty());
    let auto_approved = plan.approvals.iter().any(|approval| matches!(approval.by, ApprovedBy::Policy(_)));
    let devices = plan.plan.waves.iter().zip(1..).flat_map(|(wave, number)| {
        wave.iter().map(move |part| Part {
            device_id: part.device_id.clone(),
            wave: number,
            changes: part.operations.iter().flat_map(diff_lines).collect(),
            risk: part.risk.clone(),
            operations: part.operations.iter().map(ShownOperation::from).collect(),
        })
    });
    let page = page::cut(devices.collect(), from, usize::MAX);
    Answer {
        plan_id: plan.plan.plan_id,
        plan_hash: plan.plan_hash.clone(),
        tool_name: plan.plan.tool.clone(),
        summary: plan.plan.summary.clone(),
        status: plan.status_at(at),
        environment: plan.plan.environment,
        risk_level: parts().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low),
        created_by: format!("{} ({})", plan.by.label, plan.by.name),
        created_at: plan.proposed_at,
        expires_at: plan.expires_at,
        approved_by,
        approved_at: plan.approvals.last().map(|approval| approval.at),
        auto_approved,
        job_id: plan.job_id,
        rollback_on_failure: plan.plan.rollback_on_failure,
        devices: page.rows,
        device_count: page.total,
        next_cursor: page.next_cursor,
    }
}

/// True when the caller sees every device of the plan.
pub(in crate::tools) fn sees_plan(cx: &Cx, state: &State, plan: &PlanState) -> bool {
    cx.principal().sees_plan(state, plan)
}

pub struct PlanDetails;

impl Tool for PlanDetails {
    const SPEC: Spec = Spec::read(
        "plan_details",
        "Plan details",
        "A plan with its operations, diff, risk, approval and job. Never its approval token.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let (at, from) = (cx.now(), page::place(params.cursor.as_deref())?);
        cx.view(|views| {
            let plan =
                views.state.plans.get(&params.plan_id).filter(|plan| sees_plan(cx, &views.state, plan));
            plan.map(|plan| shown(plan, at, from))
        })
        .ok_or_else(|| Failure::new(Code::UnknownPlan, format!("there is no plan `{}`", params.plan_id)))
    }

    fn say(answer: &Answer) -> String {
        format!("{} is {} on {} devices", answer.plan_id, answer.status.as_str(), answer.device_count)
    }
}
