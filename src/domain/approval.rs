//! Who says yes or no to a plan, and until when that counts: named persons, each once, none of them the requester.

use events::{
    device::Environment,
    event::Event,
    ids::{Moment, PlanId},
    plan::{ApprovedBy, PlanApproved, PlanExpired, PlanRejected},
    principal::{Actor, Door, Role},
};

use crate::{
    domain::{
        Refusal, Rules, State,
        plan::{PlanState, PlanStatus, find},
    },
    failure::Code,
};

/// True when both stand for the same person or program: the same principal, or another token with the same label.
/// Case and spaces of labels do not count.
#[must_use]
pub fn same_person(one: &Actor, other: &Actor) -> bool {
    let plain = |label: &str| label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    one.name == other.name || plain(&one.label) == plain(&other.label)
}

/// Why a plan can neither be approved, rejected nor started any more; nothing while it waits for one of these.
pub(super) fn over(plan: &PlanState, at: Moment) -> Option<Refusal> {
    let plan_id = plan.plan.plan_id;
    let again = "propose the change again: the routers are read anew";
    let refusal = match (plan.status_at(at), plan.job_id) {
        (PlanStatus::Pending | PlanStatus::Approved, _) => return None,
        (PlanStatus::Stale, _) => Refusal::new(
            Code::PlanStale,
            format!("{plan_id} is stale: a router changed since the plan was made"),
        )
        .hint(again),
        (_, Some(job_id)) => Refusal {
            job_id: Some(job_id),
            ..Refusal::new(Code::PlanAlreadyStarted, format!("{plan_id} was started already as {job_id}"))
        }
        .hint("an approval is used once; job_status tells where the job stands"),
        (PlanStatus::Expired, _) => {
            let what = match (plan.approvals.len(), usize::from(plan.approvals_needed)) {
                (0, _) => "not approved".to_owned(),
                (got, needed) if got < needed => format!("{got} of {needed} approvals, which is not enough,"),
                _ => "approved, but not started".to_owned(),
            };
            Refusal::new(Code::PlanExpired, format!("{plan_id} has expired: {what} in time")).hint(again)
        }
        (PlanStatus::Rejected, _) => {
            Refusal::new(Code::PlanRejected, format!("{plan_id} was rejected by a person"))
                .hint("audit_events of this plan tells who said no and why")
        }
        (other, _) => Refusal::new(Code::PlanClosed, format!("{plan_id} is {}", other.as_str())).hint(again),
    };
    Some(refusal)
}

/// Agents never answer, whatever their token; the doors refuse it before, and so do the rules. The user of this machine is a
/// person where the role does not count.
fn a_person(actor: &Actor, personal: bool, any_role: bool) -> Result<(), Refusal> {
    if matches!(actor.door, Door::McpHttp | Door::McpStdio) {
        return Err(Refusal::new(
            Code::NotForAgents,
            "plans are approved and rejected by people, never over MCP",
        ));
    }
    if !any_role && actor.role != Role::Approver {
        return Err(Refusal::new(
            Code::RoleRequired,
            format!("approving and rejecting needs the role approver; yours is {}", actor.role),
        )
        .hint("an admin makes a token for a named person: `appliance token create --role approver --label NAME`"));
    }
    if !(personal || any_role && actor.is_local()) {
        return Err(Refusal::new(
            Code::RoleRequired,
            "approving and rejecting is for named persons; this token stands for none",
        )
        .hint("use a personal approver token, made with `--personal`"));
    }
    Ok(())
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
    let plan = find(state, plan_id)?;
    if let Some(refusal) = over(plan, at) {
        return Err(refusal);
    }
    let own = same_person(actor, &plan.by);
    let lab_self = rules.lab_self_approval && plan.plan.environment == Environment::Lab && own;
    a_person(actor, personal, lab_self)?;
    if plan.status == PlanStatus::Approved {
        return Err(Refusal::new(Code::PlanAlreadyApproved, format!("{plan_id} is approved already"))
            .hint("start it before it expires"));
    }
    let again = plan.approvals.iter().any(|approval| match &approval.by {
        ApprovedBy::Person(person) => same_person(person, actor),
        ApprovedBy::Policy(_) => false,
    });
    if again {
        let (got, needed) = (plan.approvals.len(), plan.approvals_needed);
        return Err(Refusal::new(
            Code::PlanAlreadyApproved,
            format!("you approved {plan_id} already ({got} of {needed})"),
        )
        .hint("its risk is high: another named approver must approve the same hash"));
    }
    if own && !lab_self {
        return Err(Refusal::new(
            Code::SelfApproval,
            "a plan is approved by somebody other than its requester, under any of their tokens",
        )
        .hint("ask another named approver"));
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
    // An approved plan that has not started may still be taken back.
    if let Some(refusal) = over(find(state, plan_id)?, at) {
        return Err(refusal);
    }
    a_person(actor, personal, false)?;
    Ok(vec![PlanRejected { plan_id, by: actor.clone(), comment }.into()])
}

pub(super) fn expire(state: &State, plan_id: PlanId, at: Moment) -> Result<Vec<Event>, Refusal> {
    let plan = find(state, plan_id)?;
    let waits = matches!(plan.status, PlanStatus::Pending | PlanStatus::Approved);
    if waits && at >= plan.expires_at { Ok(vec![PlanExpired { plan_id }.into()]) } else { Ok(Vec::new()) }
}
