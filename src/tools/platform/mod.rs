//! Tools about the appliance itself.

mod echo;
mod service_health;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[ToolDef::of::<echo::Echo>(), ToolDef::of::<service_health::ServiceHealth>()];
