//! What happened to a job, in plain words, and which of a person's decisions make sense now. From the record only.

use events::{
    gate::DeadManStatus,
    ids::{DeviceId, Moment, WaveNo},
    job::{Direction, JobStatus, StepStatus},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::{
        State,
        job::{JobState, StepState, arming_failed, directions, may_cancel},
    },
    routeros::text::Untrusted,
    tools::plan::{
        job_shown::{Summary, summary, telling},
        job_waits::{cancelling, choice},
    },
};

/// A device in trouble.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Trouble {
    device_id: DeviceId,
    /// What is known of it.
    says: String,
    /// RouterOS's own words.
    routeros: Untrusted,
}

/// A decision that a person could take.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Decision {
    /// `retry`, `skip`, `roll_back`, `resume` or `cancel`.
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
    command: String,
    /// What it would lead to.
    does: String,
    /// The rules allow it now.
    possible: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

/// A job with what happened and what can be done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Guide {
    job: Summary,
    /// In the order in which it matters.
    story: Vec<String>,
    trouble: Vec<Trouble>,
    decisions: Vec<Decision>,
}

/// The guide to a job, at a moment.
pub(in crate::tools) fn guide(state: &State, job: &JobState, plan: &Plan, at: Moment) -> Guide {
    let trouble = job.troubled(plan).into_iter().map(|device_id| {
        let steps: Vec<&StepState> = job.steps_of(device_id).collect();
        let detail = telling(job, &steps).map_or("", |step| step.detail.as_str());
        Trouble {
            device_id: device_id.clone(),
            says: trouble_of(job, device_id, &steps),
            routeros: Untrusted::new(detail),
        }
    });
    Guide {
        job: summary(state, job, plan, at),
        story: story(job, plan),
        trouble: trouble.collect(),
        decisions: decisions(state, job),
    }
}

impl Guide {
    /// One line for people.
    pub(in crate::tools) fn say(&self) -> String {
        let possible = self.decisions.iter().filter(|decision| decision.possible).count();
        match possible {
            0 => format!("{} needs nothing from a person", self.job.job_id),
            n => format!("{} is {}: {n} ways to go on", self.job.job_id, self.job.status.as_str()),
        }
    }
}

fn story(job: &JobState, plan: &Plan) -> Vec<String> {
    let devices = plan.waves.iter().flatten().count();
    let waves = (1u32..).map(WaveNo).zip(&plan.waves).map(|(wave, _)| wave);
    let done = waves.filter(|wave| job.wave_is_done(plan, *wave)).count();
    let mut story = vec![format!(
        "It carries out {} on {}, in {}; {done} of them done.",
        plan.tool,
        counted(devices, "device"),
        counted(plan.waves.len(), "wave"),
    )];
    let why = if job.reason.is_empty() { String::new() } else { format!(": {}", job.reason) };
    let stands = match job.status {
        JobStatus::Pending => "It has not begun yet",
        JobStatus::Running => "It runs",
        JobStatus::Halted => "It stopped, and nothing more is sent until a person decides",
        JobStatus::RollingBack => "It undoes what it did",
        JobStatus::Completed => "It is over, and everything was read back as wanted",
        JobStatus::Failed => "It is over, and not everything was done",
        JobStatus::Cancelled => "A person ended it",
        JobStatus::RolledBack => "Everything that it did was undone, and read back so",
        JobStatus::PartiallyRolledBack => "Some of what it did was undone, and some was not",
        JobStatus::Stuck => "It cannot know by itself how to go on",
    };
    story.push(format!("{stands}{why}."));
    if let Some(wish) = &job.cancel
        && !job.status.is_over()
    {
        story.push(format!(
            "{} asked for its end: devices that were begun are finished, no other is.",
            wish.by.label
        ));
    }
    for (wave, state) in (1u32..).zip(&job.waves) {
        let Some(judged) = state.judged.as_ref().filter(|judged| !judged.passed) else { continue };
        let after = if judged.accepted { " A person let it pass." } else { "" };
        story.push(format!("The gate of wave {wave} failed: {}.{after}", judged.reasons.join("; ")));
    }
    let on_routers = |device_id: &DeviceId| job.steps_of(device_id).any(StepState::is_on_router);
    let parts = || plan.waves.iter().flatten().map(|part| &part.device_id);
    let changed = parts().filter(|device_id| on_routers(device_id)).count();
    let untouched = parts().filter(|device_id| !job.has_begun(device_id)).count();
    story.push(format!(
        "{} {} the change, as read; nothing was sent to {untouched}.",
        counted(changed, "device"),
        if changed == 1 { "has" } else { "have" },
    ));
    for device_id in parts() {
        if let Some(at) = job.undoes_itself_at(plan, device_id) {
            story.push(format!("{device_id} undoes its change by itself at {at}, unless that is disarmed."));
        }
    }
    if !job.skipped.is_empty() {
        let skipped: Vec<&str> = job.skipped.iter().map(DeviceId::as_str).collect();
        story.push(format!("Left as they are, by a person: {}.", skipped.join(", ")));
    }
    story
}

