//! Facts about calls of tools: who asked for what, and what came of it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{CallId, DeviceId},
    principal::Actor,
};

/// A tool ran (or failed while running).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCalled {
    /// This call.
    pub call_id: CallId,
    /// Who called.
    pub by: Actor,
    /// Which tool.
    pub tool: String,
    /// Which devices it named.
    pub devices: Vec<DeviceId>,
    /// Its parameters as JSON, secrets masked, cut at 4 kB.
    pub parameters: String,
    /// `None` when it succeeded, else our word for the failure.
    pub failure: Option<String>,
    /// Wall time in microseconds.
    pub duration_us: u64,
    /// The caller's own name for the chain of calls this belongs to, or empty.
    pub correlation_id: String,
}

/// A call was refused before the tool ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolDenied {
    /// This call.
    pub call_id: CallId,
    /// Who called.
    pub by: Actor,
    /// Which tool (cut at 64 characters: it may be anything).
    pub tool: String,
    /// Which devices it named.
    pub devices: Vec<DeviceId>,
    /// Our word for the refusal.
    pub code: String,
    /// The caller's own name for the chain of calls this belongs to, or empty.
    pub correlation_id: String,
}
