//! Which hardware address has which address.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::arp::ArpEntry, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    address: Untrusted,
    /// Null while unresolved.
    mac_address: Option<Untrusted>,
    interface: Untrusted,
    status: Untrusted,
    dhcp: bool,
    dynamic: bool,
    comment: Untrusted,
}

impl From<ArpEntry> for Listed {
    fn from(it: ArpEntry) -> Self {
        Self {
            status: it.state(),
            dhcp: it.by_dhcp(),
            id: it.id,
            address: it.address,
            mac_address: it.mac_address,
            interface: it.interface,
            dynamic: it.dynamic,
            comment: it.comment,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    arp_entries: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetArpTable;

impl Tool for GetArpTable {
    const SPEC: Spec = Spec::read(
        "get_arp_table",
        "ARP table",
        "Neighbours of a router: address, hardware address, interface, state.",
    );
    type Params = DeviceList<100, 1000>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::count::<ArpEntry>(), Endpoint::print::<ArpEntry>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx
            .router(&device.device_id)
            .counted::<ArpEntry>(None, "read it on the router: so many neighbours are not listed here")
            .await?;
        let (arp_entries, end) = window.cut(all, Listed::from);
        Ok(Answer { arp_entries, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} entries", answer.arp_entries.len(), answer.end.total_count)
    }
}
