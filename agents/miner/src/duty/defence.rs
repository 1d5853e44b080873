//! Accused: the transition is opened from the stored trace, or from the request computed again.

use super::{Duty, DutyError, Outcome};
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
use tracing::{info, warn};

/// What a defence wants.
#[derive(Debug)]
pub(super) struct Want {
    /// For people.
    pub(super) why: String,
    /// Whether computing the request again would not help, now or later.
    pub(super) computed: bool,
}

impl Duty {
    /// Opens what is missing of the transition, in as many transactions as it takes.
    /// `recompute`: whether the request may be computed again if its trace is lost. That takes long, and comes out alike each time.
    pub(super) async fn answer(&self, dispute: &Dispute, me: Address, recompute: bool) -> Result<Outcome, DutyError> {
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
        let states = match self.states(dispute, recompute).await? {
            Ok(states) => states,
            Err(want) => return Err(DutyError::Defenceless { want, at_stake: self.at_stake(dispute, me).await }),
        };
        for (part, bits) in missing {
            let opened = match part {
                Part::State(k) => open_state(&states, k),
                Part::Blob => open_blob(&self.input(dispute).await),
            };
            let Some(opened) = opened else {
                let want = Want { why: format!("{part:?} is not there"), computed: false };
                return Err(DutyError::Defenceless { want, at_stake: self.at_stake(dispute, me).await });
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

    /// The states that the result commits to, or why there are none to be had.
    async fn states(&self, dispute: &Dispute, recompute: bool) -> Result<Result<Vec<Vec<u8>>, Want>, DutyError> {
        let accusation = &dispute.accusation;
        let root = accusation.message.traceRoot;
        let stored = match self.workshop.store.trace(accusation.message.offerHash).await {
            Ok(Some(states)) if trace_root(&states) == root => return Ok(Ok(states)),
            Ok(Some(_)) => "the stored trace is another one".to_owned(),
            Ok(None) => "the trace is not in --data-dir".to_owned(),
            Err(e) => format!("the trace cannot be read: {e}"),
        };
        let want = |why: &str, computed: bool| Ok(Err(Want { why: format!("{stored}; {why}"), computed }));
        if !recompute {
            return want("computed again, it was another one", true);
        }
        let body = match Request::decode(&accusation.request).and_then(|request| request.body()) {
            Ok(body) => body,
            Err(e) => return want(&format!("the request cannot be computed again: {e}"), true),
        };
        let blob = self.input(dispute).await;
        if blob.len() != body.blob_bytes() {
            return want("its input pictures are not there, so it cannot be computed again", false);
        }
        info!(dispute = %accusation.id, "computing the request again: {stored}");
        let work = move |model: &mut cuckoo_inference::Model| {
            let generation = model.generate(&body, &blob, &mut |_, _| ControlFlow::Continue(()))?;
            Ok(generation.states.iter().map(State::to_bytes).collect::<Vec<_>>())
        };
        match self.bench.run(accusation.offer.modelId, work).await {
            Ok(states) if trace_root(&states) == root => Ok(Ok(states)),
            Ok(_) => want("computed again, it is another one", true),
            Err(e) => want(&format!("it cannot be computed again: {e}"), false),
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
    async fn at_stake(&self, dispute: &Dispute, me: Address) -> String {
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
