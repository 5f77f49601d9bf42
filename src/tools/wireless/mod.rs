//! Tools about Wi-Fi, of all three stacks.

mod get_clients;
mod get_interfaces;
mod get_registrations;
mod get_remote_caps;
mod radio;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<get_interfaces::GetWirelessInterfaces>(),
    ToolDef::of::<get_clients::GetWirelessClients>(),
    ToolDef::of::<get_remote_caps::GetCapsmanRemoteCaps>(),
    ToolDef::of::<get_registrations::GetCapsmanRegistrations>(),
];
