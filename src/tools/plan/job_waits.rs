//! What a job waits for, in words; and what a person can decide about one that stands.

use events::{
    ids::{DeviceId, JobId, Moment},
    job::{Direction, JobStatus, StepStatus},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    State,
    job::{JobState, SOAK_SAMPLES, Waits, directions, may_cancel},
};

/// Kinds of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its turn.
    Turn,
    /// The rest before a wave.
    Pause,
    /// The next look at a wave.
    Soak,
    /// Routers that do not answer.
    Routers,
    /// A person's decision.
    Person,
}

/// What a person can do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Choice {
    pub(in crate::tools) command: String,
    /// What it leads to.
    pub(in crate::tools) does: String,
}

/// What a job waits for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitsFor {
    what: What,
    /// One line.
    pub(in crate::tools) say: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    device_ids: Vec<DeviceId>,
    /// What a person can do now.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    choices: Vec<Choice>,
}

/// What a job waits for just now, if for anything.
pub(super) fn of(state: &State, job: &JobState, plan: &Plan, at: Moment) -> Option<WaitsFor> {
    let waits = job.waits_for(plan, at)?;
    let base = |what, say| WaitsFor { what, say, until: None, device_ids: Vec::new(), choices: Vec::new() };
    Some(match waits {
        Waits::Turn => base(What::Turn, "its turn, and a look at all of its devices".to_owned()),
        Waits::Pause { wave, until } => WaitsFor {
            until: Some(until),
            ..base(What::Pause, format!("the pause before wave {} to end", wave.0))
        },
        Waits::Soak { wave, look, until } => WaitsFor {
            until: Some(until),
            ..base(What::Soak, format!("look {look} of {SOAK_SAMPLES} at wave {}", wave.0))
        },
        Waits::Routers(device_ids) => WaitsFor {
            say: format!("{} to answer, to read what became of a change", names(&device_ids)),
            device_ids,
            ..base(What::Routers, String::new())
        },
        Waits::Person => {
            let device_ids: Vec<DeviceId> = job.troubled(plan).into_iter().cloned().collect();
            let choices = possible(state, job);
            WaitsFor {
                say: asked(job, &device_ids),
                device_ids,
                choices,
                ..base(What::Person, String::new())
            }
        }
    })
}

/// What a person is asked, in one line.
fn asked(job: &JobState, troubled: &[DeviceId]) -> String {
    let who = if troubled.is_empty() { String::new() } else { format!(" about {}", names(troubled)) };
    match job.status {
        JobStatus::Stuck if job.steps.iter().any(|step| step.status == StepStatus::Diverged) => {
            format!(
                "a person{who}: look at the router, which is neither as before nor as wanted, then decide"
            )
        }
        JobStatus::Stuck => {
            format!(
                "a router that cannot be read; it goes on by itself when it answers, or a person decides{who}"
            )
        }
        _ => format!("a person to decide how it goes on{who}"),
    }
}

fn names(device_ids: &[DeviceId]) -> String {
    device_ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// What the rules would let a person do, and ending it.
fn possible(state: &State, job: &JobState) -> Vec<Choice> {
    let allowed = directions(state, job.job_id).into_iter().filter(|(_, answer)| answer.is_ok());
    let mut choices: Vec<Choice> = allowed.map(|(direction, _)| choice(job, &direction)).collect();
    if may_cancel(state, job.job_id).is_ok() {
        choices.push(cancelling(job.job_id));
    }
    choices
}

/// A direction as a command, with what it leads to.
pub(in crate::tools) fn choice(job: &JobState, direction: &Direction) -> Choice {
    let job_id = job.job_id;
    let (verb, does) = match direction {
        Direction::Retry if job.rolling_back => {
            ("retry", "goes on undoing, reading each router first".into())
        }
        Direction::Retry => {
            ("retry", "tries again what failed, reading each router first, and then goes on".to_owned())
        }
        Direction::Skip(device_id) => {
            let does = format!("leaves {device_id} as it is, for good, and goes on without it");
            return Choice {
                command: format!("appliance job skip {job_id} {device_id} --reason TEXT"),
                does,
            };
        }
        Direction::RollBack => ("roll-back", "undoes what was applied, the newest first".to_owned()),
        Direction::Resume => {
            ("resume", "lets the failed gate pass and goes on with the next wave".to_owned())
        }
    };
    Choice { command: format!("appliance job {verb} {job_id} --reason TEXT"), does }
}

/// Ending a job that stands.
pub(in crate::tools) fn cancelling(job_id: JobId) -> Choice {
    Choice {
        command: format!("appliance job cancel {job_id} --reason TEXT"),
        does: "ends it: what was applied stays, nothing more is sent, and its routers are free".to_owned(),
    }
}
