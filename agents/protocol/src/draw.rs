//! Which miner gets a task: chance proportional to weight, from a secret that was committed to beforehand, logged so that anybody can
//! check it.
//!
//! Draw n picks the first miner, in the order of operators' addresses, at which the running sum of weights exceeds
//! keccak256(secret ‖ n as 8 bytes big-endian) mod the sum of all. The secret's keccak256 is public while it is in use and the secret
//! itself afterwards, so that miners can check each draw and the coordinator cannot try until it likes the outcome.

mod check;

pub use check::{Check, Facts, Fault};

use crate::amount::wei;
use alloy::primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};

/// Seconds for which a secret is used: a Unix day.
pub const DAY: u64 = 86_400;

/// A miner that could take the task, with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The miner's operator.
    pub miner: Address,
    /// CAI wei; above zero.
    #[serde(with = "wei")]
    pub weight: U256,
}

/// Why a miner was no candidate for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It was not logged in, or asked for no work.
    Absent,
    /// It had no free slot, or had just said that it is busy.
    Busy,
    /// It does not run the model.
    Model,
    /// It wants more than is paid.
    Price,
    /// It had this task before.
    Tried,
    /// What it did unaudited, or an open accusation, leaves no room.
    Unaudited,
}

impl Reason {
    /// All of them, in an order that does not change.
    pub const ALL: [Self; 6] = [Self::Absent, Self::Busy, Self::Model, Self::Price, Self::Tried, Self::Unaudited];

    /// Its one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Busy => "busy",
            Self::Model => "model",
            Self::Price => "price",
            Self::Tried => "tried",
            Self::Unaudited => "unaudited",
        }
    }
}

/// An active miner that was no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The miner's operator.
    pub miner: Address,
    /// As the coordinator says.
    pub reason: Reason,
}

/// The blocks that a coordinator knew when it drew. A weight is the smaller of that at both: gains count when they are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Number of the newest.
    pub block: u64,
    /// Number of the final one.
    pub final_block: u64,
}

/// A logged draw: `GET /v1/draws/{n}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// Its number; they count from 0 and leave none out.
    pub sequence: u64,
    /// Unix day whose secret was used.
    pub day: u64,
    /// keccak256 of that secret.
    pub commitment: B256,
    /// None until that day is over.
    pub secret: Option<B256>,
    /// What the weights are of. None if the draw is older than this field.
    pub at: Option<At>,
    /// Who got the task.
    pub chosen: Address,
    /// Who could have, sorted by address.
    pub candidates: Vec<Candidate>,
    /// All other active miners.
    pub passed_over: Vec<PassedOver>,
}

/// What is public of a secret while it is in use.
pub fn commitment(secret: B256) -> B256 {
    keccak256(secret)
}

/// Picks one of `candidates`, which need not be sorted; none if their weights sum to zero.
pub fn draw(secret: B256, sequence: u64, candidates: &mut [Candidate]) -> Option<Address> {
    candidates.sort_unstable_by_key(|candidate| candidate.miner);
    // Weights are amounts of CAI, whose supply is below 2^90: the sum of any number of them that fits in memory fits in 256 bits. Those
    // that a stranger sends may be anything, and are compared with the chain's.
    let total = candidates.iter().fold(U256::ZERO, |sum, candidate| sum.saturating_add(candidate.weight));
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
