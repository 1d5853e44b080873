//! Which miner gets a task: chance proportional to weight, from a secret that was committed to beforehand.
//!
//! Draw n picks the first miner, in the order of operators' addresses, at which the running sum of weights exceeds
//! keccak256(secret ‖ n as 8 bytes big-endian) mod the sum of all. The secret's keccak256 is public while it is in use and the secret
//! itself afterwards, so that miners can check each draw and the coordinator cannot try until it likes the outcome.

use alloy::primitives::{Address, B256, U256, keccak256};

/// A miner that could take the task, with its weight in CAI wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The miner's operator.
    pub miner: Address,
    /// Its weight; above zero.
    pub weight: U256,
}

/// Picks one of `candidates`, which need not be sorted; none if their weights sum to zero.
pub fn draw(secret: B256, sequence: u64, candidates: &mut [Candidate]) -> Option<Address> {
    candidates.sort_unstable_by_key(|candidate| candidate.miner);
    // Weights are amounts of CAI, whose supply is below 2^90: the sum of any number of them that fits in memory fits in 256 bits.
    let total: U256 = candidates.iter().map(|candidate| candidate.weight).sum();
    let hash = U256::from_be_bytes(keccak256([&secret.0[..], &sequence.to_be_bytes()].concat()).0);
    let mut point = hash.checked_rem(total)?;
    for candidate in candidates {
        if point < candidate.weight {
            return Some(candidate.miner);
        }
        point -= candidate.weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(weights: &[u64]) -> Vec<Candidate> {
        weights
            .iter()
            .enumerate()
            .map(|(i, weight)| Candidate { miner: Address::with_last_byte(i as u8 + 1), weight: U256::from(*weight) })
            .collect()
    }

    /// Chi-square of `draws` draws against the weights.
    fn chi_square(weights: &[u64], draws: u64) -> f64 {
        let secret = B256::repeat_byte(7);
        let mut counts = vec![0u64; weights.len()];
        for sequence in 0..draws {
            let miner = draw(secret, sequence, &mut candidates(weights)).unwrap();
            counts[miner.0[19] as usize - 1] += 1;
        }
        let total: u64 = weights.iter().sum();
        weights
            .iter()
            .zip(counts)
            .map(|(weight, count)| {
                let expected = draws as f64 * *weight as f64 / total as f64;
                (count as f64 - expected).powi(2) / expected
            })
            .sum()
    }

    #[test]
    fn ten_thousand_draws_follow_weight() {
        // 99.9th percentiles of chi-square: 13.8 at 2 degrees of freedom, 27.9 at 9. The draws are deterministic.
        let three = chi_square(&[25_000, 50_000, 100_000], 10_000);
        assert!(three < 13.8, "chi-square {three}");
        let ten = chi_square(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10_000);
        assert!(ten < 27.9, "chi-square {ten}");
    }

    #[test]
    fn the_same_draw_gives_the_same_miner_in_any_order() {
        let mut forward = candidates(&[5, 6, 7]);
        let mut backward: Vec<Candidate> = forward.iter().rev().copied().collect();
        for sequence in 0..100 {
            let secret = B256::repeat_byte(3);
            assert_eq!(draw(secret, sequence, &mut forward), draw(secret, sequence, &mut backward));
        }
    }

    #[test]
    fn nobody_is_drawn_from_nothing() {
        assert_eq!(draw(B256::ZERO, 0, &mut []), None);
        assert_eq!(draw(B256::ZERO, 0, &mut candidates(&[0, 0])), None);
        for sequence in 0..50 {
            assert_eq!(draw(B256::ZERO, sequence, &mut candidates(&[0, 9])), Some(Address::with_last_byte(2)));
        }
    }
}
