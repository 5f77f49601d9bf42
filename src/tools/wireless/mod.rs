//! Tools about Wi-Fi, of all three stacks.

mod air;
mod apply_plan;
mod get_clients;
mod get_interfaces;
mod get_registrations;
mod get_remote_caps;
mod plan_create_ssid;
mod plan_modify_ssid;
mod plan_remove_ssid;
mod plan_rf_settings;
mod radio;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<get_interfaces::GetWirelessInterfaces>(),
    ToolDef::of::<get_clients::GetWirelessClients>(),
    ToolDef::of::<get_remote_caps::GetCapsmanRemoteCaps>(),
    ToolDef::of::<get_registrations::GetCapsmanRegistrations>(),
    ToolDef::of::<plan_create_ssid::PlanCreateWirelessSsid>(),
    ToolDef::of::<plan_modify_ssid::PlanModifyWirelessSsid>(),
    ToolDef::of::<plan_remove_ssid::PlanRemoveWirelessSsid>(),
    ToolDef::of::<plan_rf_settings::PlanWirelessRfSettings>(),
    ToolDef::of::<apply_plan::ApplyWirelessPlan>(),
];
