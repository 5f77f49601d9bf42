//! Tools that look back: who made an object what it is, and what undoes what was done.

mod guards;
mod object_history;
mod plan_undo;
pub(in crate::tools) mod reversal;
mod rollback_plan;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<rollback_plan::ConfigRollbackPlan>(),
    ToolDef::of::<object_history::ObjectHistory>(),
    ToolDef::of::<plan_undo::PlanUndo>(),
];
