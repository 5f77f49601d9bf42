//! Registers a device.

use std::{collections::BTreeMap, net::IpAddr};

use events::{
    device::{Capability, DeviceSettings, Environment},
    ids::DeviceId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::{self, Command, Rules},
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Slug, for ever.
    device_id: DeviceId,
    /// Unique name for people; default the id.
    name: Option<Text<1, 64>>,
    /// IPv4 or IPv6 address.
    management_ip: IpAddr,
    /// Default 443, or 80 with plain http.
    management_port: Option<u16>,
    environment: Environment,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// What is allowed beyond reading.
    #[serde(default)]
    allow: Vec<Capability>,
    #[serde(default)]
    critical: bool,
    /// How it is recognised; absent: nobody has confirmed it yet, and no login is sent.
    trust: Option<TrustParams>,
    /// The router user that reads.
    username: Option<String>,
    password: Option<Secret>,
    /// The router user that writes; default the one that reads.
    write_username: Option<String>,
    write_password: Option<Secret>,
    /// Only say whether it would be added.
    #[serde(default)]
    dry_run: bool,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    /// Nothing was added.
    dry_run: bool,
}

pub struct DeviceAdd;

impl Tool for DeviceAdd {
    const SPEC: Spec =
        Spec::operator("device_add", "Add a device", "Registers a router.", Kind::Write, ADMIN)
            .secrets(SECRETS);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let Params { device_id, .. } = &params;
        let device_id = device_id.clone();
        let trust = params.trust.map(TrustParams::rule).transpose()?;
        let plain = trust == Some(events::device::Trust::PlainHttp);
        let mut allow = params.allow;
        allow.sort();
        allow.dedup();
        let settings = DeviceSettings {
            name: params.name.map_or_else(|| device_id.to_string(), |name| name.0),
            management_ip: params.management_ip,
            management_port: params.management_port.unwrap_or(if plain { 80 } else { 443 }),
            environment: params.environment,
            tags: params.tags,
            capabilities: allow,
            critical: params.critical,
        };
        cx.prober()
            .may_live_at(settings.management_ip)
            .map_err(|why| Failure::param("management_ip", why))?;
        cx.principal().may_register(&device_id, settings.environment, &settings.tags)?;
        let given = given(params.username, params.password, params.write_username, params.write_password);
        let (logins, side) = seal_all(cx, &device_id, &BTreeMap::new(), given)?;
        let command = Command::AddDevice { device_id: device_id.clone(), settings, trust, logins };
        if params.dry_run {
            let actor = &cx.principal().actor;
            cx.view(|views| domain::decide(&views.state, &Rules::default(), actor, command, cx.now()))?;
            return Ok(Answer { device_id, dry_run: true });
        }
        cx.submit_with(command, side).await?;
        Ok(Answer { device_id, dry_run: false })
    }

    fn say(answer: &Answer) -> String {
        format!("{} {}", answer.device_id, if answer.dry_run { "would be added" } else { "added" })
    }
}
