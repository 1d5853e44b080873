//! Channels, vouchers, and the stake behind them.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256, U512};
use cuckoo_protocol::contracts::{IPayments, Role};

use super::{Model, staking::maturity_of};
use crate::{
    math::{WAD, mul_div_down, narrow, part_down, part_up},
    operation::SignedBy,
    revert::{Effect, Revert, downcast},
};

/// Largest share that can be burned. WAD.
const MAX_BURN_FEE: u128 = WAD / 10;

/// From one payer to one payee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// CAI wei in it.
    pub balance: u128,
    /// All that was ever paid by it, or in its stead.
    pub collected: u128,
    /// What is taken back, and when.
    pub thawing: Option<(u128, u64)>,
    /// Of what was collected, what came from the backing.
    pub covered: u128,
}

/// A coordinator's own stake that stands behind its vouchers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// CAI wei.
    pub amount: u128,
    /// What it becomes, and in which epoch.
    pub lowered: Option<(u128, u64)>,
    /// All that was ever paid out of it.
    pub paid: u128,
}

/// A voucher that was noticed: when the notice ends, and the payee's share of the miners' weight (WAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Seconds.
    pub ends_at: u64,
    /// WAD.
    pub share: u128,
}

/// Everything that is owed.
#[derive(Clone, Debug)]
pub struct Payments {
    /// By payer and payee.
    pub channels: BTreeMap<(Address, Address), Channel>,
    /// By payer, as they were when they were last touched.
    pub backings: BTreeMap<Address, Backing>,
    /// By payer, payee and voucher.
    pub notices: BTreeMap<(Address, Address, u128), Notice>,
    /// What counts as work, by epoch, payer and payee.
    pub fees: BTreeMap<(u64, Address, Address), u128>,
    /// WAD.
    pub burn_fee: u128,
    /// Seconds.
    pub notice_period: u64,
}

impl Payments {
    pub(super) fn new(burn_fee: u128, notice_period: u64) -> Self {
        Self {
            channels: BTreeMap::new(),
            backings: BTreeMap::new(),
            notices: BTreeMap::new(),
            fees: BTreeMap::new(),
            burn_fee,
            notice_period,
        }
    }

    /// One channel.
    pub fn channel(&self, payer: Address, payee: Address) -> Channel {
        self.channels.get(&(payer, payee)).copied().unwrap_or_default()
    }

    /// The fees of a payer that count as work in an epoch.
    pub fn fees_of(&self, epoch: u64, payer: Address) -> u128 {
        self.fees.iter().filter(|((e, p, _), _)| (*e, *p) == (epoch, payer)).map(|(_, fees)| fees).sum()
    }
}

impl Model {
    /// A backing as it counts now.
    pub fn backing(&self, payer: Address) -> Backing {
        let mut backing = self.payments.backings.get(&payer).copied().unwrap_or_default();
        if let Some((lowered, epoch)) = backing.lowered
            && self.epoch() >= epoch
        {
            (backing.amount, backing.lowered) = (lowered, None);
        }
        backing
    }

    /// CAI wei of a coordinator's own stake that stand behind its vouchers now.
    pub fn backing_of(&self, payer: Address) -> u128 {
        self.backing(payer).amount
    }

    /// floor(weight / total weight of the role) when an epoch began; nothing for who had another role. WAD.
    pub fn share_of(&self, operator: Address, role: Role, epoch: u64) -> u128 {
        let weight = self.weight_in_role(operator, role, epoch);
        if weight == 0 {
            return 0;
        }
        let (miners, coordinators) = self.staking.totals.ever_at_start_of(epoch);
        let total = if role == Role::Miner { miners } else { coordinators };
        narrow(mul_div_down(U256::from(weight), U256::from(WAD), U256::from(total)))
    }

    fn weight_in_role(&self, operator: Address, role: Role, epoch: u64) -> u128 {
        if self.registry.role_of(operator) != role {
            return 0;
        }
        self.staking.operator(operator).weights.ever_at_start_of(epoch)
    }

    /// A payer's share of the coordinators' weight when an epoch began, if it paid for work in it.
    pub fn share_worked(&self, epoch: u64, payer: Address) -> u128 {
        if self.payments.fees_of(epoch, payer) == 0 { 0 } else { self.share_of(payer, Role::Coordinator, epoch) }
    }

    /// The sum of these shares.
    pub fn shares_worked(&self, epoch: u64) -> u128 {
        self.cast_of_coordinators().into_iter().map(|payer| self.share_worked(epoch, payer)).sum()
    }

