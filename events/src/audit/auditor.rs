//! Recomputes what a log claims, frame by frame.

use std::collections::BTreeMap;

use super::{
    Options, PROBLEMS_LISTED_MAX, Problem, ProblemKind, SignerCheck, Verdict, relay::Found, walk::StoreFacts,
};
use crate::{
    checkpoint::{Note, NoteError, Verifier},
    event::{Event, Keep},
    frame::Frame,
    ids::{Moment, Seq, StoreId},
    log::tables::{self, Flushed, Tile},
    merkle::{self, Frontier},
};

pub(super) struct Auditor {
    key: Option<Verifier>,
    from: Seq,
    /// A checkpoint kept elsewhere, until it was compared.
    kept: Option<Note>,
    claimed_store: Option<StoreId>,
    retired: Seq,
    flushed: Option<Flushed>,
    /// Tiles of so many leaves are saved; those completed and not compared yet.
    saved_leaves: u64,
    tiles: Vec<(u64, Tile)>,
    saved_tiles: BTreeMap<u64, Tile>,

    store_id: Option<StoreId>,
    own_key: Option<Verifier>,
    frontier: Frontier,
    block_first: Seq,
    events: u64,
    last: Seq,
    checkpoints_checked: u64,
    newest_checkpoint: Option<(Seq, Moment)>,
    events_after_checkpoint: u64,
    mismatch: bool,
    opaque: u64,
    problems: Vec<Problem>,
    problems_total: u64,
    stopped: bool,
}

impl Auditor {
    pub(super) fn new(options: &Options, kept: Option<Note>) -> Self {
        Self {
            key: options.key,
            from: options.from.unwrap_or_default(),
            kept,
            claimed_store: None,
            retired: Seq(0),
            flushed: None,
            saved_leaves: 0,
            tiles: Vec::new(),
            saved_tiles: BTreeMap::new(),
            store_id: None,
            own_key: None,
            frontier: Frontier::default(),
            block_first: Seq(0),
            events: 0,
            last: Seq(0),
            checkpoints_checked: 0,
            newest_checkpoint: None,
            events_after_checkpoint: 0,
            mismatch: false,
            opaque: 0,
            problems: Vec::new(),
            problems_total: 0,
            stopped: false,
        }
    }

    fn wrong(&mut self, kind: ProblemKind, seq: Seq, what: impl Into<String>) {
        self.problem(Problem { seq, what: what.into(), kind });
    }

    /// The walk could not go on.
    pub(super) fn stopped(&mut self, seq: Seq, why: String) {
        self.stopped = true;
        self.wrong(ProblemKind::Damaged, seq, why);
    }

    pub(super) fn verdict(mut self) -> Verdict {
        if !self.stopped {
            self.at_the_end();
        }
        let signer = match self.key {
            _ if self.mismatch => SignerCheck::Mismatch,
            Some(_) if self.checkpoints_checked == 0 => SignerCheck::Mismatch,
            Some(_) => SignerCheck::Checked,
            None => SignerCheck::Unchecked,
        };
        Verdict {
            store_id: self.store_id,
            events: self.events,
            leaves: self.frontier.size(),
            root: hex(&self.frontier.root()),
            head: self.last,
            retired_through: self.retired,
            checkpoints_checked: self.checkpoints_checked,
            newest_checkpoint: self.newest_checkpoint,
            events_after_checkpoint: self.events_after_checkpoint,
            signer,
            opaque: self.opaque,
            problems: self.problems,
            problems_total: self.problems_total,
        }
    }

    fn at_the_end(&mut self) {
        self.compare_marks(Seq(u64::MAX));
        if self.events == 0 {
            self.wrong(ProblemKind::Gap, Seq(1), "there is no event at all");
        }
        if self.checkpoints_checked == 0 {
            self.wrong(ProblemKind::Signature, self.last, "there is no checkpoint, not even the first one");
        }
    }

    /// The newest place that the log can account for.
    fn known_through(&self) -> Seq {
        self.last.max(self.retired)
    }

    /// Compares the tree with everything that speaks of a place before `next`.
    fn compare_marks(&mut self, next: Seq) {
        if let Some(kept) = self.kept.take_if(|kept| kept.checkpoint.seq < next) {
            let seq = kept.checkpoint.seq;
            if seq > self.known_through() {
                let (known, last) = (seq, self.last);
                self.wrong(
                    ProblemKind::Rollback,
                    last,
                    format!("the kept checkpoint knows event {known}, the log ends at {last}: newer events were removed, or an older copy was put in its place"),
                );
            } else {
                self.compare_note(&kept, "the kept checkpoint");
            }
        }
        if let Some(flushed) = self.flushed.take_if(|flushed| flushed.seq < next) {
            if flushed.seq > self.known_through() {
                let what = format!("the store was written up to event {}, which is missing", flushed.seq);
                self.wrong(ProblemKind::Gap, self.last, what);
            } else if flushed.frontier != self.frontier {
                self.wrong(ProblemKind::Root, flushed.seq, "the saved edge of the tree differs");
            }
        }
    }

