//! What a router's resolver remembers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::dns_cache::CachedName, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    name: Untrusted,
    r#type: Untrusted,
    data: Untrusted,
    /// Seconds.
    ttl: Option<u64>,
}

impl From<CachedName> for Listed {
    fn from(it: CachedName) -> Self {
        Self { name: it.name, r#type: it.kind, data: it.data, ttl: it.ttl_s }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    cache_entries: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetDnsCache;

impl Tool for GetDnsCache {
    const SPEC: Spec = Spec::read(
        "get_dns_cache",
        "DNS cache",
        "Answers that a router's resolver remembers: name, type, data, seconds left.",
    );
    type Params = DeviceList<100, 1000>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::count::<CachedName>(), Endpoint::print::<CachedName>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all =
            cx.router(&device.device_id).counted::<CachedName>(None, "flush_dns_cache empties it").await?;
        let (cache_entries, end) = window.cut(all, Listed::from);
        Ok(Answer { cache_entries, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} entries", answer.cache_entries.len(), answer.end.total_count)
    }
}
