//! Stores as an operator meets them: missing, held, cut off, from another version, on a disk that cannot be written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{at, batch, created, options, removed, signer};
use events::{
    audit::{self, AuditError, Source},
    ids::Seq,
    log::{EventLog, OpenError},
};

fn made(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("log");
    let mut log = EventLog::create(&path, signer(), options(), created()).unwrap();
    let mut chance = common::Chance(1);
    for n in 0..30 {
        let (events, side) = batch(n, &mut chance);
        log.append(events, &side).unwrap();
    }
    log.close(at(500)).unwrap();
    path
}

fn open(path: &Path) -> Result<EventLog, OpenError> {
    EventLog::open(path, signer(), options())
}

#[test]
fn a_missing_store_is_not_made_by_opening_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let error = open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("appliance init"));
    assert!(!path.exists());
    let source = Source::Store(path);
    let looked = audit::verify(&source, &audit::Options::default(), &mut |_| {});
    assert!(matches!(looked, Err(AuditError::Open(OpenError::Missing { .. }))));
}

#[test]
fn a_store_is_never_overwritten_and_a_folder_never_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let bytes = fs::read(&path).unwrap();
    let again = EventLog::create(&path, signer(), options(), created());
    assert!(matches!(again, Err(OpenError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let nowhere = EventLog::create(&folder.path().join("no/log"), signer(), options(), created());
    assert!(matches!(nowhere, Err(OpenError::Io { .. })));
}

#[test]
fn only_a_creation_makes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    assert!(EventLog::create(&path, signer(), options(), removed(0, "r1", "x")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    // What a crash during creation leaves does not stand in the way.
    fs::write(folder.path().join("log.unfinished"), [1; 9000]).unwrap();
    assert!(matches!(open(&path), Err(OpenError::Missing { .. })));
    EventLog::create(&path, signer(), options(), created()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_held_store_is_said_to_be_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let log = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another process"));
    let source = Source::Store(path.clone());
    let looked = audit::verify(&source, &audit::Options::default(), &mut |_| {});
    assert!(matches!(looked, Err(AuditError::Open(OpenError::Locked { .. }))), "{looked:?}");
    let reader = log.reader();
    drop(log);
    assert!(open(&path).is_ok(), "a reader alone does not hold the store");
    drop(reader);
}

#[test]
fn an_audit_does_not_change_what_it_looks_at_even_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let mut log = open(&path).unwrap();
    log.append(vec![removed(600, "r1", "x")], &[]).unwrap();
    let copy = folder.path().join("crashed");
    fs::copy(&path, &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    let verdict =
        audit::verify(&Source::Store(copy.clone()), &audit::Options::default(), &mut |_| {}).unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!((verdict.head, verdict.leaves), (log.head().seq, log.head().leaves));
    assert_eq!(fs::read(&copy).unwrap(), before);
    // Two audits may look at once.
    let held = fs::File::open(&copy).unwrap();
    held.lock_shared().unwrap();
    assert!(audit::verify(&Source::Store(copy), &audit::Options::default(), &mut |_| {}).is_ok());
}

#[test]
fn a_store_that_was_cut_off_or_is_something_else_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let bytes = fs::read(&path).unwrap();
    let other = folder.path().join("other");
    let pieces: [&[u8]; 6] =
        [b"", b"hello", &[0; 8192], &bytes[..100], &bytes[..bytes.len() / 2], &bytes[..bytes.len() - 4096]];
    for piece in pieces {
        fs::write(&other, piece).unwrap();
        let opened = open(&other);
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{} bytes: {opened:?}", piece.len());
        let looked = audit::verify(&Source::Store(other.clone()), &audit::Options::default(), &mut |_| {});
        let damage = looked.as_ref().is_err_and(AuditError::is_damage);
        assert!(damage, "{} bytes: {looked:?}", piece.len());
    }
}

/// Sets the format number in `meta`, as another version would have.
fn with_format(path: &Path, format: u32) {
    let table: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(table).unwrap().insert(b"format".as_slice(), format.to_le_bytes().as_slice()).unwrap();
    txn.commit().unwrap();
}

#[test]
fn stores_of_other_formats_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    with_format(&path, 3);
    let newer = open(&path).unwrap_err();
    assert!(matches!(newer, OpenError::NewerFormat { found: 3, known: 2, .. }), "{newer}");
    with_format(&path, 1);
    let older = open(&path).unwrap_err();
    assert!(matches!(older, OpenError::OlderFormat { found: 1, known: 2, .. }), "{older}");
    let looked = audit::verify(&Source::Store(path), &audit::Options::default(), &mut |_| {});
    assert!(matches!(looked, Err(AuditError::Open(OpenError::OlderFormat { .. }))));
}

#[cfg(unix)]
#[test]
fn an_unwritable_place_is_said_to_be_unwritable() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    allow(&path, 0o400);
    allow(folder.path(), 0o500);
    // The superuser may write anything; then there is nothing to see here.
    if fs::write(folder.path().join("probe"), "").is_err() {
        assert!(matches!(open(&path), Err(OpenError::ReadOnly { .. })));
        let beside = EventLog::create(&folder.path().join("new"), signer(), options(), created());
        assert!(matches!(beside, Err(OpenError::ReadOnly { .. })));
        let looked = audit::verify(&Source::Store(path), &audit::Options::default(), &mut |_| {});
        assert!(looked.unwrap().is_good(), "an audit needs no write permission");
    }
    allow(folder.path(), 0o700);
}

#[cfg(unix)]
#[test]
fn a_store_is_nobody_else_s_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mode = fs::metadata(made(&folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn opening_writes_nothing_new_into_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(&folder);
    let first = open(&path).unwrap().head();
    let second = open(&path).unwrap().head();
    assert_eq!(first, second);
    assert_eq!(open(&path).unwrap().reader().page(None, Seq(1), 1).unwrap()[0].event.kind(), "StoreCreated");
}
