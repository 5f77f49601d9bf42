//! A disk that refuses, at every operation: nothing is lost, nothing appears twice, reads go on, and the log recovers
//! without a restart of the process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io;

use common::{Chance, Disk, Trouble, at, batch, created, options, signer};
use events::{
    audit::{self, Source},
    event::Envelope,
    ids::Seq,
    log::{AppendError, EventLog, OpenError, ReadError, Settled},
};

const BATCHES: u64 = 12;

/// Runs the workload with a fault at one operation; gives false when the fault never came.
fn survives(trouble: Trouble, context: &str) -> bool {
    let disk = Disk::with(trouble);
    let mut chance = Chance(3);
    let mut log = match EventLog::create_with_backend(disk.factory(), signer(), options(), created()) {
        Ok(log) => log,
        Err(error) => {
            assert!(disk.is_troubled(), "{context}: {error}");
            return true;
        }
    };
    let reader = log.reader();
    let mut written: Vec<Envelope> = reader.page(None, Seq(0), 9).unwrap();
    let mut came = false;
    for n in 0..BATCHES {
        let (events, side) = batch(n, &mut chance);
        let count = events.len();
        match log.append(events, &side) {
            Ok(appended) => written.extend(appended.envelopes),
            Err(AppendError::Refused(why)) => panic!("{context}: {why}"),
            Err(AppendError::Unknown(_)) => {
                came = true;
                written.extend(settle(&mut log, &disk, count, context));
            }
        }
        let tended = if n % 4 == 3 { log.tend(at(i64::try_from(n).unwrap() * 7 + 1)) } else { Ok(()) };
        if tended.is_err() {
            came = true;
            assert!(settle(&mut log, &disk, 0, context).is_empty(), "{context}");
        }
        let head = Seq(written.last().unwrap().seq.0);
        assert_eq!(reader.head().seq, head, "{context}");
        assert_eq!(reader.get(head).unwrap().as_ref(), written.last(), "{context}");
    }
    disk.heal();
    assert_eq!(reader.page(None, Seq(0), usize::MAX).unwrap(), written, "{context}");
    let key = audit::Options { key: Some(signer().verifier()), ..audit::Options::default() };
    let verdict = audit::verify(&Source::Open(reader), &key, &mut |_| {}).unwrap();
    assert!(verdict.is_good(), "{context}: {verdict:?}");
    let head = log.head();
    drop(log);
    let log = EventLog::open_with_backend(disk.factory(), signer(), options()).unwrap();
    assert_eq!(log.head(), head, "{context}");
    came
}

/// Reopens with the fault still there, then without; gives what turned out to be durable.
fn settle(log: &mut EventLog, disk: &Disk, in_doubt: usize, context: &str) -> Vec<Envelope> {
    let (head, reader) = (log.head(), log.reader());
    assert_eq!(log.in_doubt().len(), in_doubt, "{context}");
    let settled = match log.reopen() {
        Ok(settled) => {
            disk.heal();
            settled
        }
        Err(OpenError::DiskFull { .. } | OpenError::ReadOnly { .. } | OpenError::Io { .. }) => {
            assert!(matches!(reader.get(Seq(1)), Err(ReadError::Unavailable)), "{context}");
            disk.heal();
            log.reopen().unwrap_or_else(|error| panic!("{context}: {error}"))
        }
        Err(error) => panic!("{context}: {error}"),
    };
    match settled {
        Settled::Committed(appended) => {
            assert_eq!(appended.envelopes.len(), in_doubt, "{context}");
            assert_eq!(reader.get(appended.envelopes[0].seq).unwrap().as_ref(), appended.envelopes.first());
            appended.envelopes
        }
        Settled::NotCommitted => {
            assert_eq!(log.head(), head, "{context}");
            assert_eq!(reader.get(head.seq.next()).unwrap(), None, "{context}");
            Vec::new()
        }
        Settled::NothingPending => {
            assert_eq!(in_doubt, 0, "{context}");
            Vec::new()
        }
    }
}

fn sweep(kind: io::ErrorKind, only_growth: bool, short: bool, step: usize) {
    let mut at = 1;
    loop {
        let context = format!("{kind:?} from operation {at} (growth only: {only_growth}, short: {short})");
        if !survives(Trouble::Fault { at, kind, only_growth, short }, &context) {
            break;
        }
        at += step as u64;
    }
    assert!(at > 20, "the workload has many operations");
}

#[test]
fn input_output_errors_at_every_operation_are_settled() {
    sweep(io::ErrorKind::Other, false, false, 1);
}

#[test]
fn short_writes_at_every_operation_are_settled() {
    sweep(io::ErrorKind::StorageFull, false, true, 1);
}

#[test]
fn a_disk_that_turns_read_only_is_settled() {
    sweep(io::ErrorKind::ReadOnlyFilesystem, false, false, 3);
}

#[test]
fn a_full_disk_refuses_growth_and_recovers() {
    let mut chance = Chance(1);
    let disk = Disk::default();
    let mut log = EventLog::create_with_backend(disk.factory(), signer(), options(), created()).unwrap();
    let begun = disk.operations();
    drop((log, disk));

    let kind = io::ErrorKind::StorageFull;
    let disk = Disk::with(Trouble::Fault { at: begun + 1, kind, only_growth: true, short: false });
    log = EventLog::create_with_backend(disk.factory(), signer(), options(), created()).unwrap();
    let reader = log.reader();
    let mut written = reader.page(None, Seq(0), 9).unwrap();
    let mut n = 0;
    let refused = loop {
        n += 1;
        assert!(n < 100_000, "the store grows sooner or later");
        match log.append(batch(n % 50, &mut chance).0, &[]) {
            Ok(appended) => written.extend(appended.envelopes),
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, AppendError::Unknown(source) if source.kind() == kind), "{refused}");
    let settled = log.reopen().expect("a full disk does not hinder reading");
    assert!(matches!(settled, Settled::NotCommitted));
    assert_eq!(reader.page(None, Seq(0), usize::MAX).unwrap(), written);
    disk.heal();
    log.append(batch(1, &mut chance).0, &[]).unwrap();
}
