//! Which events belong to a plan: its own, those of its job, and the calls that made, approved, started or stopped it.

use std::collections::BTreeSet;

use events::{
    call::ToolCalled,
    event::{Envelope, Event},
    ids::{CallId, JobId, PlanId},
};
use serde_json::Value;

/// Tells, event after event in the order of Seq, what belongs to a plan.
#[derive(Debug, Clone)]
pub struct Selection {
    plan_id: PlanId,
    jobs: BTreeSet<JobId>,
    /// The call that the plan comes from.
    origin: Option<CallId>,
}

impl Selection {
    /// What belongs to this plan.
    #[must_use]
    pub const fn of(plan_id: PlanId) -> Self {
        Self { plan_id, jobs: BTreeSet::new(), origin: None }
    }

    /// True when the event is about the plan or its job, or a call that names one of them.
    pub fn takes(&mut self, envelope: &Envelope) -> bool {
        let subjects = envelope.event.subjects();
        if subjects.plan == Some(self.plan_id) {
            self.jobs.extend(subjects.job);
            if let Event::PlanProposed(proposed) = &envelope.event {
                self.origin = proposed.origin.call_id;
            }
            return true;
        }
        if subjects.job.is_some_and(|job_id| self.jobs.contains(&job_id)) {
            return true;
        }
        matches!(&envelope.event, Event::ToolCalled(call) if self.names(call))
    }

    /// True when the call made the plan, or names it or its job. Parameters are recorded as JSON; what was too
    /// long for that names nothing.
    fn names(&self, call: &ToolCalled) -> bool {
        if self.origin == Some(call.call_id) {
            return true;
        }
        let Ok(parameters) = serde_json::from_str::<Value>(&call.parameters) else { return false };
        let named = |field: &str| parameters[field].as_str();
        named("plan_id").and_then(|id| id.parse().ok()) == Some(self.plan_id)
            || named("job_id").and_then(|id| id.parse().ok()).is_some_and(|id| self.jobs.contains(&id))
    }
}
