//! What an event says, in one line made from typed data. No word of a router stands in it; of callers only names and the
//! reasons that they gave.

use events::{
    event::Event,
    gate::DeadManStatus,
    job::{Direction, JobStatus, StepStatus},
    plan::ApprovedBy,
};
use serde::Serialize;

use crate::routeros::text::clean;

/// The longest line, in characters.
const CHARS_MAX: usize = 240;

/// A plain enum in the word of the contract.
fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// The event in one line.
#[must_use]
pub fn line(event: &Event) -> String {
    let line = of_plan(event).or_else(|| of_job(event)).unwrap_or_else(|| of_the_rest(event));
    // Reasons are other people's words: nothing hidden, and of reasonable length.
    let plain = clean(&line);
    match plain.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

fn of_plan(event: &Event) -> Option<String> {
    Some(match event {
        Event::PlanProposed(e) => {
            let devices = e.plan.waves.iter().flatten().count();
            format!(
                "{}: {} ({devices} devices, {} waves)",
                e.plan.plan_id,
                e.plan.summary,
                e.plan.waves.len()
            )
        }
        Event::PlanApproved(e) => match &e.by {
            ApprovedBy::Person(actor) => {
                format!("{} approved by {}{}", e.plan_id, actor.label, because(&e.comment))
            }
            ApprovedBy::Policy(policy) => format!("{} approved by policy {policy}", e.plan_id),
        },
        Event::PlanRejected(e) => format!("{} rejected by {}{}", e.plan_id, e.by.label, because(&e.comment)),
        Event::PlanExpired(e) => format!("{} expired", e.plan_id),
        Event::PlanStale(e) => format!("{} is stale: {} changed since it was made", e.plan_id, e.device_id),
        Event::AutoApprovalSwitched(e) => {
            let state = if e.on { "allowed again" } else { "stopped" };
            format!("approval by trusted workflows {state}{}", because(&e.reason))
        }
        _ => return None,
    })
}

fn of_job(event: &Event) -> Option<String> {
    Some(match event {
        Event::JobStarted(e) => format!("{} started: {} in {} steps", e.job_id, e.plan_id, e.steps.len()),
        Event::StepStarted(e) => {
            let what = if e.undo { "undo sent" } else { "change sent" };
            format!("{}: {what}, try {}", e.device_id, e.attempt)
        }
        Event::StepSettled(e) => {
            let code = e.code.as_deref().map_or_else(String::new, |code| format!(" ({code})"));
            let read = match e.status {
                StepStatus::Applied | StepStatus::Held | StepStatus::Undone => ", as read",
                _ => "",
            };
            format!("{}: {}{read}{code}", e.device_id, word(e.status))
        }
        Event::JobStatusChanged(e) => {
            let status = if e.status == JobStatus::RollingBack {
                "is rolling back".into()
            } else {
                format!("is {}", word(e.status))
            };
            format!("{} {status}{}", e.job_id, because(&e.reason))
        }
        Event::JobCancelRequested(e) => {
            format!("{} asked for the end of {}{}", e.by.label, e.job_id, because(&e.reason))
        }
        Event::JobDirected(e) => {
            let what = match &e.direction {
                Direction::Retry => "retry".to_owned(),
                Direction::Skip(device_id) => format!("skip {device_id}"),
                Direction::RollBack => "roll back".to_owned(),
                Direction::Resume => "resume".to_owned(),
            };
            format!("{} decided about {}: {what}{}", e.by.label, e.job_id, because(&e.reason))
        }
        Event::GateSampled(e) => {
            let lost = e.devices.iter().filter(|sample| sample.problem.is_some()).count();
            let when =
                if e.sample == 0 { "before it".to_owned() } else { format!("look {} after it", e.sample) };
            let lost = if lost == 0 { String::new() } else { format!(", {lost} with a problem") };
            format!("wave {}: {} devices looked at, {when}{lost}", e.wave.0, e.devices.len())
        }
        Event::GateJudged(e) => {
            let verdict = if e.passed { "passed" } else { "failed" };
            format!("gate of wave {} {verdict}{}", e.wave.0, because(&e.reasons.join("; ")))
        }
        Event::DeadManStarted(e) => {
            let what = if e.disarm { "disarming" } else { "arming" };
            format!("{}: {what} its timed undo, try {}", e.device_id, e.attempt)
        }
        Event::DeadManSettled(e) => {
            let code = e.code.as_deref().map_or_else(String::new, |code| format!(" ({code})"));
            let said = match e.status {
                DeadManStatus::Arming | DeadManStatus::Disarming | DeadManStatus::InDoubt => "in doubt",
                DeadManStatus::Armed => "armed, as read",
                DeadManStatus::NotArmed => "not armed",
                DeadManStatus::Disarmed => "gone, as read",
                DeadManStatus::Lapsed => "over by its time",
            };
            format!("{}: timed undo {said}{code}", e.device_id)
        }
        _ => return None,
    })
}

fn of_the_rest(event: &Event) -> String {
    match event {
        Event::StoreCreated(e) => format!("store {} made", e.store_id),
        Event::AuditGap(e) => format!("{} calls could not be recorded", e.calls),
        Event::DeviceAdded(e) => {
            format!("{} added to {}", e.device_id, e.settings.environment.as_str())
        }
        Event::DeviceEdited(e) => format!("settings of {} changed", e.device_id),
        Event::DeviceRemoved(e) => format!("{} removed{}", e.device_id, because(&e.reason)),
        Event::DeviceTrusted(e) => format!("key of {} confirmed", e.device_id),
        Event::DeviceQuarantined(e) => format!("{} showed another key: no login is sent to it", e.device_id),
        Event::DeviceIdentified(e) => format!("{} told what it is", e.device_id),
        Event::DeviceStatusChanged(e) => format!("{} is {}{}", e.device_id, word(e.to), because(&e.reason)),
        Event::CredentialSet(e) => format!("{} login of {} set", word(e.purpose), e.device_id),
        Event::CredentialErased(e) => format!("a login of {} erased", e.device_id),
        Event::TokenCreated(e) => format!("token `{}` made, role {}", e.label, e.role),
        Event::TokenRevoked(e) => format!("token {} revoked", e.token_id),
        Event::SignInRefused(e) => format!("{} sign-ins refused", e.count),
        Event::ToolCalled(e) => match &e.failure {
            None => format!("{} called", e.tool),
            Some(code) => format!("{} called: {code}", e.tool),
        },
        Event::ToolDenied(e) => format!("{} denied: {}", e.tool, e.code),
        Event::HealthBatch(e) => format!("{} health samples", e.samples.len()),
        // Told above.
        _ => event.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use events::{
        job::{JobCancelRequested, JobDirected},
        principal::Actor,
    };

    use super::*;

    #[test]
    fn decisions_are_told_with_who_and_why() {
        let by = Actor { label: "Ada".into(), ..Actor::system() };
        let job_id = "job_01jc0000000000000000000000".parse().unwrap();
        let directed = JobDirected {
            job_id,
            by: by.clone(),
            direction: Direction::Skip("r3".parse().unwrap()),
            reason: "it is\nbeing replaced".into(),
        };
        assert_eq!(
            line(&directed.into()),
            "Ada decided about job_01jc0000000000000000000000: skip r3: it is being replaced"
        );
        let long = JobCancelRequested { job_id, by, reason: "x".repeat(500) };
        assert_eq!(line(&long.into()).chars().count(), CHARS_MAX + 1);
    }
}
