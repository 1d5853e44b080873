//! What all of a miner's sessions share.

use crate::{credit::Credit, duty::Bench, slots::Slots, store::Store};
use alloy::primitives::{B256, U256};
use cuckoo_protocol::manifest::Manifest;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What all of a miner's sessions share.
pub struct Workshop {
    /// What must not be lost.
    pub store: Store,
    /// Where the work is done.
    pub slots: Arc<Slots>,
    /// Where other miners' work is checked; None if it is not.
    pub checking: Option<Bench>,
    /// Models that it runs.
    pub models: BTreeMap<B256, Manifest>,
    /// Wei a pricing unit.
    pub least_price: U256,
    /// What coordinators may owe.
    pub credit: Credit,
    /// Bytes of traces above which no work is claimed.
    pub trace_cap: u64,
    /// Chain seconds.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Told when a voucher has grown.
    pub earned: Notify,
    /// Ends the work on leases, once stopping has taken long enough.
    pub abandon: CancellationToken,
    /// Stops the agent when it cannot work any more.
    pub broken: CancellationToken,
}
