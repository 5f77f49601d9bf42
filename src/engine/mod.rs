//! The only writer: wishes in, durable facts out.
//!
//! One thread decides, appends, commits, applies, publishes and answers, in this order. Callers hold a cheap
//! [`Engine`]; the channel and the log are hidden behind it.

pub mod clock;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::{Arc, RwLock};

use events::{
    event::{Envelope, Event},
    ids::{CommandId, Moment, Seq},
    log::{EventLog, LogReader, SideWrite},
    principal::Actor,
    ticket::Ticket,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    domain::{Command, Refusal, Rules},
    failure::{Code, Failure},
    projections::Views,
};

pub(crate) use clock::mint;

/// Wishes that may wait; beyond it callers wait in turn.
const COMMANDS_WAITING_MAX: usize = 1024;
/// Records without a waiting caller (calls of read tools, samples); beyond it they are dropped and counted.
const RECORDS_WAITING_MAX: usize = 16_384;
/// Wishes for a checkpoint that may wait; beyond it callers wait in turn.
const SIGNING_WAITING_MAX: usize = 64;
/// Published events a slow subscriber may lag behind before it must read the log instead.
const PUBLISHED_MAX: usize = 4096;

/// A wish on its way to the writer.
#[derive(Debug)]
pub struct Wish {
    /// Repeating a wish with the same id answers the same.
    pub command_id: CommandId,
    /// Who wishes.
    pub actor: Actor,
    /// What.
    pub command: Command,
    /// Rows of erasable tables that must change in the same transaction.
    pub side: Vec<SideWrite>,
}

/// What became durable for a wish.
#[derive(Debug)]
pub struct Committed {
    /// The wish's id.
    pub command_id: CommandId,
    /// Its facts, in order; empty when nothing had to change.
    pub envelopes: Vec<Envelope>,
    /// One for each intent.
    pub tickets: Vec<Ticket>,
}

pub(crate) struct Request {
    pub wish: Wish,
    pub answer: Option<oneshot::Sender<Result<Committed, Failure>>>,
}

/// Whether facts can be kept right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Yes.
    Ready,
    /// No: why, and since when. Reads go on.
    Unavailable {
        /// In words for operators.
        why: String,
        /// Since when.
        since: Moment,
    },
    /// The engine has stopped.
    Stopped,
}

/// A state digest with its place: equal digests at equal places mean equal states.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Digest {
    /// The last ledger event in the state.
    pub seq: Seq,
    /// SHA-256 of the state's canonical bytes, as 64 hex digits.
    pub digest: String,
}

/// SHA-256 over the canonical bytes of the decision state.
#[must_use]
pub fn digest_of(state: &crate::domain::State) -> Digest {
    use sha2::{Digest as _, Sha256};
    let bytes = serde_json::to_vec(state).expect("the state is plain data with text keys");
    Digest { seq: state.seq, digest: crate::domain::plan::hex(&Sha256::digest(&bytes)) }
}

/// The handle that everybody holds.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::Sender<Request>,
    records: mpsc::Sender<Request>,
    views: Arc<RwLock<Views>>,
    head: watch::Receiver<Seq>,
    storage: watch::Receiver<Storage>,
    published: broadcast::Sender<Envelope>,
    reader: LogReader,
    lost_records: Arc<std::sync::atomic::AtomicU64>,
    signing: mpsc::Sender<oneshot::Sender<Result<(), Failure>>>,
    rules: Arc<Rules>,
}

/// The writer's thread, to be joined at the end.
pub struct Running {
    thread: std::thread::JoinHandle<()>,
    stop: mpsc::Sender<()>,
}

impl Running {
    /// Lets queued wishes finish, closes the log with a last checkpoint, and joins the thread.
    pub async fn stop(self) {
        drop(self.stop);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the writer ended abnormally");
        }
    }
}

/// Options of the engine.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the configuration decides for the rules.
    pub rules: Rules,
    /// Where snapshots of the folds are kept; none when absent.
    pub snapshots: Option<std::path::PathBuf>,
}

