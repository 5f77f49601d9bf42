//! Tools about plans and jobs.

pub(super) mod job_shown;
pub(super) mod job_status;
pub(super) mod job_story;
pub(super) mod job_waits;
pub(super) mod plan_details;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] =
    &[ToolDef::of::<plan_details::PlanDetails>(), ToolDef::of::<job_status::JobStatusTool>()];
