//! What the view asks the chain.

use super::fold::{State, TOPICS};
use crate::{Chain, chain::header};
use alloy::{
    contract::Error as ContractError,
    eips::BlockNumberOrTag,
    primitives::{B256, U256},
    providers::Provider,
    rpc::types::{Filter, Header, Log},
    transports::TransportError,
};
use cuckoo_protocol::contracts::{ILens, Role};
use tracing::{debug, info, warn};

/// Operators a call: some 16 million gas with the longest introductions, which every node allows.
const PAGE: u64 = 64;
/// Most blocks a log query. Nodes differ in what they allow, so a refusal halves it.
const LONGEST_RANGE: u64 = 1_000;
/// Blocks on top of one that make it final where the chain does not say what is.
const CONFIRMATIONS: u64 = 32;

/// A block's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) hash: B256,
}

impl From<&Header> for Block {
    fn from(header: &Header) -> Self {
        Self { number: header.number, hash: header.hash }
    }
}

/// Why a look at the chain failed; the next may succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Rpc(#[from] TransportError),
    /// Another block has taken this one's number, or the RPC is behind one that was asked before.
    #[error("the chain moved while it was read")]
    Moved,
}

pub(super) struct Reader {
    pub(super) chain: Chain,
    /// Whether the chain says which block is final; `None` until it was asked.
    tells_final: Option<bool>,
    /// Blocks a log query.
    range: u64,
}

impl Reader {
    pub(super) fn new(chain: Chain) -> Self {
        Self { chain, tells_final: None, range: LONGEST_RANGE }
    }

    /// The newest final block, as of `head`.
    pub(super) async fn final_block(&mut self, head: &Header) -> Result<Block, ReadError> {
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
    pub(super) async fn block(&self, number: u64) -> Result<Block, ReadError> {
        match header(self.chain.provider(), number.into()).await {
            Ok(header) => Ok((&header).into()),
            Err(TransportError::NullResp) => Err(ReadError::Moved),
            Err(e) => Err(e.into()),
        }
    }

    /// All operators at `block`: from the Lens, or from all events since the deployment where the Lens cannot be called at that
    /// block, because it is younger or the node has dropped the state.
    pub(super) async fn state_at(&mut self, block: Block) -> Result<State, ReadError> {
        let state = match self.lens(block).await {
            Ok(state) => state,
            Err(ContractError::TransportError(e)) if !e.is_error_resp() => return Err(e.into()),
            Err(reason) => {
                info!(block = block.number, %reason, "reading all events instead of a snapshot");
                let (contracts, mut state) = (self.chain.deployment().contracts, State::default());
                for log in self.logs(self.chain.deployment().block, block.number).await? {
                    state.apply(&contracts, &log);
                }
                state
            }
        };
        // All pages and logs are of one chain if the block is still what it was.
        if self.block(block.number).await? == block { Ok(state) } else { Err(ReadError::Moved) }
    }

    async fn lens(&self, block: Block) -> Result<State, ContractError> {
        let lens = ILens::new(self.chain.deployment().contracts.lens, self.chain.provider());
        let mut state = State::default();
        for role in [Role::Miner, Role::Coordinator] {
            for page in 0.. {
                let call = lens.operators(role, U256::from(page * PAGE), U256::from(PAGE));
                let views = call.block(block.number.into()).call().await?;
                let full = views.len() as u64 == PAGE;
                views.into_iter().for_each(|view| state.insert(view));
                if !full {
                    break;
                }
            }
        }
        Ok(state)
    }

    /// Events of the blocks `from` to `to`, both included, in the chain's order.
    pub(super) async fn logs(&mut self, from: u64, to: u64) -> Result<Vec<Log>, ReadError> {
        let contracts = self.chain.deployment().contracts;
        let filter =
            Filter::new().address(vec![contracts.staking, contracts.registry]).event_signature(TOPICS.to_vec());
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
