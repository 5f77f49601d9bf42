//! Some events with the proof that they stand in a signed log: checkable far from the store they came from.
//!
//! Each event is its exact frame and its RFC 6962 audit path; one signed checkpoint has the root that all paths lead to.
//! The store's first event is always among them: it names the store, and the key that signs for it. What the events
//! mean, and which belong together, is for the caller to say. Written down in `docs/evidence.md`.

use std::{convert::Infallible, ops::ControlFlow};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{
        AuditError, Problem, Progress, Source,
        walk::{self, Sink, StoreFacts},
    },
    checkpoint::{Note, NoteError, Verifier},
    event::{Envelope, Event, Keep},
    frame::{self, Frame},
    ids::{Seq, StoreId},
    log::{LogReader, ReadError},
    merkle::{self, Frontier, Hash, Nodes},
};

/// The longest audit path: a tree of 2^64 leaves.
const PATH_HASHES_MAX: usize = 64;

/// An event as evidence has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its place in the log, as the frame says.
    pub seq: Seq,
    /// Its leaf in the Merkle tree, as the frame says.
    pub leaf: u64,
    /// What kind of fact it is, as the frame says.
    pub kind: String,
    /// The exact frame, in base64.
    pub frame: String,
    /// The audit path: its hashes of 32 bytes one after another, lowest sibling first, in base64.
    pub proof: String,
}

/// Events and the checkpoint that speaks of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The signed note, line by line; each ends with a line feed.
    pub checkpoint: Vec<String>,
    /// The store's first event, and those that are to be proven, in the order of Seq.
    pub events: Vec<Item>,
}

/// Something about evidence that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Complaint {
    /// Which check: a stable word (`docs/evidence.md` lists them).
    pub check: &'static str,
    /// At which event, if at one.
    pub seq: Option<Seq>,
    /// What is wrong, in one line.
    pub what: String,
}

impl Complaint {
    /// A complaint about an event.
    #[must_use]
    pub fn at(check: &'static str, seq: Seq, what: impl Into<String>) -> Self {
        Self { check, seq: Some(seq), what: what.into() }
    }

    /// A complaint about the whole.
    #[must_use]
    pub fn of(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, seq: None, what: what.into() }
    }
}

/// Why evidence cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store or export could not be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// No signed checkpoint speaks of the newest event yet.
    #[error("no checkpoint speaks of event {0} yet")]
    Unsigned(Seq),
    /// The checkpoint of the log is not readable.
    #[error("the checkpoint is not readable: {0}")]
    Note(#[from] NoteError),
}

/// What was proven: the events, decoded, and what the checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The store, by its own first event.
    pub store_id: StoreId,
    /// The checkpoint. Its signature is that of the given key, else of the key that the store's first event names.
    pub note: Note,
    /// The events after the store's first, in the order of Seq.
    pub envelopes: Vec<Envelope>,
    /// For each of them, the canonical JSON of the plan in it, in the words of the version that wrote it.
    pub plans: Vec<Option<Vec<u8>>>,
}

impl Item {
    fn new(frame: &Frame<'_>, leaf: u64, path: &[Hash]) -> Self {
        let kind = Event::REGISTRY.iter().find(|(id, ..)| *id == frame.type_id);
        Self {
            seq: frame.seq,
            leaf,
            kind: kind.map_or_else(|| format!("{}", frame.type_id), |(.., name)| (*name).to_owned()),
            frame: BASE64.encode(frame.bytes),
            proof: BASE64.encode(path.concat()),
        }
    }
}

