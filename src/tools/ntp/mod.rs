//! Tools about a router's time servers.

mod get_status;
mod update_servers;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] =
    &[ToolDef::of::<get_status::GetNtpStatus>(), ToolDef::of::<update_servers::UpdateNtpServers>()];
