//! Rules about plans and approval: what is approved is a hash; who approves is another, named person, or a policy.

use std::sync::Arc;

use events::{
    event::Event,
    ids::{JobId, Moment, PlanId},
    operation::{Operation, Which},
    plan::{ApprovedBy, Origin, Plan, PlanApproved, PlanExpired, PlanProposed, PlanRejected, RiskLevel},
    principal::{Actor, Role},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Refusal, Rules, State},
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
    let plan_id = plan.plan_id;
    let plan_hash = hash(&plan);
    let high = parts.iter().any(|part| part.risk.level == RiskLevel::High);
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
                comment: String::new(),
                start_before: at.plus_secs(rules.start_within_s),
            }
            .into(),
        );
    }
    Ok(events)
}

fn waiting(state: &State, plan_id: PlanId, at: Moment) -> Result<&PlanState, Refusal> {
    let plan = find(state, plan_id)?;
    match plan.status_at(at) {
        PlanStatus::Pending => Ok(plan),
        PlanStatus::Approved => {
            Err(Refusal::new(Code::PlanAlreadyApproved, format!("{plan_id} is approved already")))
        }
        PlanStatus::Expired => {
            Err(Refusal::new(Code::PlanExpired, format!("{plan_id} has expired; propose it again")))
        }
        other => Err(Refusal::new(Code::PlanClosed, format!("{plan_id} is {}", other.as_str()))),
    }
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

fn named_approver(actor: &Actor, personal: bool) -> Result<(), Refusal> {
    if actor.role == Role::Approver && personal {
        return Ok(());
    }
    Err(Refusal::new(
        Code::RoleRequired,
        "approving and rejecting is for named persons with the approver role",
    ))
}

#[expect(clippy::too_many_arguments, reason = "each is one independent fact that approval depends on")]
pub(super) fn approve(
    state: &State,
    rules: &Rules,
    actor: &Actor,
    plan_id: PlanId,
    plan_hash: &str,
    comment: String,
    personal: bool,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let plan = waiting(state, plan_id, at)?;
    let own = actor.name == plan.by.name;
    let lab_self =
        rules.lab_self_approval && plan.plan.environment == events::device::Environment::Lab && own;
    if !lab_self {
        named_approver(actor, personal)?;
    }
    let again = plan.approvals.iter().any(|approval| match &approval.by {
        ApprovedBy::Person(person) => person.name == actor.name || person.label == actor.label,
        ApprovedBy::Policy(_) => false,
    });
    if again {
        return Err(Refusal::new(
            Code::PlanAlreadyApproved,
            format!("you approved {plan_id} already; it needs another person as well"),
        ));
    }
    if own && !lab_self {
        return Err(Refusal::new(
            Code::SelfApproval,
            "a plan is approved by somebody other than its requester",
        ));
    }
    if plan_hash != plan.plan_hash {
        return Err(Refusal::new(
            Code::PlanHashMismatch,
            "`plan_hash`: not the hash of this plan; look at the plan again before approving",
        ));
    }
    Ok(vec![
        PlanApproved {
            plan_id,
            plan_hash: plan_hash.to_owned(),
            by: ApprovedBy::Person(actor.clone()),
            comment,
            start_before: at.plus_secs(rules.start_within_s),
        }
        .into(),
    ])
}

pub(super) fn reject(
    state: &State,
    actor: &Actor,
    plan_id: PlanId,
    comment: String,
    personal: bool,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let plan = find(state, plan_id)?;
    // An approved plan that has not started may still be taken back.
    if plan.status_at(at) != PlanStatus::Approved {
        waiting(state, plan_id, at)?;
    }
    named_approver(actor, personal)?;
    Ok(vec![PlanRejected { plan_id, by: actor.clone(), comment }.into()])
}

pub(super) fn expire(state: &State, plan_id: PlanId, at: Moment) -> Result<Vec<Event>, Refusal> {
    let plan = find(state, plan_id)?;
    let waits = matches!(plan.status, PlanStatus::Pending | PlanStatus::Approved);
    if waits && at >= plan.expires_at { Ok(vec![PlanExpired { plan_id }.into()]) } else { Ok(Vec::new()) }
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

/// The same when its job is over: whether all of its steps stand on routers, and whether any may.
pub(super) fn undone(state: &mut State, plan_id: PlanId, all: bool, any: bool) {
    for undone in reversed_by(state, plan_id) {
        change(state, undone, |plan| {
            let before = plan.before_undo.take().unwrap_or(plan.status);
            plan.status = match (all, any) {
                (true, _) => PlanStatus::RolledBack,
                (false, true) => PlanStatus::PartiallyRolledBack,
                (false, false) => before,
            };
        });
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
