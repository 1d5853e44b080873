//! A dispute from its answer to the last juror's pay, with what can go wrong on the way.

use alloy::primitives::{Address, B256, U256};

use super::Maker;
use crate::{
    abi::disputes::IDisputes::{Phase, Verdict},
    math::WAD,
    model::{Dispute, commitment},
    operation::{Call, Operation},
    trace::{Flaw, Part},
};

const FLAWS: [Flaw; 6] = [Flaw::Proof, Flaw::Length, Flaw::Byte, Flaw::ChunkProof, Flaw::Cut, Flaw::Beyond];

impl Maker<'_> {
    /// The next step of the dispute that is being played; none if none is, or it is over.
    pub(in crate::generate) fn play(&mut self) -> Option<Operation> {
        let id = self.play.dispute?;
        let operation = self.model.disputes.all.get(&id).and_then(|dispute| self.next_of(id, dispute));
        if operation.is_none() || self.draw.percent(2) {
            self.play.dispute = None;
        }
        operation
    }

    fn next_of(&mut self, id: B256, dispute: &Dispute) -> Option<Operation> {
        if self.draw.percent(8) {
            return Some(self.out_of_turn(id));
        }
        let (now, deadline) = (self.model.now, dispute.deadline);
        let revealed_by = deadline + self.model.disputes.terms_of(dispute).reveal_window;
        let resolve = Operation { caller: self.anybody(), call: Call::Resolve { id } };
        let jurors = self.jurors(id, dispute);
        Some(match dispute.phase {
            Phase::Answer if now < deadline && self.draw.percent(94) => {
                Operation { caller: self.anybody(), call: self.opening(id, dispute) }
            }
            Phase::Answer | Phase::Veto if now < deadline => self.pass(deadline - now),
            Phase::Seed if self.model.seed_of(id, dispute).is_none() && now < deadline => {
                let seconds = self.draw.within(1, deadline - now);
                let seconds = if self.draw.percent(95) { seconds.div_ceil(8) } else { seconds };
                self.pass(seconds)
            }
            Phase::Seed | Phase::Jury if now < deadline && !jurors.is_empty() && self.draw.percent(88) => {
                let juror = self.draw.one_of(&jurors)?;
                self.commit(id, dispute, juror)
            }
            Phase::Jury if now < deadline => self.pass(deadline - now),
            Phase::Jury if now < revealed_by => match self.committed(id, dispute) {
                Some(juror) if self.draw.percent(92) => self.reveal(id, dispute, juror),
                _ => self.pass(revealed_by - now),
            },
            Phase::Convicted | Phase::Acquitted | Phase::Drawn => self.claim_of(id, dispute)?,
            _ => resolve,
        })
    }

    fn pass(&mut self, seconds: u64) -> Operation {
        Operation { caller: self.cast.owner, call: Call::Wait { seconds: seconds.max(1) } }
    }

    /// Chunks of a part that is missing, sometimes of another or with a flaw.
    pub(super) fn opening(&mut self, id: B256, dispute: &Dispute) -> Call {
        let opened = &self.model.disputes.opened;
        let is_missing =
            |part: &Part| opened.get(&(dispute.result, *part)).is_none_or(|known| !known.missing.is_empty());
        let missing: Vec<Part> = dispute.needed().into_iter().filter(is_missing).collect();
        let part = match self.draw.below(20) {
            0 => Part::Blob,
            1 => Part::State(self.draw.below(7) as u32),
            _ => self.draw.one_of(&missing).unwrap_or(Part::State(0)),
        };
        let receipt = match self.draw.one_of(self.receipts) {
            Some(another) if self.draw.percent(4) => another,
            _ => dispute.receipt,
        };
        let mut chunks = receipt.chunks(part);
        if self.draw.percent(30) {
            chunks.retain(|_| self.draw.percent(60));
        }
        if self.draw.percent(10) {
            chunks.reverse();
        }
        let flaw = if self.draw.percent(12) { self.draw.one_of(&FLAWS).unwrap_or(Flaw::None) } else { Flaw::None };
        Call::Answer { id, receipt, part, chunks, flaw }
    }

    /// Miners that were drawn and have not committed; sometimes those who have, too.
    fn jurors(&mut self, id: B256, dispute: &Dispute) -> Vec<Address> {
        let anyhow = self.draw.percent(8);
        let mut all = self.cast.operators.clone();
        all.retain(|operator| {
            let has_committed = self.model.disputes.commitments.contains_key(&(id, dispute.round, *operator));
            (anyhow || !has_committed) && self.model.votes_of(id, dispute, *operator).is_ok_and(|votes| votes > 0)
        });
        all
    }

    fn commit(&mut self, id: B256, dispute: &Dispute, juror: Address) -> Operation {
        let mine = match id[0] % 4 {
            0 | 1 => Verdict::Guilty,
            2 => Verdict::Innocent,
            _ if self.draw.percent(50) => Verdict::Guilty,
            _ => Verdict::Innocent,
        };
        let verdict = match self.draw.below(20) {
            0 => Verdict::Unable,
            1 if mine == Verdict::Guilty => Verdict::Innocent,
            1 => Verdict::Guilty,
            _ => mine,
        };
        let true_probe = WAD + u128::from(id[1]) * WAD / 16;
        let probe = match self.draw.below(20) {
            0 => U256::MAX,
            1 => U256::from(true_probe * 2),
            2 => U256::from(self.draw.below(3)),
            _ => U256::from(true_probe + self.draw.part(true_probe / 900)),
        };
        let salt = B256::from(U256::from(self.draw.part(u128::MAX)));
        // A second one is refused: the first counts.
        self.play.secrets.entry((id, dispute.round, juror)).or_insert((verdict, probe, salt));
        let commitment = commitment(id, dispute.round, juror, verdict, probe, salt);
        Operation { caller: self.account_of(juror), call: Call::Commit { id, commitment } }
    }

    /// One whose commitment waits to be revealed.
    fn committed(&mut self, id: B256, dispute: &Dispute) -> Option<Address> {
        let of_round = |(dispute_id, round, _): &&(B256, u8, Address)| *dispute_id == id && *round == dispute.round;
        let all: Vec<Address> = self.model.disputes.commitments.keys().filter(of_round).map(|key| key.2).collect();
        self.draw.one_of(&all)
    }

    fn reveal(&mut self, id: B256, dispute: &Dispute, juror: Address) -> Operation {
        let known = self.play.secrets.get(&(id, dispute.round, juror)).copied();
        let (verdict, probe, salt) = known.unwrap_or((Verdict::Guilty, U256::ZERO, B256::ZERO));
        let verdict = if self.draw.percent(2) { Verdict::None } else { verdict };
        let salt = if self.draw.percent(4) { B256::ZERO } else { salt };
        Operation { caller: self.account_of(juror), call: Call::Reveal { id, verdict, probe, salt } }
    }

    /// Its node, or itself.
    fn account_of(&mut self, operator: Address) -> Address {
        if self.draw.percent(70) { self.model.registry.node_of(operator) } else { operator }
    }

    /// A claim that is due, or one that is not; none if none is.
    fn claim_of(&mut self, id: B256, dispute: &Dispute) -> Option<Operation> {
        let (mut due, mut other) = (Vec::new(), Vec::new());
        for round in 0..=dispute.round {
            let votes = self.model.disputes.votes.get(&(id, round)).map(Vec::as_slice).unwrap_or_default();
            for (index, vote) in votes.iter().enumerate() {
                let list = if dispute.pay_of(round, vote) == 0 { &mut other } else { &mut due };
                list.push((round, index as u64));
            }
        }
        let from = if self.draw.percent(15) { &other } else { &due };
        let (round, index) = self.draw.one_of(from)?;
        Some(Operation { caller: self.anybody(), call: Call::ClaimVote { id, round, index } })
    }
}
