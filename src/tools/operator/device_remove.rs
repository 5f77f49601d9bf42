//! Takes a device out, its logins with it. Its history stays.

use events::ids::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::Failure,
    tools::{
        context::Cx,
        operator::ADMIN,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    device_id: DeviceRef,
    /// Why.
    reason: Text<1, 256>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
}

pub struct DeviceRemove;

impl Tool for DeviceRemove {
    const SPEC: Spec = Spec::operator(
        "device_remove",
        "Remove a device",
        "Takes a router and its logins out.",
        Kind::Write,
        ADMIN,
    )
    .destructive();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let device_id = device.device_id;
        let command = Command::RemoveDevice { device_id: device_id.clone(), reason: params.reason.0 };
        cx.submit(command).await?;
        Ok(Answer { device_id })
    }
}
