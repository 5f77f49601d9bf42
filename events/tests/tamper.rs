//! Changes that somebody makes to a store or an export, by chance and on purpose, and what `verify` says.
//!
//! `APPLIANCE_TAMPER` sets how many random changes are made to each.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{Chance, at, batch, cases, created, options, removed, sampled, signer};
use events::{
    audit::{self, Options, ProblemKind, SignerCheck, Source, Verdict},
    checkpoint::Signer,
    export::export,
    frame,
    ids::Seq,
    log::{EventLog, import},
};
use redb::ReadableTable as _;

struct Scene {
    folder: tempfile::TempDir,
    store: PathBuf,
    export: Vec<u8>,
    /// The newest checkpoint, kept elsewhere.
    kept: String,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("log");
    let mut log = EventLog::create(&store, signer(), options(), created()).unwrap();
    let mut chance = Chance(5);
    for n in 0..120 {
        let (events, side) = batch(n, &mut chance);
        log.append(events, &side).unwrap();
    }
    // The ends are one of each keep.
    log.append(vec![removed(900, "r1", "last"), sampled(901, 3)], &[]).unwrap();
    let reader = log.reader();
    log.close(at(1000)).unwrap();
    drop(reader);
    let export = exported(&store).unwrap();
    let log = EventLog::open(&store, signer(), options()).unwrap();
    let kept = log.reader().latest_checkpoint().unwrap().unwrap();
    drop(log);
    Scene { folder, store, export, kept }
}

fn exported(store: &Path) -> Result<Vec<u8>, audit::AuditError> {
    let mut bytes = Vec::new();
    export(&Source::Store(store.to_path_buf()), &mut bytes, &mut |_| {}).map(|_| bytes)
}

fn key() -> Options {
    Options { key: Some(signer().verifier()), ..Options::default() }
}

fn verdict_of(source: &Source, options: &Options) -> Result<Verdict, audit::AuditError> {
    audit::verify(source, options, &mut |_| {})
}

/// `None` when nothing wrong was found.
fn finding(source: &Source, options: &Options) -> Option<String> {
    match verdict_of(source, options) {
        Ok(verdict) if verdict.is_good() => None,
        Ok(verdict) => Some(format!("{:?} {:?}", verdict.signer, verdict.problems.first())),
        Err(error) => Some(error.to_string()),
    }
}

impl Scene {
    fn finding_in_export(&self, bytes: &[u8], options: &Options) -> Option<String> {
        let path = self.folder.path().join("changed.ndjson");
        fs::write(&path, bytes).unwrap();
        finding(&Source::Export(path), options)
    }
    fn lines(&self) -> Vec<Vec<u8>> {
        self.export.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
    fn copy(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::copy(&self.store, &path).unwrap();
        path
    }
}

#[test]
fn an_untouched_store_and_its_export_are_good_and_say_the_same() {
    let scene = scene();
    let path = scene.folder.path().join("export.ndjson");
    fs::write(&path, &scene.export).unwrap();
    let options = Options { checkpoint: Some(scene.kept.clone()), ..key() };
    let store = verdict_of(&Source::Store(scene.store.clone()), &options).unwrap();
    let export = verdict_of(&Source::Export(path), &options).unwrap();
    assert!(store.is_good(), "{store:?}");
    assert_eq!(store.signer, SignerCheck::Checked);
    assert_eq!(store.sentence(), "content consistent, signer checked");
    assert_eq!(store, export);
    assert!(store.checkpoints_checked > 20 && store.events > 300 && store.opaque == 0);
    assert_eq!(store.events_after_checkpoint, 0);
    let unchecked = verdict_of(&Source::Store(scene.store.clone()), &Options::default()).unwrap();
    assert_eq!(unchecked.sentence(), "content consistent, signer unchecked");
}

#[test]
fn an_export_is_readable_and_the_same_every_time() {
    let scene = scene();
    assert_eq!(exported(&scene.store).unwrap(), scene.export);
    let lines = scene.lines();
    let json = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).unwrap();
    let first = json(&lines[0]);
    assert_eq!(first["line"], "header");
    assert_eq!(first["format"], "appliance-log-export/1");
    let event = json(&lines[1]);
    assert_eq!((event["line"].as_str(), event["seq"].as_u64()), (Some("event"), Some(1)));
    assert_eq!(event["event"]["StoreCreated"]["product_version"], "0.1.0");
    assert_eq!(event["actor"]["role"], "ops_rw");
    let last = json(lines.last().unwrap());
    assert_eq!(last["line"], "trailer");
    assert_eq!(
        last["events"].as_u64().unwrap() as usize + last["checkpoints"].as_u64().unwrap() as usize,
        lines.len() - 2
    );
}

