//! Plans a new SSID.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::wireless::{
        Tune,
        ssid::{self, New},
        stacks,
    },
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{bridge::Bridge, interface::Interface},
    },
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
        wireless::air::{AIR, air, given, joined, names},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// At most 32 bytes.
    ssid: Text<1, 32>,
    /// The router's own, by name.
    #[serde(default = "default_profile")]
    security_profile: Text<1, 64>,
    /// Which radio by its band: `2ghz-b/g/n`, `5ghz-ac`, `5ghz-ax`.
    #[serde(default)]
    band: Text<0, 32>,
    /// Refused unless the radio is on it; 0 takes the radio's.
    #[serde(default)]
    #[schemars(range(max = 165))]
    channel: u16,
    /// Which radio by name; needed where several fit.
    #[serde(default)]
    interface: Text<0, 64>,
    /// Of the new interface; else the next free one.
    #[serde(default)]
    name: Text<0, 64>,
    /// Bridge to put it in.
    #[serde(default)]
    bridge: Text<0, 64>,
}

fn default_profile() -> Text<1, 64> {
    Text("default".to_owned())
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanCreateWirelessSsid;

impl Tool for PlanCreateWirelessSsid {
    const SPEC: Spec = Spec::plan(
        "plan_create_wireless_ssid",
        "Plan a new SSID",
        "Plans a new access point (SSID) on a radio of each device, on any Wi-Fi stack. A person approves; apply_wireless_plan starts it.",
        &Topic::WIRELESS,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &joined::<27>(&[
        &AIR,
        &WAY,
        &[Endpoint::print::<Interface>(), Endpoint::print::<Bridge>()],
        &stacks::CREATE,
    ]);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let tune = Tune::of(&params.band.0, params.channel, 0)?;
        let devices = params.device_ids.clone();
        let new = New {
            ssid: params.ssid.0,
            security_profile: params.security_profile.0,
            interface: given(&params.interface.0),
            name: given(&params.name.0),
            bridge: given(&params.bridge.0),
            tune,
        };
        propose(cx, &devices, "add an SSID", |cx, device| {
            let new = new.clone();
            async move {
                let router = cx.router(&device.device_id);
                let air = air(&router).await?;
                let way = router.way(&device).await?;
                let interfaces = names(&router.rows::<Interface>(&[]).await?);
                let bridges = names(&router.rows::<Bridge>(&[]).await?);
                Ok(ssid::create(&air, &new, &interfaces, &bridges, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