    fn cast_of_coordinators(&self) -> Vec<Address> {
        self.registry.operators(Role::Coordinator)
    }

    pub(super) fn fund(&mut self, caller: Address, payer: Address, payee: Address, amount: u128) -> Effect<()> {
        if amount == 0 {
            return Err(IPayments::ZeroAmount {}.into());
        }
        if payer.is_zero() || payee.is_zero() {
            return Err(IPayments::ZeroAddress {}.into());
        }
        downcast(U512::from(amount), 96)?;
        let channel = self.payments.channels.entry((payer, payee)).or_default();
        channel.balance += amount;
        if channel.balance >> 96 != 0 {
            return Err(Revert::overflow());
        }
        let balance = U256::from(channel.balance);
        let event = IPayments::Funded { payer, payee, caller, amount: U256::from(amount), balance };
        self.emit(self.at.payments, event);
        self.transfer_from(self.at.payments, caller, amount)
    }

    pub(super) fn collect(&mut self, voucher: SignedBy) -> Effect<u128> {
        self.require_voucher(voucher)?;
        let SignedBy { payer, payee, cumulative, .. } = voucher;
        let channel = self.payments.channel(payer, payee);
        self.require_owed(voucher, channel)?;
        if channel.balance == 0 {
            let required = U256::from(cumulative - channel.collected);
            return Err(IPayments::InsufficientBalance { available: U256::ZERO, required }.into());
        }
        let (paid, fee) = self.pay_out(payer, payee, cumulative)?;
        self.burn_fee(fee)?;
        Ok(paid)
    }

    pub(super) fn collect_many(&mut self, vouchers: &[SignedBy]) -> Effect<u128> {
        let (mut paid, mut fees) = (0, 0);
        for voucher in vouchers {
            self.require_voucher(*voucher)?;
            let channel = self.payments.channel(voucher.payer, voucher.payee);
            if voucher.cumulative > channel.collected && channel.balance != 0 {
                let (net, fee) = self.pay_out(voucher.payer, voucher.payee, voucher.cumulative)?;
                (paid, fees) = (paid + net, fees + fee);
            }
        }
        self.burn_fee(fees)?;
        Ok(paid)
    }

    fn require_voucher(&self, voucher: SignedBy) -> Effect<()> {
        let SignedBy { payer, payee, cumulative, signer } = voucher;
        if self.is_liable(payer, signer, self.now) {
            return Ok(());
        }
        Err(IPayments::InvalidVoucher { payer, payee, cumulative: U256::from(cumulative), signer }.into())
    }

    fn require_owed(&self, voucher: SignedBy, channel: Channel) -> Effect<()> {
        let SignedBy { payer, payee, cumulative, .. } = voucher;
        if cumulative > channel.collected {
            return Ok(());
        }
        let (cumulative, collected) = (U256::from(cumulative), U256::from(channel.collected));
        Err(IPayments::NothingToCollect { payer, payee, cumulative, collected }.into())
    }

    /// Pays what is owed as far as the channel goes; returns what the payee got and what is to be burned.
    fn pay_out(&mut self, payer: Address, payee: Address, cumulative: u128) -> Effect<(u128, u128)> {
        let mut channel = self.payments.channel(payer, payee);
        let amount = channel.balance.min(cumulative - channel.collected);
        let fee = part_up(amount, self.payments.burn_fee);
        channel.balance -= amount;
        channel.collected += amount;
        // What thaws is taken last.
        channel.thawing = channel.thawing.map(|(thawing, at)| (thawing.min(channel.balance), at));
        channel.thawing = channel.thawing.filter(|(thawing, _)| *thawing != 0);
        self.payments.channels.insert((payer, payee), channel);
        let epoch = self.epoch();
        if self.weight_in_role(payee, Role::Miner, epoch) != 0 {
            *self.payments.fees.entry((epoch, payer, payee)).or_default() += amount;
        }
        let event = IPayments::Collected {
            payer,
            payee,
            amount: U256::from(amount),
            fee: U256::from(fee),
            cumulative: U256::from(cumulative),
            collected: U256::from(channel.collected),
            balance: U256::from(channel.balance),
        };
        self.emit(self.at.payments, event);
        self.transfer(self.at.payments, payee, amount - fee)?;
        Ok((amount - fee, fee))
    }

    fn burn_fee(&mut self, fee: u128) -> Effect<()> {
        if fee == 0 { Ok(()) } else { self.burn(self.at.payments, fee) }
    }

