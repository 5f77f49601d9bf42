//! Starts an approved firewall plan.

use crate::tools::{tool::Topic, topic::apply_tool};

apply_tool! {
    /// Starts an approved firewall plan.
    ApplyFirewallPlan,
    "apply_firewall_plan",
    "Apply a firewall plan",
    "Starts a firewall plan that a person approved, device after device, reads every change back, and undoes all when one fails.",
    Topic::FIREWALL
}
