//! Plans where a radio sends, and how loud.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::wireless::{Tune, radio, stacks},
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
        wireless::air::{AIR, air, joined},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// The radio, by name.
    interface: Text<1, 64>,
    /// 1–14, 36–48, 149–165; 0 leaves it.
    #[serde(default)]
    #[schemars(range(max = 165))]
    channel: u16,
    /// dBm; 0 leaves it.
    #[serde(default)]
    #[schemars(range(max = 30))]
    tx_power: u8,
    /// `2ghz-b/g/n`, `5ghz-ac`, `5ghz-ax`.
    #[serde(default)]
    band: Text<0, 32>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanWirelessRfSettings;

impl Tool for PlanWirelessRfSettings {
    const SPEC: Spec = Spec::plan(
        "plan_wireless_rf_settings",
        "Plan a radio's settings",
        "Plans another channel, band or power for one radio of each device; at least one change. A person approves; apply_wireless_plan starts it.",
        &Topic::WIRELESS,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &joined::<22>(&[&AIR, &WAY, &stacks::TUNE]);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let tune = Tune::of(&params.band.0, params.channel, params.tx_power)?;
        propose(cx, &params.device_ids, "change a radio", |cx, device| {
            let interface = params.interface.clone();
            async move {
                let router = cx.router(&device.device_id);
                let air = air(&router).await?;
                let way = router.way(&device).await?;
                Ok(radio::tune(&air, &interface.0, &tune, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