impl Bundle {
    /// Events of an open log, by their places, against the newest checkpoint. Samples are left out: they have no leaf.
    ///
    /// # Errors
    /// `Unsigned` when the newest checkpoint is older than the newest of the events.
    pub fn of_log(reader: &LogReader, seqs: &[Seq]) -> Result<Self, GatherError> {
        let newest = seqs.iter().copied().max().unwrap_or(Seq(1));
        let text = reader.latest_checkpoint()?.ok_or(GatherError::Unsigned(newest))?;
        let note = Note::parse(&text)?;
        if note.checkpoint.seq < newest {
            return Err(GatherError::Unsigned(newest));
        }
        let mut wanted = vec![Seq(1)];
        wanted.extend(seqs.iter().copied().filter(|seq| *seq > Seq(1)));
        wanted.sort_unstable();
        wanted.dedup();
        let frames = reader.frames(&wanted)?;
        let read = |bytes| frame::read(bytes).ok().and_then(|(frame, _)| Some((frame, frame.leaf?)));
        let leaves: Vec<(Frame<'_>, u64)> =
            frames.iter().filter_map(|bytes| read(bytes.as_slice())).collect();
        let places: Vec<u64> = leaves.iter().map(|(_, leaf)| *leaf).collect();
        let paths = reader.inclusion_proofs(&places, note.checkpoint.leaves)?;
        let events = leaves.iter().zip(&paths).map(|((frame, leaf), path)| Item::new(frame, *leaf, path));
        Ok(Self { checkpoint: lines_of(&text), events: events.collect() })
    }

    /// The events of a store that nobody holds, or of an export, that `take` says belong together; asked once for each
    /// event of the ledger in the order of Seq. Nothing is written. The whole source is read and hashed, but only what
    /// the paths need is compared: `audit::verify` checks a log.
    ///
    /// # Errors
    /// When the source cannot be read; `Unsigned` when no checkpoint speaks of the newest event taken.
    pub fn of_source(
        source: &Source,
        take: &mut dyn FnMut(&Envelope) -> bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, GatherError> {
        let mut gathering = Gathering {
            take,
            progress,
            frontier: Frontier::default(),
            levels: vec![Vec::new()],
            taken: Vec::new(),
            note: None,
            problem: None,
        };
        walk::walk(source, walk::Depth::Everything, &mut gathering)?;
        if let Some(problem) = gathering.problem {
            return Err(AuditError::Damaged { seq: problem.seq, why: problem.what }.into());
        }
        let newest = gathering.taken.last().map_or(Seq(1), |(seq, ..)| *seq);
        let text = gathering.note.ok_or(GatherError::Unsigned(newest))?;
        let note = Note::parse(&text)?;
        let leaves = note.checkpoint.leaves;
        if leaves > gathering.frontier.size() {
            let why = "a checkpoint speaks of more events than there are".to_owned();
            return Err(AuditError::Damaged { seq: note.checkpoint.seq, why }.into());
        }
        if gathering.taken.last().is_some_and(|(_, leaf, _)| *leaf >= leaves) {
            return Err(GatherError::Unsigned(newest));
        }
        let nodes = Levels(gathering.levels);
        let mut events = Vec::with_capacity(gathering.taken.len());
        for (seq, leaf, bytes) in &gathering.taken {
            let (frame, _) = frame::read(bytes)
                .map_err(|error| AuditError::Damaged { seq: *seq, why: error.to_string() })?;
            let Ok(path) = merkle::inclusion_proof(&nodes, *leaf, leaves);
            events.push(Item::new(&frame, *leaf, &path));
        }
        Ok(Self { checkpoint: lines_of(&text), events })
    }

    /// Checks frames, places, audit paths and the checkpoint, without any store.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file.
    pub fn prove(&self, key: Option<&Verifier>) -> Result<Proven, Vec<Complaint>> {
        let note = Note::parse(&text_of(&self.checkpoint))
            .map_err(|error| vec![Complaint::of("checkpoint", error.to_string())])?;
        let mut found = Vec::new();
        let mut read = Vec::new();
        let mut last: Option<(Seq, u64)> = None;
        for item in &self.events {
            match self.read(item, &note, last) {
                Ok(event) => {
                    last = Some((event.0.seq, item.leaf));
                    read.push(event);
                }
                Err(complaint) => found.push(complaint),
            }
        }
        if !found.is_empty() {
            return Err(found);
        }
        let mut events = read.into_iter();
        let first = events.next().map(|(envelope, _)| envelope);
        let created = match first.map(|first| (first.leaf, first.event)) {
            Some((Some(0), Event::StoreCreated(created))) => created,
            _ => return Err(vec![Complaint::of("order", "the first event is not that of a store")]),
        };
        if note.checkpoint.store_id != created.store_id {
            found.push(Complaint::of("checkpoint", "it is that of another store"));
        }
        let own = created.verifier_key.parse::<Verifier>();
        match (key, own) {
            (_, Err(_)) => found.push(Complaint::of("signature", "the store names no key")),
            (Some(key), Ok(_)) => found.extend(signed(&note, key)),
            (None, Ok(own)) => found.extend(signed(&note, &own)),
        }
        if !found.is_empty() {
            return Err(found);
        }
        let (envelopes, plans) = events.unzip();
        Ok(Proven { store_id: created.store_id, note, envelopes, plans })
    }

    /// One event: its frame is whole and readable, stands after the one before, and its path leads to the root.
    fn read(
        &self,
        item: &Item,
        note: &Note,
        last: Option<(Seq, u64)>,
    ) -> Result<(Envelope, Option<Vec<u8>>), Complaint> {
        let at = |check, what: String| Complaint::at(check, item.seq, what);
        let bytes = BASE64.decode(&item.frame).map_err(|_| at("frame", "it is not base64".into()))?;
        let (frame, rest) = frame::read(&bytes).map_err(|error| at("frame", error.to_string()))?;
        if !rest.is_empty() {
            return Err(at("frame", "there are bytes after it".into()));
        }
        let Some(leaf) = frame.leaf else { return Err(at("frame", "a sample is no evidence".into())) };
        let path = BASE64.decode(&item.proof).map_err(|_| at("proof", "it is not base64".into()))?;
        let (path, odd) = path.as_chunks::<32>();
        if !odd.is_empty() || path.len() > PATH_HASHES_MAX {
            return Err(at("proof", "it is not made of whole hashes, at most 64".into()));
        }
        if *item != Item::new(&frame, leaf, path) {
            return Err(at("frame", "what stands beside the frame is not what the frame says".into()));
        }
        // The leaf counts decisions and Seq counts everything, so both grow, and Seq never grows less.
        let follows = match last {
            None => leaf < frame.seq.0,
            Some((seq, before)) => frame.seq > seq && leaf > before && leaf - before <= frame.seq.0 - seq.0,
        };
        if !follows {
            return Err(at("order", "it does not follow the event before it".into()));
        }
        if frame.seq > note.checkpoint.seq {
            return Err(at("order", "the checkpoint is older than it".into()));
        }
        let (leaves, root) = (note.checkpoint.leaves, &note.checkpoint.root);
        if !merkle::verify_inclusion(&merkle::leaf_hash(frame.bytes), leaf, leaves, path, root) {
            return Err(at("proof", "it does not lead from the frame to the checkpoint's root".into()));
        }
        let envelope = frame.envelope().map_err(|error| at("frame", error.to_string()))?;
        let plan = plan_json(&frame, &envelope.event).map_err(|why| at("frame", why))?;
        Ok((envelope, plan))
    }
}

/// The canonical JSON of the plan in an event: what its hash is over, in the words of the version that wrote it.
fn plan_json(frame: &Frame<'_>, event: &Event) -> Result<Option<Vec<u8>>, String> {
    let Event::PlanProposed(proposed) = event else { return Ok(None) };
    let json = match frame.version {
        1 => crate::plan_v1::canonical(frame.body).map_err(|error| error.to_string())?,
        2 => crate::plan_v2::canonical(frame.body).map_err(|error| error.to_string())?,
        version if version == event.version() => {
            serde_json::to_vec(&proposed.plan).map_err(|error| error.to_string())?
        }
        other => return Err(format!("a plan of version {other} cannot be hashed")),
    };
    Ok(Some(json))
}

fn signed(note: &Note, key: &Verifier) -> Option<Complaint> {
    note.verify(key).err().map(|error| Complaint::of("signature", error.to_string()))
}

fn lines_of(note: &str) -> Vec<String> {
    note.strip_suffix('\n').unwrap_or(note).split('\n').map(str::to_owned).collect()
}

fn text_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// The roots of all complete subtrees: level, then index.
struct Levels(Vec<Vec<Hash>>);

impl Nodes for Levels {
    type Error = Infallible;

    fn node(&self, log2: u32, index: u64) -> Result<Hash, Infallible> {
        let level = &self.0[usize::try_from(log2).expect("below 64")];
        Ok(level[usize::try_from(index).expect("it was counted in memory")])
    }
}

struct Gathering<'a> {
    take: &'a mut dyn FnMut(&Envelope) -> bool,
    progress: &'a mut dyn FnMut(Progress),
    frontier: Frontier,
    levels: Vec<Vec<Hash>>,
    taken: Vec<(Seq, u64, Vec<u8>)>,
    /// The newest checkpoint so far.
    note: Option<String>,
    problem: Option<Problem>,
}

impl Sink for Gathering<'_> {
    fn begin(&mut self, _: StoreFacts) {}

