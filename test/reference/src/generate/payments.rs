//! Operations on Payments and the mining stream.

use alloy::primitives::Address;

use super::Maker;
use crate::{
    math::WAD,
    operation::{Call, Operation, SignedBy},
};

impl Maker<'_> {
    pub(super) fn payments(&mut self) -> Operation {
        match self.draw.below(100) {
            0..18 => self.fund(),
            18..42 => Operation { caller: self.anybody(), call: Call::Collect { voucher: self.voucher() } },
            42..50 => {
                let count = self.draw.below(5);
                let vouchers = (0..count).map(|_| self.voucher()).collect();
                Operation { caller: self.anybody(), call: Call::CollectMany { vouchers } }
            }
            50..65 => self.take_back(),
            65..75 => self.set_backing(),
            75..86 => Operation { caller: self.anybody(), call: Call::Notify { voucher: self.unpaid() } },
            86..98 => self.enforce(),
            _ => self.set_terms(),
        }
    }

    pub(super) fn mining(&mut self) -> Operation {
        match self.draw.below(100) {
            0..20 => {
                let caller = if self.draw.percent(70) { self.cast.treasury } else { self.anybody() };
                let balance = self.model.token.balance(caller);
                Operation { caller, call: Call::FundMining { amount: self.draw.amount(balance / 100) } }
            }
            20..55 => {
                let (epoch, coordinator, miner) = self.work();
                Operation { caller: self.anybody(), call: Call::Claim { epoch, coordinator, miner } }
            }
            55..75 => {
                let count = self.draw.below(6);
                let claims = (0..count).map(|_| self.work()).collect();
                Operation { caller: self.anybody(), call: Call::ClaimMany { claims } }
            }
            _ => {
                let current = self.model.epoch();
                let epoch = match self.draw.below(10) {
                    0 => current + self.draw.below(2),
                    1..5 => current - 1,
                    _ => self.draw.within(self.model.mining.first.min(current), current),
                };
                Operation { caller: self.anybody(), call: Call::Recycle { epoch } }
            }
        }
    }

    /// A coordinator and a miner, mostly.
    pub(super) fn pair(&mut self) -> (Address, Address) {
        let (miners, coordinators) = self.cast.operators.split_at(self.cast.miners);
        let payer = if self.draw.percent(96) { self.draw.one_of(coordinators) } else { Some(self.anybody()) };
        let payee = if self.draw.percent(94) { self.draw.one_of(miners) } else { Some(self.anybody()) };
        (payer.unwrap_or_default(), payee.unwrap_or_default())
    }

    fn fund(&mut self) -> Operation {
        let (mut payer, payee) = self.pair();
        let caller = if self.draw.percent(70) { payer } else { self.anybody() };
        let balance = self.model.token.balance(caller);
        let amount = if self.draw.percent(97) { self.draw.amount(balance / 200) } else { 1 << 97 };
        if self.draw.percent(1) {
            payer = Address::ZERO;
        }
        Operation { caller, call: Call::Fund { payer, payee, amount } }
    }

    /// The payer's node, mostly.
    fn signed(&mut self, payer: Address, payee: Address, cumulative: u128) -> SignedBy {
        let nodes = &self.model.registry.nodes;
        let own: Vec<Address> = nodes.iter().filter(|(_, n)| n.operator == payer).map(|(key, _)| *key).collect();
        let signer = match self.draw.below(100) {
            0..85 => self.model.registry.node_of(payer),
            85..95 => self.draw.one_of(&own).unwrap_or(payer),
            95..98 => payer,
            _ => self.draw.one_of(&self.cast.nodes).unwrap_or_default(),
        };
        SignedBy { payer, payee, cumulative, signer }
    }

    fn voucher(&mut self) -> SignedBy {
        let (payer, payee) = self.pair();
        let channel = self.model.payments.channel(payer, payee);
        let (thawing, _) = channel.thawing.unwrap_or_default();
        let cumulative = match self.draw.below(100) {
            // What does not thaw, and a wei more.
            0..20 if thawing != 0 => channel.collected + channel.balance - thawing + self.draw.below(2) as u128,
            0..8 => self.draw.part(channel.collected),
            8..80 => channel.collected + self.draw.amount(channel.balance),
            80..90 => channel.collected + self.draw.amount(2 * channel.balance + 1),
            _ => channel.collected + channel.balance,
        };
        self.signed(payer, payee, cumulative)
    }

    /// A voucher that promises more than there is, mostly.
    fn unpaid(&mut self) -> SignedBy {
        let known: Vec<_> = self.model.payments.notices.keys().copied().collect();
        if let Some((payer, payee, cumulative)) = self.draw.one_of(&known)
            && self.draw.percent(10)
        {
            return self.signed(payer, payee, cumulative);
        }
        let (payer, payee) = self.pair();
        let channel = self.model.payments.channel(payer, payee);
        let covered = channel.collected + channel.balance;
        let most = self.model.backing_of(payer) / 3 + 1_000;
        let cumulative = match self.draw.below(100) {
            0..5 => self.draw.part(covered),
            5..10 => covered,
            10..20 => covered + 1,
            _ => covered + self.draw.amount(most),
        };
        self.signed(payer, payee, cumulative)
    }

    fn take_back(&mut self) -> Operation {
        let thawing: Vec<(Address, Address)> =
            self.model.payments.channels.iter().filter(|(_, c)| c.thawing.is_some()).map(|(pair, _)| *pair).collect();
        let known = self.draw.one_of(&thawing).filter(|_| self.draw.percent(90));
        let kind = self.draw.below(100);
        let (payer, payee) = if kind < 45 { self.pair() } else { known.unwrap_or_else(|| self.pair()) };
        let caller = match self.draw.below(10) {
            0 => self.anybody(),
            1..5 => self.model.registry.node_of(payer),
            _ => payer,
        };
        let call = match kind {
            0..45 => {
                let balance = self.model.payments.channel(payer, payee).balance;
                Call::Thaw { payer, payee, amount: self.draw.amount(balance) }
            }
            45..60 => Call::CancelThaw { payer, payee },
            _ => Call::WithdrawThawed { payer, payee },
        };
        Operation { caller, call }
    }

    fn set_backing(&mut self) -> Operation {
        let caller = if self.draw.percent(95) { self.pair().0 } else { self.operator() };
        let stake = self.model.operator_now(caller).0.own_stake();
        let backing = self.model.backing(caller);
        let amount = match self.draw.below(100) {
            0..5 => backing.amount,
            5..10 => backing.lowered.map_or(0, |(lowered, _)| lowered),
            10..30 => self.draw.part(backing.amount),
            30..35 => 0,
            // So little less that what is paid out of it can bring it below.
            35..50 => backing.amount - backing.amount / 1_000,
            50..85 => self.draw.part(stake / 4),
            _ => self.draw.amount(stake),
        };
        Operation { caller, call: Call::SetBacking { amount } }
    }

    fn enforce(&mut self) -> Operation {
        let mut known: Vec<_> = self.model.payments.notices.iter().collect();
        if self.draw.percent(80) {
            known.retain(|(_, notice)| notice.ends_at <= self.model.now);
        }
        let known: Vec<_> = known.into_iter().map(|(voucher, _)| *voucher).collect();
        // Mostly somebody pays up in time, or all coordinators would be in jail for ever.
        if let Some((payer, payee, cumulative)) = self.draw.one_of(&known)
            && self.draw.percent(70)
        {
            let channel = self.model.payments.channel(payer, payee);
            let missing = cumulative.saturating_sub(channel.collected + channel.balance);
            if missing > 0 {
                let enforce = Call::Enforce { payer, payee, cumulative };
                let caller = self.anybody();
                self.queue.push_back(Operation { caller, call: enforce });
                return Operation { caller: self.cast.treasury, call: Call::Fund { payer, payee, amount: missing } };
            }
        }
        let (payer, payee, cumulative) = match self.draw.one_of(&known) {
            Some(voucher) if self.draw.percent(95) => voucher,
            _ => {
                let voucher = self.voucher();
                (voucher.payer, voucher.payee, voucher.cumulative)
            }
        };
        Operation { caller: self.anybody(), call: Call::Enforce { payer, payee, cumulative } }
    }

    fn set_terms(&mut self) -> Operation {
        let caller = if self.draw.percent(85) { self.cast.owner } else { self.anybody() };
        let length = self.model.parameters.epoch_length;
        let call = if self.draw.percent(50) {
            let fee = self.draw.amount(WAD / 10);
            Call::SetBurnFee { fee }
        } else {
            Call::SetNoticePeriod { period: length - 1 + self.draw.below(length / 2 + 3) }
        };
        Operation { caller, call }
    }

    /// An epoch, and a coordinator that paid a miner in it, mostly.
    fn work(&mut self) -> (u64, Address, Address) {
        let current = self.model.epoch();
        let unclaimed: Vec<_> = self
            .model
            .payments
            .fees
            .keys()
            .copied()
            .filter(|work| work.0 < current && !self.model.mining.claimed.contains(work))
            .collect();
        match self.draw.one_of(&unclaimed) {
            Some(work) if self.draw.percent(93) => work,
            _ => {
                let (payer, payee) = self.pair();
                (current - self.draw.below(4), payer, payee)
            }
        }
    }
}
