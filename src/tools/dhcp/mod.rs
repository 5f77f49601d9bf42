//! Tools about DHCP servers and their pools.

mod apply_plan;
mod get_leases;
mod get_server_status;
mod plan_create_pool;
mod plan_modify_pool;
mod plan_remove_pool;
mod tables;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<get_server_status::GetDhcpServerStatus>(),
    ToolDef::of::<get_leases::GetDhcpLeases>(),
    ToolDef::of::<plan_create_pool::PlanCreateDhcpPool>(),
    ToolDef::of::<plan_modify_pool::PlanModifyDhcpPool>(),
    ToolDef::of::<plan_remove_pool::PlanRemoveDhcpPool>(),
    ToolDef::of::<apply_plan::ApplyDhcpPlan>(),
];
