//! Disputes.

use alloy::primitives::{Address, B256, U256, aliases::U80};
use anyhow::Result;

use super::Comparer;
use crate::{abi::disputes::IDisputes, model::Dispute, receipt::Receipt};

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
        for id in model.disputes.all.keys() {
            self.dispute(*id)?;
        }
        Ok(())
    }

    /// One dispute.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn dispute(&mut self, id: B256) -> Result<()> {
        let (model, to) = (self.model, self.model.at.disputes);
        let Some(Dispute { accused, challenger, deadline, phase, fault, transition, states, epoch, result }) =
            model.disputes.all.get(&id).cloned()
        else {
            return Ok(());
        };
        let expected = IDisputes::Dispute {
            accused,
            deadline: U256::from(deadline).to(),
            phase,
            fault,
            round: 0,
            transition,
            challenger,
            version: 0,
            epoch: U256::from(epoch).to(),
            states,
            beacon: 0,
            guilty: 0,
            innocent: 0,
            jurors: 0,
            payPerVote: U80::ZERO,
            result,
            traceRoot: alloy::primitives::keccak256("trace"),
            blobRoot: B256::ZERO,
            medians: [U80::ZERO; 3],
        };
        self.same(to, IDisputes::disputeCall { id }, Ok(expected))?;
        let convicted = model.disputes.convicted.contains(&result);
        self.same(to, IDisputes::convictedCall { result }, Ok(convicted))?;
        let call = IDisputes::votesOfCall { id, operator: Address::ZERO };
        self.same(to, call, Ok(U256::ZERO))
    }
}
