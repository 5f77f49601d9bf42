//! Evidence of one plan: a file that proves itself on a machine without the store, and that no true proof can dress up.
//!
//! [`compose`] makes it from proven events; [`verify`] checks one: proofs, story, and that the readable part is what the
//! events say. The form is written down in `docs/evidence.md`.

#[cfg(test)]
mod fuzz_tests;
mod judge;
mod readable;
mod select;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;

use events::{
    checkpoint::Verifier,
    evidence::{Bundle, Complaint, Item, Proven},
    ids::{Moment, PlanId, Seq, StoreId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::readable::AsOf;
pub use self::{readable::Readable, select::Selection};
use crate::{
    domain::plan::{PlanStatus, hex},
    strict_json::Strict,
};

/// The name of the form.
pub const FORMAT: &str = "appliance-evidence/1";
/// The largest file that is read: [`EVENTS_MAX`] events of 2.5 kB with their proofs, and a plan of 16 MiB told twice.
pub const EVIDENCE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most events of one plan that evidence is made of: 25,000 steps. More is what exports are for.
pub const EVENTS_MAX: usize = 50_000;
/// Complaints that a verdict lists; more are only counted.
const COMPLAINTS_LISTED_MAX: usize = 100;

/// Evidence of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// `appliance-evidence/1`.
    format: &'static str,
    /// The store that it comes from.
    store_id: StoreId,
    /// The plan.
    plan_id: PlanId,
    /// What people read; recomputed from `events` by whoever verifies.
    readable: Readable,
    /// The signed checkpoint, line by line.
    checkpoint: Vec<String>,
    /// The store's first event, then every event of the plan, each with its proof.
    events: Vec<Item>,
}

/// A file as read: nothing of it is believed yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claimed {
    #[serde(rename = "format")]
    _format: String,
    store_id: StoreId,
    plan_id: PlanId,
    readable: Value,
    checkpoint: Vec<String>,
    events: Vec<Item>,
}

/// Why a file is no evidence at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Larger than any evidence.
    #[error("it has more than {EVIDENCE_BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON, or JSON with a name twice in one object.
    #[error("it is not JSON that can be trusted to be read: {0}")]
    Json(String),
    /// JSON of another form.
    #[error("its `format` is not `{FORMAT}`")]
    Format,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Nothing is wrong, as far as was checked.
    pub good: bool,
    /// The verdict in a few words.
    pub verdict: &'static str,
    /// True when a key was given and it signed the checkpoint.
    pub signer_checked: bool,
    /// The plan.
    pub plan_id: Option<PlanId>,
    /// The store that it comes from.
    pub store_id: Option<StoreId>,
    /// What the plan is for.
    pub summary: Option<String>,
    /// The hash that was approved.
    pub plan_hash: Option<String>,
    /// Where the plan stood at the checkpoint.
    pub status: Option<PlanStatus>,
    /// Events of the plan.
    pub events: usize,
    /// When the checkpoint was signed.
    pub checkpoint_at: Option<Moment>,
    /// The newest event then.
    pub checkpoint_seq: Option<Seq>,
    /// The root that all proofs lead to (64 hex digits).
    pub root: Option<String>,
    /// What a reader should know besides, and what could not be compared.
    pub notes: Vec<String>,
    /// What is wrong.
    pub complaints: Vec<Complaint>,
    /// All that is wrong.
    pub complaints_total: usize,
}

/// Evidence from events with proofs, ready to be written. A story that is not sound is told all the same: verifying says
/// what is wrong with it.
///
/// # Errors
/// What is wrong with the proofs, or that the plan is not there.
pub fn compose(plan_id: PlanId, bundle: Bundle) -> Result<Evidence, Vec<Complaint>> {
    let proven = bundle.prove(None)?;
    let readable = told(plan_id, &proven)?;
    let Bundle { checkpoint, events } = bundle;
    Ok(Evidence { format: FORMAT, store_id: proven.store_id, plan_id, readable, checkpoint, events })
}

/// The story that proven events tell.
fn told(plan_id: PlanId, proven: &Proven) -> Result<Readable, Vec<Complaint>> {
    let (origin, proposed) = judge::proposal(plan_id, proven).map_err(|complaint| vec![complaint])?;
    let checkpoint = &proven.note.checkpoint;
    let as_of = AsOf { at: checkpoint.at, seq: checkpoint.seq, leaves: checkpoint.leaves };
    Ok(readable::readable(proposed, origin, &proven.envelopes, as_of))
}

