//! What the contract's rule makes of a jury: not drawn at random as on chain, but all that can be drawn, each with its probability.

use std::collections::BTreeMap;

/// Votes of a dispute's first jury, on average; each later one has twice as many.
const FIRST_VOTES: u32 = 16;
/// Votes that a verdict needs.
const MIN_VOTES: u32 = 5;

/// How a juror votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// As is true.
    Right,
    /// Against the truth.
    Wrong,
    /// By a coin.
    Coin,
    /// Not at all.
    Silent,
}

/// How probable the ends of a dispute are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Odds {
    /// Of the true verdict.
    pub right: f64,
    /// Of the false one.
    pub wrong: f64,
    /// Of none.
    pub drawn: f64,
}

/// Of a dispute before jurors of equal weight, with so many rounds at most, and votes of so many operators needed for a verdict.
pub fn odds(stances: &[Stance], rounds: u32, min_jurors: u32) -> Odds {
    let mut odds = Odds { drawn: 1.0, ..Odds::default() };
    for round in 0..rounds {
        let votes = f64::from(FIRST_VOTES << round) / stances.len() as f64;
        let (mut right, mut wrong) = (0.0, 0.0);
        for (count, probability) in counts(stances, votes) {
            let all = count.right + count.wrong;
            if all < MIN_VOTES || count.jurors < min_jurors {
            } else if 3 * count.right >= 2 * all {
                right += probability;
            } else if 3 * count.wrong >= 2 * all {
                wrong += probability;
            }
        }
        odds.right += odds.drawn * right;
        odds.wrong += odds.drawn * wrong;
        // Rounding may leave a little less than nothing.
        odds.drawn *= (1.0 - right - wrong).max(0.0);
    }
    odds
}

/// Votes of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    right: u32,
    wrong: u32,
    jurors: u32,
}

/// All that a round can come to, when each juror has the whole part of `votes`, and one more with its fraction as the probability.
fn counts(stances: &[Stance], votes: f64) -> BTreeMap<Count, f64> {
    let mut counts = BTreeMap::from([(Count::default(), 1.0)]);
    for stance in stances {
        let mut next = BTreeMap::new();
        for (count, probability) in counts {
            for (votes, drawn) in [(votes as u32, 1.0 - votes.fract()), (votes as u32 + 1, votes.fract())] {
                let jurors = count.jurors + u32::from(votes > 0);
                let right = Count { right: count.right + votes, jurors, ..count };
                let wrong = Count { wrong: count.wrong + votes, jurors, ..count };
                let ways = match stance {
                    Stance::Right => [(right, 1.0), (wrong, 0.0)],
                    Stance::Wrong => [(right, 0.0), (wrong, 1.0)],
                    Stance::Coin => [(right, 0.5), (wrong, 0.5)],
                    Stance::Silent => [(count, 1.0), (count, 0.0)],
                };
                for (count, said) in ways {
                    *next.entry(count).or_default() += probability * drawn * said;
                }
            }
        }
        next.retain(|_, probability| *probability > 0.0);
        counts = next;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of ten jurors, so many of whom vote otherwise.
    fn of(others: usize, stance: Stance) -> Odds {
        let stances: Vec<Stance> = (0..10).map(|at| if at < others { stance } else { Stance::Right }).collect();
        let odds = odds(&stances, 3, 3);
        assert!((odds.right + odds.wrong + odds.drawn - 1.0).abs() < 1e-9, "{odds:?}");
        odds
    }

    #[test]
    fn less_than_a_third_changes_nothing_and_two_thirds_decide() {
        for stance in [Stance::Wrong, Stance::Coin, Stance::Silent] {
            assert!((of(3, stance).right - 1.0).abs() < 1e-9, "{stance:?}");
        }
        assert!(of(4, Stance::Wrong).right < 0.5 && of(4, Stance::Wrong).wrong < 0.01);
        assert!((of(7, Stance::Wrong).wrong - 1.0).abs() < 1e-9);
        let even = of(5, Stance::Wrong);
        assert!((even.right - even.wrong).abs() < 1e-9 && even.drawn > 0.5);
    }

    #[test]
    fn too_few_votes_or_jurors_decide_nothing() {
        assert_eq!(of(10, Stance::Silent).drawn, 1.0);
        // Two jurors have votes enough, and are too few.
        assert_eq!(of(8, Stance::Silent).drawn, 1.0);
        // Four votes come from one juror of four, five from two of them.
        assert_eq!(odds(&[Stance::Right, Stance::Silent, Stance::Silent, Stance::Silent], 1, 1).drawn, 1.0);
        assert_eq!(odds(&[Stance::Right, Stance::Right, Stance::Silent, Stance::Silent], 1, 1).right, 1.0);
    }

    #[test]
    fn one_round_is_counted_by_hand() {
        // Sixteen votes among twelve: one each, and a second with probability one third. Right with 8 to 12, wrong never more than 8 of 16.
        let stances = [[Stance::Right; 8].as_slice(), &[Stance::Wrong; 4]].concat();
        let binomial = |n: u32, k: u32| {
            let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
            ways * (1.0 / 3.0f64).powi(k as i32) * (2.0 / 3.0f64).powi((n - k) as i32)
        };
        let mut right = 0.0;
        for (more, others) in (0..=8).flat_map(|more| (0..=4).map(move |others| (more, others))) {
            if 8 + more >= 2 * (4 + others) {
                right += binomial(8, more) * binomial(4, others);
            }
        }
        let odds = odds(&stances, 1, 3);
        assert!((odds.right - right).abs() < 1e-9 && odds.wrong == 0.0, "{odds:?}, not {right}");
    }
}
