//! The log as lines of JSON: readable without this product, and verifiable on its own.
//!
//! Every event stands there twice: as readable JSON, and as the exact frame it has in the store. The frames carry the
//! proof; verifying compares both. The lines are described in `docs/log-format.md`.

pub(crate) mod lines;

use std::{io::Write, ops::ControlFlow};

use sha2::{Digest, Sha256};

use crate::{
    audit::{
        AuditError, Problem, Progress, Source,
        walk::{self, Sink, StoreFacts},
    },
    event::{Event, Keep},
    frame::Frame,
    ids::{Seq, StoreId},
    merkle::{self, Frontier},
};

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// The store's name.
    pub store_id: StoreId,
    /// Events, samples included.
    pub events: u64,
    /// Events of the ledger.
    pub leaves: u64,
    /// The root over them (64 hex digits).
    pub root: String,
    /// The newest Seq.
    pub head: Seq,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// Writes the whole source as lines. The result depends on the log's content only: two exports of the same log are
/// equal byte by byte.
///
/// # Errors
/// When the source cannot be read or is damaged, or `out` cannot be written.
pub fn export(
    source: &Source,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, AuditError> {
    let mut exporter = Exporter {
        out,
        progress,
        facts: None,
        begun: false,
        hasher: Sha256::new(),
        frontier: Frontier::default(),
        events: 0,
        samples: 0,
        head: Seq(0),
        checkpoints: 0,
        outcome: Ok(()),
    };
    walk::walk(source, walk::Depth::Everything, &mut exporter)?;
    exporter.finish()
}

struct Exporter<'a> {
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(Progress),
    facts: Option<StoreFacts>,
    begun: bool,
    hasher: Sha256,
    frontier: Frontier,
    events: u64,
    samples: u64,
    head: Seq,
    checkpoints: u64,
    outcome: Result<(), AuditError>,
}

impl Exporter<'_> {
    fn line(&mut self, line: &str) -> ControlFlow<()> {
        self.hasher.update(line.as_bytes());
        match self.out.write_all(line.as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.outcome = Err(error.into());
                ControlFlow::Break(())
            }
        }
    }

    /// The first line needs what the first event says.
    fn first_line(&mut self, frame: &Frame<'_>) -> ControlFlow<()> {
        self.begun = true;
        let facts = self.facts.as_ref().expect("a walk begins before its first frame");
        let (product_version, verifier_key) = match frame.envelope().map(|envelope| envelope.event) {
            Ok(Event::StoreCreated(created)) => (created.product_version, created.verifier_key),
            _ => (String::new(), String::new()),
        };
        let header = lines::Line::Header(lines::Header {
            format: lines::FORMAT.to_owned(),
            store_id: facts.store_id,
            product_version,
            verifier_key,
            retired_through: facts.retired,
            head: facts.head,
        });
        self.line(&lines::render(&header))
    }

    fn finish(mut self) -> Result<Summary, AuditError> {
        std::mem::replace(&mut self.outcome, Ok(()))?;
        let (Some(facts), true) = (self.facts.take(), self.begun) else {
            return Err(AuditError::Damaged { seq: Seq(1), why: "there is no event at all".into() });
        };
        let summary = Summary {
            store_id: facts.store_id,
            events: self.events,
            leaves: self.frontier.size(),
            root: lines::hex(&self.frontier.root()),
            head: self.head,
            checkpoints: self.checkpoints,
        };
        let trailer = lines::Line::Trailer(lines::Trailer {
            events: self.events,
            ledger: self.frontier.size(),
            samples: self.samples,
            checkpoints: self.checkpoints,
            root: summary.root.clone(),
            sha256: lines::hex(&self.hasher.clone().finalize()),
        });
        let _ = self.line(&lines::render(&trailer));
        self.outcome?;
        self.out.flush()?;
        Ok(summary)
    }
}

impl Sink for Exporter<'_> {
    fn begin(&mut self, facts: StoreFacts) {
        self.facts = Some(facts);
    }

    fn frame(&mut self, keep: Keep, frame: &Frame<'_>) -> ControlFlow<()> {
        if !self.begun && self.first_line(frame).is_break() {
            return ControlFlow::Break(());
        }
        match keep {
            Keep::Ledger => self.frontier.push(merkle::leaf_hash(frame.bytes), |_, _, _| {}),
            Keep::Samples => self.samples += 1,
        }
        self.events += 1;
        self.head = self.head.max(frame.seq);
        match lines::render_frame(frame) {
            Ok(line) => self.line(&line),
            Err(error) => {
                self.outcome = Err(AuditError::Damaged { seq: frame.seq, why: error.to_string() });
                ControlFlow::Break(())
            }
        }
    }

    fn note(&mut self, key: Seq, note: &str) -> ControlFlow<()> {
        self.checkpoints += 1;
        let line = lines::Line::Checkpoint(lines::CheckpointLine { seq: key, note: note.to_owned() });
        self.line(&lines::render(&line))
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
