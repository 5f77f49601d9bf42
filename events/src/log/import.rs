//! A store made anew from an export: the same frames at the same places, so the same tree and the same checkpoints.

use std::{ops::ControlFlow, path::Path};

use redb::Database;

use super::{
    OpenError,
    append::{self, Batch, Row},
    error::{Fault, io_error, open_error},
    open,
    storage::Storage,
    tables,
    tail::{Growth, Tail},
    tend,
};
use crate::{
    audit::{
        self, AuditError, Problem, Progress, Source, Verdict,
        walk::{self, Sink, StoreFacts},
    },
    event::Keep,
    frame::Frame,
    ids::Seq,
};

/// A commit is made whenever so many bytes have gathered.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;
/// As in the hot path: look-ups read whole rows.
const ROW_BYTES_TARGET: usize = 64 * 1024;
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no new store.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The export is not consistent; its verdict says how.
    #[error("the export was not imported: {}", .0.problems.first().map_or(.0.sentence(), |problem| problem.what.as_str()))]
    NotGood(Box<Verdict>),
    /// The export could not be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The new store could not be made.
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Verifies an export and makes a store of it at `path`. Router logins are no part of an export.
///
/// # Errors
/// When the export is not good, there is a store already, or the place cannot be written.
pub fn import(
    export: &Path,
    path: &Path,
    options: &audit::Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verdict, ImportError> {
    let source = Source::Export(export.to_path_buf());
    let verdict = audit::verify(&source, options, progress)?;
    if !verdict.is_good() {
        return Err(ImportError::NotGood(Box::new(verdict)));
    }
    let storage = Storage::File(path.to_path_buf());
    let outcome = fill(&source, path, &storage, progress);
    if let Err(error) = outcome {
        if !matches!(error, ImportError::Store(OpenError::Exists { .. })) {
            storage.discard_unfinished();
        }
        return Err(error);
    }
    Ok(verdict)
}

fn fill(
    source: &Source,
    path: &Path,
    storage: &Storage,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImportError> {
    let database = storage.create(CACHE_BYTES).map_err(|error| open_error(path, error))?;
    let mut importer = Importer {
        database: &database,
        progress,
        facts: None,
        tail: Tail::default(),
        batch: Batch::default(),
        notes: Vec::new(),
        bytes: 0,
        outcome: Ok(()),
    };
    walk::walk(source, walk::Depth::Everything, &mut importer)?;
    importer.commit();
    importer.outcome.map_err(|fault| fault.into_open_error(path))?;
    database.close().map_err(|error| open_error(path, error.into()))?;
    storage.publish().map_err(|error| io_error(path.to_path_buf(), error))?;
    // The store must open as any other does.
    drop(open::open_storage(storage, CACHE_BYTES)?);
    Ok(())
}

struct Importer<'a> {
    database: &'a Database,
    progress: &'a mut dyn FnMut(Progress),
    facts: Option<StoreFacts>,
    tail: Tail,
    batch: Batch,
    notes: Vec<(Seq, String)>,
    bytes: usize,
    outcome: Result<(), Fault>,
}

impl Importer<'_> {
    fn commit(&mut self) {
        let outcome = self.try_commit();
        if self.outcome.is_ok() {
            self.outcome = outcome;
        }
    }

    fn try_commit(&mut self) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.batch);
        let Some(facts) = &self.facts else { return Ok(()) };
        let txn = append::begin(self.database, true)?;
        {
            let mut meta = txn.open_table(tables::META)?;
            meta.insert(tables::META_FORMAT, tables::FORMAT.to_le_bytes().as_slice())?;
            meta.insert(tables::META_STORE, facts.store_id.to_u128().to_le_bytes().as_slice())?;
            meta.insert(tables::META_RETIRED, facts.retired.0.to_le_bytes().as_slice())?;
        }
        txn.open_table(tables::SAMPLES)?;
        txn.open_table(tables::CREDENTIALS)?;
        append::write_rows(&txn, &batch)?;
        tend::write_derived(&txn, &self.tail, &batch.growth)?;
        for (seq, note) in self.notes.drain(..) {
            tend::write_checkpoint(&txn, seq, &note)?;
        }
        txn.commit()?;
        self.tail.absorb(batch.growth);
        self.tail.forget_flushed();
        self.batch.growth = Growth::after(&self.tail);
        self.bytes = 0;
        Ok(())
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Sink for Importer<'_> {
    fn begin(&mut self, facts: StoreFacts) {
        self.facts = Some(facts);
    }

    fn frame(&mut self, keep: Keep, frame: &Frame<'_>) -> ControlFlow<()> {
        let rows = match keep {
            Keep::Ledger => &mut self.batch.ledger,
            Keep::Samples => &mut self.batch.samples,
        };
        if rows.last().is_none_or(|row| row.frames.len() >= ROW_BYTES_TARGET) {
            rows.push(Row { first: frame.seq, frames: Vec::new() });
        }
        rows.last_mut().expect("one was pushed if there was none").frames.extend_from_slice(frame.bytes);
        match (keep, frame.envelope()) {
            (Keep::Samples, _) => self.batch.growth.add_sample(frame.seq),
            (Keep::Ledger, Ok(envelope)) => {
                let subjects = envelope.event.subjects();
                self.batch.growth.add_ledger(frame.seq, frame.bytes, frame.name, &subjects);
            }
            (Keep::Ledger, Err(error)) => self.outcome = Err(Fault::decode(frame.seq, &error)),
        }
        self.bytes += frame.bytes.len();
        if self.bytes >= COMMIT_BYTES {
            self.commit();
        }
        self.flow()
    }

    fn note(&mut self, key: Seq, note: &str) -> ControlFlow<()> {
        self.notes.push((key, note.to_owned()));
        self.flow()
    }

    fn problem(&mut self, problem: Problem) {
        self.outcome = Err(Fault::damaged(problem.seq, problem.what));
    }

    fn progress(&mut self, progress: Progress) {
        (self.progress)(progress);
    }
}
