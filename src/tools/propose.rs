//! How a plan is proposed: with a token of its own, approved by a trusted workflow or left for a person.

use events::{
    ids::{Moment, PlanId},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        Command,
        plan::{hash, hex},
        workflow,
    },
    engine::clock,
    failure::{Code, Failure},
    tools::context::Cx,
};

/// A plan that waits for a person, or for its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanToApprove {
    /// Which plan.
    pub plan_id: PlanId,
    /// What the approver approves.
    pub plan_hash: String,
    /// Inert until a person approves the hash; single use.
    pub approval_token: String,
    /// Unapproved, the plan ends then.
    pub approval_expires_at: Moment,
    /// The trusted workflow that approved it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What happens next.
    pub next_step: String,
}

/// The workflow that would have approved a plan does so no more.
pub(super) const fn withdrawn(failure: &Failure) -> bool {
    matches!(failure.code, Code::AutoApprovalStopped | Code::PlanNotApproved)
}

impl Cx {
    /// The trusted workflow that approves a plan now, if one does.
    pub(super) fn trusted(&self, plan: &Plan) -> Option<String> {
        let (rules, at) = (self.engine().rules(), self.now());
        self.view(|views| {
            workflow::approving(&views.state, rules, plan, at).map(|found| found.rule.name.clone())
        })
    }

    /// Proposes a plan, and makes its single-use token. A trusted workflow approves it, or a person must.
    ///
    /// # Errors
    /// Refusals of the rules.
    pub async fn propose(&self, plan: Plan) -> Result<PlanToApprove, Failure> {
        let plan_id = plan.plan_id;
        let token = format!("appr_{:032x}{:032x}", clock::random(), clock::random());
        let plan_hash = hash(&plan);
        let wish = |workflow: Option<&String>| Command::ProposePlan {
            plan: Box::new(plan.clone()),
            approval_token_sha256: hex(&Sha256::digest(token.as_bytes())),
            policy: workflow.map(|name| workflow::policy_of(name)),
            origin: self.origin(),
        };
        let mut workflow = self.trusted(&plan);
        let mut proposed = self.submit(wish(workflow.as_ref())).await;
        if workflow.is_some() && proposed.as_ref().is_err_and(withdrawn) {
            // Stopped, or its window closed, in this very moment: then a person looks at it.
            workflow = None;
            proposed = self.submit(wish(None)).await;
        }
        proposed?;
        let (approval_expires_at, needed) = self
            .view(|views| {
                views.state.plans.get(&plan_id).map(|plan| (plan.expires_at, plan.approvals_needed))
            })
            .unwrap_or_default();
        let reverses = !plan.undoes.is_empty();
        let next_step = match &workflow {
            Some(name) => {
                format!("approved by the workflow {name}: apply it with its token before it expires")
            }
            None => {
                let then =
                    if reverses { format!(", then `appliance plan start {plan_id}`") } else { String::new() };
                match needed {
                    0 | 1 => format!(
                        "a person with the approver role runs `appliance plan approve {plan_id}`{then}"
                    ),
                    n => format!(
                        "{n} persons with the approver role each run `appliance plan approve {plan_id}`{then}"
                    ),
                }
            }
        };
        Ok(PlanToApprove {
            plan_id,
            plan_hash,
            approval_token: token,
            approval_expires_at,
            workflow,
            next_step,
        })
    }
}
