//! Frames out of tables, one at a time, without copying rows.

use redb::{AccessGuard, Range, ReadTransaction, TableDefinition};

use super::{error::Fault, tables};
use crate::{
    event::Keep,
    frame::{self, Frame},
    ids::Seq,
};

/// Walks the frames of one keep from a Seq on.
pub(crate) struct Rows {
    range: Range<'static, u64, &'static [u8]>,
    row: Option<AccessGuard<'static, &'static [u8]>>,
    at: usize,
    seq: Option<Seq>,
}

impl Rows {
    /// Stands at the first frame whose Seq is at least `from`.
    pub(crate) fn open(
        txn: &ReadTransaction,
        table: TableDefinition<'static, u64, &'static [u8]>,
        from: Seq,
    ) -> Result<Self, Fault> {
        let table = txn.open_table(table)?;
        // `from` may stand inside a row, whose key is then smaller.
        let row = table.range(..=from.0)?.next_back().transpose()?.map(|(key, _)| key.value());
        let range = table.range(row.unwrap_or(from.0)..)?;
        let mut rows = Self { range, row: None, at: 0, seq: None };
        rows.next_row()?;
        while rows.seq.is_some_and(|seq| seq < from) {
            rows.advance()?;
        }
        Ok(rows)
    }

    /// The Seq of the frame at hand; `None` at the end.
    pub(crate) const fn seq(&self) -> Option<Seq> {
        self.seq
    }

    /// The frame at hand, its checksum looked at.
    pub(crate) fn frame(&self) -> Result<Frame<'_>, Fault> {
        let (Some(row), Some(seq)) = (&self.row, self.seq) else {
            return Err(Fault::damaged(tables::BEFORE_ALL, "there is no frame at hand"));
        };
        frame::read(&row.value()[self.at..]).map(|(frame, _)| frame).map_err(|e| Fault::damaged(seq, e))
    }

    /// Goes to the next frame.
    pub(crate) fn advance(&mut self) -> Result<(), Fault> {
        let (Some(row), Some(seq)) = (&self.row, self.seq) else { return Ok(()) };
        let bytes = row.value();
        let (_, rest) = frame::read_unchecked(&bytes[self.at..]).map_err(|e| Fault::damaged(seq, e))?;
        self.at = bytes.len() - rest.len();
        if rest.is_empty() {
            return self.next_row();
        }
        let next = frame::peek_seq(rest).ok_or_else(|| Fault::damaged(seq, "its row is cut off"))?;
        self.went_to(next, Some(seq))
    }

    fn next_row(&mut self) -> Result<(), Fault> {
        let before = self.seq.take();
        (self.row, self.at) = (None, 0);
        let Some((key, row)) = self.range.next().transpose()? else { return Ok(()) };
        let key = Seq(key.value());
        let first = frame::peek_seq(row.value()).filter(|first| *first == key);
        self.row = Some(row);
        let first = first.ok_or_else(|| Fault::damaged(key, "its row does not begin with it"))?;
        self.went_to(first, before)
    }

    fn went_to(&mut self, seq: Seq, before: Option<Seq>) -> Result<(), Fault> {
        if before.is_some_and(|before| before >= seq) {
            return Err(Fault::damaged(seq, "it stands after a later one"));
        }
        self.seq = Some(seq);
        Ok(())
    }
}

/// Walks one keep or both, in the order of Seq.
pub(crate) struct Merged {
    ledger: Option<Rows>,
    samples: Option<Rows>,
}

impl Merged {
    pub(crate) fn open(txn: &ReadTransaction, keep: Option<Keep>, from: Seq) -> Result<Self, Fault> {
        let wants = |one: Keep| keep.is_none_or(|keep| keep == one);
        let open = |keep, table| wants(keep).then(|| Rows::open(txn, table, from)).transpose();
        Ok(Self {
            ledger: open(Keep::Ledger, tables::LEDGER)?,
            samples: open(Keep::Samples, tables::SAMPLES)?,
        })
    }

    /// The Seq of the next frame; `None` at the end.
    pub(crate) fn seq(&self) -> Option<Seq> {
        let seq = |rows: &Option<Rows>| rows.as_ref().and_then(Rows::seq);
        match (seq(&self.ledger), seq(&self.samples)) {
            (Some(ledger), Some(sample)) => Some(ledger.min(sample)),
            (ledger, sample) => ledger.or(sample),
        }
    }

    /// Hands out the next frame and the keep it was found in, then goes on; `None` at the end.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(Keep, &Frame<'_>) -> T) -> Result<Option<T>, Fault> {
        let seq = |rows: &Option<Rows>| rows.as_ref().and_then(Rows::seq);
        let (keep, rows) = match (seq(&self.ledger), seq(&self.samples)) {
            (None, None) => return Ok(None),
            (Some(ledger), Some(sample)) if ledger == sample => {
                return Err(Fault::damaged(ledger, "it stands in both keeps"));
            }
            (Some(ledger), sample) if sample.is_none_or(|sample| ledger < sample) => {
                (Keep::Ledger, &mut self.ledger)
            }
            _ => (Keep::Samples, &mut self.samples),
        };
        let rows = rows.as_mut().expect("it has a frame at hand");
        let taken = take(keep, &rows.frame()?);
        rows.advance()?;
        Ok(Some(taken))
    }
}

/// The frame with this Seq in a row; only its own checksum is looked at.
pub(crate) fn find(row: &[u8], key: Seq, seq: Seq) -> Result<Option<Frame<'_>>, Fault> {
    let mut rest = row;
    while let Some(at_hand) = frame::peek_seq(rest).filter(|at_hand| *at_hand <= seq) {
        if at_hand == seq {
            return frame::read(rest).map(|(frame, _)| Some(frame)).map_err(|e| Fault::damaged(seq, e));
        }
        rest = frame::read_unchecked(rest).map_err(|error| Fault::damaged(key, error))?.1;
    }
    Ok(None)
}

/// The frames of one row, given from its last to its first. Rows are small.
pub(crate) fn backwards(row: &[u8], key: Seq) -> Result<Vec<Frame<'_>>, Fault> {
    let (mut frames, mut rest) = (Vec::new(), row);
    while !rest.is_empty() {
        let frame;
        (frame, rest) = frame::read(rest).map_err(|error| Fault::damaged(key, error))?;
        frames.push(frame);
    }
    frames.reverse();
    Ok(frames)
}
