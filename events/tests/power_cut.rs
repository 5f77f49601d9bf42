//! Power cuts at every operation of a workload: what was acknowledged is there, the store opens, the tree holds, and a
//! batch in doubt is settled truthfully.
//!
//! `APPLIANCE_POWER_CUTS` sets how many cuts are made.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Chance, Disk, Trouble, at, batch, cases, created, options, signer};
use events::{
    audit::{self, Source},
    event::Envelope,
    ids::{JobId, Seq},
    log::{About, AppendError, EventLog, LogReader, Settled},
};

const BATCHES: u64 = 24;

/// How a workload ended.
struct Ended {
    log: Option<EventLog>,
    acknowledged: Vec<Envelope>,
}

/// Appends until the end or until the power is gone.
fn work(disk: &Disk, seed: u64) -> Ended {
    let mut chance = Chance(seed);
    let Ok(mut log) = EventLog::create_with_backend(disk.factory(), signer(), options(), created()) else {
        return Ended { log: None, acknowledged: Vec::new() };
    };
    let mut acknowledged = log.reader().page(None, Seq(0), 9).unwrap_or_default();
    for n in 0..BATCHES {
        let (events, side) = batch(n, &mut chance);
        match log.append(events, &side) {
            Ok(appended) => acknowledged.extend(appended.envelopes),
            Err(_) => break,
        }
        if chance.below(6) == 0 && log.tend(at(i64::try_from(n).unwrap() * 7 + 1)).is_err() {
            break;
        }
        if chance.below(12) == 0 && log.retire_samples(Seq(n)).is_err() {
            break;
        }
    }
    Ended { log: Some(log), acknowledged }
}

fn everything(reader: &LogReader) -> Vec<Envelope> {
    reader.page(None, Seq(0), usize::MAX).unwrap()
}

fn assert_verified(log: &EventLog, context: &str) {
    let options = audit::Options { key: Some(signer().verifier()), ..audit::Options::default() };
    let verdict = audit::verify(&Source::Open(log.reader()), &options, &mut |_| {}).unwrap();
    assert!(verdict.is_good(), "{context}: {verdict:?}");
    assert_eq!(verdict.leaves, log.head().leaves, "{context}");
    assert_eq!(log.reader().root_at(verdict.leaves).unwrap(), log.head().root, "{context}");
}

/// Acknowledged events are there but for samples that were retired on purpose.
fn assert_kept(acknowledged: &[Envelope], found: &[Envelope], context: &str) {
    let by_seq: std::collections::BTreeMap<_, _> = found.iter().map(|e| (e.seq, e)).collect();
    for envelope in acknowledged {
        match by_seq.get(&envelope.seq) {
            Some(found) => assert_eq!(*found, envelope, "{context}"),
            None => assert!(
                envelope.leaf.is_none() && envelope.seq.0 <= BATCHES,
                "{context}: lost {}",
                envelope.seq
            ),
        }
    }
}

