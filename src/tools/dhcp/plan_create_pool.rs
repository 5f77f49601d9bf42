//! Plans a new DHCP pool, with its network and its server where they are wanted.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::dhcp_create::{CREATE, Wish, create},
    failure::Failure,
    routeros::{compat::Endpoint, resources::interface::Interface},
    tools::{
        context::Cx,
        dhcp::tables::{TABLES, tables},
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
    /// Also the name of the server, if one is added.
    pool_name: Text<1, 64>,
    /// IPv4 `first-last`, at most 65,536 addresses.
    address_range: Text<1, 31>,
    /// What clients are told.
    #[serde(default)]
    gateway: Text<0, 15>,
    /// What clients are told.
    #[serde(default)]
    dns_servers: Option<List<Text<1, 15>, 0, 8>>,
    /// The clients' network, `192.0.2.0/24`; else that of the router's own address which has the range.
    #[serde(default)]
    network: Text<0, 18>,
    /// Adds a server for the pool on this interface.
    #[serde(default)]
    interface: Text<0, 64>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanCreateDhcpPool;

impl Tool for PlanCreateDhcpPool {
    const SPEC: Spec = Spec::plan(
        "plan_create_dhcp_pool",
        "Plan a new DHCP pool",
        "Plans a new address pool on each device; with gateway or dns_servers also the DHCP network, with interface also the server. A person approves; apply_dhcp_plan starts it.",
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
        Endpoint::print::<Interface>(),
        CREATE[0],
        CREATE[1],
        CREATE[2],
        CREATE[3],
        CREATE[4],
        CREATE[5],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        let wish = Wish {
            name: params.pool_name.0,
            range: params.address_range.0,
            gateway: params.gateway.0,
            dns_servers: params.dns_servers.into_iter().flat_map(|list| list.0).map(|text| text.0).collect(),
            network: params.network.0,
            interface: params.interface.0,
        };
        propose(cx, &devices, "add a DHCP pool", |cx, device| {
            let wish = wish.clone();
            async move {
                let router = cx.router(&device.device_id);
                let tables = tables(&router, &device).await?;
                let interfaces = match wish.interface.as_str() {
                    "" => Vec::new(),
                    name => router.rows::<Interface>(&[("name", name)]).await?,
                };
                Ok(create(&tables, &wish, &interfaces)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
