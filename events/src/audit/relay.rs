//! Hands what a walk finds to another thread, so that reading and checksums use one core and hashing and decoding another.

use std::{
    ops::ControlFlow,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{
    Problem, Progress,
    walk::{Sink, StoreFacts},
};
use crate::{
    event::Keep,
    frame::{self, Frame},
    ids::Seq,
};

/// Frames travel together, up to this many bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches on their way.
const WAITING_MAX: usize = 8;
/// Progress is told every so many events.
const PROGRESS_EVERY: u64 = 4096;

/// What was found, in order.
#[derive(Debug)]
pub(super) enum Found {
    Facts(StoreFacts),
    Frames(Frames),
    Note(Seq, String),
    Problem(Problem),
}

/// Frames whose checksums were looked at, one after another.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    keeps: Vec<Keep>,
}

impl Frames {
    pub(super) fn each(&self, mut each: impl FnMut(Keep, &Frame<'_>)) {
        let mut rest = self.bytes.as_slice();
        for keep in &self.keeps {
            let frame;
            (frame, rest) = frame::read_unchecked(rest).expect("they were frames when they were gathered");
            each(*keep, &frame);
        }
    }
}

/// The walk's side.
pub(super) struct Relay<'a> {
    give: SyncSender<Found>,
    frames: Frames,
    events: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Relay<'a> {
    pub(super) fn new(progress: &'a mut dyn FnMut(Progress)) -> (Self, Receiver<Found>) {
        let (give, take) = sync_channel(WAITING_MAX);
        (Self { give, frames: Frames::default(), events: 0, progress }, take)
    }

    /// Hands over what was gathered; then the other side's channel ends.
    pub(super) fn finish(mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        if !self.frames.keeps.is_empty() {
            let room = Frames { bytes: Vec::with_capacity(BATCH_BYTES + 4096), keeps: Vec::new() };
            let frames = std::mem::replace(&mut self.frames, room);
            self.hand_over(Found::Frames(frames));
        }
    }

    fn hand_over(&mut self, found: Found) {
        // The other side ends early only by a panic, which its join tells.
        let _ = self.give.send(found);
    }

    fn after_frames(&mut self, found: Found) {
        self.flush();
        self.hand_over(found);
    }
}

impl Sink for Relay<'_> {
    fn begin(&mut self, facts: StoreFacts) {
        self.hand_over(Found::Facts(facts));
    }

    fn frame(&mut self, keep: Keep, frame: &Frame<'_>) -> ControlFlow<()> {
        self.frames.bytes.extend_from_slice(frame.bytes);
        self.frames.keeps.push(keep);
        self.events += 1;
        if self.frames.bytes.len() >= BATCH_BYTES {
            self.flush();
        }
        ControlFlow::Continue(())
    }

    fn note(&mut self, key: Seq, note: &str) -> ControlFlow<()> {
        self.after_frames(Found::Note(key, note.to_owned()));
        ControlFlow::Continue(())
    }

    fn problem(&mut self, problem: Problem) {
        self.after_frames(Found::Problem(problem));
    }

    fn progress(&mut self, progress: Progress) {
        if self.events.is_multiple_of(PROGRESS_EVERY) || progress.done == progress.total {
            (self.progress)(progress);
        }
    }
}