/// Every history is what filtering the whole log gives.
fn assert_histories(reader: &LogReader, found: &[Envelope], context: &str) {
    let devices = ["r0", "r1", "r2", "r3", "r5", "big", "none"];
    let abouts = devices.map(|id| About::Device(id.parse().unwrap())).into_iter().chain([
        About::Job(JobId::from_u128(5)),
        About::Actor("token:t1".into()),
        About::Everything,
    ]);
    for about in abouts {
        let wanted = |envelope: &&Envelope| {
            let subjects = envelope.event.subjects();
            envelope.leaf.is_some()
                && match &about {
                    About::Device(id) => subjects.devices.contains(id),
                    About::Job(id) => subjects.job == Some(*id),
                    About::Plan(id) => subjects.plan == Some(*id),
                    About::Actor(name) => envelope.actor.name == *name,
                    About::Everything => true,
                }
        };
        let expected: Vec<_> = found.iter().rev().filter(wanted).cloned().collect();
        assert_eq!(reader.newest(&about, None, usize::MAX).unwrap(), expected, "{context}: {about:?}");
    }
}

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let cuts = cases("APPLIANCE_POWER_CUTS", 300);
    let mut in_doubt = [0, 0];
    for number in 0..cuts {
        let seed = number / 40;
        let whole = Disk::default();
        let undisturbed = work(&whole, seed);
        drop(undisturbed.log);
        // Spread over all operations, the closing ones included.
        let mut chance = Chance(number);
        let at_operation = 1 + chance.below(whole.operations());
        let context = format!("cut {number} (workload {seed}, operation {at_operation})");

        let disk = Disk::with(Trouble::PowerCut { at: at_operation, seed: number });
        let Ended { log, acknowledged } = work(&disk, seed);
        let Some(mut log) = log else { continue };
        let doubtful = log.in_doubt().to_vec();

        let (mut log, settled) = if number % 2 == 0 && disk.is_troubled() {
            // The disk went away and came back under a living process.
            disk.heal();
            let settled = log.reopen().unwrap_or_else(|error| panic!("{context}: {error}"));
            (log, Some(settled))
        } else {
            drop(log);
            disk.heal();
            let log = EventLog::open_with_backend(disk.factory(), signer(), options());
            (log.unwrap_or_else(|error| panic!("{context}: {error}")), None)
        };

        let found = everything(&log.reader());
        assert_kept(&acknowledged, &found, &context);
        let last = acknowledged.last().map_or(Seq(0), |envelope| envelope.seq);
        let beyond: Vec<_> = found.iter().filter(|envelope| envelope.seq > last).cloned().collect();
        assert!(beyond.is_empty() || beyond == doubtful, "{context}: half a batch is there");
        if !doubtful.is_empty() {
            in_doubt[usize::from(!beyond.is_empty())] += 1;
        }
        match settled {
            Some(Settled::Committed(appended)) => assert_eq!(appended.envelopes, beyond, "{context}"),
            Some(Settled::NotCommitted) => assert!(beyond.is_empty(), "{context}"),
            Some(Settled::NothingPending) => assert!(doubtful.is_empty(), "{context}"),
            None => {}
        }
        assert_verified(&log, &context);
        assert_histories(&log.reader(), &found, &context);

        // Life goes on, and no place is given twice.
        let head = log.head().seq;
        let (events, side) = batch(99, &mut chance);
        let appended = log.append(events, &side).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(appended.envelopes[0].seq, head.next(), "{context}");
        log.tend(at(9999)).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_verified(&log, &context);
    }
    println!("{cuts} cuts; batches in doubt: {} not durable, {} durable after all", in_doubt[0], in_doubt[1]);
}

#[test]
fn a_cut_in_the_middle_leaves_a_batch_in_doubt_and_appends_refused() {
    let disk = Disk::default();
    let log = EventLog::create_with_backend(disk.factory(), signer(), options(), created()).unwrap();
    let before = disk.operations();
    drop(log);

    let disk = Disk::with(Trouble::PowerCut { at: before + 1, seed: 1 });
    let mut log = EventLog::create_with_backend(disk.factory(), signer(), options(), created()).unwrap();
    let (events, _) = batch(0, &mut Chance(1));
    assert!(matches!(log.append(events.clone(), &[]), Err(AppendError::Unknown(_))));
    assert_eq!(log.in_doubt().len(), events.len());
    assert!(matches!(log.append(events.clone(), &[]), Err(AppendError::Unknown(_))));
    assert!(matches!(log.tend(at(0)), Err(AppendError::Unknown(_))));
    assert!(log.reopen().is_err(), "the power is still gone");
    disk.heal();
    assert!(matches!(log.reopen(), Ok(Settled::NotCommitted | Settled::Committed(_))));
    assert!(matches!(log.reopen(), Ok(Settled::NothingPending)));
    log.append(events, &[]).unwrap();
}
