//! Rules about plans and approval: what is approved is a hash; who approves is another, named person, or a policy.

use std::{collections::BTreeSet, sync::Arc};

use events::{
    event::Event,
    ids::{JobId, Moment, PlanId},
    operation::{Operation, Which},
    plan::{ApprovedBy, DevicePart, Origin, Plan, PlanApproved, PlanProposed, RiskLevel},
    principal::Actor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Refusal, Rules, State, undo, workflow},
    failure::Code,
};

/// Where a plan stands, in words of the contract (DECISIONS: plan status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Waits for approval.
    Pending,
    /// Approved, waits for its start.
    Approved,
    /// A job carries it out.
    Executing,
    /// All done.
    Completed,
    /// Ended without all done.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// What was applied is being undone.
    RollingBack,
    /// What was applied is undone.
    RolledBack,
    /// Some of what was applied is undone.
    PartiallyRolledBack,
    /// A person said no.
    Rejected,
    /// Nobody said yes in time, or nobody started it.
    Expired,
    /// A router changed since the plan was made.
    Stale,
}

impl PlanStatus {
    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::PartiallyRolledBack => "partially_rolled_back",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Stale => "stale",
        }
    }
}

/// One yes to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: ApprovedBy,
    /// When.
    pub at: Moment,
    /// In their words.
    pub comment: String,
}

/// A plan as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanState {
    /// The plan, immutable.
    pub plan: Arc<Plan>,
    /// What an approver approves.
    pub plan_hash: String,
    /// Who proposed it.
    pub by: Actor,
    /// When.
    pub proposed_at: Moment,
    /// SHA-256 of its approval token, or empty.
    pub approval_token_sha256: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// Unapproved, it ends then; approved, it must start before then.
    pub expires_at: Moment,
    /// How many named persons must approve it.
    pub approvals_needed: u8,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// The call that it comes from.
    pub origin: Origin,
    /// The job that carries it out.
    pub job_id: Option<JobId>,
    /// When its job ended.
    pub ended_at: Option<Moment>,
    /// While a plan that reverses this one is carried out: where it stood before.
    pub before_undo: Option<PlanStatus>,
}

impl PlanState {
    /// The state at a moment: time ends waiting plans even before the fact is recorded.
    #[must_use]
    pub fn status_at(&self, at: Moment) -> PlanStatus {
        match self.status {
            PlanStatus::Pending | PlanStatus::Approved if at >= self.expires_at => PlanStatus::Expired,
            status => status,
        }
    }
}

