//! What trading with oneself earns of the mining stream, by the rule of `MiningRewards`: of a coordinator's share of an epoch's emission, a miner
//! gets the part that it has of the fees collected from that coordinator; of each fee a part is burned.

use crate::rules::{Market, Rules};
use serde::Serialize;

const MONTH: f64 = 30.0;
/// Share of the coordinators' weight that it has.
const SHARE: f64 = 0.1;

/// What a coordinator comes to that trades with its own miners, a month. Amounts are CAI.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Washing {
    /// What honest miners collect from it.
    pub honest_fees: f64,
    /// What its own miners collect, which comes back to it.
    pub volume: f64,
    /// Of that, burned.
    pub burned: f64,
    /// The mining stream's for its own miners.
    pub earned: f64,
    /// For the honest ones.
    pub left: f64,
}

/// With so much traded.
pub fn wash(rules: &Rules, honest_fees: f64, volume: f64) -> Washing {
    let stream = SHARE * rules.mining * MONTH / rules.epoch;
    let part = if volume > 0.0 { volume / (volume + honest_fees) } else { 0.0 };
    let earned = stream * part;
    let left = if honest_fees > 0.0 { stream - earned } else { 0.0 };
    Washing { honest_fees, volume, burned: rules.burned * volume, earned, left }
}

/// The volume that gains the most: there another CAI traded brings what it burns.
pub fn best(rules: &Rules, honest_fees: f64) -> f64 {
    let stream = SHARE * rules.mining * MONTH / rules.epoch;
    ((stream * honest_fees / rules.burned).sqrt() - honest_fees).max(0.0)
}

/// None, a tenth of what honest miners collect, as much, ten times as much, and the best.
pub fn table(rules: &Rules, market: &Market) -> Vec<Washing> {
    let fees = SHARE * market.demand * MONTH * market.mean_price();
    let mut volumes = vec![0.0, fees / 10.0, fees, 10.0 * fees, best(rules, fees)];
    volumes.sort_by(f64::total_cmp);
    volumes.into_iter().map(|volume| wash(rules, fees, volume)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rules;

    #[test]
    fn it_is_bounded_by_the_share_and_best_where_it_says() {
        let (rules, gain) = (rules(), |w: Washing| w.earned - w.burned);
        let stream = SHARE * rules.mining * MONTH / rules.epoch;
        assert!(wash(&rules, 1000.0, 1e15).earned <= stream);
        assert!((wash(&rules, 0.0, 1e-18).earned - stream).abs() < 1e-6, "alone, a wei is enough");
        let best = best(&rules, 36_000.0);
        let gains = [0.5, 1.0, 2.0].map(|times| gain(wash(&rules, 36_000.0, times * best)));
        assert!(gains[1] > gains[0] && gains[1] > gains[2], "{gains:?}");
    }
}
