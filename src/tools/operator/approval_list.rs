//! The queue: plans that wait for a person, the most urgent first.

use events::{
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    plan::{ApprovedBy, RiskLevel},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::{
        Command, State, decide,
        plan::{PlanState, PlanStatus},
    },
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::EVERYBODY,
        page,
        params::DeviceRef,
        plan::plan_details::sees_plan,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Only plans that the caller may approve.
    #[serde(default)]
    mine: bool,
    /// 1–500, default 50.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

/// A plan that waits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waiting {
    plan_id: PlanId,
    /// What an approver approves.
    plan_hash: String,
    summary: String,
    /// Why it was made, in the requester's words.
    reason: String,
    tool_name: String,
    environment: Environment,
    /// Of the worst device.
    risk_level: RiskLevel,
    /// 0–100, of the worst device.
    risk_score: u8,
    /// Why, of all devices, each once.
    risk_reasons: Vec<String>,
    device_ids: Vec<DeviceId>,
    /// The plans that it reverses.
    undoes: Vec<PlanId>,
    /// Who asks.
    created_by: String,
    /// The program that asked, as it named itself.
    client: String,
    created_at: Moment,
    /// So long it has waited, in seconds.
    age_s: i64,
    expires_at: Moment,
    /// So long it still waits, in seconds.
    expires_in_s: i64,
    /// Who said yes so far.
    approved_by: Vec<String>,
    approvals: usize,
    approvals_needed: u8,
    /// The caller may approve it.
    may_approve: bool,
    /// Why not.
    why_not: Option<Why>,
}

/// Why the caller may not approve a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Why {
    /// What approving it would answer.
    code: Code,
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    approvals: Vec<Waiting>,
    total_count: usize,
    next_cursor: Option<String>,
}

pub struct ApprovalList;

impl Tool for ApprovalList {
    const SPEC: Spec = Spec::operator(
        "approval_list",
        "Approval queue",
        "Plans that wait for a person's approval: high risk first, then what expires first.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 50, 500)?;
        let from = page::place(params.cursor.as_deref())?;
        let at = cx.now();
        let mut all: Vec<Waiting> = cx.view(|views| {
            let plans = views.state.plans.values();
            plans
                .filter(|plan| plan.status_at(at) == PlanStatus::Pending)
                .filter(|plan| sees_plan(cx, &views.state, plan))
                .map(|plan| waiting(cx, &views.state, plan, at))
                .collect()
        });
        all.retain(|plan| plan.may_approve || !params.mine);
        all.sort_by_key(|plan| (std::cmp::Reverse(plan.risk_level), plan.expires_at, plan.plan_id));
        let page = page::cut(all, from, limit);
        Ok(Answer { approvals: page.rows, total_count: page.total, next_cursor: page.next_cursor })
    }

    fn say(answer: &Answer) -> String {
        match answer.total_count {
            0 => "no plan waits for approval".into(),
            1 => "1 plan waits for approval".into(),
            n => format!("{n} plans wait for approval"),
        }
    }
}

fn waiting(cx: &Cx, state: &State, plan: &PlanState, at: Moment) -> Waiting {
    let parts = || plan.plan.waves.iter().flatten();
    let mut risk_reasons: Vec<String> = Vec::new();
    for reason in parts().flat_map(|part| &part.risk.reasons) {
        if !risk_reasons.contains(reason) {
            risk_reasons.push(reason.clone());
        }
    }
    // The rules themselves are asked, so that the queue never promises what they refuse.
    let principal = cx.principal();
    let command = Command::ApprovePlan {
        plan_id: plan.plan.plan_id,
        plan_hash: plan.plan_hash.clone(),
        comment: String::new(),
        personal: principal.personal,
    };
    let refusal = decide(state, cx.engine().rules(), &principal.actor, command, at).err();
    let seconds = |from: Moment, to: Moment| to.micros_since(from).div_euclid(1_000_000).max(0);
    Waiting {
        plan_id: plan.plan.plan_id,
        plan_hash: plan.plan_hash.clone(),
        summary: plan.plan.summary.clone(),
        reason: plan.plan.reason.clone(),
        tool_name: plan.plan.tool.clone(),
        environment: plan.plan.environment,
        risk_level: parts().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low),
        risk_score: parts().map(|part| part.risk.score).max().unwrap_or_default(),
        risk_reasons,
        device_ids: parts().map(|part| part.device_id.clone()).collect(),
        undoes: plan.plan.undoes.clone(),
        created_by: format!("{} ({})", plan.by.label, plan.by.name),
        client: plan.origin.client.clone(),
        created_at: plan.proposed_at,
        age_s: seconds(plan.proposed_at, at),
        expires_at: plan.expires_at,
        expires_in_s: seconds(at, plan.expires_at),
        approved_by: plan.approvals.iter().map(|approval| named(&approval.by)).collect(),
        approvals: plan.approvals.len(),
        approvals_needed: plan.approvals_needed,
        may_approve: refusal.is_none(),
        why_not: refusal.map(|refusal| Why { code: refusal.code, message: refusal.say }),
    }
}

fn named(by: &ApprovedBy) -> String {
    match by {
        ApprovedBy::Person(actor) => format!("{} ({})", actor.label, actor.name),
        ApprovedBy::Policy(name) => format!("policy {name}"),
    }
}
