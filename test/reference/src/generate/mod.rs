//! Random operations that are often sensible, now and then foolish, and sometimes exactly on a border.

mod disputes;
mod draw;
mod payments;
mod staking;

use std::collections::VecDeque;

use alloy::primitives::Address;

use self::disputes::Play;
pub use self::draw::Draw;
use crate::{
    model::Model,
    network::Cast,
    operation::{Call, Operation, SignedBy},
    receipt::Receipt,
};

/// Makes one operation after the other, the same ones for the same seed and the same model.
pub struct Generator {
    draw: Draw,
    /// What must come next.
    queue: VecDeque<Operation>,
    /// What was challenged, or nearly.
    receipts: Vec<Receipt>,
    play: Play,
}

impl Generator {
    /// Begins with what brings the network to life: everybody gets CAI and lets the contracts take it.
    pub fn new(seed: u64, model: &Model, cast: &Cast) -> Self {
        let mut queue = VecDeque::new();
        let whole = model.token.supply();
        for holder in cast.holders() {
            if holder != cast.treasury {
                let part = if cast.operators.iter().skip(cast.miners).any(|c| *c == holder) { 25 } else { 100 };
                let call = Call::Transfer { to: holder, amount: whole / part };
                queue.push_back(Operation { caller: cast.treasury, call });
            }
            for spender in [model.at.staking, model.at.payments, model.at.mining, model.at.disputes] {
                queue.push_back(Operation { caller: holder, call: Call::Approve { spender, amount: u128::MAX } });
            }
        }
        for model in [1, 2] {
            queue.push_back(Operation { caller: cast.owner, call: Call::SetModel { model, listed: true } });
        }
        Self { draw: Draw::new(seed), queue, receipts: Vec::new(), play: Play::default() }
    }

    /// The next operation, made for the network as `model` says it is.
    pub fn next(&mut self, model: &Model, cast: &Cast) -> Operation {
        if let Some(operation) = self.queue.pop_front() {
            return operation;
        }
        let Self { draw, queue, receipts, play } = self;
        let mut maker = Maker { draw, model, cast, queue, receipts, play };
        if maker.draw.percent(70)
            && let Some(operation) = maker.play()
        {
            return operation;
        }
        match maker.draw.below(1000) {
            0..220 => maker.wait(),
            220..240 => maker.token(),
            240..480 => maker.payments(),
            480..530 => maker.mining(),
            530..620 => maker.disputes(),
            _ => maker.staking(),
        }
    }
}

/// What a maker of operations looks at.
struct Maker<'a> {
    draw: &'a mut Draw,
    model: &'a Model,
    cast: &'a Cast,
    queue: &'a mut VecDeque<Operation>,
    receipts: &'a mut Vec<Receipt>,
    play: &'a mut Play,
}

impl Maker<'_> {
    /// Somebody who holds CAI.
    fn anybody(&mut self) -> Address {
        let holders = self.cast.holders();
        self.draw.one_of(&holders).unwrap_or(self.cast.treasury)
    }

    /// Mostly somebody who wants to be an operator; voters can stake behind anybody.
    fn operator(&mut self) -> Address {
        let from = if self.draw.percent(97) { &self.cast.operators } else { &self.cast.stakers };
        self.draw.one_of(from).unwrap_or(self.cast.owner)
    }

    fn wait(&mut self) -> Operation {
        let (now, length) = (self.model.now, self.model.parameters.epoch_length);
        let seconds = match self.draw.below(100) {
            0..48 => self.draw.within(1, 600),
            48..68 => self.draw.within(1, length / 4),
            // The first second of an epoch, or the last.
            68..77 => length - now % length,
            77..81 => (length - now % length).saturating_sub(1),
            81..93 => self.until_something(),
            93..99 => self.draw.within(length, 2 * length),
            _ => self.draw.within(4 * length, 12 * length),
        };
        Operation { caller: self.cast.owner, call: Call::Wait { seconds: seconds.max(1) } }
    }

    /// To the second at which something begins or ends, or to the one before it; and then to what that lets happen.
    fn until_something(&mut self) -> u64 {
        let now = self.model.now;
        let mut due = self.due();
        due.retain(|(time, _)| *time > now && *time < now + 20 * self.model.parameters.epoch_length);
        let place = self.draw.below(due.len() as u64) as usize;
        let Some((time, next)) = due.into_iter().nth(place) else { return 1 };
        self.queue.extend(next);
        time - now - u64::from(self.draw.percent(35))
    }

    /// All times that matter, and what can be done then.
    fn due(&mut self) -> Vec<(u64, Option<Operation>)> {
        let (model, caller) = (self.model, self.anybody());
        let by = |caller: Address, call: Call| Some(Operation { caller, call });
        let mut due = vec![(model.staking.stream.ends_at, None), (model.governance.paused_until, None)];
        for operator in model.staking.operators() {
            due.push((operator.jailed_until, by(operator.account, Call::Unjail)));
            let apply = by(caller, Call::ApplyCommission { operator: operator.account });
            due.extend(operator.announced.map(|(_, from)| (from, apply)));
        }
        for ((payer, payee, cumulative), notice) in &model.payments.notices {
            let enforce = Call::Enforce { payer: *payer, payee: *payee, cumulative: *cumulative };
            due.push((notice.ends_at, by(caller, enforce)));
        }
        for ((payer, payee), channel) in &model.payments.channels {
            let withdraw = by(caller, Call::WithdrawThawed { payer: *payer, payee: *payee });
            due.extend(channel.thawing.map(|(_, at)| (at, withdraw)));
        }
        for (signer, node) in &model.registry.nodes {
            let (payer, payee) = (node.operator, self.cast.operators.first().copied().unwrap_or_default());
            let voucher = SignedBy { payer, payee, cumulative: u128::MAX >> 32, signer: *signer };
            let liable_until = node.retired_at.map(|at| at + model.parameters.node_grace);
            due.extend(liable_until.map(|at| (at + 1, by(caller, Call::Collect { voucher }))));
        }
        for (id, dispute) in &model.disputes.all {
            due.push((dispute.deadline, by(caller, Call::Resolve { id: *id })));
        }
        due
    }

    fn token(&mut self) -> Operation {
        let caller = self.anybody();
        let balance = self.model.token.balance(caller);
        let call = if self.draw.percent(30) {
            let amount = if self.draw.percent(85) { self.draw.amount(balance / 2) } else { balance + 1 };
            Call::Transfer { to: self.anybody(), amount }
        } else {
            let amount = if self.draw.percent(70) { u128::MAX } else { self.draw.amount(balance) };
            let at = self.model.at;
            Call::Approve { spender: if self.draw.percent(50) { at.staking } else { at.payments }, amount }
        };
        Operation { caller, call }
    }
}
