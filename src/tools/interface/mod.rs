//! Tools about interfaces.

mod get;
mod get_stats;
mod list;
mod shown;
mod update_comment;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list::ListInterfaces>(),
    ToolDef::of::<get::GetInterface>(),
    ToolDef::of::<get_stats::GetInterfaceStats>(),
    ToolDef::of::<update_comment::InterfaceUpdateComment>(),
];
