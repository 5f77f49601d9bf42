//! Everything that is known about a device.

use std::collections::BTreeMap;

use events::{
    device::{DeviceSettings, DeviceStatus, Identification, Purpose, Trust},
    ids::{DeviceId, JobId, Moment},
    sample::HealthSample,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    #[serde(flatten)]
    settings: DeviceSettings,
    status: DeviceStatus,
    status_reason: String,
    status_since: Moment,
    trust: Trust,
    /// The key it showed instead, while in quarantine.
    quarantined: Option<String>,
    /// Router users by purpose.
    logins: BTreeMap<Purpose, String>,
    identification: Identification,
    newest_sample: Option<HealthSample>,
    held_by: Option<JobId>,
    added_at: Moment,
}

pub struct DeviceShow;

impl Tool for DeviceShow {
    const SPEC: Spec = Spec::operator(
        "device_show",
        "Show a device",
        "Everything known about a router.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = OneDevice;
    type Answer = Answer;

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let (newest_sample, held_by) = cx.view(|views| {
            let id = &device.device_id;
            (views.health.newest.get(id).cloned(), views.state.leases.get(id).copied())
        });
        Ok(Answer {
            device_id: device.device_id,
            settings: device.settings,
            status: device.status,
            status_reason: device.status_reason,
            status_since: device.status_since,
            trust: device.trust,
            quarantined: device.quarantined,
            logins: device.credentials.into_iter().map(|(purpose, (_, user))| (purpose, user)).collect(),
            identification: device.identification,
            newest_sample,
            held_by,
            added_at: device.added_at,
        })
    }
}
