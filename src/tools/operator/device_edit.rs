//! Changes what is said about a device, or its logins.

use std::{collections::BTreeMap, net::IpAddr};

use events::{
    device::{Capability, Environment},
    ids::DeviceId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::{Command, Seen},
    failure::Failure,
    tools::{
        context::Cx,
        operator::{
            ADMIN,
            login::{SECRETS, Secret, TrustParams, given, seal_all},
        },
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

/// What is absent stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    device_id: DeviceRef,
    name: Option<Text<1, 64>>,
    management_ip: Option<IpAddr>,
    management_port: Option<u16>,
    environment: Option<Environment>,
    /// Replaces all tags.
    tags: Option<BTreeMap<String, String>>,
    /// Replaces everything that is allowed beyond reading.
    allow: Option<Vec<Capability>>,
    critical: Option<bool>,
    trust: Option<TrustParams>,
    username: Option<String>,
    password: Option<Secret>,
    write_username: Option<String>,
    write_password: Option<Secret>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    changed: bool,
}

pub struct DeviceEdit;

impl Tool for DeviceEdit {
    const SPEC: Spec = Spec::operator(
        "device_edit",
        "Edit a device",
        "Changes a router's settings, trust or logins.",
        Kind::Write,
        ADMIN,
    )
    .secrets(SECRETS);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let device_id = device.device_id.clone();
        let trust = params.trust.map(TrustParams::rule).transpose()?;
        let seen = Box::new(Seen::from(&device));
        let mut settings = device.settings;
        if let Some(name) = params.name {
            settings.name = name.0;
        }
        if let Some(mut allow) = params.allow {
            allow.sort();
            allow.dedup();
            settings.capabilities = allow;
        }
        if let Some(ip) = params.management_ip {
            cx.prober().may_live_at(ip).map_err(|why| Failure::param("management_ip", why))?;
            settings.management_ip = ip;
        }
        settings.management_port = params.management_port.unwrap_or(settings.management_port);
        settings.environment = params.environment.unwrap_or(settings.environment);
        settings.tags = params.tags.unwrap_or(settings.tags);
        settings.critical = params.critical.unwrap_or(settings.critical);
        cx.principal().may_register(&device_id, settings.environment, &settings.tags)?;
        let given = given(params.username, params.password, params.write_username, params.write_password);
        let (logins, side) = seal_all(cx, &device_id, &device.credentials, given)?;
        let command = Command::EditDevice { device_id: device_id.clone(), seen, settings, trust, logins };
        let changed = !cx.submit_with(command, side).await?.envelopes.is_empty();
        Ok(Answer { device_id, changed })
    }

    fn say(answer: &Answer) -> String {
        format!("{} {}", answer.device_id, if answer.changed { "changed" } else { "was so already" })
    }
}