/// SHA-256 over the plan's canonical bytes, as 64 hex digits. JSON of plain structs in declaration order is canonical:
/// no maps, no floats, no optional spelling.
#[must_use]
pub fn hash(plan: &Plan) -> String {
    let bytes = serde_json::to_vec(plan).expect("a plan is plain data with text keys");
    hex(&Sha256::digest(&bytes))
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The risk for one of its devices is high.
#[must_use]
pub fn is_high(plan: &Plan) -> bool {
    plan.waves.iter().flatten().any(|part| part.risk.level == RiskLevel::High)
}

fn is_risky(operation: &Operation) -> bool {
    operation.risky.is_some()
}

#[expect(clippy::too_many_arguments, reason = "each is one independent fact that a proposal is made of")]
pub(super) fn propose(
    state: &State,
    rules: &Rules,
    actor: &Actor,
    plan: Plan,
    approval_token_sha256: String,
    policy: Option<String>,
    origin: Origin,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    if state.plans.contains_key(&plan.plan_id) {
        return Err(Refusal::new(Code::AlreadyExists, "this plan id exists already"));
    }
    let parts: Vec<_> = plan.waves.iter().flatten().collect();
    if parts.is_empty() || parts.iter().any(|part| part.operations.is_empty()) {
        return Err(Refusal::new(Code::InvalidParams, "a plan needs at least one operation on each device"));
    }
    // An undo is sent under one intent and settled by one reading; what takes two requests is two operations. What has
    // none stands alone in its plan.
    let operations = || parts.iter().flat_map(|part| &part.operations);
    let stands_alone = !plan.rollback_on_failure && operations().count() == 1;
    if operations().any(|operation| operation.undo.len() != 1 && !(stands_alone && operation.undo.is_empty()))
    {
        return Err(Refusal::new(Code::Bug, "an operation of this plan does not have exactly one undo"));
    }
    // One reading tells before from after, so both must speak of the same record; where order counts, all are read.
    let readable = |operation: &Operation| {
        let (before, after) = (&operation.expect_before, &operation.expect_after);
        let placed = before.place.is_some() || after.place.is_some();
        let narrowed = matches!(&after.which, Which::Find { narrow, .. } if !narrow.is_empty());
        before.menu == after.menu && before.which == after.which && !(placed && narrowed)
    };
    if !parts.iter().flat_map(|part| &part.operations).all(readable) {
        return Err(Refusal::new(
            Code::Bug,
            "an operation of this plan cannot be told from its undo by one reading",
        ));
    }
    for part in &parts {
        let device = state.device(&part.device_id)?;
        if device.settings.environment != plan.environment {
            return Err(Refusal::new(
                Code::EnvironmentDenied,
                format!("device `{}` is not of environment {}", part.device_id, plan.environment.as_str()),
            ));
        }
    }
    undo::admit(state, rules, &plan, policy.as_deref(), at)?;
    // What may cut our way is undone by the router itself, or its approver knows that it is not.
    let unguarded = |part: &&&DevicePart| part.dead_man.is_none() && part.operations.iter().any(is_risky);
    if !plan.rollout.without_dead_man && parts.iter().any(|part| unguarded(&part)) {
        return Err(Refusal::new(Code::Bug, "a risky operation of this plan has no timed undo"));
    }
    let mut named = BTreeSet::new();
    if let Some(twice) = parts.iter().find(|part| !named.insert(&part.device_id)) {
        return Err(Refusal::new(
            Code::InvalidParams,
            format!("`device_ids`: `{}` stands there twice", twice.device_id),
        ));
    }
    // A policy's word is not taken for it: a trusted workflow must match now.
    let rule = workflow::admit(state, rules, &plan, policy.as_deref(), at)?;
    let plan_id = plan.plan_id;
    let plan_hash = hash(&plan);
    let high = is_high(&plan);
    let approvals_needed = if high && rules.two_approvers_for_high_risk { 2 } else { 1 };
    let proposed = PlanProposed {
        plan,
        plan_hash: plan_hash.clone(),
        by: actor.clone(),
        approval_token_sha256,
        approvals_needed,
        origin,
        expires_at: at.plus_secs(rules.approval_wait_s),
    };
    let mut events: Vec<Event> = vec![proposed.into()];
    if let Some(policy) = policy {
        events.push(
            PlanApproved {
                plan_id,
                plan_hash,
                by: ApprovedBy::Policy(policy),
                comment: rule,
                start_before: at.plus_secs(rules.start_within_s),
            }
            .into(),
        );
    }
    Ok(events)
}

/// The plan, or the refusal that names it unknown.
///
/// # Errors
/// `unknown_plan`.
pub fn find(state: &State, plan_id: PlanId) -> Result<&PlanState, Refusal> {
    state
        .plans
        .get(&plan_id)
        .ok_or_else(|| Refusal::new(Code::UnknownPlan, format!("there is no plan `{plan_id}`")))
}

pub(super) fn apply(state: &mut State, event: &Event, at: Moment) {
    match event {
        Event::PlanProposed(e) => {
            state.plans.insert(
                e.plan.plan_id,
                PlanState {
                    plan: Arc::new(e.plan.clone()),
                    plan_hash: e.plan_hash.clone(),
                    by: e.by.clone(),
                    proposed_at: at,
                    approval_token_sha256: e.approval_token_sha256.clone(),
                    status: PlanStatus::Pending,
                    expires_at: e.expires_at,
                    approvals_needed: e.approvals_needed,
                    approvals: Vec::new(),
                    origin: e.origin.clone(),
                    job_id: None,
                    ended_at: None,
                    before_undo: None,
                },
            );
        }
        Event::PlanApproved(e) => change(state, e.plan_id, |plan| {
            plan.approvals.push(Approval { by: e.by.clone(), at, comment: e.comment.clone() });
            let by_policy = matches!(e.by, ApprovedBy::Policy(_));
            if by_policy || plan.approvals.len() >= usize::from(plan.approvals_needed) {
                plan.status = PlanStatus::Approved;
                plan.expires_at = e.start_before;
            }
        }),
        Event::PlanRejected(e) => change(state, e.plan_id, |plan| plan.status = PlanStatus::Rejected),
        Event::PlanExpired(e) => change(state, e.plan_id, |plan| plan.status = PlanStatus::Expired),
        Event::PlanStale(e) => change(state, e.plan_id, |plan| plan.status = PlanStatus::Stale),
        _ => {}
    }
}

/// The plans that a plan reverses, while it is carried out.
pub(super) fn undoing(state: &mut State, plan_id: PlanId, status: PlanStatus) {
    for undone in reversed_by(state, plan_id) {
        change(state, undone, |plan| {
            plan.before_undo.get_or_insert(plan.status);
            plan.status = status;
        });
    }
}

/// The same when its job is over: what is left of them tells where they stand.
pub(super) fn undone(state: &mut State, plan_id: PlanId, job_id: JobId) {
    for undone in reversed_by(state, plan_id) {
        let Some(plan) = state.plans.get(&undone) else { continue };
        let before = plan.before_undo.unwrap_or(plan.status);
        let status = undo::after_reversal(state, undone, job_id, before);
        change(state, undone, |plan| (plan.status, plan.before_undo) = (status, None));
    }
}

fn reversed_by(state: &State, plan_id: PlanId) -> Vec<PlanId> {
    state.plans.get(&plan_id).map_or_else(Vec::new, |plan| plan.plan.undoes.clone())
}

pub(super) fn change(state: &mut State, plan_id: PlanId, with: impl FnOnce(&mut PlanState)) {
    if let Some(plan) = state.plans.get_mut(&plan_id) {
        with(plan);
    }
}
