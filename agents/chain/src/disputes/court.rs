//! Views and transactions of the Disputes contract.

use super::docket::{Dispute, Docket};
use crate::{
    Chain, SendError, Sender,
    beacon::{Beacon, BeaconError, Beacons, MIRRORS},
    logs::{LogReader, ReadError},
};
use alloy::{
    contract::Error as ContractError,
    primitives::{Address, B256, Bytes, TxHash, U256},
    rpc::types::{Filter, TransactionReceipt},
    sol_types::{SolCall, SolEvent},
};
use cuckoo_protocol::{
    contracts::{ICAI, IDisputes, Offer, Result as TaskResult},
    dispute::{Ballot, Opened, Part},
    message::Signed,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use url::Url;

/// Chunks a transaction: 64 KiB of data, half of what nodes take, for some 2 million gas.
pub const MAX_CHUNKS: usize = 4;

/// What an accusation is made of: the receipt, and which transition is false.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The coordinator's promise.
    pub offer: Signed<Offer>,
    /// The accused's commitment.
    pub result: Signed<TaskResult>,
    /// Canonical bytes of the request.
    pub request: Bytes,
    /// 0 for `init`, k + 1 for the step from sₖ, `states` for `finish`.
    pub transition: u32,
    /// Of the output, for `finish`; else [`cuckoo_protocol::dispute::no_tile`].
    pub tile: IDisputes::Tile,
}

/// Why a part could not be read from the chain; the next try may succeed.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The dispute's events are not known.
    #[error("the dispute is not on the docket")]
    Unknown,
    /// Chunks are missing, perhaps because the RPC lags behind.
    #[error("part {part:?}: {found} of {length} bytes were found in the logs; does the RPC keep them?")]
    Incomplete {
        /// Which.
        part: Part,
        /// Bytes.
        found: usize,
        /// Bytes.
        length: usize,
    },
}

/// The contract, and the key that speaks to it.
#[derive(Clone)]
pub struct Court {
    pub(super) chain: Chain,
    sender: Sender,
    /// Remembers whether the chain says what is final.
    pub(super) reader: Arc<Mutex<LogReader>>,
    /// Held from an approval to the challenge that uses it up.
    deposit: Arc<Mutex<()>>,
    beacons: Arc<Beacons>,
}

impl Court {
    /// Transactions go out through `sender`. Drand's beacons come from its public mirrors.
    pub fn new(chain: Chain, sender: Sender) -> Self {
        let mirrors = MIRRORS.iter().filter_map(|url| url.parse().ok()).collect();
        let reader = Arc::new(Mutex::new(LogReader::new(chain.clone())));
        Self { chain, sender, reader, deposit: Arc::default(), beacons: Arc::new(Beacons::new(mirrors)) }
    }

    /// Drand's beacons come from `mirrors`: the URLs under which they have their rounds, tried in this order.
    pub fn with_mirrors(self, mirrors: Vec<Url>) -> Self {
        Self { beacons: Arc::new(Beacons::new(mirrors)), ..self }
    }

    /// The account that sends.
    pub fn address(&self) -> Address {
        self.sender.address()
    }

    pub(super) fn contract(&self) -> IDisputes::IDisputesInstance<&alloy::providers::DynProvider> {
        IDisputes::new(self.chain.deployment().contracts.disputes, self.chain.provider())
    }

    /// Votes that the current round gives `operator`; zero while the round has no seed.
    ///
    /// # Errors
    /// The chain could not be asked.
    pub async fn votes(&self, id: B256, operator: Address) -> Result<u64, ContractError> {
        Ok(self.contract().votesOf(id, operator).call().await?.saturating_to())
    }

    /// Seed of the current round, `None` while its beacon is unknown.
    ///
    /// # Errors
    /// The chain could not be asked.
    pub async fn seed(&self, id: B256) -> Result<Option<B256>, ContractError> {
        Ok(Some(self.contract().seedOf(id).call().await?).filter(|seed| !seed.is_zero()))
    }

    /// One try to have a round's beacon on chain, after `patience` if others may bring it too.
    ///
    /// # Errors
    /// [`BeaconError`]; the next try may succeed. Pauses between tries grow by themselves.
    pub async fn bring_beacon(&self, beacon: u64, patience: Duration) -> Result<Beacon, BeaconError> {
        self.beacons.bring(&self.chain, &self.sender, beacon, patience).await
    }

    /// Has the current round's beacon kept where the chain would forget it: without it nobody has votes.
    ///
    /// # Errors
    /// [`BeaconError`].
    pub async fn keep_beacon(&self, id: B256) -> Result<(), BeaconError> {
        let beacon = self.contract().dispute(id).call().await?.beacon;
        self.beacons.keep(&self.chain, &self.sender, beacon).await
    }

    /// A bit for each chunk of a part that is not open yet; `None` if nothing of it is.
    ///
    /// # Errors
    /// The chain could not be asked.
    pub async fn missing(&self, result: B256, part: Part) -> Result<Option<U256>, ContractError> {
        let opened = self.contract().opened(result, part.index()).call().await?;
        Ok((!opened.leaf.is_zero()).then_some(opened.missing))
    }

    /// Parameters of a dispute that opens now.
    ///
    /// # Errors
    /// The chain could not be asked.
    pub async fn parameters(&self) -> Result<IDisputes::Parameters, ContractError> {
        let version = self.contract().currentVersion().call().await?;
        self.contract().parameters(version).call().await
    }

