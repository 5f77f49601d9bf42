//! What the one-device changes have in common: no-op when equal, dry run, applied at once, or a plan to approve.

use events::{
    ids::{JobId, PlanId},
    operation::Operation,
    plan::Risk,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    changes::{ShownOperation, diff_lines},
    domain::device::Device,
    failure::Failure,
    tools::{
        context::{Changed, Cx},
        propose::PlanToApprove,
    },
};

/// What became of a one-device change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// True once it was applied and read back.
    pub changed: bool,
    /// Nothing was sent because the caller asked so.
    pub dry_run: bool,
    /// What differs, one line a property.
    pub planned_changes: Vec<String>,
    /// Exactly what would be sent (dry run only).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub operations: Vec<ShownOperation>,
    /// The job that applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// The plan that a person must approve first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanToApprove>,
}

impl Outcome {
    /// Carries a change out, as far as caller, policy and device allow.
    ///
    /// # Errors
    /// As [`Cx::change`].
    pub(super) async fn of(
        cx: &Cx,
        device: &Device,
        summary: &str,
        risk: Risk,
        operations: Vec<Operation>,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let planned_changes = operations.iter().flat_map(diff_lines).collect();
        let base = Self {
            changed: false,
            dry_run,
            planned_changes,
            operations: Vec::new(),
            job_id: None,
            plan_id: None,
            plan: None,
        };
        if operations.is_empty() {
            return Ok(base);
        }
        let summary = format!("{summary} of {}", device.device_id);
        Ok(match cx.change(device, summary, risk, operations, dry_run).await? {
            Changed::DryRun(operations) => {
                Self { operations: operations.iter().map(ShownOperation::from).collect(), ..base }
            }
            Changed::Applied { job_id, plan_id } => {
                Self { changed: true, job_id: Some(job_id), plan_id: Some(plan_id), ..base }
            }
            Changed::Planned(plan) => Self { plan: Some(plan), ..base },
        })
    }

    /// One line for people.
    #[must_use]
    pub(super) fn say(&self) -> String {
        match (&self.plan, self.changed, self.dry_run, self.planned_changes.len()) {
            (Some(plan), ..) => format!("not changed yet: {} waits for a person's approval", plan.plan_id),
            (None, true, ..) => "changed and read back".into(),
            (None, false, _, 0) => "nothing to change".into(),
            (None, false, true, n) => format!("dry run: {n} properties would change"),
            (None, false, false, _) => "not changed".into(),
        }
    }
}
