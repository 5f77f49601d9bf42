//! What stands in the store file. Every table's key and value, and the small values of `meta`.
//!
//! Values are bytes and numbers only: nothing of the store library's own encodings is part of the format.

use redb::{ReadableTable, TableDefinition};

use super::error::Fault;
use crate::{
    ids::{Seq, StoreId},
    merkle::{Frontier, Hash},
};

/// The format of the tables, written into `meta`; raised when an older version could not read them.
pub(crate) const FORMAT: u32 = 2;

/// Rows of ledger frames, keyed by the first Seq of the row.
pub(crate) const LEDGER: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("ledger");
/// Rows of sample frames, keyed by the first Seq of the row.
pub(crate) const SAMPLES: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("samples");
/// Signed notes, keyed by the newest Seq they speak of.
pub(crate) const CHECKPOINTS: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("checkpoints");
/// Derived: subject and first Seq → distances to the next Seqs. Rows are made in `index`.
pub(crate) const HISTORIES: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("histories");
/// Derived: level and index → root of a complete subtree of 256^level leaves, and its first Seq.
pub(crate) const TILES: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("tiles");
/// Small facts about the store.
pub(crate) const META: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("meta");
/// Sealed router logins: erasable, and no part of the log.
pub(crate) const CREDENTIALS: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("credentials");

/// `meta`: the format, u32.
pub(crate) const META_FORMAT: &[u8] = b"format";
/// `meta`: the store's id, u128.
pub(crate) const META_STORE: &[u8] = b"store";
/// `meta`: up to where the derived tables are written; see [`Flushed`].
pub(crate) const META_FLUSHED: &[u8] = b"flushed";
/// `meta`: the newest Seq among retired samples, u64.
pub(crate) const META_RETIRED: &[u8] = b"retired";

/// The Seq that no event has: "from the beginning".
pub(crate) const BEFORE_ALL: Seq = Seq(0);

/// Up to where derived tables are written, and the tree's edge there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flushed {
    /// Everything up to here is in the derived tables.
    pub seq: Seq,
    /// The Seq of the first leaf of the newest block of 256 leaves.
    pub block_first: Seq,
    /// The tree up to here.
    pub frontier: Frontier,
}

impl Flushed {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + 32 * self.frontier.peaks().len());
        bytes.extend_from_slice(&self.seq.0.to_le_bytes());
        bytes.extend_from_slice(&self.block_first.0.to_le_bytes());
        bytes.extend_from_slice(&self.frontier.size().to_le_bytes());
        for peak in self.frontier.peaks() {
            bytes.extend_from_slice(peak);
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, peaks) = bytes.split_at_checked(24)?;
        let number = |i: usize| u64::from_le_bytes(numbers[i * 8..i * 8 + 8].try_into().expect("8 bytes"));
        let (peaks, rest) = peaks.as_chunks::<32>();
        let frontier = Frontier::from_parts(number(2), peaks.to_vec())?;
        rest.is_empty().then_some(Self { seq: Seq(number(0)), block_first: Seq(number(1)), frontier })
    }
}

/// A tile's value: the root of its leaves, then the Seq of its first leaf (level 1 only).
pub(crate) type Tile = [u8; 40];

pub(crate) fn tile(root: &Hash, first: Seq) -> Tile {
    let mut tile = [0; 40];
    tile[..32].copy_from_slice(root);
    tile[32..].copy_from_slice(&first.0.to_le_bytes());
    tile
}

pub(crate) fn tile_parts(tile: &Tile) -> (Hash, Seq) {
    let (root, first) = tile.split_at(32);
    let first = u64::from_le_bytes(first.try_into().expect("8 bytes"));
    (root.try_into().expect("32 bytes"), Seq(first))
}

/// A tile's key: the level in the top byte, the index below.
pub(crate) const fn tile_key(level: u32, index: u64) -> u64 {
    (level as u64) << 56 | index
}

/// What `meta` says of a store, if it can be read by this version.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    pub store_id: StoreId,
    pub flushed: Flushed,
    pub retired: Seq,
}

/// Why `meta` does not let the store be read.
#[derive(Debug)]
pub(crate) enum MetaFault {
    Fault(Fault),
    Format(u32),
}

impl<E: Into<Fault>> From<E> for MetaFault {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

/// Reads `meta` in full.
pub(crate) fn read_meta(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Meta, MetaFault> {
    let missing = |what: &str| Fault::damaged(BEFORE_ALL, format!("its {what} is missing or not readable"));
    let format = table.get(META_FORMAT)?.and_then(|value| value.value().try_into().ok());
    let format = u32::from_le_bytes(format.ok_or_else(|| missing("format number"))?);
    if format != FORMAT {
        return Err(MetaFault::Format(format));
    }
    let store = table.get(META_STORE)?.and_then(|value| value.value().try_into().ok());
    let flushed = table.get(META_FLUSHED)?.and_then(|value| Flushed::from_bytes(value.value()));
    let retired = table.get(META_RETIRED)?.and_then(|value| value.value().try_into().ok());
    Ok(Meta {
        store_id: StoreId::from_u128(u128::from_le_bytes(store.ok_or_else(|| missing("name"))?)),
        flushed: flushed.ok_or_else(|| missing("flush mark"))?,
        retired: Seq(retired.map_or(0, u64::from_le_bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flush_mark_survives_its_bytes() {
        let frontier = Frontier::from_parts(5, vec![[1; 32], [2; 32]]).unwrap();
        let mark = Flushed { seq: Seq(9), block_first: Seq(3), frontier };
        let bytes = mark.to_bytes();
        assert_eq!(Flushed::from_bytes(&bytes), Some(mark));
        for cut in 0..bytes.len() {
            assert_eq!(Flushed::from_bytes(&bytes[..cut]), None);
        }
    }

    #[test]
    fn tiles_of_one_level_sort_together() {
        assert!(tile_key(1, u64::from(u32::MAX)) < tile_key(2, 0));
        assert_eq!(tile_parts(&tile(&[3; 32], Seq(8))), ([3; 32], Seq(8)));
    }
}
