//! The bytes of a snapshot: a header written by hand, then the folds one after another, compressed as one.
//!
//! Little-endian: magic 8 | format u32 | build length u16, text | Seq u64 | root 32 | number of folds u16 |
//! for each fold: name length u16, text, version u32, length u64 | body length u64 | SHA-256 of everything else |
//! body (zstd).

use std::io::{self, Read as _, Write as _};

use events::ids::Seq;
use sha2::{Digest, Sha256};

use crate::Snapshot;

const MAGIC: &[u8; 8] = b"APPLSNAP";
const FORMAT: u32 = 1;
/// Fast, and two thirds of the size; higher levels cost more than reading saves.
const ZSTD_LEVEL: i32 = 1;
/// No fold of ours comes near; a length above it is damage.
const FOLDS_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// One fold as saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFold {
    /// Its name.
    pub name: String,
    /// The version of its saved form and meaning.
    pub version: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it is no snapshot")]
    Magic,
    #[error("it has format {0}")]
    Format(u32),
    #[error("it is cut off or has impossible lengths")]
    Shape,
    #[error("its checksum does not match")]
    Checksum,
    #[error("it does not decompress: {0}")]
    Body(#[from] io::Error),
}

fn put_text(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let len = u16::try_from(text.len()).map_err(|_| io::Error::other("a name is too long"))?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

pub(crate) fn encode(seq: Seq, root: [u8; 32], folds: &[SavedFold]) -> io::Result<Vec<u8>> {
    let mut body = zstd::stream::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    for fold in folds {
        body.write_all(&fold.bytes)?;
    }
    let body = body.finish()?;

    let mut out = Vec::with_capacity(body.len() + 256);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    put_text(&mut out, env!("CARGO_PKG_VERSION"))?;
    out.extend_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&root);
    let count = u16::try_from(folds.len()).map_err(|_| io::Error::other("there are too many folds"))?;
    out.extend_from_slice(&count.to_le_bytes());
    for fold in folds {
        put_text(&mut out, &fold.name)?;
        out.extend_from_slice(&fold.version.to_le_bytes());
        out.extend_from_slice(&(fold.bytes.len() as u64).to_le_bytes());
    }
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let sum = checksum(&out, &body);
    out.extend_from_slice(&sum);
    out.extend_from_slice(&body);
    Ok(out)
}

fn checksum(header: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(header);
    hasher.update(body);
    hasher.finalize().into()
}

/// Takes values off the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], FileError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FileError::Shape)?;
        self.0 = rest;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        Ok(self.take(N)?.try_into().expect("N bytes were taken"))
    }
    fn u16(&mut self) -> Result<usize, FileError> {
        self.array().map(u16::from_le_bytes).map(usize::from)
    }
    fn u32(&mut self) -> Result<u32, FileError> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, FileError> {
        self.array().map(u64::from_le_bytes)
    }
    fn text(&mut self) -> Result<&'a str, FileError> {
        let len = self.u16()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| FileError::Shape)
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Snapshot, FileError> {
    let mut cursor = Cursor(bytes);
    if cursor.take(MAGIC.len()).ok() != Some(MAGIC.as_slice()) {
        return Err(FileError::Magic);
    }
    match cursor.u32()? {
        FORMAT => {}
        other => return Err(FileError::Format(other)),
    }
    let _build = cursor.text()?;
    let seq = Seq(cursor.u64()?);
    let root = cursor.array()?;
    let mut parts = Vec::new();
    let mut total = 0u64;
    for _ in 0..cursor.u16()? {
        let (name, version, len) = (cursor.text()?, cursor.u32()?, cursor.u64()?);
        total = total.checked_add(len).filter(|total| *total <= FOLDS_BYTES_MAX).ok_or(FileError::Shape)?;
        parts.push((name, version, len));
    }
    let body_len = cursor.u64()?;
    let header = &bytes[..bytes.len() - cursor.0.len()];
    let sum: [u8; 32] = cursor.array()?;
    let body = cursor.0;
    if body.len() as u64 != body_len {
        return Err(FileError::Shape);
    }
    if checksum(header, body) != sum {
        return Err(FileError::Checksum);
    }
    let mut folds = Vec::with_capacity(parts.len());
    let mut body = zstd::stream::Decoder::new(body)?;
    for (name, version, len) in parts {
        let mut bytes = Vec::new();
        (&mut body).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != len {
            return Err(FileError::Shape);
        }
        folds.push(SavedFold { name: name.to_owned(), version, bytes });
    }
    if body.read(&mut [0])? != 0 {
        return Err(FileError::Shape);
    }
    Ok(Snapshot { seq, root, folds })
}
