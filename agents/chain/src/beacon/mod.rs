//! Beacons: what draws juries is brought to the chain by those who take part in disputes.
//!
//! Networks draw either with drand, whose rounds anybody may submit to the contract that verifies them, or, on development chains,
//! with the hash of a block, which is there by itself but is forgotten after 256 blocks unless somebody has it stored.

mod mirror;

pub use mirror::MIRRORS;

use crate::{Chain, SendError, Sender};
use alloy::{
    contract::Error as ContractError,
    primitives::{Address, U256},
    providers::Provider,
    rpc::types::Filter,
    sol,
    sol_types::{SolCall, SolEvent},
};
use cuckoo_protocol::contracts::{IDisputes, IRandomness};
use std::{
    collections::BTreeMap,
    sync::{Mutex as StdMutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Mutex, OnceCell},
    task::JoinSet,
    time::sleep,
};
use tracing::{info, warn};
use url::Url;

sol! {
    /// `contracts/randomness/DrandRandomness.sol`.
    #[sol(rpc, all_derives)]
    interface DrandRandomness {
        error InvalidSignature(uint256 round);
        error RoundKnown(uint256 round);
        function genesis() external view returns (uint256);
        function period() external view returns (uint256);
        function submit(uint64 round, uint256[2] calldata signature) external;
    }

    /// `contracts/randomness/BlockHashRandomness.sol`.
    interface BlockHashRandomness {
        event Stored(uint256 indexed id, bytes32 value);
        function store(uint256 id) external;
    }
}

/// The next mirror is asked when the one before has not answered for so long.
const HEAD_START: Duration = Duration::from_secs(1);
/// Pauses after failures double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where beacons come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// When round 1 was, and seconds from a round to the next.
    Drand {
        genesis: u64,
        period: u64,
    },
    BlockHash,
}

/// What is known of a beacon by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beacon {
    /// It does not exist yet, or a failed try was only just now.
    Awaited,
    /// It is on chain; somebody else brought it, or nobody had to.
    Known,
    /// This agent brought it.
    Brought,
}

/// Why a beacon could not be brought; a later try may succeed.
#[derive(Debug, thiserror::Error)]
pub enum BeaconError {
    /// The chain could not be read.
    #[error("the chain cannot be read: {0}")]
    Read(#[from] ContractError),
    /// No mirror gave the round's signature.
    #[error(
        "no mirror of drand's has a signature of round {round} that the contract takes ({reasons}): give others with --drand-url"
    )]
    Mirrors {
        /// Of drand.
        round: u64,
        /// Of each mirror.
        reasons: String,
    },
    /// The transaction failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Brings beacons, one at a time.
pub(crate) struct Beacons {
    mirrors: Vec<Url>,
    /// What is deployed: never changes.
    source: OnceCell<(Address, Source)>,
    bringing: Mutex<()>,
    /// Failures by beacon, and when to try again.
    failed: StdMutex<BTreeMap<u64, (u32, Instant)>>,
}

impl Beacons {
    /// With the URLs under which mirrors have their rounds.
    pub(crate) fn new(mirrors: Vec<Url>) -> Self {
        Self { mirrors, source: OnceCell::new(), bringing: Mutex::default(), failed: StdMutex::default() }
    }

    /// One try to have `beacon` on chain. Where others may bring it too, waits `patience` for them once it exists.
    pub(crate) async fn bring(
        &self,
        chain: &Chain,
        sender: &Sender,
        beacon: u64,
        patience: Duration,
    ) -> Result<Beacon, BeaconError> {
        let (address, source) = self.source(chain).await?;
        if is_known(chain, address, beacon).await? {
            return Ok(Beacon::Known);
        }
        // A block's hash comes by itself.
        let Source::Drand { genesis, period } = source else { return Ok(Beacon::Awaited) };
        let time = genesis.saturating_add(beacon.saturating_sub(1).saturating_mul(period));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        // A chain may lag behind the clock by which drand goes.
        if chain.now().max(wall) < time || self.is_resting(beacon) {
            return Ok(Beacon::Awaited);
        }
        sleep(patience).await;
        let _turn = self.bringing.lock().await;
        if is_known(chain, address, beacon).await? {
            return Ok(Beacon::Known);
        }
        let outcome = self.submit(chain, sender, address, beacon).await;
        self.note(beacon, outcome.is_err());
        outcome
    }

    /// Has a block's hash kept for as long as jurors need it, if nobody else has; a round of drand's stays by itself.
    pub(crate) async fn keep(&self, chain: &Chain, sender: &Sender, beacon: u64) -> Result<(), BeaconError> {
        let (address, source) = self.source(chain).await?;
        if source != Source::BlockHash {
            return Ok(());
        }
        let _turn = self.bringing.lock().await;
        let filter = Filter::new()
            .address(address)
            .from_block(beacon)
            .event_signature(BlockHashRandomness::Stored::SIGNATURE_HASH)
            .topic1(U256::from(beacon));
        if chain.provider().get_logs(&filter).await.map_err(ContractError::from)?.is_empty() {
            let call = BlockHashRandomness::storeCall { id: U256::from(beacon) };
            sender.send(address, call.abi_encode().into(), "store a beacon").await?;
        }
        Ok(())
    }

