//! Tools about addresses.

mod get_address;
mod get_arp;
mod list_addresses;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list_addresses::ListIpAddresses>(),
    ToolDef::of::<get_address::GetIpAddress>(),
    ToolDef::of::<get_arp::GetArpTable>(),
];
