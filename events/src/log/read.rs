//! Looking into the log. Every answer is read in one transaction; nothing is held between answers.

use std::{sync::Arc, time::Duration};

use redb::{ReadTransaction, ReadableTable as _};

use super::{
    Head, ReadError,
    error::Fault,
    index::{self, About},
    proof::{StoredNodes, TreeEdge},
    rows::{self, Merged},
    side::{SideRow, SideTable},
    tables,
    tail::Shared,
};
use crate::{
    event::{Envelope, Keep},
    frame::Frame,
    ids::Seq,
    merkle::{self, Hash},
};

/// How often, and with what pauses, a reader looks again while the log is being reopened: 85 ms in all. Callers with
/// more patience ask again.
const PAUSES_MS: [u64; 4] = [1, 4, 16, 64];

/// Reads a log from any thread. Cheap to clone; sees every committed event, also across reopening.
///
/// Calls may touch the disk and, while the log is being reopened, wait up to 85 ms.
#[derive(Debug, Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

impl LogReader {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The newest state.
    #[must_use]
    pub fn head(&self) -> Head {
        self.shared.head()
    }

    /// Up to `max` events of one keep, or of both in the order of Seq, from `from` on (inclusive).
    ///
    /// # Errors
    /// When the log cannot be read, or an event cannot be understood.
    pub fn page(&self, keep: Option<Keep>, from: Seq, max: usize) -> Result<Vec<Envelope>, ReadError> {
        self.read(|txn| {
            let mut merged = Merged::open(txn, keep, from)?;
            let mut page = Vec::new();
            while page.len() < max {
                match merged.next(|_, frame| envelope(frame))? {
                    Some(envelope) => page.push(envelope?),
                    None => break,
                }
            }
            Ok(page)
        })
    }

    /// One event; `None` when nothing has this Seq (any more).
    ///
    /// # Errors
    /// When the log cannot be read, or the event cannot be understood.
    pub fn get(&self, seq: Seq) -> Result<Option<Envelope>, ReadError> {
        self.read(|txn| get(txn, seq))
    }

    /// Up to `max` events about something, newest first, with Seqs below `before` if given. Samples are left out.
    ///
    /// # Errors
    /// When the log cannot be read, or an event cannot be understood.
    pub fn newest(&self, about: &About, before: Option<Seq>, max: usize) -> Result<Vec<Envelope>, ReadError> {
        let Some(prefix) = about.prefix() else {
            return self.read(|txn| newest_of_all(txn, before, max));
        };
        let before = before.unwrap_or(Seq(u64::MAX));
        let low = index::key(prefix.clone(), tables::BEFORE_ALL);
        let high = index::key(prefix.clone(), before);
        let unflushed = || self.shared.tail().histories.newest(&prefix, before, max);
        self.read_after(unflushed, |txn, mut seqs| {
            let table = txn.open_table(tables::HISTORIES)?;
            // What was flushed since the tail was looked at stands in both.
            let oldest = seqs.last().copied().unwrap_or(before);
            for entry in table.range(low.as_slice()..high.as_slice())?.rev() {
                if seqs.len() >= max {
                    break;
                }
                let (key, value) = entry?;
                let row = index::seqs_of(key.value(), value.value()).ok_or_else(|| {
                    Fault::damaged(tables::BEFORE_ALL, "a row of a history is not readable")
                })?;
                seqs.extend(row.into_iter().rev().filter(|seq| *seq < oldest));
            }
            seqs.truncate(max);
            let mut found = Vec::with_capacity(seqs.len());
            for seq in seqs {
                found.extend(get(txn, seq)?);
            }
            Ok(found)
        })
    }

