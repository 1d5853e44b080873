//! Commitments to a computation: the root over its states and the root over its output's tiles.

use crate::merkle::{Kind, leaf, leaf_of, root};
use alloy::primitives::B256;

/// Bytes of a state that are proven together.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Pixels on each side of an output tile; those at the right and lower edge may be smaller.
pub const TILE_SIDE: usize = 64;

/// Bytes of a tile of an output that is no picture, as many as a whole tile of a picture has; the last may be shorter.
pub const TILE_BYTES: usize = TILE_SIDE * TILE_SIDE * 3;

/// Root over the 16 KiB chunks of a state's canonical bytes.
pub fn state_root(state: &[u8]) -> B256 {
    root(&chunk_leaves(state))
}

/// The leaves of the 16 KiB chunks of a state or a blob, in order.
pub fn chunk_leaves(bytes: &[u8]) -> Vec<B256> {
    bytes.chunks(CHUNK_BYTES).enumerate().map(|(i, chunk)| leaf_of(Kind::Chunk, i, chunk)).collect()
}

/// What a request commits to its input pictures with: their leaf; zero if there are none.
pub fn blob_root(blob: &[u8]) -> B256 {
    if blob.is_empty() {
        return B256::ZERO;
    }
    leaf(Kind::Blob, 0, blob.len() as u64, state_root(blob))
}

/// Root over the canonical bytes of the states s₀…s_N: `Result.traceRoot`.
pub fn trace_root<S: AsRef<[u8]>>(states: &[S]) -> B256 {
    root(&state_leaves(states))
}

/// The leaves of the states s₀…s_N, in order.
pub fn state_leaves<S: AsRef<[u8]>>(states: &[S]) -> Vec<B256> {
    let leaf = |(k, state): (usize, &S)| {
        let bytes = state.as_ref();
        leaf(Kind::State, k as u64, bytes.len() as u64, state_root(bytes))
    };
    states.iter().enumerate().map(leaf).collect()
}

/// Root over the 64×64 tiles of an RGB picture (3 bytes a pixel, rows from the top): `Result.outputHash`.
/// None if `rgb` is not `width` × `height` × 3 bytes.
pub fn output_hash(width: u32, height: u32, rgb: &[u8]) -> Option<B256> {
    Some(tiles_root(&picture_tiles(width, height, rgb)?))
}

/// The bytes of the tiles of an RGB picture, row by row. None if `rgb` is not `width` × `height` × 3 bytes.
pub fn picture_tiles(width: u32, height: u32, rgb: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (width, height) = (width as usize, height as usize);
    if rgb.is_empty() || width.checked_mul(height)?.checked_mul(3)? != rgb.len() {
        return None;
    }
    let mut tiles = Vec::new();
    for top in (0..height).step_by(TILE_SIDE) {
        for left in (0..width).step_by(TILE_SIDE) {
            let (bottom, right) = ((top + TILE_SIDE).min(height), (left + TILE_SIDE).min(width));
            let rows = (top..bottom).flat_map(|row| &rgb[(row * width + left) * 3..(row * width + right) * 3]);
            tiles.push(rows.copied().collect());
        }
    }
    Some(tiles)
}

/// Root over an output that is no picture, its canonical bytes cut into tiles of [`TILE_BYTES`]: `Result.outputHash`.
/// None if there are no bytes.
pub fn bytes_hash(output: &[u8]) -> Option<B256> {
    let tiles = bytes_tiles(output);
    (!tiles.is_empty()).then(|| tiles_root(&tiles))
}

/// The bytes of the tiles of an output that is no picture.
pub fn bytes_tiles(output: &[u8]) -> Vec<Vec<u8>> {
    output.chunks(TILE_BYTES).map(<[u8]>::to_vec).collect()
}

fn tiles_root(tiles: &[Vec<u8>]) -> B256 {
    root(&tile_leaves(tiles))
}

/// The leaves of an output's tiles, in order.
pub fn tile_leaves(tiles: &[Vec<u8>]) -> Vec<B256> {
    tiles.iter().enumerate().map(|(i, tile)| leaf_of(Kind::Tile, i, tile)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_an_output_and_of_a_blob_counts() {
        let bytes = vec![7u8; 2 * TILE_BYTES + 5];
        for at in [0, TILE_BYTES, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(bytes_hash(&changed), bytes_hash(&bytes));
            assert_ne!(blob_root(&changed), blob_root(&bytes));
        }
        assert_ne!(bytes_hash(&bytes[1..]), bytes_hash(&bytes));
        assert_eq!(bytes_hash(&[]), None);
        assert_eq!(blob_root(&[]), B256::ZERO);
        // One tile's bytes are one tile, whether of a picture or not.
        assert_eq!(bytes_hash(&bytes[..TILE_BYTES]), output_hash(64, 64, &bytes[..TILE_BYTES]));
    }

    #[test]
    fn every_byte_of_every_state_counts() {
        let states = vec![vec![0u8; 40_000]; 5];
        let whole = trace_root(&states);
        for (k, at) in [(0, 0), (2, CHUNK_BYTES), (4, 39_999)] {
            let mut changed = states.clone();
            changed[k][at] ^= 1;
            assert_ne!(trace_root(&changed), whole);
        }
        assert_ne!(trace_root(&states[..4]), whole);
    }

    #[test]
    fn every_pixel_of_an_odd_sized_picture_counts() {
        let (width, height) = (130, 70);
        let rgb = vec![7u8; width * height * 3];
        let whole = output_hash(width as u32, height as u32, &rgb).unwrap();
        for at in [0, 129 * 3, rgb.len() / 2, rgb.len() - 1] {
            let mut changed = rgb.clone();
            changed[at] ^= 1;
            assert_ne!(output_hash(width as u32, height as u32, &changed), Some(whole));
        }
        assert_eq!(output_hash(1, 1, &rgb), None);
        assert_eq!(output_hash(0, 0, &[]), None);
    }
}