    fn require_payer(&self, caller: Address, payer: Address) -> Effect<()> {
        if caller == payer || caller == self.registry.node_of(payer) {
            return Ok(());
        }
        Err(IPayments::Unauthorised { caller, payer }.into())
    }

    pub(super) fn thaw(&mut self, caller: Address, payer: Address, payee: Address, amount: u128) -> Effect<()> {
        self.require_payer(caller, payer)?;
        if amount == 0 {
            return Err(IPayments::ZeroAmount {}.into());
        }
        let at = self.now + self.parameters.thaw_period;
        let channel = self.payments.channels.entry((payer, payee)).or_default();
        if amount > channel.balance {
            let (available, required) = (U256::from(channel.balance), U256::from(amount));
            return Err(IPayments::InsufficientBalance { available, required }.into());
        }
        channel.thawing = Some((amount, at));
        let event = IPayments::ThawStarted { payer, payee, thawing: U256::from(amount), thawsAt: U256::from(at) };
        self.emit(self.at.payments, event);
        Ok(())
    }

    pub(super) fn cancel_thaw(&mut self, caller: Address, payer: Address, payee: Address) -> Effect<()> {
        self.require_payer(caller, payer)?;
        let channel = self.payments.channels.entry((payer, payee)).or_default();
        let Some((thawing, _)) = channel.thawing.take() else {
            return Err(IPayments::NothingThawing { payer, payee }.into());
        };
        self.emit(self.at.payments, IPayments::ThawCancelled { payer, payee, thawing: U256::from(thawing) });
        Ok(())
    }

    pub(super) fn withdraw_thawed(&mut self, payer: Address, payee: Address) -> Effect<u128> {
        let channel = self.payments.channels.entry((payer, payee)).or_default();
        let Some((amount, at)) = channel.thawing else {
            return Err(IPayments::NothingThawing { payer, payee }.into());
        };
        if self.now < at {
            let (at, current) = (U256::from(at), U256::from(self.now));
            return Err(IPayments::StillThawing { thawsAt: at, current }.into());
        }
        channel.balance -= amount;
        channel.thawing = None;
        let balance = U256::from(channel.balance);
        let event = IPayments::ThawWithdrawn { payer, payee, amount: U256::from(amount), balance };
        self.emit(self.at.payments, event);
        self.transfer(self.at.payments, payer, amount)?;
        Ok(amount)
    }

    pub(super) fn set_backing(&mut self, caller: Address, amount: u128) -> Effect<()> {
        self.require_coordinator(caller)?;
        let mut backing = self.backing(caller);
        if amount == backing.lowered.map_or(backing.amount, |(lowered, _)| lowered) {
            return Err(IPayments::BackingUnchanged { operator: caller, amount: U256::from(amount) }.into());
        }
        let stake = self.operator_now(caller).0.own_stake();
        if amount > backing.amount && amount > stake {
            let (available, required) = (U256::from(stake), U256::from(amount));
            return Err(IPayments::InsufficientStake { operator: caller, available, required }.into());
        }
        if amount >= backing.amount {
            (backing.amount, backing.lowered) = (amount, None);
        } else {
            let anew = maturity_of(self.epoch());
            let kept = backing.lowered.filter(|(lowered, _)| amount >= *lowered).map(|(_, epoch)| epoch);
            backing.lowered = Some((amount, kept.unwrap_or(anew)));
        }
        self.payments.backings.insert(caller, backing);
        let (lowered, epoch) = backing.lowered.unwrap_or_default();
        let event = IPayments::BackingSet {
            payer: caller,
            backing: U256::from(backing.amount),
            lowered: U256::from(lowered),
            lowersIn: U256::from(epoch),
        };
        self.emit(self.at.payments, event);
        Ok(())
    }

    fn require_coordinator(&self, operator: Address) -> Effect<()> {
        if self.registry.role_of(operator) == Role::Coordinator {
            return Ok(());
        }
        Err(IPayments::NotCoordinator { operator }.into())
    }

