//! Accusations, mostly of what can be accused.

use alloy::primitives::{Address, B256};
use cuckoo_protocol::merkle::{Kind, leaf_of};

use super::Maker;
use crate::{
    operation::{Call, Operation},
    receipt::Receipt,
    trace::Tile,
};

impl Maker<'_> {
    pub(super) fn challenge(&mut self) -> Operation {
        if self.draw.percent(20)
            && let Some(again) = self.challenge_again()
        {
            return again;
        }
        let receipt = match self.draw.one_of(self.receipts) {
            Some(known) if self.draw.percent(35) => known,
            _ => {
                let receipt = self.receipt();
                self.receipts.push(receipt);
                receipt
            }
        };
        let most = u64::from(receipt.states) + u64::from(self.draw.percent(20));
        let transition = self.draw.within(0, most) as u32;
        let is_last = transition == receipt.states;
        let tile = match self.draw.below(20) {
            0 => Tile::TooLong,
            1 => Tile::Altered(self.draw.below(4)),
            2 => Tile::Of(self.draw.below(5)),
            3 => Tile::None,
            _ if is_last => Tile::Of(self.draw.below(3)),
            _ => Tile::None,
        };
        let caller = match self.draw.below(20) {
            0 => receipt.miner,
            1 => self.model.registry.node_of(receipt.miner),
            2..6 => receipt.coordinator,
            _ => self.anybody(),
        };
        let given = receipt.tile(tile);
        let leaf = if is_last { leaf_of(Kind::Tile, given.index.to(), &given.data) } else { B256::ZERO };
        let id = receipt.dispute_id(&self.model.at, transition, leaf);
        let guardian = self.model.guardian();
        if receipt.result_states != receipt.states && !guardian.is_zero() && self.draw.percent(25) {
            self.queue.push_back(Operation { caller: guardian, call: Call::Veto { id } });
        } else if self.play.dispute.is_none() && self.draw.percent(80) {
            self.play.dispute = Some(id);
        }
        Operation { caller, call: Call::Challenge { receipt, transition, tile } }
    }

    /// Accuses once more of what was accused a short while ago: of the same, or of another transition of the same result.
    fn challenge_again(&mut self) -> Option<Operation> {
        let (_, terms) = self.model.disputes.current();
        let (all, now) = (&self.model.disputes.all, self.model.now);
        let recent = all.values().filter(|d| d.receipt.expiry + terms.challenge_window >= now);
        let recent: Vec<(Receipt, u32)> = recent.map(|d| (d.receipt, d.transition)).collect();
        let (receipt, transition) = self.draw.one_of(&recent)?;
        let transition = if self.draw.percent(50) { transition } else { self.draw.below(2) as u32 };
        let tile = if transition == receipt.states { Tile::Of(self.draw.below(3)) } else { Tile::None };
        Some(Operation { caller: self.anybody(), call: Call::Challenge { receipt, transition, tile } })
    }

    fn receipt(&mut self) -> Receipt {
        let (mut coordinator, mut miner) = self.pair();
        // Mostly of two that have a node to sign with.
        let has_node = |operator| !self.model.registry.node_of(operator).is_zero();
        for _ in 0..4 {
            if !has_node(coordinator) || !has_node(miner) {
                (coordinator, miner) = self.pair();
            }
        }
        let (_, terms) = self.model.disputes.current();
        let now = self.model.now;
        let expiry = match self.draw.below(20) {
            0 => now + terms.max_offer_life + 1,
            1 => now + terms.max_offer_life,
            2 => now - terms.challenge_window - 1,
            3 => now - terms.challenge_window,
            _ => self.draw.within(now - terms.challenge_window, now + terms.max_offer_life),
        };
        let states = self.draw.within(2, 6) as u32;
        let model = self.draw.within(1, 2) as u8;
        Receipt {
            coordinator,
            miner,
            model,
            offered_model: if self.draw.percent(98) { model } else { 3 - model },
            salt: self.draw.below(1 << 40),
            expiry,
            states,
            result_states: if self.draw.percent(85) { states } else { states + 1 },
            flags: u8::from(self.draw.percent(3)),
            has_blob: self.draw.percent(20),
            version: if self.draw.percent(98) { 1 } else { 2 },
            matches: self.draw.percent(97),
            answers: self.draw.percent(98),
            offer_signer: self.signer_of(coordinator),
            result_signer: self.signer_of(miner),
        }
    }

    fn signer_of(&mut self, operator: Address) -> Address {
        if self.draw.percent(97) { self.model.registry.node_of(operator) } else { self.anybody() }
    }
}
