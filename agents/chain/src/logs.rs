//! Blocks and logs, as an RPC gives them: final ones told apart, log queries cut to what a node allows.

use crate::{Chain, chain::header};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::B256,
    providers::Provider,
    rpc::types::{Filter, Header, Log},
    transports::TransportError,
};
use tracing::{debug, warn};

/// Most blocks a log query. Nodes differ in what they allow, so a refusal halves it.
const LONGEST_RANGE: u64 = 1_000;
/// Blocks on top of one that make it final where the chain does not say what is.
const CONFIRMATIONS: u64 = 32;

/// A block's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) hash: B256,
}

impl From<&Header> for Block {
    fn from(header: &Header) -> Self {
        Self { number: header.number, hash: header.hash }
    }
}

/// Why a look at the chain failed; the next may succeed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The chain could not be asked.
    #[error("{0}")]
    Rpc(#[from] TransportError),
    /// A contract could not be asked.
    #[error("{0}")]
    Call(#[from] alloy::contract::Error),
    /// Another block has taken this one's number, or the RPC is behind one that was asked before.
    #[error("the chain moved while it was read")]
    Moved,
}

/// Reads blocks and logs, and remembers what the RPC can do.
pub(crate) struct LogReader {
    pub(crate) chain: Chain,
    /// Whether the chain says which block is final; `None` until it was asked.
    tells_final: Option<bool>,
    /// Blocks a log query.
    range: u64,
}

impl LogReader {
    pub(crate) fn new(chain: Chain) -> Self {
        Self { chain, tells_final: None, range: LONGEST_RANGE }
    }

    /// The newest final block, as of `head`.
    pub(crate) async fn final_block(&mut self, head: &Header) -> Result<Block, ReadError> {
        if self.tells_final != Some(false) {
            match self.chain.provider().get_block_by_number(BlockNumberOrTag::Finalized).await {
                Ok(Some(block)) => {
                    self.tells_final = Some(true);
                    return Ok((&block.header).into());
                }
                // Decided once: a node that hiccups later must not loosen what counts as final.
                Err(e) if self.tells_final == Some(true) || !e.is_error_resp() => return Err(e.into()),
                Ok(None) if self.tells_final == Some(true) => return Err(ReadError::Moved),
                Ok(None) | Err(_) => {
                    warn!("the chain does not say which block is final: {CONFIRMATIONS} confirmations must do");
                    self.tells_final = Some(false);
                }
            }
        }
        self.block(head.number.saturating_sub(CONFIRMATIONS)).await
    }

    /// The block of a number.
    pub(crate) async fn block(&self, number: u64) -> Result<Block, ReadError> {
        match header(self.chain.provider(), number.into()).await {
            Ok(header) => Ok((&header).into()),
            Err(TransportError::NullResp) => Err(ReadError::Moved),
            Err(e) => Err(e.into()),
        }
    }

    /// What `filter` lets through of the blocks `from` to `to`, both included, in the chain's order.
    pub(crate) async fn logs(&mut self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, ReadError> {
        let mut logs = Vec::new();
        // Nothing lies before the deployment.
        let mut next = from.max(self.chain.deployment().block);
        while next <= to {
            let last = to.min(next.saturating_add(self.range - 1));
            let length = last - next + 1;
            match self.chain.provider().get_logs(&filter.clone().from_block(next).to_block(last)).await {
                Ok(page) => {
                    logs.extend(page);
                    next = last + 1;
                    if length == self.range {
                        // Slowly back: the refusal may have been about a busy stretch, or a busy node.
                        self.range = (self.range + self.range / 16 + 1).min(LONGEST_RANGE);
                    }
                }
                Err(e) if e.is_error_resp() && length > 1 => {
                    self.range = length / 2;
                    debug!("the RPC refuses {length} blocks of logs, asking for {} at a time: {e}", self.range);
                }
                Err(e) => return Err(e.into()),
            }
        }
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        Ok(logs)
    }
}
