//! Adds or removes a member of an address list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{self, address_list as change},
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{address_list::AddressListEntry, firewall_filter::FilterRule},
    },
    tools::{
        change::Outcome,
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
        topic::WAY,
    },
};

/// What is done with the member.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Action {
    #[default]
    Add,
    Remove,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
    /// Begins with `mcp-`.
    list_name: Text<1, 64>,
    /// IPv4 address, network, range, or host name.
    address: Text<1, 253>,
    #[serde(default)]
    action: Action,
    #[serde(default)]
    comment: Text<0, 255>,
    /// `1d12h`; empty stays for good.
    #[serde(default)]
    timeout: Text<0, 32>,
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
    list_name: String,
    address: String,
    action: Action,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct UpdateFirewallAddressList;

impl Tool for UpdateFirewallAddressList {
    const SPEC: Spec = Spec::write(
        "update_firewall_address_list",
        "Update an address list",
        "Adds or removes a member of a firewall address list whose name begins with mcp-, at once where policy allows it, else returns a plan for a person to approve.",
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<AddressListEntry>(),
        Endpoint::print::<FilterRule>(),
        WAY[0],
        WAY[1],
        change::ADD[0],
        change::ADD[1],
        change::REMOVE[0],
        change::REMOVE[1],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let list_name = params.list_name.0;
        let address = change::spelled(&list_name, &params.address.0)?;
        let rows = router.rows::<AddressListEntry>(&[("list", &list_name), ("address", &address)]).await?;
        let rules = router.rows::<FilterRule>(&[]).await?;
        let way = router.way(&device).await?;
        let member = (list_name.as_str(), address.as_str());
        let operation = match params.action {
            Action::Add => change::add(&rows, &rules, member, &params.comment.0, &params.timeout.0, &way)?,
            Action::Remove => change::remove(&rows, &rules, member, &way)?,
        };
        let risk = changes::risk(false, device.settings.environment);
        let operations = Vec::from_iter(operation);
        let outcome =
            Outcome::of(cx, &device, "update an address list", risk, operations, params.dry_run).await?;
        Ok(Answer { list_name, address, action: params.action, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
