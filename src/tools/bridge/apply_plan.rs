//! Starts an approved bridge plan.

use crate::tools::{tool::Topic, topic::apply_tool};

apply_tool! {
    /// Starts an approved bridge plan.
    ApplyBridgePlan,
    "apply_bridge_plan",
    "Apply a bridge plan",
    "Starts a bridge plan that a person approved, device after device, reads every change back, and undoes all when one fails.",
    Topic::BRIDGE
}
