//! Removes an address from an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{self, record::id_of},
    failure::Failure,
    routeros::{compat::Endpoint, resources::ip_address::IpAddress, text::Untrusted},
    tools::{
        change::Outcome,
        context::Cx,
        listing::RecordId,
        params::DeviceRef,
        route::around::{AROUND, Around},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
    /// Which address (list_ip_addresses gives ids).
    address_id: RecordId,
    /// Only show what would be done.
    #[serde(default)]
    dry_run: bool,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    address: Untrusted,
    interface: Untrusted,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct RemoveSecondaryIpAddress;

impl Tool for RemoveSecondaryIpAddress {
    const SPEC: Spec = Spec::write(
        "remove_secondary_ip_address",
        "Remove an IP address",
        "Removes an address from its interface at once where policy allows it, else returns a plan for a person to approve. Refuses the network that our own way goes over.",
    )
    .destructive();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<IpAddress>(),
        AROUND[0],
        AROUND[1],
        changes::ip_address::REMOVE[0],
        changes::ip_address::REMOVE[1],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let around = Around::read(&router, &device, &[]).await?;
        let (way, rows, routes) = around.parts();
        let id = &params.address_id.0;
        let operation = changes::ip_address::remove(rows, routes, id, way)?;
        let shown = |name: &str| {
            let row = rows.iter().find(|row| id_of(row) == id);
            Untrusted::new(row.and_then(|row| row.get(name)).map_or("", String::as_str))
        };
        let (address, interface) = (shown("address"), shown("interface"));
        let risk = changes::risk(false, device.settings.environment);
        let operations = vec![operation];
        let outcome =
            Outcome::of(cx, &device, "remove an IP address", risk, operations, params.dry_run).await?;
        Ok(Answer { address, interface, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
