//! Plans the removal of an SSID.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::{
        record::is_dynamic,
        wireless::{
            air::{Air, name_of},
            ssid, stacks,
        },
    },
    failure::Failure,
    routeros::{
        compat::Endpoint,
        port::Row,
        resources::{
            dhcp_server::DhcpServer, firewall_filter::FilterRule, firewall_nat::NatRule,
            ip_address::IpAddress, list_member::ListMember,
        },
    },
    tools::{
        context::{Cx, Router},
        listing::RecordId,
        params::DeviceRef,
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
        wireless::air::{AIR, air, joined, picked},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Which interface (get_wireless_interfaces gives ids).
    ssid_id: RecordId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanRemoveWirelessSsid;

impl Tool for PlanRemoveWirelessSsid {
    const SPEC: Spec = Spec::plan(
        "plan_remove_wireless_ssid",
        "Plan the removal of an SSID",
        "Plans to take one access point (SSID) on another interface's radio out of its bridge, switch it off and remove it, on each device; the undo puts it back. A person approves; apply_wireless_plan starts it.",
        &Topic::WIRELESS,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &joined::<32>(&[
        &AIR,
        &WAY,
        &[
            Endpoint::print::<DhcpServer>(),
            Endpoint::print::<ListMember>(),
            Endpoint::print::<FilterRule>(),
            Endpoint::print::<NatRule>(),
        ],
        &stacks::REMOVE,
    ]);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        propose(cx, &params.device_ids, "remove an SSID", |cx, device| {
            let id = params.ssid_id.clone();
            async move {
                let router = cx.router(&device.device_id);
                let air = air(&router).await?;
                let way = router.way(&device).await?;
                let (_, row) = air.by_id(&id.0, "ssid_id")?;
                let used = used(&router, &air, name_of(row)).await?;
                Ok(ssid::remove(&air, &id.0, &used, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}

/// The menus whose records name an interface: removed, they would keep its dead id, and an undo would not change that.
async fn used(router: &Router<'_>, air: &Air, name: &str) -> Result<Vec<&'static str>, Failure> {
    let on = [("interface", name)];
    let names = |rows: &[Row], property: &str| {
        rows.iter().any(|row| row.get(property).is_some_and(|own| own == name) && !is_dynamic(row))
    };
    let mut used = Vec::new();
    let mut note = |menu: &'static str, yes: bool| {
        if yes {
            used.push(menu);
        }
    };
    note("/interface/vlan", names(&air.vlans, "interface"));
    note("/interface/list/member", names(&picked::<ListMember>(router, &on).await?, "interface"));
    note("/ip/address", names(&router.rows::<IpAddress>(&on).await?, "interface"));
    note("/ip/dhcp-server", names(&router.rows::<DhcpServer>(&on).await?, "interface"));
    for property in ["in-interface", "out-interface"] {
        let on = [(property, name)];
        note("/ip/firewall/filter", !router.rows::<FilterRule>(&on).await?.is_empty());
        note("/ip/firewall/nat", !router.rows::<NatRule>(&on).await?.is_empty());
    }
    used.dedup();
    Ok(used)
}
