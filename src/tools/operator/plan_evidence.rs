//! Everything that happened to a plan, with its proofs: one document that verifies without the store.

use std::collections::BTreeMap;

use events::{
    event::{Envelope, Event, Keep},
    evidence::{Bundle, GatherError},
    ids::{PlanId, Seq},
    log::{About, LogReader, ReadError},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    access::principal::Kind,
    failure::{Code, Failure},
    projections::evidence::{self, EVENTS_MAX, Evidence, Selection},
    tools::{
        catalog,
        context::Cx,
        operator::{EVERYBODY, plan_approve::plan_in_sight},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

/// Events fetched at a time.
const FETCH: usize = 500;
/// A call is recorded when it ends, after the fact that it brought: it is looked for among so many events.
const CALLS_WITHIN: u64 = 1000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

pub struct PlanEvidence;

impl Tool for PlanEvidence {
    const SPEC: Spec = Spec::operator(
        "plan_evidence",
        "Evidence of a plan",
        "A plan's events with Merkle proofs and a signed checkpoint: `appliance verify --evidence` checks it anywhere.",
        Kind::Read,
        EVERYBODY,
    )
    .timeout_s(120);
    type Params = Params;
    type Answer = Evidence;

    async fn run(cx: &Cx, params: Params) -> Result<Evidence, Failure> {
        let plan_id = params.plan_id;
        plan_in_sight(cx, plan_id)?;
        let engine = cx.engine();
        let gather = move |log: &LogReader| gathered(log, plan_id);
        let evidence = match engine.read_log(gather).await? {
            Err(Unmade::Unsigned) => {
                engine.sign().await?;
                engine.read_log(gather).await?
            }
            made => made,
        };
        evidence.map_err(|unmade| match unmade {
            Unmade::Unsigned => {
                Failure::new(Code::StorageUnavailable, "no checkpoint speaks of this plan's events yet")
                    .retry_after(std::time::Duration::from_secs(5))
            }
            Unmade::Failed(failure) => *failure,
        })
    }

    fn say(_: &Evidence) -> String {
        "evidence: check it with `appliance verify --evidence FILE`".to_owned()
    }
}

/// Why there is no evidence.
enum Unmade {
    /// The newest checkpoint is older than the plan's newest event.
    Unsigned,
    Failed(Box<Failure>),
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

fn unread(error: ReadError) -> Failure {
    Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error)
}

fn gathered(log: &LogReader, plan_id: PlanId) -> Result<Evidence, Unmade> {
    let seqs = belonging(log, plan_id).map_err(unread)?;
    if seqs.len() > EVENTS_MAX {
        return Err(evidence_too_large(seqs.len()).into());
    }
    let bundle = match Bundle::of_log(log, &seqs) {
        Ok(bundle) => bundle,
        Err(GatherError::Unsigned(_)) => return Err(Unmade::Unsigned),
        Err(GatherError::Read(error)) => return Err(unread(error).into()),
        Err(error) => {
            return Err(Failure::new(Code::LogDamaged, "the log does not prove itself").log(error).into());
        }
    };
    evidence::compose(plan_id, bundle).map_err(|complaints| unproven(&complaints).into())
}

/// More events than one file holds.
pub(crate) fn evidence_too_large(events: usize) -> Failure {
    Failure::new(
        Code::TooManyRecords,
        format!("the plan has {events} events; evidence is made of at most {EVENTS_MAX}"),
    )
    .hint("`appliance events export` writes the whole log, which proves itself")
}

/// The log's own events do not fit their proofs.
pub(crate) fn unproven(complaints: &[events::evidence::Complaint]) -> Failure {
    let why = complaints.first().map(|complaint| complaint.what.clone()).unwrap_or_default();
    Failure::new(Code::LogDamaged, format!("the log does not prove what became of this plan: {why}"))
        .hint("`appliance verify` looks at all of the log")
}

/// Reads are no part of a plan's story.
pub(crate) fn is_read(envelope: &Envelope) -> bool {
    let Event::ToolCalled(call) = &envelope.event else { return false };
    catalog::find(&call.tool).is_some_and(|def| def.spec.demand.kind == Kind::Read)
}

/// The places of a plan's events: by the histories of the plan and its jobs, and the calls near what they brought.
fn belonging(log: &LogReader, plan_id: PlanId) -> Result<Vec<Seq>, ReadError> {
    let mut found = BTreeMap::new();
    history(log, &About::Plan(plan_id), &mut found)?;
    let jobs: Vec<_> = found.values().filter_map(|envelope| envelope.event.subjects().job).collect();
    let anchors: Vec<Seq> = found.keys().copied().collect();
    for job_id in jobs.iter().take(1) {
        history(log, &About::Job(*job_id), &mut found)?;
    }
    calls(log, &anchors, &mut found)?;
    let mut selection = Selection::of(plan_id);
    let ours = found.values().filter(|envelope| selection.takes(envelope) && !is_read(envelope));
    Ok(ours.map(|envelope| envelope.seq).collect())
}

/// Adds a whole history.
fn history(log: &LogReader, about: &About, found: &mut BTreeMap<Seq, Envelope>) -> Result<(), ReadError> {
    let mut before = None;
    loop {
        let page = log.newest(about, before, FETCH)?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.seq);
        found.extend(page.into_iter().map(|envelope| (envelope.seq, envelope)));
    }
}

/// Adds the calls that were recorded after the anchors.
fn calls(log: &LogReader, anchors: &[Seq], found: &mut BTreeMap<Seq, Envelope>) -> Result<(), ReadError> {
    let mut from = Seq(0);
    for anchor in anchors {
        from = from.max(*anchor);
        let until = Seq(anchor.0.saturating_add(CALLS_WITHIN));
        while from <= until {
            let page = log.page(Some(Keep::Ledger), from, FETCH)?;
            let Some(last) = page.last() else { break };
            from = last.seq.next();
            let calls = page.into_iter().filter(|envelope| matches!(envelope.event, Event::ToolCalled(_)));
            found.extend(calls.map(|envelope| (envelope.seq, envelope)));
        }
    }
    Ok(())
}
