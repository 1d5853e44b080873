//! Work on credit: how much a coordinator may owe beyond what its channel holds. It can sign vouchers over anything; only what is funded is sure.

use alloy::primitives::{Address, U256};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What coordinators owe beyond what their channels hold, and how much that may be.
#[derive(Debug)]
pub struct Credit {
    /// Wei.
    limit: U256,
    /// Wei by payer, as of the last look at the chain.
    uncovered: Mutex<HashMap<Address, U256>>,
}

impl Credit {
    /// With the wei that each coordinator may owe uncovered.
    pub fn new(limit: U256) -> Self {
        Self { limit, uncovered: Mutex::default() }
    }

    /// Takes note of what a coordinator's voucher promises beyond what was collected, and of what its channel holds.
    pub fn note(&self, payer: Address, uncollected: U256, balance: U256) {
        self.uncovered().insert(payer, uncollected.saturating_sub(balance));
    }

    /// The wei that a coordinator owes uncovered, if that is more than it may.
    pub fn exceeded(&self, payer: Address) -> Option<U256> {
        self.uncovered().get(&payer).copied().filter(|uncovered| *uncovered > self.limit)
    }

    fn uncovered(&self) -> MutexGuard<'_, HashMap<Address, U256>> {
        self.uncovered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_channel_covers_counts_against_the_limit() {
        let (credit, payer) = (Credit::new(U256::from(10)), Address::repeat_byte(1));
        let exceeded = |uncollected: u64, balance: u64| {
            credit.note(payer, U256::from(uncollected), U256::from(balance));
            credit.exceeded(payer)
        };
        assert_eq!(credit.exceeded(payer), None, "nothing is known of it");
        assert_eq!(exceeded(1_000, 1_000), None);
        assert_eq!(exceeded(1_000, 990), None);
        assert_eq!(exceeded(1_000, 989), Some(U256::from(11)));
        assert_eq!(exceeded(0, 0), None, "it has paid");
        assert_eq!(credit.exceeded(Address::repeat_byte(2)), None);
    }
}
