//! The Merkle tree of RFC 6962 (SHA-256): its hashes, its growing edge, and its proofs.
//!
//! Pure: knows no store. Proofs ask a [`Nodes`] for the hashes of complete subtrees, wherever those are kept.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 of `0x00` and the leaf's bytes.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(leaf);
    hasher.finalize().into()
}

/// The hash of an inner node: SHA-256 of `0x01` and both children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a growing tree: the roots of its complete subtrees, largest first. At most 64 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// From saved parts; `None` when the number of peaks is not that of the size.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf. `completed` is told of every subtree that this completes: log2 of its size, its index, its root.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, &Hash)) {
        let (mut hash, mut log2) = (leaf, 0);
        while (self.size >> log2) & 1 == 1 {
            let left = self.peaks.pop().expect("there is a peak for every one-bit of the size");
            hash = node_hash(&left, &hash);
            log2 += 1;
            completed(log2, self.size >> log2, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return empty_root() };
        peaks.fold(*smallest, |right, left| node_hash(left, &right))
    }
}

/// Where the roots of complete subtrees come from.
pub trait Nodes {
    /// Why one could not be had.
    type Error;
    /// The root of the subtree over leaves `index · 2^log2 .. (index + 1) · 2^log2`; all of them exist.
    ///
    /// # Errors
    /// When it could not be had.
    fn node(&self, log2: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root over leaves `start .. end`, where `start` is a multiple of the next power of two of the width.
fn subtree<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let width = end - start;
    if width.is_power_of_two() {
        let log2 = width.trailing_zeros();
        return nodes.node(log2, start >> log2);
    }
    let split = start + left_width(width);
    Ok(node_hash(&subtree(nodes, start, split)?, &subtree(nodes, split, end)?))
}

/// The largest power of two below `width` (which is at least 2).
const fn left_width(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}

/// The root of the first `size` leaves.
///
/// # Errors
/// Those of `nodes`.
pub fn root_at<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty_root()) } else { subtree(nodes, 0, size) }
}

/// The audit path of `leaf` in the tree of `size` leaves, lowest sibling first. Requires `leaf < size`.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion_proof<N: Nodes>(nodes: &N, leaf: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let split = start + left_width(end - start);
        if leaf < split {
            path.push(subtree(nodes, split, end)?);
            end = split;
        } else {
            path.push(subtree(nodes, start, split)?);
            start = split;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the first `old` of `new` leaves are unchanged. Requires `0 < old <= new`.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency_proof<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end, mut path) = (0, new, Vec::new());
    while old != end {
        let split = start + left_width(end - start);
        if old <= split {
            path.push(subtree(nodes, split, end)?);
            end = split;
        } else {
            path.push(subtree(nodes, start, split)?);
            start = split;
        }
    }
    if start != 0 {
        path.push(subtree(nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Does `path` lead from the leaf to the root?
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Does `path` prove that the tree of `new` leaves begins with the tree of `old` leaves?
#[must_use]
pub fn verify_consistency(old: u64, new: u64, path: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let mut hashes = path.iter();
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let first = if node == 0 { Some(old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut from_old, mut from_new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(hash, &from_old);
            from_new = node_hash(hash, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
