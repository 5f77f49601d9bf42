//! Tools about routes.

mod get;
mod shown;
mod summary;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[ToolDef::of::<summary::GetRoutingSummary>(), ToolDef::of::<get::GetRoute>()];
