//! The connection to a chain: checked once to be the right one, then shared by all that read or write.

use crate::transport::{EndpointError, Failover};
use alloy::{
    contract::Error as ContractError,
    eips::BlockNumberOrTag,
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::{client::RpcClient, types::Header},
    transports::{RpcError, TransportError, TransportResult},
};
use cuckoo_protocol::{contracts::IRegistry, deployment::Deployment, message::Domain};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

/// Chain id of development chains, where blocks come every second and nobody waits.
const DEVELOPMENT_CHAIN: u64 = 31337;
/// Longest pause between two attempts to reach a chain.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two looks at the chain's head, and at a transaction's receipt.
    pub poll: Duration,
    /// A view is stale once the chain could not be read for so long.
    pub stale_after: Duration,
    /// A transaction that is not mined for so long is sent again with higher fees.
    pub bump_after: Duration,
}

impl Timing {
    /// Fitting the chain: short pauses on a development chain.
    pub fn of_chain(chain_id: u64) -> Self {
        let poll = if chain_id == DEVELOPMENT_CHAIN { Duration::from_millis(500) } else { Duration::from_secs(2) };
        Self { poll, stale_after: Duration::from_secs(15), bump_after: Duration::from_secs(30) }
    }
}

/// Why there is no connection to the chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// No RPC URL was given.
    #[error("no RPC URL was given: pass --rpc-url at least once")]
    NoUrl,
    /// The URL leads to another network than the deployment file is for.
    #[error(
        "the RPC {url} is on chain {actual} but the deployment file is for chain {expected}: pass another --rpc-url or --deployment"
    )]
    WrongChain {
        /// Scheme and host of the RPC.
        url: String,
        /// Of the deployment file.
        expected: u64,
        /// Of the RPC.
        actual: u64,
    },
    /// The deployment file's Registry is no Registry, or that of another network.
    #[error(
        "the Registry {registry} of the deployment file is not this network's ({detail}): was the chain started afresh, or is the deployment file of another network?"
    )]
    WrongRegistry {
        /// Address in the deployment file.
        registry: Address,
        /// What was wrong.
        detail: String,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// Shutdown was asked for while waiting for the chain.
    #[error("shut down while waiting for the chain")]
    Shutdown,
}

/// A connection to the chain that a network lives on. Clones share it.
#[derive(Clone)]
pub struct Chain(Arc<Inner>);

struct Inner {
    provider: DynProvider,
    deployment: Deployment,
    domain: Domain,
    timing: Timing,
    now: AtomicU64,
    shutdown: CancellationToken,
}

impl Chain {
    /// Connects to the first of `rpc_urls` that works, failing over to the others from then on. While none answers it warns and
    /// tries again, so that an agent can be started before its RPC is up.
    ///
    /// # Errors
    /// [`ChainError`]: a wrong chain or Registry, or `shutdown`.
    pub async fn connect(
        rpc_urls: Vec<Url>,
        deployment: Deployment,
        shutdown: CancellationToken,
    ) -> Result<Self, ChainError> {
        let timing = Timing::of_chain(deployment.chain_id);
        Self::connect_with(rpc_urls, deployment, timing, shutdown).await
    }

    /// [`Chain::connect`] with other waiting times.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn connect_with(
        rpc_urls: Vec<Url>,
        deployment: Deployment,
        timing: Timing,
        shutdown: CancellationToken,
    ) -> Result<Self, ChainError> {
        if rpc_urls.is_empty() {
            return Err(ChainError::NoUrl);
        }
        let transport = Failover::new(rpc_urls, deployment.chain_id)?;
        let client = RpcClient::new(transport.clone(), false).with_poll_interval(timing.poll);
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased();
        let domain = Domain::new(deployment.chain_id, deployment.contracts.registry);
        let mut backoff = timing.poll;
        let now = loop {
            match probe(&transport, &provider, &deployment, &domain).await {
                Ok(now) => break now,
                Err(Probe::Fault(e)) => return Err(e),
                Err(Probe::Down(e)) => warn!("no connection to the chain, trying again in {backoff:?}: {e}"),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(LONGEST_BACKOFF),
                () = shutdown.cancelled() => return Err(ChainError::Shutdown),
            }
        };
        Ok(Self(Arc::new(Inner { provider, deployment, domain, timing, now: AtomicU64::new(now), shutdown })))
    }

    /// For calls of contracts; fails over by itself.
    pub fn provider(&self) -> &DynProvider {
        &self.0.provider
    }

    /// Where the network's contracts are.
    pub fn deployment(&self) -> &Deployment {
        &self.0.deployment
    }

    /// The EIP-712 domain of the network's messages.
    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }

    /// Timestamp of the newest block seen, in chain seconds: what contracts compare expiries with. It moves while a
    /// [`crate::View`] follows the chain; without one it stays at what it was when the connection was made.
    pub fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Waiting times.
    pub fn timing(&self) -> Timing {
        self.0.timing
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// The newest block's header. Moves [`Chain::now`].
    pub(crate) async fn head(&self) -> TransportResult<Header> {
        let head = header(&self.0.provider, BlockNumberOrTag::Latest).await?;
        // A reorg may take the time back a little; messages must not come back to life.
        self.0.now.fetch_max(head.timestamp, Ordering::Relaxed);
        Ok(head)
    }
}

/// A block's header.
pub(crate) async fn header(provider: &DynProvider, block: BlockNumberOrTag) -> TransportResult<Header> {
    let block = provider.get_block_by_number(block).await?.ok_or(RpcError::NullResp)?;
    Ok(block.header)
}

enum Probe {
    /// Worth trying again.
    Down(String),
    /// Not without another configuration.
    Fault(ChainError),
}

impl From<TransportError> for Probe {
    fn from(e: TransportError) -> Self {
        Self::Down(e.to_string())
    }
}

/// Checks chain and Registry; the timestamp of the newest block.
async fn probe(
    transport: &Failover,
    provider: &DynProvider,
    deployment: &Deployment,
    domain: &Domain,
) -> Result<u64, Probe> {
    transport.check().await.map_err(|e| match e {
        EndpointError::WrongChain { name, expected, actual } => {
            Probe::Fault(ChainError::WrongChain { url: name, expected, actual })
        }
        e => Probe::Down(e.to_string()),
    })?;
    let head = header(provider, BlockNumberOrTag::Latest).await?;
    let registry = deployment.contracts.registry;
    let wrong = |detail: String| Probe::Fault(ChainError::WrongRegistry { registry, detail });
    if provider.get_code_at(registry).await?.is_empty() {
        return Err(wrong("there is no contract at this address".into()));
    }
    match IRegistry::new(registry, provider).domainSeparator().call().await {
        Ok(separator) if separator == domain.separator() => Ok(head.timestamp),
        Ok(_) => Err(wrong("its EIP-712 domain separator is another one".into())),
        Err(ContractError::TransportError(e)) if e.as_error_resp().is_none() => Err(e.into()),
        Err(e) => Err(wrong(e.to_string())),
    }
}
