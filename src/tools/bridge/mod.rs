//! Tools about bridges.

mod list;
mod list_ports;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] =
    &[ToolDef::of::<list::ListBridges>(), ToolDef::of::<list_ports::ListBridgePorts>()];
