//! Tools about the firewall.

mod list_address_lists;
mod list_filter_rules;
mod list_nat_rules;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list_filter_rules::ListFirewallFilterRules>(),
    ToolDef::of::<list_nat_rules::ListFirewallNatRules>(),
    ToolDef::of::<list_address_lists::ListFirewallAddressLists>(),
];
