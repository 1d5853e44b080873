//! Hold back, release, slash, jail.

use alloy::primitives::{Address, U256, U512};
use cuckoo_protocol::contracts::IStaking;

use super::{Model, governance::HOLD_EPOCHS, staking::maturity_of};
use crate::{
    math::WAD,
    revert::{Effect, downcast},
};

/// Largest fraction of one slash. WAD.
pub const MAX_SLASH: u128 = WAD / 2;
/// Largest sum of the fractions of an epoch's slashes, and of what disputes hold back. WAD.
pub const MAX_SLASH_EPOCH: u128 = WAD / 4 * 3;

impl Model {
    /// What open disputes hold back of a matured bucket: the fractions of those that opened before it matured and are not over, at most 75%.
    pub fn held_fraction(&self, operator: Address, epoch: u64) -> u128 {
        let (current, maturity) = (self.epoch(), maturity_of(epoch));
        if current < maturity {
            return 0;
        }
        let behind = self.staking.operator(operator);
        let opened = behind.holds.keys().copied();
        let live = opened.filter(|opened| *opened < maturity && current <= opened + HOLD_EPOCHS);
        live.map(|opened| behind.held_in(opened)).sum::<u128>().min(MAX_SLASH_EPOCH)
    }

    pub(super) fn hold(&mut self, caller: Address, operator: Address, fraction: u128) -> Effect<u64> {
        if !self.governance.is_slasher(caller, self.now) {
            return Err(IStaking::Unauthorised { caller }.into());
        }
        self.require_open()?;
        require_fraction(fraction)?;
        let epoch = self.epoch();
        let behind = self.staking.entry(operator);
        *behind.holds.entry(epoch).or_default().entry(caller).or_default() += fraction;
        let held = U256::from(behind.held_in(epoch));
        let event = IStaking::Held {
            operator,
            slasher: caller,
            epoch: U256::from(epoch),
            fraction: U256::from(fraction),
            held,
        };
        self.emit(self.at.staking, event);
        Ok(epoch)
    }

    pub(super) fn release(&mut self, caller: Address, operator: Address, fraction: u128, epoch: u64) -> Effect<()> {
        if fraction == 0 {
            return Err(IStaking::ZeroAmount {}.into());
        }
        let behind = self.staking.entry(operator);
        let held = behind.held_by(caller, epoch);
        let Some(left) = held.checked_sub(fraction) else {
            let (epoch, held, fraction) = (U256::from(epoch), U256::from(held), U256::from(fraction));
            return Err(IStaking::NotHeld { operator, epoch, held, fraction }.into());
        };
        behind.holds.entry(epoch).or_default().insert(caller, left);
        let event = IStaking::Released {
            operator,
            slasher: caller,
            epoch: U256::from(epoch),
            fraction: U256::from(fraction),
            held: U256::from(self.staking.operator(operator).held_in(epoch)),
        };
        self.emit(self.at.staking, event);
        Ok(())
    }

