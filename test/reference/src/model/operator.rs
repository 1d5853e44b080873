//! All that is behind one operator.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use cuckoo_protocol::contracts::Role;

use super::{Fund, History};
use crate::math::part_up;

/// Weight is at most so many times the own stake.
const WEIGHT_PER_OWN_STAKE: u128 = 10;

/// What left the pool in one epoch.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// What was drawn early is still in it.
    pub fund: Fund,
    /// What owners took out of it while the rest was held back.
    pub drawn: BTreeMap<Address, u128>,
    /// Wei that rounding made somebody draw beyond what its part was worth in the end.
    pub overdrawn: u128,
    /// Sum of the fractions that were slashed after it had matured.
    pub slashed: u128,
}

impl Bucket {
    /// CAI that are really in it. None if more was drawn than it ever should have held.
    pub fn assets(&self) -> Option<u128> {
        self.fund.assets.checked_sub(self.drawn.values().sum::<u128>() + self.overdrawn)
    }

    /// What `owner` can hope for, rounded down.
    pub fn left_to(&self, owner: Address) -> u128 {
        self.fund.value_of(owner).saturating_sub(self.drawn_by(owner))
    }

    /// What `owner` may have drawn in all while `held` of it is held back: floor(value - value * held).
    pub fn free(&self, owner: Address, held: u128) -> u128 {
        let value = self.fund.value_of(owner);
        value - part_up(value, held)
    }

    /// What `owner` drew early.
    pub fn drawn_by(&self, owner: Address) -> u128 {
        self.drawn.get(&owner).copied().unwrap_or_default()
    }

    /// Empties the part of `owner`; returns what it gets now.
    pub fn empty(&mut self, owner: Address) -> u128 {
        let value = self.fund.leave(owner, self.fund.shares_of(owner));
        let drawn = self.drawn.remove(&owner).unwrap_or_default();
        self.overdrawn += drawn.saturating_sub(value);
        value.saturating_sub(drawn)
    }
}

/// An operator, registered or not.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its account.
    pub account: Address,
    /// Where everybody who delegates holds shares, itself too.
    pub pool: Fund,
    /// By epoch.
    pub buckets: BTreeMap<u64, Bucket>,
    /// What it registered as.
    pub role: Role,
    /// Whether it is in its role.
    pub active: bool,
    /// Until it says `unjail`.
    pub jailed: bool,
    /// Seconds.
    pub jailed_until: u64,
    /// For ever.
    pub tombstoned: bool,
    /// WAD.
    pub commission: u128,
    /// A rise, and the time from which it can be applied.
    pub announced: Option<(u128, u64)>,
    /// Fractions held back, by the epoch in which the disputes opened, and by slasher.
    pub holds: BTreeMap<u64, BTreeMap<Address, u128>>,
    /// Fractions slashed, by epoch.
    pub slashed: BTreeMap<u64, u128>,
    /// What each unit of its weight earned since its rewards were last added, in parts of `stream::SCALE`.
    pub earned_per_weight: u128,
    /// Its weight after each epoch in which it changed.
    pub weights: History<u128>,
}

impl Operator {
    /// One behind whom there is nothing.
    pub fn new(account: Address) -> Self {
        Self {
            account,
            pool: Fund::default(),
            buckets: BTreeMap::new(),
            role: Role::None,
            active: false,
            jailed: false,
            jailed_until: 0,
            tombstoned: false,
            commission: 0,
            announced: None,
            holds: BTreeMap::new(),
            slashed: BTreeMap::new(),
            earned_per_weight: 0,
            weights: History::default(),
        }
    }

    /// What all slashers together hold back for disputes that opened in an epoch.
    pub fn held_in(&self, epoch: u64) -> u128 {
        self.holds.get(&epoch).map_or(0, |by| by.values().sum())
    }

    /// What one of them does.
    pub fn held_by(&self, slasher: Address, epoch: u64) -> u128 {
        self.holds.get(&epoch).and_then(|by| by.get(&slasher)).copied().unwrap_or_default()
    }

    /// What its own shares are worth, rounded down.
    pub fn own_stake(&self) -> u128 {
        self.pool.value_of(self.account)
    }

    /// min(pool, 10 x own stake) of an active operator with more own stake than its role's minimum.
    pub fn weight(&self, minimum: u128) -> u128 {
        let own = self.own_stake();
        if !self.active || self.jailed || self.tombstoned || own <= minimum {
            return 0;
        }
        self.pool.assets.min(WEIGHT_PER_OWN_STAKE * own)
    }
}
