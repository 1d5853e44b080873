//! Asks both sides the same questions.

mod disputes;
mod payments;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};
use anyhow::Result;
use cuckoo_protocol::{
    contracts::{ICAI, IRegistry, IStaking, Role},
    message::Domain,
};

use crate::{
    abi::{noncesCall, totalSupplyCall},
    evm::Chain,
    model::{Model, Operator, maturity_of},
    network::{CHAIN_ID, Cast},
    revert::{Effect, Revert},
};

/// Epochs back for which past weights are compared: more than are remembered.
const EPOCHS: u64 = 14;
/// Roles that have weight.
const ROLES: [Role; 2] = [Role::Miner, Role::Coordinator];

/// The first thing in which the two disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What was asked.
    pub what: String,
    /// What the contracts say.
    pub contracts: String,
    /// What the model says.
    pub model: String,
    /// Whether it is in what an operation returned or emitted.
    pub in_outcome: bool,
}

/// Compares, and stops at the first difference.
pub struct Comparer<'a> {
    /// The contracts.
    pub chain: &'a mut Chain,
    /// The model.
    pub model: &'a Model,
    /// Everybody.
    pub cast: &'a Cast,
    /// How many answers were compared.
    pub compared: u64,
    difference: Option<Difference>,
}

impl<'a> Comparer<'a> {
    /// Nothing compared yet.
    pub fn new(chain: &'a mut Chain, model: &'a Model, cast: &'a Cast) -> Self {
        Self { chain, model, cast, compared: 0, difference: None }
    }

    /// The first difference, if there was one.
    pub fn into_difference(self) -> Option<Difference> {
        self.difference
    }

    /// Compares one answer with what the model expects.
    pub(crate) fn same<C>(&mut self, to: Address, call: C, expected: Effect<C::Return>) -> Result<()>
    where
        C: SolCall + std::fmt::Debug,
    {
        if self.difference.is_some() {
            return Ok(());
        }
        self.compared += 1;
        let answer = self.chain.ask(to, &call)?;
        let expected = expected.map(|value| Bytes::from(C::abi_encode_returns(&value))).map_err(|Revert(data)| data);
        if answer != expected {
            let (contracts, model) = (format!("{answer:?}"), format!("{expected:?}"));
            self.difference = Some(Difference { what: format!("{call:?}"), contracts, model, in_outcome: false });
        }
        Ok(())
    }

