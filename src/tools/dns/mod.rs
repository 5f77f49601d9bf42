//! Tools about a router's resolver.

mod flush_cache;
mod get_cache;
mod get_status;
mod update_servers;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<get_status::GetDnsStatus>(),
    ToolDef::of::<get_cache::GetDnsCache>(),
    ToolDef::of::<update_servers::UpdateDnsServers>(),
    ToolDef::of::<flush_cache::FlushDnsCache>(),
];
