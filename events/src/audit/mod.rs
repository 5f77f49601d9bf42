//! Verifying and scanning a log from outside: a store that nobody holds, a log that is open, or an export.
//!
//! Nothing here writes to what it looks at; a store that was not closed is repaired in memory only.
//!
//! What a good verdict means, and what only a kept checkpoint or the verifier key can tell, stands in
//! `docs/log-format.md`.

mod auditor;
mod relay;
pub(crate) mod walk;

use std::{ops::ControlFlow, panic::resume_unwind, path::PathBuf, thread};

use serde::Serialize;

use self::{
    auditor::Auditor,
    relay::Relay,
    walk::{Sink, StoreFacts},
};
use crate::{
    checkpoint::{Note, NoteError, Verifier},
    event::{Envelope, Keep},
    frame::Frame,
    ids::{Moment, Seq, StoreId},
    log::{LogReader, OpenError},
};

/// What is looked at.
#[derive(Debug, Clone)]
pub enum Source {
    /// A store's file that nobody holds.
    Store(PathBuf),
    /// An export's file.
    Export(PathBuf),
    /// A log that is open in this process. Its pages' own checksums are not looked at.
    Open(LogReader),
}

/// What to check beyond the content itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The key that must have signed every checkpoint.
    pub key: Option<Verifier>,
    /// A checkpoint that was kept elsewhere: its note, as text.
    pub checkpoint: Option<String>,
    /// Bodies are decoded from here on only; places, checksums and the tree are always checked from the start.
    pub from: Option<Seq>,
}

/// How far it is: events of a store, bytes of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// What is known of who signed the checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignerCheck {
    /// The given key signed every checkpoint.
    Checked,
    /// No key was given: the signatures fit the key that the log itself names, which proves nothing by itself.
    Unchecked,
    /// A checkpoint is not signed by the given key, or there is none.
    Mismatch,
}

/// The kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Bytes are not what was written.
    Damaged,
    /// Events are missing.
    Gap,
    /// An event stands in the wrong place or the wrong keep.
    Order,
    /// A leaf number does not follow.
    Leaf,
    /// A body does not decode.
    Body,
    /// The tree differs from what a checkpoint or a saved part of the tree says.
    Root,
    /// A checkpoint is not readable or not signed as it must be.
    Signature,
    /// A kept checkpoint knows more than the log.
    Rollback,
    /// An export's readable part or frame of lines does not fit its events.
    Export,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Near which event.
    pub seq: Seq,
    /// What is wrong, in one line.
    pub what: String,
    /// Its kind.
    pub kind: ProblemKind,
}

/// The problems that a verdict lists; more are only counted.
pub const PROBLEMS_LISTED_MAX: usize = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The store's name, if its first event is readable.
    pub store_id: Option<StoreId>,
    /// Events seen, samples included.
    pub events: u64,
    /// Events of the ledger: leaves of the tree.
    pub leaves: u64,
    /// The root over them, computed anew (64 hex digits).
    pub root: String,
    /// The newest Seq.
    pub head: Seq,
    /// Samples up to here were retired; gaps up to here are legal.
    pub retired_through: Seq,
    /// Checkpoints whose root and signature were checked.
    pub checkpoints_checked: u64,
    /// The newest checkpoint's place and time.
    pub newest_checkpoint: Option<(Seq, Moment)>,
    /// Events after the newest checkpoint: nothing signed speaks of them yet.
    pub events_after_checkpoint: u64,
    /// Who signed.
    pub signer: SignerCheck,
    /// Events from a newer version: hashed, but not understood.
    pub opaque: u64,
    /// The first problems, in the order found.
    pub problems: Vec<Problem>,
    /// All problems.
    pub problems_total: u64,
}

impl Verdict {
    /// Nothing is wrong, as far as was checked.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.problems_total == 0 && !matches!(self.signer, SignerCheck::Mismatch)
    }

    /// The verdict in a few words.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        match (self.problems_total, self.signer) {
            (0, SignerCheck::Checked) => "content consistent, signer checked",
            (0, SignerCheck::Unchecked) => "content consistent, signer unchecked",
            (_, SignerCheck::Mismatch) => "NOT signed by the given key",
            _ => "NOT consistent",
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store could not be opened. `Damaged` is a finding, not a failure to look.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The content is not what was written, and there is no way to go on.
    #[error("damaged at event {seq}: {why}")]
    Damaged {
        /// Near which event.
        seq: Seq,
        /// How.
        why: String,
    },
    /// A strict scan met an event from a newer version.
    #[error("event {seq} is from a newer version: {why}")]
    Newer {
        /// Which event.
        seq: Seq,
        /// What is unknown.
        why: String,
    },
    /// The given checkpoint is not one.
    #[error("the given checkpoint cannot be used: {0}")]
    Checkpoint(#[from] NoteError),
    /// The open log was closed meanwhile.
    #[error("the log cannot be read at the moment")]
    Unavailable,
    /// The export's file could not be read.
    #[error("the export could not be read: {0}")]
    Io(#[from] std::io::Error),
}

impl AuditError {
    /// True when looking itself showed that the content was changed or lost.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Open(OpenError::Damaged { .. }))
    }
}