    /// Everything that there is.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn everything(&mut self) -> Result<()> {
        let model = self.model;
        self.network()?;
        let mut holders = self.cast.holders();
        holders.extend(model.at.named().map(|(_, address)| address));
        for holder in &holders {
            self.account(*holder)?;
        }
        for operator in model.staking.operators() {
            self.operator(operator.account)?;
            self.past(operator)?;
            for owner in &holders {
                self.position(operator.account, *owner)?;
            }
        }
        self.registry()?;
        self.payments()?;
        self.disputes()?;
        self.solvency();
        Ok(())
    }

    /// Not a comparison, but what must hold on both sides: there is enough for everybody.
    fn solvency(&mut self) {
        for (contract, owed) in self.model.owed() {
            let held = self.model.token.balance(contract);
            if held < owed && self.difference.is_none() {
                let what = format!("the solvency of {contract}");
                self.difference = Some(Difference {
                    what,
                    contracts: format!("holds {held}"),
                    model: format!("owes {owed}"),
                    in_outcome: false,
                });
            }
        }
    }

    /// Totals, stream and government.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn network(&mut self) -> Result<()> {
        let (model, at) = (self.model, self.model.at);
        self.same(at.cai, totalSupplyCall {}, Ok(u(model.token.supply())))?;
        self.same(at.staking, IStaking::currentEpochCall {}, Ok(t(model.epoch())))?;
        self.same(at.staking, IStaking::guardianCall {}, Ok(model.guardian()))?;
        self.same(at.staking, IStaking::pausedUntilCall {}, Ok(t(model.governance.paused_until)))?;
        let all = ROLES.map(|role| model.total_weight(role)).iter().sum();
        let (stream, _) = model.staking.stream.step(model.now, all);
        let stream = IStaking::rewardStreamReturn { rate: u(stream.rate), endsAt: t(stream.ends_at) };
        self.same(at.staking, IStaking::rewardStreamCall {}, Ok(stream))?;
        for role in ROLES {
            self.same(at.staking, IStaking::totalWeightCall { role }, Ok(u(model.total_weight(role))))?;
        }
        for account in self.cast.slashers.clone() {
            let is = model.governance.is_slasher(account, model.now);
            self.same(at.staking, IStaking::isSlasherCall { account }, Ok(is))?;
        }
        Ok(())
    }

    /// What an account holds and allows.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn account(&mut self, account: Address) -> Result<()> {
        let (at, token) = (self.model.at, &self.model.token);
        self.same(at.cai, ICAI::balanceOfCall { account }, Ok(u(token.balance(account))))?;
        self.same(at.cai, noncesCall { owner: account }, Ok(t(token.nonce(account))))?;
        for spender in [at.staking, at.payments] {
            let call = ICAI::allowanceCall { owner: account, spender };
            self.same(at.cai, call, Ok(token.allowance(account, spender)))?;
        }
        Ok(())
    }

    /// What is behind an operator now, in its pool and in each of its buckets that somebody has a part of.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn operator(&mut self, operator: Address) -> Result<()> {
        let (model, to) = (self.model, self.model.at.staking);
        let stored = model.staking.operator(operator);
        let (now, pending, _) = model.operator_now(operator);
        let pool = IStaking::poolReturn { assets: u(now.pool.assets), shares: u(now.pool.shares()) };
        self.same(to, IStaking::poolCall { operator }, Ok(pool))?;
        self.same(to, IStaking::pendingRewardsCall { operator }, Ok(u(pending)))?;
        self.same(to, IStaking::weightOfCall { operator }, Ok(u(model.weight_of(&stored))))?;
        self.same(to, IStaking::isTombstonedCall { operator }, Ok(stored.tombstoned))?;
        let jail = IStaking::jailStatusReturn { jailed: stored.jailed, jailedUntil: t(stored.jailed_until) };
        self.same(to, IStaking::jailStatusCall { operator }, Ok(jail))?;
        let (announced, from) = stored.announced.unwrap_or_default();
        let commission = u(stored.commission);
        let commission = IStaking::commissionOfReturn { commission, announced: u(announced), from: t(from) };
        self.same(to, IStaking::commissionOfCall { operator }, Ok(commission))?;
        for (epoch, bucket) in &stored.buckets {
            if bucket.fund.owners().next().is_some() || *epoch + EPOCHS > model.epoch() {
                self.bucket(&stored, *epoch)?;
            }
        }
        Ok(())
    }

    fn bucket(&mut self, operator: &Operator, number: u64) -> Result<()> {
        let (model, to) = (self.model, self.model.at.staking);
        let Some(bucket) = operator.buckets.get(&number) else { return Ok(()) };
        let (operator, epoch) = (operator.account, t(number));
        let expected = bucket.assets().map(|assets| (u(assets), u(bucket.fund.shares())));
        let expected = expected.map(|(assets, shares)| IStaking::bucketReturn { assets, shares });
        self.same(to, IStaking::bucketCall { operator, epoch }, expected.ok_or_else(Revert::overflow))?;
        let held = model.held_fraction(operator, number);
        self.same(to, IStaking::heldFractionCall { operator, epoch }, Ok(u(held)))?;
        for owner in bucket.fund.owners() {
            let call = IStaking::bucketAssetsOfCall { operator, epoch, owner };
            self.same(to, call, Ok(u(bucket.left_to(owner))))?;
            let free = if model.epoch() < maturity_of(number) {
                0
            } else {
                bucket.free(owner, held).saturating_sub(bucket.drawn_by(owner))
            };
            self.same(to, IStaking::withdrawableCall { operator, epoch, owner }, Ok(u(free)))?;
        }
        Ok(())
    }

    /// The weights of an operator when past epochs began, and of its role.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn past(&mut self, operator: &Operator) -> Result<()> {
        let (model, to) = (self.model, self.model.at.staking);
        let current = model.epoch();
        for number in current.saturating_sub(EPOCHS)..=current + 1 {
            let epoch = t(number);
            let refused = || -> Option<Revert> {
                (number > current).then(|| IStaking::FutureEpoch { epoch, current: t(current) }.into())
            };
            let forgotten = || IStaking::ForgottenEpoch { epoch }.into();
            let weight = operator.weights.at_start_of(number).map(u).ok_or_else(forgotten);
            let call = IStaking::weightAtCall { operator: operator.account, epoch };
            self.same(to, call, refused().map_or(weight, Err))?;
            let totals = model.staking.totals.at_start_of(number);
            let total = match operator.role {
                Role::Miner => totals.map(|(miners, _)| miners),
                Role::Coordinator => totals.map(|(_, coordinators)| coordinators),
                _ => totals.map(|_| 0),
            };
            let call = IStaking::totalWeightAtCall { role: operator.role, epoch };
            self.same(to, call, refused().map_or(total.map(u).ok_or_else(forgotten), Err))?;
        }
        Ok(())
    }

    /// What somebody has in an operator's pool.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn position(&mut self, operator: Address, owner: Address) -> Result<()> {
        let to = self.model.at.staking;
        let (now, _, _) = self.model.operator_now(operator);
        self.same(to, IStaking::sharesOfCall { operator, owner }, Ok(u(now.pool.shares_of(owner))))?;
        self.same(to, IStaking::assetsOfCall { operator, owner }, Ok(u(now.pool.value_of(owner))))
    }

    /// Roles and nodes.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn registry(&mut self) -> Result<()> {
        let (model, to) = (self.model, self.model.at.registry);
        let separator: B256 = Domain::new(CHAIN_ID, to).separator();
        self.same(to, IRegistry::domainSeparatorCall {}, Ok(separator))?;
        for role in ROLES {
            let all = model.registry.operators(role);
            self.same(to, IRegistry::operatorCountCall { role }, Ok(U256::from(all.len())))?;
            let page: Vec<Address> = all.into_iter().skip(1).take(2).collect();
            let call = IRegistry::operatorsCall { role, offset: U256::from(1), limit: U256::from(2) };
            self.same(to, call, Ok(page))?;
        }
        for operator in self.cast.operators.clone() {
            self.registration(operator)?;
        }
        for node in self.cast.nodes.iter().chain(&self.cast.operators).copied().collect::<Vec<_>>() {
            let known = model.registry.nodes.get(&node).copied();
            let operator = known.map(|n| n.operator).unwrap_or_default();
            let retired = known.and_then(|n| n.retired_at).unwrap_or_default();
            self.same(to, IRegistry::operatorOfCall { node }, Ok(operator))?;
            self.same(to, IRegistry::retiredAtCall { node }, Ok(t(retired)))?;
            for time in [model.now, retired + model.parameters.node_grace, retired + model.parameters.node_grace + 1] {
                let call = IRegistry::isLiableCall { operator, node, time: t(time) };
                self.same(to, call, Ok(model.is_liable(operator, node, time)))?;
            }
        }
        Ok(())
    }

    /// One registration.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn registration(&mut self, operator: Address) -> Result<()> {
        let (model, to) = (self.model, self.model.at.registry);
        let known = model.registry.registrations.get(&operator);
        let expected = known.map_or_else(
            || IRegistry::Registration {
                role: Role::None,
                active: false,
                registeredAt: 0,
                node: Address::ZERO,
                endpoint: String::new(),
                info: String::new(),
            },
            |r| IRegistry::Registration {
                role: r.role,
                active: r.active,
                registeredAt: r.registered_at,
                node: r.node,
                endpoint: r.endpoint.clone(),
                info: r.info.clone(),
            },
        );
        self.same(to, IRegistry::registrationCall { operator }, Ok(expected))?;
        self.same(to, IRegistry::roleOfCall { operator }, Ok(model.registry.role_of(operator)))?;
        self.same(to, IRegistry::nodeOfCall { operator }, Ok(model.registry.node_of(operator)))
    }
}

fn u(n: u128) -> U256 {
    U256::from(n)
}

fn t(n: u64) -> U256 {
    U256::from(n)
}
