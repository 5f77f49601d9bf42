//! How a router's resolver is set.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::dns::DnsSettings, text::Untrusted},
    tools::{
        context::Cx,
        listing::Origin,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Set by people, in order.
    dns_servers: Vec<Untrusted>,
    /// Learnt from DHCP or PPP.
    dynamic_servers: Vec<Untrusted>,
    allow_remote_requests: bool,
    cache_size_kb: Option<u64>,
    cache_used_kb: Option<u64>,
    max_udp_packet_size: Option<u64>,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetDnsStatus;

impl Tool for GetDnsStatus {
    const SPEC: Spec = Spec::read(
        "get_dns_status",
        "DNS status",
        "Servers, remote requests and cache of a router's resolver.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<DnsSettings>()];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let dns = cx.router(&device.device_id).read::<DnsSettings>().await?;
        Ok(Answer {
            dns_servers: Untrusted::all(&dns.servers),
            dynamic_servers: dns.dynamic_servers,
            allow_remote_requests: dns.allow_remote_requests,
            cache_size_kb: dns.cache_size_kib,
            cache_used_kb: dns.cache_used_kib,
            max_udp_packet_size: dns.max_udp_packet_size,
            origin: Origin::REST,
        })
    }

    fn say(answer: &Answer) -> String {
        format!("{} set and {} learnt servers", answer.dns_servers.len(), answer.dynamic_servers.len())
    }
}
