//! Gaussian noise that every machine draws bit for bit alike.
//!
//! ChaCha20 (the original variant, 64-bit block counter) with `seed` in the first 8 bytes of the key, little-endian, the
//! other 24 zero, and `step` as its 64-bit stream. Each two normals use the next two 64-bit words (a, b), low half
//! first: with u = (⌊a / 2¹¹⌋ + 1) / 2⁵³ in (0, 1], v = ⌊b / 2¹¹⌋ / 2⁵³ in [0, 1) and r = √(−2 ln u), they are
//! r·cos(2πv) and r·sin(2πv), rounded from 64 to 32 bits. The logarithm, sine and cosine are `libm`'s, written in Rust: the
//! C library's differ from machine to machine. `testdata/noise.json` holds vectors.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use std::f64::consts::TAU;

const TWO_53: f64 = 9_007_199_254_740_992.0;

/// `count` independent standard normals for one step of a request. Step 0 is the first state; later steps are for
/// schedulers that add noise on the way.
pub fn normals(seed: u64, step: u64, count: usize) -> Vec<f32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    keyed_normals(key, step, count)
}

/// The 64-bit words of a key and stream.
pub(crate) fn words(key: [u8; 32], stream: u64) -> impl FnMut() -> u64 {
    let mut words = ChaCha20Rng::from_seed(key);
    words.set_stream(stream);
    move || words.next_u64()
}

/// [`normals`] of a whole key and a stream.
pub(crate) fn keyed_normals(key: [u8; 32], stream: u64, count: usize) -> Vec<f32> {
    let mut next = words(key, stream);
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let u = ((next() >> 11) + 1) as f64 / TWO_53;
        let v = (next() >> 11) as f64 / TWO_53;
        let radius = libm::sqrt(-2.0 * libm::log(u));
        let angle = TAU * v;
        values.extend([(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]);
    }
    values.truncate(count);
    values
}