/// Checks a file.
///
/// # Errors
/// When it is no evidence at all. What is wrong with evidence is told by the verdict.
pub fn verify(bytes: &[u8], key: Option<&Verifier>) -> Result<Verdict, Unreadable> {
    if bytes.len() as u64 > EVIDENCE_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| Unreadable::Json(error.to_string()))?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(Unreadable::Format);
    }
    let mut verdict = Verdict {
        good: false,
        verdict: "NOT what the log says",
        signer_checked: false,
        plan_id: None,
        store_id: None,
        summary: None,
        plan_hash: None,
        status: None,
        events: 0,
        checkpoint_at: None,
        checkpoint_seq: None,
        root: None,
        notes: Vec::new(),
        complaints: Vec::new(),
        complaints_total: 0,
    };
    match checked(value, key, &mut verdict) {
        Ok(()) => {
            verdict.good = true;
            verdict.signer_checked = key.is_some();
            verdict.verdict = match key {
                Some(_) => "content consistent, signer checked",
                None => "content consistent, signer unchecked",
            };
        }
        Err(mut complaints) => {
            if complaints.iter().any(|complaint| complaint.check == "signature") && key.is_some() {
                verdict.verdict = "NOT signed by the given key";
            }
            verdict.complaints_total = complaints.len();
            complaints.truncate(COMPLAINTS_LISTED_MAX);
            verdict.complaints = complaints;
        }
    }
    Ok(verdict)
}

fn checked(value: Value, key: Option<&Verifier>, verdict: &mut Verdict) -> Result<(), Vec<Complaint>> {
    let claimed: Claimed = serde_path_to_error::deserialize(value)
        .map_err(|error| vec![Complaint::of("form", format!("{}: {}", error.path(), error.inner()))])?;
    let Claimed { _format, store_id, plan_id, readable, checkpoint, events } = claimed;
    verdict.plan_id = Some(plan_id);
    verdict.events = events.len().saturating_sub(1);
    let proven = Bundle { checkpoint, events }.prove(key)?;
    let note = &proven.note.checkpoint;
    verdict.store_id = Some(proven.store_id);
    (verdict.checkpoint_at, verdict.checkpoint_seq) = (Some(note.at), Some(note.seq));
    verdict.root = Some(hex(&note.root));
    let told = told(plan_id, &proven)?;
    let judge::Findings { mut complaints, notes } = judge::judge(plan_id, &proven);
    if store_id != proven.store_id {
        complaints.push(Complaint::of("form", "`store_id` is that of another store"));
    }
    let said =
        serde_json::to_value(&told).map_err(|error| vec![Complaint::of("readable", error.to_string())])?;
    if let Some(place) = difference(&readable, &said, "readable".to_owned()) {
        complaints.push(Complaint::of("readable", format!("`{place}` says something else than the events")));
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    verdict.summary = Some(told.summary().to_owned());
    verdict.plan_hash = Some(told.plan_hash().to_owned());
    verdict.status = Some(told.status());
    verdict.notes = notes;
    Ok(())
}

/// The first place where two values differ.
fn difference(claimed: &Value, true_one: &Value, at: String) -> Option<String> {
    match (claimed, true_one) {
        (Value::Object(claimed), Value::Object(true_one)) => {
            let more = claimed.keys().find(|name| !true_one.contains_key(*name));
            if let Some(more) = more {
                return Some(format!("{at}.{}", crate::routeros::text::clean(more)));
            }
            true_one.iter().find_map(|(name, value)| {
                let at = format!("{at}.{name}");
                match claimed.get(name) {
                    Some(claimed) => difference(claimed, value, at),
                    None => Some(at),
                }
            })
        }
        (Value::Array(claimed), Value::Array(true_one)) => {
            let differs = (0..).zip(claimed.iter().zip(true_one));
            let inner = |(n, (a, b)): (usize, _)| difference(a, b, format!("{at}[{n}]"));
            let found = differs.map(inner).find_map(|found| found);
            found.or_else(|| (claimed.len() != true_one.len()).then_some(at))
        }
        _ => (claimed != true_one).then_some(at),
    }
}
