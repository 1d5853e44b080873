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
    /// By payer.
    debts: Mutex<HashMap<Address, Debt>>,
}

/// What a coordinator owes.
#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    /// Wei since the channel began, by its highest voucher.
    promised: U256,
    /// Wei of it that were collected or are sure to be, as of the last look at the chain.
    covered: U256,
}

impl Credit {
    /// With the wei that each coordinator may owe uncovered.
    pub fn new(limit: U256) -> Self {
        Self { limit, debts: Mutex::default() }
    }

    /// Takes note of a new voucher over `cumulative` wei. It counts at once: between two looks at the chain much work can be done.
    pub fn promise(&self, payer: Address, cumulative: U256) {
        let mut debts = self.debts();
        let debt = debts.entry(payer).or_default();
        debt.promised = debt.promised.max(cumulative);
    }

    /// Takes note of what the chain says of the channel: of `cumulative` wei, which a voucher promises, `covered` were collected or are there.
    pub fn note(&self, payer: Address, cumulative: U256, covered: U256) {
        self.promise(payer, cumulative);
        self.debts().entry(payer).or_default().covered = covered;
    }

    /// The wei that a coordinator owes uncovered, if that is more than it may.
    pub fn exceeded(&self, payer: Address) -> Option<U256> {
        let debt = self.debts().get(&payer).copied().unwrap_or_default();
        Some(debt.promised.saturating_sub(debt.covered)).filter(|uncovered| *uncovered > self.limit)
    }

    fn debts(&self) -> MutexGuard<'_, HashMap<Address, Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_channel_covers_counts_against_the_limit() {
        let (credit, payer) = (Credit::new(U256::from(10)), Address::repeat_byte(1));
        let exceeded = |cumulative: u64, covered: u64| {
            credit.note(payer, U256::from(cumulative), U256::from(covered));
            credit.exceeded(payer)
        };
        assert_eq!(credit.exceeded(payer), None, "nothing is known of it");
        assert_eq!(exceeded(1_000, 1_000), None);
        assert_eq!(exceeded(1_000, 990), None);
        assert_eq!(exceeded(1_000, 989), Some(U256::from(11)));
        assert_eq!(exceeded(1_000, 2_000), None, "it has paid");
        assert_eq!(credit.exceeded(Address::repeat_byte(2)), None);
    }

    #[test]
    fn a_voucher_counts_before_the_chain_is_looked_at() {
        let (credit, payer) = (Credit::new(U256::from(10)), Address::repeat_byte(1));
        credit.promise(payer, U256::from(10));
        assert_eq!(credit.exceeded(payer), None);
        credit.promise(payer, U256::from(11));
        assert_eq!(credit.exceeded(payer), Some(U256::from(11)));
        // The look was begun before the last voucher was there.
        credit.note(payer, U256::from(10), U256::from(1));
        assert_eq!(credit.exceeded(payer), None);
        credit.promise(payer, U256::from(12));
        assert_eq!(credit.exceeded(payer), Some(U256::from(11)));
    }
}
