//! Beacons on a real chain with the real contracts; drand is played, by honest mirrors and others.

mod support;

use alloy::{
    primitives::{B256, U256},
    providers::DynProvider,
    signers::local::PrivateKeySigner,
};
use cuckoo_chain::{
    Chain, Sender,
    beacon::{Beacon, BeaconError},
    disputes::Court,
};
use cuckoo_protocol::contracts::IRandomness;
use serde_json::json;
use std::time::{Duration, Instant};
use support::{
    Network,
    drand::{self, Drand},
};
use tempfile::TempDir;
use url::Url;

/// Agents with a beacon that is due, or soon is.
struct Stage {
    network: Network,
    chain: Chain,
    drand: Drand,
    round: u64,
    directory: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let network = Network::start_with_drand().await;
        let drand = Drand::start(&network.anvil).await;
        let chain = network.connect(&[&network.anvil.url]).await;
        let round = randomness(&network, &chain).schedule().call().await.unwrap().to();
        Self { network, chain, drand, round, directory: tempfile::tempdir().unwrap() }
    }

    async fn agent(&self, mirrors: &[Url]) -> (Court, PrivateKeySigner) {
        let key = PrivateKeySigner::random();
        self.network.anvil.rpc("anvil_setBalance", json!([key.address(), "0x56bc75e2d63100000"])).await;
        let journal = self.directory.path().join(key.address().to_string()).join("transactions.json");
        let sender = Sender::open(&self.chain, key.clone(), journal).await.unwrap();
        (Court::new(self.chain.clone(), sender).with_mirrors(mirrors.to_vec()), key)
    }

    fn mirrors(&self, names: &[&str]) -> Vec<Url> {
        names.iter().map(|name| self.drand.mirror(name)).collect()
    }

    /// Tries until there is a beacon.
    async fn bring(&self, court: &Court) -> Result<Beacon, BeaconError> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            match court.bring_beacon(self.round, Duration::ZERO).await? {
                Beacon::Awaited => tokio::time::sleep(Duration::from_millis(50)).await,
                outcome => return Ok(outcome),
            }
        }
        panic!("waited in vain for a beacon");
    }

    async fn seed(&self) -> B256 {
        randomness(&self.network, &self.chain).seed(U256::from(self.round)).call().await.unwrap()
    }

    async fn spent(&self, key: &PrivateKeySigner) -> bool {
        self.network.anvil.nonce(key.address()).await > 0
    }
}

fn randomness<'a>(network: &Network, chain: &'a Chain) -> IRandomness::IRandomnessInstance<&'a DynProvider> {
    IRandomness::new(network.deployment.contracts.randomness, chain.provider())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_awaited_then_brought_and_no_bad_mirror_stops_it_or_costs_gas() {
    let stage = Stage::new().await;
    let dead: Url = "http://127.0.0.1:9/dead".parse().unwrap();
    let bad = stage.mirrors(&["lying", "late", "endless", "slow"]);
    let (court, key) = stage.agent(&[vec![dead.clone()], bad.clone(), stage.mirrors(&["honest"])].concat()).await;
    assert_eq!(court.bring_beacon(stage.round, Duration::ZERO).await.unwrap(), Beacon::Awaited);
    assert_eq!(stage.drand.asked(), 0, "before the round nobody has it");

    assert_eq!(stage.bring(&court).await.unwrap(), Beacon::Brought);
    assert_eq!(stage.seed().await, drand::value(stage.chain.provider(), stage.round).await);
    assert_eq!(stage.network.anvil.nonce(key.address()).await, 1, "only the right signature was sent");
    assert_eq!(court.bring_beacon(stage.round, Duration::ZERO).await.unwrap(), Beacon::Known);
    assert_eq!(stage.drand.asked(), 5);

    let later = Stage { round: stage.round + 1, ..stage };
    let (court, key) = later.agent(&[vec![dead], later.mirrors(&["lying", "late", "endless"])].concat()).await;
    let error = later.bring(&court).await.unwrap_err();
    let text = error.to_string();
    for reason in ["a false signature", "HTTP status 404", "more than 4096 bytes", "no answer", "--drand-url"] {
        assert!(text.contains(reason), "{text}");
    }
    assert!(matches!(error, BeaconError::Mirrors { .. }));
    assert!(!later.spent(&key).await);
    // It rests before it asks again, and then does.
    let asked = later.drand.asked();
    assert_eq!(court.bring_beacon(later.round, Duration::ZERO).await.unwrap(), Beacon::Awaited);
    assert_eq!(later.drand.asked(), asked);
    assert!(later.bring(&court).await.is_err());
    assert!(later.drand.asked() > asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_agents_one_submits_and_the_others_see_it_as_done() {
    let stage = Stage::new().await;
    let mut agents = Vec::new();
    for _ in 0..4 {
        agents.push(stage.agent(&stage.mirrors(&["honest"])).await);
    }
    // Mined together, so that all but the first lose within a block.
    stage.network.anvil.automine(false).await;
    let race = async {
        let tries = agents.iter().map(|(court, _)| stage.bring(court));
        futures::future::join_all(tries).await
    };
    let mine = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            stage.network.anvil.mine(1).await;
        }
    };
    let outcomes = tokio::select! {
        outcomes = race => outcomes,
        () = mine => unreachable!(),
    };
    let outcomes: Vec<Beacon> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Beacon::Brought).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Beacon::Known).count(), 3, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mirrors_are_slow_somebody_elses_beacon_ends_the_wait() {
    let stage = Stage::new().await;
    let (slow, key) = stage.agent(&stage.mirrors(&["slow"])).await;
    let (fast, _) = stage.agent(&stage.mirrors(&["honest"])).await;
    let begun = Instant::now();
    let late = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stage.bring(&fast).await
    };
    let (slow, fast) = tokio::join!(stage.bring(&slow), late);
    assert_eq!((slow.unwrap(), fast.unwrap()), (Beacon::Known, Beacon::Brought));
    assert!(begun.elapsed() < Duration::from_secs(6), "it did not wait for its mirror");
    assert!(!stage.spent(&key).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_hash_comes_by_itself_and_is_asked_of_no_mirror() {
    let network = Network::start().await;
    let drand = Drand::start(&network.anvil).await;
    let chain = network.connect(&[&network.anvil.url]).await;
    let round: u64 = randomness(&network, &chain).schedule().call().await.unwrap().to();
    let stage = Stage { network, chain, drand, round, directory: tempfile::tempdir().unwrap() };
    let (court, key) = stage.agent(&stage.mirrors(&["honest"])).await;
    assert_eq!(court.bring_beacon(stage.round, Duration::ZERO).await.unwrap(), Beacon::Awaited);
    stage.network.anvil.mine(2).await;
    assert_eq!(court.bring_beacon(stage.round, Duration::ZERO).await.unwrap(), Beacon::Known);
    assert_eq!((stage.drand.asked(), stage.spent(&key).await), (0, false));
}
