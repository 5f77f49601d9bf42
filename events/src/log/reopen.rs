//! After a failed commit: the handle is dropped, the store opened again, and the batch looked for.

use redb::{ReadTransaction, ReadableDatabase};

use super::{
    EventLog, OpenError, Settled,
    append::{Batch, appended},
    error::Fault,
    open,
    side::SideWrite,
    tables,
};
use crate::{crash, event::Envelope};

/// What was being committed when the commit failed.
#[derive(Debug)]
pub(super) struct Unsettled(Option<InDoubt>);

#[derive(Debug)]
struct InDoubt {
    batch: Batch,
    side: Vec<SideWrite>,
}

impl Unsettled {
    pub(super) fn new(batch: Batch, side: &[SideWrite]) -> Self {
        Self(Some(InDoubt { batch, side: side.to_vec() }))
    }

    /// A commit of derived data only: no event is in doubt.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }
}

impl EventLog {
    /// Opens the store anew and tells what became of the last batch. Readers find the new handle by themselves.
    ///
    /// # Errors
    /// When the store cannot be opened now; the question stays open, and `reopen` may be called again.
    pub fn reopen(&mut self) -> Result<Settled, OpenError> {
        crash::point("log.reopen.before");
        drop(self.shared.take_database());
        let opened = open::open_storage(&self.storage, self.options.cache_bytes)?;
        let in_doubt = match &self.unsettled {
            Some(Unsettled(Some(in_doubt))) => Some(in_doubt),
            _ => None,
        };
        let durable = in_doubt
            .map(|in_doubt| {
                open::guarded(self.storage.path(), || is_durable(&opened.database.begin_read()?, in_doubt))
            })
            .transpose()?;
        // Whatever was not flushed is flushed at the next occasion, which also makes the store quick to reopen.
        self.commits_since_flush = 1;
        self.last_checkpoint = opened.last_checkpoint;
        self.shared.put_database(opened.database, opened.tail);
        crash::point("log.reopen.after");
        let in_doubt = self.unsettled.take().and_then(|Unsettled(in_doubt)| in_doubt);
        Ok(match (in_doubt, durable) {
            (Some(in_doubt), Some(true)) => Settled::Committed(appended(in_doubt.batch.envelopes)),
            (Some(_), _) => Settled::NotCommitted,
            (None, _) => Settled::NothingPending,
        })
    }

    /// The events of the batch that is in doubt, if one is: what a caller may say meanwhile.
    #[must_use]
    pub fn in_doubt(&self) -> &[Envelope] {
        match &self.unsettled {
            Some(Unsettled(Some(in_doubt))) => &in_doubt.batch.envelopes,
            _ => &[],
        }
    }
}

/// Is the batch in the store? A commit is all or nothing, so one row tells; a batch of side writes alone is durable
/// when its effect is there.
fn is_durable(txn: &ReadTransaction, in_doubt: &InDoubt) -> Result<bool, Fault> {
    let rows = [(tables::LEDGER, &in_doubt.batch.ledger), (tables::SAMPLES, &in_doubt.batch.samples)];
    for (table, rows) in rows {
        if let Some(row) = rows.first() {
            let stored = txn.open_table(table)?.get(row.first.0)?;
            return Ok(stored.is_some_and(|stored| stored.value() == row.frames));
        }
    }
    for change in &in_doubt.side {
        let there = match change {
            SideWrite::Put { table, key, value } => {
                let stored = txn.open_table(table.definition())?.get(key.as_slice())?;
                stored.is_some_and(|stored| stored.value() == value)
            }
            SideWrite::Erase { table, key } => {
                txn.open_table(table.definition())?.get(key.as_slice())?.is_none()
            }
        };
        if !there {
            return Ok(false);
        }
    }
    Ok(true)
}
