//! One thread: decide → append → commit → apply → publish → answer.
//!
//! Decisions see the batch that is still being gathered. A commit that fails is unknown: the log is reopened, asked what
//! became of the batch, and the state is rebuilt from it; reads go on from the views meanwhile.

use std::{
    sync::{Arc, RwLock, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use events::{
    event::{Envelope, Event, Keep, NewEvent},
    fold::Fold as _,
    ids::{CommandId, Seq},
    log::{AppendError, Appended, EventLog, Settled, SideTable, SideWrite},
    principal::Actor,
    sample::HealthBatch,
    store::AuditGap,
    ticket::Ticket,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    domain::{Command, State, decide},
    engine::{Committed, Options, Request, Storage, Wish, clock, mint},
    failure::{Code, Failure},
    projections::Views,
};

/// Wishes in one commit: one fsync; 512 records of 200 B are about 100 kB.
const BATCH_MAX: usize = 512;
/// After this long without a wish the log does its own chores.
const IDLE: Duration = Duration::from_secs(1);
/// Samples are gathered this long (DECISIONS: log 5).
const SAMPLES_EVERY: Duration = Duration::from_secs(5);
/// How long a lost commit is looked for before callers are told that its outcome is unknown (DECISIONS: log 7).
const SETTLE_FOR: Duration = Duration::from_secs(5);
/// A snapshot is due after this many events …
const SNAPSHOT_EVERY_EVENTS: u64 = 250_000;
/// … or after so long with at least one.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(600);

type Answer = oneshot::Sender<Result<Committed, Failure>>;

/// Everything the writer owns.
pub(super) struct Writer {
    pub log: EventLog,
    pub state: State,
    pub views: Arc<RwLock<Views>>,
    pub options: Options,
    pub commands: mpsc::Receiver<Request>,
    pub records: mpsc::Receiver<Request>,
    pub stop: mpsc::Receiver<()>,
    pub signing: mpsc::Receiver<oneshot::Sender<Result<(), Failure>>>,
    pub head: watch::Sender<Seq>,
    pub storage: watch::Sender<Storage>,
    pub published: broadcast::Sender<Envelope>,
    pub lost_records: Arc<AtomicU64>,
}

/// Callers of one batch, with how many of its events are theirs.
struct Waiting {
    command_id: CommandId,
    answer: Option<Answer>,
    events: usize,
}

enum Woken {
    Command(Request),
    Record(Request),
    Sign(oneshot::Sender<Result<(), Failure>>),
    Idle,
    Stop,
}

/// Tells everybody when the writer is gone, whatever ended it.
struct Gone(watch::Sender<Storage>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.send_replace(Storage::Stopped);
    }
}

impl Writer {
    pub(super) fn run(mut self) {
        let _gone = Gone(self.storage.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a timer runtime can be made at start-up");
        let mut samples = HealthBatch { samples: Vec::new() };
        let mut samples_since = std::time::Instant::now();
        let (mut snapshot_at, mut snapshot_since) = (self.state.seq.0, std::time::Instant::now());
        loop {
            let woken = runtime.block_on(self.wake());
            let mut requests = Vec::new();
            match woken {
                Woken::Command(request) | Woken::Record(request) => requests.push(request),
                Woken::Sign(answer) => self.sign(answer),
                Woken::Idle => {}
                Woken::Stop => break,
            }
            while requests.len() < BATCH_MAX {
                match self.commands.try_recv().or_else(|_| self.records.try_recv()) {
                    Ok(request) => requests.push(request),
                    Err(_) => break,
                }
            }
            if !requests.is_empty() {
                events::crash::point("writer.dequeued");
            }
            requests.retain_mut(|request| {
                if let Command::RecordHealth(batch) = &mut request.wish.command {
                    if samples.samples.is_empty() {
                        samples_since = std::time::Instant::now();
                    }
                    samples.samples.append(&mut batch.samples);
                    return false;
                }
                true
            });
            if !samples.samples.is_empty() && samples_since.elapsed() >= SAMPLES_EVERY {
                let batch = std::mem::replace(&mut samples, HealthBatch { samples: Vec::new() });
                requests.push(own(Command::RecordHealth(batch)));
            }
            let idle = requests.is_empty();
            self.serve(requests);
            if idle && let Err(error) = self.log.tend(clock::now()) {
                self.recover(&error, Vec::new());
            }
            let news = self.state.seq.0.saturating_sub(snapshot_at);
            let old = news > 0 && snapshot_since.elapsed() >= SNAPSHOT_EVERY;
            if old || news >= SNAPSHOT_EVERY_EVENTS {
                (snapshot_at, snapshot_since) = (self.state.seq.0, std::time::Instant::now());
                self.save_snapshot();
            }
        }
        self.finish(samples);
    }

    /// What is to be signed is rare and waited for; then commands, then records.
    async fn wake(&mut self) -> Woken {
        tokio::select! {
            biased;
            Some(answer) = self.signing.recv() => Woken::Sign(answer),
            Some(request) = self.commands.recv() => Woken::Command(request),
            Some(request) = self.records.recv() => Woken::Record(request),
            _ = self.stop.recv() => Woken::Stop,
            () = tokio::time::sleep(IDLE) => Woken::Idle,
        }
    }

    /// Signs the newest state. A commit that fails is recovered from like any other; nothing is in doubt by it.
    fn sign(&mut self, answer: oneshot::Sender<Result<(), Failure>>) {
        let signed = self.log.checkpoint(clock::now());
        let said = signed.as_ref().map(drop).map_err(|_| unavailable("the disk cannot be written now"));
        // A caller who left is no error.
        let _ = answer.send(said);
        if let Err(error) = signed {
            self.recover(&error, Vec::new());
        }
    }

    fn finish(mut self, samples: HealthBatch) {
        self.commands.close();
        self.records.close();
        let mut rest = Vec::new();
        while let Ok(request) = self.commands.try_recv().or_else(|_| self.records.try_recv()) {
            rest.push(request);
        }
        if !samples.samples.is_empty() {
            rest.push(own(Command::RecordHealth(samples)));
        }
        self.serve(rest);
        self.save_snapshot();
        if let Err(error) = self.log.close(clock::now()) {
            tracing::error!(%error, "the log could not be closed cleanly; it is repaired at the next start");
        }
        self.storage.send_replace(Storage::Stopped);
    }

    fn serve(&mut self, requests: Vec<Request>) {
        let at = clock::now();
        let mut batch = Vec::new();
        let mut side = Vec::new();
        let mut waiting = Vec::new();
        for Request { wish, answer } in requests {
            let Wish { command_id, actor, command, side: rows } = wish;
            if let Some(first) = self.state.commands.get(&command_id) {
                let answered = if *first > self.log.head().seq {
                    Err(Failure::new(Code::Conflict, "this very command is being kept right now")
                        .retry_after(Duration::from_secs(1)))
                } else {
                    self.repeat(command_id, *first)
                };
                reply(answer, answered);
                continue;
            }
            match decide(&self.state, &self.options.rules, &actor, command, at) {
                Ok(events) => {
                    let count = events.len();
                    for event in events {
                        // Derived here and not by callers: two edits at once must not both erase the same old row.
                        side.extend(erased(&event));
                        let new = NewEvent { at, actor: actor.clone(), command_id, event };
                        self.state.apply(&provisional(&new, self.log.head().seq.0 + batch.len() as u64 + 1));
                        batch.push(new);
                    }
                    if count > 0 {
                        side.extend(rows);
                    }
                    waiting.push(Waiting { command_id, answer, events: count });
                }
                Err(refusal) => reply(answer, Err(refusal.into())),
            }
        }
        events::crash::point("writer.decided");
        if batch.is_empty() {
            for waiter in waiting {
                answer_empty(waiter);
            }
            return;
        }
        events::crash::point("writer.before_append");
        match self.log.append(batch, &side) {
            Ok(appended) => {
                events::crash::point("writer.after_append");
                self.publish(appended, waiting);
            }
            Err(AppendError::Refused(why)) => {
                self.rebuild_state();
                for waiter in waiting {
                    reply(
                        waiter.answer,
                        Err(Failure::new(Code::InvalidParams, format!("too large to keep: {why}"))),
                    );
                }
            }
            Err(error) => self.recover(&error, waiting),
        }
    }

    /// Views change, then subscribers hear, then callers are answered: who was answered reads what they wrote.
    fn publish(&mut self, appended: Appended, waiting: Vec<Waiting>) {
        let Appended { envelopes, tickets } = appended;
        {
            let mut views = self.views.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            for envelope in &envelopes {
                views.apply(envelope);
            }
        }
        events::crash::point("writer.after_views");
        if let Some(last) = envelopes.last() {
            self.head.send_replace(last.seq);
        }
        for envelope in &envelopes {
            // No subscriber is no error.
            let _ = self.published.send(envelope.clone());
        }
        events::crash::point("writer.before_answer");
        let mut envelopes = envelopes.into_iter();
        let mut tickets: Vec<Ticket> = tickets;
        for waiter in waiting {
            let mine: Vec<Envelope> = envelopes.by_ref().take(waiter.events).collect();
            let (own, rest) = tickets
                .into_iter()
                .partition(|ticket| mine.iter().any(|envelope| envelope.seq == ticket.seq()));
            tickets = rest;
            let committed = Committed { command_id: waiter.command_id, envelopes: mine, tickets: own };
            reply(waiter.answer, Ok(committed));
        }
        events::crash::point("writer.after_answer");
    }

    /// A repeated wish: the facts are read back. Tickets are never given twice.
    fn repeat(&self, command_id: CommandId, first: Seq) -> Result<Committed, Failure> {
        let page = self.log.reader().page(None, first, BATCH_MAX).map_err(|error| {
            Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error)
        })?;
        let envelopes = page.into_iter().filter(|envelope| envelope.command_id == command_id).collect();
        Ok(Committed { command_id, envelopes, tickets: Vec::new() })
    }

    /// A commit failed, so its outcome is unknown: reopen, look, tell the callers the truth. A store that opens need not
    /// be one that can be written (a full disk): it is ready again once the record of this very gap is durable.
    fn recover(&mut self, error: &AppendError, waiting: Vec<Waiting>) {
        events::crash::point("writer.before_recover");
        let mut since = clock::now();
        tracing::error!(%error, "a commit failed; reopening the store to see what became of it");
        self.storage.send_replace(Storage::Unavailable { why: error.to_string(), since });
        let mut waiting = Some(waiting);
        let started = std::time::Instant::now();
        let mut pause = Duration::from_millis(10);
        let mut lost_before = self.lost_records.load(Ordering::Relaxed);
        // Where the record of the gap that was tried last would end.
        let mut tried = None;
        loop {
            match self.log.reopen() {
                Ok(settled) => {
                    self.rebuild_state();
                    match (settled, waiting.take()) {
                        (Settled::Committed(appended), callers) => {
                            // It is durable after all: the next one goes on from its end.
                            if let Some(end) = tried {
                                (since, lost_before) = end;
                            }
                            self.publish(appended, callers.unwrap_or_default());
                        }
                        (Settled::NotCommitted | Settled::NothingPending, callers) => {
                            for waiter in callers.unwrap_or_default() {
                                reply(waiter.answer, Err(unavailable("nothing was kept")));
                            }
                        }
                    }
                    let lost = self.lost_records.load(Ordering::Relaxed);
                    let to = clock::now();
                    let gap = AuditGap { from: since, to, calls: lost.saturating_sub(lost_before) };
                    match self.keep_gap(gap) {
                        Ok(()) => break,
                        Err(error) => tracing::warn!(%error, "the store opens, but cannot be written yet"),
                    }
                    tried = Some((to, lost));
                }
                Err(error) => tracing::warn!(%error, "the store does not open yet"),
            }
            if started.elapsed() >= SETTLE_FOR
                && let Some(waiting) = waiting.take()
            {
                for waiter in waiting {
                    let failure = Failure::new(
                        Code::OutcomeUnknown,
                        "the disk failed while this was being kept",
                    )
                    .hint(
                        "look before you repeat it: events list tells what was kept, once the store is back",
                    )
                    .details(serde_json::json!({ "command_id": waiter.command_id }));
                    reply(waiter.answer, Err(failure));
                }
            }
            self.refuse_for(pause);
            pause = (pause * 2).min(Duration::from_secs(2));
            if self.stop.is_closed() && started.elapsed() >= SETTLE_FOR {
                return;
            }
        }
        events::crash::point("writer.after_recover");
        self.storage.send_replace(Storage::Ready);
    }

    /// Appends the record of a gap by itself, and publishes it.
    fn keep_gap(&mut self, gap: AuditGap) -> Result<(), AppendError> {
        let (at, actor, command_id) = (gap.to, Actor::system(), mint!(CommandId));
        let decided = decide(&self.state, &self.options.rules, &actor, Command::RecordGap(gap), at);
        let new = |event| NewEvent { at, actor: actor.clone(), command_id, event };
        let batch = decided.unwrap_or_default().into_iter().map(new).collect();
        let appended = self.log.append(batch, &[])?;
        for envelope in &appended.envelopes {
            self.state.apply(envelope);
        }
        self.publish(appended, Vec::new());
        Ok(())
    }

    /// While the disk is away: wishes are refused at once, records are counted.
    fn refuse_for(&mut self, pause: Duration) {
        let until = std::time::Instant::now() + pause;
        loop {
            while let Ok(request) = self.commands.try_recv() {
                reply(request.answer, Err(unavailable("the disk cannot be written now")));
            }
            while let Ok(answer) = self.signing.try_recv() {
                let _ = answer.send(Err(unavailable("the disk cannot be written now")));
            }
            while self.records.try_recv().is_ok() {
                self.lost_records.fetch_add(1, Ordering::Relaxed);
            }
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(10)));
        }
    }

    /// The state that decisions see goes back to what is durable: the views.
    fn rebuild_state(&mut self) {
        self.state = self.views.read().unwrap_or_else(std::sync::PoisonError::into_inner).state.clone();
        // What became durable behind the views is published right after; the state must have it as well.
        let mut from = self.state.seq.next();
        while let Ok(page) = self.log.reader().page(Some(Keep::Ledger), from, BATCH_MAX) {
            let Some(last) = page.last() else { break };
            from = last.seq.next();
            for envelope in &page {
                self.state.apply(envelope);
            }
        }
    }

    fn save_snapshot(&self) {
        let Some(dir) = &self.options.snapshots else { return };
        events::crash::point("writer.before_snapshot");
        let head = self.log.head();
        let saved = {
            let views = self.views.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            [snapshots::save_fold(&views.state), snapshots::save_fold(&views.health)]
        };
        if let Err(error) = snapshots::Store::new(dir).save(head.seq, head.root, &saved) {
            tracing::warn!(%error, "no snapshot was saved; the next start replays more of the log");
        }
    }
}

