//! The mining stream: pays for work.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, U256};

use super::Model;
use crate::{
    abi::IMiningRewards,
    math::{WAD, mul_div_down, narrow, part_down},
    revert::Effect,
};

/// What each epoch emits, and who has it already.
#[derive(Clone, Debug)]
pub struct Mining {
    /// The first epoch that emits.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// CAI wei, by epoch: every one of them.
    pub emissions: BTreeMap<u64, u128>,
    /// Left over by divisions.
    pub remainder: u128,
    /// Epoch, coordinator, miner.
    pub claimed: BTreeSet<(u64, Address, Address)>,
    /// By epoch.
    pub recycled: BTreeSet<u64>,
}

impl Mining {
    pub(super) fn new(first: u64, epochs: u64) -> Self {
        Self {
            first,
            last: first + epochs - 1,
            emissions: BTreeMap::new(),
            remainder: 0,
            claimed: BTreeSet::new(),
            recycled: BTreeSet::new(),
        }
    }

    /// What an epoch emits.
    pub fn emission(&self, epoch: u64) -> u128 {
        self.emissions.get(&epoch).copied().unwrap_or_default()
    }
}

impl Model {
    pub(super) fn fund_mining(&mut self, caller: Address, amount: u128) -> Effect<()> {
        if amount == 0 {
            return Err(IMiningRewards::ZeroAmount {}.into());
        }
        let (current, last) = (self.epoch(), self.mining.last);
        if current >= last {
            let (last, current) = (U256::from(last), U256::from(current));
            return Err(IMiningRewards::StreamEnded { last, current }.into());
        }
        let (from, per_epoch) = self.spread(amount);
        let event = IMiningRewards::Funded { caller, amount: U256::from(amount), from, perEpoch: per_epoch };
        self.emit(self.at.mining, event);
        self.transfer_from(self.at.mining, caller, amount)
    }

    pub(super) fn claim(&mut self, epoch: u64, coordinator: Address, miner: Address) -> Effect<u128> {
        let amount = self.claim_if_any(epoch, coordinator, miner)?;
        if amount == 0 {
            return Err(IMiningRewards::NothingToClaim { epoch: U256::from(epoch), coordinator, miner }.into());
        }
        Ok(amount)
    }

    pub(super) fn claim_many(&mut self, claims: &[(u64, Address, Address)]) -> Effect<u128> {
        claims
            .iter()
            .try_fold(0, |sum, (epoch, coordinator, miner)| Ok(sum + self.claim_if_any(*epoch, *coordinator, *miner)?))
    }

    /// What a claim would pay: floor(floor(emission * share) * the miner's part of the coordinator's fees).
    pub fn claimable(&self, epoch: u64, coordinator: Address, miner: Address) -> u128 {
        let fees = self.payments.fees.get(&(epoch, coordinator, miner)).copied().unwrap_or_default();
        if fees == 0 || self.mining.claimed.contains(&(epoch, coordinator, miner)) {
            return 0;
        }
        let earned = part_down(self.mining.emission(epoch), self.share_worked(epoch, coordinator));
        let all = self.payments.fees_of(epoch, coordinator);
        narrow(mul_div_down(U256::from(earned), U256::from(fees), U256::from(all)))
    }

    fn claim_if_any(&mut self, epoch: u64, coordinator: Address, miner: Address) -> Effect<u128> {
        self.require_over(epoch)?;
        let amount = self.claimable(epoch, coordinator, miner);
        if amount == 0 {
            return Ok(0);
        }
        self.mining.claimed.insert((epoch, coordinator, miner));
        let event =
            IMiningRewards::Claimed { epoch: U256::from(epoch), coordinator, miner, amount: U256::from(amount) };
        self.emit(self.at.mining, event);
        self.transfer(self.at.mining, miner, amount)?;
        Ok(amount)
    }

    pub(super) fn recycle(&mut self, epoch: u64) -> Effect<u128> {
        self.require_over(epoch)?;
        let number = U256::from(epoch);
        let amount = part_down(self.mining.emission(epoch), WAD - self.shares_worked(epoch));
        if amount == 0 || !self.mining.recycled.insert(epoch) {
            return Err(IMiningRewards::NothingToRecycle { epoch: number }.into());
        }
        if self.epoch() < self.mining.last {
            let (from, per_epoch) = self.spread(amount);
            let amount = U256::from(amount);
            self.emit(self.at.mining, IMiningRewards::Recycled { epoch: number, amount, from, perEpoch: per_epoch });
        } else {
            let burned = amount + std::mem::take(&mut self.mining.remainder);
            self.emit(self.at.mining, IMiningRewards::RemainderBurned { epoch: number, burned: U256::from(burned) });
            self.burn(self.at.mining, burned)?;
        }
        Ok(amount)
    }

    /// Adds the same to each epoch to come.
    fn spread(&mut self, amount: u128) -> (U256, U256) {
        let from = self.mining.first.max(self.epoch() + 1);
        let epochs = from..=self.mining.last;
        let count = u128::from(self.mining.last - from + 1);
        let amount = amount + self.mining.remainder;
        self.mining.remainder = amount % count;
        for epoch in epochs {
            *self.mining.emissions.entry(epoch).or_default() += amount / count;
        }
        (U256::from(from), U256::from(amount / count))
    }

    fn require_over(&self, epoch: u64) -> Effect<()> {
        if epoch >= self.epoch() {
            let (epoch, current) = (U256::from(epoch), U256::from(self.epoch()));
            return Err(IMiningRewards::EpochNotOver { epoch, current }.into());
        }
        Ok(())
    }
}
