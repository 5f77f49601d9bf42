//! Empties the cache of a router's resolver.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes,
    failure::Failure,
    routeros::{compat::Endpoint, resources::dns_cache::CachedName},
    tools::{
        change::Outcome,
        context::Cx,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
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
    /// How many entries went.
    entries_flushed: usize,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct FlushDnsCache;

impl Tool for FlushDnsCache {
    const SPEC: Spec = Spec::write(
        "flush_dns_cache",
        "Flush the DNS cache",
        "Empties a router's DNS cache at once where policy allows it, else returns a plan for a person to approve. Nothing is lost but time.",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::count::<CachedName>(), Endpoint::print::<CachedName>(), changes::dns_cache::ENDPOINT];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let rows = match router.count::<CachedName>(None).await? {
            0 => Vec::new(),
            _ => router.rows::<CachedName>(&[]).await?,
        };
        let entries = changes::dns_cache::flushed(&rows).len();
        let operations = Vec::from_iter(changes::dns_cache::flush(&rows));
        let risk = changes::risk(true, device.settings.environment);
        let outcome =
            Outcome::of(cx, &device, "flush the DNS cache", risk, operations, params.dry_run).await?;
        let entries_flushed = if outcome.changed { entries } else { 0 };
        Ok(Answer { entries_flushed, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
