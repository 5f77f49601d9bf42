//! Rows of the look-up table: what events are about, the Seq of the first, and how far on each next one is, so that one
//! range of rows is one history.
//!
//! A key is `kind u8 | length u16 big-endian | name | Seq u64 big-endian`; the length keeps `r1` apart from `r10`. A value
//! is the distance of each further Seq to the one before it, as LEB128. A flush writes one row for each subject: one row
//! an event would cost more than the events themselves when many come at once.

use std::collections::BTreeMap;

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
fn seq_of(key: &[u8]) -> Option<Seq> {
    key.last_chunk().map(|bytes| Seq(u64::from_be_bytes(*bytes)))
}

/// What one event is about, each subject once.
fn prefixes(actor: &str, subjects: &Subjects) -> impl Iterator<Item = Vec<u8>> {
    let devices = subjects.devices.iter().map(|id| prefix(DEVICE, id.as_str().as_bytes()));
    let plan = subjects.plan.iter().map(|id| prefix(PLAN, &id.to_u128().to_be_bytes()));
    let job = subjects.job.iter().map(|id| prefix(JOB, &id.to_u128().to_be_bytes()));
    devices.chain(plan).chain(job).chain(std::iter::once(prefix(ACTOR, actor.as_bytes())))
}

/// Histories that are not in the look-up table yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histories {
    by_subject: BTreeMap<Vec<u8>, Vec<Seq>>,
    entries: usize,
}

impl Histories {
    /// Adds an event, which is newer than all before it.
    pub(crate) fn add(&mut self, seq: Seq, actor: &str, subjects: &Subjects) {
        for prefix in prefixes(actor, subjects) {
            let seqs = self.by_subject.entry(prefix).or_default();
            // A device that is named twice has one entry.
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
                self.entries += 1;
            }
        }
    }

    /// Takes in what is newer.
    pub(crate) fn absorb(&mut self, newer: Self) {
        self.entries += newer.entries;
        for (subject, seqs) in newer.by_subject {
            self.by_subject.entry(subject).or_default().extend(seqs);
        }
    }

    /// Entries held, for all subjects together.
    pub(crate) const fn entries(&self) -> usize {
        self.entries
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Up to `max` Seqs below `before` of one subject, newest first.
    pub(crate) fn newest(&self, prefix: &[u8], before: Seq, max: usize) -> Vec<Seq> {
        let seqs = self.by_subject.get(prefix).map_or(&[][..], Vec::as_slice);
        seqs.iter().rev().filter(|seq| **seq < before).take(max).copied().collect()
    }

    /// The rows of these histories followed by those of `newer`, in the order of their keys.
    pub(crate) fn rows<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + 'a {
        let mut subjects: BTreeMap<&[u8], [&[Seq]; 2]> = BTreeMap::new();
        for (place, histories) in [self, newer].into_iter().enumerate() {
            for (subject, seqs) in &histories.by_subject {
                subjects.entry(subject).or_default()[place] = seqs;
            }
        }
        subjects.into_iter().filter_map(|(subject, [older, newer])| {
            let mut seqs = older.iter().chain(newer);
            let first = *seqs.next()?;
            Some((key(subject.to_vec(), first), distances(first, seqs)))
        })
    }
}

/// A row's value.
fn distances<'a>(first: Seq, rest: impl Iterator<Item = &'a Seq>) -> Vec<u8> {
    let (mut bytes, mut last) = (Vec::new(), first.0);
    for seq in rest {
        let mut distance = seq.0 - last;
        last = seq.0;
        while distance >= 0x80 {
            bytes.push(u8::try_from(distance & 0x7f).expect("seven bits") | 0x80);
            distance >>= 7;
        }
        bytes.push(u8::try_from(distance).expect("seven bits"));
    }
    bytes
}

/// The Seqs of a row, oldest first; `None` when it is no row of this table.
pub(crate) fn seqs_of(key: &[u8], value: &[u8]) -> Option<Vec<Seq>> {
    let first = seq_of(key)?;
    let (mut seqs, mut last) = (vec![first], first.0);
    let (mut distance, mut shift) = (0u64, 0u32);
    for byte in value {
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || (shift == 63 && bits > 1) {
            return None;
        }
        distance |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.checked_add(distance).filter(|_| distance > 0)?;
            seqs.push(Seq(last));
            (distance, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(seqs)
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

    #[test]
    fn rows_give_back_what_went_in() {
        let subjects = Subjects { devices: vec!["r1".parse().unwrap(); 2], ..Subjects::default() };
        let (mut older, mut newer) = (Histories::default(), Histories::default());
        for seq in [1, 2, 130, 16_700] {
            older.add(Seq(seq), "ada", &subjects);
        }
        newer.add(Seq(u64::MAX), "bob", &subjects);
        assert_eq!((older.entries(), newer.entries()), (8, 2), "a device that is named twice counts once");
        let rows: Vec<Vec<Seq>> =
            older.rows(&newer).map(|(key, value)| seqs_of(&key, &value).unwrap()).collect();
        let all = |seqs: &[u64]| seqs.iter().copied().map(Seq).collect::<Vec<_>>();
        let (ada, both) = (all(&[1, 2, 130, 16_700]), all(&[1, 2, 130, 16_700, u64::MAX]));
        assert_eq!(rows, [both.clone(), ada, all(&[u64::MAX])]);
        older.absorb(newer);
        let device = About::Device("r1".parse().unwrap()).prefix().unwrap();
        assert_eq!(older.newest(&device, Seq(200), 2), all(&[130, 2]));
        assert_eq!(older.newest(&device, Seq(u64::MAX), 9).len(), 4);
    }

    #[test]
    fn rows_that_nobody_wrote_are_refused() {
        let key = key(About::Actor("ada".into()).prefix().unwrap(), Seq(7));
        for bad in
            [&[0x80][..], &[0], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert_eq!(seqs_of(&key, bad), None, "{bad:?}");
        }
        assert_eq!(seqs_of(&[1, 2], &[]), None);
        assert_eq!(seqs_of(&key, &[1]), Some(vec![Seq(7), Seq(8)]));
    }
}
