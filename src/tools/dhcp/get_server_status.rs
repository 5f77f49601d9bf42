//! A router's DHCP servers, with their pools and networks.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{dhcp_network::DhcpNetwork, dhcp_server::DhcpServer, ip_pool::IpPool},
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Server {
    id: Untrusted,
    name: Untrusted,
    interface: Untrusted,
    /// Seconds.
    lease_time: Option<u64>,
    /// An id such as `*1` means that it is gone.
    address_pool: Untrusted,
    /// Of the pool.
    ranges: Vec<Untrusted>,
    disabled: bool,
    invalid: bool,
    comment: Untrusted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Pool {
    id: Untrusted,
    name: Untrusted,
    ranges: Vec<Untrusted>,
    next_pool: Option<Untrusted>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Network {
    id: Untrusted,
    address: Untrusted,
    gateway: Vec<Untrusted>,
    dns_servers: Vec<Untrusted>,
    domain: Option<Untrusted>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    servers: Vec<Server>,
    /// At most 100.
    pools: Vec<Pool>,
    /// What clients are told, at most 100.
    networks: Vec<Network>,
    #[serde(flatten)]
    end: End,
}

/// Pools and networks shown, each; the page counts servers.
const OTHERS_MAX: usize = 100;

pub struct GetDhcpServerStatus;

impl Tool for GetDhcpServerStatus {
    const SPEC: Spec = Spec::read(
        "get_dhcp_server_status",
        "DHCP servers",
        "DHCP servers of a router, its pools, and the networks that clients are told of.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::print::<DhcpServer>(), Endpoint::print::<IpPool>(), Endpoint::print::<DhcpNetwork>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let all = router.records::<DhcpServer>(&[]).await?;
        let pools = router.records::<IpPool>(&[]).await?;
        let networks = router.records::<DhcpNetwork>(&[]).await?;
        let ranges = |name: &Untrusted| {
            pools.iter().find(|pool| pool.name == *name).map(|pool| pool.ranges.clone()).unwrap_or_default()
        };
        let (servers, end) = window.cut(all, |server| Server {
            ranges: ranges(&server.address_pool),
            id: server.id,
            name: server.name,
            interface: server.interface,
            lease_time: server.lease_time_s,
            address_pool: server.address_pool,
            disabled: server.disabled,
            invalid: server.invalid,
            comment: server.comment,
        });
        let networks = networks.into_iter().take(OTHERS_MAX).map(|network| Network {
            id: network.id,
            address: network.address,
            gateway: network.gateway,
            dns_servers: network.dns_servers,
            domain: network.domain,
        });
        let pools = pools.into_iter().take(OTHERS_MAX).map(|pool| Pool {
            id: pool.id,
            name: pool.name,
            ranges: pool.ranges,
            next_pool: pool.next_pool,
        });
        Ok(Answer { servers, pools: pools.collect(), networks: networks.collect(), end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} servers", answer.servers.len(), answer.end.total_count)
    }
}
