//! Plans a change of a bridge's settings.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    changes::bridge_settings::{self as change, Wish},
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        bridge::reading,
        context::Cx,
        params::{DeviceRef, Text, Whole},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, propose},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Name of the bridge (see list_bridges).
    bridge_name: Text<1, 255>,
    /// At least one.
    bridge_settings: Settings,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Settings {
    #[serde(default)]
    protocol_mode: Option<Mode>,
    /// True: RSTP unless a spanning tree is on; false: none.
    #[serde(default)]
    stp: Option<bool>,
    #[serde(default)]
    vlan_filtering: Option<bool>,
    #[serde(default)]
    priority: Option<Priority>,
    /// Seconds that a host is remembered.
    #[serde(default)]
    ageing_time: Option<Whole<10, 1_000_000>>,
    /// Seconds; 2 × (forward_delay − 1) ≥ max_message_age.
    #[serde(default)]
    forward_delay: Option<Whole<4, 30>>,
    /// Seconds.
    #[serde(default)]
    max_message_age: Option<Whole<6, 40>>,
}

/// Protocol of the spanning tree.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    None,
    Stp,
    Rstp,
    Mstp,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Stp => "stp",
            Self::Rstp => "rstp",
            Self::Mstp => "mstp",
        }
    }
}

/// A bridge's priority: a number, or hexadecimal as list_bridges shows it.
#[derive(Debug, Clone, Copy)]
struct Priority(u32);

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(u32),
            Text(String),
        }
        let bad = || de::Error::custom("0–61440 in steps of 4096, such as 32768 or `0x8000`");
        let number = match Given::deserialize(deserializer).map_err(|_| bad())? {
            Given::Number(number) => Some(number),
            Given::Text(text) => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
        };
        number.filter(|number| change::is_priority(*number)).map(Self).ok_or_else(bad)
    }
}

impl JsonSchema for Priority {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Priority".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "description": "0–61440 in steps of 4096, or `0x8000`." })
    }
}

impl Settings {
    fn wish(&self) -> Wish {
        Wish {
            protocol_mode: self.protocol_mode.map(|mode| mode.word().to_owned()),
            stp: self.stp,
            vlan_filtering: self.vlan_filtering,
            priority: self.priority.map(|priority| priority.0),
            ageing_time_s: self.ageing_time.map(|seconds| seconds.0),
            forward_delay_s: self.forward_delay.map(|seconds| seconds.0),
            max_message_age_s: self.max_message_age.map(|seconds| seconds.0),
        }
    }
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanModifyBridgeSettings;

impl Tool for PlanModifyBridgeSettings {
    const SPEC: Spec = Spec::plan(
        "plan_modify_bridge_settings",
        "Plan a change of a bridge",
        "Plans a change of a bridge's spanning tree, VLAN filtering or ageing on each device. What is not given stays. A person approves; apply_bridge_plan starts it.",
        &Topic::BRIDGE,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &reading::with::<1, 10>(change::MODIFY);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        propose(cx, &devices, "change a bridge", |cx, device| {
            let (wish, bridge) = (params.bridge_settings.wish(), params.bridge_name.0.clone());
            async move {
                let environment = device.settings.environment;
                wish.check(&bridge, environment)?;
                let lan = reading::lan(cx, &device).await?;
                Ok(change::modify(&lan, &bridge, &wish, environment)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
