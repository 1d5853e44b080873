//! Stake, vote, leave, earn.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use cuckoo_protocol::contracts::{IStaking, Role};

use super::{History, Model, Operator, Stream, stream::SCALE};
use crate::{
    math::{WAD, mul_div_down, narrow, part_down},
    revert::{Effect, downcast},
};

/// Whole epochs that a bucket matures after its own.
pub const MATURING_EPOCHS: u64 = 2;
/// Commissions are multiples of this. WAD.
const COMMISSION_UNIT: u128 = 1_000_000_000;

/// Everything behind everybody.
#[derive(Clone, Debug, Default)]
pub struct Staking {
    operators: BTreeMap<Address, Operator>,
    /// Of rewards.
    pub stream: Stream,
    /// Sums of the weights of miners and of coordinators, after each epoch in which they changed.
    pub totals: History<(u128, u128)>,
}

/// First epoch in which a bucket of `epoch` can be withdrawn.
pub fn maturity_of(epoch: u64) -> u64 {
    epoch + MATURING_EPOCHS + 1
}

impl Staking {
    /// What is behind `account`; nothing for who was never heard of.
    pub fn operator(&self, account: Address) -> Operator {
        self.operators.get(&account).cloned().unwrap_or_else(|| Operator::new(account))
    }

    /// Everybody who has something behind it.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.operators.values()
    }

    pub(super) fn entry(&mut self, account: Address) -> &mut Operator {
        self.operators.entry(account).or_insert_with(|| Operator::new(account))
    }
}

impl Model {
    /// Own stake must be more.
    pub fn min_stake(&self, role: Role) -> u128 {
        match role {
            Role::Miner => self.parameters.min_miner_stake,
            Role::Coordinator => self.parameters.min_coordinator_stake,
            // No stake suffices for no role.
            _ => u128::MAX,
        }
    }

    /// Weight of an operator, as its last verb left it.
    pub fn weight_of(&self, operator: &Operator) -> u128 {
        operator.weight(self.min_stake(operator.role))
    }

    /// Sum of the weights of a role.
    pub fn total_weight(&self, role: Role) -> u128 {
        self.staking.operators().filter(|o| o.role == role).map(|o| self.weight_of(o)).sum()
    }

    fn all_weight(&self) -> u128 {
        self.staking.operators().map(|o| self.weight_of(o)).sum()
    }

    /// The operator as its next verb finds it: with what the stream owes it, which is returned too, and the shares of its commission.
    pub fn operator_now(&self, account: Address) -> (Operator, u128, u128) {
        let mut operator = self.staking.operator(account);
        let (_, earned) = self.staking.stream.step(self.now, self.all_weight());
        let weight = self.weight_of(&operator);
        if weight == 0 {
            return (operator, 0, 0);
        }
        let per_weight = U256::from(operator.earned_per_weight + earned);
        let reward = narrow(mul_div_down(U256::from(weight), per_weight, U256::from(SCALE)));
        operator.earned_per_weight = 0;
        // The cut is worth as much after all but the cut has come in.
        let cut = part_down(reward, operator.commission);
        operator.pool.assets += reward - cut;
        let shares = narrow(operator.pool.shares_worth_down(cut));
        operator.pool.assets += cut;
        operator.pool.mint(account, shares);
        (operator, reward, shares)
    }

    /// Reckons the stream, and hands everybody what it earned since the last time.
    fn reckon(&mut self, total_weight: u128) {
        let (stream, earned) = self.staking.stream.step(self.now, total_weight);
        self.staking.stream = stream;
        let weights: Vec<_> = self.staking.operators().map(|o| (o.account, self.weight_of(o))).collect();
        for (account, weight) in weights {
            if weight != 0 {
                self.staking.entry(account).earned_per_weight += earned;
            }
        }
    }

