//! Merkle trees over 32-byte leaves, as OpenZeppelin's `MerkleProof` verifies them: pairs sorted, an odd node promoted.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};

/// What a leaf stands for; part of its hash, so that no leaf passes for one of another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A chunk of at most 16 KiB of a state; `index` counts chunks.
    Chunk = 1,
    /// A state of a trace; `index` is k of sₖ, `hash` the root over its chunks.
    State = 2,
    /// A tile of an output; `index` counts tiles row by row.
    Tile = 3,
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

/// Whether `proof` leads from `leaf` to `root`.
pub fn verify(root: B256, leaf: B256, proof: &[B256]) -> bool {
    proof.iter().fold(leaf, |node, sibling| pair(node, *sibling)) == root
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

fn pair(a: B256, b: B256) -> B256 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    keccak256([low.0, high.0].concat())
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
            prop_assert!(verify(root(&leaves), leaves[at], &siblings));
            let stranger = leaf(Kind::State, wrong, 1, B256::ZERO);
            prop_assert!(!verify(root(&leaves), stranger, &siblings));
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
