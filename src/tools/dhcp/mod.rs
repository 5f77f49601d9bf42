//! Tools about DHCP servers.

mod get_leases;
mod get_server_status;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] =
    &[ToolDef::of::<get_server_status::GetDhcpServerStatus>(), ToolDef::of::<get_leases::GetDhcpLeases>()];
