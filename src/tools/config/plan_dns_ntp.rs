//! Plans the same DNS and NTP servers on many routers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{self, Proposal},
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{dns::DnsSettings, ntp_client::NtpClient},
        text::Untrusted,
    },
    tools::{
        context::Cx,
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{PlanAnswer, propose_with},
    },
};

/// From this many devices on, a rollout is of high risk (TOOLS: risk rules).
const MANY: usize = 11;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment; the first one goes alone.
    device_ids: List<DeviceRef, 2, 50>,
    /// Addresses in order of preference.
    #[serde(default)]
    dns_servers: Option<List<Text<1, 64>, 1, 3>>,
    /// Addresses or host names; the client is switched on.
    #[serde(default)]
    ntp_servers: Option<List<Text<1, 253>, 1, 4>>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

/// The servers of one device, now and as planned; what the plan is not about is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Servers {
    #[serde(skip_serializing_if = "Option::is_none")]
    current_dns_servers: Option<Vec<Untrusted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_dns_servers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_ntp_servers: Option<Vec<Untrusted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_ntp_servers: Option<Vec<String>>,
}

pub struct ConfigPlanDnsNtpRollout;

impl Tool for ConfigPlanDnsNtpRollout {
    const SPEC: Spec = Spec::plan(
        "config_plan_dns_ntp_rollout",
        "Plan a DNS and NTP rollout",
        "Plans the same DNS servers, NTP servers or both on many routers, batch after batch. A person approves; config_apply_dns_ntp_rollout starts it.",
        &Topic::DNS_NTP,
    );
    type Params = Params;
    type Answer = PlanAnswer<Servers>;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<DnsSettings>(),
        Endpoint::print::<NtpClient>(),
        changes::dns::ENDPOINT,
        changes::ntp::ENDPOINT,
    ];

    async fn run(cx: &Cx, params: Params) -> Result<Self::Answer, Failure> {
        let Params { device_ids, dns_servers, ntp_servers } = params;
        let dns = dns_servers.map(|List(servers)| spelled(servers));
        let ntp = ntp_servers.map(|List(servers)| spelled(servers));
        let summary = match (&dns, &ntp) {
            (Some(_), Some(_)) => "set the DNS and NTP servers",
            (Some(_), None) => "set the DNS servers",
            (None, Some(_)) => "set the NTP servers",
            (None, None) => {
                return Err(Failure::param("dns_servers", "this or `ntp_servers` is needed, or both"));
            }
        };
        let many = device_ids.0.len() >= MANY;
        propose_with(cx, &device_ids.0, summary, |cx, device| {
            let (dns, ntp) = (dns.clone(), ntp.clone());
            async move {
                let router = cx.router(&device.device_id);
                let nonsense = |error: changes::Nonsense| Failure::param(error.field, error.why);
                let (mut operations, mut current_dns, mut current_ntp) = (Vec::new(), None, None);
                // Names of time servers are resolved, so DNS comes first.
                if let Some(wanted) = &dns {
                    let now = router.read::<DnsSettings>().await?;
                    operations.extend(changes::dns::set_servers(&now, wanted).map_err(nonsense)?);
                    current_dns = Some(Untrusted::all(&now.servers));
                }
                if let Some(wanted) = &ntp {
                    let now = router.read::<NtpClient>().await?;
                    operations.extend(changes::ntp::set_servers(&now, wanted, true).map_err(nonsense)?);
                    current_ntp = Some(Untrusted::all(&now.servers));
                }
                let high = many.then(|| "more than 10 devices are changed".to_owned());
                let proposal =
                    Proposal { operations, high: high.into_iter().collect(), warnings: Vec::new() };
                let servers = Servers {
                    current_dns_servers: current_dns,
                    proposed_dns_servers: dns,
                    current_ntp_servers: current_ntp,
                    proposed_ntp_servers: ntp,
                };
                Ok((proposal, servers))
            }
        })
        .await
    }

    fn say(answer: &Self::Answer) -> String {
        answer.say()
    }
}

/// Addresses as routers show them.
fn spelled<const MAX: usize>(servers: Vec<Text<1, MAX>>) -> Vec<String> {
    servers.into_iter().map(|server| changes::canonical(&server.0)).collect()
}
