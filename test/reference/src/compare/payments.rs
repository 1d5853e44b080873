//! Channels, backings, notices, work, and what it is paid by.

use alloy::primitives::Address;
use anyhow::Result;
use cuckoo_protocol::contracts::IPayments;

use super::{Comparer, t, u};
use crate::{abi::IMiningRewards, model::Model};

/// Epochs back for which work is compared.
const EPOCHS: u64 = 3;

impl Comparer<'_> {
    /// Everything about payments.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn payments(&mut self) -> Result<()> {
        let (model, to) = (self.model, self.model.at.payments);
        self.same(to, IPayments::burnFeeCall {}, Ok(u(model.payments.burn_fee)))?;
        self.same(to, IPayments::noticePeriodCall {}, Ok(t(model.payments.notice_period)))?;
        let pairs = self.pairs();
        for (payer, payee) in &pairs {
            self.channel(*payer, *payee)?;
        }
        for (payer, payee, cumulative) in model.payments.notices.keys() {
            self.notice(*payer, *payee, *cumulative)?;
        }
        for payer in &self.cast.operators {
            self.backing(*payer)?;
        }
        let current = model.epoch();
        for epoch in current.saturating_sub(EPOCHS)..=current {
            self.work(epoch, &pairs)?;
        }
        self.mining()
    }

    /// All coordinators with all miners, and who else has a channel.
    fn pairs(&self) -> Vec<(Address, Address)> {
        let mut pairs: Vec<_> = self.model.payments.channels.keys().copied().collect();
        let (miners, coordinators) = self.cast.operators.split_at(self.cast.miners);
        pairs.extend(coordinators.iter().flat_map(|payer| miners.iter().map(|payee| (*payer, *payee))));
        pairs.sort();
        pairs.dedup();
        pairs
    }

    /// One channel.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn channel(&mut self, payer: Address, payee: Address) -> Result<()> {
        let to = self.model.at.payments;
        let channel = self.model.payments.channel(payer, payee);
        let (thawing, thaws_at) = channel.thawing.unwrap_or_default();
        let expected = IPayments::Channel {
            balance: u(channel.balance),
            collected: u(channel.collected),
            thawing: u(thawing),
            thawsAt: t(thaws_at),
        };
        self.same(to, IPayments::channelCall { payer, payee }, Ok(expected))?;
        self.same(to, IPayments::coveredOfCall { payer, payee }, Ok(u(channel.covered)))
    }

    /// One notice.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn notice(&mut self, payer: Address, payee: Address, cumulative: u128) -> Result<()> {
        let notice = self.model.payments.notices.get(&(payer, payee, cumulative));
        let (ends_at, share) = notice.map_or((0, 0), |n| (n.ends_at, n.share));
        let call = IPayments::noticeCall { payer, payee, cumulative: u(cumulative) };
        let expected = IPayments::noticeReturn { endsAt: t(ends_at), share: u(share) };
        self.same(self.model.at.payments, call, Ok(expected))
    }

    /// What stands behind an operator's vouchers.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn backing(&mut self, payer: Address) -> Result<()> {
        let to = self.model.at.payments;
        let backing = self.model.backing(payer);
        let (lowered, epoch) = backing.lowered.unwrap_or_default();
        let expected = IPayments::BackingState {
            amount: u(backing.amount),
            lowered: u(lowered),
            lowersIn: t(epoch),
            paid: u(backing.paid),
        };
        self.same(to, IPayments::backingCall { payer }, Ok(expected))?;
        self.same(to, IPayments::backingOfCall { payer }, Ok(u(backing.amount)))
    }

    /// What was worked in an epoch, and what it earns.
    fn work(&mut self, number: u64, pairs: &[(Address, Address)]) -> Result<()> {
        let (model, payments, mining) = (self.model, self.model.at.payments, self.model.at.mining);
        let epoch = t(number);
        self.same(payments, IPayments::sharesWorkedCall { epoch }, Ok(u(model.shares_worked(number))))?;
        for payer in &self.cast.operators {
            let (fees, share) = (model.payments.fees_of(number, *payer), model.share_worked(number, *payer));
            let call = IPayments::workOfCall { epoch, payer: *payer };
            self.same(payments, call, Ok(IPayments::workOfReturn { fees: u(fees), share: u(share) }))?;
        }
        for (payer, payee) in pairs.iter().copied() {
            let fees = model.payments.fees.get(&(number, payer, payee)).copied().unwrap_or_default();
            self.same(payments, IPayments::feesOfCall { epoch, payer, payee }, Ok(u(fees)))?;
            let call = IMiningRewards::claimableCall { epoch, coordinator: payer, miner: payee };
            self.same(mining, call, Ok(u(model.claimable(number, payer, payee))))?;
            let call = IMiningRewards::claimedCall { epoch, coordinator: payer, miner: payee };
            self.same(mining, call, Ok(model.mining.claimed.contains(&(number, payer, payee))))?;
        }
        let recycled = model.mining.recycled.contains(&number);
        self.same(mining, IMiningRewards::recycledCall { epoch }, Ok(recycled))
    }

    /// The mining stream.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn mining(&mut self) -> Result<()> {
        let Model { at, mining, .. } = self.model;
        self.same(at.mining, IMiningRewards::remainderCall {}, Ok(u(mining.remainder)))?;
        let current = self.model.epoch();
        for epoch in [current - 1, current, current + 1, mining.first, mining.last, mining.last + 1] {
            let call = IMiningRewards::emissionOfCall { epoch: t(epoch) };
            self.same(at.mining, call, Ok(u(mining.emission(epoch))))?;
        }
        Ok(())
    }
}
