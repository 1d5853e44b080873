//! What a dispute is made of, to the byte: its id, its seeds, a juror's commitment, and the openings that answer it.

use crate::{
    contracts::IDisputes::{Chunk, Opening, Tile, Verdict},
    merkle,
    trace::{CHUNK_BYTES, chunk_leaves, state_leaves, tile_leaves},
};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// sₖ.
    State(u32),
    /// The request's input pictures.
    Blob,
}

impl Part {
    /// As contracts name it.
    pub fn index(self) -> U256 {
        match self {
            Self::State(k) => U256::from(k),
            Self::Blob => U256::MAX,
        }
    }
}

/// The parts that a transition needs opened, of a request with so many `states` (N + 1). Transition 0 is `init`, `states` is `finish`.
pub fn parts(transition: u32, states: u32, has_blob: bool) -> Vec<Part> {
    let before = transition.checked_sub(1).map(Part::State);
    let after = (transition < states).then_some(Part::State(transition));
    let blob = (transition == 0 && has_blob).then_some(Part::Blob);
    [before, after, blob].into_iter().flatten().collect()
}

/// A part opened whole: what `answer` wants, in as many transactions as it takes.
#[derive(Clone, Debug)]
pub struct Opened {
    /// With its proof to the trace's root.
    pub opening: Opening,
    /// All chunks in order, each with its proof to the part's root.
    pub chunks: Vec<Chunk>,
}

/// Opens sₖ of a trace. None if it has no such state, or an empty one.
pub fn open_state<S: AsRef<[u8]>>(states: &[S], k: u32) -> Option<Opened> {
    let at = usize::try_from(k).ok()?;
    let proof = merkle::proof(&state_leaves(states), at)?;
    open(Part::State(k), states.get(at)?.as_ref(), proof)
}

/// Opens a request's blob. None if there is none.
pub fn open_blob(blob: &[u8]) -> Option<Opened> {
    open(Part::Blob, blob, Vec::new())
}

fn open(part: Part, bytes: &[u8], proof: Vec<B256>) -> Option<Opened> {
    let leaves = chunk_leaves(bytes);
    let chunks = bytes.chunks(CHUNK_BYTES).enumerate().map(|(i, chunk)| {
        Some(Chunk { index: U256::from(i), data: chunk.to_vec().into(), proof: merkle::proof(&leaves, i)? })
    });
    let chunks = chunks.collect::<Option<Vec<_>>>()?;
    let opening = Opening { part: part.index(), length: U256::from(bytes.len()), root: merkle::root(&leaves), proof };
    (!chunks.is_empty()).then_some(Opened { opening, chunks })
}

/// The tile that a challenge of `finish` names, of an output's `tiles` ([`crate::trace::picture_tiles`] or
/// [`crate::trace::bytes_tiles`]). None if there is no such tile.
pub fn open_tile(tiles: &[Vec<u8>], index: usize) -> Option<Tile> {
    let proof = merkle::proof(&tile_leaves(tiles), index)?;
    let data = tiles.get(index)?.clone().into();
    Some(Tile { index: U256::from(index), count: U256::from(tiles.len()), data, proof })
}

/// What a challenge of anything but `finish` gives as its tile.
pub fn no_tile() -> Tile {
    Tile { index: U256::ZERO, count: U256::ZERO, data: Default::default(), proof: Vec::new() }
}

/// The id of a dispute. `result` is the EIP-712 digest of the result; `leaf` is that of the tile, zero unless the transition is `finish`.
pub fn id(disputes: Address, result: B256, transition: u32, leaf: B256) -> B256 {
    keccak256((disputes, result, U256::from(transition), leaf).abi_encode())
}

/// The seed of a round's jury.
pub fn seed(beacon: B256, id: B256, round: u64) -> B256 {
    keccak256((beacon, id, U256::from(round)).abi_encode())
}

/// A juror's vote, before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// What the juror found.
    pub verdict: Verdict,
    /// WAD; proves that it computed.
    pub probe: U256,
    /// Random.
    pub salt: B256,
}

