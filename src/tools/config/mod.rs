//! One configuration on many routers: plans of several devices, and their start.

mod address_list;
mod apply_address_list;
mod apply_dns_ntp;
mod plan_address_list;
mod plan_dns_ntp;
mod start;

use crate::tools::tool::ToolDef;

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<plan_dns_ntp::ConfigPlanDnsNtpRollout>(),
    ToolDef::of::<apply_dns_ntp::ConfigApplyDnsNtpRollout>(),
    ToolDef::of::<plan_address_list::ConfigPlanAddressListSync>(),
    ToolDef::of::<apply_address_list::ConfigApplyAddressListSync>(),
];
