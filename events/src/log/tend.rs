//! What may wait: writing the derived tables, making the store quick to reopen, signing checkpoints.

use std::{fs::File, io::Write as _};

use redb::WriteTransaction;

use super::{
    AppendError, EventLog, LastCheckpoint, append,
    error::append_source,
    reopen::Unsettled,
    tables,
    tail::{Growth, Tail},
};
use crate::{
    checkpoint::{Checkpoint, Signer},
    crash,
    ids::{Moment, Seq, StoreId},
};

impl EventLog {
    /// Does what is due; call it when nothing was appended for a second or so. Nothing due, nothing written.
    ///
    /// # Errors
    /// `Unknown` when the commit fails; no event is in doubt then, but the log must be reopened.
    pub fn tend(&mut self, at: Moment) -> Result<(), AppendError> {
        let due = self.checkpoint_due(self.head().seq, at);
        self.flush(at, due)
    }

    /// Signs the newest state, unless the newest checkpoint speaks of it already.
    ///
    /// # Errors
    /// As [`EventLog::tend`].
    pub fn checkpoint(&mut self, at: Moment) -> Result<(), AppendError> {
        let unsigned = self.head().seq > self.last_checkpoint.seq;
        if unsigned { self.flush(at, true) } else { Ok(()) }
    }

    /// Flushes, signs a last checkpoint if anything happened since the one before, and closes the store so that it
    /// opens at once.
    ///
    /// # Errors
    /// When the last writes fail. Events that were appended are durable either way.
    pub fn close(mut self, at: Moment) -> Result<(), AppendError> {
        crash::point("log.close.before");
        let unsigned = self.head().seq > self.last_checkpoint.seq;
        self.flush(at, unsigned)?;
        let closed = self.shared.take_database().map(redb::Database::close);
        crash::point("log.close.after");
        match closed {
            Some(Err(error)) => Err(AppendError::Unknown(append_source(error.into()))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn flush(&mut self, at: Moment, checkpoint: bool) -> Result<(), AppendError> {
        self.refuse_while_unsettled()?;
        if self.commits_since_flush == 0 && !checkpoint {
            return Ok(());
        }
        let growth = Growth::after(&self.shared.tail());
        let note = checkpoint.then(|| sign(&self.signer, self.store_id, &growth, at));
        let outcome = self.shared.commit_with(|database| -> Result<(), redb::Error> {
            let txn = append::begin(database, true)?;
            write_derived(&txn, &self.shared.tail(), &growth)?;
            if let Some((note, last)) = &note {
                write_checkpoint(&txn, last.seq, note)?;
            }
            crash::point("log.flush.before");
            txn.commit()?;
            crash::point("log.flush.after");
            Ok(())
        });
        match outcome {
            Some(Ok(())) => {
                self.shared.tail_mut().forget_flushed();
                self.commits_since_flush = 0;
                if let Some((note, last)) = note {
                    self.last_checkpoint = last;
                    self.publish_checkpoint(&note);
                }
                Ok(())
            }
            Some(Err(error)) => {
                self.unsettled = Some(Unsettled::nothing());
                Err(AppendError::Unknown(append_source(error)))
            }
            None => {
                self.unsettled = Some(Unsettled::nothing());
                Err(AppendError::Unknown(std::io::Error::other("the store is closed")))
            }
        }
    }

    /// Appends a checkpoint to the file beside the store. The store has it already, so a failure is only told.
    pub(super) fn publish_checkpoint(&self, note: &str) {
        let Some(path) = &self.options.checkpoint_file else { return };
        crash::point("log.checkpoint.before_file");
        let written = File::options().create(true).append(true).open(path).and_then(|mut file| {
            file.write_all(format!("{note}\n").as_bytes())?;
            crash::point("log.checkpoint.after_write");
            file.sync_data()
        });
        crash::point("log.checkpoint.after_file");
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "a checkpoint could not be written beside the store");
        }
    }
}

/// Writes histories and tiles of the tail and of what is being added, and how far they go.
pub(super) fn write_derived(txn: &WriteTransaction, tail: &Tail, growth: &Growth) -> Result<(), redb::Error> {
    let mut histories = txn.open_table(tables::HISTORIES)?;
    for (key, seqs) in tail.histories.rows(&growth.histories) {
        histories.insert(key.as_slice(), seqs.as_slice())?;
    }
    let mut tiles = txn.open_table(tables::TILES)?;
    let added = growth.tiles.iter().map(|(key, tile)| (key, tile));
    for (key, tile) in tail.tiles.iter().chain(added) {
        tiles.insert(key, tile.as_slice())?;
    }
    let mut meta = txn.open_table(tables::META)?;
    meta.insert(tables::META_FLUSHED, growth.flushed().to_bytes().as_slice())?;
    Ok(())
}

/// Signs the state that will be the log's once `growth` is committed.
pub(super) fn sign(
    signer: &Signer,
    store_id: StoreId,
    growth: &Growth,
    at: Moment,
) -> (String, LastCheckpoint) {
    let checkpoint = Checkpoint {
        store_id,
        leaves: growth.frontier.size(),
        root: growth.frontier.root(),
        at,
        seq: growth.head,
    };
    (signer.sign(&checkpoint), LastCheckpoint { seq: growth.head, at })
}

pub(super) fn write_checkpoint(txn: &WriteTransaction, seq: Seq, note: &str) -> Result<(), redb::Error> {
    txn.open_table(tables::CHECKPOINTS)?.insert(seq.0, note.as_bytes())?;
    Ok(())
}
