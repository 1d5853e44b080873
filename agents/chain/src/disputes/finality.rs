//! What a reorganisation cannot take back any more.

use super::Court;
use crate::{
    chain::header,
    logs::{Block, ReadError},
};
use alloy::{eips::BlockId, primitives::B256, rpc::types::Filter, sol_types::SolEvent};
use cuckoo_protocol::contracts::IDisputes::{self, Phase};

/// Blocks in which the end of a dispute is looked for.
const LOOK_BACK: u64 = 5_000;

impl Court {
    /// How a dispute ended; `None` if it has not, is not known, or a reorganisation may still take its end back.
    ///
    /// # Errors
    /// [`ReadError`]; the next look may succeed.
    pub async fn final_outcome(&self, id: B256) -> Result<Option<Phase>, ReadError> {
        let Some(head) = self.settled(self.resolved().topic1(id)).await? else { return Ok(None) };
        match self.contract().dispute(id).block(head).call().await {
            Ok(dispute) => {
                Ok(Some(dispute.phase)
                    .filter(|phase| matches!(phase, Phase::Convicted | Phase::Acquitted | Phase::Drawn)))
            }
            Err(e) if e.as_decoded_error::<IDisputes::UnknownDispute>().is_some() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What was said at a dispute's end, if that was within the last [`LOOK_BACK`] blocks.
    ///
    /// # Errors
    /// [`ReadError`]; the next look may succeed.
    pub async fn end(&self, id: B256) -> Result<Option<IDisputes::Resolved>, ReadError> {
        let head = self.chain.head().await?.number;
        let filter = self.resolved().topic1(id);
        let logs = self.reader.lock().await.logs(&filter, head.saturating_sub(LOOK_BACK), head).await?;
        Ok(logs.first().and_then(|log| IDisputes::Resolved::decode_log(&log.inner).ok()).map(|log| log.data))
    }

    /// Whether a result has been convicted, by whoever's dispute, and no reorganisation can take that back.
    ///
    /// # Errors
    /// [`ReadError`]; the next look may succeed.
    pub async fn is_convicted_for_good(&self, result: B256) -> Result<bool, ReadError> {
        let Some(head) = self.settled(self.resolved().topic2(result)).await? else { return Ok(false) };
        Ok(self.contract().convicted(result).block(head).call().await?)
    }

    /// Whether the finalized block is later than `time` (chain seconds): what had to be on chain by then either is, or never will be.
    ///
    /// # Errors
    /// [`ReadError`]; the next look may succeed.
    pub async fn is_past(&self, time: u64) -> Result<bool, ReadError> {
        let head = self.chain.head().await?;
        let last = self.reader.lock().await.final_block(&head).await?;
        Ok(header(self.chain.provider(), last.number.into()).await?.timestamp > time)
    }

    fn resolved(&self) -> Filter {
        let disputes = self.chain.deployment().contracts.disputes;
        Filter::new().address(disputes).event_signature(IDisputes::Resolved::SIGNATURE_HASH)
    }

    /// The head, if nothing that `filter` lets through lies above the finalized block: what the head shows of it is final then. So only
    /// the newest blocks' logs are needed, and the state of none but the newest block.
    async fn settled(&self, filter: Filter) -> Result<Option<BlockId>, ReadError> {
        let mut reader = self.reader.lock().await;
        let head = self.chain.head().await?;
        let last = reader.final_block(&head).await?;
        let recent = reader.logs(&filter, last.number + 1, head.number).await?;
        // A node that lags behind the one asked before answers with fewer logs and no error. What knows the head has them all.
        if reader.block(head.number).await? != Block::from(&head) {
            return Err(ReadError::Moved);
        }
        Ok(recent.is_empty().then(|| head.hash.into()))
    }
}
