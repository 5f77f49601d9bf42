//! Looking at a store's file without writing to it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    fs::File,
    io,
    ops::Bound,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, Database, StorageBackend, backends::FileBackend};

use super::storage::{builder, past_end};

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

    /// The database over it, if it was closed: one that was not is left alone, since mending it means reading it whole.
    pub(crate) fn unrepaired(self) -> Result<Database, redb::Error> {
        let mut builder = Database::builder();
        builder.set_cache_size(1024 * 1024).set_repair_callback(redb::RepairSession::abort);
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
            let changed = match changes.pages.entry(page) {
                Entry::Occupied(changed) => changed.into_mut(),
                Entry::Vacant(fresh) => {
                    let mut below = Box::new([0; PAGE]);
                    self.read_below(page * PAGE as u64, below.as_mut_slice())?;
                    fresh.insert(below)
                }
            };
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
