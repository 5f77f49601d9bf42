//! Key files: 32 bytes, readable by the owner only.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::failure::{Code, Failure};

/// Reads a key.
///
/// # Errors
/// `invalid_config` when it is missing, has another length, or others may read it.
pub(super) fn read(path: &Path, what: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let refused =
        |why: String| Failure::new(Code::InvalidConfig, format!("the {what} {} {why}", path.display()));
    let mut file = std::fs::File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let mode = file.metadata().map_err(|error| refused(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(refused(format!("may be read by others (mode {:o})", mode & 0o777)).hint("chmod 600 it"));
    }
    let mut key = Zeroizing::new([0u8; 32]);
    let mut rest = [0u8; 1];
    file.read_exact(&mut key[..]).map_err(|_| refused("is shorter than 32 bytes".into()))?;
    if file.read(&mut rest).map_err(|error| refused(error.to_string()))? != 0 {
        return Err(refused("is longer than 32 bytes".into()));
    }
    Ok(key)
}

/// Writes a new key; never over an old one, and never a part of one: it has its name only when it is whole and durable.
///
/// # Errors
/// `store_unusable` when it exists or cannot be written.
pub(super) fn write_new(path: &Path, key: &[u8; 32]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::StoreUnusable, format!("the key {} cannot be written: {error}", path.display()))
    };
    let beside = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(key)?;
        file.sync_all()?;
        // A link, not a rename: it refuses to replace.
        std::fs::hard_link(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    let written = write().map_err(failed);
    let _ = std::fs::remove_file(&beside);
    written
}
