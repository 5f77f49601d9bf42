//! Where the bytes are: a file, or a backend that a test brings. A log can always open its storage anew.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use redb::{BackendError, Builder, Database, StorageBackend, backends::FileBackend};

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

fn builder(cache_bytes: usize) -> Builder {
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

fn past_end() -> io::Error {
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

/// A file that is only read: what the store library writes while it repairs goes into memory. An audit must not change
/// what it looks at, and must be able to look at a store that was not closed.
pub(crate) struct Overlay {
    file: FileBackend,
    changes: Mutex<Changes>,
}

struct Changes {
    len: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

const PAGE: usize = 4096;

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overlay({:?})", self.file)
    }
}

impl Overlay {
    /// Opens the file for reading; nothing is written to it ever.
    pub(crate) fn open(path: &Path) -> Result<Self, redb::Error> {
        let file = File::options().read(true).open(path)?;
        let len = file.metadata()?.len();
        if len == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty").into());
        }
        let changes = Mutex::new(Changes { len, pages: BTreeMap::new() });
        Ok(Self { file: FileBackend::new(file)?, changes })
    }

    /// The database over it; if wanted, every page's checksum is looked at first.
    pub(crate) fn database(self, cache_bytes: usize, whole: bool) -> Result<Database, redb::Error> {
        let mut builder = builder(cache_bytes);
        builder.set_check_integrity_on_open(whole);
        Ok(builder.create_with_backend(self)?)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file has at `offset`, zeros past its end.
    fn read_below(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let below = self.file.len()?;
        let there = usize::try_from(below.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        out[there..].fill(0);
        if there > 0 { self.file.read(offset, &mut out[..there]) } else { Ok(()) }
    }
}

/// Cuts `offset .. offset + len` at page borders: page, place in the page, place in the buffer, length.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE as u64).expect("below the page size");
        let length = (len - done).min(PAGE - within);
        let piece = (at / PAGE as u64, within, done, length);
        done += length;
        (length > 0).then_some(piece)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().len)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > changes.len) {
            return Err(past_end());
        }
        self.read_below(offset, out)?;
        if changes.pages.is_empty() {
            return Ok(());
        }
        for (page, within, at, length) in pieces(offset, out.len()) {
            if let Some(changed) = changes.pages.get(&page) {
                out[at..at + length].copy_from_slice(&changed[within..within + length]);
            }
        }
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changes().len = len;
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        for (page, within, at, length) in pieces(offset, data.len()) {
            if !changes.pages.contains_key(&page) {
                let mut below = Box::new([0; PAGE]);
                self.read_below(page * PAGE as u64, below.as_mut_slice())?;
                changes.pages.insert(page, below);
            }
            let changed = changes.pages.get_mut(&page).expect("it was put there above");
            changed[within..within + length].copy_from_slice(&data[at..at + length]);
        }
        Ok(())
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    // Shared locks: other audits may look at the same time, a writer may not.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