    /// What every verb on a pool does first: adds what the stream owes it. Returns its weight of before, and what was added.
    pub(super) fn open(&mut self, account: Address) -> (u128, u128) {
        let before = self.weight_of(&self.staking.operator(account));
        if before == 0 {
            return (0, 0);
        }
        self.reckon(self.all_weight());
        let (operator, reward, commission_shares) = self.operator_now(account);
        *self.staking.entry(account) = operator.clone();
        if reward != 0 {
            let event = IStaking::Rewarded {
                operator: account,
                assets: U256::from(reward),
                commissionShares: U256::from(commission_shares),
                poolAssets: U256::from(operator.pool.assets),
                poolShares: U256::from(operator.pool.shares()),
                weight: U256::from(self.weight_of(&operator)),
            };
            self.emit(self.at.staking, event);
        }
        (before, reward)
    }

    /// What every verb on a pool does when it is through with it: writes down a change of its weight. Returns the weight.
    pub(super) fn close(&mut self, account: Address, before: u128) -> u128 {
        let operator = self.staking.operator(account);
        let weight = self.weight_of(&operator);
        if weight == before {
            return weight;
        }
        if before == 0 {
            // Weight earns from now on: what flowed until now is the others'.
            let others = self.all_weight() - weight;
            self.reckon(others);
            self.staking.entry(account).earned_per_weight = 0;
        }
        let epoch = self.epoch();
        self.staking.entry(account).weights.record(epoch, weight);
        let totals = (self.total_weight(Role::Miner), self.total_weight(Role::Coordinator));
        self.staking.totals.record(epoch, totals);
        weight
    }

    /// `caller` stakes for `operator`, in the name of `owner`.
    pub(super) fn delegate(
        &mut self,
        caller: Address,
        operator: Address,
        assets: u128,
        owner: Address,
    ) -> Effect<u128> {
        if assets == 0 {
            return Err(IStaking::ZeroAmount {}.into());
        }
        if operator.is_zero() || owner.is_zero() {
            return Err(IStaking::ZeroAddress {}.into());
        }
        self.require_open()?;
        let (shares, weight) = self.enter_pool(operator, owner, assets)?;
        let pool = &self.staking.operator(operator).pool;
        let event = IStaking::Delegated {
            operator,
            owner,
            caller,
            assets: U256::from(assets),
            shares: U256::from(shares),
            poolAssets: U256::from(pool.assets),
            poolShares: U256::from(pool.shares()),
            weight: U256::from(weight),
        };
        self.emit(self.at.staking, event);
        self.transfer_from(self.at.staking, caller, assets)?;
        Ok(shares)
    }

    fn enter_pool(&mut self, operator: Address, owner: Address, assets: u128) -> Effect<(u128, u128)> {
        let (before, _) = self.open(operator);
        if self.staking.operator(operator).tombstoned {
            return Err(IStaking::Tombstoned { operator }.into());
        }
        let shares = self.staking.entry(operator).pool.enter(owner, assets)?;
        if shares == 0 {
            return Err(IStaking::AmountTooSmall { amount: U256::from(assets) }.into());
        }
        Ok((shares, self.close(operator, before)))
    }

    pub(super) fn undelegate(&mut self, caller: Address, operator: Address, shares: u128) -> Effect<u128> {
        if shares == 0 {
            return Err(IStaking::ZeroAmount {}.into());
        }
        let (before, _) = self.open(operator);
        let available = self.staking.operator(operator).pool.shares_of(caller);
        if shares > available {
            let (available, required) = (U256::from(available), U256::from(shares));
            return Err(IStaking::InsufficientShares { owner: caller, available, required }.into());
        }
        let behind = self.staking.entry(operator);
        let assets = behind.pool.leave(caller, shares);
        if assets == 0 {
            return Err(IStaking::AmountTooSmall { amount: U256::from(shares) }.into());
        }
        let (role, left) = (behind.role, behind.own_stake());
        let backing = self.backing_of(operator);
        if caller == operator && role == Role::Coordinator && left < backing {
            let (backing, left) = (U256::from(backing), U256::from(left));
            return Err(IStaking::StakeBacksVouchers { operator, backing, left }.into());
        }
        let weight = self.close(operator, before);
        let epoch = self.epoch();
        self.enter_bucket(operator, epoch, caller, assets)?;
        let pool = &self.staking.operator(operator).pool;
        let event = IStaking::Undelegated {
            operator,
            owner: caller,
            epoch: U256::from(epoch),
            assets: U256::from(assets),
            shares: U256::from(shares),
            poolAssets: U256::from(pool.assets),
            poolShares: U256::from(pool.shares()),
            weight: U256::from(weight),
        };
        self.emit(self.at.staking, event);
        Ok(assets)
    }

