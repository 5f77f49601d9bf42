//! Tools about the firewall.

mod apply_plan;
mod list_address_lists;
mod list_filter_rules;
mod list_nat_rules;
mod plan_add_rule;
mod plan_modify_rule;
mod plan_remove_rule;
mod rule;
mod update_address_list;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<list_filter_rules::ListFirewallFilterRules>(),
    ToolDef::of::<list_nat_rules::ListFirewallNatRules>(),
    ToolDef::of::<list_address_lists::ListFirewallAddressLists>(),
    ToolDef::of::<plan_add_rule::PlanAddFirewallRule>(),
    ToolDef::of::<plan_modify_rule::PlanModifyFirewallRule>(),
    ToolDef::of::<plan_remove_rule::PlanRemoveFirewallRule>(),
    ToolDef::of::<apply_plan::ApplyFirewallPlan>(),
    ToolDef::of::<update_address_list::UpdateFirewallAddressList>(),
];
