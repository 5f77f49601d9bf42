//! Files that appear whole or not at all: written beside their name, made durable, then given it.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// A file that is being written beside the name it will have. Dropped unfinished, it is removed.
#[derive(Debug)]
pub(super) struct Beside {
    target: PathBuf,
    beside: PathBuf,
    out: Option<BufWriter<File>>,
    finished: bool,
}

impl Beside {
    /// Opens a new file beside `target`, readable by its owner only unless `mode` says otherwise.
    pub(super) fn open(target: &Path, mode: Option<u32>) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.unfinished", std::process::id()));
        let beside = target.with_file_name(hidden);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
        let this =
            Self { target: target.to_owned(), beside, out: Some(BufWriter::new(file)), finished: false };
        if let Some(mode) = mode {
            fs::set_permissions(&this.beside, Permissions::from_mode(mode))?;
        }
        Ok(this)
    }

    /// Makes it durable and gives it its name. Without `replace`, a file that came there meanwhile stays.
    pub(super) fn finish(mut self, replace: bool) -> io::Result<()> {
        let out = self.out.take().ok_or(io::ErrorKind::InvalidInput)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        if replace {
            fs::rename(&self.beside, &self.target)?;
        } else {
            fs::hard_link(&self.beside, &self.target)?;
            fs::remove_file(&self.beside)?;
        }
        self.finished = true;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Where it is until it is finished.
    pub(super) fn place(&self) -> &Path {
        &self.beside
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.as_mut().ok_or(io::ErrorKind::InvalidInput)?.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().ok_or(io::ErrorKind::InvalidInput)?.flush()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Copies a file to the first free name of `NAME.backup-1`, `NAME.backup-2`, …; no older copy is ever touched.
pub(super) fn back_up(path: &Path) -> io::Result<PathBuf> {
    let bytes = fs::read(path)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    for number in 1u32.. {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".backup-{number}"));
        let copy = path.with_file_name(name);
        let mut file = match File::options().write(true).create_new(true).mode(mode).open(&copy) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        file.write_all(&bytes)?;
        file.sync_all()?;
        return Ok(copy);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut beside = Beside::open(&path, None).unwrap();
        beside.write_all(b"half").unwrap();
        drop(beside);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut beside = Beside::open(&path, Some(0o640)).unwrap();
        beside.write_all(b"whole").unwrap();
        assert!(!path.exists());
        beside.finish(false).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let beside = Beside::open(&path, None).unwrap();
        assert_eq!(beside.finish(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"whole", "not replaced unasked");
        Beside::open(&path, None).unwrap().finish(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn copies_never_touch_older_copies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for text in ["one", "two"] {
            fs::write(&path, text).unwrap();
            back_up(&path).unwrap();
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("x.json.backup-1").as_str(), read("x.json.backup-2").as_str()), ("one", "two"));
    }
}