impl Ballot {
    /// What the juror commits to.
    pub fn commitment(&self, id: B256, round: u64, operator: Address) -> B256 {
        let verdict = U256::from(self.verdict as u8);
        keccak256((id, U256::from(round), operator, verdict, self.probe, self.salt).abi_encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        merkle::{Kind, leaf, leaf_of, verify},
        trace::{bytes_tiles, output_hash, picture_tiles, state_root, trace_root},
    };
    use serde_json::Value;

    fn read<T: std::str::FromStr>(value: &Value) -> T {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn ids_seeds_and_commitments_are_those_that_were_published() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/disputes.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let all = |name: &str| vectors[name].as_array().unwrap().clone();
        for v in all("ids") {
            let computed = id(read(&v["disputes"]), read(&v["result"]), read(&v["transition"]), read(&v["tileLeaf"]));
            assert_eq!(computed, read::<B256>(&v["id"]));
        }
        for v in all("seeds") {
            assert_eq!(seed(read(&v["beacon"]), read(&v["id"]), read(&v["round"])), read::<B256>(&v["seed"]));
        }
        for v in all("commitments") {
            let verdict = Verdict::try_from(read::<u8>(&v["verdict"])).unwrap();
            let ballot = Ballot { verdict, probe: read(&v["probe"]), salt: read(&v["salt"]) };
            let computed = ballot.commitment(read(&v["id"]), read(&v["round"]), read(&v["operator"]));
            assert_eq!(computed, read::<B256>(&v["commitment"]));
        }
        assert!(["ids", "seeds", "commitments"].iter().all(|name| all(name).len() >= 2));
    }

    #[test]
    fn each_transition_needs_its_own_parts() {
        use Part::{Blob, State};
        assert_eq!(parts(0, 3, false), [State(0)]);
        assert_eq!(parts(0, 3, true), [State(0), Blob]);
        assert_eq!(parts(1, 3, true), [State(0), State(1)]);
        assert_eq!(parts(2, 3, false), [State(1), State(2)]);
        assert_eq!(parts(3, 3, false), [State(2)]);
        assert_eq!(Blob.index(), U256::MAX);
    }

    #[test]
    fn openings_are_proven_to_what_was_signed() {
        let states: Vec<Vec<u8>> = (0..5).map(|k| vec![k as u8; 2 * CHUNK_BYTES + 4]).collect();
        let root = trace_root(&states);
        for (k, state) in states.iter().enumerate() {
            let Opened { opening, chunks } = open_state(&states, k as u32).unwrap();
            let state_leaf = leaf(Kind::State, k as u64, state.len() as u64, opening.root);
            assert_eq!(opening.root, state_root(state));
            assert!(verify(root, state_leaf, &opening.proof, k, states.len()));
            assert_eq!(chunks.iter().flat_map(|chunk| chunk.data.to_vec()).collect::<Vec<_>>(), *state);
            for (i, chunk) in chunks.iter().enumerate() {
                let chunk_leaf = leaf_of(Kind::Chunk, i, &chunk.data);
                assert!(verify(opening.root, chunk_leaf, &chunk.proof, i, chunks.len()));
            }
        }
        assert!(open_state(&states, 5).is_none());
        assert!(open_blob(&[]).is_none());

        let rgb: Vec<u8> = (0..130 * 70 * 3).map(|i| i as u8).collect();
        let tiles = picture_tiles(130, 70, &rgb).unwrap();
        let tile = open_tile(&tiles, 5).unwrap();
        let (index, count) = (tile.index.to::<usize>(), tile.count.to::<usize>());
        assert_eq!((index, count, tile.data.len()), (5, 6, 2 * 6 * 3));
        let tile_leaf = leaf_of(Kind::Tile, index, &tile.data);
        assert!(verify(output_hash(130, 70, &rgb).unwrap(), tile_leaf, &tile.proof, index, count));
        assert!(open_tile(&tiles, 6).is_none());
        assert_eq!(bytes_tiles(&[]).len(), 0);
    }
}
