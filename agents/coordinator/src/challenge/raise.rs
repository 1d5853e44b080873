//! Raising a challenge: whether it is possible at all, and what goes with it.

use super::{accusation, end, phase};
use crate::{
    coordinator::Coordinator,
    output,
    store::{ChallengeRecord, ChallengeState},
};
use anyhow::{Context, Result};
use cuckoo_chain::disputes::Court;
use cuckoo_protocol::{
    contracts::IDisputes,
    receipt::Receipt,
    request::{NON_DISPUTABLE, Request},
};

/// Challenges on chain, or notes why not.
pub(super) async fn raise(coordinator: &Coordinator, court: &Court, mut challenge: ChallengeRecord) -> Result<()> {
    let store = &coordinator.store;
    let lease = store.lease(&challenge.lease, coordinator.operator).await?.context("a challenge has no lease")?;
    let task = store.task(&lease.task).await?.context("a lease has no task")?;
    let result = store.result(&lease).await?.context("a challenge has no result")?;
    let request = Request::decode(&task.request)?;
    let until = lease.offer.message.expiry.saturating_add(coordinator.rules.challenge_window);
    let digest = coordinator.chain.domain().digest(&result.message);
    let receipt = Receipt { task: task.id, request: task.request.into(), offer: lease.offer, result };
    let output = match challenge.finding.tile {
        Some(_) => {
            let file = tokio::fs::read(store.output_path(&challenge.lease)).await.context("the output is gone")?;
            Some(output::read(&request.body()?, &file).map_err(anyhow::Error::msg)?)
        }
        None => None,
    };

    let disputes_address = coordinator.chain.deployment().contracts.disputes;
    let accused = accusation(disputes_address, &receipt, digest, &challenge.finding, output.as_ref());
    let (id, accusation) = accused.context("the output has no such tile")?;
    let disputes = IDisputes::new(disputes_address, coordinator.chain.provider());
    // Asked before the phase: what is not on chain afterwards will never be.
    let is_over = coordinator.now() > until;
    let is_over_for_good = is_over && court.is_past(until).await?;
    if phase(&coordinator.chain, id).await?.is_none() {
        let offered = coordinator.catalogue.get(request.model_id);
        let impossible = if offered.is_some_and(|offered| !offered.manifest.slashable()) {
            Some("nobody is slashed for this model: its precision is not for it, or its tolerance was not calibrated")
        } else if request.flags & NON_DISPUTABLE != 0 {
            Some("the app keeps its request off the chain")
        } else if is_over_for_good {
            Some("the challenge window is over")
        } else if is_over {
            // A reorganisation, or the pool that holds the transaction, may still bring it back.
            return Ok(());
        } else if !disputes.isListed(request.model_id).call().await? {
            Some("the model is not listed for disputes")
        } else if disputes.convicted(digest).call().await? {
            if !court.is_convicted_for_good(digest).await? {
                return Ok(());
            }
            Some("somebody else had the result convicted")
        } else {
            None
        };
        if let Some(why) = impossible {
            let why = match &challenge.note {
                Some(before) => format!("{before}; then {why}"),
                None => why.to_owned(),
            };
            tracing::warn!(lease = challenge.lease, miner = %challenge.miner, why, "no challenge: the pay is only withheld");
            (challenge.state, challenge.note) = (ChallengeState::Withheld, Some(why));
            return end(coordinator, &challenge).await;
        }
        if let Err(error) = court.challenge(&accusation).await {
            // What a reorganisation dropped may come back by itself, and be first.
            if phase(&coordinator.chain, id).await?.is_none() {
                return Err(error).context("bond and fee come from the node's CAI");
            }
        }
        let (transition, reason) = (challenge.finding.transition, &challenge.finding.reason);
        tracing::warn!(dispute = %id, miner = %challenge.miner, transition, reason, "result challenged");
    }
    (challenge.dispute, challenge.state, challenge.note) = (Some(id), ChallengeState::Open, None);
    Ok(store.update_challenge(&challenge).await?)
}
