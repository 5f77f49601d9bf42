//! The appliance as its operators need to see it: store, head, digest, key.

use std::collections::BTreeMap;

use events::ids::StoreId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::Kind,
    domain::plan::hex,
    engine::{Digest, Storage},
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        params::Nothing,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    version: &'static str,
    store_id: Option<StoreId>,
    /// `ready`, or why nothing can be written.
    storage: String,
    head_seq: u64,
    /// Events of the ledger: leaves of its Merkle tree.
    leaves: u64,
    merkle_root: String,
    /// Digest of the decision state, with its place.
    digest: Digest,
    /// For `verify --key`.
    verifier_key: String,
    newest_checkpoint: Option<String>,
    devices: BTreeMap<&'static str, usize>,
    plans_waiting: usize,
    jobs_open: usize,
    tokens: usize,
}

pub struct SystemStatus;

impl Tool for SystemStatus {
    const SPEC: Spec = Spec::operator(
        "system_status",
        "Status",
        "Store, log head, state digest, key, counts.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = Nothing;
    type Answer = Answer;

    async fn run(cx: &Cx, _: Nothing) -> Result<Answer, Failure> {
        let storage = match &*cx.engine().storage().borrow() {
            Storage::Ready => "ready".to_owned(),
            Storage::Unavailable { why, since } => format!("unavailable since {since}: {why}"),
            Storage::Stopped => "stopping".to_owned(),
        };
        let head = cx.log().head();
        let digest = cx.engine().digest();
        let newest_checkpoint = cx.log().latest_checkpoint().ok().flatten();
        let at = cx.now();
        Ok(cx.view(|views| {
            let state = &views.state;
            let mut devices = BTreeMap::new();
            for device in state.devices.values() {
                *devices.entry(device.status.as_str()).or_default() += 1;
            }
            let waits = |plan: &&crate::domain::plan::PlanState| {
                plan.status_at(at) == crate::domain::plan::PlanStatus::Pending
            };
            Answer {
                version: cx.policy().version,
                store_id: state.store_id,
                storage,
                head_seq: head.seq.0,
                leaves: head.leaves,
                merkle_root: hex(&head.root),
                digest,
                verifier_key: state.verifier_key.clone(),
                newest_checkpoint,
                devices,
                plans_waiting: state.plans.values().filter(waits).count(),
                jobs_open: state.jobs.values().filter(|job| !job.status.is_over()).count(),
                tokens: state.tokens.len(),
            }
        }))
    }
}
