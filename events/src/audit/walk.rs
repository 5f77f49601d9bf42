//! Goes through a source once, in the order of Seq, and hands everything to a sink.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::{AuditError, Problem, Progress, Source};
use crate::{
    event::Keep,
    export,
    frame::Frame,
    ids::{Seq, StoreId},
    log::{
        Fault, Overlay, guarded, open_error, other_format,
        rows::Merged,
        tables::{self, Flushed, MetaFault, Tile},
    },
};

/// Memory for pages while a store is looked at.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What a source says of itself before its first event.
#[derive(Debug, Clone)]
pub(crate) struct StoreFacts {
    pub store_id: StoreId,
    pub retired: Seq,
    /// Exports have none.
    pub flushed: Option<Flushed>,
    /// The saved parts of the tree, when everything is looked at. Exports have none.
    pub tiles: BTreeMap<u64, Tile>,
    /// The newest Seq, for progress and for an export's first line.
    pub head: Seq,
}

/// Who takes what is found.
pub(crate) trait Sink {
    fn begin(&mut self, facts: StoreFacts);
    fn frame(&mut self, keep: Keep, frame: &Frame<'_>) -> ControlFlow<()>;
    /// A checkpoint filed under `key`; every frame up to there was handed over.
    fn note(&mut self, key: Seq, note: &str) -> ControlFlow<()>;
    /// Something of the source's own form is wrong.
    fn problem(&mut self, problem: Problem);
    fn progress(&mut self, progress: Progress);
}

/// How much of a store is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Depth {
    /// All of it, every page's checksum included.
    Everything,
    /// Events from here on.
    From(Seq),
}

pub(crate) fn walk(source: &Source, depth: Depth, sink: &mut dyn Sink) -> Result<(), AuditError> {
    match source {
        Source::Store(path) => walk_store(path, depth, sink),
        Source::Export(path) => export::lines::walk(path, sink),
        Source::Open(reader) => match reader.once(|txn| walk_txn(txn, depth, sink)) {
            Some(Ok(outcome)) => outcome.map_err(|found| other_format(Path::new("(open)"), found).into()),
            Some(Err(fault)) => Err(fault_error(Path::new("(open)"), fault)),
            None => Err(AuditError::Unavailable),
        },
    }
}

fn walk_store(path: &Path, depth: Depth, sink: &mut dyn Sink) -> Result<(), AuditError> {
    // A fault inside is a finding of its own; only panics of the store library are for `guarded`.
    guarded(path, || {
        let database = match open_quietly(path, depth) {
            Ok(database) => database,
            Err(error) => return Ok(Err(open_error(path, error).into())),
        };
        let outcome = database.begin_read().map_err(Fault::from).and_then(|txn| walk_txn(&txn, depth, sink));
        Ok(match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(found)) => Err(other_format(path, found).into()),
            Err(fault) => Err(fault_error(path, fault)),
        })
    })?
}

fn open_quietly(path: &Path, depth: Depth) -> Result<Database, redb::Error> {
    Overlay::open(path)?.database(CACHE_BYTES, matches!(depth, Depth::Everything))
}

fn fault_error(path: &Path, fault: Fault) -> AuditError {
    match fault {
        Fault::Damaged { seq, why } => AuditError::Damaged { seq, why },
        Fault::Newer { seq, why } => AuditError::Newer { seq, why },
        Fault::Store(redb::Error::DatabaseClosed) => AuditError::Unavailable,
        Fault::Store(error) => open_error(path, error).into(),
    }
}

/// The inner error is a format number of another version.
fn walk_txn(txn: &ReadTransaction, depth: Depth, sink: &mut dyn Sink) -> Result<Result<(), u32>, Fault> {
    let meta = match tables::read_meta(&txn.open_table(tables::META)?) {
        Ok(meta) => meta,
        Err(MetaFault::Fault(fault)) => return Err(fault),
        Err(MetaFault::Format(found)) => return Ok(Err(found)),
    };
    let from = match depth {
        Depth::Everything => tables::BEFORE_ALL,
        Depth::From(from) => from,
    };
    let newest_row = |table| -> Result<Seq, Fault> {
        let table = txn.open_table(table)?;
        Ok(Seq(table.last()?.map_or(0, |(key, _)| key.value())))
    };
    let head = newest_row(tables::LEDGER)?.max(newest_row(tables::SAMPLES)?).max(meta.flushed.seq);
    let mut tiles = BTreeMap::new();
    if matches!(depth, Depth::Everything) {
        for entry in txn.open_table(tables::TILES)?.iter()? {
            let (key, tile) = entry?;
            // One of another length is missed below, where its place in the tree is compared.
            tiles.extend(tile.value().try_into().ok().map(|tile: Tile| (key.value(), tile)));
        }
    }
    sink.begin(StoreFacts {
        store_id: meta.store_id,
        retired: meta.retired,
        flushed: Some(meta.flushed),
        tiles,
        head,
    });
    let checkpoints = txn.open_table(tables::CHECKPOINTS)?;
    let mut notes = Notes { entries: checkpoints.range(from.0..)?, next: None };
    notes.go_on()?;
    let mut merged = Merged::open(txn, None, from)?;
    while let Some(seq) = merged.seq() {
        if notes.hand_over(Some(seq), sink)?.is_break() {
            return Ok(Ok(()));
        }
        let flow = merged.next(|keep, frame| sink.frame(keep, frame))?;
        if flow.is_some_and(|flow| flow.is_break()) {
            return Ok(Ok(()));
        }
        sink.progress(Progress { done: seq.0.min(head.0), total: head.0 });
    }
    let _ = notes.hand_over(None, sink)?;
    Ok(Ok(()))
}

/// Checkpoints, each held back until every frame up to it was handed over.
struct Notes {
    entries: redb::Range<'static, u64, &'static [u8]>,
    next: Option<(Seq, Vec<u8>)>,
}

impl Notes {
    fn go_on(&mut self) -> Result<(), Fault> {
        let entry = self.entries.next().transpose()?;
        self.next = entry.map(|(key, note)| (Seq(key.value()), note.value().to_vec()));
        Ok(())
    }

    fn hand_over(&mut self, before: Option<Seq>, sink: &mut dyn Sink) -> Result<ControlFlow<()>, Fault> {
        while let Some((key, note)) = self.next.take_if(|(key, _)| before.is_none_or(|before| *key < before))
        {
            let note =
                String::from_utf8(note).map_err(|_| Fault::damaged(key, "its checkpoint is no text"))?;
            if sink.note(key, &note).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.go_on()?;
        }
        Ok(ControlFlow::Continue(()))
    }
}
