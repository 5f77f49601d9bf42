//! The scheduler: runs `on-event` of its entries when their time comes.
//!
//! An entry's turns lie at its start and every interval after it. Entries outlive a reboot; a box without power
//! misses its turns and goes on with the next. One task per box, and only while there is something to wait for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::commands::jobs::{self, Origin};
use crate::router::Device;
use crate::state::{Actor, Now, State};
use crate::table::Record;
use crate::values::parse_time;

const MENU: &str = "/system/scheduler";
const LOOK_EVERY: Duration = Duration::from_secs(1); // the router's own grain
const STARTUP_MS: i64 = 3_000; // how long after a boot `start-time=startup` is

/// Sees to it that someone watches the scheduler of this box.
pub fn watch(device: &Arc<Device>) {
    if device.watching_schedule.swap(true, Ordering::SeqCst) {
        return;
    }
    let device = Arc::clone(device);
    tokio::spawn(async move {
        let mut stopped = device.stopped.subscribe();
        while let Some(wait) = until_next(&device) {
            tokio::select! {
                () = device.clock.sleep(wait) => {}
                _ = stopped.changed() => return,
            }
            for (script, actor, origin) in due(&device) {
                jobs::start(&device, script, &actor, origin);
            }
        }
    });
}

/// How long to look away; nothing when no entry will ever run, and then nobody watches any more.
fn until_next(device: &Device) -> Option<Duration> {
    let now = device.now();
    let mut state = device.state();
    let next = state.table(MENU).rows.iter().filter_map(|row| next_of(row)).min();
    if next.is_none() {
        // Under the lock that every write takes: who adds an entry after this finds nobody watching.
        device.watching_schedule.store(false, Ordering::SeqCst);
    }
    Some(next?.saturating_sub(now.since_start).clamp(Duration::from_millis(1), LOOK_EVERY))
}

fn next_of(row: &Record) -> Option<Duration> {
    row.get("~next_ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis)
}

/// Works out an entry's next turn.
pub fn plan(row: &mut Record, now: Now) {
    let now_ms = i64::try_from(now.since_start.as_millis()).unwrap_or(i64::MAX);
    let interval = row.get("interval").and_then(parse_time).unwrap_or_default();
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    let start: Option<i64> = row.get("~start_ms").and_then(|ms| ms.parse().ok());
    let next = match start {
        Some(start) if start > now_ms => Some(start),
        Some(start) if interval > 0 => {
            let turns = now_ms.saturating_sub(start) / interval + 1;
            Some(start.saturating_add(turns.saturating_mul(interval)))
        }
        _ => None,
    };
    match next {
        Some(next) => row.set("~next_ms", next.to_string()),
        None => {
            row.unset("~next_ms");
        }
    }
}

/// After a boot: turns that were missed are gone, and what waits for a startup has one.
pub fn resume(state: &mut State, now: Now) {
    let ids: Vec<u64> = state.table(MENU).rows.iter().map(|row| row.id).collect();
    for id in ids {
        let Some(row) = state.table_mut(MENU).row_mut(id) else { continue };
        if row.text("start-time") == "startup" {
            let now_ms = i64::try_from(now.since_start.as_millis()).unwrap_or(i64::MAX);
            row.set("~start_ms", now_ms.saturating_add(STARTUP_MS).to_string());
        }
        plan(row, now);
    }
}

/// Takes the scripts whose turn it is and moves their turn on.
fn due(device: &Arc<Device>) -> Vec<(String, Actor, Origin)> {
    let now = device.now();
    // Without power nothing runs; `resume` finds the next turn.
    if !*device.up.borrow() {
        return Vec::new();
    }
    let mut state = device.state();
    let allowed = state.mode_allows("scheduler");
    let mut scripts = Vec::new();
    let rows = state.table(MENU).rows.clone();
    for row in rows.iter().filter(|row| next_of(row).is_some_and(|next| next <= now.since_start)) {
        let runs: u64 = row.text("run-count").parse().unwrap_or(0);
        let run = allowed && !row.is("disabled");
        if let Some(row) = state.table_mut(MENU).row_mut(row.id) {
            plan(row, now);
            row.set("run-count", (runs + u64::from(run)).to_string());
        }
        if !run {
            continue;
        }
        let policies = row.text("policy").split(',').map(str::to_owned).collect();
        let actor = Actor { user: row.text("owner").to_owned(), policies };
        // The event is a script's name or the script itself.
        let event = row.text("on-event").to_owned();
        let stored = state.table("/system/script").named(&event).map(|row| row.text("source").to_owned());
        let origin = Origin { script: stored.is_some().then(|| event.clone()), parent: None };
        scripts.push((stored.unwrap_or(event), actor, origin));
    }
    scripts
}
