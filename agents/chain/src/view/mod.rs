//! Who is registered, with what weight: a snapshot at the finalized block, then events.
//!
//! There are two states: the *final* one, folded up to the finalized block, and the *head's*, which is the final one plus the
//! events above it. What was gained counts when it is final, what was lost counts at the head, so an operator's weight is the
//! smaller of both. Nothing above the finalized block is remembered between two looks at the chain: a reorg needs no undoing,
//! because the next look reads that stretch anew. Should a block change that was called final, everything is read anew.

mod fold;
mod follow;
mod read;
mod snapshot;

use crate::{
    Chain, ChainError,
    chain::header,
    logs::{Block, ReadError},
};
use alloy::transports::RpcError;
pub use snapshot::{Operator, Snapshot};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The network as it was at the newest block seen; clones are cheap.
#[derive(Clone)]
pub struct View {
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl View {
    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// Tells of every new snapshot: one a block, and one when it becomes stale.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}

/// Reads the network, waiting for the RPC if need be, and follows it in a task of its own until `shutdown`, or until the last
/// clone of the view is gone.
///
/// # Errors
/// [`ChainError::Shutdown`] if that came first.
pub async fn follow(chain: &Chain, shutdown: CancellationToken) -> Result<View, ChainError> {
    let (follower, first) = follow::Follower::start(chain.clone(), &shutdown).await?;
    let (sender, snapshots) = watch::channel(Arc::new(first));
    tokio::spawn(follower.run(sender, shutdown));
    Ok(View { snapshots })
}

/// The network as a view shows it that knows the block `block` and the final block `final_block`, old ones as a rule.
///
/// # Errors
/// [`ReadError`]; [`ReadError::Moved`] if the chain has no such blocks.
pub async fn at(chain: &Chain, block: u64, final_block: u64) -> Result<Snapshot, ReadError> {
    let mut reader = read::Reader::new(chain.clone());
    let head = header(chain.provider(), block.into()).await.map_err(|error| match error {
        RpcError::NullResp => ReadError::Moved,
        error => error.into(),
    })?;
    let last = reader.blocks.block(final_block).await?;
    let (last, newest) = (reader.state_at(last).await?, reader.state_at(Block::from(&head)).await?);
    let operators = Arc::new(snapshot::Operators::effective(&last, &newest));
    Ok(Snapshot { block, timestamp: head.timestamp, final_block, stale: false, operators })
}
