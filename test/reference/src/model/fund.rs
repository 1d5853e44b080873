//! Assets that several owners hold in shares: a pool, and each bucket of it.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256, U512};

use crate::{
    math::{mul_div_down, mul_div_up, narrow, part_down},
    revert::{Revert, downcast},
};

/// A fund behaves as if it held so many more shares...
const VIRTUAL_SHARES: u128 = 1_000_000;
/// ...and so many more assets, so that an empty one has a price.
const VIRTUAL_ASSETS: u128 = 1;

/// Assets and who owns which shares of them. There is no total of shares: it is the sum.
#[derive(Clone, Debug, Default)]
pub struct Fund {
    /// CAI wei.
    pub assets: u128,
    owners: BTreeMap<Address, u128>,
}

impl Fund {
    /// All shares.
    pub fn shares(&self) -> u128 {
        self.owners.values().sum()
    }

    /// Shares of one owner.
    pub fn shares_of(&self, owner: Address) -> u128 {
        self.owners.get(&owner).copied().unwrap_or_default()
    }

    /// Everybody who holds shares.
    pub fn owners(&self) -> impl Iterator<Item = Address> + '_ {
        self.owners.keys().copied()
    }

    /// floor(assets / price)
    pub fn shares_worth_down(&self, assets: u128) -> U512 {
        mul_div_down(U256::from(assets), self.price_shares(), self.price_assets())
    }

    /// ceil(assets / price)
    pub fn shares_worth_up(&self, assets: u128) -> U512 {
        mul_div_up(U256::from(assets), self.price_shares(), self.price_assets())
    }

    /// floor(shares * price)
    pub fn value_down(&self, shares: u128) -> u128 {
        narrow(mul_div_down(U256::from(shares), self.price_assets(), self.price_shares()))
    }

    /// ceil(shares * price)
    pub fn value_up(&self, shares: u128) -> u128 {
        narrow(mul_div_up(U256::from(shares), self.price_assets(), self.price_shares()))
    }

    /// What the shares of `owner` are worth, rounded down.
    pub fn value_of(&self, owner: Address) -> u128 {
        self.value_down(self.shares_of(owner))
    }

    /// Adds `assets`; `owner` gets shares for them, rounded down.
    ///
    /// # Errors
    /// When the numbers do not fit where the contracts keep them: 96 bits for assets, 120 for shares.
    pub fn enter(&mut self, owner: Address, assets: u128) -> Result<u128, Revert> {
        let shares = self.shares_worth_down(assets);
        downcast(U512::from(assets), 96)?;
        self.assets += assets;
        if self.assets >> 96 != 0 {
            return Err(Revert::overflow());
        }
        let shares = downcast(shares, 120)?;
        self.mint(owner, shares);
        Ok(shares)
    }

    /// Takes out what `shares` of `owner` are worth, rounded down.
    pub fn leave(&mut self, owner: Address, shares: u128) -> u128 {
        let assets = self.value_down(shares);
        self.assets -= assets;
        self.burn(owner, shares);
        assets
    }

    /// Gives `owner` shares for nothing.
    pub fn mint(&mut self, owner: Address, shares: u128) {
        *self.owners.entry(owner).or_default() += shares;
    }

    /// Takes shares from `owner` for nothing.
    ///
    /// # Panics
    /// If it has fewer.
    pub fn burn(&mut self, owner: Address, shares: u128) {
        let held = self.owners.entry(owner).or_default();
        *held = held.checked_sub(shares).expect("more shares burned than held: the model is wrong");
        if *held == 0 {
            self.owners.remove(&owner);
        }
    }

    /// Takes `fraction` (WAD) of the assets, rounded down; shares stay.
    /// Returns the loss and what `own` bears of it, rounded down: floor(value before) - ceil(value after).
    pub fn slash(&mut self, fraction: u128, own: Address) -> (u128, u128) {
        let loss = part_down(self.assets, fraction);
        let before = self.value_of(own);
        self.assets -= loss;
        (loss, before.saturating_sub(self.value_up(self.shares_of(own))))
    }

    /// Whether a share is worth less than 1% of its first price, which is 1e-6.
    pub fn is_ruined(&self) -> bool {
        // (assets + 1) / (shares + 1e6) < 1 / 1e6 / 100
        self.price_assets() * U256::from(VIRTUAL_SHARES * 100) < self.price_shares() * U256::from(VIRTUAL_ASSETS)
    }

    fn price_assets(&self) -> U256 {
        U256::from(self.assets + VIRTUAL_ASSETS)
    }

    fn price_shares(&self) -> U256 {
        U256::from(self.shares() + VIRTUAL_SHARES)
    }
}
