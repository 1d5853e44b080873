//! Operations on Disputes.

use alloy::primitives::{Address, B256};

use super::Maker;
use crate::{
    abi::disputes::IDisputes::Phase,
    model::Dispute,
    operation::{Call, Operation},
    receipt::Receipt,
};

impl Maker<'_> {
    pub(super) fn disputes(&mut self) -> Operation {
        let (now, guardian) = (self.model.now, self.model.guardian());
        let in_time = |d: &&Dispute| d.phase == Phase::Veto && now < d.deadline;
        if self.model.disputes.all.values().any(|d| in_time(&d)) && !guardian.is_zero() && self.draw.percent(40) {
            let all = self.model.disputes.all.iter().filter(|(_, d)| in_time(d));
            let all: Vec<B256> = all.map(|(id, _)| *id).collect();
            let id = self.draw.one_of(&all).unwrap_or_default();
            return Operation { caller: guardian, call: Call::Veto { id } };
        }
        match self.draw.below(100) {
            0..12 => {
                let caller = if self.draw.percent(85) { self.cast.owner } else { self.anybody() };
                let model = self.draw.within(1, 2) as u8;
                Operation { caller, call: Call::SetModel { model, listed: self.draw.percent(85) } }
            }
            12..55 => self.challenge(),
            55..85 => {
                let id = self.dispute(|phase| phase == Phase::Answer || phase == Phase::Veto);
                Operation { caller: self.anybody(), call: Call::Resolve { id } }
            }
            _ => {
                let id = self.dispute(|phase| phase == Phase::Veto);
                let caller = if self.draw.percent(85) && !guardian.is_zero() { guardian } else { self.anybody() };
                Operation { caller, call: Call::Veto { id } }
            }
        }
    }

    /// Mostly one in a phase that fits.
    fn dispute(&mut self, fits: impl Fn(Phase) -> bool) -> B256 {
        let anyhow = self.draw.percent(10);
        let all = self.model.disputes.all.iter().filter(|(_, dispute)| anyhow || fits(dispute.phase));
        let all: Vec<B256> = all.map(|(id, _)| *id).collect();
        self.draw.one_of(&all).filter(|_| !self.draw.percent(3)).unwrap_or_default()
    }

    fn challenge(&mut self) -> Operation {
        let (coordinator, miner) = self.pair();
        let terms = self.model.parameters.disputes;
        let now = self.model.now;
        let expiry = match self.draw.below(20) {
            0 => now + terms.max_offer_life + 1,
            1 => now + terms.max_offer_life,
            2 => now - terms.challenge_window - 1,
            3 => now - terms.challenge_window,
            _ => self.draw.within(now - terms.challenge_window, now + terms.max_offer_life),
        };
        let states = self.draw.within(2, 6) as u32;
        let mut receipt = Receipt {
            coordinator,
            miner,
            model: self.draw.within(1, 2) as u8,
            salt: self.draw.below(1 << 40),
            expiry,
            states,
            result_states: if self.draw.percent(70) { states } else { states + 1 },
            flags: u8::from(self.draw.percent(3)),
            matches: self.draw.percent(97),
            offer_signer: self.signer_of(coordinator),
            result_signer: self.signer_of(miner),
        };
        if let Some(known) = self.draw.one_of(self.receipts)
            && self.draw.percent(35)
        {
            receipt = known;
        } else {
            self.receipts.push(receipt);
        }
        let most = u64::from(receipt.states) + u64::from(self.draw.percent(20));
        let transition = self.draw.within(0, most) as u32;
        let caller = match self.draw.below(20) {
            0 => receipt.miner,
            1 => self.model.registry.node_of(receipt.miner),
            2..6 => receipt.coordinator,
            _ => self.anybody(),
        };
        let guardian = self.model.guardian();
        if receipt.result_states != receipt.states && !guardian.is_zero() && self.draw.percent(25) {
            let id = receipt.dispute_id(&self.model.at, transition);
            self.queue.push_back(Operation { caller: guardian, call: Call::Veto { id } });
        }
        Operation { caller, call: Call::Challenge { receipt, transition } }
    }

    fn signer_of(&mut self, operator: Address) -> Address {
        if self.draw.percent(97) { self.model.registry.node_of(operator) } else { self.anybody() }
    }
}
