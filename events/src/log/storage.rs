//! Where the bytes are: a file, or a backend that a test brings. A log can always open its storage anew.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{Builder, Database, StorageBackend, backends::FileBackend};

/// Makes a new backend over the same bytes, as opening a file again would.
pub type BackendFactory = Arc<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// How to get at the bytes, again and again.
#[derive(Clone)]
pub(crate) enum Storage {
    File(PathBuf),
    Backend(BackendFactory),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.path().display(), f)
    }
}

impl Storage {
    /// For messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Backend(_) => Path::new("(backend)"),
        }
    }

    /// A new, empty store. A file gets its final name by `publish`, when its first event is in.
    pub(crate) fn create(&self, cache_bytes: usize) -> Result<Database, redb::Error> {
        match self {
            Self::File(path) => {
                if path.try_exists()? {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
                }
                let mut options = File::options();
                options.read(true).write(true).create(true).truncate(true);
                // Decisions and sealed logins are nobody else's.
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(unfinished(path))?;
                Ok(builder(cache_bytes).create_with_backend(FileBackend::new(file)?)?)
            }
            Self::Backend(factory) => {
                let backend = factory()?;
                if backend.len()? > 0 {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
                }
                Ok(builder(cache_bytes).create_with_backend(Boxed(backend))?)
            }
        }
    }

    /// Gives a finished file its name; from then on it is a store.
    pub(crate) fn publish(&self) -> io::Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        fs::rename(unfinished(path), path)?;
        sync_folder_of(path)
    }

    /// Removes what an unsuccessful `create` left.
    pub(crate) fn discard_unfinished(&self) {
        if let Self::File(path) = self {
            let _ = fs::remove_file(unfinished(path));
        }
    }

    /// An existing store.
    pub(crate) fn open(&self, cache_bytes: usize) -> Result<Database, redb::Error> {
        let empty = || io::Error::new(io::ErrorKind::InvalidData, "the file is empty");
        match self {
            Self::File(path) => {
                let file = File::options().read(true).write(true).open(path)?;
                if file.metadata()?.len() == 0 {
                    return Err(empty().into());
                }
                Ok(builder(cache_bytes).create_with_backend(FileBackend::new(file)?)?)
            }
            Self::Backend(factory) => {
                let backend = factory()?;
                if backend.len()? == 0 {
                    return Err(empty().into());
                }
                Ok(builder(cache_bytes).create_with_backend(Boxed(backend))?)
            }
        }
    }
}

pub(super) fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_repair_callback(|session| {
        tracing::info!(progress = session.progress(), "the store was not closed cleanly; walking it");
    });
    builder
}

/// The name of a store that has no first event yet.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    path.with_file_name(name)
}

/// Makes a new name in a folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// A backend behind a pointer.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

/// A store in memory, for tests of the rooms above: every backend made from it sees the same bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryFile(Arc<RwLock<Vec<u8>>>);

impl MemoryFile {
    pub(crate) fn factory(&self) -> BackendFactory {
        let file = self.clone();
        Arc::new(move || Ok(Box::new(file.clone())))
    }
}

pub(super) fn past_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "past the end of the store")
}

/// The range of `offset` and `len` in something `size` long.
fn range_in(offset: u64, len: usize, size: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(|_| past_end())?;
    let end = start.checked_add(len).filter(|end| *end <= size).ok_or_else(past_end)?;
    Ok(start..end)
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        out.copy_from_slice(&bytes[range_in(offset, out.len(), bytes.len())?]);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| past_end())?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let range = range_in(offset, data.len(), bytes.len())?;
        bytes[range].copy_from_slice(data);
        Ok(())
    }
}
