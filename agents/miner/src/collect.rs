//! Turning vouchers into CAI: collecting on chain what they promise.

use crate::{metrics, workshop::Workshop};
use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider,
    rpc::types::TransactionReceipt,
    sol_types::SolCall,
};
use cuckoo_chain::{Chain, SendError, Sender};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::{IPayments, Voucher},
    message::Signed,
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Between looks at the channels while no voucher grows.
const INTERVAL: Duration = Duration::from_secs(60);

/// Between looks while a channel that owes enough is empty: its coordinator is about to fund it, or to be given up.
const EMPTY_INTERVAL: Duration = Duration::from_secs(10);

/// Between looks while vouchers grow.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);

/// For the last collection, when the agent stops.
const LAST: Duration = Duration::from_secs(20);

/// Collects a miner's vouchers.
pub struct Collector {
    /// Where they are kept.
    pub workshop: Arc<Workshop>,
    /// Where the channels are.
    pub chain: Chain,
    /// Pays the gas; what is collected goes to the vouchers' payees.
    pub sender: Sender,
    /// Wei uncollected in one channel from which on it is collected.
    pub collect_at: U256,
}

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
enum CollectError {
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("the chain cannot be read: {0}")]
    Read(#[from] alloy::contract::Error),
    #[error("the chain cannot be read: {0}")]
    Rpc(#[from] alloy::transports::TransportError),
    #[error("the node {0} has no native coin to pay gas with: send it some")]
    NoGas(Address),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Collector {
    /// Collects whenever there is enough, until `stop`; then a last time, within bounds.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let patience = if self.attempt().await { EMPTY_INTERVAL } else { INTERVAL };
            tokio::select! {
                () = stop.cancelled() => {}
                () = async {
                    sleep(LEAST_INTERVAL).await;
                    let _ = tokio::time::timeout(patience, self.workshop.earned.notified()).await;
                } => {}
            }
        }
        if tokio::time::timeout(LAST, self.attempt()).await.is_err() {
            warn!("the last collection took too long: the vouchers are kept for the next start");
        }
    }

    /// Whether a channel that owes enough is empty.
    async fn attempt(&self) -> bool {
        self.collect().await.unwrap_or_else(|error| {
            warn!("nothing was collected: {error}");
            false
        })
    }

    async fn collect(&self) -> Result<bool, CollectError> {
        let payments = self.chain.deployment().contracts.payments;
        let (mut due, mut empty, mut earned, mut collected) = (Vec::new(), false, U256::ZERO, U256::ZERO);
        for voucher in self.workshop.store.vouchers().await? {
            let Voucher { payer, payee, cumulative } = voucher.message;
            let channel = IPayments::new(payments, self.chain.provider()).channel(payer, payee).call().await?;
            earned += cumulative;
            collected += channel.collected;
            let uncollected = cumulative.saturating_sub(channel.collected);
            // What the payer is about to take out again is not sure.
            let sure = channel.balance.saturating_sub(channel.thawing);
            self.workshop.credit.note(payer, cumulative, channel.collected.saturating_add(sure));
            if uncollected.is_zero() || uncollected < self.collect_at {
                continue;
            }
            if channel.balance.is_zero() {
                debug!(coordinator = %payer, uncollected = format_cai(uncollected), "the channel is empty");
                empty = true;
                continue;
            }
            due.push(voucher);
        }
        metrics::money(earned, collected);
        if due.is_empty() {
            return Ok(empty);
        }
        let node = self.sender.address();
        if self.chain.provider().get_balance(node).await?.is_zero() {
            return Err(CollectError::NoGas(node));
        }
        match self.send(&due).await {
            // One voucher that the contract does not take, of a node replaced long ago, must not hold back the others.
            Err(SendError::Refused(_)) if due.len() > 1 => {
                for voucher in &due {
                    if let Err(error) = self.send(std::slice::from_ref(voucher)).await {
                        warn!(coordinator = %voucher.message.payer, "its voucher was not collected: {error}");
                    }
                }
                Ok(empty)
            }
            other => other.map(|()| empty).map_err(CollectError::from),
        }
    }

    async fn send(&self, vouchers: &[Signed<Voucher>]) -> Result<(), SendError> {
        let payments = self.chain.deployment().contracts.payments;
        let receipt = self.sender.send(payments, calldata(vouchers), "collect").await?;
        for paid in collected(&receipt, payments) {
            info!(
                coordinator = %paid.payer,
                amount = format_cai(paid.amount.saturating_sub(paid.fee)),
                burned = format_cai(paid.fee),
                transaction = %receipt.transaction_hash,
                "collected"
            );
        }
        Ok(())
    }
}

fn calldata(vouchers: &[Signed<Voucher>]) -> Bytes {
    let vouchers = vouchers.iter().map(|voucher| IPayments::SignedVoucher {
        payer: voucher.message.payer,
        payee: voucher.message.payee,
        cumulative: voucher.message.cumulative,
        signature: voucher.signature_bytes().into(),
    });
    IPayments::collectManyCall { vouchers: vouchers.collect() }.abi_encode().into()
}

/// The `Collected` events of `payments` in a receipt.
fn collected(receipt: &TransactionReceipt, payments: Address) -> impl Iterator<Item = IPayments::Collected> {
    receipt
        .logs()
        .iter()
        .filter(move |log| log.address() == payments)
        .filter_map(|log| log.log_decode::<IPayments::Collected>().ok())
        .map(|log| log.inner.data)
}
