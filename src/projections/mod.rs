//! Read models, in memory, changed only after a commit. Read by closure under a short lock.

pub mod audit;
mod audit_line;
pub mod evidence;

use std::collections::BTreeMap;

use events::{
    event::{Envelope, Event},
    fold::Fold,
    ids::DeviceId,
    sample::HealthSample,
};
use serde::{Deserialize, Serialize};

use crate::domain::State;

/// The newest sample of each device. Samples may be lost by a crash; nothing is decided by them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// By device.
    pub newest: BTreeMap<DeviceId, HealthSample>,
}

impl Fold for Health {
    const NAME: &'static str = "health";
    const VERSION: u32 = 1;

    fn apply(&mut self, envelope: &Envelope) {
        match &envelope.event {
            Event::HealthBatch(batch) => {
                for sample in &batch.samples {
                    self.newest.insert(sample.device_id.clone(), sample.clone());
                }
            }
            Event::DeviceRemoved(e) => {
                self.newest.remove(&e.device_id);
            }
            _ => {}
        }
    }
}

/// Counts since this process started; for `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Tool calls by tool and outcome (`ok` or a code).
    pub calls: BTreeMap<(String, String), CallCount>,
}

/// How often, and how long in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCount {
    /// Calls.
    pub count: u64,
    /// Microseconds, summed.
    pub micros: u64,
}

/// Distinct tool and outcome pairs that are counted apart; callers cannot make up more.
const CALL_KEYS_MAX: usize = 4096;

/// Everything that readers see: committed facts only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Views {
    /// The committed state.
    pub state: State,
    /// The newest samples.
    pub health: Health,
    /// Counts since start.
    pub counters: Counters,
}

impl Views {
    /// Takes in a committed event.
    pub fn apply(&mut self, envelope: &Envelope) {
        self.state.apply(envelope);
        self.health.apply(envelope);
        *self.counters.events.entry(envelope.event.kind()).or_default() += 1;
        if let Event::ToolCalled(e) = &envelope.event {
            let outcome = e.failure.clone().unwrap_or_else(|| "ok".into());
            let key = (e.tool.clone(), outcome);
            if self.counters.calls.len() < CALL_KEYS_MAX || self.counters.calls.contains_key(&key) {
                let entry = self.counters.calls.entry(key).or_default();
                entry.count += 1;
                entry.micros += e.duration_us;
            }
        }
    }
}
