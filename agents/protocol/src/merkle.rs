//! Merkle trees over 32-byte leaves: pairs in order, an odd node promoted. A proof is of a place among so many leaves, so that no tree
//! holds two leaves for one place: whoever could put two states under one index could splice traces.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};

/// What a leaf stands for; part of its hash, so that no leaf passes for one of another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A chunk of at most 16 KiB of a state or a blob; `index` counts chunks.
    Chunk = 1,
    /// A state of a trace; `index` is k of sₖ, `hash` the root over its chunks.
    State = 2,
    /// A tile of an output; `index` counts tiles, in a picture row by row.
    Tile = 3,
    /// The input pictures of a request; `index` is 0, `hash` the root over their chunks.
    Blob = 4,
}

/// keccak256(keccak256(abi.encode(kind, index, length, hash))), doubly hashed so that a leaf is never a node.
/// `length` counts the bytes that the leaf stands for.
pub fn leaf(kind: Kind, index: u64, length: u64, hash: B256) -> B256 {
    let encoded = (U256::from(kind as u8), U256::from(index), U256::from(length), hash).abi_encode();
    keccak256(keccak256(encoded))
}

/// The leaf of `bytes` themselves.
pub fn leaf_of(kind: Kind, index: usize, bytes: &[u8]) -> B256 {
    leaf(kind, index as u64, bytes.len() as u64, keccak256(bytes))
}

/// The root over `leaves`; zero for none.
pub fn root(leaves: &[B256]) -> B256 {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The siblings from the leaf at `index` up to the root; none if there is no such leaf.
pub fn proof(leaves: &[B256], index: usize) -> Option<Vec<B256>> {
    leaves.get(index)?;
    let (mut level, mut at, mut siblings) = (leaves.to_vec(), index, Vec::new());
    while level.len() > 1 {
        siblings.extend(level.get(at ^ 1));
        level = parents(&level);
        at /= 2;
    }
    Some(siblings)
}

/// Whether `proof` leads from `leaf`, number `index` of `count`, to `root`.
pub fn verify(root: B256, leaf: B256, proof: &[B256], index: usize, count: usize) -> bool {
    let (mut node, mut at, mut width, mut siblings) = (leaf, index, count, proof.iter());
    while width > 1 {
        if at ^ 1 < width {
            let Some(sibling) = siblings.next() else { return false };
            node = if at % 2 == 0 { pair(node, *sibling) } else { pair(*sibling, node) };
        }
        (at, width) = (at / 2, width.div_ceil(2));
    }
    index < count && siblings.next().is_none() && node == root
}

fn parents(level: &[B256]) -> Vec<B256> {
    level
        .chunks(2)
        .map(|nodes| match nodes {
            [left, right] => pair(*left, *right),
            odd => odd[0],
        })
        .collect()
}

fn pair(left: B256, right: B256) -> B256 {
    keccak256([left.0, right.0].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_leaf_is_proven_and_no_other(count in 1usize..40, at in 0usize..40, wrong in 0u64..) {
            let leaves: Vec<B256> = (0..count).map(|i| leaf_of(Kind::Chunk, i, &[i as u8])).collect();
            prop_assume!(at < count);
            let siblings = proof(&leaves, at).unwrap();
            prop_assert!(verify(root(&leaves), leaves[at], &siblings, at, count));
            let stranger = leaf(Kind::State, wrong, 1, B256::ZERO);
            prop_assert!(!verify(root(&leaves), stranger, &siblings, at, count));
            // At no other place, and with nothing more or less.
            for place in (0..2 * count).filter(|place| *place != at) {
                prop_assert!(!verify(root(&leaves), leaves[at], &siblings, place, count));
            }
            prop_assert!(!verify(root(&leaves), leaves[at], &[siblings.clone(), vec![B256::ZERO]].concat(), at, count));
            if count > 1 {
                prop_assert!(!verify(root(&leaves), leaves[at], &siblings[1..], at, count));
            }
        }
    }

    #[test]
    fn the_edges() {
        assert_eq!(root(&[]), B256::ZERO);
        assert_eq!(proof(&[], 0), None);
        let only = leaf_of(Kind::Tile, 0, b"x");
        assert_eq!(root(&[only]), only);
        assert_ne!(leaf_of(Kind::Tile, 0, b"x"), leaf_of(Kind::Chunk, 0, b"x"));
    }
}