    fn frame(&mut self, _: Keep, frame: &Frame<'_>) -> ControlFlow<()> {
        let Some(leaf) = frame.leaf else { return ControlFlow::Continue(()) };
        let (hash, levels) = (merkle::leaf_hash(frame.bytes), &mut self.levels);
        levels[0].push(hash);
        self.frontier.push(hash, |log2, _, root| {
            let level = usize::try_from(log2).expect("below 64");
            if levels.len() <= level {
                levels.push(Vec::new());
            }
            levels[level].push(*root);
        });
        if leaf + 1 != self.frontier.size() {
            let what = "its leaf does not follow".to_owned();
            self.problem(Problem { seq: frame.seq, what, kind: crate::audit::ProblemKind::Leaf });
            return ControlFlow::Break(());
        }
        // What this version does not understand is hashed, and is none of ours.
        let ours = match frame.envelope() {
            Ok(envelope) => leaf == 0 || (self.take)(&envelope),
            Err(_) => false,
        };
        if ours {
            self.taken.push((frame.seq, leaf, frame.bytes.to_vec()));
        }
        ControlFlow::Continue(())
    }

    fn note(&mut self, _: Seq, note: &str) -> ControlFlow<()> {
        self.note = Some(note.to_owned());
        ControlFlow::Continue(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    fn progress(&mut self, progress: Progress) {
        (self.progress)(progress);
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
