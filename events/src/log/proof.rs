//! Hashes of complete subtrees for proofs: from tiles where a tile is whole, from the events below that.

use std::collections::BTreeMap;

use redb::{ReadOnlyTable, ReadTransaction};

use super::{
    error::Fault,
    rows::Rows,
    tables::{self, Tile},
    tail::Tail,
};
use crate::{
    ids::Seq,
    merkle::{self, Hash, Nodes},
};

/// What of the tree is not in the tables.
pub(super) struct TreeEdge {
    leaves: u64,
    block_first: Seq,
    tiles: BTreeMap<u64, Tile>,
}

impl TreeEdge {
    pub(super) fn of(tail: &Tail) -> Self {
        let (leaves, block_first) = (tail.frontier.size(), tail.block_first);
        Self { leaves, block_first, tiles: tail.tiles.clone() }
    }
}

/// The tree as it stands in the store and at its unflushed edge.
pub(super) struct StoredNodes<'a> {
    txn: &'a ReadTransaction,
    tiles: ReadOnlyTable<u64, &'static [u8]>,
    edge: TreeEdge,
}

impl<'a> StoredNodes<'a> {
    pub(super) fn open(txn: &'a ReadTransaction, edge: TreeEdge) -> Result<Self, Fault> {
        Ok(Self { txn, tiles: txn.open_table(tables::TILES)?, edge })
    }

    fn tile(&self, level: u32, index: u64) -> Result<(Hash, Seq), Fault> {
        let key = tables::tile_key(level, index);
        let tile: Tile = match self.edge.tiles.get(&key) {
            Some(tile) => *tile,
            None => {
                let stored = self.tiles.get(key)?;
                stored.and_then(|stored| stored.value().try_into().ok()).ok_or_else(|| {
                    Fault::damaged(tables::BEFORE_ALL, format!("tile {level}/{index} is missing"))
                })?
            }
        };
        Ok(tables::tile_parts(&tile))
    }

    /// The leaf hashes `start .. start + count`, all in one block of 256 leaves.
    fn leaves(&self, start: u64, count: u64) -> Result<Vec<Hash>, Fault> {
        let block = start / 256;
        let first =
            if block == self.edge.leaves / 256 { self.edge.block_first } else { self.tile(1, block)?.1 };
        let mut rows = Rows::open(self.txn, tables::LEDGER, first)?;
        let mut hashes = Vec::new();
        while let Some(seq) = rows.seq() {
            let frame = rows.frame()?;
            match frame.leaf {
                Some(leaf) if leaf >= start + count => break,
                Some(leaf) if leaf >= start => hashes.push(merkle::leaf_hash(frame.bytes)),
                Some(_) => {}
                None => return Err(Fault::damaged(seq, "it has no leaf")),
            }
            rows.advance()?;
        }
        if hashes.len() as u64 == count {
            Ok(hashes)
        } else {
            Err(Fault::damaged(first, format!("leaves from {start} on are missing")))
        }
    }
}

impl Nodes for StoredNodes<'_> {
    type Error = Fault;

    fn node(&self, log2: u32, index: u64) -> Result<Hash, Fault> {
        let level = log2 / 8;
        let width = 1 << (log2 % 8);
        let hashes = if level == 0 {
            self.leaves(index * width, width)?
        } else {
            (index * width..(index + 1) * width)
                .map(|index| self.tile(level, index).map(|(root, _)| root))
                .collect::<Result<_, _>>()?
        };
        Ok(fold(hashes))
    }
}

/// The root over a power of two of hashes.
fn fold(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect();
    }
    hashes[0]
}
