//! What readers and the writer share: the database in a swappable cell, and the derived data not flushed yet.

use std::{
    collections::BTreeMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::{
    Head,
    index::Histories,
    tables::{self, Flushed, Tile},
};
use crate::{
    event::Subjects,
    ids::Seq,
    merkle::{self, Frontier},
};

/// One log's shared state.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Empty while the log is reopened, and after it is dropped. Readers look in for as long as it takes to begin a
    /// transaction, so that the writer can always take the database out.
    database: RwLock<Option<Database>>,
    tail: RwLock<Tail>,
}

/// The growing end: what is committed but not in the derived tables yet. Bounded by the flush.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    pub head: Seq,
    pub frontier: Frontier,
    /// The Seq of the first leaf of the newest block of 256 leaves.
    pub block_first: Seq,
    pub tiles: BTreeMap<u64, Tile>,
    pub histories: Histories,
}

/// What a batch adds to the tail, worked out before the commit and taken in after it.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    pub head: Seq,
    pub frontier: Frontier,
    pub block_first: Seq,
    pub tiles: Vec<(u64, Tile)>,
    pub histories: Histories,
}

impl Growth {
    pub(crate) fn after(tail: &Tail) -> Self {
        Self {
            head: tail.head,
            frontier: tail.frontier.clone(),
            block_first: tail.block_first,
            ..Self::default()
        }
    }

    pub(crate) fn add_ledger(&mut self, seq: Seq, frame: &[u8], actor: &str, subjects: &Subjects) {
        if self.frontier.size().is_multiple_of(256) {
            self.block_first = seq;
        }
        let (tiles, block_first) = (&mut self.tiles, self.block_first);
        self.frontier.push(merkle::leaf_hash(frame), |log2, index, root| {
            if log2 % 8 == 0 {
                let first = if log2 == 8 { block_first } else { tables::BEFORE_ALL };
                tiles.push((tables::tile_key(log2 / 8, index), tables::tile(root, first)));
            }
        });
        self.histories.add(seq, actor, subjects);
        self.head = self.head.max(seq);
    }

    pub(crate) fn add_sample(&mut self, seq: Seq) {
        self.head = self.head.max(seq);
    }

    pub(crate) fn flushed(&self) -> Flushed {
        Flushed { seq: self.head, block_first: self.block_first, frontier: self.frontier.clone() }
    }
}

impl Tail {
    pub(crate) fn from_flushed(flushed: Flushed) -> Self {
        Self {
            head: flushed.seq,
            frontier: flushed.frontier,
            block_first: flushed.block_first,
            ..Self::default()
        }
    }

    pub(crate) fn absorb(&mut self, growth: Growth) {
        self.head = growth.head;
        self.frontier = growth.frontier;
        self.block_first = growth.block_first;
        self.tiles.extend(growth.tiles);
        self.histories.absorb(growth.histories);
    }

    /// Everything up to now is in the derived tables.
    pub(crate) fn forget_flushed(&mut self) {
        self.tiles.clear();
        self.histories.clear();
    }

    fn head(&self) -> Head {
        Head { seq: self.head, leaves: self.frontier.size(), root: self.frontier.root() }
    }
}

impl Shared {
    pub(crate) fn new(database: Database, tail: Tail) -> Arc<Self> {
        Arc::new(Self { database: RwLock::new(Some(database)), tail: RwLock::new(tail) })
    }

    pub(crate) fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tail_mut(&self) -> RwLockWriteGuard<'_, Tail> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head(&self) -> Head {
        self.tail().head()
    }

    /// A read transaction; `None` while there is no database.
    pub(crate) fn begin_read(&self) -> Option<Result<ReadTransaction, redb::TransactionError>> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map(Database::begin_read)
    }

    /// Runs a commit on the database; `None` while there is none. The store library may panic on a file that something
    /// else wrote into: that is a failed commit, whose outcome is unknown, and not the writer's end.
    pub(crate) fn commit_with<T, E: From<redb::Error>>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref()?;
        let done = catch_unwind(AssertUnwindSafe(|| work(database)));
        Some(done.unwrap_or_else(|_| {
            Err(redb::Error::Io(io::Error::other("the store library failed while writing")).into())
        }))
    }

    pub(crate) fn take_database(&self) -> Option<Database> {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts a reopened database in place, together with the tail that was read from it.
    pub(crate) fn put_database(&self, database: Database, tail: Tail) {
        let mut cell = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *self.tail_mut() = tail;
        *cell = Some(database);
    }
}
