//! Events of evidence, one line each. Part of the format: see `readable`.

use events::{
    event::{Envelope, Event},
    ids::{Moment, Seq},
    job::Direction,
    plan::ApprovedBy,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::routeros::text::clean;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Line {
    seq: Seq,
    at: Moment,
    kind: String,
    by: String,
    what: String,
}

impl Line {
    /// An event in one line. A kind that is not told here is told by its name.
    pub(super) fn of(envelope: &Envelope) -> Self {
        let what = match &envelope.event {
            Event::PlanProposed(e) => e.plan.summary.clone(),
            Event::PlanApproved(e) => match &e.by {
                ApprovedBy::Person(_) => format!("hash {}", e.plan_hash),
                ApprovedBy::Policy(policy) => format!("hash {} by policy {policy}", e.plan_hash),
            },
            Event::PlanRejected(e) => e.comment.clone(),
            Event::PlanStale(e) => e.device_id.to_string(),
            Event::JobStarted(e) => format!("{} with {} steps", e.job_id, e.steps.len()),
            Event::StepStarted(e) => {
                let undo = if e.undo { "undo, " } else { "" };
                format!("{} on {}: {undo}attempt {}", e.step_id, e.device_id, e.attempt)
            }
            Event::StepSettled(e) => {
                let code = e.code.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
                format!("{} on {}: {}{code}", e.step_id, e.device_id, word(&e.status))
            }
            Event::JobStatusChanged(e) => match e.reason.as_str() {
                "" => word(&e.status),
                reason => format!("{}: {reason}", word(&e.status)),
            },
            Event::JobCancelRequested(e) => e.reason.clone(),
            Event::JobDirected(e) => {
                let direction = match &e.direction {
                    Direction::Retry => "retry".to_owned(),
                    Direction::Skip(device_id) => format!("skip {device_id}"),
                    Direction::RollBack => "roll back".to_owned(),
                    Direction::Resume => "resume".to_owned(),
                };
                format!("{direction}: {}", e.reason)
            }
            Event::GateSampled(e) => {
                let bad: Vec<String> = e
                    .devices
                    .iter()
                    .filter_map(|sample| Some(format!("{} {}", sample.device_id, sample.problem.as_ref()?)))
                    .collect();
                format!(
                    "wave {}, look {}: {} devices; {}",
                    e.wave.0,
                    e.sample,
                    e.devices.len(),
                    if bad.is_empty() { "no problem".to_owned() } else { bad.join(", ") }
                )
            }
            Event::GateJudged(e) => {
                let verdict = if e.passed { "passed" } else { "failed" };
                format!("wave {}: {verdict}; {}", e.wave.0, e.reasons.join("; "))
            }
            Event::DeadManStarted(e) => {
                let what = if e.disarm { "disarm" } else { "arm" };
                format!("{}: {what}, attempt {}", e.device_id, e.attempt)
            }
            Event::DeadManSettled(e) => {
                let code = e.code.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
                format!("{}: {}{code}", e.device_id, word(&e.status))
            }
            Event::ToolCalled(e) => match &e.failure {
                None => format!("{} {}", e.tool, e.parameters),
                Some(failure) => format!("{} {}: {failure}", e.tool, e.parameters),
            },
            _ => String::new(),
        };
        Self {
            seq: envelope.seq,
            at: envelope.at,
            kind: envelope.event.kind().to_owned(),
            by: clean(&envelope.actor.name),
            what: clean(&what),
        }
    }
}

/// A status in its own word.
fn word(status: &impl Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
