//! Confirms how a device is recognised; this also ends a quarantine.

use events::{device::Trust, ids::DeviceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::Failure,
    tools::{
        context::Cx,
        operator::{ADMIN, login::TrustParams},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    device_id: DeviceRef,
    trust: TrustParams,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    trust: Trust,
}

pub struct DeviceTrust;

impl Tool for DeviceTrust {
    const SPEC: Spec =
        Spec::operator("device_trust", "Trust a device", "Confirms a router's key.", Kind::Write, ADMIN)
            .idempotent();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device_id = cx.device(&params.device_id)?.device_id;
        let trust = params.trust.rule()?;
        cx.submit(Command::TrustDevice { device_id: device_id.clone(), trust: trust.clone() }).await?;
        Ok(Answer { device_id, trust })
    }
}
