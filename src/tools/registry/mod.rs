//! Tools about the register of devices.

pub(in crate::tools) mod check_connectivity;
mod device_health;
mod fleet_summary;
mod list_devices;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list_devices::ListDevices>(),
    ToolDef::of::<fleet_summary::FleetSummary>(),
    ToolDef::of::<check_connectivity::CheckConnectivity>(),
    ToolDef::of::<device_health::DeviceHealth>(),
];
