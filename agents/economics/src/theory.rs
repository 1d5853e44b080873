//! The inequality that honesty rests on.

use crate::rules::{Market, Rules};

/// What makes a conviction cost less than the fraction: whoever fakes may be the first to accuse itself, and is then paid out what a challenger
/// and its jurors get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuser {
    /// The coordinator, or anybody else.
    Other,
    /// The cheat's own puppet.
    Puppet,
}

/// CAI that a conviction takes for good from an operator with so much own stake.
pub fn loss(rules: &Rules, stake: f64, accuser: Accuser) -> f64 {
    let kept = match accuser {
        Accuser::Other => 0.0,
        Accuser::Puppet => rules.paid_out,
    };
    rules.fraction * stake * (1.0 - kept)
}

/// The least share of results that must be audited so that one fake of a task of this price does not pay:
/// `p · q · v · (loss + price) ≥ gain`. What jail costs comes on top and is left out, so this errs on the safe side. Above 1 no rate suffices.
pub fn least_audit(rules: &Rules, market: &Market, price: f64, stake: f64, accuser: Accuser) -> f64 {
    let caught = market.detection * market.conviction;
    market.gain(price) / (caught * (loss(rules, stake, accuser) + price))
}

/// The least fraction of a slash so that one fake of a task of this price does not pay at the audit rate as it is.
pub fn least_fraction(rules: &Rules, market: &Market, price: f64, stake: f64, accuser: Accuser) -> f64 {
    let caught = market.audit * market.detection * market.conviction;
    let whole = loss(&Rules { fraction: 1.0, ..rules.clone() }, stake, accuser);
    ((market.gain(price) / caught - price) / whole).max(0.0)
}

/// The highest price of a task at which the audit rate suffices.
pub fn highest_price(rules: &Rules, market: &Market, stake: f64, accuser: Accuser) -> f64 {
    let caught = market.audit * market.detection * market.conviction;
    let gain = market.gain(1.0);
    if gain <= caught { f64::INFINITY } else { caught * loss(rules, stake, accuser) / (gain - caught) }
}

/// The least bond that pays an answer of this gas, at a gas price in gwei and so many CAI a native coin.
pub fn least_bond(gas: f64, gwei: f64, cai_a_coin: f64) -> f64 {
    gas * gwei * 1e-9 * cai_a_coin
}
