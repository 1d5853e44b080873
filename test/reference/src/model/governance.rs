//! What the owner and the guardian may do to Staking.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use cuckoo_protocol::contracts::IStaking;

use super::{Model, staking::MATURING_EPOCHS};
use crate::{abi::OwnableUnauthorizedAccount, revert::Effect};

/// Epochs after its own for which a hold lasts.
pub const HOLD_EPOCHS: u64 = 4;
/// Longest pause, in seconds.
const MAX_PAUSE: u64 = 14 * 86_400;

/// Since when an account may slash, and whether it still may.
#[derive(Clone, Copy, Debug)]
struct Slasher {
    active_from: u64,
    retired: bool,
}

/// Owner, guardian, slashers, pause.
#[derive(Clone, Debug)]
pub struct Governance {
    /// Owner of Staking.
    pub owner: Address,
    guardian: Address,
    /// Seconds.
    pub paused_until: u64,
    slashers: BTreeMap<Address, Slasher>,
}

impl Governance {
    pub(super) fn new(owner: Address, guardian: Address, slashers: &[Address], now: u64) -> Self {
        let slashers = slashers.iter().map(|s| (*s, Slasher { active_from: now, retired: false }));
        Self { owner, guardian, paused_until: 0, slashers: slashers.collect() }
    }

    /// Whether `account` may open disputes.
    pub fn is_slasher(&self, account: Address, now: u64) -> bool {
        self.slashers.get(&account).is_some_and(|s| s.active_from <= now && !s.retired)
    }
}

impl Model {
    /// Nobody once its time is over.
    pub fn guardian(&self) -> Address {
        if self.now < self.parameters.guardian_expiry { self.governance.guardian } else { Address::ZERO }
    }

    pub(super) fn require_owner(&self, caller: Address) -> Effect<()> {
        if caller == self.governance.owner {
            Ok(())
        } else {
            Err(OwnableUnauthorizedAccount { account: caller }.into())
        }
    }

    pub(super) fn require_open(&self) -> Effect<()> {
        let until = self.governance.paused_until;
        if self.now < until { Err(IStaking::EntryPaused { until: U256::from(until) }.into()) } else { Ok(()) }
    }

    pub(super) fn propose_slasher(&mut self, caller: Address, slasher: Address) -> Effect<()> {
        self.require_owner(caller)?;
        if slasher.is_zero() {
            return Err(IStaking::ZeroAddress {}.into());
        }
        if self.governance.slashers.contains_key(&slasher) {
            return Err(IStaking::SlasherKnown { account: slasher }.into());
        }
        // Unbonding is at most the rest of an epoch and two whole ones; an epoch more is four.
        let active_from = self.now + (MATURING_EPOCHS + 2) * self.parameters.epoch_length;
        self.governance.slashers.insert(slasher, Slasher { active_from, retired: false });
        self.emit(self.at.staking, IStaking::SlasherProposed { slasher, activeFrom: U256::from(active_from) });
        Ok(())
    }

    pub(super) fn retire_slasher(&mut self, caller: Address, slasher: Address) -> Effect<()> {
        self.require_owner(caller)?;
        let Some(known) = self.governance.slashers.get_mut(&slasher).filter(|s| !s.retired) else {
            return Err(IStaking::SlasherUnknown { account: slasher }.into());
        };
        known.retired = true;
        self.emit(self.at.staking, IStaking::SlasherRetired { slasher });
        Ok(())
    }

    pub(super) fn set_guardian(&mut self, caller: Address, guardian: Address) -> Effect<()> {
        self.require_owner(caller)?;
        self.governance.guardian = guardian;
        self.emit(self.at.staking, IStaking::GuardianSet { guardian });
        Ok(())
    }

    pub(super) fn pause_entry(&mut self, caller: Address, until: u64) -> Effect<()> {
        if caller != self.governance.owner && caller != self.guardian() {
            return Err(IStaking::Unauthorised { caller }.into());
        }
        if until > self.now + MAX_PAUSE {
            let value = U256::from(until);
            return Err(IStaking::InvalidParameter { name: "until".into(), value }.into());
        }
        self.governance.paused_until = until;
        self.emit(self.at.staking, IStaking::PauseSet { caller, until: U256::from(until) });
        Ok(())
    }
}
