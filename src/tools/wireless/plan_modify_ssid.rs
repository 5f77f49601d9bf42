//! Plans a change of an SSID.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::wireless::{
        Tune,
        ssid::{self, Changed},
        stacks,
    },
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        context::Cx,
        listing::RecordId,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
        wireless::air::{AIR, air, given, joined},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Which interface (get_wireless_interfaces gives ids).
    ssid_id: RecordId,
    /// At most 32 bytes.
    #[serde(default)]
    ssid: Text<0, 32>,
    /// The router's own, by name.
    #[serde(default)]
    security_profile: Text<0, 64>,
    /// `2ghz-b/g/n`, `5ghz-ac`, `5ghz-ax`; radios only.
    #[serde(default)]
    band: Text<0, 32>,
    /// 1–14, 36–48, 149–165; radios only; 0 leaves it.
    #[serde(default)]
    #[schemars(range(max = 165))]
    channel: u16,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanModifyWirelessSsid;

impl Tool for PlanModifyWirelessSsid {
    const SPEC: Spec = Spec::plan(
        "plan_modify_wireless_ssid",
        "Plan a change of an SSID",
        "Plans another SSID, security profile, band or channel for one Wi-Fi interface of each device; at least one change. What is not given stays. A person approves; apply_wireless_plan starts it.",
        &Topic::WIRELESS,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &joined::<22>(&[&AIR, &WAY, &stacks::MODIFY]);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let changed = Changed {
            ssid: given(&params.ssid.0),
            security_profile: given(&params.security_profile.0),
            tune: Tune::of(&params.band.0, params.channel, 0)?,
        };
        propose(cx, &params.device_ids, "change an SSID", |cx, device| {
            let (id, changed) = (params.ssid_id.clone(), changed.clone());
            async move {
                let router = cx.router(&device.device_id);
                let air = air(&router).await?;
                let way = router.way(&device).await?;
                Ok(ssid::modify(&air, &id.0, &changed, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
