//! Hashes of complete subtrees for proofs: from tiles where a tile is whole, from the events below that.

use std::{cell::RefCell, collections::BTreeMap};

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
    /// The block of leaves that was read last, and the nodes above leaves met so far: proofs of neighbours share them.
    block: RefCell<Option<(u64, Vec<Hash>)>>,
    met: RefCell<BTreeMap<(u32, u64), Hash>>,
}

impl<'a> StoredNodes<'a> {
    pub(super) fn open(txn: &'a ReadTransaction, edge: TreeEdge) -> Result<Self, Fault> {
        let tiles = txn.open_table(tables::TILES)?;
        Ok(Self { txn, tiles, edge, block: RefCell::default(), met: RefCell::default() })
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
        if self.block.borrow().as_ref().is_none_or(|(read, _)| *read != block) {
            let read = self.block_of_leaves(block)?;
            self.block.replace(Some((block, read)));
        }
        let read = self.block.borrow();
        let hashes = read.as_ref().map_or(&[][..], |(_, hashes)| hashes);
        let from = usize::try_from(start % 256).expect("below 256");
        let wanted = usize::try_from(count).ok().and_then(|count| hashes.get(from..from + count));
        wanted
            .map(<[Hash]>::to_vec)
            .ok_or_else(|| Fault::damaged(tables::BEFORE_ALL, format!("leaves from {start} on are missing")))
    }

    /// The hashes of a block's leaves, as far as there are any.
    fn block_of_leaves(&self, block: u64) -> Result<Vec<Hash>, Fault> {
        let first =
            if block == self.edge.leaves / 256 { self.edge.block_first } else { self.tile(1, block)?.1 };
        let (start, end) = (block * 256, (block + 1) * 256);
        let mut rows = Rows::open(self.txn, tables::LEDGER, first)?;
        let mut hashes = Vec::new();
        while let Some(seq) = rows.seq() {
            let frame = rows.frame()?;
            match frame.leaf {
                Some(leaf) if leaf >= end => break,
                Some(leaf) if leaf == start + hashes.len() as u64 => {
                    hashes.push(merkle::leaf_hash(frame.bytes));
                }
                Some(leaf) if leaf < start => {}
                Some(_) => return Err(Fault::damaged(seq, "its leaf does not follow")),
                None => return Err(Fault::damaged(seq, "it has no leaf")),
            }
            rows.advance()?;
        }
        Ok(hashes)
    }
}

impl Nodes for StoredNodes<'_> {
    type Error = Fault;

    fn node(&self, log2: u32, index: u64) -> Result<Hash, Fault> {
        let level = log2 / 8;
        let width = 1 << (log2 % 8);
        if level == 0 {
            return Ok(fold(self.leaves(index * width, width)?));
        }
        if let Some(met) = self.met.borrow().get(&(log2, index)) {
            return Ok(*met);
        }
        let roots = (index * width..(index + 1) * width).map(|index| self.tile(level, index));
        let node = fold(roots.map(|tile| tile.map(|(root, _)| root)).collect::<Result<_, _>>()?);
        self.met.borrow_mut().insert((log2, index), node);
        Ok(node)
    }
}

/// The root over a power of two of hashes.
fn fold(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect();
    }
    hashes[0]
}
