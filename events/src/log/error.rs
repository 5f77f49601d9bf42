//! What can go wrong, in words that tell what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::ids::Seq;

/// Why a store could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation of the fields")]
pub enum OpenError {
    /// Nothing is there.
    #[error("there is no store at {}: make one with `appliance init`, or name another with `--store`", path.display())]
    Missing { path: PathBuf },
    /// `create` never overwrites.
    #[error("there is already a store at {}: open it, or choose another place", path.display())]
    Exists { path: PathBuf },
    /// One process holds a store at a time.
    #[error(
        "another process holds the store at {}: stop it, or ask the running appliance instead", path.display()
    )]
    Locked { path: PathBuf },
    /// Opening writes, so it needs permission.
    #[error(
        "the store at {} cannot be written: give this user write permission on the file and its folder, \
         and mount the file system writable", path.display()
    )]
    ReadOnly { path: PathBuf },
    /// The content is not what was written.
    #[error(
        "the store at {} is damaged: {why}; keep the file, and restore the newest backup or import the newest export",
        path.display()
    )]
    Damaged { path: PathBuf, why: String },
    /// A newer version of the product wrote it.
    #[error(
        "the store at {} has format {found}, this version knows up to {known}: use the version that wrote it, \
         or a newer one", path.display()
    )]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    /// Too old to be read directly.
    #[error(
        "the store at {} has format {found}, this version reads from {known} on: export it with the version \
         that wrote it and import the export", path.display()
    )]
    OlderFormat { path: PathBuf, found: u32, known: u32 },
    /// No room.
    #[error("the disk of the store at {} is full: free some space and try again", path.display())]
    DiskFull { path: PathBuf },
    /// Anything else that the system says.
    #[error("the store at {} could not be opened: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Why an append did not return its events.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was written, and the log goes on as before.
    #[error("the events were refused: {0}")]
    Refused(String),
    /// The commit failed: it may or may not be durable. Only [`super::EventLog::reopen`] helps.
    #[error("it is unknown whether the events are durable: {0}")]
    Unknown(#[source] io::Error),
}

/// Why a reader has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store is closed or being reopened, and stayed so for a while.
    #[error("the log cannot be read at the moment")]
    Unavailable,
    /// What stands there is not what was written.
    #[error("the log is damaged at {seq}: {why}")]
    Damaged {
        /// Where.
        seq: Seq,
        /// How.
        why: String,
    },
    /// Intact, but from a newer version of the product.
    #[error("the event {seq} is from a newer version: {why}")]
    Newer {
        /// Where.
        seq: Seq,
        /// What is unknown.
        why: String,
    },
    /// The question does not fit the log's size.
    #[error("the ledger has {leaves} leaves; asked for {asked}")]
    OutOfRange {
        /// Leaves there are.
        leaves: u64,
        /// The number that does not fit.
        asked: u64,
    },
}

/// What stops reading inside, before it is decided whether to try again.
#[derive(Debug)]
pub(crate) enum Fault {
    Store(redb::Error),
    Damaged { seq: Seq, why: String },
    Newer { seq: Seq, why: String },
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl Fault {
    pub(crate) fn damaged(seq: Seq, why: impl ToString) -> Self {
        Self::Damaged { seq, why: why.to_string() }
    }

    /// From what decoding the frame at `seq` said.
    pub(crate) fn decode(seq: Seq, error: &crate::frame::DecodeError) -> Self {
        if error.is_newer() { Self::Newer { seq, why: error.to_string() } } else { Self::damaged(seq, error) }
    }

    pub(crate) fn into_open_error(self, path: &Path) -> OpenError {
        let path = path.to_path_buf();
        match self {
            Self::Store(error) => open_error(&path, error),
            Self::Damaged { seq, why } => OpenError::Damaged { path, why: format!("at event {seq}, {why}") },
            Self::Newer { seq, why } => OpenError::Damaged {
                path,
                why: format!("at event {seq}, {why} (a newer version of the appliance can read it)"),
            },
        }
    }
}

/// The store library's error as ours.
pub(crate) fn open_error(path: &Path, error: redb::Error) -> OpenError {
    let path = path.to_path_buf();
    let damaged = |path, why: String| OpenError::Damaged { path, why };
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::Locked { path },
        redb::Error::UpgradeRequired(found) => {
            OpenError::OlderFormat { path, found: found.into(), known: super::tables::FORMAT }
        }
        redb::Error::Corrupted(why) => damaged(path, why),
        error @ (redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)) => damaged(path, error.to_string()),
        redb::Error::Io(source) => io_error(path, source),
        other => OpenError::Io { path, source: io::Error::other(other) },
    }
}

/// The system's error as ours.
pub(crate) fn io_error(path: PathBuf, source: io::Error) -> OpenError {
    use io::ErrorKind as Kind;
    match source.kind() {
        Kind::NotFound => OpenError::Missing { path },
        Kind::AlreadyExists => OpenError::Exists { path },
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
        Kind::StorageFull | Kind::QuotaExceeded => OpenError::DiskFull { path },
        Kind::InvalidData => OpenError::Damaged { path, why: format!("it is no store file ({source})") },
        Kind::UnexpectedEof => OpenError::Damaged { path, why: "the file is shorter than it was".into() },
        _ => OpenError::Io { path, source },
    }
}

/// The store library's error as the system's, for the callers of `append`.
pub(crate) fn append_source(error: redb::Error) -> io::Error {
    match error {
        redb::Error::Io(source) => source,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_become_advice() {
        let path = || PathBuf::from("/x");
        let of = |kind: io::ErrorKind| io_error(path(), kind.into());
        assert!(matches!(of(io::ErrorKind::NotFound), OpenError::Missing { .. }));
        assert!(matches!(of(io::ErrorKind::PermissionDenied), OpenError::ReadOnly { .. }));
        assert!(matches!(of(io::ErrorKind::ReadOnlyFilesystem), OpenError::ReadOnly { .. }));
        assert!(matches!(of(io::ErrorKind::StorageFull), OpenError::DiskFull { .. }));
        assert!(matches!(of(io::ErrorKind::UnexpectedEof), OpenError::Damaged { .. }));
        assert!(matches!(of(io::ErrorKind::TimedOut), OpenError::Io { .. }));
        assert!(of(io::ErrorKind::NotFound).to_string().contains("appliance init"));
    }
}
