//! The writer and its readers on memory and on files.

use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    device::{DeviceRemoved, DeviceStatus},
    event::{Event, Keep, NewEvent},
    ids::{CommandId, DeviceId, JobId, StepId},
    job::StepStarted,
    merkle,
    principal::{Actor, Door, Role},
    sample::{HealthBatch, HealthSample},
    store::StoreCreated,
};

pub(crate) fn signer() -> Signer {
    Signer::from_bytes([7; 32])
}

fn at(second: i64) -> Moment {
    Moment::from_micros(1_790_000_000_000_000).plus_secs(second)
}

fn new(event: impl Into<Event>) -> NewEvent {
    NewEvent {
        at: at(0),
        actor: Actor { name: "token:t1".into(), label: "Ada".into(), role: Role::OpsRw, door: Door::McpHttp },
        command_id: CommandId::from_u128(1),
        event: event.into(),
    }
}

pub(crate) fn created() -> NewEvent {
    new(StoreCreated {
        store_id: StoreId::from_u128(9),
        product_version: "0.1.0".into(),
        verifier_key: signer().verifier().to_string(),
    })
}

pub(crate) fn removed(device: &str, reason: impl ToString) -> NewEvent {
    new(DeviceRemoved { device_id: device.parse().unwrap(), reason: reason.to_string() })
}

pub(crate) fn sampled(device: &str) -> NewEvent {
    let sample = HealthSample {
        device_id: device.parse().unwrap(),
        at: at(0),
        status: DeviceStatus::Healthy,
        cpu_permille: Some(10),
        memory_permille: None,
        disk_permille: None,
        temperature_decicelsius: None,
        uptime_s: Some(1),
    };
    new(HealthBatch { samples: vec![sample] })
}

fn started(step: u128, undo: bool) -> NewEvent {
    new(StepStarted {
        job_id: JobId::from_u128(5),
        step_id: StepId::from_u128(step),
        device_id: "r1".parse().unwrap(),
        attempt: 1,
        undo,
        operation_sha256: "ab".repeat(32),
    })
}

fn seqs(envelopes: &[Envelope]) -> Vec<u64> {
    envelopes.iter().map(|envelope| envelope.seq.0).collect()
}

fn device(id: &str) -> About {
    About::Device(id.parse::<DeviceId>().unwrap())
}

fn create(path: &Path) -> EventLog {
    EventLog::create(path, signer(), OpenOptions::default(), created()).unwrap()
}

fn open(path: &Path) -> Result<EventLog, OpenError> {
    EventLog::open(path, signer(), OpenOptions::default())
}

/// The writer may move to its thread; readers go anywhere.
const fn is_send<T: Send>() {}
const fn is_shared<T: Clone + Send + Sync>() {}
const _: () = (is_send::<EventLog>(), is_shared::<LogReader>(), is_send::<crate::ticket::Ticket>()).0;

#[test]
fn a_batch_gets_consecutive_places_and_only_decisions_get_leaves() {
    let mut log = EventLog::in_memory(signer());
    let appended = log.append(vec![removed("r1", 1), sampled("r1"), removed("r2", 2)], &[]).unwrap();
    assert_eq!(seqs(&appended.envelopes), [2, 3, 4]);
    let leaves: Vec<_> = appended.envelopes.iter().map(|envelope| envelope.leaf).collect();
    assert_eq!(leaves, [Some(1), None, Some(2)]);
    let head = log.head();
    assert_eq!((head.seq, head.leaves), (Seq(4), 3));
    let reader = log.reader();
    assert_eq!(reader.page(None, Seq(2), 10).unwrap(), appended.envelopes);
    assert_eq!(seqs(&reader.page(Some(Keep::Ledger), Seq(0), 10).unwrap()), [1, 2, 4]);
    assert_eq!(seqs(&reader.page(Some(Keep::Samples), Seq(0), 10).unwrap()), [3]);
    assert_eq!(seqs(&reader.page(None, Seq(3), 1).unwrap()), [3]);
    assert_eq!(reader.get(Seq(3)).unwrap().as_ref(), Some(&appended.envelopes[1]));
    assert_eq!(reader.get(Seq(5)).unwrap(), None);
    assert_eq!(reader.get(Seq(0)).unwrap(), None);
}

#[test]
fn every_durable_intent_has_one_ticket() {
    let mut log = EventLog::in_memory(signer());
    let appended = log.append(vec![started(1, false), removed("r1", 1), started(2, true)], &[]).unwrap();
    let tickets: Vec<_> = appended.tickets.iter().map(|t| (t.seq().0, t.step_id(), t.is_undo())).collect();
    assert_eq!(tickets, [(2, Some(StepId::from_u128(1)), false), (4, Some(StepId::from_u128(2)), true)]);
    let ticket = &appended.tickets[0];
    assert_eq!((ticket.job_id(), ticket.device_id().as_str()), (JobId::from_u128(5), "r1"));
    assert_eq!(ticket.operation_sha256(), "ab".repeat(32));
}

