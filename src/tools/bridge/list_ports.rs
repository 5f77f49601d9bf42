//! Lists what is in a router's bridges.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::bridge_port::BridgePort, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    /// An id such as `*5` means that it is gone.
    interface: Untrusted,
    bridge: Untrusted,
    disabled: bool,
    inactive: bool,
    hw: bool,
    hw_offload: bool,
    pvid: Option<u64>,
    priority: Untrusted,
    path_cost: Option<u64>,
    horizon: Untrusted,
    edge: Untrusted,
    point_to_point: Untrusted,
    learn: Untrusted,
    trusted: bool,
    frame_types: Untrusted,
    ingress_filtering: bool,
    tag_stacking: bool,
    role: Option<Untrusted>,
    comment: Untrusted,
}

impl From<BridgePort> for Listed {
    fn from(it: BridgePort) -> Self {
        Self {
            id: it.id,
            interface: it.interface,
            bridge: it.bridge,
            disabled: it.disabled,
            inactive: it.inactive,
            hw: it.hw,
            hw_offload: it.hw_offload,
            pvid: it.pvid,
            priority: it.priority,
            path_cost: it.path_cost,
            horizon: it.horizon,
            edge: it.edge,
            point_to_point: it.point_to_point,
            learn: it.learn,
            trusted: it.trusted,
            frame_types: it.frame_types,
            ingress_filtering: it.ingress_filtering,
            tag_stacking: it.tag_stacking,
            role: it.role,
            comment: it.comment,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    bridge_ports: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListBridgePorts;

impl Tool for ListBridgePorts {
    const SPEC: Spec = Spec::read(
        "list_bridge_ports",
        "List bridge ports",
        "Ports of bridges with VLAN, spanning tree and offload settings.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<BridgePort>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx.router(&device.device_id).records::<BridgePort>(&[]).await?;
        let (bridge_ports, end) = window.cut(all, Listed::from);
        Ok(Answer { bridge_ports, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} ports", answer.bridge_ports.len(), answer.end.total_count)
    }
}
