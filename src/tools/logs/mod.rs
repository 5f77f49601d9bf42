//! Tools about a router's own log.

mod get_config;
mod get_recent;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] =
    &[ToolDef::of::<get_recent::GetRecentLogs>(), ToolDef::of::<get_config::GetLoggingConfig>()];
