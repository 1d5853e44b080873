//! Challenges of a coordinator whose chain takes blocks back, and that is killed meanwhile: real contracts, no human step.

mod ground;
#[path = "../../chain/tests/support/mod.rs"]
mod support;

use alloy::{
    primitives::{B256, U256},
    providers::Provider,
    sol_types::SolEvent,
};
use cuckoo_chain::{
    SendError, Sender,
    disputes::{Court, Docket, Following, Phase},
    view,
};
use cuckoo_coordinator::{
    catalogue::Catalogue,
    challenge,
    config::{AuditBy, Config},
    coordinator::Coordinator,
    store::{ChallengeRecord, ChallengeState, Store},
};
use cuckoo_protocol::contracts::{
    IDisputes::{self, Phase as Outcome},
    IStaking,
};
use ground::{LEASE, depth, find_false, find_guilty, forget, logs, until};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use support::{
    CAI, Network,
    stage::{ACCUSED, COORDINATOR, Stage, phase, shown, warp},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Seconds.
const CHALLENGE_WINDOW: u64 = 40;
const COMMIT_WINDOW: u64 = 20;
const REVEAL_WINDOW: u64 = 10;
/// Many of an agent's looks at the chain.
const A_WHILE: Duration = Duration::from_secs(1);

/// What outlives an agent.
struct Ground {
    stage: Stage,
    following: Following,
    folder: TempDir,
}

/// The part of a coordinator that accuses.
struct Agent {
    coordinator: Arc<Coordinator>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Ground {
    /// A coordinator that has to challenge a result's `init`.
    async fn new() -> Self {
        let patient = Network::start_with(|config| {
            // A busy machine needs more seconds than a development chain gives; all together must fit into two epochs.
            let times = json!({ "maxOfferLife": 15, "challengeWindow": CHALLENGE_WINDOW, "answerWindow": 15, "rounds": 1,
                "seedWindow": 15, "commitWindow": COMMIT_WINDOW, "revealWindow": REVEAL_WINDOW });
            config["disputes"].as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        });
        let stage = Stage::on(patient.await).await;
        stage.network.grant(stage.coordinator.address(), 2_000).await;
        let (following, folder) = (stage.follow().await, tempfile::tempdir().unwrap());
        find_false(&stage, folder.path()).await;
        Self { stage, following, folder }
    }

    async fn store(&self) -> Store {
        Store::open(self.folder.path()).await.unwrap()
    }

    /// An agent on what the one before has left.
    async fn start(&self) -> Agent {
        let (stop, node) = (CancellationToken::new(), self.stage.coordinator.clone());
        let chain = self.stage.network.connect_until(&[&self.stage.network.anvil.url], stop.clone()).await;
        let journal = self.folder.path().join("transactions.json");
        let sender = loop {
            match Sender::open(&chain, node.clone(), journal.clone()).await {
                // The lock of one that was killed is free a moment later.
                Err(SendError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                outcome => break outcome.unwrap(),
            }
        };
        let view = view::follow(&chain, stop.clone()).await.unwrap();
        let catalogue = Catalogue::load(&[], U256::from(1), &BTreeMap::new()).unwrap();
        let (store, court) = (self.store().await, Court::new(chain.clone(), sender));
        let coordinator = Coordinator::resume(config(), chain, view, store, catalogue, COORDINATOR, node);
        let coordinator = Arc::new(coordinator.await.unwrap());
        let task = tokio::spawn({
            let (coordinator, stop) = (coordinator.clone(), stop.clone());
            async move { challenge::run(&coordinator, &court, stop).await }
        });
        Agent { coordinator, task, stop }
    }

    /// Takes the block of the only event of this kind back, as may happen at any time, and waits until the event is in another one.
    async fn replace<E: SolEvent>(&self) {
        let before = logs::<E>(&self.stage.network).await[0].block_hash;
        let depth = depth::<E>(&self.stage.network).await;
        self.stage.network.anvil.rpc("anvil_reorg", json!([depth, []])).await;
        // The clock goes on.
        self.stage.network.anvil.mine(1).await;
        until("it comes again", async || {
            let logs = logs::<E>(&self.stage.network).await;
            (logs.len() == 1 && logs[0].block_hash != before).then_some(())
        })
        .await;
    }

    async fn own_stake(&self) -> U256 {
        let staking =
            IStaking::new(self.stage.network.deployment.contracts.staking, &self.stage.network.anvil.provider);
        staking.assetsOf(ACCUSED, ACCUSED).call().await.unwrap()
    }

    /// Takes the answer back, and with it the jury that it brought; a moment later the answer is mined again.
    async fn answer_late(&self, id: B256) {
        let anvil = &self.stage.network.anvil;
        let hash = logs::<IDisputes::RoundBegan>(&self.stage.network).await[0].transaction_hash.unwrap();
        let answer = anvil.provider.get_transaction_by_hash(hash).await.unwrap().unwrap().into_inner();
        forget::<IDisputes::RoundBegan>(&self.stage.network).await;
        shown(&self.following, "there is no answer", |d| matches!(phase(d, id), Some(Phase::Answer { .. }))).await;
        tokio::time::sleep(A_WHILE).await;
        assert!(anvil.provider.send_tx_envelope(answer).await.unwrap().get_receipt().await.unwrap().status());
        anvil.mine(2).await;
    }

    /// Answers, and has four jurors find the accused guilty.
    async fn convict(&self, id: B256) {
        self.stage.answer(id, &[0]).await;
        self.stage.network.anvil.mine(2).await;
        let called = |d: &Docket| matches!(phase(d, id), Some(Phase::Jury { .. }));
        until("the agent calls the jury", async || called(&self.following.docket()).then_some(())).await;
        self.replace::<IDisputes::JuryCalled>().await;
        shown(&self.following, "the jury is called", called).await;
        self.answer_late(id).await;
        shown(&self.following, "the jury is called once more", called).await;
        find_guilty(&self.stage, id, COMMIT_WINDOW, REVEAL_WINDOW).await;
    }
}

impl Agent {
    async fn challenge(&self) -> ChallengeRecord {
        self.coordinator.store.challenge(LEASE).await.unwrap().unwrap()
    }

    /// The id of the dispute, once the agent knows that it is open.
    async fn opened(&self) -> B256 {
        until("it is challenged", async || {
            let challenge = self.challenge().await;
            challenge.dispute.filter(|_| challenge.state == ChallengeState::Open)
        })
        .await
    }

    async fn kill(self) {
        self.stop.cancel();
        self.task.abort();
        let _ = self.task.await;
    }
}

fn config() -> Config {
    Config {
        rpc_urls: vec![],
        deployment: Default::default(),
        keystore: Default::default(),
        password_file: None,
        data_dir: Default::default(),
        listen: ([127, 0, 0, 1], 0).into(),
        origin: String::new(),
        models: vec![],
        price: U256::from(1),
        prices: BTreeMap::new(),
        channel_target: U256::ZERO,
        api_key_hashes: vec![],
        lease_seconds: 10,
        offer_seconds: 10,
        queue_limit: 1,
        audit_rate: 1.0,
        audit_by: AuditBy::Local,
        audit_threads: 1,
        onnxruntime: None,
        drand_urls: vec![],
        metrics: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_raised_once_and_ends_when_its_end_is_final() {
    let ground = Ground::new().await;
    let anvil = &ground.stage.network.anvil;

    // Challenged: dropped while the agent runs, and for good while it does not.
    let agent = ground.start().await;
    let id = agent.opened().await;
    ground.replace::<IDisputes::Challenged>().await;
    assert_eq!(agent.opened().await, id);
    agent.kill().await;
    forget::<IDisputes::Challenged>(&ground.stage.network).await;
    let agent = ground.start().await;
    assert!(agent.coordinator.suspects().contains(&ACCUSED));
    until("it is raised again", async || {
        (logs::<IDisputes::Challenged>(&ground.stage.network).await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(agent.opened().await, id);
    assert_eq!(agent.challenge().await.note, None);

    // The jury's call is taken back too. Of the end nothing is believed before it is final.
    ground.convict(id).await;
    let ended = |d: &Docket| d.get(id).is_some_and(|it| !it.is_open());
    until("the agent resolves it", async || ended(&ground.following.docket()).then_some(())).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(agent.challenge().await.state, ChallengeState::Open);
    ground.replace::<IDisputes::Resolved>().await;
    agent.kill().await;
    forget::<IDisputes::Resolved>(&ground.stage.network).await;
    shown(&ground.following, "it never ended", |d| !ended(d)).await;
    assert!(ground.own_stake().await >= U256::from(30_000) * CAI, "what was slashed is back");

    let agent = ground.start().await;
    until("the next agent resolves it", async || ended(&ground.following.docket()).then_some(())).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(agent.challenge().await.state, ChallengeState::Open);
    assert!(agent.coordinator.suspects().contains(&ACCUSED), "no work until it is final");
    let challenge = until("it is final", async || {
        anvil.mine(1).await;
        Some(agent.challenge().await).filter(|challenge| challenge.state != ChallengeState::Open)
    })
    .await;

    let resolved = logs::<IDisputes::Resolved>(&ground.stage.network).await;
    assert_eq!((resolved.len(), logs::<IDisputes::Challenged>(&ground.stage.network).await.len()), (1, 1));
    let (block, end) = (resolved[0].block_number.unwrap(), &resolved[0].inner);
    let finalized = anvil.rpc("eth_getBlockByNumber", json!(["finalized", false])).await;
    let finalized = U256::from_str_radix(finalized["number"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    assert!(U256::from(block) <= finalized, "ended in block {block}, final is {finalized}");
    assert_eq!(end.outcome, Outcome::Convicted);
    assert_eq!((challenge.state, challenge.slashed), (ChallengeState::Convicted, Some(end.slashed)));
    assert!(ground.own_stake().await < U256::from(27_200) * CAI);
    until("it may work again", async || (!agent.coordinator.suspects().contains(&ACCUSED)).then_some(())).await;
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_is_dropped_too_late_for_another_is_noted_as_such() {
    let ground = Ground::new().await;
    let agent = ground.start().await;
    agent.opened().await;
    agent.kill().await;
    forget::<IDisputes::Challenged>(&ground.stage.network).await;
    warp(&ground.stage.network, 15 + CHALLENGE_WINDOW + 1).await;

    let agent = ground.start().await;
    until("it knows", async || (agent.challenge().await.state == ChallengeState::Due).then_some(())).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(agent.challenge().await.state, ChallengeState::Due, "another reorganisation may bring it back");
    assert!(agent.coordinator.suspects().contains(&ACCUSED));
    let challenge = until("that is final", async || {
        ground.stage.network.anvil.mine(1).await;
        Some(agent.challenge().await).filter(|challenge| challenge.state != ChallengeState::Due)
    })
    .await;
    assert_eq!((challenge.state, challenge.dispute), (ChallengeState::Withheld, None));
    let note = challenge.note.unwrap();
    assert!(note.contains("reorganisation") && note.contains("window is over"), "{note}");
    until("it may work again", async || (!agent.coordinator.suspects().contains(&ACCUSED)).then_some(())).await;
    assert!(logs::<IDisputes::Challenged>(&ground.stage.network).await.is_empty());
    agent.kill().await;
}