impl Engine {
    /// Starts the writer on an open log whose folds stand at its head.
    #[must_use]
    pub fn start(log: EventLog, views: Views, options: Options) -> (Self, Running) {
        let (commands, commands_in) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (records, records_in) = mpsc::channel(RECORDS_WAITING_MAX);
        let (stop, stop_in) = mpsc::channel(1);
        let (signing, signing_in) = mpsc::channel(SIGNING_WAITING_MAX);
        let (head_out, head) = watch::channel(log.head().seq);
        let (storage_out, storage) = watch::channel(Storage::Ready);
        let published = broadcast::Sender::new(PUBLISHED_MAX);
        let reader = log.reader();
        let lost_records = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let state = views.state.clone();
        let views = Arc::new(RwLock::new(views));
        let rules = Arc::new(options.rules.clone());
        let writer = writer::Writer {
            log,
            state,
            views: Arc::clone(&views),
            options,
            commands: commands_in,
            records: records_in,
            stop: stop_in,
            signing: signing_in,
            head: head_out,
            storage: storage_out,
            published: published.clone(),
            lost_records: Arc::clone(&lost_records),
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run())
            .expect("a thread can be started at start-up");
        let engine =
            Self { commands, records, views, head, storage, published, reader, lost_records, signing, rules };
        (engine, Running { thread, stop })
    }

    /// Submits a wish under a fresh id and waits until it is durable.
    ///
    /// # Errors
    /// A refusal by its code; `storage_unavailable`; `outcome_unknown` with the command id.
    pub async fn submit(&self, actor: Actor, command: Command) -> Result<Committed, Failure> {
        self.submit_wish(Wish { command_id: mint!(CommandId), actor, command, side: Vec::new() }).await
    }

    /// Submits a wish whose id the caller chose, with rows that must change in the same transaction.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit_wish(&self, wish: Wish) -> Result<Committed, Failure> {
        let (answer, answered) = oneshot::channel();
        let request = Request { wish, answer: Some(answer) };
        self.commands.send(request).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Records a fact that nobody waits for. When the queue is full it is dropped and counted.
    pub fn record(&self, actor: Actor, command: Command) {
        let wish = Wish { command_id: mint!(CommandId), actor, command, side: Vec::new() };
        if self.records.try_send(Request { wish, answer: None }).is_err() {
            self.lost_records.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Signs a checkpoint of the newest state now, unless there is one.
    ///
    /// # Errors
    /// `storage_unavailable` when the store cannot be written.
    pub async fn sign(&self) -> Result<(), Failure> {
        let (answer, answered) = oneshot::channel();
        self.signing.send(answer).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Reads the views. The closure must be short; no guard leaves it.
    pub fn view<T>(&self, read: impl FnOnce(&Views) -> T) -> T {
        read(&self.views.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// What the configuration decides for the rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The newest place in the log, as it moves.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.head.clone()
    }

    /// Whether facts can be kept, as it changes.
    #[must_use]
    pub fn storage(&self) -> watch::Receiver<Storage> {
        self.storage.clone()
    }

    /// Committed events from now on. A lagging subscriber reads the log and comes back.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Envelope> {
        self.published.subscribe()
    }

    /// Reads the log away from the threads that serve: it may touch the disk, or wait for it.
    ///
    /// # Errors
    /// `storage_unavailable` when the engine is going down.
    pub async fn read_log<T: Send + 'static>(
        &self,
        read: impl FnOnce(&LogReader) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || read(&reader)).await.map_err(|_| stopped())
    }

    /// Reads the log.
    #[must_use]
    pub const fn log(&self) -> &LogReader {
        &self.reader
    }

    /// Waits until `ready` says so, asked after every commit.
    ///
    /// # Errors
    /// When the engine stops first.
    pub async fn wait_until<T>(&self, mut ready: impl FnMut(&Views) -> Option<T>) -> Result<T, Failure> {
        let mut head = self.head.clone();
        loop {
            head.borrow_and_update();
            if let Some(found) = self.view(&mut ready) {
                return Ok(found);
            }
            head.changed().await.map_err(|_| stopped())?;
        }
    }

    /// The committed state's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.view(|views| digest_of(&views.state))
    }
}

fn stopped() -> Failure {
    Failure::new(Code::StorageUnavailable, "the appliance is stopping")
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(refusal.code, refusal.say);
        failure.hint = refusal.hint.map(Into::into);
        match refusal.job_id {
            Some(job_id) => failure.details(serde_json::json!({ "job_id": job_id })),
            None => failure,
        }
    }
}

/// True when the event is one that a subscriber of decisions cares about.
#[must_use]
pub const fn is_decision(event: &Event) -> bool {
    !matches!(
        event,
        Event::ToolCalled(_) | Event::ToolDenied(_) | Event::SignInRefused(_) | Event::HealthBatch(_)
    )
}
