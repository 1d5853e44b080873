//! Operations on Disputes.

mod challenge;
mod play;

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256};

use super::Maker;
use crate::{
    abi::disputes::IDisputes::{Phase, Verdict},
    math::WAD,
    model::{Dispute, Terms},
    operation::{Call, Operation},
};

/// Disputes after which a trace can do without new ones.
const MANY: usize = 30;
/// Epochs for which Staking remembers a hold, and more.
const LONG: u64 = 8;

/// What the generator remembers of disputes.
#[derive(Default)]
pub struct Play {
    /// The one that is being played to its end.
    pub dispute: Option<B256>,
    /// What jurors committed to, by dispute, round and juror.
    secrets: BTreeMap<(B256, u8, Address), (Verdict, U256, B256)>,
}

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
        if let Some(operation) = self.too_late() {
            return operation;
        }
        match self.draw.below(100) {
            0..5 => {
                let caller = self.owner_mostly();
                let model = self.draw.within(1, 2) as u8;
                Operation { caller, call: Call::SetModel { model, listed: self.draw.percent(85) } }
            }
            5..10 => {
                let terms = self.terms();
                Operation { caller: self.owner_mostly(), call: Call::SetTerms { terms } }
            }
            10..60 => self.challenge(),
            60..75 => {
                let id = self.dispute(|phase| phase == Phase::Answer || phase == Phase::Veto);
                Operation { caller: self.anybody(), call: Call::Resolve { id } }
            }
            75..83 => {
                let id = self.dispute(|phase| phase == Phase::Veto);
                let caller = if self.draw.percent(85) && !guardian.is_zero() { guardian } else { self.anybody() };
                Operation { caller, call: Call::Veto { id } }
            }
            _ => {
                let id = self.dispute(|phase| matches!(phase, Phase::Answer | Phase::Seed | Phase::Jury));
                self.out_of_turn(id)
            }
        }
    }

    /// Late in a trace: a conviction that comes when Staking no longer takes it, because the contract was retired meanwhile.
    fn too_late(&mut self) -> Option<Operation> {
        let (disputes, at) = (&self.model.disputes.all, self.model.at.disputes);
        if disputes.len() < MANY || !self.model.governance.is_slasher(at, self.model.now) {
            return None;
        }
        let is_old = |d: &Dispute| d.phase == Phase::Veto && d.epoch + LONG < self.model.epoch();
        let (id, _) = disputes.iter().find(|(_, dispute)| is_old(dispute))?;
        self.queue.push_back(Operation { caller: self.cast.owner, call: Call::Resolve { id: *id } });
        Some(Operation { caller: self.cast.owner, call: Call::RetireSlasher { slasher: at } })
    }

    fn owner_mostly(&mut self) -> Address {
        if self.draw.percent(85) { self.cast.owner } else { self.anybody() }
    }

    /// Mostly one in a phase that fits.
    fn dispute(&mut self, fits: impl Fn(Phase) -> bool) -> B256 {
        let anyhow = self.draw.percent(10);
        let all = self.model.disputes.all.iter().filter(|(_, dispute)| anyhow || fits(dispute.phase));
        let all: Vec<B256> = all.map(|(id, _)| *id).collect();
        self.draw
            .one_of(&all)
            .filter(|_| !self.draw.percent(3))
            .or_else(|| self.model.disputes.all.keys().next().copied())
            .unwrap_or_default()
    }

    /// A verb of a dispute that is hardly ready for it, by somebody who hardly may.
    fn out_of_turn(&mut self, id: B256) -> Operation {
        let caller = if self.draw.percent(80) { self.operator() } else { self.anybody() };
        let number = B256::from(U256::from(self.draw.below(3)));
        let call = match self.draw.below(6) {
            0..3 => Call::Commit { id, commitment: number },
            3 => {
                let verdict = if self.draw.percent(20) { Verdict::None } else { Verdict::Guilty };
                Call::Reveal { id, verdict, probe: U256::from(WAD), salt: number }
            }
            4 => Call::ClaimVote { id, round: self.draw.below(3) as u8, index: self.draw.below(3) },
            _ => match self.model.disputes.all.get(&id) {
                Some(dispute) => self.opening(id, dispute),
                None => Call::Resolve { id },
            },
        };
        Operation { caller, call }
    }

    /// New terms; one number in four is out of range.
    fn terms(&mut self) -> Terms {
        let now = self.model.parameters.disputes;
        let wrong = self.draw.percent(40);
        match self.draw.below(9) {
            0 => Terms { bond: if wrong { WAD - 1 } else { WAD * u128::from(self.draw.within(1, 900)) }, ..now },
            1 => Terms { jury_fee: if wrong { 100_001 * WAD } else { WAD + self.draw.part(WAD) }, ..now },
            2 => Terms { fraction: if wrong { WAD / 2 + 1 } else { self.draw.part(WAD / 20) + 1 }, ..now },
            3 => Terms { jail_term: if wrong { 366 * 86_400 } else { self.draw.below(4_000) }, ..now },
            4 => Terms { max_offer_life: if wrong { self.model.parameters.node_grace + 1 } else { 500 }, ..now },
            5 => Terms { seed_window: if wrong { 0 } else { 240 }, ..now },
            6 => Terms { min_jurors: if wrong { 17 } else { self.draw.within(1, 3) as u16 }, ..now },
            7 => Terms { rounds: if wrong { 4 } else { self.draw.within(1, 3) as u8 }, ..now },
            _ => Terms { veto_window: if wrong { 3 * self.model.parameters.epoch_length } else { 100 }, ..now },
        }
    }
}
