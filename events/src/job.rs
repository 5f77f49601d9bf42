//! Facts about jobs and their steps. Every write on the wire has a durable [`StepStarted`] before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeviceId, JobId, PlanId, StepId, WaveNo},
    principal::Actor,
};

/// One step of a job as laid out at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepLayout {
    /// Its id.
    pub step_id: StepId,
    /// Which device.
    pub device_id: DeviceId,
    /// Which wave it belongs to.
    pub wave: WaveNo,
    /// Which operation of the device's part (0-based).
    pub operation: u32,
}

/// An approved plan is being carried out; this also uses up its approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStarted {
    /// Its id.
    pub job_id: JobId,
    /// The plan.
    pub plan_id: PlanId,
    /// Who started it.
    pub by: Actor,
    /// Its steps, in order.
    pub steps: Vec<StepLayout>,
}

/// The intent: this operation is about to be sent. Only this fact yields a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStarted {
    /// Which job.
    pub job_id: JobId,
    /// Which step.
    pub step_id: StepId,
    /// Which device.
    pub device_id: DeviceId,
    /// 1 for the first try; a try after a settled "not applied" has a new number and a new ticket.
    pub attempt: u32,
    /// True when the undo is sent instead of the operation.
    pub undo: bool,
    /// SHA-256 of the canonical bytes of what will be sent (64 hex digits).
    pub operation_sha256: String,
}

/// How a step ended, or where it stands, in words of the contract (DECISIONS: step status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Waiting,
    /// The intent is durable; the answer is not known yet.
    Started,
    /// Applied under an armed undo.
    Held,
    /// Read back as wanted.
    Applied,
    /// Read back as before; nothing happened.
    NotApplied,
    /// The router said no, and reading shows the state before.
    Refused,
    /// The answer was lost; reading will settle it.
    InDoubt,
    /// Neither before nor after: a person must look.
    Diverged,
    /// Undone by us, and read back so.
    Undone,
    /// Undone by the router itself.
    RevertedByRouter,
}

impl StepStatus {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Held => "held",
            Self::Applied => "applied",
            Self::NotApplied => "not_applied",
            Self::Refused => "refused",
            Self::InDoubt => "in_doubt",
            Self::Diverged => "diverged",
            Self::Undone => "undone",
            Self::RevertedByRouter => "reverted_by_router",
        }
    }
}

/// What became of a step, proven by reading the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSettled {
    /// Which job.
    pub job_id: JobId,
    /// Which step.
    pub step_id: StepId,
    /// Which device.
    pub device_id: DeviceId,
    /// Where it stands now.
    pub status: StepStatus,
    /// Our word for the failure, when there was one (`device_refused`, `in_doubt`, …).
    pub code: Option<String>,
    /// RouterOS's own words, cleaned and cut; untrusted text.
    pub detail: String,
    /// What was read back: the properties of the expectation with their values.
    pub observed: Vec<(String, Option<String>)>,
}

/// A job's state in words of the contract (DECISIONS: job status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Laid out, not begun.
    Pending,
    /// Steps are being carried out.
    Running,
    /// Stopped at a gate; a person decides.
    Halted,
    /// Undoing what was applied.
    RollingBack,
    /// All steps applied.
    Completed,
    /// Ended without all steps applied; nothing is in doubt.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// Everything applied was undone.
    RolledBack,
    /// Some of what was applied was undone.
    PartiallyRolledBack,
    /// A step is in doubt or diverged and reading cannot settle it: a person must look.
    Stuck,
}

impl JobStatus {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Halted => "halted",
            Self::RollingBack => "rolling_back",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled_back",
            Self::PartiallyRolledBack => "partially_rolled_back",
            Self::Stuck => "stuck",
        }
    }

    /// True when nothing more will happen by itself and the device's lease is free. A stuck job keeps its lease.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::RolledBack | Self::PartiallyRolledBack
        )
    }
}

/// A job's state changed. Ends of jobs free their devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatusChanged {
    /// Which job.
    pub job_id: JobId,
    /// Its plan.
    pub plan_id: PlanId,
    /// The state from now on.
    pub status: JobStatus,
    /// Why, in one line made by us.
    pub reason: String,
}

/// Somebody wants a job to end: devices that were begun are finished, no other is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCancelRequested {
    /// Which job.
    pub job_id: JobId,
    /// Who.
    pub by: Actor,
    /// Why, in their words.
    pub reason: String,
}

/// What a person decided about a job that halted or is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Try again what failed.
    Retry,
    /// Leave this device as it is, for good.
    Skip(DeviceId),
    /// Undo what was applied.
    RollBack,
    /// Go on with the next wave although a gate failed.
    Resume,
}

/// A person decided how a job goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDirected {
    /// Which job.
    pub job_id: JobId,
    /// Who.
    pub by: Actor,
    /// What.
    pub direction: Direction,
    /// Why, in their words.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::DeadManStatus;

    #[test]
    fn what_a_status_is_called_is_what_it_is_written_as() {
        use DeadManStatus as D;
        use JobStatus as J;
        use StepStatus as S;
        let written = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for status in [
            J::Pending,
            J::Running,
            J::Halted,
            J::RollingBack,
            J::Completed,
            J::Failed,
            J::Cancelled,
            J::RolledBack,
            J::PartiallyRolledBack,
            J::Stuck,
        ] {
            assert_eq!(written(serde_json::json!(status)), status.as_str());
        }
        for status in [
            S::Waiting,
            S::Started,
            S::Held,
            S::Applied,
            S::NotApplied,
            S::Refused,
            S::InDoubt,
            S::Diverged,
            S::Undone,
            S::RevertedByRouter,
        ] {
            assert_eq!(written(serde_json::json!(status)), status.as_str());
        }
        for status in [D::Arming, D::Armed, D::NotArmed, D::InDoubt, D::Disarming, D::Disarmed, D::Lapsed] {
            assert_eq!(written(serde_json::json!(status)), status.as_str());
        }
    }
}
