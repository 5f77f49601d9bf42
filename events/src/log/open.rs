//! Making and opening a store. Opening reads the tail after the last flush and rebuilds what was not flushed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::{
    BackendFactory, EventLog, LastCheckpoint, OpenError, OpenOptions, append,
    error::{Fault, io_error, open_error},
    overlay::Overlay,
    rows::Rows,
    storage::{MemoryFile, Storage},
    tables::{self, MetaFault},
    tail::{Growth, Shared, Tail},
    tend,
};
use crate::{
    checkpoint::{Note, Signer},
    event::{Event, NewEvent},
    ids::{CommandId, Moment, StoreId},
    principal::Actor,
    store::StoreCreated,
};

/// What opening finds out.
pub(super) struct Opened {
    pub database: Database,
    pub tail: Tail,
    pub store_id: StoreId,
    pub last_checkpoint: LastCheckpoint,
    /// Something was committed after the last flush.
    pub unflushed: bool,
    /// The key that the store's first event names.
    pub verifier_key: String,
}

impl EventLog {
    /// Makes a store whose first event is `first`, a `StoreCreated`. The file has its name only once that event is
    /// durable, so a crash on the way leaves no half-made store.
    ///
    /// # Errors
    /// When there is one already, or the place cannot be written.
    pub fn create(
        path: &Path,
        signer: Signer,
        options: OpenOptions,
        first: NewEvent,
    ) -> Result<Self, OpenError> {
        Self::create_with(path, signer, options, first, Vec::new())
    }

    /// As [`Self::create`], with more events in the same first commit.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with(
        path: &Path,
        signer: Signer,
        options: OpenOptions,
        first: NewEvent,
        more: Vec<NewEvent>,
    ) -> Result<Self, OpenError> {
        Self::create_in(Storage::File(path.to_path_buf()), signer, options, first, more)
    }

    /// As [`Self::create`], on a backend instead of a file.
    ///
    /// # Errors
    /// When the backend is not empty or fails.
    pub fn create_with_backend(
        factory: BackendFactory,
        signer: Signer,
        options: OpenOptions,
        first: NewEvent,
    ) -> Result<Self, OpenError> {
        Self::create_in(Storage::Backend(factory), signer, options, first, Vec::new())
    }

    /// A store in memory with its first event, for tests of the rooms above.
    ///
    /// # Panics
    /// Never: memory does not fail.
    #[must_use]
    pub fn in_memory(signer: Signer) -> Self {
        let first = NewEvent {
            at: Moment::default(),
            actor: Actor::system(),
            command_id: CommandId::from_u128(0),
            event: StoreCreated {
                store_id: StoreId::from_u128(0),
                product_version: "in-memory".into(),
                verifier_key: signer.verifier().to_string(),
            }
            .into(),
        };
        let factory = MemoryFile::default().factory();
        Self::create_with_backend(factory, signer, OpenOptions::default(), first)
            .expect("memory takes every write")
    }

    /// Opens an existing store.
    ///
    /// # Errors
    /// When it is missing, held by another process, damaged, or of another format.
    pub fn open(path: &Path, signer: Signer, options: OpenOptions) -> Result<Self, OpenError> {
        Self::open_in(Storage::File(path.to_path_buf()), signer, options)
    }

    /// As [`Self::open`], on a backend instead of a file.
    ///
    /// # Errors
    /// When it is damaged, of another format, or fails.
    pub fn open_with_backend(
        factory: BackendFactory,
        signer: Signer,
        options: OpenOptions,
    ) -> Result<Self, OpenError> {
        Self::open_in(Storage::Backend(factory), signer, options)
    }

    fn create_in(
        storage: Storage,
        signer: Signer,
        options: OpenOptions,
        first: NewEvent,
        more: Vec<NewEvent>,
    ) -> Result<Self, OpenError> {
        let path = storage.path().to_path_buf();
        let Event::StoreCreated(created) = first.event.clone() else {
            let why = "the first event of a store is StoreCreated";
            return Err(OpenError::Io { path, source: std::io::Error::other(why) });
        };
        let store_id = created.store_id;
        let database = match storage.create(options.cache_bytes) {
            Ok(database) => database,
            Err(error) => return Err(created_error(&path, error)),
        };
        let outcome = guarded(&path, || fill(database, store_id, first, more, &signer))
            .and_then(|(database, tail, last_checkpoint, note)| {
                storage.publish().map_err(|error| io_error(path.clone(), error))?;
                let (unflushed, verifier_key) = (false, created.verifier_key);
                let opened = Opened { database, tail, store_id, last_checkpoint, unflushed, verifier_key };
                Ok((opened, note))
            })
            .inspect_err(|_| storage.discard_unfinished());
        let (opened, note) = outcome?;
        let log = Self::assemble(storage, signer, options, opened);
        log.publish_checkpoint(&note);
        Ok(log)
    }

    fn open_in(storage: Storage, signer: Signer, options: OpenOptions) -> Result<Self, OpenError> {
        look_first(&storage)?;
        let opened = open_storage(&storage, options.cache_bytes)?;
        Ok(Self::assemble(storage, signer, options, opened))
    }

    fn assemble(storage: Storage, signer: Signer, options: OpenOptions, opened: Opened) -> Self {
        // An unflushed tail is flushed at the next occasion.
        let commits_since_flush = u32::from(opened.unflushed);
        if opened.verifier_key != signer.verifier().to_string() {
            tracing::warn!(
                store_names = opened.verifier_key,
                signing_with = %signer.verifier(),
                "checkpoints are signed with another key than the store names; verifying will say so"
            );
        }
        Self {
            shared: Shared::new(opened.database, opened.tail),
            storage,
            signer,
            options,
            store_id: opened.store_id,
            commits_since_flush,
            last_checkpoint: opened.last_checkpoint,
            unsettled: None,
        }
    }
}