    pub(super) fn notify(&mut self, caller: Address, voucher: SignedBy) -> Effect<()> {
        self.require_voucher(voucher)?;
        let SignedBy { payer, payee, cumulative, .. } = voucher;
        self.require_coordinator(payer)?;
        let channel = self.payments.channel(payer, payee);
        self.require_owed(voucher, channel)?;
        let Some(unpaid) = (cumulative - channel.collected).checked_sub(channel.balance).filter(|n| *n != 0) else {
            let (cumulative, balance) = (U256::from(cumulative), U256::from(channel.balance));
            return Err(IPayments::Covered { payer, payee, cumulative, balance }.into());
        };
        if let Some(known) = self.payments.notices.get(&(payer, payee, cumulative)) {
            let (cumulative, ends) = (U256::from(cumulative), U256::from(known.ends_at));
            return Err(IPayments::NoticeKnown { payer, payee, cumulative, endsAt: ends }.into());
        }
        let share = self.share_of(payee, Role::Miner, self.epoch() - 1);
        let ends_at = self.now + self.payments.notice_period;
        self.payments.notices.insert((payer, payee, cumulative), Notice { ends_at, share });
        let event = IPayments::Notified {
            payer,
            payee,
            cumulative: U256::from(cumulative),
            unpaid: U256::from(unpaid),
            share: U256::from(share),
            endsAt: U256::from(ends_at),
            caller,
        };
        self.emit(self.at.payments, event);
        Ok(())
    }

    pub(super) fn enforce(&mut self, payer: Address, payee: Address, cumulative: u128) -> Effect<u128> {
        let Some(notice) = self.payments.notices.get(&(payer, payee, cumulative)).copied() else {
            return Err(IPayments::NoticeUnknown { payer, payee, cumulative: U256::from(cumulative) }.into());
        };
        if self.now < notice.ends_at {
            let (ends, current) = (U256::from(notice.ends_at), U256::from(self.now));
            return Err(IPayments::NoticeRunning { endsAt: ends, current }.into());
        }
        let channel = self.payments.channel(payer, payee);
        self.require_owed(SignedBy { payer, payee, cumulative, signer: payer }, channel)?;
        self.payments.notices.remove(&(payer, payee, cumulative));

        let fee = if channel.balance == 0 { 0 } else { self.pay_out(payer, payee, cumulative)?.1 };
        let unpaid = cumulative - self.payments.channel(payer, payee).collected;
        let mut covered = 0;
        if unpaid != 0 {
            covered = self.cover(payer, payee, unpaid, notice.share)?;
            self.jail(self.at.payments, payer, self.parameters.payments_jail_term)?;
        }
        let event = IPayments::Enforced {
            payer,
            payee,
            cumulative: U256::from(cumulative),
            covered: U256::from(covered),
            unpaid: U256::from(unpaid - covered),
            collected: U256::from(self.payments.channel(payer, payee).collected),
            backing: U256::from(self.backing_of(payer)),
            jailed: unpaid != 0,
        };
        self.emit(self.at.payments, event);
        self.burn_fee(fee)?;
        Ok(covered)
    }

    /// Pays from the payer's own stake: no more than stands behind its vouchers, and than is the payee's part of all that ever stood there.
    fn cover(&mut self, payer: Address, payee: Address, unpaid: u128, share: u128) -> Effect<u128> {
        let mut backing = self.backing(payer);
        let mut channel = self.payments.channel(payer, payee);
        let part = part_down(backing.amount + backing.paid, share).saturating_sub(channel.covered);
        let wanted = unpaid.min(backing.amount).min(part);
        if wanted == 0 {
            return Ok(0);
        }
        let covered = self.pay_from_own(self.at.payments, payer, wanted, payee)?;
        backing.amount -= covered;
        backing.paid += covered;
        backing.lowered = backing.lowered.map(|(lowered, epoch)| (lowered.min(backing.amount), epoch));
        self.payments.backings.insert(payer, backing);
        channel.collected += covered;
        channel.covered += covered;
        self.payments.channels.insert((payer, payee), channel);
        Ok(covered)
    }

    pub(super) fn set_burn_fee(&mut self, caller: Address, fee: u128) -> Effect<()> {
        self.require_owner(caller)?;
        if fee > MAX_BURN_FEE {
            let value = U256::from(fee);
            return Err(IPayments::InvalidParameter { name: "burnFee".into(), value }.into());
        }
        self.payments.burn_fee = fee;
        self.emit(self.at.payments, IPayments::BurnFeeSet { burnFee: U256::from(fee) });
        Ok(())
    }

    pub(super) fn set_notice_period(&mut self, caller: Address, period: u64) -> Effect<()> {
        self.require_owner(caller)?;
        let epoch = self.parameters.epoch_length;
        if period < epoch || period > epoch * 3 / 2 {
            let value = U256::from(period);
            return Err(IPayments::InvalidParameter { name: "noticePeriod".into(), value }.into());
        }
        self.payments.notice_period = period;
        self.emit(self.at.payments, IPayments::NoticePeriodSet { noticePeriod: U256::from(period) });
        Ok(())
    }
}