    /// Takes a fraction of all that is liable. Returns what was taken and what of it the recipient got.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn slash(
        &mut self,
        caller: Address,
        operator: Address,
        fraction: u128,
        opened: u64,
        jail_term: u64,
        recipient: Address,
        reward: u128,
    ) -> Effect<(u128, u128)> {
        require_fraction(fraction)?;
        let current = self.epoch();
        if opened > current {
            return Err(IStaking::FutureEpoch { epoch: U256::from(opened), current: U256::from(current) }.into());
        }
        // Liable is what had not matured when the caller's dispute opened; without a hold for it, what has not matured now.
        let held = self.staking.operator(operator).held_by(caller, opened);
        let liable_since = if current <= opened + HOLD_EPOCHS && held >= fraction {
            self.release(caller, operator, fraction, opened)?;
            opened
        } else if self.governance.is_slasher(caller, self.now) {
            current
        } else {
            return Err(IStaking::Unauthorised { caller }.into());
        };
        let spent = self.staking.entry(operator).slashed.entry(current).or_default();
        let fraction = fraction.min(MAX_SLASH_EPOCH - *spent);
        *spent += fraction;

        let (before, _) = self.open(operator);
        let behind = self.staking.entry(operator);
        let (from_pool, mut own_loss) = behind.pool.slash(fraction, operator);
        behind.tombstoned |= behind.pool.is_ruined();
        let mut from_buckets = 0;
        for (epoch, bucket) in behind.buckets.iter_mut().filter(|(epoch, _)| maturity_of(**epoch) > liable_since) {
            if bucket.fund.assets == 0 {
                continue;
            }
            let taken = if current < maturity_of(*epoch) {
                fraction
            } else {
                let taken = fraction.min(MAX_SLASH_EPOCH - bucket.slashed);
                bucket.slashed += taken;
                taken
            };
            let (loss, own) = bucket.fund.slash(taken, operator);
            from_buckets += loss;
            own_loss += own;
        }
        let paid = if recipient.is_zero() { 0 } else { reward.min(own_loss / 2) };
        let until = if jail_term == 0 { None } else { Some(self.lock_up(operator, jail_term)?) };
        let weight = self.close(operator, before);

        let pool = &self.staking.operator(operator).pool;
        let event = IStaking::Slashed {
            operator,
            slasher: caller,
            fraction: U256::from(fraction),
            fromPool: U256::from(from_pool),
            fromBuckets: U256::from(from_buckets),
            paid: U256::from(paid),
            recipient,
            poolAssets: U256::from(pool.assets),
            poolShares: U256::from(pool.shares()),
            weight: U256::from(weight),
        };
        self.emit(self.at.staking, event);
        if let Some(until) = until {
            let (until, weight) = (U256::from(until), U256::from(weight));
            self.emit(self.at.staking, IStaking::JailedUntil { operator, jailer: caller, until, weight });
        }
        let slashed = from_pool + from_buckets;
        if slashed > paid {
            self.burn(self.at.staking, slashed - paid)?;
        }
        if paid != 0 {
            self.transfer(self.at.staking, recipient, paid)?;
        }
        Ok((slashed, paid))
    }

    pub(super) fn jail(&mut self, caller: Address, operator: Address, term: u64) -> Effect<()> {
        if caller != self.at.payments {
            return Err(IStaking::Unauthorised { caller }.into());
        }
        let (before, _) = self.open(operator);
        let until = U256::from(self.lock_up(operator, term)?);
        let weight = U256::from(self.close(operator, before));
        self.emit(self.at.staking, IStaking::JailedUntil { operator, jailer: caller, until, weight });
        Ok(())
    }

    pub(super) fn unjail(&mut self, caller: Address) -> Effect<()> {
        let (before, _) = self.open(caller);
        let operator = self.staking.entry(caller);
        if !operator.jailed {
            return Err(IStaking::NotJailed { operator: caller }.into());
        }
        if self.now < operator.jailed_until {
            let until = U256::from(operator.jailed_until);
            return Err(IStaking::Jailed { operator: caller, until }.into());
        }
        operator.jailed = false;
        let weight = U256::from(self.close(caller, before));
        self.emit(self.at.staking, IStaking::Unjailed { operator: caller, weight });
        Ok(())
    }

    /// A term that ends earlier than another shortens nothing.
    fn lock_up(&mut self, operator: Address, term: u64) -> Effect<u64> {
        let now = self.now;
        let behind = self.staking.entry(operator);
        let until = behind.jailed_until.max(now.saturating_add(term));
        downcast(U512::from(until), 40)?;
        (behind.jailed, behind.jailed_until) = (true, until);
        Ok(until)
    }
}

fn require_fraction(fraction: u128) -> Effect<()> {
    if fraction == 0 || fraction > MAX_SLASH {
        let (fraction, limit) = (U256::from(fraction), U256::from(MAX_SLASH));
        return Err(IStaking::FractionOutOfRange { fraction, limit }.into());
    }
    Ok(())
}
