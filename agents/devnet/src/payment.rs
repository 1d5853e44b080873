//! Waits until the miners have collected, and compares the chain's balances with the receipts to the wei.

use crate::{
    network::Network,
    tally::{Row, Tally},
    until,
};
use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use cuckoo_protocol::amount::format_cai;
use std::time::Duration;

/// One fiftieth of what is collected is burned.
const BURNED_PART: u64 = 50;

/// What each miner was promised, collected and holds.
///
/// # Errors
/// If a miner does not collect in time, or a balance is not exactly what the receipts and the fee make it.
pub async fn settle(network: &Network, tally: &Tally) -> Result<Vec<Row>> {
    let ledger = network.site.ledger();
    let payer = network.crew.coordinator.address();
    let mut rows = Vec::new();
    for miner in tally.miners() {
        let collected = until(&format!("{} to collect", miner.name), Duration::from_secs(30), async || {
            let collected = ledger.collected(payer, miner.operator).await?;
            Ok((collected.amount >= miner.earned).then_some(collected))
        })
        .await
        .with_context(|| format!("its receipts promise {} CAI", format_cai(miner.earned)))?;
        ensure!(collected.amount == miner.earned, "{} collected more than its receipts promise", miner.name);
        // Rounded up at each collection, so at most a wei each above the exact part.
        let least = miner.earned.div_ceil(U256::from(BURNED_PART));
        ensure!(
            (least..=least + U256::from(collected.times)).contains(&collected.fee),
            "{}: {} wei of {} were burned, which is not 2%",
            miner.name,
            collected.fee,
            collected.amount
        );
        // Its operator had staked all that it had, so what it holds now is what it earned.
        let balance = ledger.balance(miner.operator).await?;
        let due = collected.amount - collected.fee;
        ensure!(balance == due, "{} holds {balance} wei, not the {due} that it collected", miner.name);
        rows.push(Row {
            name: miner.name.clone(),
            weight: miner.weight,
            weight_share: tally.weight_share(miner),
            served: miner.served,
            served_share: tally.served_share(miner),
            earned: miner.earned,
            collected: collected.amount,
            balance,
        });
    }
    Ok(rows)
}
