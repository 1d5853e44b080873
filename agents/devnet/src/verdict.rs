//! How a dispute ended: who judged, who lost, who was paid, and what was burned, from the chain's events.

use crate::site::Site;
use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol,
    sol_types::SolEvent,
};
use anyhow::{Context, Result};
use cuckoo_protocol::contracts::{
    IDisputes::{Claimed, Fault, Phase, Resolved, Revealed, Verdict as Vote},
    IStaking::Slashed,
};

sol! {
    /// What CAI says of every movement; to the zero address it is burned.
    event Transfer(address indexed from, address indexed to, uint256 value);
}

/// A juror's opened vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Juror {
    /// Who.
    pub operator: Address,
    /// What it said.
    pub vote: Vote,
    /// How many votes the draw gave it.
    pub votes: u64,
    /// CAI wei that it was paid; none if it has not claimed yet.
    pub paid: Option<U256>,
}

/// The end of a dispute. Amounts are CAI wei.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Convicted, acquitted or drawn.
    pub outcome: Phase,
    /// Of what, if convicted.
    pub fault: Fault,
    /// Taken from the pool of the accused: from itself and from those who voted for it.
    pub slashed: U256,
    /// Of it, what the challenger and the jurors share.
    pub paid_out: U256,
    /// What the transaction that ended the dispute destroyed.
    pub burned: U256,
    /// Paid to the challenger, bond included.
    pub to_challenger: U256,
    /// The jury, in the order of their reveals.
    pub jurors: Vec<Juror>,
}

/// The end of dispute `id`; none while it goes on.
///
/// # Errors
/// If the chain does not answer, or a log is not what it should be.
pub async fn read(site: &Site, id: B256) -> Result<Option<Verdict>> {
    let (provider, contracts, first) = (site.anvil.provider(), site.deployment.contracts, site.deployment.block);
    let events = async |topic: B256| {
        let filter = Filter::new().address(contracts.disputes).event_signature(topic).topic1(id).from_block(first);
        provider.get_logs(&filter).await
    };
    let Some(end) = events(Resolved::SIGNATURE_HASH).await?.pop() else { return Ok(None) };
    let resolved = end.log_decode::<Resolved>()?.inner.data;
    let transaction = end.transaction_hash.context("a log without a transaction")?;
    let receipt = provider.get_transaction_receipt(transaction).await?.context("a log without a receipt")?;

    let claims = decoded::<Claimed>(&events(Claimed::SIGNATURE_HASH).await?);
    let paid = |juror: Address| claims.iter().find(|claim| claim.operator == juror).map(|claim| claim.amount);
    let reveals = decoded::<Revealed>(&events(Revealed::SIGNATURE_HASH).await?);
    let jurors = reveals.into_iter().map(|reveal| Juror {
        operator: reveal.operator,
        vote: reveal.verdict,
        votes: reveal.votes.saturating_to(),
        paid: paid(reveal.operator),
    });
    let burned = decoded::<Transfer>(receipt.logs()).into_iter().filter(|transfer| transfer.to.is_zero());
    Ok(Some(Verdict {
        outcome: resolved.outcome,
        fault: resolved.fault,
        slashed: resolved.slashed,
        paid_out: decoded::<Slashed>(receipt.logs()).iter().map(|slash| slash.paid).sum(),
        burned: burned.map(|transfer| transfer.value).sum(),
        to_challenger: resolved.toChallenger,
        jurors: jurors.collect(),
    }))
}

/// The events of a kind among `logs`.
fn decoded<E: SolEvent>(logs: &[Log]) -> Vec<E> {
    logs.iter().filter_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data).collect()
}
