//! Accused: the transition is opened from the stored trace, or from the request computed again.

use super::{BenchError, Duty, DutyError, Outcome};
use crate::metrics;
use alloy::primitives::{Address, U256};
use cuckoo_chain::disputes::{Dispute, MAX_CHUNKS};
use cuckoo_inference::State;
use cuckoo_protocol::{
    amount::format_cai,
    contracts::ILens,
    dispute::{Part, open_blob, open_state},
    request::Request,
    trace::trace_root,
};
use std::ops::ControlFlow;
use tracing::{error, info, warn};

impl Duty {
    /// Opens what is missing of the transition, in as many transactions as it takes.
    pub(super) async fn answer(&self, dispute: &Dispute, me: Address) -> Result<Outcome, DutyError> {
        let accusation = &dispute.accusation;
        let (id, result) = (accusation.id, accusation.result);
        let mut missing = Vec::new();
        for part in dispute.parts() {
            match self.court.missing(result, part).await? {
                Some(bits) if bits.is_zero() => {}
                bits => missing.push((part, bits.unwrap_or(U256::MAX))),
            }
        }
        if missing.is_empty() {
            // The docket is a block behind.
            return Ok(Outcome::Wait);
        }
        warn!(dispute = %id, transition = accusation.transition, challenger = %accusation.challenger, "accused: answering");
        let Some(states) = self.states(dispute).await? else {
            let cost = self.cost(dispute, me).await;
            error!(
                dispute = %id,
                "CANNOT ANSWER: there is no trace of this result, and it cannot be computed again. Unless transition {} is open \
                 before {} (chain seconds), this miner is slashed: {cost}. If it was made with another --data-dir, --device or \
                 --model, start the agent again with that",
                accusation.transition, accusation.answer_until
            );
            metrics::dispute("defenceless");
            return Ok(Outcome::Aside);
        };
        for (part, bits) in missing {
            let opened = match part {
                Part::State(k) => open_state(&states, k),
                Part::Blob => open_blob(&self.input(dispute).await),
            };
            let Some(opened) = opened else {
                error!(dispute = %id, "CANNOT ANSWER: {part:?} is not there");
                return Ok(Outcome::Aside);
            };
            let chunks = opened.chunks.len();
            let mut left = bits & of_chunks(chunks);
            while !left.is_zero() {
                self.court.answer(id, &opened, left).await?;
                left = without_lowest(left, MAX_CHUNKS);
                info!(dispute = %id, ?part, chunks, left = left.count_ones(), "opened");
            }
        }
        metrics::dispute("answered");
        Ok(Outcome::Done)
    }

    /// The states that the result commits to; `None` if there are none to be had.
    async fn states(&self, dispute: &Dispute) -> Result<Option<Vec<Vec<u8>>>, DutyError> {
        let accusation = &dispute.accusation;
        let root = accusation.message.traceRoot;
        match self.workshop.store.trace(accusation.message.offerHash).await {
            Ok(Some(states)) if trace_root(&states) == root => return Ok(Some(states)),
            Ok(Some(_)) => warn!(dispute = %accusation.id, "the stored trace is another one"),
            Ok(None) => warn!(dispute = %accusation.id, "the trace is not there any more"),
            Err(e) => warn!(dispute = %accusation.id, "the trace cannot be read: {e}"),
        }
        let body = match Request::decode(&accusation.request).and_then(|request| request.body()) {
            Ok(body) => body,
            Err(e) => {
                warn!(dispute = %accusation.id, "the request cannot be computed again: {e}");
                return Ok(None);
            }
        };
        let blob = self.input(dispute).await;
        if blob.len() != body.blob_bytes() {
            return Ok(None);
        }
        info!(dispute = %accusation.id, "computing the request again");
        let work = move |model: &mut cuckoo_inference::Model| {
            let generation = model.generate(&body, &blob, &mut |_, _| ControlFlow::Continue(()))?;
            Ok(generation.states.iter().map(State::to_bytes).collect::<Vec<_>>())
        };
        match self.bench.run(accusation.offer.modelId, work).await {
            Ok(states) if trace_root(&states) == root => Ok(Some(states)),
            Ok(_) => {
                warn!(dispute = %accusation.id, "computed again, the trace is another one");
                Ok(None)
            }
            Err(e @ BenchError::Unknown(_)) => {
                warn!(dispute = %accusation.id, "the request cannot be computed again: {e}");
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// The input pictures of the request; empty if there are none to be had.
    async fn input(&self, dispute: &Dispute) -> Vec<u8> {
        let accusation = &dispute.accusation;
        self.workshop.store.input(accusation.message.offerHash).await.unwrap_or_else(|e| {
            warn!(dispute = %accusation.id, "the input pictures cannot be read: {e}");
            Vec::new()
        })
    }

    /// What a conviction takes from the operator's own stake, in words.
    async fn cost(&self, dispute: &Dispute, me: Address) -> String {
        let Some(parameters) = self.following.docket().parameters(dispute).cloned() else {
            return "its fraction".into();
        };
        let lens = ILens::new(self.chain.deployment().contracts.lens, self.chain.provider());
        let wad = U256::from(10).pow(U256::from(18));
        let fraction = U256::from(parameters.fraction);
        let own = match lens.operator(me).call().await {
            Ok(account) => format_cai(account.ownAssets.saturating_mul(fraction) / wad),
            Err(e) => return format!("{} WAD of all that is behind it (its stake cannot be read: {e})", fraction),
        };
        format!("{own} CAI of its own stake, its voters alike, and {} s in jail", parameters.jailTerm)
    }
}

/// A bit for each of so many chunks.
fn of_chunks(count: usize) -> U256 {
    if count >= 256 { U256::MAX } else { (U256::from(1) << count) - U256::from(1) }
}

/// The set bits but the lowest `count`: those that a transaction did not take.
fn without_lowest(mut bits: U256, count: usize) -> U256 {
    for _ in 0..count {
        bits &= bits.saturating_sub(U256::from(1));
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_chunk_is_sent_once_and_in_order() {
        // Chunks 1 and 3 of nine are there already.
        let mut left = of_chunks(9) & U256::from(0b1_1111_0101);
        let mut sent = Vec::new();
        while !left.is_zero() {
            let rest = without_lowest(left, MAX_CHUNKS);
            sent.push(left & !rest);
            left = rest;
        }
        assert_eq!(sent, [U256::from(0b0_0011_0101), U256::from(0b1_1100_0000)]);
        assert_eq!((of_chunks(256), of_chunks(0)), (U256::MAX, U256::ZERO));
        assert_eq!(without_lowest(U256::MAX, 255), U256::from(1) << 255);
    }
}