    /// Asks the chain where beacons come from: the contract that has drand's verb is drand's.
    async fn source(&self, chain: &Chain) -> Result<(Address, Source), ContractError> {
        let find = async || {
            let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
            let address = disputes.randomness().call().await?;
            let code = chain.provider().get_code_at(address).await?;
            // PUSH4 and the verb's selector, of which the contract's dispatch is made.
            let verb = [&[0x63][..], &DrandRandomness::submitCall::SELECTOR].concat();
            if !code.windows(verb.len()).any(|window| window == verb) {
                return Ok((address, Source::BlockHash));
            }
            let drand = DrandRandomness::new(address, chain.provider());
            let (genesis, period) = (drand.genesis().call().await?, drand.period().call().await?);
            Ok((address, Source::Drand { genesis: genesis.saturating_to(), period: period.saturating_to() }))
        };
        self.source.get_or_try_init(find).await.copied()
    }

    /// Submits what the first honest mirror has. What the contract would refuse is never sent.
    async fn submit(
        &self,
        chain: &Chain,
        sender: &Sender,
        address: Address,
        round: u64,
    ) -> Result<Beacon, BeaconError> {
        let signature = tokio::select! {
            signature = self.signature(chain, address, round) => signature?,
            known = until_known(chain, address, round) => known.map(|()| None)?,
        };
        let Some(signature) = signature else { return Ok(Beacon::Known) };
        let call = DrandRandomness::submitCall { round, signature };
        match sender.send(address, call.abi_encode().into(), "submit a beacon").await {
            Ok(_) => {
                info!(round, "drand's beacon submitted");
                Ok(Beacon::Brought)
            }
            // Somebody was faster, perhaps within the same block.
            Err(SendError::Refused(_) | SendError::Reverted { .. }) if is_known(chain, address, round).await? => {
                Ok(Beacon::Known)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// A round's signature that the contract takes; `None` if it has one already. Mirrors are asked in turn, the next one as soon as
    /// one has failed or is slow, and the first right answer counts.
    async fn signature(&self, chain: &Chain, address: Address, round: u64) -> Result<Option<[U256; 2]>, BeaconError> {
        let drand = DrandRandomness::new(address, chain.provider());
        let (mut waiting, mut asked, mut reasons) = (self.mirrors.iter(), JoinSet::new(), Vec::new());
        loop {
            if let Some(mirror) = waiting.next().cloned() {
                asked.spawn(async move { (name(&mirror), mirror::fetch(mirror, round).await) });
            }
            let answer = tokio::select! {
                answer = asked.join_next() => answer,
                () = sleep(HEAD_START), if waiting.len() > 0 => continue,
            };
            let Some(answer) = answer else {
                return Err(BeaconError::Mirrors { round, reasons: reasons.join("; ") });
            };
            let Ok((mirror, answer)) = answer else { continue };
            let reason = match answer {
                Ok(signature) => match drand.submit(round, signature).call().await {
                    Ok(_) => return Ok(Some(signature)),
                    Err(e) if e.as_decoded_error::<DrandRandomness::RoundKnown>().is_some() => return Ok(None),
                    Err(e) if e.as_decoded_error::<DrandRandomness::InvalidSignature>().is_some() => {
                        warn!(mirror, round, "this mirror of drand's gave a false signature: nothing was sent");
                        "a false signature".to_owned()
                    }
                    Err(e) => return Err(e.into()),
                },
                Err(e) => e.to_string(),
            };
            reasons.push(format!("{mirror}: {reason}"));
        }
    }

    fn is_resting(&self, beacon: u64) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(&beacon).is_some_and(|(_, until)| Instant::now() < *until)
    }

    /// Takes note of a try. Beacons long gone are forgotten.
    fn note(&self, beacon: u64, has_failed: bool) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, (_, until)| until.elapsed() < Duration::from_secs(3600));
        if !has_failed {
            failed.remove(&beacon);
            return;
        }
        let (count, until) = failed.entry(beacon).or_insert((0, Instant::now()));
        *until = Instant::now() + FIRST_PAUSE.saturating_mul(1 << (*count).min(10)).min(LONGEST_PAUSE);
        *count = count.saturating_add(1);
    }
}

async fn is_known(chain: &Chain, address: Address, beacon: u64) -> Result<bool, ContractError> {
    let seed = IRandomness::new(address, chain.provider()).seed(U256::from(beacon)).call().await?;
    Ok(!seed.is_zero())
}

/// Ends when somebody else has brought the beacon.
async fn until_known(chain: &Chain, address: Address, beacon: u64) -> Result<(), BeaconError> {
    loop {
        sleep(chain.timing().poll).await;
        if is_known(chain, address, beacon).await? {
            return Ok(());
        }
    }
}

/// For logs: without what may be a secret in the path.
fn name(url: &Url) -> String {
    url.origin().ascii_serialization()
}
