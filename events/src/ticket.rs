//! Proof that an intent is durable. Only the log can make one.

use crate::{
    ids::{DeviceId, JobId, Seq, StepId},
    job::StepStarted,
};

/// The right to send one write, once: made by the log for a committed [`StepStarted`], used up by the writer port.
#[derive(Debug)]
pub struct Ticket {
    seq: Seq,
    started: StepStarted,
}

impl Ticket {
    /// Which step.
    #[must_use]
    pub const fn step_id(&self) -> StepId {
        self.started.step_id
    }
    /// Which job.
    #[must_use]
    pub const fn job_id(&self) -> JobId {
        self.started.job_id
    }
    /// Which device.
    #[must_use]
    pub const fn device_id(&self) -> &DeviceId {
        &self.started.device_id
    }
    /// Where the intent stands in the log.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }
    /// SHA-256 of the canonical bytes of what may be sent (64 hex digits).
    #[must_use]
    pub fn operation_sha256(&self) -> &str {
        &self.started.operation_sha256
    }
    /// True when it is for the undo.
    #[must_use]
    pub const fn is_undo(&self) -> bool {
        self.started.undo
    }
}
