//! Keeps a docket up to date.

use super::docket::{Docket, TOPICS};
use crate::{
    Chain, ChainError,
    chain::header,
    logs::{Block, LogReader, ReadError},
};
use alloy::{
    primitives::U256,
    rpc::types::{Filter, Log},
};
use cuckoo_protocol::contracts::{IDisputes, IStaking};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Longest pause between two attempts to read the chain.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Blocks that are read before what was read is kept: a failure repeats no more than these.
const STRETCH: u64 = 10_000;

/// The disputes as they were at the newest block seen; clones are cheap.
#[derive(Clone)]
pub struct Following {
    dockets: watch::Receiver<Arc<Docket>>,
}

impl Following {
    /// The newest docket.
    pub fn docket(&self) -> Arc<Docket> {
        self.dockets.borrow().clone()
    }

    /// Tells of every new docket: one a block, and one when it becomes stale.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Docket>> {
        self.dockets.clone()
    }
}

/// Reads all disputes that can still be alive, waiting for the RPC if need be, and follows them in a task of its own until
/// `shutdown`, or until the last clone of what it returns is gone. Disputes last at most two epochs, by the contract's own check;
/// what is older was left lying by everybody, and is not found.
///
/// # Errors
/// [`ChainError::Shutdown`] if that came first.
pub async fn follow(chain: &Chain, shutdown: CancellationToken) -> Result<Following, ChainError> {
    let mut follower = Follower {
        reader: LogReader::new(chain.clone()),
        settled: None,
        settled_docket: Docket::default(),
        head: Block::default(),
        lifetime: 0,
    };
    let mut backoff = chain.timing().poll;
    let first = loop {
        match follower.look().await {
            Ok(Some(docket)) => break docket,
            Ok(None) => {}
            Err(e) => warn!("cannot read the disputes, trying again: {e}"),
        }
        tokio::select! {
            () = sleep(backoff) => backoff = (backoff * 2).min(LONGEST_BACKOFF),
            () = shutdown.cancelled() => return Err(ChainError::Shutdown),
        }
    };
    info!(open = first.open().count(), block = first.block, "following disputes");
    let (sender, dockets) = watch::channel(Arc::new(first));
    tokio::spawn(follower.run(sender, shutdown));
    Ok(Following { dockets })
}

struct Follower {
    reader: LogReader,
    /// Up to which `settled_docket` is folded; `None` before the first look.
    settled: Option<Block>,
    settled_docket: Docket,
    /// The newest block that was seen.
    head: Block,
    /// Seconds for which a dispute can live.
    lifetime: u64,
}

impl Follower {
    async fn run(mut self, dockets: watch::Sender<Arc<Docket>>, shutdown: CancellationToken) {
        let timing = self.reader.chain.timing();
        let (mut pause, mut read_at) = (timing.poll, Instant::now());
        loop {
            let looked = async {
                sleep(pause).await;
                self.look().await
            };
            let looked = tokio::select! {
                looked = looked => looked,
                () = shutdown.cancelled() => return,
                () = dockets.closed() => return,
            };
            let was_stale = dockets.borrow().stale;
            match looked {
                Ok(news) => {
                    (pause, read_at) = (timing.poll, Instant::now());
                    match news {
                        Some(docket) => drop(dockets.send_replace(Arc::new(docket))),
                        None if was_stale => dockets.send_modify(|last| Arc::make_mut(last).stale = false),
                        None => {}
                    }
                }
                Err(e) => {
                    debug!("cannot read the disputes: {e}");
                    pause = (pause * 2).min(LONGEST_BACKOFF).max(timing.poll);
                    if !was_stale && read_at.elapsed() >= timing.stale_after {
                        warn!("disputes could not be read for {:?}: a deadline may pass: {e}", timing.stale_after);
                        dockets.send_modify(|last| Arc::make_mut(last).stale = true);
                    }
                }
            }
        }
    }

    /// One look at the chain: the new docket, or `None` if there is nothing new. Keeps what became final, if it fails later.
    async fn look(&mut self) -> Result<Option<Docket>, ReadError> {
        let header = self.reader.chain.head().await?;
        let (head, last) = (Block::from(&header), self.reader.final_block(&header).await?);
        let mut settled = self.settled(header.timestamp).await?;
        if head == self.head {
            return Ok(None);
        }
        let disputes = self.reader.chain.deployment().contracts.disputes;
        while settled.number < last.number {
            let number = last.number.min(settled.number.saturating_add(STRETCH));
            let end = if number == last.number { last } else { self.reader.block(number).await? };
            let logs = self.logs(settled.number + 1, number).await?;
            if self.reader.block(number).await? != end {
                return Err(ReadError::Moved);
            }
            logs.iter().for_each(|log| self.settled_docket.apply(disputes, log));
            settled = end;
            self.settled = Some(end);
        }
        let pending = self.logs(settled.number + 1, head.number).await?;
        // A node that lags behind the one asked before answers with fewer logs and no error. What knows the head has them all.
        if self.reader.block(head.number).await? != head {
            return Err(ReadError::Moved);
        }
        self.settled_docket.forget(header.timestamp.saturating_sub(self.lifetime.saturating_mul(2)));
        let mut docket = self.settled_docket.clone();
        pending.iter().for_each(|log| docket.apply(disputes, log));
        self.read_parameters(&mut docket).await?;
        self.settled_docket.take_parameters(&docket);
        self.head = head;
        (docket.block, docket.timestamp) = (head.number, header.timestamp);
        Ok(Some(docket))
    }

    /// Up to which block the settled docket is folded: begins anew, before the oldest block in which a dispute that can still be
    /// alive began, if there is none yet or if the block was dropped by the chain.
    async fn settled(&mut self, now: u64) -> Result<Block, ReadError> {
        if let Some(settled) = self.settled {
            match self.reader.block(settled.number).await {
                Ok(block) if block == settled => return Ok(settled),
                Ok(_) | Err(ReadError::Moved) => {}
                Err(e) => return Err(e),
            }
            warn!(block = settled.number, "a block that was final is another one now: reading the disputes anew");
        }
        let contracts = self.reader.chain.deployment().contracts;
        let epoch = IStaking::new(contracts.staking, self.reader.chain.provider()).epochLength().call().await?;
        self.lifetime = epoch.saturating_mul(U256::from(2)).saturating_to();
        let number = self.block_at(now.saturating_sub(self.lifetime)).await?.saturating_sub(1);
        let block = self.reader.block(number).await?;
        (self.settled, self.settled_docket, self.head) = (Some(block), Docket::default(), Block::default());
        Ok(block)
    }

    /// The first block since the deployment that is not older than `time` (chain seconds), or the newest.
    async fn block_at(&self, time: u64) -> Result<u64, ReadError> {
        let provider = self.reader.chain.provider();
        let (mut low, mut high) = (self.reader.chain.deployment().block, self.reader.chain.head().await?.number);
        while low < high {
            let middle = low + (high - low) / 2;
            if header(provider, middle.into()).await?.timestamp < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    async fn logs(&mut self, from: u64, to: u64) -> Result<Vec<Log>, ReadError> {
        let disputes = self.reader.chain.deployment().contracts.disputes;
        let filter = Filter::new().address(disputes).event_signature(TOPICS.to_vec());
        self.reader.logs(&filter, from, to).await
    }

    async fn read_parameters(&self, docket: &mut Docket) -> Result<(), ReadError> {
        let chain = &self.reader.chain;
        let contract = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
        for version in docket.unknown_versions() {
            let parameters = contract.parameters(U256::from(version)).call().await?;
            docket.set_parameters(version, parameters);
        }
        Ok(())
    }
}
