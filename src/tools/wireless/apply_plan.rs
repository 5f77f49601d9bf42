//! Starts an approved Wi-Fi plan.

use crate::tools::{tool::Topic, topic::apply_tool};

apply_tool! {
    /// Starts an approved Wi-Fi plan.
    ApplyWirelessPlan,
    "apply_wireless_plan",
    "Apply a Wi-Fi plan",
    "Starts a Wi-Fi plan that a person approved, device after device, reads every change back, and undoes all when one fails.",
    Topic::WIRELESS
}
