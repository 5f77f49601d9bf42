//! Tools about interfaces.

mod list;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[ToolDef::of::<list::ListInterfaces>()];
