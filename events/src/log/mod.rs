//! The log: one writer that appends durably, many readers that look.
//!
//! - [`EventLog`] is the one writer. It is synchronous and belongs to one thread.
//! - [`LogReader`] is cheap to clone and works from any thread; it never keeps the store's handle between pages.
//! - A commit that fails is *unknown*, never "undone": [`EventLog::reopen`] tells what became of it.
//!
//! Where things are: `append` the hot path, `tend` what may wait (histories, tiles, checkpoints), `open` and `reopen`,
//! `read`, and under them `tables` (what is on disk), `rows` (frames out of tables), `tail` (what is not flushed yet),
//! `storage` (files and other backends).

mod append;
mod error;
mod import;
mod index;
mod open;
mod overlay;
mod proof;
mod read;
mod reopen;
mod retire;
pub(crate) mod rows;
mod side;
mod storage;
pub(crate) mod tables;
mod tail;
mod tend;
#[cfg(test)]
pub(crate) mod tests;
pub mod ticket;

use std::{path::PathBuf, sync::Arc};

pub use self::{
    error::{AppendError, OpenError, ReadError},
    import::{ImportError, import},
    index::About,
    read::LogReader,
    side::{SideRow, SideTable, SideWrite},
    storage::BackendFactory,
};
pub(crate) use self::{
    error::{Fault, open_error},
    open::{guarded, other_format},
    overlay::Overlay,
};
use self::{reopen::Unsettled, storage::Storage, tail::Shared};
use crate::{
    checkpoint::Signer,
    event::Envelope,
    ids::{Moment, Seq, StoreId},
    merkle::Hash,
    ticket::Ticket,
};

/// What an operator or a test may set about the log.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Memory for pages of the store.
    pub cache_bytes: usize,
    /// Histories and tiles are written, and the store is made quick to reopen, with every n-th commit.
    pub flush_every_commits: u32,
    /// A checkpoint is signed after this many events …
    pub checkpoint_every_events: u64,
    /// … or after this many seconds with at least one event.
    pub checkpoint_every_s: i64,
    /// Every checkpoint is also appended to this file, best on another disk or shipped elsewhere.
    pub checkpoint_file: Option<PathBuf>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 48 * 1024 * 1024,
            flush_every_commits: 64,
            checkpoint_every_events: 256,
            checkpoint_every_s: 60,
            checkpoint_file: None,
        }
    }
}

/// The newest state of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest Seq, samples included.
    pub seq: Seq,
    /// Leaves of the Merkle tree: events of the ledger.
    pub leaves: u64,
    /// The tree's root.
    pub root: Hash,
}

/// What one append brought.
#[derive(Debug, Default)]
pub struct Appended {
    /// The events with their places, in the order of the batch.
    pub envelopes: Vec<Envelope>,
    /// One ticket for each `StepStarted` of the batch, in the same order.
    pub tickets: Vec<Ticket>,
}

/// What became of a batch whose commit failed.
#[derive(Debug)]
pub enum Settled {
    /// It is durable after all.
    Committed(Appended),
    /// Nothing of it is in the store.
    NotCommitted,
    /// No batch was in doubt.
    NothingPending,
}

/// The one writer of a store. Not `Clone`: there is one.
#[derive(Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
    storage: Storage,
    signer: Signer,
    options: OpenOptions,
    store_id: StoreId,
    /// Commits since histories and tiles were flushed and the store was made quick to reopen.
    commits_since_flush: u32,
    last_checkpoint: LastCheckpoint,
    /// Set by a failed commit, cleared by `reopen`.
    unsettled: Option<Unsettled>,
}

/// The place and time of the newest checkpoint.
#[derive(Debug, Clone, Copy, Default)]
struct LastCheckpoint {
    seq: Seq,
    at: Moment,
}

impl EventLog {
    /// A reader of this log. It outlives reopening; once the log is dropped it answers `Unavailable`.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// The newest state.
    #[must_use]
    pub fn head(&self) -> Head {
        self.shared.head()
    }

    /// The store's name.
    #[must_use]
    pub const fn store_id(&self) -> StoreId {
        self.store_id
    }
}

impl Drop for EventLog {
    /// Gives the store free even where readers live on. Without `close` nothing is lost, but opening takes longer.
    fn drop(&mut self) {
        drop(self.shared.take_database());
    }
}
