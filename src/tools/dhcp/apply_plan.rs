//! Starts an approved DHCP plan.

use crate::tools::{tool::Topic, topic::apply_tool};

apply_tool! {
    /// Starts an approved DHCP plan.
    ApplyDhcpPlan,
    "apply_dhcp_plan",
    "Apply a DHCP plan",
    "Starts a DHCP plan that a person approved, device after device, reads every change back, and undoes all when one fails.",
    Topic::DHCP
}
