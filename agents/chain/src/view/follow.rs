//! Follows the chain: looks at its head again and again.

use super::{Snapshot, fold::State, read::Reader, snapshot::Operators};
use crate::{
    Chain, ChainError,
    logs::{Block, ReadError},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Longest pause between two attempts to read the chain.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

pub(super) struct Follower {
    reader: Reader,
    /// Up to which `final_state` is folded. At first one that is on no chain, so that the first look reads everything.
    final_block: Block,
    final_state: State,
    /// The newest block that was seen.
    head: Block,
    /// Whether there were events above the final block at the last look: the next may see them become final, or vanish.
    unsettled: bool,
    operators: Arc<Operators>,
}

impl Follower {
    /// Reads the network for the first time, for as long as it takes.
    pub(super) async fn start(chain: Chain, shutdown: &CancellationToken) -> Result<(Self, Snapshot), ChainError> {
        let mut backoff = chain.timing().poll;
        let mut follower = Self {
            reader: Reader::new(chain),
            final_block: Block::default(),
            final_state: State::default(),
            head: Block::default(),
            unsettled: true,
            operators: Arc::default(),
        };
        loop {
            match follower.look().await {
                Ok(Some(snapshot)) => return Ok((follower, snapshot)),
                Ok(None) => {}
                Err(e) => warn!("cannot read the network, trying again: {e}"),
            }
            tokio::select! {
                () = sleep(backoff) => backoff = (backoff * 2).min(LONGEST_BACKOFF),
                () = shutdown.cancelled() => return Err(ChainError::Shutdown),
            }
        }
    }

    /// Looks until `shutdown`, or until nobody is left to show anything to.
    pub(super) async fn run(mut self, snapshots: watch::Sender<Arc<Snapshot>>, shutdown: CancellationToken) {
        let timing = self.reader.chain().timing();
        let (mut pause, mut read_at) = (timing.poll, Instant::now());
        loop {
            let looked = async {
                sleep(pause).await;
                self.look().await
            };
            let looked = tokio::select! {
                looked = looked => looked,
                () = shutdown.cancelled() => return,
                () = snapshots.closed() => return,
            };
            let was_stale = snapshots.borrow().stale;
            match looked {
                Ok(news) => {
                    (pause, read_at) = (timing.poll, Instant::now());
                    if was_stale {
                        info!("the chain can be read again");
                    }
                    match news {
                        Some(snapshot) => drop(snapshots.send_replace(Arc::new(snapshot))),
                        None if was_stale => snapshots.send_modify(|last| Arc::make_mut(last).stale = false),
                        None => {}
                    }
                }
                Err(e) => {
                    debug!("cannot read the chain: {e}");
                    pause = (pause * 2).min(LONGEST_BACKOFF).max(timing.poll);
                    if !was_stale && read_at.elapsed() >= timing.stale_after {
                        warn!(
                            "the chain could not be read for {:?}, going on with what is known: {e}",
                            timing.stale_after
                        );
                        snapshots.send_modify(|last| Arc::make_mut(last).stale = true);
                    }
                }
            }
        }
    }

    /// One look at the chain: the new snapshot, or `None` if there is nothing new. Changes nothing when it fails.
    async fn look(&mut self) -> Result<Option<Snapshot>, ReadError> {
        let header = self.reader.chain().head().await?;
        let (head, last) = (Block::from(&header), self.reader.blocks.final_block(&header).await?);
        if head == self.head && last == self.final_block {
            return Ok(None);
        }
        let at_final = if last.number == self.final_block.number {
            last
        } else {
            self.reader.blocks.block(self.final_block.number).await?
        };
        if at_final != self.final_block {
            if self.final_block != Block::default() {
                warn!(block = at_final.number, "a block that was final is another one now: reading the network anew");
            }
            self.final_state = self.reader.state_at(last).await?;
            (self.final_block, self.unsettled) = (last, true);
        }
        let logs = self.reader.logs(self.final_block.number + 1, head.number).await?;
        // A node that lags behind the one asked before answers with fewer logs and no error. What knows the head has them all.
        if self.reader.blocks.block(head.number).await? != head {
            return Err(ReadError::Moved);
        }

        let contracts = self.reader.chain().deployment().contracts;
        let (settled, pending): (Vec<_>, Vec<_>) =
            logs.iter().partition(|log| log.block_number.is_some_and(|number| number <= last.number));
        settled.iter().for_each(|log| self.final_state.apply(&contracts, log));
        if last.number > self.final_block.number {
            self.final_block = last;
        }
        self.head = head;
        if self.unsettled || !logs.is_empty() {
            let mut head_state = self.final_state.clone();
            pending.iter().for_each(|log| head_state.apply(&contracts, log));
            self.operators = Arc::new(Operators::effective(&self.final_state, &head_state));
        }
        self.unsettled = !pending.is_empty();
        Ok(Some(Snapshot {
            block: head.number,
            timestamp: header.timestamp,
            final_block: self.final_block.number,
            stale: false,
            operators: self.operators.clone(),
        }))
    }
}
