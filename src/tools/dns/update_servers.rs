//! Sets the DNS servers of one router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes,
    failure::Failure,
    routeros::{compat::Endpoint, resources::dns::DnsSettings, text::Untrusted},
    tools::{
        change::Outcome,
        context::Cx,
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// Addresses in order of preference.
    dns_servers: List<Text<1, 64>, 1, 10>,
    /// Only show what would be done.
    #[serde(default)]
    dry_run: bool,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    old_servers: Vec<Untrusted>,
    new_servers: Vec<String>,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct UpdateDnsServers;

impl Tool for UpdateDnsServers {
    const SPEC: Spec = Spec::write(
        "update_dns_servers",
        "Update DNS servers",
        "Sets a router's DNS servers at once where policy allows it, else returns a plan for a person to approve. Read back; no write when equal.",
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<DnsSettings>(), changes::dns::ENDPOINT];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let now = cx.router(&device.device_id).read::<DnsSettings>().await?;
        let wanted: Vec<String> =
            params.dns_servers.0.into_iter().map(|server| changes::canonical(&server.0)).collect();
        let operation = changes::dns::set_servers(&now, &wanted)
            .map_err(|error| Failure::param(error.field, error.why))?;
        let risk = changes::risk(false, device.settings.environment);
        let outcome =
            Outcome::of(cx, &device, "set the DNS servers", risk, Vec::from_iter(operation), params.dry_run)
                .await?;
        Ok(Answer { old_servers: Untrusted::all(&now.servers), new_servers: wanted, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
