//! Folds saved at a place in the log, so that a start need not read the log from its beginning.
//!
//! A snapshot is a cache and nothing else: deleting the folder is always safe, and whatever is wrong with a file makes
//! it as good as absent. The bytes are described in `docs/log-format.md`.

mod file;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use events::{fold::Fold, ids::Seq};

pub use crate::file::SavedFold;

/// Snapshots that are kept: the newest, and one before it in case the newest is damaged.
const KEPT: usize = 2;
const SUFFIX: &str = ".snapshot";
const UNFINISHED: &str = ".unfinished";

/// A folder of snapshots.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// A snapshot that was read back whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Everything up to here is in the folds.
    pub seq: Seq,
    /// The root of the ledger at that place: a snapshot of another log, or of another history, does not fit.
    pub root: [u8; 32],
    /// The folds.
    pub folds: Vec<SavedFold>,
}

impl Snapshot {
    /// A fold of this snapshot, if it is there in today's version. Otherwise it is to be rebuilt from the log.
    #[must_use]
    pub fn fold<F: Fold>(&self) -> Option<F> {
        self.folds.iter().find_map(load_fold)
    }
}

/// Why a snapshot was not written. The log is not touched by this.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot {} could not be written: {source}", path.display())]
pub struct SaveError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The saved form of a fold.
///
/// # Panics
/// When the fold is not plain data, which the first test of it shows.
#[must_use]
pub fn save_fold<F: Fold>(fold: &F) -> SavedFold {
    let bytes = bincode::serde::encode_to_vec(fold, bincode::config::standard())
        .expect("a fold is plain data: maps, lists, numbers and texts");
    SavedFold { name: F::NAME.to_owned(), version: F::VERSION, bytes }
}

/// The fold, if this is its saved form in today's version.
#[must_use]
pub fn load_fold<F: Fold>(saved: &SavedFold) -> Option<F> {
    if saved.name != F::NAME || saved.version != F::VERSION {
        return None;
    }
    match bincode::serde::decode_from_slice(&saved.bytes, bincode::config::standard()) {
        Ok((fold, used)) if used == saved.bytes.len() => Some(fold),
        Ok(_) => {
            tracing::warn!(fold = F::NAME, "a saved fold has another shape; rebuilding it from the log");
            None
        }
        Err(error) => {
            tracing::warn!(fold = F::NAME, %error, "a saved fold does not decode; rebuilding it from the log");
            None
        }
    }
}

impl Store {
    /// The snapshots in `dir`, which is made when the first one is saved.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Writes a snapshot beside its final name, makes it durable, gives it its name, and removes all but the two
    /// newest.
    ///
    /// # Errors
    /// When the folder cannot be written; earlier snapshots are untouched then.
    pub fn save(&self, seq: Seq, root: [u8; 32], folds: &[SavedFold]) -> Result<PathBuf, SaveError> {
        let path = self.dir.join(format!("{:020}{SUFFIX}", seq.0));
        let failed = |source| SaveError { path: path.clone(), source };
        let bytes = file::encode(seq, root, folds).map_err(failed)?;
        self.write(&path, &bytes).map_err(failed)?;
        self.prune();
        Ok(path)
    }

    /// The newest snapshot that is whole. Damaged ones are passed over.
    #[must_use]
    pub fn newest(&self) -> Option<Snapshot> {
        self.newest_up_to(Seq(u64::MAX))
    }

    /// The newest whole snapshot at or before a place: what reading the log up to there can start from.
    #[must_use]
    pub fn newest_up_to(&self, seq: Seq) -> Option<Snapshot> {
        let mut found = self.found();
        found.retain(|(at, _)| *at <= seq);
        found.iter().rev().find_map(|(at, path)| {
            let read = fs::read(path).map_err(|error| error.to_string());
            let snapshot = read.and_then(|bytes| file::decode(&bytes).map_err(|error| error.to_string()));
            match snapshot {
                Ok(snapshot) if snapshot.seq == *at => Some(snapshot),
                Ok(_) => {
                    tracing::warn!(path = %path.display(), "a snapshot has the name of another place");
                    None
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a snapshot is not usable");
                    None
                }
            }
        })
    }

    /// Removes every snapshot of a place after `seq`: they are of a history that the log does not have (any more).
    pub fn forget_after(&self, seq: Seq) {
        self.forget(|at| at > seq);
    }

    /// Removes the snapshot of one place, because it does not fit the log.
    pub fn forget_at(&self, seq: Seq) {
        self.forget(|at| at == seq);
    }

    fn forget(&self, which: impl Fn(Seq) -> bool) {
        for (at, path) in self.found() {
            if which(at) {
                tracing::warn!(path = %path.display(), "a snapshot does not fit this log; removing it");
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "it could not be removed");
                }
            }
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        events::crash::point("snapshot.before_write");
        fs::create_dir_all(&self.dir)?;
        let beside = path.with_extension(&UNFINISHED[1..]);
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        // Folds hold what the log holds.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        events::crash::point("snapshot.before_rename");
        fs::rename(&beside, path)?;
        events::crash::point("snapshot.after_rename");
        File::open(&self.dir)?.sync_all()
    }

    /// Snapshots by place, oldest first.
    fn found(&self) -> Vec<(Seq, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let seq = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
                Some((Seq(seq), path))
            })
            .collect();
        found.sort();
        found
    }

    /// Removes old snapshots and what a crash left unfinished. What cannot be removed is tried again next time.
    fn prune(&self) {
        let found = self.found();
        let old = found.len().saturating_sub(KEPT);
        for (_, path) in &found[..old] {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "an old snapshot could not be removed");
            }
        }
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests;
