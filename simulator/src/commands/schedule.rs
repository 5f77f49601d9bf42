//! The scheduler: runs `on-event` of its entries when their time comes.
//!
//! One task per box, and only while there is something to wait for. Entries outlive a reboot; a box without
//! power misses its turns.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::commands::jobs;
use crate::router::Device;
use crate::state::Actor;
use crate::values::parse_time;

const MENU: &str = "/system/scheduler";
const LOOK_EVERY: Duration = Duration::from_secs(1); // the router's own grain

/// Sees to it that someone watches the scheduler of this box.
pub fn watch(device: &Arc<Device>) {
    if device.watching_schedule.swap(true, Ordering::SeqCst) {
        return;
    }
    let device = Arc::clone(device);
    tokio::spawn(async move {
        let mut stopped = device.stopped.subscribe();
        loop {
            tokio::select! {
                () = device.clock.sleep(LOOK_EVERY) => {}
                _ = stopped.changed() => return,
            }
            for script in due(&device) {
                jobs::start(&device, script, &Actor { user: "admin".to_owned(), ..Actor::system() });
            }
        }
    });
}

/// Takes the scripts whose turn it is and moves their turn on.
fn due(device: &Arc<Device>) -> Vec<String> {
    let now = device.now();
    let up = *device.up.borrow();
    let mut state = device.state();
    let mut scripts = Vec::new();
    let rows = state.table(MENU).rows.clone();
    for row in rows.iter().filter(|row| !row.is("disabled")) {
        let Some(next) = row.get("~next_ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis) else {
            continue;
        };
        if now.since_start < next {
            continue;
        }
        let interval = row.get("interval").and_then(parse_time).unwrap_or(LOOK_EVERY);
        let runs: u64 = row.text("run-count").parse().unwrap_or(0);
        let event = row.text("on-event").to_owned();
        if let Some(row) = state.table_mut(MENU).row_mut(row.id) {
            row.set("~next_ms", (now.since_start + interval).as_millis().to_string());
            row.set("run-count", (runs + u64::from(up)).to_string());
        }
        // The event is a script's name or the script itself.
        let stored = state.table("/system/script").named(&event).map(|row| row.text("source").to_owned());
        if up {
            scripts.push(stored.unwrap_or(event));
        }
    }
    scripts
}