/// `create` on an unwritable folder finds no file; that is not "missing".
fn created_error(path: &Path, error: redb::Error) -> OpenError {
    match open_error(path, error) {
        OpenError::Missing { path } => OpenError::Io {
            path,
            source: std::io::Error::new(std::io::ErrorKind::NotFound, "its folder does not exist"),
        },
        other => other,
    }
}

/// Writes the first event, all tables and the first checkpoint in one commit.
fn fill(
    database: Database,
    store_id: StoreId,
    first: NewEvent,
    more: Vec<NewEvent>,
    signer: &Signer,
) -> Result<(Database, Tail, LastCheckpoint, String), Fault> {
    let mut tail = Tail::default();
    let at = first.at;
    let events = std::iter::once(first).chain(more).collect();
    let batch = append::prepare(&tail, events)
        .map_err(|error| Fault::Store(std::io::Error::other(error.to_string()).into()))?;
    let txn = append::begin(&database, true)?;
    {
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(tables::META_FORMAT, tables::FORMAT.to_le_bytes().as_slice())?;
        meta.insert(tables::META_STORE, store_id.to_u128().to_le_bytes().as_slice())?;
    }
    txn.open_table(tables::SAMPLES)?;
    txn.open_table(tables::CREDENTIALS)?;
    append::write_rows(&txn, &batch)?;
    tend::write_derived(&txn, &tail, &batch.growth)?;
    let (note, last_checkpoint) = tend::sign(signer, store_id, &batch.growth, at);
    tend::write_checkpoint(&txn, last_checkpoint.seq, &note)?;
    txn.commit()?;
    tail.absorb(batch.growth);
    tail.forget_flushed();
    Ok((database, tail, last_checkpoint, note))
}

/// Refuses a closed store of another format before anything is written into it: opening for writing changes the file.
/// What else may be wrong, opening tells.
fn look_first(storage: &Storage) -> Result<(), OpenError> {
    let Storage::File(path) = storage else { return Ok(()) };
    let format = guarded(path, || {
        let Ok(database) = Overlay::open(path).and_then(Overlay::unrepaired) else { return Ok(None) };
        let txn = database.begin_read()?;
        let meta = txn.open_table(tables::META)?;
        Ok(match tables::read_meta(&meta) {
            Err(MetaFault::Format(found)) => Some(found),
            _ => None,
        })
    });
    match format {
        Ok(Some(found)) => Err(other_format(path, found)),
        _ => Ok(()),
    }
}

