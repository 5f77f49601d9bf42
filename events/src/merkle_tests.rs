use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// A tree that is nothing but its leaves, hashed anew for every question: the definition, word for word.
struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;
    fn node(&self, log2: u32, index: u64) -> Result<Hash, Infallible> {
        let width = 1usize << log2;
        let start = usize::try_from(index).unwrap() * width;
        Ok(by_definition(&self.0[start..start + width]))
    }
}

/// MTH of RFC 6962, section 2.1.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&by_definition(&leaves[..k]), &by_definition(&leaves[k..]))
        }
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leaves(n: u32) -> Leaves {
    Leaves((0..n).map(|i| leaf_hash(&i.to_le_bytes())).collect())
}

/// The eight leaves that the reference implementations of certificate transparency test with.
fn reference_leaves() -> Vec<Vec<u8>> {
    let bytes = |text: &str| {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .map(bytes)
        .to_vec()
}

#[test]
fn roots_are_those_of_the_reference_vectors() {
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(hex(&frontier.root()), roots[0]);
    for (leaf, root) in reference_leaves().iter().zip(&roots[1..]) {
        frontier.push(leaf_hash(leaf), |_, _, _| {});
        assert_eq!(hex(&frontier.root()), *root);
    }
}

#[test]
fn proofs_are_those_of_the_reference_vectors() {
    let tree = Leaves(reference_leaves().iter().map(|leaf| leaf_hash(leaf)).collect());
    let path: Vec<_> = inclusion_proof(&tree, 5, 8).unwrap().iter().map(hex).collect();
    assert_eq!(
        path,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let path: Vec<_> = consistency_proof(&tree, 6, 8).unwrap().iter().map(hex).collect();
    assert_eq!(
        path,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other_does() {
    let tree = leaves(34);
    for size in 1..=34u64 {
        let root = root_at(&tree, size).unwrap();
        assert_eq!(root, by_definition(&tree.0[..usize::try_from(size).unwrap()]));
        for leaf in 0..size {
            let path = inclusion_proof(&tree, leaf, size).unwrap();
            let hash = tree.0[usize::try_from(leaf).unwrap()];
            assert!(verify_inclusion(&hash, leaf, size, &path, &root));
            assert!(!verify_inclusion(&leaf_hash(b"x"), leaf, size, &path, &root));
            assert!(!verify_inclusion(&hash, leaf + 1, size, &path, &root));
        }
        for old in 1..=size {
            let old_root = root_at(&tree, old).unwrap();
            let path = consistency_proof(&tree, old, size).unwrap();
            assert!(verify_consistency(old, size, &path, &old_root, &root), "{old} of {size}");
            assert!(!verify_consistency(old, size, &path, &leaf_hash(b"x"), &root));
            assert!(!verify_consistency(old, size, &path, &old_root, &leaf_hash(b"x")));
        }
    }
}

#[test]
fn a_frontier_needs_as_many_peaks_as_its_size_has_ones() {
    assert!(Frontier::from_parts(3, vec![[0; 32]]).is_none());
    assert!(Frontier::from_parts(3, vec![[0; 32]; 2]).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn completed_subtrees_are_told_once_with_their_true_root(n in 0..600u32) {
        let tree = leaves(n);
        let mut frontier = Frontier::default();
        let mut told = std::collections::BTreeMap::new();
        for leaf in &tree.0 {
            frontier.push(*leaf, |log2, index, hash| { assert!(told.insert((log2, index), *hash).is_none()); });
        }
        for (&(log2, index), hash) in &told {
            prop_assert_eq!(*hash, tree.node(log2, index).unwrap());
        }
        let complete: u64 = (1..32).map(|log2| u64::from(n) >> log2).sum();
        prop_assert_eq!(told.len() as u64, complete);
        prop_assert_eq!(frontier.root(), by_definition(&tree.0));
    }
}