#[test]
fn an_imported_export_is_the_same_log() {
    let scene = scene();
    let path = scene.folder.path().join("export.ndjson");
    fs::write(&path, &scene.export).unwrap();
    let again = scene.folder.path().join("imported");
    let verdict = import(&path, &again, &key(), &mut |_| {}).unwrap();
    assert!(verdict.is_good());
    assert_eq!(exported(&again).unwrap(), scene.export);
    let mut log = EventLog::open(&again, signer(), options()).unwrap();
    let reader = log.reader();
    assert_eq!(reader.root_at(log.head().leaves).unwrap(), log.head().root);
    let appended = log.append(vec![removed(2000, "r1", "goes on")], &[]).unwrap();
    assert_eq!(appended.envelopes[0].seq, verdict.head.next());
    let about = events::log::About::Device("r1".parse().unwrap());
    assert!(reader.newest(&about, None, 1000).unwrap().len() > 10);
    drop(log);
    assert!(import(&path, &again, &key(), &mut |_| {}).is_err(), "it is never overwritten");
    fs::write(&path, &scene.export[..scene.export.len() / 2]).unwrap();
    let half = scene.folder.path().join("half");
    assert!(import(&path, &half, &key(), &mut |_| {}).is_err());
    assert!(!half.exists());
}

