//! Work in flight: a miner may not hold more money for results that nobody has checked than a conviction would cost it.

use crate::store::Unaudited;
use alloy::primitives::{Address, U256};
use std::collections::HashMap;

/// One in WAD.
const WAD: u64 = 1_000_000_000_000_000_000;

/// What is accepted unaudited and can still be challenged, and how much that may be.
#[derive(Debug, Default)]
pub struct Exposure {
    /// Seconds for which a result can be challenged after its offer's expiry.
    window: u64,
    results: HashMap<Address, HashMap<String, Unaudited>>,
    /// Wei.
    caps: HashMap<Address, U256>,
}

impl Exposure {
    /// With the results of before.
    pub fn new(window: u64, results: Vec<Unaudited>) -> Self {
        let mut exposure = Self { window, ..Self::default() };
        for result in results {
            exposure.add(result);
        }
        exposure
    }

    /// Adds an accepted result.
    pub fn add(&mut self, result: Unaudited) {
        self.results.entry(result.miner).or_default().insert(result.lease.clone(), result);
    }

    /// Frees what an audit vouches for, or has found out.
    pub fn free(&mut self, miner: Address, lease: &str) {
        if let Some(results) = self.results.get_mut(&miner) {
            results.remove(lease);
        }
    }

    /// Sets each miner's cap; those that are not named may do nothing.
    pub fn set_caps(&mut self, window: u64, caps: HashMap<Address, U256>) {
        (self.window, self.caps) = (window, caps);
    }

    /// Wei that a miner may still earn unaudited at `now` (chain seconds). Forgets what cannot be challenged any more.
    pub fn room(&mut self, miner: Address, now: u64) -> U256 {
        let (window, cap) = (self.window, self.caps.get(&miner).copied().unwrap_or_default());
        let Some(results) = self.results.get_mut(&miner) else { return cap };
        results.retain(|_, result| result.expiry.saturating_add(window) >= now);
        results.values().fold(cap, |room, result| room.saturating_sub(result.price))
    }
}

/// What a conviction takes of the miner's own stake (`fraction` in WAD), times this coordinator's share of all coordinators' weight: if all
/// of them keep to it, nobody holds more than it could lose.
pub fn cap(own_stake: U256, fraction: u64, weight: U256, all_weight: U256) -> U256 {
    if all_weight.is_zero() {
        return U256::ZERO;
    }
    let at_stake = own_stake.saturating_mul(U256::from(fraction)) / U256::from(WAD);
    at_stake.saturating_mul(weight) / all_weight
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINER: Address = Address::repeat_byte(1);

    fn result(lease: &str, price: u64, expiry: u64) -> Unaudited {
        Unaudited { lease: lease.to_owned(), miner: MINER, price: U256::from(price), expiry }
    }

    #[test]
    fn what_was_not_checked_counts_until_it_cannot_be_challenged() {
        let mut exposure = Exposure::new(10, vec![result("a", 3, 100)]);
        assert_eq!(exposure.room(MINER, 100), U256::ZERO, "nothing is known of its stake");
        exposure.set_caps(10, HashMap::from([(MINER, U256::from(10))]));
        exposure.add(result("b", 5, 105));
        assert_eq!(exposure.room(MINER, 100), U256::from(2));
        assert_eq!(exposure.room(MINER, 110), U256::from(2));
        assert_eq!(exposure.room(MINER, 111), U256::from(5), "a cannot be challenged any more");
        exposure.free(MINER, "b");
        assert_eq!(exposure.room(MINER, 111), U256::from(10));
        exposure.add(result("c", 50, 200));
        assert_eq!(exposure.room(MINER, 111), U256::ZERO);
        assert_eq!(exposure.room(Address::ZERO, 111), U256::ZERO, "a stranger");
    }

    #[test]
    fn the_cap_is_the_part_of_a_slash_that_is_this_coordinators() {
        let cai = |amount: u64| U256::from(amount) * U256::from(WAD);
        assert_eq!(cap(cai(20_000), WAD / 10, cai(1), cai(4)), cai(500));
        assert_eq!(cap(cai(20_000), WAD / 10, cai(0), cai(0)), U256::ZERO);
    }
}
