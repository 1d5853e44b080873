//! Keeps the channels of working miners funded on chain from the node's CAI, so that their vouchers can be collected at once.

use crate::coordinator::Coordinator;
use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use anyhow::{Context, Result};
use cuckoo_chain::sender::Sender;
use cuckoo_protocol::{
    amount::format_cai,
    contracts::{ICAI, IPayments},
};
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often channels are looked at.
const PERIOD: Duration = Duration::from_secs(3);

/// Tops channels up until `shutdown`.
pub async fn run(coordinator: &Coordinator, sender: &Sender, shutdown: CancellationToken) {
    let mut funded = HashMap::new();
    while !shutdown.is_cancelled() {
        if let Err(error) = round(coordinator, sender, &mut funded).await {
            tracing::warn!(error = format!("{error:#}"), "channels could not be funded, trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Looks at every channel that owes more than when it was last found funded.
async fn round(coordinator: &Coordinator, sender: &Sender, funded: &mut HashMap<Address, U256>) -> Result<()> {
    for (miner, cumulative) in coordinator.store.channels().await? {
        // Whose results are all being audited, or were found false, is owed nothing.
        if cumulative.is_zero() {
            continue;
        }
        if funded.get(&miner) != Some(&cumulative) && top_up(coordinator, sender, miner, cumulative).await? {
            funded.insert(miner, cumulative);
        }
    }
    Ok(())
}

/// Brings a channel to the target above what is owed once it has fallen below half of it. False if the node has too little CAI.
async fn top_up(coordinator: &Coordinator, sender: &Sender, miner: Address, cumulative: U256) -> Result<bool> {
    let (chain, target) = (&coordinator.chain, coordinator.config.channel_target);
    let contracts = chain.deployment().contracts;
    let payments = IPayments::new(contracts.payments, chain.provider());
    let channel = payments.channel(coordinator.operator, miner).call().await.context("cannot read a channel")?;
    let owed = cumulative.saturating_sub(channel.collected);
    let free = channel.balance.saturating_sub(channel.thawing);
    if free >= owed + target / U256::from(2) {
        return Ok(true);
    }
    let wanted = owed + target - free;

    let cai = ICAI::new(contracts.cai, chain.provider());
    let node = coordinator.node();
    let balance = cai.balanceOf(node).call().await.context("cannot read the node's balance")?;
    let amount = wanted.min(balance);
    if amount.is_zero() {
        tracing::error!(%node, %miner, "the node has no CAI to pay miners with: send it some; what is owed stays owed");
        return Ok(false);
    }
    if cai.allowance(node, contracts.payments).call().await? < amount {
        let approve = ICAI::approveCall { spender: contracts.payments, amount: U256::MAX };
        sender.send(contracts.cai, approve.abi_encode().into(), "approve Payments").await?;
    }
    let fund = IPayments::fundCall { payer: coordinator.operator, payee: miner, amount };
    sender.send(contracts.payments, fund.abi_encode().into(), "fund a channel").await?;
    tracing::info!(%miner, amount = format_cai(amount), "channel funded");
    metrics::counter!("cuckoo_channels_funded_total").increment(1);
    Ok(amount == wanted)
}
