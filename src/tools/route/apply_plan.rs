//! Starts an approved routing plan.

use crate::tools::{tool::Topic, topic::apply_tool};

apply_tool! {
    /// Starts an approved routing plan.
    ApplyRoutingPlan,
    "apply_routing_plan",
    "Apply a routing plan",
    "Starts a routing plan that a person approved, device after device, reads every change back, and undoes all when one fails.",
    Topic::ROUTING
}