#[test]
fn histories_are_found_before_and_after_the_flush() {
    let mut log = EventLog::in_memory(signer());
    let reader = log.reader();
    for round in 0..3 {
        log.append(vec![removed("r1", round), removed("r10", round)], &[]).unwrap();
        if round == 1 {
            log.tend(at(1)).unwrap();
        }
    }
    assert_eq!(seqs(&reader.newest(&device("r1"), None, 10).unwrap()), [6, 4, 2]);
    assert_eq!(seqs(&reader.newest(&device("r1"), Some(Seq(6)), 1).unwrap()), [4]);
    assert_eq!(seqs(&reader.newest(&device("r10"), None, 2).unwrap()), [7, 5]);
    assert_eq!(seqs(&reader.newest(&About::Everything, None, 3).unwrap()), [7, 6, 5]);
    assert_eq!(seqs(&reader.newest(&About::Everything, Some(Seq(3)), 9).unwrap()), [2, 1]);
    assert_eq!(seqs(&reader.newest(&About::Actor("token:t1".into()), None, 2).unwrap()), [7, 6]);
    assert_eq!(reader.newest(&About::Actor("nobody".into()), None, 2).unwrap(), []);
    log.append(vec![started(1, false)], &[]).unwrap();
    assert_eq!(seqs(&reader.newest(&About::Job(JobId::from_u128(5)), None, 9).unwrap()), [8]);
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = create(&path);
    for i in 0..100 {
        log.append(vec![removed("r1", i), sampled("r1")], &[]).unwrap();
    }
    let (head, all) = (log.head(), log.reader().page(None, Seq(0), 1000).unwrap());
    assert_eq!(all.len(), 201);
    drop(log);
    let log = open(&path).unwrap();
    assert_eq!(log.head(), head);
    assert_eq!(log.reader().page(None, Seq(0), 1000).unwrap(), all);
    assert_eq!(log.store_id(), StoreId::from_u128(9));
    log.close(at(5)).unwrap();
    let mut log = open(&path).unwrap();
    assert_eq!(log.head(), head);
    assert_eq!(seqs(&log.append(vec![removed("r1", "x")], &[]).unwrap().envelopes), [202]);
}

#[test]
fn proofs_hold_across_flushes_and_blocks() {
    let mut log = EventLog::in_memory(signer());
    let reader = log.reader();
    let mut roots = vec![log.head()];
    for i in 0..70 {
        log.append((0..13).map(|k| removed("r1", i * 13 + k)).collect(), &[]).unwrap();
        roots.push(log.head());
    }
    let newest = log.head();
    assert_eq!(reader.root_at(newest.leaves).unwrap(), newest.root);
    for old in roots.iter().step_by(9) {
        assert_eq!(reader.root_at(old.leaves).unwrap(), old.root);
        let path = reader.consistency_proof(old.leaves, newest.leaves).unwrap();
        assert!(merkle::verify_consistency(old.leaves, newest.leaves, &path, &old.root, &newest.root));
    }
    for leaf in [0, 1, 255, 256, 511, 700, newest.leaves - 1] {
        let path = reader.inclusion_proof(leaf, newest.leaves).unwrap();
        let envelope = reader.get(Seq(leaf + 1)).unwrap().unwrap();
        let Envelope { seq, leaf, at, actor, command_id, event } = envelope;
        let mut frame = Vec::new();
        crate::frame::write(&mut frame, seq, leaf, &NewEvent { at, actor, command_id, event }).unwrap();
        let hash = merkle::leaf_hash(&frame);
        assert!(merkle::verify_inclusion(&hash, leaf.unwrap(), newest.leaves, &path, &newest.root));
    }
    assert!(matches!(reader.inclusion_proof(0, newest.leaves + 1), Err(ReadError::OutOfRange { .. })));
    assert!(matches!(reader.inclusion_proof(9, 9), Err(ReadError::OutOfRange { .. })));
    assert!(matches!(reader.consistency_proof(0, 9), Err(ReadError::OutOfRange { .. })));
}

