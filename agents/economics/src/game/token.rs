//! The token's price over the days.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the price moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token {
    /// Not at all.
    Steady,
    /// Halfway it falls to this share of what it was, at once.
    Falls(f64),
    /// Each day by a factor of its own, whose logarithm has this standard deviation and is zero in the mean.
    Wanders(f64),
}

impl Token {
    /// Prices of the days 0 to `last`, of the first one, in a game of so many days.
    pub(super) fn path(self, days: u32, last: u32, seed: u64) -> Vec<f64> {
        // Chance of its own: the same days of work, whatever the token does.
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut price = 1.0;
        (0..=last)
            .map(|day| {
                match self {
                    Self::Steady => {}
                    Self::Falls(to) => price = if day < days / 2 { 1.0 } else { to },
                    // Twelve evenly spread numbers have the variance one, and nearly the normal's shape.
                    Self::Wanders(by) if day > 0 => {
                        let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
                        price *= ((sum - 6.0) * by).exp();
                    }
                    Self::Wanders(_) => {}
                }
                price
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_move_as_they_should() {
        assert_eq!(Token::Falls(0.1).path(4, 4, 7), [1.0, 1.0, 0.1, 0.1, 0.1]);
        let path = Token::Wanders(0.05).path(1000, 10_000, 7);
        let steps: Vec<f64> = path.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
        let (mean, deviation) = crate::sweep::mean_and_deviation(&steps);
        assert!(mean.abs() < 0.002 && (deviation - 0.05).abs() < 0.002, "{mean} {deviation}");
    }
}
