//! The hot path: a batch becomes rows, the rows become durable in one commit, and only then anybody hears of them.

use redb::{Database, Durability, WriteTransaction};

use super::{
    AppendError, Appended, EventLog,
    error::append_source,
    reopen::Unsettled,
    side::{self, SideWrite},
    tables,
    tail::{Growth, Tail},
    tend,
    ticket::Ticket,
};
use crate::{
    crash,
    event::{Envelope, Keep, NewEvent},
    frame,
    ids::{Moment, Seq},
};

/// A row is closed when it has this many bytes: look-ups read whole rows.
const ROW_BYTES_TARGET: usize = 64 * 1024;
/// The largest batch: the writer groups far less.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// More entries than this are not held back from the derived tables (about 1 MB).
const PENDING_ENTRIES_MAX: usize = 65_536;

/// A batch ready to be written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub ledger: Vec<Row>,
    pub samples: Vec<Row>,
    pub growth: Growth,
    pub envelopes: Vec<Envelope>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub first: Seq,
    pub frames: Vec<u8>,
}

impl EventLog {
    /// Makes a batch durable: one commit, all or nothing. Events get consecutive Seqs in the order of the batch.
    ///
    /// # Errors
    /// `Refused`: nothing was written. `Unknown`: the batch may or may not be durable, and every further append fails
    /// until [`EventLog::reopen`] has told which.
    pub fn append(&mut self, batch: Vec<NewEvent>, side: &[SideWrite]) -> Result<Appended, AppendError> {
        self.refuse_while_unsettled()?;
        if batch.is_empty() && side.is_empty() {
            return Ok(Appended::default());
        }
        let newest = batch.iter().map(|event| event.at).max();
        let batch = prepare(&self.shared.tail(), batch)?;
        let pending = self.shared.tail().histories.entries() + batch.growth.histories.entries();
        let flush =
            self.commits_since_flush + 1 >= self.options.flush_every_commits || pending > PENDING_ENTRIES_MAX;
        let note = newest
            .filter(|at| self.checkpoint_due(batch.growth.head, *at))
            .map(|at| tend::sign(&self.signer, self.store_id, &batch.growth, at));

        let outcome = self.shared.commit_with(|database| -> Result<(), redb::Error> {
            crash::point("log.append.before_begin");
            let txn = begin(database, flush)?;
            write_rows(&txn, &batch)?;
            crash::point("log.append.after_rows");
            if !side.is_empty() {
                side::write(&txn, side)?;
                crash::point("log.append.after_side");
            }
            if flush {
                tend::write_derived(&txn, &self.shared.tail(), &batch.growth)?;
                crash::point("log.append.after_derived");
            }
            if let Some((note, last)) = &note {
                tend::write_checkpoint(&txn, last.seq, note)?;
            }
            crash::point("log.append.before_commit");
            txn.commit()?;
            crash::point("log.append.after_commit");
            Ok(())
        });
        match outcome {
            Some(Ok(())) => Ok(self.committed(batch, flush, note)),
            Some(Err(error)) => {
                self.unsettled = Some(Unsettled::new(batch, side));
                Err(AppendError::Unknown(append_source(error)))
            }
            None => {
                self.unsettled = Some(Unsettled::new(batch, side));
                Err(AppendError::Unknown(std::io::Error::other("the store is closed")))
            }
        }
    }

    pub(super) fn refuse_while_unsettled(&self) -> Result<(), AppendError> {
        match &self.unsettled {
            None => Ok(()),
            Some(_) => Err(AppendError::Unknown(std::io::Error::other(
                "an earlier commit is not settled; reopen the log first",
            ))),
        }
    }

    fn committed(
        &mut self,
        batch: Batch,
        flushed: bool,
        note: Option<(String, super::LastCheckpoint)>,
    ) -> Appended {
        {
            let mut tail = self.shared.tail_mut();
            tail.absorb(batch.growth);
            if flushed {
                tail.forget_flushed();
            }
        }
        crash::point("log.append.absorbed");
        self.commits_since_flush = if flushed { 0 } else { self.commits_since_flush + 1 };
        if let Some((note, last)) = note {
            self.last_checkpoint = last;
            self.publish_checkpoint(&note);
        }
        appended(batch.envelopes)
    }

    pub(super) fn checkpoint_due(&self, head: Seq, at: Moment) -> bool {
        let events = head.0.saturating_sub(self.last_checkpoint.seq.0);
        let waited = at.micros_since(self.last_checkpoint.at) / 1_000_000;
        events >= self.options.checkpoint_every_events
            || (events > 0 && waited >= self.options.checkpoint_every_s)
    }
}

/// Tickets exist for durable events only.
pub(super) fn appended(envelopes: Vec<Envelope>) -> Appended {
    let tickets = Ticket::of(&envelopes);
    Appended { envelopes, tickets }
}

/// Every commit is durable when it returns, and two-phase: text from routers stands in values, and the one-phase
/// commit relies on checksums that an attacker could forge.
pub(super) fn begin(database: &Database, quick_repair: bool) -> Result<WriteTransaction, redb::Error> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(quick_repair);
    Ok(txn)
}

/// Gives places to the events of a batch and encodes them into rows.
pub(super) fn prepare(tail: &Tail, batch: Vec<NewEvent>) -> Result<Batch, AppendError> {
    let mut prepared = Batch { growth: Growth::after(tail), ..Batch::default() };
    let (mut seq, mut bytes) = (tail.head, 0);
    for new in batch {
        seq = seq.next();
        let keep = new.event.keep();
        let leaf = (keep == Keep::Ledger).then(|| prepared.growth.frontier.size());
        let rows = if keep == Keep::Ledger { &mut prepared.ledger } else { &mut prepared.samples };
        if rows.last().is_none_or(|row| row.frames.len() >= ROW_BYTES_TARGET) {
            rows.push(Row { first: seq, frames: Vec::new() });
        }
        let row = &mut rows.last_mut().expect("one was pushed if there was none").frames;
        let len =
            frame::write(row, seq, leaf, &new).map_err(|error| AppendError::Refused(error.to_string()))?;
        bytes += len;
        if bytes > BATCH_BYTES_MAX {
            return Err(AppendError::Refused(format!("one batch may have {BATCH_BYTES_MAX} bytes")));
        }
        match keep {
            Keep::Ledger => {
                let frame = &row[row.len() - len..];
                prepared.growth.add_ledger(seq, frame, &new.actor.name, &new.event.subjects());
            }
            Keep::Samples => prepared.growth.add_sample(seq),
        }
        let NewEvent { at, actor, command_id, event } = new;
        prepared.envelopes.push(Envelope { seq, leaf, at, actor, command_id, event });
    }
    Ok(prepared)
}

pub(super) fn write_rows(txn: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    for (table, rows) in [(tables::LEDGER, &batch.ledger), (tables::SAMPLES, &batch.samples)] {
        if rows.is_empty() {
            continue;
        }
        let mut table = txn.open_table(table)?;
        for row in rows {
            table.insert(row.first.0, row.frames.as_slice())?;
        }
    }
    Ok(())
}
