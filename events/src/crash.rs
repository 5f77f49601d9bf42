//! Named points at which a test can kill the process, to see what a crash leaves behind.
//!
//! Without the feature `crash-points` every call is nothing. With it, `APPLIANCE_CRASH_AT=name` (or `name:n` for the
//! n-th time it is reached) ends the process there with SIGKILL: no destructor runs, nothing is flushed.
//! `APPLIANCE_CRASH_TELL=1` says on standard error which points are reached, one line each.
//!
//! Every name stands in [`POINTS`]; a test compares the list with the sources, and another one sees every name reached.

/// All points, in the order in which a write meets them.
pub const POINTS: &[&str] = &[
    // The way in.
    "corridor.admitted",
    "vault.sealed",
    "plan.before_propose",
    "plan.after_propose",
    "job.before_start",
    "job.after_start",
    // The writer.
    "writer.dequeued",
    "writer.decided",
    "writer.before_append",
    "log.append.before_begin",
    "log.append.after_rows",
    "log.append.after_side",
    "log.append.after_derived",
    "log.append.before_commit",
    "log.append.after_commit",
    "log.append.absorbed",
    "writer.after_append",
    "writer.after_views",
    "writer.before_answer",
    "writer.after_answer",
    // The runner, up to the wire.
    "runner.picked",
    "runner.before_status",
    "runner.after_status",
    "runner.before_compare",
    "runner.after_compare",
    "runner.before_begin",
    "runner.after_begin",
    // The wire.
    "lane.write.ticket_checked",
    "lane.write.login_opened",
    "lane.write.before_turn",
    "lane.write.after_turn",
    "lane.write.before_send",
    "lane.resolved",
    "lane.trusted",
    "lane.write.after_head",
    "lane.write.after_body",
    "lane.write.after_answer",
    // Back.
    "runner.after_write",
    "runner.before_doubt",
    "runner.after_doubt",
    "runner.before_refused",
    "runner.after_refused",
    "runner.before_read_back",
    "runner.after_read_back",
    "runner.before_report",
    "runner.after_report",
    "runner.before_stale",
    "runner.after_stale",
    "runner.before_give_up",
    "runner.after_give_up",
    "dead_man.before_begin",
    "dead_man.after_begin",
    "dead_man.after_arm",
    "dead_man.after_disarm",
    "dead_man.before_report",
    "dead_man.after_report",
    "gate.before_look",
    "gate.after_look",
    "gate.before_record",
    "gate.after_record",
    "gate.before_judge",
    "gate.after_judge",
    "settle.before_read",
    "settle.after_read",
    "settle.before_report",
    "settle.after_report",
    "settle.before_stuck",
    "settle.after_stuck",
    "corridor.before_record",
    "corridor.after_record",
    "door.before_answer",
    // Chores, trouble, end and start of a process.
    "log.flush.before",
    "log.flush.after",
    "log.checkpoint.before_file",
    "log.checkpoint.after_write",
    "log.checkpoint.after_file",
    "writer.before_recover",
    "log.reopen.before",
    "log.reopen.after",
    "writer.after_recover",
    "writer.before_snapshot",
    "snapshot.before_write",
    "snapshot.before_rename",
    "snapshot.after_rename",
    "log.close.before",
    "log.close.after",
    "start.opened",
    "start.restored",
];

/// Dies here if the environment says so.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn point(_name: &'static str) {}

/// Dies here if the environment says so.
#[cfg(feature = "crash-points")]
pub fn point(name: &'static str) {
    use std::{
        io::Write as _,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };
    static WANTED: OnceLock<(Option<(String, u64)>, bool)> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);

    let (wanted, tell) = WANTED.get_or_init(|| {
        let wanted = std::env::var("APPLIANCE_CRASH_AT").ok().map(|text| parse(&text));
        (wanted, std::env::var_os("APPLIANCE_CRASH_TELL").is_some())
    });
    if *tell {
        // One write, so that lines of several threads stay whole. Nobody listening is no error.
        let _ = std::io::stderr().write_all(format!("crash point {name}\n").as_bytes());
    }
    let Some((wanted_name, nth)) = wanted else { return };
    if wanted_name == name && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// `name` or `name:n`.
#[cfg(any(feature = "crash-points", test))]
fn parse(text: &str) -> (String, u64) {
    match text.rsplit_once(':') {
        Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
        None => (text.to_owned(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_or_without_its_count() {
        assert_eq!(parse("log.flush.before"), ("log.flush.before".into(), 1));
        assert_eq!(parse("log.flush.before:3"), ("log.flush.before".into(), 3));
    }

    #[test]
    fn point_names_are_distinct() {
        let distinct: std::collections::BTreeSet<_> = POINTS.iter().collect();
        assert_eq!(distinct.len(), POINTS.len());
    }
}
