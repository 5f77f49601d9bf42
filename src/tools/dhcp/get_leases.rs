//! Who has an address from a router's DHCP servers now.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::dhcp_lease::DhcpLease, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    address: Option<Untrusted>,
    mac_address: Option<Untrusted>,
    client_id: Option<Untrusted>,
    host_name: Option<Untrusted>,
    /// Null for all; an id such as `*1` means that it is gone.
    server: Option<Untrusted>,
    status: Untrusted,
    dynamic: bool,
    /// Seconds.
    expires_after: Option<u64>,
    comment: Untrusted,
}

impl From<DhcpLease> for Listed {
    fn from(it: DhcpLease) -> Self {
        Self {
            id: it.id,
            address: it.active_address.or(it.address),
            mac_address: it.active_mac_address.or(it.mac_address),
            client_id: it.client_id,
            host_name: it.host_name,
            server: it.server,
            status: it.status,
            dynamic: it.dynamic,
            expires_after: it.expires_after_s,
            comment: it.comment,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    leases: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetDhcpLeases;

impl Tool for GetDhcpLeases {
    const SPEC: Spec =
        Spec::read("get_dhcp_leases", "DHCP leases", "Active (bound) DHCP leases of a router.");
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::count::<DhcpLease>(), Endpoint::print::<DhcpLease>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx
            .router(&device.device_id)
            .counted::<DhcpLease>(
                Some(("status", "bound")),
                "read them on the router: so many leases are not listed here",
            )
            .await?;
        let (leases, end) = window.cut(all, Listed::from);
        Ok(Answer { leases, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} leases", answer.leases.len(), answer.end.total_count)
    }
}
