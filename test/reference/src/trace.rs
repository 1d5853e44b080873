//! The computation behind a receipt: its states, its input and its output, and what of them an answer opens, rightly or not.

use alloy::primitives::{B256, Bytes, U256, keccak256};
use cuckoo_protocol::{
    merkle::{self, Kind},
    trace,
};

use crate::{abi::disputes::IDisputes, receipt::Receipt};

/// Bytes that are proven together.
pub const CHUNK: usize = 16 * 1024;
/// Most bytes of a tile.
const MAX_TILE: usize = 64 * 64 * 3;
/// Tiles of each output.
const TILES: usize = 3;
/// Little-endian f32 that is none.
const INFINITY: [u8; 4] = [0, 0, 0x80, 0x7f];

/// What can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A state by its number.
    State(u32),
    /// The request's input.
    Blob,
}

impl Part {
    /// As the contract names it.
    pub fn number(self) -> U256 {
        match self {
            Self::State(k) => U256::from(k),
            Self::Blob => U256::MAX,
        }
    }
}

/// What is wrong with an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The part's proof is a node short or long.
    Proof,
    /// The part is said to be a word longer.
    Length,
    /// The last chunk's first byte is another.
    Byte,
    /// The last chunk's proof has a node too many.
    ChunkProof,
    /// The last chunk's last byte is missing.
    Cut,
    /// The last chunk is beyond the part's end.
    Beyond,
}

/// The tile that a challenge brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// None.
    None,
    /// One of the output.
    Of(u64),
    /// One whose bytes are others.
    Altered(u64),
    /// More bytes than a tile has.
    TooLong,
}

/// A part as an answer brings it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What the contract knows the part by.
    pub leaf: B256,
    /// The call's arguments.
    pub opening: IDisputes::Opening,
    /// Likewise.
    pub chunks: Vec<IDisputes::Chunk>,
}

impl Receipt {
    /// The bytes of a state. The salt decides whether one of them is such as none should be.
    pub fn state(&self, k: u32) -> Vec<u8> {
        let numbers = |count: usize| -> Vec<u8> {
            let seed = keccak256([self.salt.to_be_bytes(), u64::from(k).to_be_bytes()].concat());
            seed.iter().cycle().take(count).flat_map(|byte| (f32::from(*byte) - 127.5).to_le_bytes()).collect()
        };
        let whole = numbers(2 + k as usize);
        match (k, self.salt % 16) {
            (1, 0) => numbers(CHUNK / 4 + 2),
            (1, 1) => [whole, INFINITY.to_vec()].concat(),
            (1, 2) => [whole, vec![0, 0]].concat(),
            (1, 3) => Vec::new(),
            (0, 4) => [INFINITY.to_vec(), numbers(CHUNK / 4)].concat(),
            _ => whole,
        }
    }

    fn states(&self) -> Vec<Vec<u8>> {
        (0..self.states).map(|k| self.state(k)).collect()
    }

    /// Root over the states.
    pub fn trace_root(&self) -> B256 {
        trace::trace_root(&self.states())
    }

    /// The input's bytes; two chunks of them, or none.
    fn blob(&self) -> Vec<u8> {
        if self.has_blob { self.salt.to_be_bytes().repeat(CHUNK / 8 + 1) } else { Vec::new() }
    }

    /// What the request commits to its input with.
    pub fn blob_root(&self) -> B256 {
        trace::blob_root(&self.blob())
    }

    fn tiles(&self) -> Vec<Vec<u8>> {
        (0..TILES).map(|i| [&self.salt.to_be_bytes()[..], &[i as u8]].concat()).collect()
    }

    /// Tiles of the output.
    pub fn tiles_count(&self) -> u64 {
        TILES as u64
    }

    fn tile_leaves(&self) -> Vec<B256> {
        self.tiles().iter().enumerate().map(|(i, tile)| merkle::leaf_of(Kind::Tile, i, tile)).collect()
    }

    /// Root over the output's tiles.
    pub fn output_hash(&self) -> B256 {
        merkle::root(&self.tile_leaves())
    }

    /// A tile with its proof.
    pub fn tile(&self, tile: Tile) -> IDisputes::Tile {
        let (index, altered) = match tile {
            Tile::None => return IDisputes::Tile::default(),
            Tile::TooLong => return IDisputes::Tile { data: vec![7; MAX_TILE + 1].into(), ..Default::default() },
            Tile::Of(index) => (index, false),
            Tile::Altered(index) => (index, true),
        };
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let mut data = self.tiles().get(place).cloned().unwrap_or_else(|| vec![1]);
        if altered {
            data.extend([0]);
        }
        let proof = merkle::proof(&self.tile_leaves(), place).unwrap_or_default();
        IDisputes::Tile { index: U256::from(index), count: U256::from(TILES), data: data.into(), proof }
    }

    /// A part, or something that is not quite it.
    pub fn open(&self, part: Part, chunks: &[u64], flaw: Flaw) -> Opened {
        let (kind, index, bytes, mut proof) = match part {
            Part::Blob => (Kind::Blob, 0, self.blob(), Vec::new()),
            Part::State(k) => {
                let leaves = trace::state_leaves(&self.states());
                (Kind::State, u64::from(k), self.state(k), merkle::proof(&leaves, k as usize).unwrap_or_default())
            }
        };
        if flaw == Flaw::Proof && proof.pop().is_none() {
            proof.push(B256::ZERO);
        }
        let length = bytes.len() as u64 + if flaw == Flaw::Length { 4 } else { 0 };
        let (leaves, root) = (trace::chunk_leaves(&bytes), trace::state_root(&bytes));
        let opening = IDisputes::Opening { part: part.number(), length: U256::from(length), root, proof };
        let mut given: Vec<IDisputes::Chunk> = Vec::new();
        for index in chunks {
            let at = usize::try_from(*index).unwrap_or(usize::MAX);
            let data = bytes.chunks(CHUNK).nth(at).unwrap_or_default().to_vec();
            let proof = merkle::proof(&leaves, at).unwrap_or_default();
            given.push(IDisputes::Chunk { index: U256::from(*index), data: data.into(), proof });
        }
        if let Some(last) = given.last_mut() {
            last.spoil(flaw, leaves.len());
        }
        Opened { leaf: merkle::leaf(kind, index, length, root), opening, chunks: given }
    }

    /// Numbers of a part's chunks.
    pub fn chunks(&self, part: Part) -> Vec<u64> {
        let length = match part {
            Part::Blob => self.blob().len(),
            Part::State(k) => self.state(k).len(),
        };
        (0..length.div_ceil(CHUNK) as u64).collect()
    }
}

impl IDisputes::Chunk {
    fn spoil(&mut self, flaw: Flaw, count: usize) {
        let mut data = self.data.to_vec();
        match flaw {
            Flaw::None | Flaw::Proof | Flaw::Length => {}
            Flaw::Byte => data.iter_mut().take(1).for_each(|byte| *byte ^= 1),
            Flaw::ChunkProof => self.proof.push(B256::ZERO),
            Flaw::Cut => drop(data.pop()),
            Flaw::Beyond => self.index = U256::from(count),
        }
        self.data = Bytes::from(data);
    }
}
