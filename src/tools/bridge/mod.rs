//! Tools about bridges.

mod apply_plan;
mod list;
mod list_ports;
mod plan_add_port;
mod plan_modify_settings;
mod plan_remove_port;
mod port;
pub(in crate::tools) mod reading;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list::ListBridges>(),
    ToolDef::of::<list_ports::ListBridgePorts>(),
    ToolDef::of::<plan_add_port::PlanAddBridgePort>(),
    ToolDef::of::<plan_remove_port::PlanRemoveBridgePort>(),
    ToolDef::of::<plan_modify_settings::PlanModifyBridgeSettings>(),
    ToolDef::of::<apply_plan::ApplyBridgePlan>(),
];
