//! Operations on Staking and the Registry.

use alloy::primitives::Address;
use cuckoo_protocol::contracts::Role;

use super::Maker;
use crate::{
    math::{WAD, narrow},
    model::maturity_of,
    operation::{Call, Operation},
};

impl Maker<'_> {
    pub(super) fn staking(&mut self) -> Operation {
        match self.draw.below(1000) {
            0..170 => self.delegate(),
            170..325 => self.undelegate(),
            325..385 => self.cancel(),
            385..510 => self.withdraw(),
            510..545 => self.fund_rewards(),
            545..610 => self.by_anybody(|maker| Call::Accrue { operator: maker.operator() }),
            610..650 => self.set_commission(),
            650..690 => self.by_anybody(|maker| Call::ApplyCommission { operator: maker.operator() }),
            690..745 => self.hold(),
            745..770 => self.release(),
            770..798 => self.slash(),
            798..799 => self.pile(),
            799..800 => self.ruin(),
            800..830 => self.as_payments(),
            830..870 => Operation { caller: self.jailbird(), call: Call::Unjail },
            870..910 => self.govern(),
            910..960 => self.register(),
            _ => self.registered(),
        }
    }

    fn by_anybody(&mut self, make: impl FnOnce(&mut Self) -> Call) -> Operation {
        Operation { caller: self.anybody(), call: make(self) }
    }

    fn wanted_role(&self, operator: Address) -> Role {
        let miners = self.cast.operators.iter().take(self.cast.miners);
        if miners.into_iter().any(|m| *m == operator) { Role::Miner } else { Role::Coordinator }
    }

    fn delegate(&mut self) -> Operation {
        let operator = self.operator();
        let caller = if self.draw.percent(40) { operator } else { self.anybody() };
        let balance = self.model.token.balance(caller);
        let minimum = self.model.min_stake(self.wanted_role(operator));
        let own = self.model.staking.operator(operator).own_stake();
        let assets = if caller == operator && own <= minimum && self.draw.percent(85) {
            // Just enough, or not quite, or amply.
            let missing = minimum - own;
            [missing, missing + 1, missing + self.draw.part(minimum * 2)][self.draw.below(3) as usize]
        } else if self.draw.percent(3) {
            [0, 1 << 96, (1 << 96) - 1][self.draw.below(3) as usize]
        } else {
            self.draw.amount(balance / 8)
        };
        let on_behalf = match self.draw.below(100) {
            0..85 => caller,
            85..98 => self.anybody(),
            _ => Address::ZERO,
        };
        let operator = if self.draw.percent(99) { operator } else { Address::ZERO };
        if self.draw.percent(12) {
            let nonce = self.model.token.nonce(caller) + u64::from(self.draw.percent(20));
            // What a permit allows stays allowed: back to everything.
            let spender = self.model.at.staking;
            self.queue.push_back(Operation { caller, call: Call::Approve { spender, amount: u128::MAX } });
            return Operation { caller, call: Call::DelegateWithPermit { operator, assets, on_behalf, nonce } };
        }
        Operation { caller, call: Call::Delegate { operator, assets, on_behalf } }
    }

    fn undelegate(&mut self) -> Operation {
        let backed = self.model.payments.backings.keys().copied();
        let backed: Vec<Address> = backed.filter(|payer| self.model.backing_of(*payer) != 0).collect();
        let backed = self.draw.one_of(&backed).filter(|_| self.draw.percent(15));
        let operator = backed.unwrap_or_else(|| self.operator());
        let (behind, _, _) = self.model.operator_now(operator);
        let owners: Vec<Address> = behind.pool.owners().collect();
        let caller = match self.draw.one_of(&owners) {
            _ if backed.is_some() => operator,
            Some(owner) if self.draw.percent(95) => owner,
            _ => self.anybody(),
        };
        let held = behind.pool.shares_of(caller);
        // Operators seldom leave altogether, or nobody would have weight.
        let most = if caller == operator && self.draw.percent(85) { held / 10 } else { held };
        let backing = self.model.backing_of(operator);
        if caller == operator && backing != 0 && self.draw.percent(70) {
            // As much as its vouchers let it, or a little more.
            let free = behind.own_stake().saturating_sub(backing);
            let shares = held.min(narrow(behind.pool.shares_worth_down(free)));
            let shares = shares.saturating_add(self.draw.below(3).into()).saturating_sub(1);
            return Operation { caller, call: Call::Undelegate { operator, shares } };
        }
        Operation { caller, call: Call::Undelegate { operator, shares: self.draw.amount(most) } }
    }

    /// Somebody's part of a bucket: operator, epoch, owner.
    fn part_of_bucket(&mut self, matured: bool) -> (Address, u64, Address) {
        let current = self.model.epoch();
        let mut parts = Vec::new();
        let held_back = self.draw.percent(35);
        for operator in self.model.staking.operators() {
            for (epoch, bucket) in &operator.buckets {
                if (current >= maturity_of(*epoch)) == matured {
                    parts.extend(bucket.fund.owners().map(|owner| (operator.account, *epoch, owner)));
                }
            }
        }
        // The youngest are the interesting ones.
        parts.sort_by_key(|(_, epoch, _)| std::cmp::Reverse(*epoch));
        if self.draw.percent(70) {
            parts.truncate(12);
        }
        if held_back && parts.iter().any(|(operator, epoch, _)| self.model.held_fraction(*operator, *epoch) != 0) {
            parts.retain(|(operator, epoch, _)| self.model.held_fraction(*operator, *epoch) != 0);
        }
        match self.draw.one_of(&parts) {
            Some(part) => part,
            None => (self.operator(), current.saturating_sub(self.draw.below(6)), self.anybody()),
        }
    }

    fn cancel(&mut self) -> Operation {
        let matured = self.draw.percent(10);
        let (operator, epoch, owner) = self.part_of_bucket(matured);
        let caller = if self.draw.percent(92) { owner } else { self.anybody() };
        Operation { caller, call: Call::CancelUndelegation { operator, epoch } }
    }

    fn withdraw(&mut self) -> Operation {
        let matured = self.draw.percent(90);
        let (operator, epoch, owner) = self.part_of_bucket(matured);
        let caller = if self.draw.percent(80) { owner } else { self.anybody() };
        Operation { caller, call: Call::Withdraw { operator, epoch, owner } }
    }

    fn fund_rewards(&mut self) -> Operation {
        let caller = if self.draw.percent(60) { self.cast.treasury } else { self.anybody() };
        let balance = self.model.token.balance(caller);
        let (stream, period) = (&self.model.staking.stream, self.model.parameters.reward_period);
        if stream.ends_at > self.model.now && stream.rate > 0 && self.draw.percent(20) {
            // Near the period's end: enough for another that flows as fast, or a little less.
            let left = period / 10 - 1 + self.draw.below(2);
            let wait = stream.ends_at.saturating_sub(left).saturating_sub(self.model.now).max(1);
            let left = stream.ends_at.saturating_sub(self.model.now + wait);
            let amount = stream.rate * u128::from(period - left.min(period)) + u128::from(self.draw.below(3)) - 1;
            let amount = if self.draw.percent(70) { amount } else { self.draw.part(amount) };
            let fund = Operation { caller: self.cast.treasury, call: Call::FundRewards { amount } };
            self.queue.push_back(fund);
            return Operation { caller, call: Call::Wait { seconds: wait } };
        }
        Operation { caller, call: Call::FundRewards { amount: self.draw.amount(balance / 50) } }
    }

    fn set_commission(&mut self) -> Operation {
        let unit = 1_000_000_000;
        let commission = match self.draw.below(100) {
            0..5 => WAD + unit,
            5..10 => self.draw.part(WAD),
            10..15 => WAD,
            15..25 => 0,
            _ => self.draw.part(WAD / 2) / unit * unit,
        };
        Operation { caller: self.operator(), call: Call::SetCommission { commission } }
    }

    fn slasher(&mut self) -> Address {
        let now = self.model.now;
        let known: Vec<Address> =
            self.cast.slashers.iter().copied().filter(|s| self.model.governance.is_slasher(*s, now)).collect();
        match self.draw.one_of(&known) {
            Some(slasher) if self.draw.percent(95) => slasher,
            _ => self.draw.one_of(&self.cast.slashers).unwrap_or(self.cast.owner),
        }
    }

    fn hold(&mut self) -> Operation {
        Operation {
            caller: self.slasher(),
            call: Call::Hold { operator: self.operator(), fraction: self.draw.fraction() },
        }
    }

    /// A dispute: operator, epoch in which it opened, whose it is, and what is held.
    fn held(&mut self) -> Option<(Address, u64, Address, u128)> {
        let current = self.model.epoch();
        let mut held = Vec::new();
        for operator in self.model.staking.operators() {
            for (epoch, by) in operator.holds.range(current.saturating_sub(6)..) {
                let live = by.iter().filter(|(_, fraction)| **fraction > 0);
                held.extend(live.map(|(slasher, fraction)| (operator.account, *epoch, *slasher, *fraction)));
            }
        }
        self.draw.one_of(&held)
    }

    fn release(&mut self) -> Operation {
        let nothing = (self.operator(), self.model.epoch(), self.slasher(), 0);
        let (operator, epoch, slasher, held) = self.held().unwrap_or(nothing);
        let fraction = if self.draw.percent(50) { held } else { self.draw.amount(held) };
        let caller = if self.draw.percent(90) { slasher } else { self.slasher() };
        Operation { caller, call: Call::Release { operator, fraction, epoch } }
    }

    fn slash(&mut self) -> Operation {
        let mut caller = self.slasher();
        let current = self.model.epoch();
        let (mut operator, mut epoch, mut fraction) = (self.operator(), current, self.draw.fraction());
        if let Some((held_operator, opened, slasher, held)) = self.held()
            && self.draw.percent(75)
        {
            (operator, epoch) = (held_operator, opened);
            fraction = if self.draw.percent(80) { held.min(WAD / 2) } else { self.draw.fraction() };
            caller = if self.draw.percent(90) { slasher } else { caller };
        } else if self.draw.percent(40) {
            epoch = current + self.draw.below(2);
        }
        let length = self.model.parameters.epoch_length;
        let jail_term = if self.draw.percent(60) { 0 } else { self.draw.within(1, 2 * length) };
        let recipient = if self.draw.percent(75) { self.anybody() } else { Address::ZERO };
        let assets = self.model.staking.operator(operator).pool.assets;
        let reward = self.draw.amount(assets / 10);
        Operation { caller, call: Call::Slash { operator, fraction, epoch, jail_term, recipient, reward } }
    }

    /// Slashes an operator until there is next to nothing left.
    fn ruin(&mut self) -> Operation {
        let mut standing = self.cast.operators.clone();
        standing.retain(|o| !self.model.staking.operator(*o).tombstoned);
        let operator = self.draw.one_of(&standing).filter(|_| standing.len() > 6);
        // Who was never registered can be ruined without loss to the others.
        let operator = operator.or_else(|| self.draw.one_of(&self.cast.stakers)).unwrap_or_default();
        let caller = self.slasher();
        let epoch_length = self.model.parameters.epoch_length;
        let epoch = self.model.epoch();
        for later in 0..6 {
            // The epoch's limit cuts the third, and leaves nothing to the fourth.
            for fraction in [WAD / 2, WAD / 5, WAD / 2, WAD / 2] {
                let (epoch, recipient) = (epoch + later, Address::ZERO);
                let call = Call::Slash { operator, fraction, epoch, jail_term: 0, recipient, reward: 0 };
                self.queue.push_back(Operation { caller, call });
            }
            self.queue.push_back(Operation { caller, call: Call::Wait { seconds: epoch_length } });
        }
        let assets = WAD * 1_000;
        let call = Call::Delegate { operator, assets, on_behalf: self.cast.treasury };
        self.queue.push_back(Operation { caller: self.cast.treasury, call: call.clone() });
        Operation { caller: self.cast.treasury, call }
    }

    /// Holds back all that can be held of a bucket, lets it mature, and slashes more than can be taken.
    fn pile(&mut self) -> Operation {
        let (operator, epoch, owner) = self.part_of_bucket(false);
        let caller = self.slasher();
        let (length, current) = (self.model.parameters.epoch_length, self.model.epoch());
        let hold = Operation { caller, call: Call::Hold { operator, fraction: WAD / 2 } };
        let next = Operation { caller, call: Call::Wait { seconds: length } };
        self.queue.extend([hold.clone(), hold.clone()]);
        for _ in current..maturity_of(epoch).max(current) {
            self.queue.push_back(next.clone());
        }
        self.queue.push_back(Operation { caller: owner, call: Call::Withdraw { operator, epoch, owner } });
        for fraction in [WAD / 2, WAD / 4, WAD / 2] {
            let (epoch, recipient) = (current, Address::ZERO);
            let call = Call::Slash { operator, fraction, epoch, jail_term: 0, recipient, reward: 0 };
            self.queue.push_back(Operation { caller, call });
            if fraction == WAD / 4 {
                self.queue.push_back(next.clone());
            }
        }
        hold
    }

    /// What Payments does when a voucher was not paid.
    fn as_payments(&mut self) -> Operation {
        let operator = self.operator();
        let caller = if self.draw.percent(92) { self.model.at.payments } else { self.anybody() };
        let call = if self.draw.percent(40) {
            let term = match self.draw.below(20) {
                0 => 1 << 40,
                1 => 0,
                _ => self.draw.within(1, 2 * self.model.parameters.epoch_length),
            };
            Call::Jail { operator, term }
        } else {
            let own = self.model.staking.operator(operator).own_stake();
            let most = if self.draw.percent(90) { own / 20 } else { own };
            Call::PayFromOwn { operator, assets: self.draw.amount(most), payee: self.anybody() }
        };
        Operation { caller, call }
    }

    /// Mostly somebody who is in jail.
    fn jailbird(&mut self) -> Address {
        let due = self.draw.percent(85);
        let jailed = self.model.staking.operators().filter(|o| o.jailed && (!due || o.jailed_until <= self.model.now));
        let jailed: Vec<Address> = jailed.map(|o| o.account).collect();
        match self.draw.one_of(&jailed) {
            Some(operator) if self.draw.percent(95) => operator,
            _ => self.operator(),
        }
    }

    fn govern(&mut self) -> Operation {
        let caller = if self.draw.percent(80) { self.cast.owner } else { self.anybody() };
        let slasher = self.draw.one_of(&self.cast.slashers).unwrap_or_default();
        let active =
            self.cast.slashers.iter().filter(|s| self.model.governance.is_slasher(**s, self.model.now)).count();
        match self.draw.below(100) {
            0..20 => {
                let slasher = if self.draw.percent(95) { slasher } else { Address::ZERO };
                Operation { caller, call: Call::ProposeSlasher { slasher } }
            }
            20..32 => {
                let unknown = !self.model.governance.is_slasher(slasher, self.model.now);
                let caller = if active > 1 || unknown { caller } else { self.anybody() };
                Operation { caller, call: Call::RetireSlasher { slasher } }
            }
            32..44 => {
                let guardian = if self.draw.percent(70) { self.cast.guardian } else { self.anybody() };
                Operation { caller, call: Call::SetGuardian { guardian } }
            }
            44..55 => {
                let call = Call::SetRole { operator: self.operator(), role: Role::Miner, active: true };
                Operation { caller: self.anybody(), call }
            }
            _ => {
                let caller = if self.draw.percent(50) { caller } else { self.cast.guardian };
                let until = match self.draw.below(10) {
                    0..6 => self.model.now + self.draw.below(self.model.parameters.epoch_length),
                    6 => self.model.now + 14 * 86_400 + self.draw.below(2),
                    _ => self.draw.below(2) * self.model.now,
                };
                if until > self.model.now + self.model.parameters.epoch_length && self.draw.percent(70) {
                    self.queue.push_back(Operation { caller: self.cast.owner, call: Call::PauseEntry { until: 0 } });
                }
                Operation { caller, call: Call::PauseEntry { until } }
            }
        }
    }

    fn texts(&mut self) -> (String, String) {
        let endpoint = match self.draw.below(20) {
            0..2 => String::new(),
            2 => "e".repeat(257),
            3 => "e".repeat(256),
            _ => format!("https://{}.example", self.draw.below(1_000)),
        };
        let info = match self.draw.below(20) {
            0 => "i".repeat(2_049),
            1 => "i".repeat(2_048),
            _ => "an introduction ".repeat(self.draw.below(6) as usize),
        };
        (endpoint, info)
    }

    fn node(&mut self, operator: Address) -> (Address, Address) {
        let own: Vec<Address> =
            self.model.registry.nodes.iter().filter(|(_, n)| n.operator == operator).map(|(key, _)| *key).collect();
        let node = match self.draw.below(100) {
            0..35 => self.draw.one_of(&own).unwrap_or(operator),
            35..40 => operator,
            40..42 => Address::ZERO,
            42..60 => self.draw.one_of(&self.cast.nodes).unwrap_or(operator),
            _ => {
                let mut free = self.cast.nodes.clone();
                free.retain(|node| !self.model.registry.nodes.contains_key(node));
                self.draw.one_of(&free).unwrap_or(operator)
            }
        };
        let signer = match self.draw.below(20) {
            0 => operator,
            1..3 => Address::ZERO,
            _ => node,
        };
        (node, signer)
    }

    fn register(&mut self) -> Operation {
        let mut idle = self.cast.operators.clone();
        let rich = self.draw.percent(80);
        idle.retain(|o| {
            let known = self.model.registry.registrations.get(o);
            let enough = self.model.operator_now(*o).0.own_stake() > self.model.min_stake(self.wanted_role(*o));
            known.is_none_or(|r| !r.active) && (enough || !rich)
        });
        let caller = match self.draw.one_of(&idle) {
            Some(operator) if self.draw.percent(95) => operator,
            _ => self.operator(),
        };
        let role = match self.draw.below(40) {
            0..2 => Role::None,
            2 => Role::Miner,
            3 => Role::Coordinator,
            _ => self.wanted_role(caller),
        };
        let ((node, signer), (endpoint, info)) = (self.node(caller), self.texts());
        Operation { caller, call: Call::Register { role, node, endpoint, info, signer } }
    }

    fn registered(&mut self) -> Operation {
        let caller = self.operator();
        let call = match self.draw.below(100) {
            0..35 => {
                let (endpoint, info) = self.texts();
                Call::Update { endpoint, info }
            }
            35..85 => {
                let (node, signer) = self.node(caller);
                Call::SetNode { node, signer }
            }
            _ => Call::Retire,
        };
        Operation { caller, call }
    }
}