    pub(super) fn enter_bucket(&mut self, operator: Address, epoch: u64, owner: Address, assets: u128) -> Effect<()> {
        let bucket = self.staking.entry(operator).buckets.entry(epoch).or_default();
        bucket.fund.enter(owner, assets)?;
        Ok(())
    }

    pub(super) fn cancel_undelegation(&mut self, caller: Address, operator: Address, epoch: u64) -> Effect<u128> {
        self.require_in_bucket(operator, epoch, caller)?;
        let current = self.epoch();
        if current >= maturity_of(epoch) {
            let (epoch, maturity, current) = numbers(epoch, maturity_of(epoch), current);
            return Err(IStaking::AlreadyMatured { epoch, maturity, current }.into());
        }
        let bucket = self.staking.entry(operator).buckets.entry(epoch).or_default();
        let assets = bucket.empty(caller);
        let (shares, weight) = self.enter_pool(operator, caller, assets)?;
        let pool = &self.staking.operator(operator).pool;
        let event = IStaking::UndelegationCancelled {
            operator,
            owner: caller,
            epoch: U256::from(epoch),
            assets: U256::from(assets),
            shares: U256::from(shares),
            poolAssets: U256::from(pool.assets),
            poolShares: U256::from(pool.shares()),
            weight: U256::from(weight),
        };
        self.emit(self.at.staking, event);
        Ok(shares)
    }

    pub(super) fn withdraw(&mut self, caller: Address, operator: Address, epoch: u64, owner: Address) -> Effect<u128> {
        self.require_in_bucket(operator, epoch, owner)?;
        let current = self.epoch();
        if current < maturity_of(epoch) {
            let (epoch, maturity, current) = numbers(epoch, maturity_of(epoch), current);
            return Err(IStaking::NotMatured { epoch, maturity, current }.into());
        }
        let held = self.held_fraction(operator, epoch);
        let bucket = self.staking.entry(operator).buckets.entry(epoch).or_default();
        let assets = if held == 0 {
            bucket.empty(owner)
        } else {
            let (free, drawn) = (bucket.free(owner, held), bucket.drawn_by(owner));
            if free <= drawn || caller != owner {
                let (epoch, held) = (U256::from(epoch), U256::from(held));
                return Err(IStaking::HeldBack { operator, epoch, owner, held }.into());
            }
            bucket.drawn.insert(owner, free);
            free - drawn
        };
        let event = IStaking::Withdrawn { operator, owner, epoch: U256::from(epoch), assets: U256::from(assets) };
        self.emit(self.at.staking, event);
        self.transfer(self.at.staking, owner, assets)?;
        Ok(assets)
    }

    fn require_in_bucket(&self, operator: Address, epoch: u64, owner: Address) -> Effect<()> {
        let behind = self.staking.operator(operator);
        if behind.buckets.get(&epoch).is_none_or(|b| b.fund.shares_of(owner) == 0) {
            return Err(IStaking::NothingToWithdraw { operator, epoch: U256::from(epoch), owner }.into());
        }
        Ok(())
    }

    pub(super) fn fund_rewards(&mut self, caller: Address, amount: u128) -> Effect<()> {
        self.reckon(self.all_weight());
        let added = self.staking.stream.fund(self.now, amount, self.parameters.reward_period)?;
        if added == 0 {
            return Err(IStaking::AmountTooSmall { amount: U256::from(amount) }.into());
        }
        let event = IStaking::RewardsFunded {
            caller,
            amount: U256::from(amount),
            rate: U256::from(self.staking.stream.rate),
            endsAt: U256::from(self.staking.stream.ends_at),
        };
        self.emit(self.at.staking, event);
        self.transfer_from(self.at.staking, caller, amount)
    }

