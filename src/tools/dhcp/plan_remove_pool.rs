//! Plans the removal of a DHCP pool.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::dhcp_remove::{REMOVE, remove},
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::pool_users::{DhcpMatcher, Hotspot, HotspotUserProfile, IpsecModeConfig, UsedAddress},
    },
    tools::{
        context::Cx,
        dhcp::tables::{LEASES, TABLES, tables, users},
        listing::RecordId,
        params::DeviceRef,
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
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanRemoveDhcpPool;

impl Tool for PlanRemoveDhcpPool {
    const SPEC: Spec = Spec::plan(
        "plan_remove_dhcp_pool",
        "Plan the removal of a DHCP pool",
        "Plans the removal of one address pool on each device, with its server and network where nothing else needs them; always of high risk. A person approves; apply_dhcp_plan starts it.",
        &Topic::DHCP,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &[
        TABLES[0],
        TABLES[1],
        TABLES[2],
        TABLES[3],
        TABLES[4],
        LEASES[0],
        LEASES[1],
        Endpoint::print::<DhcpMatcher>(),
        Endpoint::print::<Hotspot>(),
        Endpoint::print::<HotspotUserProfile>(),
        Endpoint::print::<IpsecModeConfig>(),
        Endpoint::print::<UsedAddress>(),
        REMOVE[0],
        REMOVE[1],
        REMOVE[2],
        REMOVE[3],
        REMOVE[4],
        REMOVE[5],
        REMOVE[6],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let Params { device_ids, pool_id } = params;
        propose(cx, &device_ids, "remove a DHCP pool", |cx, device| {
            let pool_id = pool_id.0.clone();
            async move {
                let router = cx.router(&device.device_id);
                let tables = tables(&router, &device).await?;
                let users = users(&router).await?;
                Ok(remove(&tables, &pool_id, &users)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
