//! Lists a router's interfaces.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::interface::Interface, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

/// An interface as listed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    name: Untrusted,
    r#type: Untrusted,
    running: bool,
    disabled: bool,
    comment: Untrusted,
    /// Null when RouterOS says `auto`.
    mtu: Option<u64>,
    actual_mtu: Option<u64>,
    l2mtu: Option<u64>,
    max_l2mtu: Option<u64>,
    mac_address: Untrusted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    interfaces: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListInterfaces;

impl Tool for ListInterfaces {
    const SPEC: Spec = Spec::read(
        "list_interfaces",
        "List interfaces",
        "Interfaces of a router with state, MTU and hardware address.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Interface>()];

    async fn run(cx: &Cx, params: DeviceList<50, 500>) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let listed = |interface: Interface| Listed {
            id: interface.id,
            name: interface.name,
            r#type: interface.kind,
            running: interface.running,
            disabled: interface.disabled,
            comment: interface.comment,
            mtu: interface.mtu,
            actual_mtu: interface.actual_mtu,
            l2mtu: interface.l2mtu,
            max_l2mtu: interface.max_l2mtu,
            mac_address: interface.mac_address,
        };
        let all = cx.router(&device.device_id).read_all::<Interface>().await?;
        let (interfaces, end) = window.cut(all, listed);
        Ok(Answer { interfaces, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} interfaces", answer.interfaces.len(), answer.end.total_count)
    }
}
