//! Tools about routes.

mod apply_plan;
pub(in crate::tools) mod around;
mod distance;
mod get;
mod plan_add;
mod plan_modify;
mod plan_remove;
mod shown;
mod summary;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<summary::GetRoutingSummary>(),
    ToolDef::of::<get::GetRoute>(),
    ToolDef::of::<plan_add::PlanAddStaticRoute>(),
    ToolDef::of::<plan_modify::PlanModifyStaticRoute>(),
    ToolDef::of::<plan_remove::PlanRemoveStaticRoute>(),
    ToolDef::of::<apply_plan::ApplyRoutingPlan>(),
];
