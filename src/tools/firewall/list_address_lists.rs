//! Lists the members of a router's address lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::address_list::AddressListEntry, text::Untrusted},
    tools::{
        context::Cx,
        listing::{End, Limit, window},
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// One list; default all.
    list_name: Option<Text<1, 128>>,
    #[serde(default)]
    limit: Limit<100, 1000>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    list_name: Untrusted,
    address: Untrusted,
    comment: Untrusted,
    /// Seconds left; null stays.
    timeout: Option<u64>,
    dynamic: bool,
    disabled: bool,
    /// In the router's own time.
    creation_time: Option<Untrusted>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    address_lists: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListFirewallAddressLists;

impl Tool for ListFirewallAddressLists {
    const SPEC: Spec = Spec::read(
        "list_firewall_address_lists",
        "List address lists",
        "Entries of firewall address lists, of all lists or of one.",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::count::<AddressListEntry>(), Endpoint::print::<AddressListEntry>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let window = window(params.limit.0, params.cursor.as_deref())?;
        let device = cx.device(&params.device_id)?;
        let filter = params.list_name.as_ref().map(|Text(name)| ("list", name.as_str()));
        let router = cx.router(&device.device_id);
        let all = router.counted::<AddressListEntry>(filter, "name one list with `list_name`").await?;
        let (address_lists, end) = window.cut(all, |entry| Listed {
            id: entry.id,
            list_name: entry.list,
            address: entry.address,
            comment: entry.comment,
            timeout: entry.timeout_s,
            dynamic: entry.dynamic,
            disabled: entry.disabled,
            creation_time: entry.creation_time,
        });
        Ok(Answer { address_lists, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} entries", answer.address_lists.len(), answer.end.total_count)
    }
}
