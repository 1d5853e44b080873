//! Juries: how often a guilty miner is convicted, and an innocent one, when some of the weight colludes or stays away.

use crate::rules::Rules;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Votes of a first jury, on average; each later one has twice as many.
const FIRST_VOTES: f64 = 16.0;

/// Votes that a verdict needs.
const LEAST_VOTES: u32 = 5;

/// What part of the jurors' weight does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bench {
    /// Operators, of equal weight.
    pub operators: usize,
    /// Share of them that votes against the truth, all together.
    pub colluding: f64,
    /// Share of them that stays away.
    pub absent: f64,
}

/// Shares of disputes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcomes {
    /// The truth came out.
    pub right: f64,
    /// The opposite came out.
    pub wrong: f64,
    /// A draw: locks are released, nobody is slashed.
    pub drawn: f64,
}

/// Draws so many disputes by the contract's rule: ⌊k/n⌋ votes each, one more with the fraction as its probability; two thirds of at least five
/// votes of enough operators, else another round with twice the votes.
pub fn outcomes(rules: &Rules, bench: Bench, disputes: u32, seed: u64) -> Outcomes {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..disputes {
        match verdict(rules, bench, &mut rng) {
            Some(true) => right += 1,
            Some(false) => wrong += 1,
            None => {}
        }
    }
    let share = |count: u32| f64::from(count) / f64::from(disputes);
    Outcomes { right: share(right), wrong: share(wrong), drawn: share(disputes - right - wrong) }
}

fn verdict(rules: &Rules, bench: Bench, rng: &mut ChaCha8Rng) -> Option<bool> {
    let colluding = (bench.colluding * bench.operators as f64).round() as usize;
    let absent = (bench.absent * bench.operators as f64).round() as usize;
    for round in 0..rules.rounds {
        let share = FIRST_VOTES * f64::from(1 << round) / bench.operators as f64;
        let (mut honest, mut false_, mut jurors) = (0, 0, 0);
        for operator in 0..bench.operators.saturating_sub(absent) {
            let votes = share as u32 + u32::from(rng.random::<f64>() < share.fract());
            if votes == 0 {
                continue;
            }
            jurors += 1;
            *(if operator < colluding { &mut false_ } else { &mut honest }) += votes;
        }
        let all = honest + false_;
        if all < LEAST_VOTES || jurors < rules.jurors {
            continue;
        }
        if 3 * honest >= 2 * all {
            return Some(true);
        }
        if 3 * false_ >= 2 * all {
            return Some(false);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rules;

    fn of(colluding: f64, absent: f64) -> Outcomes {
        outcomes(&rules(), Bench { operators: 60, colluding, absent }, 2000, 1)
    }

    #[test]
    fn honest_juries_find_the_truth_and_majorities_rule() {
        assert!(of(0.0, 0.0).right > 0.999);
        assert!(of(0.2, 0.0).right > 0.9 && of(0.2, 0.0).wrong < 0.001);
        assert!(of(0.5, 0.0).drawn > 0.5);
        assert!(of(0.8, 0.0).wrong > 0.9);
    }

    #[test]
    fn absence_draws_only_when_nearly_all_stay_away() {
        assert!(of(0.0, 0.5).right > 0.99);
        assert!(of(0.0, 1.0).drawn > 0.999);
    }
}
