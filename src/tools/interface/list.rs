//! Lists a router's interfaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::interface::Interface, text::Untrusted},
    tools::{
        context::Cx,
        page,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
    /// 1–500, default 50.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

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
    total_count: usize,
    next_cursor: Option<String>,
    transport: &'static str,
    fallback_used: bool,
}

pub struct ListInterfaces;

impl Tool for ListInterfaces {
    const SPEC: Spec = Spec::read(
        "list_interfaces",
        "List interfaces",
        "Interfaces of a router with state, MTU and hardware address.",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Interface>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 50, 500)?;
        let from = page::place(params.cursor.as_deref())?;
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
        let all =
            cx.router(&device.device_id).read_all::<Interface>().await?.into_iter().map(listed).collect();
        let page = page::cut(all, from, limit);
        Ok(Answer {
            interfaces: page.rows,
            total_count: page.total,
            next_cursor: page.next_cursor,
            transport: "rest",
            fallback_used: false,
        })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} interfaces", answer.interfaces.len(), answer.total_count)
    }
}
