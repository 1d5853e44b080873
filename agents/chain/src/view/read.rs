//! What the view asks the chain.

use super::fold::{State, TOPICS};
use crate::{
    Chain,
    logs::{Block, LogReader, ReadError},
};
use alloy::{
    contract::Error as ContractError,
    primitives::U256,
    rpc::types::{Filter, Log},
};
use cuckoo_protocol::contracts::{ILens, Role};
use tracing::info;

/// Operators a call: some 16 million gas with the longest introductions, which every node allows.
const PAGE: u64 = 64;

pub(super) struct Reader {
    pub(super) blocks: LogReader,
}

impl Reader {
    pub(super) fn new(chain: Chain) -> Self {
        Self { blocks: LogReader::new(chain) }
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.blocks.chain
    }

    /// All operators at `block`: from the Lens, or from all events since the deployment where the Lens cannot be called at that
    /// block, because it is younger or the node has dropped the state.
    pub(super) async fn state_at(&mut self, block: Block) -> Result<State, ReadError> {
        let state = match self.lens(block).await {
            Ok(state) => state,
            Err(ContractError::TransportError(e)) if !e.is_error_resp() => return Err(e.into()),
            Err(reason) => {
                info!(block = block.number, %reason, "reading all events instead of a snapshot");
                let (contracts, mut state) = (self.chain().deployment().contracts, State::default());
                for log in self.logs(self.chain().deployment().block, block.number).await? {
                    state.apply(&contracts, &log);
                }
                state
            }
        };
        // All pages and logs are of one chain if the block is still what it was.
        if self.blocks.block(block.number).await? == block { Ok(state) } else { Err(ReadError::Moved) }
    }

    async fn lens(&self, block: Block) -> Result<State, ContractError> {
        let lens = ILens::new(self.chain().deployment().contracts.lens, self.chain().provider());
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

    /// Operators' events of the blocks `from` to `to`, both included, in the chain's order.
    pub(super) async fn logs(&mut self, from: u64, to: u64) -> Result<Vec<Log>, ReadError> {
        let contracts = self.chain().deployment().contracts;
        let filter =
            Filter::new().address(vec![contracts.staking, contracts.registry]).event_signature(TOPICS.to_vec());
        self.blocks.logs(&filter, from, to).await
    }
}
