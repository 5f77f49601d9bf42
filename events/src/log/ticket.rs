//! Proof that an intent is durable: no ticket, no write on the wire.

use crate::{
    event::{Envelope, Event},
    ids::{DeviceId, JobId, Seq, StepId},
};

/// Given out by [`super::EventLog`] for a committed `StepStarted` or `DeadManStarted`, and by nothing else. Not `Clone`:
/// whoever uses it consumes it.
#[derive(Debug)]
#[must_use = "a ticket that is dropped leaves its step in doubt"]
pub struct Ticket {
    seq: Seq,
    job_id: JobId,
    device_id: DeviceId,
    step_id: Option<StepId>,
    undo: bool,
    operation_sha256: String,
}

impl Ticket {
    /// The tickets of committed events, in order. Only the log's own commit and settle paths call this.
    pub(super) fn of(committed: &[Envelope]) -> Vec<Self> {
        committed
            .iter()
            .filter_map(|envelope| match &envelope.event {
                Event::StepStarted(step) => Some(Self {
                    seq: envelope.seq,
                    job_id: step.job_id,
                    device_id: step.device_id.clone(),
                    step_id: Some(step.step_id),
                    undo: step.undo,
                    operation_sha256: step.operation_sha256.clone(),
                }),
                Event::DeadManStarted(started) => Some(Self {
                    seq: envelope.seq,
                    job_id: started.job_id,
                    device_id: started.device_id.clone(),
                    step_id: None,
                    undo: false,
                    operation_sha256: started.operation_sha256.clone(),
                }),
                _ => None,
            })
            .collect()
    }

    /// Where the intent stands in the log.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }
    /// Which step; none for a timed undo.
    #[must_use]
    pub const fn step_id(&self) -> Option<StepId> {
        self.step_id
    }
    /// Which job.
    #[must_use]
    pub const fn job_id(&self) -> JobId {
        self.job_id
    }
    /// Which device.
    #[must_use]
    pub const fn device_id(&self) -> &DeviceId {
        &self.device_id
    }
    /// SHA-256 of the canonical bytes of what may be sent (64 hex digits).
    #[must_use]
    pub fn operation_sha256(&self) -> &str {
        &self.operation_sha256
    }
    /// True when the undo is sent instead of the operation.
    #[must_use]
    pub const fn is_undo(&self) -> bool {
        self.undo
    }
}
