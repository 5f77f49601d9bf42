//! Every request a box has seen, in one order over the whole process.
//!
//! Reads are forgotten after a while, writes practically never: tests reason about writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::faults::writes;

const READS_MAX: usize = 256; // a thousand polled boxes must stay small
const WRITES_MAX: usize = 50_000; // far above what any test sends to one box

static ORDER: AtomicU64 = AtomicU64::new(1);

/// One request and what became of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Entry {
    /// Its place among all requests of this process, taken when it arrived.
    pub order: u64,
    /// When it arrived: microseconds since the process first looked.
    pub at_us: u64,
    /// When it arrived by the machine's clock: microseconds since 1970.
    pub unix_us: u64,
    /// The user, as far as one was named.
    pub user: String,
    /// The method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The body as sent.
    pub body: String,
    /// The answer's status; 0 while there is none.
    pub status: u16,
    /// Whether the box's state was changed.
    pub changed: bool,
    /// Whether the answer was handed to the connection.
    pub answered: bool,
}

/// The requests of one box.
#[derive(Debug, Default)]
pub struct Journal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    reads: VecDeque<Entry>,
    writes: VecDeque<Entry>,
}

impl Kept {
    fn find(&mut self, order: u64) -> Option<&mut Entry> {
        self.writes.iter_mut().rev().chain(self.reads.iter_mut().rev()).find(|entry| entry.order == order)
    }
}

impl Journal {
    #[expect(clippy::disallowed_methods, reason = "a router has a clock; nothing here is replayed")]
    /// Writes down an arrival and gives it its place.
    pub fn arrived(&self, user: &str, method: &str, path: &str, query: &str, body: &[u8]) -> u64 {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let at_us = EPOCH.get_or_init(Instant::now).elapsed().as_micros();
        let unix_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Inside the lock, so that one box's entries stand in their order.
        let order = ORDER.fetch_add(1, Ordering::SeqCst);
        let entry = Entry {
            order,
            at_us: u64::try_from(at_us).unwrap_or(u64::MAX),
            unix_us: u64::try_from(unix_us).unwrap_or(u64::MAX),
            user: user.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            status: 0,
            changed: false,
            answered: false,
        };
        let (list, most) =
            if writes(method, path) { (&mut kept.writes, WRITES_MAX) } else { (&mut kept.reads, READS_MAX) };
        if list.len() == most {
            list.pop_front();
        }
        list.push_back(entry);
        order
    }

    /// Notes the outcome.
    pub fn finished(&self, order: u64, status: u16, changed: bool) {
        if let Some(entry) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).find(order) {
            entry.status = status;
            entry.changed = changed;
        }
    }

    /// Notes that the answer left.
    pub fn answered(&self, order: u64) {
        if let Some(entry) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).find(order) {
            entry.answered = true;
        }
    }

    /// The writes after a place that changed the box, in order.
    pub fn changes_since(&self, order: u64) -> Vec<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.writes.iter().filter(|entry| entry.changed && entry.order > order).cloned().collect()
    }

    /// All entries in order.
    pub fn entries(&self) -> Vec<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Entry> = kept.reads.iter().chain(&kept.writes).cloned().collect();
        all.sort_unstable_by_key(|entry| entry.order);
        all
    }
}
