//! Tools about a router as a whole.

mod get_clock;
mod get_overview;
mod get_packages;
mod set_identity;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<get_overview::GetSystemOverview>(),
    ToolDef::of::<get_packages::GetSystemPackages>(),
    ToolDef::of::<get_clock::GetSystemClock>(),
    ToolDef::of::<set_identity::SetSystemIdentity>(),
];
