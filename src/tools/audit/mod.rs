//! Tools about what happened.

mod events;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[ToolDef::of::<events::AuditEvents>()];
