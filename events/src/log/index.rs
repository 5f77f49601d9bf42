//! Keys of the look-up tables: what an event is about, then its Seq, so that one range is one history.
//!
//! `kind u8 | length u16 big-endian | name | Seq u64 big-endian`; the length keeps `r1` apart from `r10`.

use crate::{
    event::Subjects,
    frame::ACTOR_TEXT_BYTES_MAX,
    ids::{DeviceId, JobId, PlanId, Seq},
};

/// Whose history is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The whole ledger.
    Everything,
    /// One device.
    Device(DeviceId),
    /// One plan.
    Plan(PlanId),
    /// One job.
    Job(JobId),
    /// What one actor did, by the actor's stable name.
    Actor(String),
}

const DEVICE: u8 = 1;
const PLAN: u8 = 2;
const JOB: u8 = 3;
const ACTOR: u8 = 4;

fn prefix(kind: u8, name: &[u8]) -> Vec<u8> {
    // Names are bounded where they are written; a longer one in a question finds nothing either way.
    let name = &name[..name.len().min(ACTOR_TEXT_BYTES_MAX + 1)];
    let len = u16::try_from(name.len()).expect("cut above");
    let mut key = Vec::with_capacity(3 + name.len() + 8);
    key.push(kind);
    key.extend_from_slice(&len.to_be_bytes());
    key.extend_from_slice(name);
    key
}

impl About {
    /// What all keys of this history begin with; `None` for everything, which needs no index.
    pub(crate) fn prefix(&self) -> Option<Vec<u8>> {
        match self {
            Self::Everything => None,
            Self::Device(id) => Some(prefix(DEVICE, id.as_str().as_bytes())),
            Self::Plan(id) => Some(prefix(PLAN, &id.to_u128().to_be_bytes())),
            Self::Job(id) => Some(prefix(JOB, &id.to_u128().to_be_bytes())),
            Self::Actor(name) => Some(prefix(ACTOR, name.as_bytes())),
        }
    }
}

/// The key of one entry.
pub(crate) fn key(mut prefix: Vec<u8>, seq: Seq) -> Vec<u8> {
    prefix.extend_from_slice(&seq.0.to_be_bytes());
    prefix
}

/// The Seq at the end of a key.
pub(crate) fn seq_of(key: &[u8]) -> Option<Seq> {
    key.last_chunk().map(|bytes| Seq(u64::from_be_bytes(*bytes)))
}

/// All keys of one event. A device that is named twice has one.
pub(crate) fn keys(seq: Seq, actor: &str, subjects: &Subjects) -> impl Iterator<Item = Vec<u8>> {
    let devices = subjects.devices.iter().map(|id| prefix(DEVICE, id.as_str().as_bytes()));
    let plan = subjects.plan.iter().map(|id| prefix(PLAN, &id.to_u128().to_be_bytes()));
    let job = subjects.job.iter().map(|id| prefix(JOB, &id.to_u128().to_be_bytes()));
    let actor = std::iter::once(prefix(ACTOR, actor.as_bytes()));
    devices.chain(plan).chain(job).chain(actor).map(move |prefix| key(prefix, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_history_is_one_range_in_order() {
        let of = |id: &str, seq| key(About::Device(id.parse().unwrap()).prefix().unwrap(), Seq(seq));
        let mut keys = vec![of("r10", 1), of("r1", 300), of("r1", 2), of("r2", 1)];
        keys.sort();
        assert_eq!(keys, [of("r1", 2), of("r1", 300), of("r2", 1), of("r10", 1)]);
        assert_eq!(seq_of(&of("r1", 300)), Some(Seq(300)));
    }
}