    /// Whether results of a model can be challenged.
    ///
    /// # Errors
    /// The chain could not be asked.
    pub async fn is_listed(&self, model: B256) -> Result<bool, ContractError> {
        self.contract().isListed(model).call().await
    }

    /// The bytes of a part that was opened, from the chain's logs.
    ///
    /// # Errors
    /// [`EvidenceError`], [`EvidenceError::Incomplete`] as long as chunks are missing.
    pub async fn evidence(&self, docket: &Docket, dispute: &Dispute, part: Part) -> Result<Vec<u8>, EvidenceError> {
        let result = dispute.accusation.result;
        let from = docket.first_block(result).ok_or(EvidenceError::Unknown)?;
        let filter = Filter::new()
            .address(self.chain.deployment().contracts.disputes)
            .event_signature(IDisputes::Opened::SIGNATURE_HASH)
            .topic2(result)
            .topic3(part.index());
        let head = self.chain.head().await.map_err(ReadError::from)?.number;
        let logs = LogReader::new(self.chain.clone()).logs(&filter, from, head).await?;
        let (mut chunks, mut length) = (BTreeMap::new(), 0);
        for log in logs {
            if let Ok(opened) = IDisputes::Opened::decode_log(&log.inner) {
                length = opened.length.saturating_to();
                chunks.insert(opened.chunk, opened.data.data.clone());
            }
        }
        let bytes: Vec<u8> = chunks.values().flatten().copied().collect();
        if bytes.is_empty() || bytes.len() != length {
            return Err(EvidenceError::Incomplete { part, found: bytes.len(), length });
        }
        Ok(bytes)
    }

    /// Disputes a transition. Approves bond and fee first, which are paid by the sending account; what comes back goes to its operator.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Refused`] says what the contract has against it, or how much CAI is wanting.
    pub async fn challenge(&self, challenge: &Challenge) -> Result<(B256, TxHash), SendError> {
        let _deposit = self.deposit.lock().await;
        self.approve().await?;
        let call = IDisputes::challengeCall {
            offer: challenge.offer.message.clone(),
            result: challenge.result.message.clone(),
            offerSignature: challenge.offer.signature_bytes().into(),
            resultSignature: challenge.result.signature_bytes().into(),
            request: challenge.request.clone(),
            transition: U256::from(challenge.transition),
            tile: challenge.tile.clone(),
        };
        let receipt = self.send(call, "challenge").await?;
        let opened = receipt.logs().iter().find_map(|log| log.log_decode::<IDisputes::Challenged>().ok());
        let id = opened.map(|log| log.inner.data.id).unwrap_or_default();
        Ok((id, receipt.transaction_hash))
    }

    /// Lets the contract take bond and fee of one dispute.
    async fn approve(&self) -> Result<(), SendError> {
        let read = |e: ContractError| SendError::Refused(format!("cannot read what a challenge costs: {e}"));
        let contracts = self.chain.deployment().contracts;
        let parameters = self.parameters().await.map_err(read)?;
        let deposit = U256::from(parameters.bond).saturating_add(U256::from(parameters.juryFee));
        let cai = ICAI::new(contracts.cai, self.chain.provider());
        let allowance = cai.allowance(self.address(), contracts.disputes).call().await.map_err(read)?;
        if allowance >= deposit {
            return Ok(());
        }
        let call = ICAI::approveCall { spender: contracts.disputes, amount: deposit };
        self.sender.send(contracts.cai, call.abi_encode().into(), "approve bond and fee").await.map(drop)
    }

    /// Opens chunks of a part: those whose bits are set in `missing`, at most [`MAX_CHUNKS`].
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn answer(&self, id: B256, opened: &Opened, missing: U256) -> Result<(), SendError> {
        let wanted = |chunk: &&IDisputes::Chunk| missing.bit(chunk.index.saturating_to());
        let chunks = opened.chunks.iter().filter(wanted).take(MAX_CHUNKS).cloned().collect();
        self.send(IDisputes::answerCall { id, opening: opened.opening.clone(), chunks }, "answer").await.map(drop)
    }

    /// Commits to a ballot.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn commit(&self, id: B256, commitment: B256) -> Result<(), SendError> {
        self.send(IDisputes::commitCall { id, commitment }, "commit").await.map(drop)
    }

    /// Opens a ballot.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn reveal(&self, id: B256, ballot: &Ballot) -> Result<(), SendError> {
        let Ballot { verdict, probe, salt } = *ballot;
        self.send(IDisputes::revealCall { id, verdict, probe, salt }, "reveal").await.map(drop)
    }

    /// Brings a dispute as far as time allows.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Refused`] if nothing is due, or somebody else was first.
    pub async fn resolve(&self, id: B256) -> Result<(), SendError> {
        self.send(IDisputes::resolveCall { id }, "resolve").await.map(drop)
    }

    /// Pays a juror; the CAI wei that its operator got.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Refused`] if the vote is not paid.
    pub async fn claim(&self, id: B256, round: u64, index: u64) -> Result<U256, SendError> {
        let (round, index) = (U256::from(round), U256::from(index));
        let receipt = self.send(IDisputes::claimCall { id, round, index }, "claim a juror's pay").await?;
        let claimed = receipt.logs().iter().find_map(|log| log.log_decode::<IDisputes::Claimed>().ok());
        Ok(claimed.map(|log| log.inner.data.amount).unwrap_or_default())
    }

    async fn send(&self, call: impl SolCall, label: &str) -> Result<TransactionReceipt, SendError> {
        self.sender.send(self.chain.deployment().contracts.disputes, call.abi_encode().into(), label).await
    }
}
