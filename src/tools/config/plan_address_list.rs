//! Plans the same members of an address list on many routers.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{Proposal, address_list_sync as change},
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        resources::{address_list::AddressListEntry, firewall_filter::FilterRule},
    },
    tools::{
        asking::RECORDS_MAX,
        config::address_list::{Entry, Mode, members},
        context::{Cx, Router},
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{PlanAnswer, WAY, propose_with},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment; the first one goes alone.
    device_ids: List<DeviceRef, 2, 50>,
    /// Begins with `mcp-`.
    list_name: Text<1, 64>,
    /// What the list must have; a plan holds 2000 changes of all devices together.
    entries: List<Entry, 0, 1000>,
    /// `merge` leaves other members, `exact` removes those without a timeout.
    #[serde(default)]
    mode: Mode,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

/// The list of one device, now and as planned.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sizes {
    /// Members now.
    current_entries: usize,
    /// Requests that are needed.
    proposed_changes: usize,
}

pub struct ConfigPlanAddressListSync;

impl Tool for ConfigPlanAddressListSync {
    const SPEC: Spec = Spec::plan(
        "config_plan_address_list_sync",
        "Plan an address list sync",
        "Plans the same members of a firewall address list on many routers, batch after batch. A person approves; config_apply_address_list_sync starts it.",
        &Topic::ADDRESS_LIST,
    );
    type Params = Params;
    type Answer = PlanAnswer<Sizes>;
    const USES: &'static [Endpoint] = &[
        Endpoint::count::<AddressListEntry>(),
        Endpoint::print::<AddressListEntry>(),
        Endpoint::print::<FilterRule>(),
        WAY[0],
        WAY[1],
        change::ENDPOINTS[0],
        change::ENDPOINTS[1],
        change::ENDPOINTS[2],
    ];

    async fn run(cx: &Cx, params: Params) -> Result<Self::Answer, Failure> {
        let Params { device_ids, list_name: Text(list_name), entries: List(entries), mode } = params;
        if entries.is_empty() && mode == Mode::Merge {
            return Err(Failure::param("entries", "none: merging nothing changes nothing")
                .hint("mode `exact` without entries empties the list"));
        }
        let members = Arc::new(members(&list_name, entries)?);
        propose_with(cx, &device_ids.0, "sync an address list", |cx, device| {
            let (members, list_name) = (Arc::clone(&members), list_name.clone());
            async move {
                let router = cx.router(&device.device_id);
                let rows = list(&router, &list_name).await?;
                let rules = router.rows::<FilterRule>(&[]).await?;
                let way = router.way(&device).await?;
                let exact = mode == Mode::Exact;
                let proposal: Proposal = change::sync(&rows, &rules, &list_name, &members, exact, &way)?;
                let sizes =
                    Sizes { current_entries: rows.len(), proposed_changes: proposal.operations.len() };
                Ok((proposal, sizes))
            }
        })
        .await
    }

    fn say(answer: &Self::Answer) -> String {
        answer.say()
    }
}

/// The members of a list, counted before they are read.
async fn list(router: &Router<'_>, name: &str) -> Result<Vec<crate::routeros::port::Row>, Failure> {
    let count = router.count::<AddressListEntry>(Some(&format!("list={name}"))).await?;
    if count > RECORDS_MAX {
        return Err(Failure::new(
            Code::TooManyRecords,
            format!("this list has {count} members on this router; at most {RECORDS_MAX} are compared"),
        )
        .hint("sync a list of your own that rules use besides this one")
        .details(serde_json::json!({ "records": count, "limit": RECORDS_MAX })));
    }
    router.rows::<AddressListEntry>(&[("list", name)]).await
}