/// Opens the storage and reads what was not flushed.
pub(super) fn open_storage(storage: &Storage, cache_bytes: usize) -> Result<Opened, OpenError> {
    let path = storage.path().to_path_buf();
    guarded(&path, || {
        let database = storage.open(cache_bytes)?;
        let txn = database.begin_read()?;
        let state = match read_state(&txn) {
            Ok(state) => state,
            Err(MetaFault::Fault(fault)) => return Err(fault),
            Err(MetaFault::Format(found)) => return Ok(Err(other_format(&path, found))),
        };
        drop(txn);
        let State { tail, store_id, last_checkpoint, unflushed, verifier_key } = state;
        Ok(Ok(Opened { database, tail, store_id, last_checkpoint, unflushed, verifier_key }))
    })?
}

pub(crate) fn other_format(path: &Path, found: u32) -> OpenError {
    let (path, known) = (path.to_path_buf(), tables::FORMAT);
    if found > known {
        OpenError::NewerFormat { path, found, known }
    } else {
        OpenError::OlderFormat { path, found, known }
    }
}

/// The store library may panic on a file that something else wrote into; here that is a damaged store.
pub(crate) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, OpenError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|fault| fault.into_open_error(path)),
        Err(_) => Err(OpenError::Damaged {
            path: path.to_path_buf(),
            why: "its pages contradict each other".into(),
        }),
    }
}

struct State {
    tail: Tail,
    store_id: StoreId,
    last_checkpoint: LastCheckpoint,
    unflushed: bool,
    verifier_key: String,
}

fn read_state(txn: &ReadTransaction) -> Result<State, MetaFault> {
    let meta = tables::read_meta(&txn.open_table(tables::META)?)?;
    let (flushed, store_id) = (meta.flushed.seq, meta.store_id);
    let from = flushed.next();
    let mut tail = Tail::from_flushed(meta.flushed);
    let mut growth = Growth::after(&tail);

    let mut ledger = Rows::open(txn, tables::LEDGER, from)?;
    while ledger.seq().is_some() {
        let frame = ledger.frame()?;
        if frame.leaf != Some(growth.frontier.size()) {
            return Err(Fault::damaged(frame.seq, "its leaf number does not follow").into());
        }
        let envelope = frame.envelope().map_err(|error| Fault::decode(frame.seq, &error))?;
        growth.add_ledger(frame.seq, frame.bytes, frame.name, &envelope.event.subjects());
        ledger.advance()?;
    }
    let mut samples = Rows::open(txn, tables::SAMPLES, from)?;
    while let Some(seq) = samples.seq() {
        growth.add_sample(seq);
        samples.advance()?;
    }
    tail.absorb(growth);

    let checkpoints = txn.open_table(tables::CHECKPOINTS)?;
    let last_checkpoint = match checkpoints.last()? {
        None => LastCheckpoint::default(),
        Some((_, note)) => std::str::from_utf8(note.value())
            .ok()
            .and_then(|note| Note::parse(note).ok())
            .map(|note| LastCheckpoint { seq: note.checkpoint.seq, at: note.checkpoint.at })
            .ok_or_else(|| Fault::damaged(tail.head, "the newest checkpoint is not readable"))?,
    };
    let first = Rows::open(txn, tables::LEDGER, tables::BEFORE_ALL)?.frame()?.envelope();
    let verifier_key = match first.map(|first| first.event) {
        Ok(Event::StoreCreated(created)) => created.verifier_key,
        _ => return Err(Fault::damaged(tables::BEFORE_ALL, "its first event is not its creation").into()),
    };
    Ok(State { unflushed: tail.head > flushed, tail, store_id, last_checkpoint, verifier_key })
}
