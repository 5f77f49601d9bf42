//! Lists the rules of a router's address translation.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::firewall_nat::NatRule, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    chain: Untrusted,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_interface: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_interface: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_interface_list: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_interface_list: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_addresses: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_ports: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_address: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_address: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_address_list: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_address_list: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_address_type: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_address_type: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<Untrusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<Untrusted>,
    disabled: bool,
    dynamic: bool,
    invalid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    comment: Untrusted,
}

impl From<NatRule> for Listed {
    fn from(it: NatRule) -> Self {
        Self {
            id: it.id,
            chain: it.chain,
            action: it.action,
            in_interface: it.in_interface,
            out_interface: it.out_interface,
            in_interface_list: it.in_interface_list,
            out_interface_list: it.out_interface_list,
            to_addresses: it.to_addresses,
            to_ports: it.to_ports,
            src_address: it.src_address,
            dst_address: it.dst_address,
            src_address_list: it.src_address_list,
            dst_address_list: it.dst_address_list,
            src_address_type: it.src_address_type,
            dst_address_type: it.dst_address_type,
            protocol: it.protocol,
            src_port: it.src_port,
            dst_port: it.dst_port,
            disabled: it.disabled,
            dynamic: it.dynamic,
            invalid: it.invalid,
            bytes: it.bytes,
            packets: it.packets,
            comment: it.comment,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    nat_rules: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListFirewallNatRules;

impl Tool for ListFirewallNatRules {
    const SPEC: Spec = Spec::read(
        "list_firewall_nat_rules",
        "List NAT rules",
        "NAT rules in order; unset matchers are left out.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<NatRule>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx.router(&device.device_id).records::<NatRule>(&[]).await?;
        let (nat_rules, end) = window.cut(all, Listed::from);
        Ok(Answer { nat_rules, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} rules", answer.nat_rules.len(), answer.end.total_count)
    }
}
