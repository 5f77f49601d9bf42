//! Tools about addresses.

mod add_address;
mod get_address;
mod get_arp;
mod list_addresses;
mod remove_address;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list_addresses::ListIpAddresses>(),
    ToolDef::of::<get_address::GetIpAddress>(),
    ToolDef::of::<get_arp::GetArpTable>(),
    ToolDef::of::<add_address::AddSecondaryIpAddress>(),
    ToolDef::of::<remove_address::RemoveSecondaryIpAddress>(),
];
