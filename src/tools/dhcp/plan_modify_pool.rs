//! Plans a change of a DHCP pool.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::{
    changes::dhcp_modify::{LEASE_S, MODIFY, Wish, modify},
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        context::Cx,
        dhcp::tables::{LEASES, TABLES, leases, tables},
        listing::RecordId,
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, propose},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Which pool (get_dhcp_server_status gives ids).
    pool_id: RecordId,
    modifications: Modifications,
}

/// At least one; what is not given stays.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modifications {
    /// IPv4 `first-last`, in place of all ranges.
    #[serde(default)]
    address_range: Option<Text<1, 31>>,
    /// What clients of the pool's network are told; empty takes it away.
    #[serde(default)]
    gateway: Option<Text<0, 15>>,
    /// Likewise.
    #[serde(default)]
    dns_servers: Option<List<Text<1, 15>, 0, 8>>,
    /// Seconds, of the servers that hand the pool out.
    #[serde(default)]
    lease_time: Option<LeaseTime>,
}

/// How long a client may keep an address, in seconds.
#[derive(Debug, Clone, Copy)]
struct LeaseTime(u32);

impl<'de> Deserialize<'de> for LeaseTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let asked = i64::deserialize(deserializer)?;
        let fits = u32::try_from(asked).ok().filter(|seconds| LEASE_S.contains(seconds));
        fits.map(Self).ok_or_else(|| {
            de::Error::custom(format!("{}–{} seconds, got {asked}", LEASE_S.start(), LEASE_S.end()))
        })
    }
}

impl JsonSchema for LeaseTime {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "LeaseTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": LEASE_S.start(), "maximum": LEASE_S.end() })
    }
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanModifyDhcpPool;

impl Tool for PlanModifyDhcpPool {
    const SPEC: Spec = Spec::plan(
        "plan_modify_dhcp_pool",
        "Plan a change of a DHCP pool",
        "Plans a change of one address pool on each device, of what its clients are told, and of their lease time. A person approves; apply_dhcp_plan starts it.",
        &Topic::DHCP,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &[
        TABLES[0], TABLES[1], TABLES[2], TABLES[3], TABLES[4], LEASES[0], LEASES[1], MODIFY[0], MODIFY[1],
        MODIFY[2], MODIFY[3], MODIFY[4],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let Params { device_ids, pool_id, modifications } = params;
        let wish = Wish {
            range: modifications.address_range.map(|text| text.0),
            gateway: modifications.gateway.map(|text| text.0),
            dns_servers: modifications
                .dns_servers
                .map(|list| list.0.into_iter().map(|text| text.0).collect()),
            lease_time_s: modifications.lease_time.map(|time| time.0),
        };
        propose(cx, &device_ids, "change a DHCP pool", |cx, device| {
            let (wish, pool_id) = (wish.clone(), pool_id.0.clone());
            async move {
                let router = cx.router(&device.device_id);
                let tables = tables(&router, &device).await?;
                // Only a range that moves leaves leases behind.
                let leases = match wish.range {
                    Some(_) => leases(&router).await?,
                    None => Vec::new(),
                };
                Ok(modify(&tables, &pool_id, &wish, &leases)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
