//! Which results are audited: a coin that nobody can foresee, for newcomers more often.

use alloy::primitives::{B256, U256, keccak256};

/// The coin of this coordinator.
#[derive(Clone, Copy, Debug)]
pub struct Coin {
    secret: [u8; 32],
    /// Share of all results that is audited, 0 to 1.
    rate: f64,
}

impl Coin {
    /// With the secret that the store keeps.
    pub fn new(secret: [u8; 32], rate: f64) -> Self {
        Self { secret, rate }
    }

    /// How likely the next result of an operator is audited that has passed so many audits: the first one surely, then ever less
    /// often, down to the rate. With 5% an operator has passed 19 audits by then, in about 190 results.
    pub fn probability(&self, passed: u64) -> f64 {
        if self.rate == 0.0 { 0.0 } else { self.rate.max(1.0 / (passed as f64 + 1.0)) }
    }

    /// Whether the result with this digest is audited. The same whenever it is asked, so that submitting again draws no new coin;
    /// unknown to the miner until it has signed.
    pub fn falls(&self, result: B256, passed: u64) -> bool {
        let drawn = keccak256([self.secret, result.0].concat());
        let drawn: U256 = U256::from_be_bytes(drawn.0) >> 203;
        // 53 bits are exact as f64.
        drawn.to::<u64>() as f64 / (1u64 << 53) as f64 <= self.probability(passed) && self.rate > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audited(coin: Coin, passed: u64, results: u64) -> usize {
        (0..results).filter(|n| coin.falls(keccak256(n.to_be_bytes()), passed)).count()
    }

    #[test]
    fn newcomers_are_audited_more_often_and_everybody_at_the_rate() {
        let coin = Coin::new([7; 32], 0.05);
        assert_eq!(audited(coin, 0, 1000), 1000, "the first result");
        for (passed, expected) in [(1, 5000.0), (9, 1000.0), (19, 500.0), (100_000, 500.0)] {
            let found = audited(coin, passed, 10_000) as f64;
            // Five standard deviations; the draws are deterministic.
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{passed} passed: {found} of {expected}");
        }
        assert_eq!(audited(Coin::new([7; 32], 0.0), 0, 1000), 0);
        assert_eq!(audited(Coin::new([7; 32], 1.0), 1_000_000, 1000), 1000);
    }

    #[test]
    fn a_result_has_one_coin_and_another_secret_another() {
        let (coin, other) = (Coin::new([7; 32], 0.5), Coin::new([8; 32], 0.5));
        let drawn = |coin: Coin| (0..256u64).map(|n| coin.falls(keccak256(n.to_be_bytes()), 99)).collect::<Vec<_>>();
        assert_eq!(drawn(coin), drawn(coin));
        assert_ne!(drawn(coin), drawn(other));
    }
}
