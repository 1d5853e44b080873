//! Disputes.

use alloy::primitives::{Address, B256, U256, aliases::U80};
use anyhow::Result;

use super::Comparer;
use crate::{
    abi::disputes::IDisputes,
    model::{Dispute, Vote},
    receipt::Receipt,
};

impl Comparer<'_> {
    /// All disputes.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn disputes(&mut self) -> Result<()> {
        let (model, to) = (self.model, self.model.at.disputes);
        for number in 0..4 {
            let call = IDisputes::isListedCall { modelId: Receipt::model_id(number) };
            self.same(to, call, Ok(model.disputes.listed.contains(&number)))?;
        }
        let (version, terms) = model.disputes.current();
        self.same(to, IDisputes::currentVersionCall {}, Ok(U256::from(version)))?;
        self.same(to, IDisputes::parametersCall { version: U256::from(version) }, Ok(terms.encode()))?;
        let beyond = U256::from(version + 1);
        let refused = IDisputes::UnknownVersion { version: beyond };
        self.same(to, IDisputes::parametersCall { version: beyond }, Err(refused.into()))?;
        for (id, dispute) in &model.disputes.all {
            self.standing(*id, dispute)?;
            if !dispute.is_over() {
                self.jury(*id, dispute)?;
            }
        }
        Ok(())
    }

    /// One dispute, whole.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn dispute(&mut self, id: B256) -> Result<()> {
        let (model, to) = (self.model, self.model.at.disputes);
        let Some(dispute) = model.disputes.all.get(&id) else {
            let refused = IDisputes::UnknownDispute { id };
            return self.same(to, IDisputes::disputeCall { id }, Err(refused.into()));
        };
        self.standing(id, dispute)?;
        self.jury(id, dispute)?;
        for part in dispute.needed() {
            let (result, number) = (dispute.result, part.number());
            let known = model.disputes.opened.get(&(result, part));
            let missing = known.iter().flat_map(|part| &part.missing).map(|chunk| U256::ONE << *chunk).sum();
            let leaf = known.map(|part| part.leaf).unwrap_or_default();
            let expected = IDisputes::openedReturn { leaf, missing };
            self.same(to, IDisputes::openedCall { result, part: number }, Ok(expected))?;
        }
        Ok(())
    }

    /// What the contract stores of a dispute.
    fn standing(&mut self, id: B256, dispute: &Dispute) -> Result<()> {
        let (model, to) = (self.model, self.model.at.disputes);
        let first = dispute.transition == 0;
        let expected = IDisputes::Dispute {
            accused: dispute.accused(),
            deadline: U256::from(dispute.deadline).to(),
            phase: dispute.phase,
            fault: dispute.fault,
            round: dispute.round,
            transition: dispute.transition,
            challenger: dispute.challenger,
            version: dispute.version as u32,
            epoch: U256::from(dispute.epoch).to(),
            states: dispute.receipt.states,
            beacon: dispute.beacon,
            guilty: dispute.guilty as u16,
            innocent: dispute.innocent as u16,
            jurors: dispute.jurors as u16,
            payPerVote: U80::from(dispute.pay_per_vote),
            result: dispute.result,
            traceRoot: dispute.receipt.trace_root(),
            blobRoot: if first { dispute.receipt.blob_root() } else { B256::ZERO },
            medians: dispute.medians.map(|median| U80::from(median)),
        };
        self.same(to, IDisputes::disputeCall { id }, Ok(expected))?;
        let result = dispute.result;
        let convicted = model.disputes.convicted.contains(&result);
        self.same(to, IDisputes::convictedCall { result }, Ok(convicted))
    }

    /// Who may sit, and what was said.
    fn jury(&mut self, id: B256, dispute: &Dispute) -> Result<()> {
        let (model, to) = (self.model, self.model.at.disputes);
        let seed = model.seed_of(id, dispute).unwrap_or_default();
        self.same(to, IDisputes::seedOfCall { id }, Ok(seed))?;
        for operator in self.cast.operators.iter().copied().chain([Address::ZERO]) {
            let expected = model.votes_of(id, dispute, operator).map(U256::from);
            self.same(to, IDisputes::votesOfCall { id, operator }, expected)?;
        }
        for round in 0..=dispute.round {
            let votes = model.disputes.votes.get(&(id, round)).map(Vec::as_slice).unwrap_or_default();
            for (index, vote) in votes.iter().enumerate() {
                let Vote { operator, probe, votes, verdict } = vote.clone();
                let expected = IDisputes::Vote { operator, probe: U80::from(probe), votes: votes as u8, verdict };
                let call = IDisputes::voteCall { id, round: U256::from(round), index: U256::from(index) };
                self.same(to, call, Ok(expected))?;
            }
        }
        Ok(())
    }
}