#[test]
fn checkpoints_are_signed_when_due_and_written_beside_the_store() {
    use crate::checkpoint::Note;
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("checkpoints");
    let options = OpenOptions {
        checkpoint_file: Some(beside.clone()),
        checkpoint_every_events: 10,
        ..OpenOptions::default()
    };
    let path = folder.path().join("log");
    let mut log = EventLog::create(&path, signer(), options, created()).unwrap();
    let reader = log.reader();
    let count = |reader: &LogReader| reader.checkpoints(Seq(0), 99).unwrap().len();
    assert_eq!(count(&reader), 1);
    log.append((0..9).map(|i| removed("r1", i)).collect(), &[]).unwrap();
    assert_eq!(count(&reader), 1);
    log.append(vec![removed("r1", 9)], &[]).unwrap();
    assert_eq!(count(&reader), 2);
    log.tend(at(59)).unwrap();
    assert_eq!(count(&reader), 2);
    log.append(vec![removed("r1", 10)], &[]).unwrap();
    log.tend(at(60)).unwrap();
    assert_eq!(count(&reader), 3);
    log.tend(at(600)).unwrap();
    assert_eq!(count(&reader), 3, "nothing happened since");
    let head = log.head();
    let note = Note::parse(&reader.latest_checkpoint().unwrap().unwrap()).unwrap();
    assert_eq!(note.verify(&signer().verifier()), Ok(()));
    assert_eq!((note.checkpoint.root, note.checkpoint.leaves), (head.root, head.leaves));
    let written = std::fs::read_to_string(beside).unwrap();
    let notes: Vec<_> = reader.checkpoints(Seq(0), 99).unwrap();
    assert_eq!(written, notes.iter().map(|note| format!("{note}\n")).collect::<String>());
}

#[test]
fn side_rows_ride_in_the_same_commit() {
    let mut log = EventLog::in_memory(signer());
    let table = SideTable::Credentials;
    let put = SideWrite::Put { table, key: b"k".to_vec(), value: b"sealed".to_vec() };
    log.append(vec![removed("r1", 1)], std::slice::from_ref(&put)).unwrap();
    let reader = log.reader();
    assert_eq!(reader.side(table, b"k").unwrap().as_deref(), Some(&b"sealed"[..]));
    assert_eq!(reader.side_rows(table).unwrap().len(), 1);
    log.append(vec![], &[SideWrite::Erase { table, key: b"k".to_vec() }]).unwrap();
    assert_eq!(reader.side(table, b"k").unwrap(), None);
    assert_eq!(log.head().seq, Seq(2), "side writes alone are no events");
    assert!(!format!("{put:?}").contains("115"), "values are never shown");
}

#[test]
fn what_is_too_large_is_refused_and_nothing_changes() {
    let mut log = EventLog::in_memory(signer());
    let before = log.head();
    let huge = "x".repeat(17 * 1024 * 1024);
    assert!(matches!(
        log.append(vec![removed("r1", 1), removed("r1", huge)], &[]),
        Err(AppendError::Refused(_))
    ));
    assert_eq!(log.head(), before);
    assert_eq!(seqs(&log.append(vec![removed("r1", 1)], &[]).unwrap().envelopes), [2]);
}

#[test]
fn readers_go_on_across_reopening_and_say_so_when_the_log_is_gone() {
    let mut log = EventLog::in_memory(signer());
    let reader = log.reader();
    log.append(vec![removed("r1", 1)], &[]).unwrap();
    assert!(matches!(log.reopen(), Ok(Settled::NothingPending)));
    assert_eq!(seqs(&reader.page(None, Seq(0), 9).unwrap()), [1, 2]);
    assert_eq!(seqs(&reader.newest(&device("r1"), None, 9).unwrap()), [2]);
    log.append(vec![removed("r1", 2)], &[]).unwrap();
    assert_eq!(reader.head().seq, Seq(3));
    drop(log);
    assert!(matches!(reader.page(None, Seq(0), 9), Err(ReadError::Unavailable)));
}

#[test]
fn readers_on_other_threads_see_every_event_once_and_in_order() {
    let mut log = EventLog::in_memory(signer());
    let reader = Arc::new(log.reader());
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let reader = Arc::clone(&reader);
            std::thread::spawn(move || {
                let (mut next, mut seen) = (Seq(1), Vec::new());
                while next.0 <= 301 {
                    let page = reader.page(None, next, 50).unwrap();
                    let Some(last) = page.last() else {
                        std::thread::yield_now();
                        continue;
                    };
                    next = last.seq.next();
                    seen.extend(seqs(&page));
                    let newest = reader.newest(&device("r1"), None, 5).unwrap();
                    assert!(newest.windows(2).all(|pair| pair[0].seq > pair[1].seq));
                }
                seen
            })
        })
        .collect();
    for i in 0..300 {
        log.append(vec![removed("r1", i)], &[]).unwrap();
        if i % 100 == 50 {
            log.reopen().unwrap();
        }
    }
    for handle in readers {
        assert_eq!(handle.join().unwrap(), (1..=301).collect::<Vec<_>>());
    }
}
