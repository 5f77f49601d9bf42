use std::collections::BTreeMap;

use events::{event::Envelope, log::EventLog};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts(BTreeMap<String, u64>);

impl Fold for Counts {
    const NAME: &'static str = "counts";
    const VERSION: u32 = 3;
    fn apply(&mut self, envelope: &Envelope) {
        *self.0.entry(envelope.event.kind().to_owned()).or_default() += 1;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct LaterCounts(BTreeMap<String, u64>);

impl Fold for LaterCounts {
    const NAME: &'static str = "counts";
    const VERSION: u32 = 4;
    fn apply(&mut self, _: &Envelope) {}
}

fn counts() -> Counts {
    let log = EventLog::in_memory(events::checkpoint::Signer::from_bytes([1; 32]));
    let mut counts = Counts::default();
    for envelope in log.reader().page(None, Seq(1), 10).unwrap() {
        counts.apply(&envelope);
    }
    counts
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("snapshots"));
    (folder, store)
}

#[test]
fn a_fold_comes_back_as_it_was_saved() {
    let (_folder, store) = store();
    assert_eq!(store.newest(), None, "a folder that is not there is empty");
    store.save(Seq(7), [5; 32], &[save_fold(&counts())]).unwrap();
    let snapshot = store.newest().unwrap();
    assert_eq!((snapshot.seq, snapshot.root), (Seq(7), [5; 32]));
    assert_eq!(snapshot.fold::<Counts>(), Some(counts()));
    assert_eq!(counts().0["StoreCreated"], 1);
}

#[test]
fn a_fold_of_another_version_is_rebuilt() {
    let saved = save_fold(&counts());
    assert!(load_fold::<LaterCounts>(&saved).is_none());
    let mut longer = saved.clone();
    longer.bytes.push(0);
    assert!(load_fold::<Counts>(&longer).is_none());
    let mut shorter = saved;
    shorter.bytes.pop();
    assert!(load_fold::<Counts>(&shorter).is_none());
}

#[test]
fn two_are_kept_and_unfinished_ones_removed() {
    let (_folder, store) = store();
    for seq in [1, 2, 30, 4] {
        store.save(Seq(seq), [0; 32], &[]).unwrap();
        fs::write(store.dir.join("00000000000000000099.unfinished"), "x").unwrap();
    }
    store.save(Seq(5), [0; 32], &[]).unwrap();
    let left: Vec<_> = store.found().into_iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(left, [5, 30]);
    assert_eq!(fs::read_dir(&store.dir).unwrap().count(), 2);
    assert_eq!(store.newest().unwrap().seq, Seq(30));
    assert_eq!(store.newest_up_to(Seq(29)).unwrap().seq, Seq(5));
    assert_eq!(store.newest_up_to(Seq(4)), None);
}

#[test]
fn what_does_not_fit_the_log_is_forgotten() {
    let (_folder, store) = store();
    for seq in [3, 7] {
        store.save(Seq(seq), [0; 32], &[]).unwrap();
    }
    store.forget_after(Seq(7));
    assert_eq!(store.newest().unwrap().seq, Seq(7));
    store.forget_after(Seq(6));
    assert_eq!(store.newest().unwrap().seq, Seq(3));
    store.forget_at(Seq(3));
    assert_eq!(store.newest(), None);
}

#[test]
fn a_damaged_newest_falls_back_to_the_one_before() {
    let (_folder, store) = store();
    store.save(Seq(1), [1; 32], &[save_fold(&counts())]).unwrap();
    let newest = store.save(Seq(2), [2; 32], &[save_fold(&counts())]).unwrap();
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(store.newest().unwrap().seq, Seq(1));
    fs::write(&newest, b"").unwrap();
    assert_eq!(store.newest().unwrap().seq, Seq(1));
    fs::rename(store.dir.join("00000000000000000001.snapshot"), &newest).unwrap();
    assert_eq!(store.newest(), None, "its name lies");
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = Store::new(file.join("snapshots")).save(Seq(1), [0; 32], &[]).unwrap_err();
    assert!(error.to_string().contains("file/snapshots/00000000000000000001.snapshot"), "{error}");
}

#[test]
fn a_build_s_name_and_every_length_stand_where_the_format_says() {
    let folds = [SavedFold { name: "ab".into(), version: 9, bytes: b"xyz".to_vec() }];
    let bytes = file::encode(Seq(3), [7; 32], &folds).unwrap();
    let build = env!("CARGO_PKG_VERSION");
    assert_eq!(&bytes[..12], b"APPLSNAP\x01\0\0\0");
    let after_build = 14 + build.len();
    assert_eq!(&bytes[14..after_build], build.as_bytes());
    assert_eq!(bytes[after_build..after_build + 8], 3u64.to_le_bytes());
    assert_eq!(bytes[after_build + 8..after_build + 40], [7; 32]);
    assert_eq!(&bytes[after_build + 40..after_build + 46], b"\x01\0\x02\0ab");
    assert_eq!(bytes[after_build + 46..after_build + 50], 9u32.to_le_bytes());
    assert_eq!(bytes[after_build + 50..after_build + 58], 3u64.to_le_bytes());
    let body = bytes.len() - after_build - 58 - 8 - 32;
    assert_eq!(bytes[after_build + 58..after_build + 66], (body as u64).to_le_bytes());
}

proptest! {
    #[test]
    fn any_changed_byte_is_noticed(at: prop::sample::Index, with in 1..=255u8) {
        let mut bytes = file::encode(Seq(3), [7; 32], &[save_fold(&counts())]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        prop_assert!(file::decode(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), ours: bool) {
        if ours && bytes.len() > 12 {
            bytes[..12].copy_from_slice(b"APPLSNAP\x01\0\0\0");
        }
        prop_assert!(file::decode(&bytes).is_err());
    }

    #[test]
    fn what_is_saved_is_read(seq: u64, root: [u8; 32], parts in proptest::collection::vec((".{0,9}", any::<u32>(), proptest::collection::vec(any::<u8>(), 0..99)), 0..5)) {
        let folds: Vec<_> = parts.into_iter().map(|(name, version, bytes)| SavedFold { name, version, bytes }).collect();
        let bytes = file::encode(Seq(seq), root, &folds).unwrap();
        prop_assert_eq!(file::decode(&bytes).unwrap(), Snapshot { seq: Seq(seq), root, folds });
    }
}
