//! Lists the devices that the caller may see.

use std::collections::BTreeMap;

use events::{
    device::{Capability, DeviceStatus, Environment},
    ids::DeviceId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::device::Device,
    failure::Failure,
    routeros::text::Untrusted,
    tools::{
        context::Cx,
        page,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Only this environment.
    environment: Option<Environment>,
    /// Only devices with all these tags.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// 1–1000, default 100.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

/// A device as listed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: DeviceId,
    name: String,
    management_ip: String,
    management_port: u16,
    environment: Environment,
    status: DeviceStatus,
    /// Empty until first contact.
    routeros_version: Untrusted,
    hardware_model: Untrusted,
    tags: BTreeMap<String, String>,
    allow_advanced_writes: bool,
    allow_professional_workflows: bool,
}

impl From<&Device> for Listed {
    fn from(device: &Device) -> Self {
        let settings = &device.settings;
        let allows = |capability| settings.capabilities.contains(&capability);
        Self {
            id: device.device_id.clone(),
            name: settings.name.clone(),
            management_ip: settings.management_ip.to_string(),
            management_port: settings.management_port,
            environment: settings.environment,
            status: device.status,
            routeros_version: Untrusted::new(&device.identification.routeros_version),
            hardware_model: Untrusted::new(&device.identification.hardware_model),
            tags: settings.tags.clone(),
            allow_advanced_writes: allows(Capability::AdvancedWrites),
            allow_professional_workflows: allows(Capability::ProfessionalWorkflows),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    devices: Vec<Listed>,
    total_count: usize,
    next_cursor: Option<String>,
}

pub struct ListDevices;

impl Tool for ListDevices {
    const SPEC: Spec = Spec::read(
        "list_devices",
        "List devices",
        "The routers you may see, with environment, status, version and what they allow. Filter by environment and tags.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 100, 1000)?;
        let from = page::place(params.cursor.as_deref())?;
        let wanted = |device: &Device| {
            params.environment.is_none_or(|wanted| wanted == device.settings.environment)
                && params.tags.iter().all(|(key, value)| device.settings.tags.get(key) == Some(value))
                && cx.principal().sees(device)
        };
        let found: Vec<Listed> = cx.view(|views| {
            views.state.devices.values().filter(|device| wanted(device)).map(Listed::from).collect()
        });
        let page = page::cut(found, from, limit);
        Ok(Answer { devices: page.rows, total_count: page.total, next_cursor: page.next_cursor })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} devices", answer.devices.len(), answer.total_count)
    }
}
