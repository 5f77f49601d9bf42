//! Adds an address to an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{self, record::id_of},
    failure::Failure,
    routeros::{compat::Endpoint, resources::ip_address::IpAddress, text::Untrusted},
    tools::{
        change::Outcome,
        context::Cx,
        params::{DeviceRef, Text},
        route::around::{AROUND, Around},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
    /// With its prefix length, such as 192.0.2.5/24.
    address: Text<1, 64>,
    /// Name of the interface.
    interface: Text<1, 64>,
    #[serde(default)]
    comment: Text<0, 255>,
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
    address: String,
    interface: String,
    comment: String,
    /// RouterOS's id of the address, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    address_id: Option<Untrusted>,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct AddSecondaryIpAddress;

impl Tool for AddSecondaryIpAddress {
    const SPEC: Spec = Spec::write(
        "add_secondary_ip_address",
        "Add an IP address",
        "Adds an IPv4 address to an interface at once where policy allows it, else returns a plan for a person to approve. Refuses overlaps on the interface and what would cut our own way.",
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<IpAddress>(),
        AROUND[0],
        AROUND[1],
        changes::ip_address::ADD[0],
        changes::ip_address::ADD[1],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let around = Around::read(&router, &device, &[]).await?;
        let (way, rows, routes) = around.parts();
        let (address, interface, comment) = (params.address.0, params.interface.0, params.comment.0);
        let operation = changes::ip_address::add(rows, routes, &address, &interface, &comment, way)?;
        let there = operation.is_none();
        let risk = changes::risk(false, device.settings.environment);
        let operations = Vec::from_iter(operation);
        let outcome = Outcome::of(cx, &device, "add an IP address", risk, operations, params.dry_run).await?;
        let address_id = if outcome.changed || there {
            let now = router.rows::<IpAddress>(&[("address", &address)]).await?;
            let on_it = now.iter().find(|row| row.get("interface").is_some_and(|name| *name == interface));
            on_it.map(|row| Untrusted::new(id_of(row)))
        } else {
            None
        };
        Ok(Answer { address, interface, comment, address_id, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