#[test]
fn every_random_change_of_an_export_is_found() {
    let scene = scene();
    let lines = scene.lines();
    let mut chance = Chance(11);
    let (count, mut made) = (cases("APPLIANCE_TAMPER", 100), 0);
    for number in 0.. {
        if made == count {
            break;
        }
        let mut bytes = scene.export.clone();
        let mut changed_lines = lines.clone();
        let (a, b) = (chance.index(lines.len()), chance.index(lines.len()));
        let what = chance.below(8);
        match what {
            0 | 1 => {
                let at = chance.index(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
            2 => bytes.truncate(chance.index(bytes.len())),
            3 => {
                changed_lines.remove(a);
                bytes = changed_lines.concat();
            }
            4 => {
                changed_lines.swap(a, b);
                bytes = changed_lines.concat();
            }
            5 => {
                changed_lines.insert(a, lines[b].clone());
                bytes = changed_lines.concat();
            }
            6 => {
                let at = chance.index(bytes.len());
                let digits = (0..bytes.len()).map(|i| (at + i) % bytes.len());
                let at = digits.into_iter().find(|i| bytes[*i].is_ascii_digit()).unwrap();
                bytes[at] = b'0' + (bytes[at] - b'0' + 1) % 10;
            }
            _ => {
                changed_lines.truncate(a);
                bytes = changed_lines.concat();
            }
        }
        if bytes == scene.export {
            continue;
        }
        made += 1;
        assert!(
            scene.finding_in_export(&bytes, &key()).is_some(),
            "change {number} of kind {what} at {a}/{b}"
        );
    }
    println!("{count} changes of an export, all found");
}

/// Where a row's bytes stand in the file: once for every page that has them, old ones included.
fn places(file: &[u8], row: &[u8]) -> Vec<usize> {
    let (head, rest) = row.split_at(row.len().min(16));
    let starts = file.windows(head.len()).enumerate().filter(|(_, window)| *window == head).map(|(at, _)| at);
    starts.filter(|at| file[at + head.len()..].starts_with(rest)).collect()
}

#[test]
fn every_change_of_a_row_that_is_read_is_found() {
    let scene = scene();
    let original = fs::read(&scene.store).unwrap();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    {
        let database = redb::Database::open(scene.copy("rows")).unwrap();
        let txn = redb::ReadableDatabase::begin_read(&database).unwrap();
        for table in [LEDGER, SAMPLES, CHECKPOINTS] {
            let table = txn.open_table(table).unwrap();
            rows.extend(table.iter().unwrap().map(|entry| entry.unwrap().1.value().to_vec()));
        }
    }
    let rows: Vec<_> = rows.into_iter().map(|row| (places(&original, &row), row)).collect();
    assert!(
        rows.len() > 50 && rows.iter().all(|(places, _)| !places.is_empty()),
        "every row is found in the file"
    );
    let path = scene.folder.path().join("changed");
    let mut chance = Chance(13);
    let count = cases("APPLIANCE_TAMPER", 100);
    for number in 0..count {
        let (places, row) = &rows[chance.index(rows.len())];
        let mut changed = row.clone();
        let at = chance.index(row.len());
        match chance.below(3) {
            0 => changed[at] ^= 1 << chance.below(8),
            1 => changed[at] = changed[at].wrapping_add(1 + u8::try_from(chance.below(255)).unwrap()),
            _ => changed[at..].iter_mut().take(8).for_each(|byte| *byte = !*byte),
        }
        let mut bytes = original.clone();
        for place in places {
            bytes[*place..place + row.len()].copy_from_slice(&changed);
        }
        fs::write(&path, &bytes).unwrap();
        let found = finding(&Source::Store(path.clone()), &key());
        assert!(found.is_some(), "change {number} at byte {at} of a row at {places:?} was not found");
    }
    println!("{count} changes of rows in a store, all found");
}

#[test]
fn every_random_change_of_a_store_is_found_or_changes_nothing_readable() {
    let scene = scene();
    let original = fs::read(&scene.store).unwrap();
    let path = scene.folder.path().join("changed");
    let mut chance = Chance(12);
    let (mut found, mut nothing) = (0, 0);
    let count = cases("APPLIANCE_TAMPER", 100);
    for number in 0..count {
        let mut bytes = original.clone();
        let pages = bytes.len() / 4096;
        let (a, b) = (chance.index(pages) * 4096, chance.index(pages) * 4096);
        let what = chance.below(6);
        match what {
            // Most of the file is free space; these two aim at what is used.
            0 | 1 => {
                let used: Vec<_> = (0..bytes.len()).filter(|i| bytes[*i] != 0).collect();
                let at = used[chance.index(used.len())];
                bytes[at] ^= 1 << chance.below(8);
            }
            2 => {
                let at = chance.index(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
            3 => {
                let at = chance.index(bytes.len() / 512) * 512;
                bytes[at..at + 512].fill(0);
            }
            4 => bytes.copy_within(a..a + 4096, b),
            _ => bytes.truncate(chance.index(bytes.len())),
        }
        fs::write(&path, &bytes).unwrap();
        if finding(&Source::Store(path.clone()), &key()).is_some() {
            found += 1;
        } else {
            nothing += 1;
            let same = exported(&path).is_ok_and(|export| export == scene.export);
            assert!(same, "change {number} of kind {what} was not found, but changes what is read");
        }
    }
    println!("{count} changes of a store: {found} found, {nothing} touched nothing that is read");
    assert!(found > 0);
}

/// Changes a store with the library it is made with, as somebody with access to the file could.
fn attack(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

const LEDGER: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("ledger");
const SAMPLES: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("samples");
const CHECKPOINTS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("checkpoints");

fn kinds(path: &Path, options: &Options) -> Vec<ProblemKind> {
    let verdict = verdict_of(&Source::Store(path.to_path_buf()), options).unwrap();
    verdict.problems.iter().map(|problem| problem.kind).collect()
}

/// The row that a device's removal with this reason stands in, made anew with another reason and a right checksum.
fn rewritten(row: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut out, mut changed) = (row, Vec::new(), false);
    while !rest.is_empty() {
        let (frame, after) = frame::read(rest).unwrap();
        let envelope = frame.envelope().unwrap();
        let mut new = common::new(0, 0, envelope.event.clone());
        (new.at, new.actor, new.command_id) = (envelope.at, envelope.actor.clone(), envelope.command_id);
        if let events::event::Event::DeviceRemoved(fact) = &mut new.event {
            changed = true;
            fact.reason = "never happened".into();
        }
        frame::write(&mut out, envelope.seq, envelope.leaf, &new).unwrap();
        rest = after;
    }
    changed.then_some(out)
}

#[test]
fn a_decision_that_was_reworded_with_a_right_checksum_changes_the_root() {
    let scene = scene();
    let path = scene.copy("reworded");
    attack(&path, |txn| {
        let mut ledger = txn.open_table(LEDGER).unwrap();
        let (key, row) = ledger
            .iter()
            .unwrap()
            .find_map(|entry| {
                let (key, row) = entry.unwrap();
                rewritten(row.value()).map(|row| (key.value(), row))
            })
            .unwrap();
        ledger.insert(key, row.as_slice()).unwrap();
    });
    assert!(kinds(&path, &Options::default()).contains(&ProblemKind::Root));
}

#[test]
fn removed_events_leave_gaps() {
    let scene = scene();
    for (name, table) in [("ledger", LEDGER), ("samples", SAMPLES)] {
        let path = scene.copy(name);
        attack(&path, |txn| {
            let mut table = txn.open_table(table).unwrap();
            let keys: Vec<_> = table.iter().unwrap().map(|entry| entry.unwrap().0.value()).collect();
            table.remove(keys[keys.len() / 2]).unwrap();
        });
        assert!(kinds(&path, &Options::default()).contains(&ProblemKind::Gap), "{name}");
    }
}

#[test]
fn a_cut_tail_is_found_as_long_as_anything_speaks_of_it() {
    let scene = scene();
    let path = scene.copy("cut");
    attack(&path, |txn| {
        for table in [LEDGER, SAMPLES] {
            txn.open_table(table).unwrap().retain(|key, _| key < 200).unwrap();
        }
    });
    assert!(kinds(&path, &Options::default()).contains(&ProblemKind::Gap));
    // Even with every trace in the store removed, a kept checkpoint knows better.
    attack(&path, |txn| {
        txn.open_table(CHECKPOINTS).unwrap().retain(|key, _| key < 190).unwrap();
        let meta: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
        let mut meta = txn.open_table(meta).unwrap();
        let zero = [0u8; 24];
        meta.insert(b"flushed".as_slice(), zero.as_slice()).unwrap();
    });
    let kept = Options { checkpoint: Some(scene.kept.clone()), ..key() };
    assert!(kinds(&path, &kept).contains(&ProblemKind::Rollback));
}

#[test]
fn an_older_copy_is_found_with_a_kept_checkpoint_only() {
    let folder = tempfile::tempdir().unwrap();
    let (path, older) = (folder.path().join("log"), folder.path().join("older"));
    let log = EventLog::create(&path, signer(), options(), created()).unwrap();
    log.close(at(1)).unwrap();
    fs::copy(&path, &older).unwrap();
    let mut log = EventLog::open(&path, signer(), options()).unwrap();
    log.append(vec![removed(5, "r1", "x")], &[]).unwrap();
    let reader = log.reader();
    log.tend(at(500)).unwrap();
    let kept = reader.latest_checkpoint().unwrap().unwrap();
    drop(log);
    assert_eq!(finding(&Source::Store(older.clone()), &key()), None, "by itself it is consistent");
    let options = Options { checkpoint: Some(kept.clone()), ..key() };
    assert_eq!(kinds(&older, &options), [ProblemKind::Rollback]);
    assert_eq!(finding(&Source::Store(path), &options), None);
    let forged = Options { checkpoint: Some(kept.replace("seq 2", "seq 1")), ..key() };
    assert!(finding(&Source::Store(older), &forged).is_some());
}

#[test]
fn a_log_rebuilt_without_the_key_is_found_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let other = || Signer::from_bytes([8; 32]);
    let mut first = created();
    if let events::event::Event::StoreCreated(created) = &mut first.event {
        created.verifier_key = other().verifier().to_string();
    }
    let log = EventLog::create(&path, other(), options(), first).unwrap();
    log.close(at(1)).unwrap();
    let source = Source::Store(path);
    assert_eq!(verdict_of(&source, &Options::default()).unwrap().signer, SignerCheck::Unchecked);
    let verdict = verdict_of(&source, &key()).unwrap();
    assert_eq!((verdict.signer, verdict.is_good()), (SignerCheck::Mismatch, false));
}

#[test]
fn removed_checkpoints_are_missed_when_all_are_gone() {
    let scene = scene();
    let path = scene.copy("unsigned");
    attack(&path, |txn| txn.open_table(CHECKPOINTS).unwrap().retain(|_, _| false).unwrap());
    assert_eq!(kinds(&path, &key()), [ProblemKind::Signature]);
}

#[test]
fn retired_samples_leave_legal_gaps_and_others_do_not() {
    let scene = scene();
    let path = scene.copy("retired");
    let mut log = EventLog::open(&path, signer(), options()).unwrap();
    while log.retire_samples(Seq(100)).unwrap() > 0 {}
    let head = log.head();
    assert!(log.reader().page(Some(events::event::Keep::Samples), Seq(0), 1).unwrap()[0].seq > Seq(90));
    log.close(at(2000)).unwrap();
    let verdict = verdict_of(&Source::Store(path.clone()), &key()).unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    assert!(verdict.retired_through > Seq(80) && verdict.head == head.seq && verdict.leaves == head.leaves);
    let export = exported(&path).unwrap();
    assert_eq!(scene.finding_in_export(&export, &key()), None);
    let mut log = EventLog::open(&path, signer(), options()).unwrap();
    while log.retire_samples(head.seq).unwrap() > 0 {}
    drop(log);
    assert_eq!(EventLog::open(&path, signer(), options()).unwrap().head(), head, "no place is given twice");
}

#[test]
fn scanning_hands_out_a_range_in_order() {
    use std::ops::ControlFlow;
    let scene = scene();
    let path = scene.folder.path().join("export.ndjson");
    fs::write(&path, &scene.export).unwrap();
    let all = |source: &Source, from, to| {
        let mut seen = Vec::new();
        audit::scan(source, Seq(from), to, &mut |envelope| {
            seen.push(envelope.seq.0);
            ControlFlow::Continue(())
        })
        .unwrap();
        seen
    };
    for source in [Source::Store(scene.store.clone()), Source::Export(path)] {
        assert_eq!(all(&source, 50, Some(Seq(60))), (50..=60).collect::<Vec<_>>());
        assert!(all(&source, 0, None).len() > 300);
        let mut first = None;
        let one = &mut |entry| {
            first = Some(entry);
            ControlFlow::Break(())
        };
        audit::scan_tolerant(&source, Seq(7), None, one).unwrap();
        assert!(matches!(first, Some(audit::Entry::Known(envelope)) if envelope.seq == Seq(7)));
    }
}

#[test]
fn an_event_from_a_newer_version_is_opaque_and_still_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = EventLog::create(&path, signer(), options(), created()).unwrap();
    log.append(vec![removed(1, "r1", "x")], &[]).unwrap();
    log.close(at(1)).unwrap();
    // A kind 4242, as a newer version would have written it.
    attack(&path, |txn| {
        let mut ledger = txn.open_table(LEDGER).unwrap();
        let mut row = ledger.get(2).unwrap().unwrap().value().to_vec();
        row[48..50].copy_from_slice(&4242u16.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&row[..4]), &row[8..]);
        row[4..8].copy_from_slice(&sum.to_le_bytes());
        ledger.insert(2, row.as_slice()).unwrap();
        txn.open_table(CHECKPOINTS).unwrap().retain(|key, _| key < 2).unwrap();
    });
    let source = Source::Store(path.clone());
    let verdict = verdict_of(&source, &key()).unwrap();
    assert_eq!(verdict.opaque, 1);
    let strict = audit::scan(&source, Seq(0), None, &mut |_| std::ops::ControlFlow::Continue(()));
    assert!(matches!(strict, Err(audit::AuditError::Newer { seq: Seq(2), .. })));
    let mut opaque = 0;
    audit::scan_tolerant(&source, Seq(0), None, &mut |entry| {
        opaque += usize::from(matches!(entry, audit::Entry::Opaque { type_id: 4242, .. }));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(opaque, 1);
    let line = String::from_utf8(exported(&path).unwrap()).unwrap();
    assert!(line.contains(r#"{"line":"opaque","seq":2"#));
}