    fn compare_note(&mut self, note: &Note, which: &str) {
        let said = &note.checkpoint;
        let seq = said.seq;
        if self.store_id.is_some_and(|id| id != said.store_id) {
            let what = format!("{which} belongs to another store, {}", said.store_id);
            self.wrong(ProblemKind::Signature, seq, what);
        }
        if said.leaves != self.frontier.size() {
            let what = format!("{which} counts {} leaves, there are {}", said.leaves, self.frontier.size());
            self.wrong(ProblemKind::Root, seq, what);
        } else if said.root != self.frontier.root() {
            self.wrong(ProblemKind::Root, seq, format!("{which} has another root: the ledger was changed"));
        }
        let own = self.own_key;
        for (key, given) in [(self.key, true), (own.filter(|own| Some(*own) != self.key), false)] {
            match key.map(|key| note.verify(&key)) {
                None | Some(Ok(())) => {}
                Some(Err(NoteError::OtherKey)) if given => self.mismatch = true,
                Some(Err(error)) => {
                    self.wrong(ProblemKind::Signature, seq, format!("{which}: {error}"));
                }
            }
        }
        if own.is_none() && self.key.is_none() {
            self.wrong(
                ProblemKind::Signature,
                seq,
                format!("{which}: the log names no key to check it with"),
            );
        }
        self.checkpoints_checked += 1;
    }

    fn check_place(&mut self, keep: Keep, frame: &Frame<'_>) {
        let (seq, last) = (frame.seq, self.last);
        if seq <= last {
            self.wrong(ProblemKind::Order, seq, format!("it stands after event {last}"));
        } else if seq.0 > last.0 + 1 && seq.0 - 1 > self.retired.0 {
            let (first, end) = (last.0.max(self.retired.0) + 1, seq.0 - 1);
            self.wrong(ProblemKind::Gap, seq, format!("events {first} to {end} are missing before it"));
        }
        self.last = last.max(seq);
        match (keep, frame.leaf) {
            (Keep::Ledger, leaf) => {
                if leaf != Some(self.frontier.size()) {
                    let what = format!("its leaf number is {leaf:?}, {} follows", self.frontier.size());
                    self.wrong(ProblemKind::Leaf, seq, what);
                }
                self.push(frame);
            }
            (Keep::Samples, Some(_)) => {
                self.wrong(ProblemKind::Order, seq, "a ledger event stands among the samples");
            }
            (Keep::Samples, None) => {}
        }
    }

    fn push(&mut self, frame: &Frame<'_>) {
        if self.frontier.size().is_multiple_of(256) {
            self.block_first = frame.seq;
        }
        let (tiles, block_first, saved) = (&mut self.tiles, self.block_first, self.saved_leaves);
        self.frontier.push(merkle::leaf_hash(frame.bytes), |log2, index, root| {
            if log2 % 8 == 0 && (index + 1) << log2 <= saved {
                let first = if log2 == 8 { block_first } else { tables::BEFORE_ALL };
                tiles.push((tables::tile_key(log2 / 8, index), tables::tile(root, first)));
            }
        });
    }

    fn check_body(&mut self, keep: Keep, frame: &Frame<'_>) {
        let seq = frame.seq;
        let envelope = match frame.envelope() {
            Ok(envelope) => envelope,
            Err(error) if error.is_newer() => {
                self.opaque += 1;
                return;
            }
            Err(error) => return self.wrong(ProblemKind::Body, seq, error.to_string()),
        };
        if envelope.event.keep() != keep {
            let what = format!("a {} does not belong into this keep", envelope.event.kind());
            self.wrong(ProblemKind::Order, seq, what);
        }
        match envelope.event {
            Event::StoreCreated(created) if self.events == 0 => {
                self.store_id = Some(created.store_id);
                self.own_key = created.verifier_key.parse().ok();
                if self.claimed_store.is_some_and(|claimed| claimed != created.store_id) {
                    self.wrong(ProblemKind::Order, seq, "its first event names another store");
                }
            }
            Event::StoreCreated(_) => self.wrong(ProblemKind::Order, seq, "a store is created only once"),
            _ if self.events == 0 => {
                self.wrong(ProblemKind::Order, seq, "the first event is not the store's creation");
            }
            _ => {}
        }
    }
}

impl Auditor {
    /// Takes what the walk found, in the order in which it was found.
    pub(super) fn take(&mut self, found: Found) {
        match found {
            Found::Facts(facts) => self.begin(facts),
            Found::Frames(frames) => frames.each(|keep, frame| self.frame(keep, frame)),
            Found::Note(key, note) => self.note(key, &note),
            Found::Problem(problem) => self.problem(problem),
        }
    }

    fn begin(&mut self, facts: StoreFacts) {
        self.claimed_store = Some(facts.store_id);
        self.retired = facts.retired;
        self.saved_leaves = facts.flushed.as_ref().map_or(0, |flushed| flushed.frontier.size());
        self.flushed = facts.flushed;
        self.saved_tiles = facts.tiles;
    }

    fn frame(&mut self, keep: Keep, frame: &Frame<'_>) {
        self.compare_marks(frame.seq);
        self.check_place(keep, frame);
        if self.events == 0 || frame.seq >= self.from {
            self.check_body(keep, frame);
        }
        self.events += 1;
        self.events_after_checkpoint += 1;
        for (key, tile) in std::mem::take(&mut self.tiles) {
            if self.saved_tiles.remove(&key) != Some(tile) {
                self.wrong(ProblemKind::Root, self.last, "a saved part of the tree differs");
            }
        }
    }

    fn note(&mut self, key: Seq, note: &str) {
        match Note::parse(note) {
            Err(error) => self.wrong(ProblemKind::Signature, key, error.to_string()),
            Ok(note) if note.checkpoint.seq != key => {
                self.wrong(ProblemKind::Signature, key, "a checkpoint is filed under another event");
            }
            Ok(note) if note.checkpoint.seq > self.known_through() => {
                self.wrong(
                    ProblemKind::Gap,
                    self.last,
                    format!("a checkpoint knows event {key}, which is missing"),
                );
            }
            Ok(note) => {
                self.compare_note(&note, "the checkpoint");
                self.newest_checkpoint = Some((note.checkpoint.seq, note.checkpoint.at));
                self.events_after_checkpoint = 0;
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_LISTED_MAX {
            self.problems.push(problem);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
