//! Named points at which a test can kill the process, to see what a crash leaves behind.
//!
//! Without the feature `crash-points` every call is nothing. With it, `APPLIANCE_CRASH_AT=name` (or `name:n` for the
//! n-th time it is reached) ends the process there with SIGKILL: no destructor runs, nothing is flushed.

/// The points of this crate, in the order in which a day meets them.
pub const LOG_POINTS: &[&str] = &[
    "log.append.before_commit",
    "log.append.after_commit",
    "log.flush.before",
    "log.flush.after",
    "log.checkpoint.before_file",
    "log.checkpoint.after_file",
    "log.reopen.before",
    "log.reopen.after",
];

/// Dies here if the environment says so.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn point(_name: &'static str) {}

/// Dies here if the environment says so.
#[cfg(feature = "crash-points")]
pub fn point(name: &'static str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);

    let wanted = WANTED.get_or_init(|| std::env::var("APPLIANCE_CRASH_AT").ok().map(|text| parse(&text)));
    let Some((wanted_name, nth)) = wanted else { return };
    if wanted_name == name && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
        // The process has no `unsafe`, so the signal is sent by the tool that every system has.
        let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
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
        let distinct: std::collections::BTreeSet<_> = LOG_POINTS.iter().collect();
        assert_eq!(distinct.len(), LOG_POINTS.len());
    }
}
