//! CAI: balances, allowances, permits.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};

use super::Model;
use crate::{
    abi::{Approval, ERC20InsufficientAllowance, ERC20InsufficientBalance, Transfer},
    revert::Effect,
};

/// All CAI that there ever was.
pub const INITIAL_SUPPLY: u128 = 1_000_000_000 * crate::math::WAD;

/// Balances in CAI wei.
#[derive(Clone, Debug)]
pub struct Token {
    balances: BTreeMap<Address, u128>,
    allowances: BTreeMap<(Address, Address), U256>,
    nonces: BTreeMap<Address, u64>,
}

impl Token {
    /// Everything is the treasury's.
    pub fn new(treasury: Address) -> Self {
        Self {
            balances: BTreeMap::from([(treasury, INITIAL_SUPPLY)]),
            allowances: BTreeMap::new(),
            nonces: BTreeMap::new(),
        }
    }

    /// The sum of all balances.
    pub fn supply(&self) -> u128 {
        self.balances.values().sum()
    }

    /// What `account` holds.
    pub fn balance(&self, account: Address) -> u128 {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// What `spender` may take from `owner`.
    pub fn allowance(&self, owner: Address, spender: Address) -> U256 {
        self.allowances.get(&(owner, spender)).copied().unwrap_or_default()
    }

    /// Permits of `owner` that were used.
    pub fn nonce(&self, owner: Address) -> u64 {
        self.nonces.get(&owner).copied().unwrap_or_default()
    }
}

impl Model {
    pub(super) fn approve(&mut self, owner: Address, spender: Address, amount: U256) {
        self.token.allowances.insert((owner, spender), amount);
        self.emit(self.at.cai, Approval { owner, spender, value: amount });
    }

    /// A permit that the owner signed; one with another nonce than the next changes nothing.
    pub(super) fn permit(&mut self, owner: Address, spender: Address, amount: U256, nonce: u64) {
        if nonce == self.token.nonce(owner) {
            self.token.nonces.insert(owner, nonce + 1);
            self.approve(owner, spender, amount);
        }
    }

    pub(super) fn transfer(&mut self, from: Address, to: Address, amount: u128) -> Effect<()> {
        let balance = self.token.balance(from);
        let Some(left) = balance.checked_sub(amount) else {
            let (balance, needed) = (U256::from(balance), U256::from(amount));
            return Err(ERC20InsufficientBalance { sender: from, balance, needed }.into());
        };
        self.token.balances.insert(from, left);
        *self.token.balances.entry(to).or_default() += amount;
        self.emit(self.at.cai, Transfer { from, to, value: U256::from(amount) });
        Ok(())
    }

    /// `spender` takes what `from` allowed it. An allowance of everything is never used up.
    pub(super) fn transfer_from(&mut self, spender: Address, from: Address, amount: u128) -> Effect<()> {
        let (allowance, needed) = (self.token.allowance(from, spender), U256::from(amount));
        if allowance < needed {
            return Err(ERC20InsufficientAllowance { spender, allowance, needed }.into());
        }
        if allowance != U256::MAX {
            self.token.allowances.insert((from, spender), allowance - needed);
        }
        self.transfer(from, spender, amount)
    }

    pub(super) fn burn(&mut self, from: Address, amount: u128) -> Effect<()> {
        self.transfer(from, Address::ZERO, amount)?;
        self.token.balances.remove(&Address::ZERO);
        Ok(())
    }
}
