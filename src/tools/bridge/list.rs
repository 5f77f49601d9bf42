//! Lists a router's bridges.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::bridge::Bridge, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    name: Untrusted,
    /// Null when RouterOS says `auto`.
    mtu: Option<u64>,
    actual_mtu: Option<u64>,
    l2mtu: Option<u64>,
    mac_address: Untrusted,
    arp: Untrusted,
    /// Seconds; null for `auto`.
    arp_timeout: Option<u64>,
    disabled: bool,
    running: bool,
    auto_mac: bool,
    /// Seconds.
    ageing_time: Option<u64>,
    priority: Untrusted,
    protocol_mode: Untrusted,
    fast_forward: bool,
    vlan_filtering: bool,
    comment: Untrusted,
}

impl From<Bridge> for Listed {
    fn from(it: Bridge) -> Self {
        Self {
            id: it.id,
            name: it.name,
            mtu: it.mtu,
            actual_mtu: it.actual_mtu,
            l2mtu: it.l2mtu,
            mac_address: it.mac_address,
            arp: it.arp,
            arp_timeout: it.arp_timeout_s,
            disabled: it.disabled,
            running: it.running,
            auto_mac: it.auto_mac,
            ageing_time: it.ageing_time_s,
            priority: it.priority,
            protocol_mode: it.protocol_mode,
            fast_forward: it.fast_forward,
            vlan_filtering: it.vlan_filtering,
            comment: it.comment,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    bridges: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListBridges;

impl Tool for ListBridges {
    const SPEC: Spec = Spec::read(
        "list_bridges",
        "List bridges",
        "Bridges of a router with MTU, spanning tree and VLAN settings.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Bridge>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx.router(&device.device_id).records::<Bridge>(&[]).await?;
        let (bridges, end) = window.cut(all, Listed::from);
        Ok(Answer { bridges, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} bridges", answer.bridges.len(), answer.end.total_count)
    }
}