/// The sealed row that goes away with a fact.
fn erased(event: &Event) -> Option<SideWrite> {
    match event {
        Event::CredentialErased(erased) => {
            let key = erased.credential_id.to_u128().to_be_bytes().to_vec();
            Some(SideWrite::Erase { table: SideTable::Credentials, key })
        }
        _ => None,
    }
}

/// The envelope an event will most likely get: decisions in this batch see its effect, not its place.
fn provisional(new: &NewEvent, seq: u64) -> Envelope {
    Envelope {
        seq: Seq(seq),
        leaf: None,
        at: new.at,
        actor: new.actor.clone(),
        command_id: new.command_id,
        event: new.event.clone(),
    }
}

fn own(command: Command) -> Request {
    Request {
        wish: Wish { command_id: mint!(CommandId), actor: Actor::system(), command, side: Vec::new() },
        answer: None,
    }
}

fn reply(answer: Option<Answer>, with: Result<Committed, Failure>) {
    match (answer, with) {
        // A caller who left is no error.
        (Some(answer), with) => drop(answer.send(with)),
        (None, Err(failure)) => tracing::warn!(code = %failure.code, "a record was not kept"),
        (None, Ok(_)) => {}
    }
}

fn answer_empty(waiter: Waiting) {
    let committed = Committed { command_id: waiter.command_id, envelopes: Vec::new(), tickets: Vec::new() };
    reply(waiter.answer, Ok(committed));
}

fn unavailable(why: &'static str) -> Failure {
    Failure::new(Code::StorageUnavailable, format!("{why}; reads go on")).retry_after(Duration::from_secs(5))
}
