//! Chance, with a seed.

use rand::RngExt;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng};

use crate::math::WAD;

/// Draws numbers; the same ones for the same seed on every machine.
pub struct Draw(ChaCha12Rng);

impl Draw {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound.max(1))
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let place = self.below(items.len() as u64);
        items.get(usize::try_from(place).ok()?).copied()
    }

    /// Up to `most`, of any order of magnitude; sometimes all of it, sometimes a wei or more too much.
    pub fn amount(&mut self, most: u128) -> u128 {
        match self.below(100) {
            0..6 => self.below(12).into(),
            6..16 => most,
            16..20 => most.saturating_add(self.within(1, 1_000).into()),
            20..60 => self.part(most),
            _ => {
                let bits = 128 - most.leading_zeros();
                let shift = self.below(u64::from(bits.max(1)));
                let most = self.part(most);
                (most >> shift).max(1)
            }
        }
    }

    /// Evenly between nothing and `most`.
    pub fn part(&mut self, most: u128) -> u128 {
        if most == u128::MAX { self.0.random() } else { self.0.random_range(0..=most) }
    }

    /// A fraction to slash by: mostly small, at most a half, rarely out of range.
    pub fn fraction(&mut self) -> u128 {
        match self.below(100) {
            0..3 => 0,
            3..6 => WAD / 2 + 1,
            6..10 => WAD / 2,
            10..14 => 1,
            14..24 => self.part(WAD / 2),
            24..60 => WAD / 10,
            _ => self.part(WAD / 50) + 1,
        }
    }
}