    /// A row of a side table.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn side(&self, table: SideTable, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(|txn| Ok(txn.open_table(table.definition())?.get(key)?.map(|v| v.value().to_vec())))
    }

    /// Every row of a side table, by key.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn side_rows(&self, table: SideTable) -> Result<Vec<SideRow>, ReadError> {
        self.read(|txn| {
            let table = txn.open_table(table.definition())?;
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                rows.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(rows)
        })
    }

    /// Up to `max` signed checkpoints about `from` or later, oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn checkpoints(&self, from: Seq, max: usize) -> Result<Vec<String>, ReadError> {
        self.read(|txn| {
            let table = txn.open_table(tables::CHECKPOINTS)?;
            let mut notes = Vec::new();
            for entry in table.range(from.0..)?.take(max) {
                let (seq, note) = entry?;
                notes.push(note_text(Seq(seq.value()), note.value())?);
            }
            Ok(notes)
        })
    }

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn latest_checkpoint(&self) -> Result<Option<String>, ReadError> {
        self.read(|txn| match txn.open_table(tables::CHECKPOINTS)?.last()? {
            Some((seq, note)) => note_text(Seq(seq.value()), note.value()).map(Some),
            None => Ok(None),
        })
    }

    /// The proof that `leaf` is in the tree of the first `size` leaves, lowest sibling first.
    ///
    /// # Errors
    /// When the log cannot be read, or is smaller than asked.
    pub fn inclusion_proof(&self, leaf: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(size)?;
        if leaf >= size {
            return Err(ReadError::OutOfRange { leaves: size, asked: leaf });
        }
        self.proof(|nodes| merkle::inclusion_proof(nodes, leaf, size))
    }

    /// As [`LogReader::inclusion_proof`] for several leaves at once; cheap where they are neighbours.
    ///
    /// # Errors
    /// When the log cannot be read, or is smaller than asked.
    pub fn inclusion_proofs(&self, leaves: &[u64], size: u64) -> Result<Vec<Vec<Hash>>, ReadError> {
        self.within(size)?;
        if let Some(asked) = leaves.iter().find(|leaf| **leaf >= size) {
            return Err(ReadError::OutOfRange { leaves: size, asked: *asked });
        }
        self.proof(|nodes| leaves.iter().map(|leaf| merkle::inclusion_proof(nodes, *leaf, size)).collect())
    }

    /// The exact frames of events, in the order asked for; what is not there (any more) is left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn frames(&self, seqs: &[Seq]) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read(|txn| {
            let mut frames = Vec::with_capacity(seqs.len());
            for seq in seqs {
                frames.extend(find(txn, *seq, |frame| Ok(frame.bytes.to_vec()))?);
            }
            Ok(frames)
        })
    }

    /// The proof that the first `old` leaves are a beginning of the first `new` leaves.
    ///
    /// # Errors
    /// When the log cannot be read, or is smaller than asked.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(new)?;
        if old == 0 || old > new {
            return Err(ReadError::OutOfRange { leaves: new, asked: old });
        }
        self.proof(|nodes| merkle::consistency_proof(nodes, old, new))
    }

    /// The root over the first `size` leaves.
    ///
    /// # Errors
    /// When the log cannot be read, or is smaller than asked.
    pub fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        self.within(size)?;
        self.proof(|nodes| merkle::root_at(nodes, size))
    }

    /// Reads in one transaction, without trying again: `None` while there is no database.
    pub(crate) fn once<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        Some(self.shared.begin_read()?.map_err(Fault::from).and_then(|txn| read(&txn)))
    }

    fn within(&self, asked: u64) -> Result<(), ReadError> {
        let leaves = self.head().leaves;
        if asked <= leaves { Ok(()) } else { Err(ReadError::OutOfRange { leaves, asked }) }
    }

    fn proof<T>(&self, make: impl Fn(&StoredNodes<'_>) -> Result<T, Fault>) -> Result<T, ReadError> {
        let edge = || TreeEdge::of(&self.shared.tail());
        self.read_after(edge, |txn, edge| make(&StoredNodes::open(txn, edge)?))
    }

    fn read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, Fault>) -> Result<T, ReadError> {
        self.read_after(|| (), |txn, ()| read(txn))
    }

    /// Reads in one transaction; while the log is being reopened, tries again a few times.
    ///
    /// `look` looks at the tail before the transaction begins: what is flushed in between is then seen twice rather
    /// than never.
    fn read_after<L, T>(
        &self,
        look: impl Fn() -> L,
        read: impl Fn(&ReadTransaction, L) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        let mut pauses = PAUSES_MS.iter();
        loop {
            let looked = look();
            let outcome = match self.shared.begin_read() {
                Some(txn) => txn.map_err(Fault::from).and_then(|txn| read(&txn, looked)),
                None => Err(Fault::Store(redb::Error::DatabaseClosed)),
            };
            match outcome {
                Ok(value) => return Ok(value),
                Err(Fault::Damaged { seq, why }) => return Err(ReadError::Damaged { seq, why }),
                Err(Fault::Newer { seq, why }) => return Err(ReadError::Newer { seq, why }),
                Err(Fault::Store(redb::Error::Corrupted(why))) => {
                    return Err(ReadError::Damaged { seq: tables::BEFORE_ALL, why });
                }
                Err(Fault::Store(error)) => match pauses.next() {
                    Some(pause) => std::thread::sleep(Duration::from_millis(*pause)),
                    None => {
                        tracing::debug!(%error, "the log cannot be read");
                        return Err(ReadError::Unavailable);
                    }
                },
            }
        }
    }
}

fn envelope(frame: &Frame<'_>) -> Result<Envelope, Fault> {
    frame.envelope().map_err(|error| Fault::decode(frame.seq, &error))
}

fn note_text(seq: Seq, note: &[u8]) -> Result<String, Fault> {
    String::from_utf8(note.to_vec()).map_err(|_| Fault::damaged(seq, "its checkpoint is not text"))
}

fn get(txn: &ReadTransaction, seq: Seq) -> Result<Option<Envelope>, Fault> {
    find(txn, seq, envelope)
}

/// Finds one event by the row that it must stand in.
fn find<T>(
    txn: &ReadTransaction,
    seq: Seq,
    take: impl Fn(&Frame<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    for table in [tables::LEDGER, tables::SAMPLES] {
        let table = txn.open_table(table)?;
        let Some((key, row)) = table.range(..=seq.0)?.next_back().transpose()? else { continue };
        if let Some(frame) = rows::find(row.value(), Seq(key.value()), seq)? {
            return take(&frame).map(Some);
        }
    }
    Ok(None)
}

fn newest_of_all(txn: &ReadTransaction, before: Option<Seq>, max: usize) -> Result<Vec<Envelope>, Fault> {
    let before = before.unwrap_or(Seq(u64::MAX));
    let (table, mut found) = (txn.open_table(tables::LEDGER)?, Vec::new());
    for entry in table.range(..before.0)?.rev() {
        let (key, row) = entry?;
        for frame in rows::backwards(row.value(), Seq(key.value()))? {
            if found.len() == max {
                return Ok(found);
            }
            if frame.seq < before {
                found.push(envelope(&frame)?);
            }
        }
    }
    Ok(found)
}