    pub(super) fn accrue(&mut self, operator: Address) -> u128 {
        let (before, reward) = self.open(operator);
        self.close(operator, before);
        reward
    }

    pub(super) fn set_commission(&mut self, caller: Address, commission: u128) -> Effect<()> {
        if commission > WAD || !commission.is_multiple_of(COMMISSION_UNIT) {
            return Err(IStaking::InvalidCommission { commission: U256::from(commission) }.into());
        }
        let (before, _) = self.open(caller);
        let from = self.now + self.parameters.epoch_length;
        let operator = self.staking.entry(caller);
        if commission > operator.commission {
            operator.announced = Some((commission, from));
            let (commission, from) = (U256::from(commission), U256::from(from));
            self.emit(self.at.staking, IStaking::CommissionAnnounced { operator: caller, commission, from });
        } else {
            (operator.commission, operator.announced) = (commission, None);
            let commission = U256::from(commission);
            self.emit(self.at.staking, IStaking::CommissionSet { operator: caller, commission });
        }
        self.close(caller, before);
        Ok(())
    }

    pub(super) fn apply_commission(&mut self, operator: Address) -> Effect<()> {
        let announced = self.staking.operator(operator).announced;
        let Some((commission, _)) = announced.filter(|(_, from)| *from <= self.now) else {
            let from = U256::from(announced.map_or(0, |(_, from)| from));
            return Err(IStaking::CommissionNotDue { operator, from, current: U256::from(self.now) }.into());
        };
        let (before, _) = self.open(operator);
        let behind = self.staking.entry(operator);
        (behind.commission, behind.announced) = (commission, None);
        self.emit(self.at.staking, IStaking::CommissionSet { operator, commission: U256::from(commission) });
        self.close(operator, before);
        Ok(())
    }

    /// The Registry says what an operator is.
    pub(super) fn set_role(&mut self, caller: Address, operator: Address, role: Role, active: bool) -> Effect<u128> {
        if caller != self.at.registry {
            return Err(IStaking::Unauthorised { caller }.into());
        }
        if active {
            self.require_open()?;
        }
        let (before, _) = self.open(operator);
        let behind = self.staking.entry(operator);
        (behind.role, behind.active) = (role, active);
        let weight = self.close(operator, before);
        let event = IStaking::RoleSet { operator, role, active, weight: U256::from(weight) };
        self.emit(self.at.staking, event);
        Ok(weight)
    }

    /// Moves up to `wanted` of the operator's own stake into a bucket for `payee`.
    pub(super) fn pay_from_own(
        &mut self,
        caller: Address,
        operator: Address,
        wanted: u128,
        payee: Address,
    ) -> Effect<u128> {
        if caller != self.at.payments {
            return Err(IStaking::Unauthorised { caller }.into());
        }
        let (before, _) = self.open(operator);
        let behind = self.staking.entry(operator);
        let paid = wanted.min(behind.own_stake());
        let shares = downcast(behind.pool.shares_worth_up(paid), 120)?;
        behind.pool.assets -= paid;
        behind.pool.burn(operator, shares);
        let weight = self.close(operator, before);
        let epoch = self.epoch();
        self.enter_bucket(operator, epoch, payee, paid)?;
        let pool = &self.staking.operator(operator).pool;
        let event = IStaking::PaidFromOwn {
            operator,
            payee,
            epoch: U256::from(epoch),
            assets: U256::from(paid),
            shares: U256::from(shares),
            poolAssets: U256::from(pool.assets),
            poolShares: U256::from(pool.shares()),
            weight: U256::from(weight),
        };
        self.emit(self.at.staking, event);
        Ok(paid)
    }
}

fn numbers(a: u64, b: u64, c: u64) -> (U256, U256, U256) {
    (U256::from(a), U256::from(b), U256::from(c))
}
