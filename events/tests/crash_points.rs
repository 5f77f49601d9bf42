//! A process killed at every named point of the log: the next one opens the store and finds everything acknowledged.
//!
//! Runs with the feature `crash-points` only: without it there is nothing to be killed by.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(feature = "crash-points")]

mod common;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
};

use common::{at, batch, created, options, signer};
use events::{
    audit::{self, Source},
    crash::POINTS,
    log::{EventLog, OpenOptions},
};

const FOLDER: &str = "APPLIANCE_TEST_CRASH_FOLDER";

/// The process that is killed. It writes down what was acknowledged; by itself it does nothing.
#[test]
fn worker() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let options = OpenOptions { checkpoint_file: Some(folder.join("checkpoints")), ..options() };
    let mut acknowledged = File::create(folder.join("acknowledged")).unwrap();
    let mut log = EventLog::create(&folder.join("log"), signer(), options, created()).unwrap();
    let mut chance = common::Chance(4);
    for n in 0..20 {
        let (events, side) = batch(n, &mut chance);
        let appended = log.append(events, &side).unwrap();
        writeln!(acknowledged, "{}", appended.envelopes.last().unwrap().seq).unwrap();
        if n % 5 == 4 {
            log.tend(at(i64::try_from(n).unwrap() * 7 + 1)).unwrap();
            log.reopen().unwrap();
        }
    }
    log.close(at(1000)).unwrap();
}

#[test]
fn a_kill_at_any_point_loses_nothing() {
    for point in POINTS.iter().filter(|point| point.starts_with("log.")) {
        // A log is closed once.
        let hits = if point.starts_with("log.close.") { 1 } else { 3 };
        for nth in 1..=hits {
            let folder = tempfile::tempdir().unwrap();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "worker"])
                .env(FOLDER, folder.path())
                .env("APPLIANCE_CRASH_AT", format!("{point}:{nth}"))
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.signal(), Some(9), "{point}:{nth} is never reached");

            let store = folder.path().join("log");
            if !store.exists() {
                assert_eq!(*point, "log.checkpoint.before_file", "only creating may leave nothing");
                continue;
            }
            let mut text = String::new();
            File::open(folder.path().join("acknowledged")).unwrap().read_to_string(&mut text).unwrap();
            let last = text.lines().last().map_or(1, |line| line.parse().unwrap());
            let key = audit::Options { key: Some(signer().verifier()), ..audit::Options::default() };
            let verdict = audit::verify(&Source::Store(store.clone()), &key, &mut |_| {}).unwrap();
            assert!(verdict.is_good(), "{point}:{nth}: {verdict:?}");
            let mut log = EventLog::open(&store, signer(), options()).unwrap();
            assert!(log.head().seq.0 >= last, "{point}:{nth}: {last} was acknowledged");
            log.append(batch(99, &mut common::Chance(1)).0, &[]).unwrap();
            log.close(at(2000)).unwrap();
        }
    }
}
