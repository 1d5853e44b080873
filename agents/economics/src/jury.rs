//! Juries by the contract's rule: who is drawn, what comes out when part of the weight lies, or stays away, or is paid to.

use crate::rules::Rules;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Votes of a first jury, on average; each later one has twice as many.
pub const FIRST_VOTES: f64 = 16.0;

/// Votes that a verdict needs.
pub const LEAST_VOTES: u32 = 5;

/// What a juror does when it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Says what is so.
    Truth,
    /// Says the opposite.
    Lie,
    /// Stays away.
    Away,
    /// Stays away if it is drawn, and is paid for that.
    Bribed,
}

/// Somebody who may sit.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// In any unit.
    pub weight: f64,
    /// What it does.
    pub stance: Stance,
}

/// How a dispute ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Whether the truth came out; none in a draw.
    pub truth: Option<bool>,
    /// Juries that were called.
    pub rounds: u32,
    /// How often somebody was drawn and had to be paid to stay away.
    pub bribes: u32,
}

/// Draws juries by the contract's rule: ⌊k·w/W⌋ votes each, one more with the fraction as its probability; two thirds of at least five votes of
/// enough operators, else another round with twice the votes. `all` is W: the seats' weight, and the accused's.
pub fn judge(rules: &Rules, seats: &[Seat], all: f64, rng: &mut ChaCha8Rng) -> Trial {
    let mut trial = Trial::default();
    for round in 0..rules.rounds {
        trial.rounds += 1;
        let (mut truth, mut lies, mut jurors) = (0, 0, 0);
        for seat in seats.iter().filter(|seat| seat.stance != Stance::Away) {
            let share = FIRST_VOTES * f64::from(1 << round) * seat.weight / all;
            let votes = share as u32 + u32::from(rng.random::<f64>() < share.fract());
            if votes == 0 {
                continue;
            }
            match seat.stance {
                Stance::Truth => truth += votes,
                Stance::Lie => lies += votes,
                Stance::Away | Stance::Bribed => {
                    trial.bribes += 1;
                    continue;
                }
            }
            jurors += 1;
        }
        let votes = truth + lies;
        if votes < LEAST_VOTES || jurors < rules.jurors {
            continue;
        }
        if 3 * truth >= 2 * votes {
            return Trial { truth: Some(true), ..trial };
        }
        if 3 * lies >= 2 * votes {
            return Trial { truth: Some(false), ..trial };
        }
    }
    trial
}

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

/// Judges so many disputes.
pub fn outcomes(rules: &Rules, bench: Bench, disputes: u32, seed: u64) -> Outcomes {
    let part = |share: f64| (share * bench.operators as f64).round() as usize;
    let (colluding, here) = (part(bench.colluding), bench.operators - part(bench.absent));
    let stance = |operator| match operator {
        absent if absent >= here => Stance::Away,
        liar if liar < colluding => Stance::Lie,
        _ => Stance::Truth,
    };
    let seats: Vec<Seat> = (0..bench.operators).map(|o| Seat { weight: 1.0, stance: stance(o) }).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..disputes {
        match judge(rules, &seats, bench.operators as f64, &mut rng).truth {
            Some(true) => right += 1,
            Some(false) => wrong += 1,
            None => {}
        }
    }
    let share = |count: u32| f64::from(count) / f64::from(disputes);
    Outcomes { right: share(right), wrong: share(wrong), drawn: share(disputes - right - wrong) }
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

    #[test]
    fn whoever_is_bribed_is_paid_for_each_time_that_it_is_drawn() {
        let seats = [Seat { weight: 1.0, stance: Stance::Bribed }; 64];
        let trial = judge(&rules(), &seats, 64.0, &mut ChaCha8Rng::seed_from_u64(1));
        // 16, 32 and 64 votes over 64 operators.
        assert_eq!((trial.truth, trial.rounds), (None, 3));
        assert!((90..=135).contains(&trial.bribes), "{trial:?}");
    }
}