/// Checks everything: checksums, places, bodies, the tree, every checkpoint. Uses two cores: one reads, one recomputes.
///
/// # Errors
/// When the source cannot be read at all.
pub fn verify(
    source: &Source,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verdict, AuditError> {
    let kept = options.checkpoint.as_deref().map(Note::parse).transpose()?;
    let (mut relay, found) = Relay::new(progress);
    let mut auditor = Auditor::new(options, kept);
    let (outcome, mut auditor) = thread::scope(|scope| {
        let auditing = scope.spawn(move || {
            found.into_iter().for_each(|found| auditor.take(found));
            auditor
        });
        let outcome = walk::walk(source, walk::Depth::Everything, &mut relay);
        relay.finish();
        (outcome, auditing.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    match outcome {
        Err(AuditError::Damaged { seq, why }) => auditor.stopped(seq, why),
        outcome => outcome?,
    }
    Ok(auditor.verdict())
}

/// An event as a tolerant scan shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An event that this version understands.
    Known(Box<Envelope>),
    /// An event from a newer version.
    Opaque {
        /// Its place.
        seq: Seq,
        /// Its leaf, unless it is a sample.
        leaf: Option<u64>,
        /// When it happened.
        at: Moment,
        /// Its kind's number.
        type_id: u16,
        /// The version of its body's shape.
        version: u8,
        /// Its whole frame.
        frame: Vec<u8>,
    },
}

/// Hands out the events `from ..= to` in the order of Seq, both keeps, until `each` breaks. Meant for replay:
/// checksums are checked, the tree is not.
///
/// # Errors
/// When the source cannot be read, or an event is damaged or from a newer version.
pub fn scan(
    source: &Source,
    from: Seq,
    to: Option<Seq>,
    each: &mut dyn FnMut(Envelope) -> ControlFlow<()>,
) -> Result<(), AuditError> {
    scan_watched(source, from, to, each, &mut |_| {})
}

/// As [`scan`], and tells how far it is.
///
/// # Errors
/// As [`scan`].
pub fn scan_watched(
    source: &Source,
    from: Seq,
    to: Option<Seq>,
    each: &mut dyn FnMut(Envelope) -> ControlFlow<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), AuditError> {
    let mut scanner = Scanner {
        from,
        to,
        outcome: Ok(()),
        progress,
        each: |frame: &Frame<'_>| match frame.envelope() {
            Ok(envelope) => Ok(each(envelope)),
            Err(error) if error.is_newer() => {
                Err(AuditError::Newer { seq: frame.seq, why: error.to_string() })
            }
            Err(error) => Err(AuditError::Damaged { seq: frame.seq, why: error.to_string() }),
        },
    };
    walk::walk(source, walk::Depth::From(from), &mut scanner)?;
    scanner.outcome
}

/// As [`scan`], but shows events from a newer version as what they are.
///
/// # Errors
/// When the source cannot be read, or an event is damaged.
pub fn scan_tolerant(
    source: &Source,
    from: Seq,
    to: Option<Seq>,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), AuditError> {
    let mut scanner = Scanner {
        from,
        to,
        outcome: Ok(()),
        progress: &mut |_| {},
        each: |frame: &Frame<'_>| match frame.envelope() {
            Ok(envelope) => Ok(each(Entry::Known(Box::new(envelope)))),
            Err(error) if error.is_newer() => Ok(each(Entry::Opaque {
                seq: frame.seq,
                leaf: frame.leaf,
                at: frame.at,
                type_id: frame.type_id,
                version: frame.version,
                frame: frame.bytes.to_vec(),
            })),
            Err(error) => Err(AuditError::Damaged { seq: frame.seq, why: error.to_string() }),
        },
    };
    walk::walk(source, walk::Depth::From(from), &mut scanner)?;
    scanner.outcome
}

struct Scanner<'a, E> {
    from: Seq,
    to: Option<Seq>,
    outcome: Result<(), AuditError>,
    progress: &'a mut dyn FnMut(Progress),
    each: E,
}

impl<E: FnMut(&Frame<'_>) -> Result<ControlFlow<()>, AuditError>> Sink for Scanner<'_, E> {
    fn begin(&mut self, _: StoreFacts) {}

    fn frame(&mut self, _: Keep, frame: &Frame<'_>) -> ControlFlow<()> {
        if self.to.is_some_and(|to| frame.seq > to) {
            return ControlFlow::Break(());
        }
        if frame.seq < self.from {
            return ControlFlow::Continue(());
        }
        (self.each)(frame).unwrap_or_else(|error| {
            self.outcome = Err(error);
            ControlFlow::Break(())
        })
    }

    fn note(&mut self, _: Seq, _: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn problem(&mut self, problem: Problem) {
        if self.outcome.is_ok() {
            self.outcome = Err(AuditError::Damaged { seq: problem.seq, why: problem.what });
        }
    }

    fn progress(&mut self, progress: Progress) {
        (self.progress)(progress);
    }
}
