//! Everything about a plan but its token.

use events::{
    device::Environment,
    ids::{JobId, Moment, PlanId},
    plan::{ApprovedBy, Origin, RiskLevel},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        State,
        plan::{Approval, PlanState, PlanStatus},
        workflow,
    },
    failure::{Code, Failure},
    tools::{
        context::Cx,
        grouped::{self, Batches, Group, Part},
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
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

/// One yes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Yes {
    /// The person, or the rule of the configuration.
    by: String,
    at: Moment,
    comment: String,
}

/// Plans that a reversal is told to be of; `undoes` has all.
const REVERSED_MAX: usize = 100;

/// Where a plan stands, without its operations.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Head {
    plan_id: PlanId,
    plan_hash: String,
    tool_name: String,
    summary: String,
    /// Why, in the requester's words.
    reason: String,
    status: PlanStatus,
    environment: Environment,
    risk_level: RiskLevel,
    created_by: String,
    created_at: Moment,
    /// The call that it comes from.
    origin: Origin,
    /// While it waits: it ends then.
    expires_at: Moment,
    approved_by: Option<String>,
    approved_at: Option<Moment>,
    auto_approved: bool,
    /// The trusted workflow that approved it.
    workflow: Option<String>,
    /// How many named persons must approve it.
    approvals_needed: u8,
    approvals: Vec<Yes>,
    job_id: Option<JobId>,
    /// The plans that it reverses.
    undoes: Vec<PlanId>,
    device_count: usize,
    #[serde(flatten)]
    batches: Batches,
}

/// A plan that is reversed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reversed {
    plan_id: PlanId,
    tool_name: String,
    summary: String,
    requested_by: String,
    client: String,
    ended_at: Option<Moment>,
}

impl Reversed {
    /// Of a plan.
    pub(in crate::tools) fn of(plan: &PlanState) -> Self {
        Self {
            plan_id: plan.plan.plan_id,
            tool_name: plan.plan.tool.clone(),
            summary: plan.plan.summary.clone(),
            requested_by: format!("{} ({})", plan.by.label, plan.by.name),
            client: plan.origin.client.clone(),
            ended_at: plan.ended_at,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    #[serde(flatten)]
    head: Head,
    /// The plans of `undoes` that the caller sees.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    reverses: Vec<Reversed>,
    /// What is the same on several devices, once.
    groups: Vec<Group>,
    devices: Vec<Part>,
    /// A very large plan comes in pages: its devices, then their operations.
    next_cursor: Option<String>,
}

/// Where a plan stands at a moment.
pub(in crate::tools) fn head(plan: &PlanState, at: Moment) -> Head {
    let parts = || plan.plan.waves.iter().flatten();
    let named = |approval: &Approval| match &approval.by {
        ApprovedBy::Person(actor) => format!("{} ({})", actor.label, actor.name),
        ApprovedBy::Policy(name) => format!("policy {name}"),
    };
    let names: Vec<String> = plan.approvals.iter().map(named).collect();
    let approved_by = Some(names.join(", ")).filter(|names| !names.is_empty());
    let auto_approved = plan.approvals.iter().any(|approval| matches!(approval.by, ApprovedBy::Policy(_)));
    let yes =
        |approval: &Approval| Yes { by: named(approval), at: approval.at, comment: approval.comment.clone() };
    Head {
        plan_id: plan.plan.plan_id,
        plan_hash: plan.plan_hash.clone(),
        tool_name: plan.plan.tool.clone(),
        summary: plan.plan.summary.clone(),
        reason: plan.plan.reason.clone(),
        status: plan.status_at(at),
        environment: plan.plan.environment,
        risk_level: parts().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low),
        created_by: format!("{} ({})", plan.by.label, plan.by.name),
        created_at: plan.proposed_at,
        origin: plan.origin.clone(),
        expires_at: plan.expires_at,
        approved_by,
        approved_at: plan.approvals.last().map(|approval| approval.at),
        auto_approved,
        workflow: workflow::approved(plan).map(str::to_owned),
        approvals_needed: plan.approvals_needed,
        approvals: plan.approvals.iter().map(yes).collect(),
        job_id: plan.job_id,
        undoes: plan.plan.undoes.clone(),
        device_count: parts().count(),
        batches: Batches::of(&plan.plan),
    }
}

/// A plan as shown at a moment, from a place on.
fn shown(cx: &Cx, state: &State, plan: &PlanState, at: Moment, from: usize) -> Answer {
    let grouped::Shown { groups, devices, next_cursor } = grouped::page(&plan.plan, from);
    let undone = plan.plan.undoes.iter().filter_map(|id| state.plans.get(id));
    let seen = undone.filter(|undone| from == 0 && sees_plan(cx, state, undone));
    let reverses = seen.take(REVERSED_MAX).map(Reversed::of).collect();
    Answer { head: head(plan, at), reverses, groups, devices, next_cursor }
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
        "A plan: what it does to which devices, its risk, checks, batches, approvals and job. Never its approval token.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let (at, from) = (cx.now(), page::place(params.cursor.as_deref())?);
        cx.view(|views| {
            let plan =
                views.state.plans.get(&params.plan_id).filter(|plan| sees_plan(cx, &views.state, plan));
            plan.map(|plan| shown(cx, &views.state, plan, at, from))
        })
        .ok_or_else(|| Failure::new(Code::UnknownPlan, format!("there is no plan `{}`", params.plan_id)))
    }

    fn say(answer: &Answer) -> String {
        let head = &answer.head;
        format!("{} is {} on {} devices", head.plan_id, head.status.as_str(), head.device_count)
    }
}