/// What is known of a device in trouble.
fn trouble_of(job: &JobState, device_id: &DeviceId, steps: &[&StepState]) -> String {
    let man = job.dead_men.get(device_id);
    if arming_failed(job, device_id) {
        return "its timed undo could not be armed, so nothing risky was sent".to_owned();
    }
    if man.is_some_and(|man| matches!(man.status, DeadManStatus::InDoubt | DeadManStatus::Disarming)) {
        return "whether its timed undo is armed is not known; reading, or its time, will tell".to_owned();
    }
    let Some(step) = telling(job, steps) else { return String::new() };
    let code = step.code.as_deref().map_or_else(String::new, |code| format!(" ({code})"));
    match step.status {
        StepStatus::Diverged => {
            "it is neither as before nor as wanted: something else may have changed it".to_owned()
        }
        StepStatus::InDoubt => {
            "the answer to a write was lost and it cannot be read: it may have the change or not".to_owned()
        }
        StepStatus::Started => "a write to it is under way".to_owned(),
        StepStatus::Refused => format!("it did not take the change and is as it was before{code}"),
        StepStatus::RevertedByRouter => {
            "it undid the change by itself, since nothing confirmed it".to_owned()
        }
        StepStatus::NotApplied if step.attempts == 0 => {
            format!("it could not be begun; nothing was sent to it{code}")
        }
        StepStatus::NotApplied => format!("the change did not arrive; it is as it was before{code}"),
        _ if job.rolling_back && step.is_on_router() => {
            "it has the change, which is not undone yet: it could not be read, or does not undo it".to_owned()
        }
        _ if job.unread_before(step) => {
            "it could not be read before its wave, so nothing was sent to it".to_owned()
        }
        _ => "it has the change, and fails the gate of its wave".to_owned(),
    }
}

fn decisions(state: &State, job: &JobState) -> Vec<Decision> {
    let mut all: Vec<Decision> = directions(state, job.job_id)
        .into_iter()
        .map(|(direction, answer)| {
            let choice = choice(job, &direction);
            let (decision, device_id) = match direction {
                Direction::Retry => ("retry", None),
                Direction::Skip(device_id) => ("skip", Some(device_id)),
                Direction::RollBack => ("roll_back", None),
                Direction::Resume => ("resume", None),
            };
            let why_not = answer.err().map(|refusal| refusal.say);
            let possible = why_not.is_none();
            Decision { decision, device_id, command: choice.command, does: choice.does, possible, why_not }
        })
        .collect();
    let ending = cancelling(job.job_id);
    let why_not = may_cancel(state, job.job_id).err().map(|refusal| refusal.say);
    let running = matches!(job.status, JobStatus::Pending | JobStatus::Running);
    let does = match running {
        true => "ends it once the devices in hand are finished; what was applied stays".to_owned(),
        false => ending.does,
    };
    all.push(Decision {
        decision: "cancel",
        device_id: None,
        command: ending.command,
        does,
        possible: why_not.is_none(),
        why_not,
    });
    all
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
