//! Agents' duties in one process, over real contracts and a real model.

#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::support::{Network, root};
use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_chain::{
    Chain, Sender,
    disputes::{self, Challenge, Court, Docket, End, Following, Phase},
    view,
};
use cuckoo_inference::{Device, Model, Package, State, runtime};
use cuckoo_miner::{
    credit::Credit,
    duty::{Bench, Duty},
    slots::Slots,
    store::{Pending, Store, StoreError},
    workshop::Workshop,
};
use cuckoo_protocol::{
    body::Body,
    contracts::{
        IDisputes::{self, Tile},
        Offer, Result as TaskResult, Role,
    },
    dispute::no_tile,
    link::ResultSubmission,
    message::Domain,
    request::{self, Request},
    trace::{output_hash, picture_tiles, trace_root},
};
use serde_json::json;
use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

pub const COORDINATOR: Address = Address::repeat_byte(0xc1);
pub const ACCUSED: Address = Address::repeat_byte(0xac);
pub const ONE_THREAD: Device = Device::Cpu { threads: 1 };
/// Steps of the requests here: states s0...s4.
pub const STEPS: u32 = 4;

/// What an accused may have delivered.
pub struct Delivery {
    pub challenge: Challenge,
    pub pending: Pending,
    pub states: Vec<Vec<u8>>,
    pub tiles: Vec<Vec<u8>>,
}

pub struct Stage {
    pub network: Network,
    pub chain: Chain,
    pub following: Following,
    pub package: Package,
    pub coordinator: PrivateKeySigner,
    pub challenger: Court,
    pub accused: PrivateKeySigner,
    pub jurors: Vec<PrivateKeySigner>,
    pub directory: TempDir,
    /// Of drand, if it draws the juries.
    pub mirrors: Vec<Url>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::on(Network::start().await).await
    }

    pub async fn on(network: Network) -> Self {
        runtime::init(None).expect("these tests need ONNX Runtime");
        let package = Package::open(root().join("models/cuckoo-tiny")).unwrap();
        let key = PrivateKeySigner::random;
        let (coordinator, accused) = (key(), key());
        network.register(Role::Coordinator, COORDINATOR, 2_000_001, &coordinator).await;
        network.register(Role::Miner, ACCUSED, 30_000, &accused).await;
        let jurors: Vec<_> = (0..4).map(|_| key()).collect();
        for (at, node) in (1..).zip(&jurors) {
            network.register(Role::Miner, Address::repeat_byte(at), 30_000, node).await;
        }
        network.grant(coordinator.address(), 10_000).await;

        let contracts = network.deployment.contracts;
        let chain = network.connect(&[&network.anvil.url]).await;
        network.anvil.rpc("anvil_setBalance", json!([contracts.timelock, "0x56bc75e2d63100000"])).await;
        let list = IDisputes::setModelCall { modelId: package.model_id(), listed: true };
        network.call(contracts.timelock, contracts.disputes, list).await;
        let contract = IDisputes::new(contracts.disputes, chain.provider());
        // A machine that does much else besides needs more seconds than a development chain gives.
        let parameters_ = IDisputes::Parameters {
            maxOfferLife: 15,
            answerWindow: 15,
            seedWindow: 20,
            commitWindow: 30,
            revealWindow: 20,
            rounds: 1,
            ..contract.parameters(U256::ZERO).call().await.unwrap()
        };
        network.call(contracts.timelock, contracts.disputes, IDisputes::setParametersCall { parameters_ }).await;
        // Weight counts two epochs later.
        network.anvil.rpc("evm_increaseTime", json!([180])).await;
        network.anvil.mine(1).await;
        network.anvil.rpc("evm_setIntervalMining", json!([1])).await;

        let directory = tempfile::tempdir().unwrap();
        // Begun after the leap, so that it knows the time.
        let following = disputes::follow(&chain, CancellationToken::new()).await.unwrap();
        let mut stage = Self {
            challenger: Court::new(chain.clone(), open_sender(&chain, &coordinator, &directory, "challenger").await),
            network,
            chain,
            following,
            package,
            coordinator,
            accused,
            jurors,
            directory,
            mirrors: vec![],
        };
        for node in [&stage.accused].into_iter().chain(&stage.jurors) {
            stage.network.anvil.rpc("anvil_setBalance", json!([node.address(), "0x56bc75e2d63100000"])).await;
        }
        stage.chain = stage.network.connect(&[&stage.network.anvil.url]).await;
        stage
    }

    /// A result of the accused's over a prompt, with `forge` done to its states.
    pub fn deliver(&self, model: &mut Model, prompt: &str, forge: impl FnOnce(&mut Vec<Vec<u8>>)) -> Delivery {
        let domain = Domain::new(31337, self.network.deployment.contracts.registry);
        let mut body = self.package.manifest().image_body(prompt.into()).unwrap();
        body.steps = STEPS;
        let body = Body::from(body);
        let generation = model.generate(&body, &[], &mut |_, _| ControlFlow::Continue(())).unwrap();
        let mut states: Vec<Vec<u8>> = generation.states.iter().map(State::to_bytes).collect();
        forge(&mut states);
        let picture = generation.output.image().unwrap();
        let bytes = Request::new(self.package.model_id(), B256::repeat_byte(7), &body, &[], true).encode().unwrap();
        let offer = Offer {
            coordinator: COORDINATOR,
            miner: ACCUSED,
            modelId: self.package.model_id(),
            requestHash: request::hash(&bytes),
            price: U256::from(1),
            expiry: self.chain_now() + 10,
        };
        let result = TaskResult {
            offerHash: domain.digest(&offer),
            traceRoot: trace_root(&states),
            states: STEPS + 1,
            outputHash: output_hash(picture.width, picture.height, &picture.rgb).unwrap(),
        };
        let result = domain.sign(result, &self.accused).unwrap();
        let pending = Pending {
            coordinator: COORDINATOR,
            miner: ACCUSED,
            lease: prompt.to_owned(),
            price: offer.price,
            audit: None,
            expiry: offer.expiry,
            submission: ResultSubmission { result: result.clone(), output: vec![] },
        };
        let offer = domain.sign(offer, &self.coordinator).unwrap();
        let challenge = Challenge { offer, result, request: bytes.into(), transition: 0, tile: no_tile() };
        let tiles = picture_tiles(picture.width, picture.height, &picture.rgb).unwrap();
        Delivery { challenge, pending, states, tiles }
    }

    pub fn chain_now(&self) -> u64 {
        self.following.docket().timestamp
    }

    pub async fn challenge(&self, delivery: &Delivery, transition: u32, tile: Tile) -> B256 {
        let challenge = Challenge { transition, tile, ..delivery.challenge.clone() };
        self.challenger.challenge(&challenge).await.unwrap().0
    }

    pub fn folder(&self, node: &PrivateKeySigner) -> PathBuf {
        self.directory.path().join(node.address().to_string())
    }

    /// An agent's duties, as `run` has them.
    pub async fn start(&self, node: &PrivateKeySigner) -> Agent {
        self.start_with(node, std::slice::from_ref(&self.package)).await
    }

    /// The duties of an agent that has these models.
    pub async fn start_with(&self, node: &PrivateKeySigner, packages: &[Package]) -> Agent {
        let chain = self.network.connect(&[&self.network.anvil.url]).await;
        let workshop = Arc::new(Workshop {
            store: open_store(&self.folder(node)).await,
            slots: Slots::of(vec![], 1),
            checking: None,
            models: packages.iter().map(|package| (package.model_id(), package.manifest().clone())).collect(),
            least_price: U256::ZERO,
            credit: Credit::new(U256::from(100)),
            trace_cap: 1 << 30,
            clock: Box::new(|| 0),
            earned: Notify::new(),
            abandon: CancellationToken::new(),
            broken: CancellationToken::new(),
        });
        let sender = open_sender(&chain, node, &self.directory, "agent").await;
        let duty = Duty {
            workshop: workshop.clone(),
            court: Court::new(chain.clone(), sender).with_mirrors(self.mirrors.clone()),
            bench: Arc::new(Bench::new(packages, ONE_THREAD)),
            view: view::follow(&chain, CancellationToken::new()).await.unwrap(),
            following: disputes::follow(&chain, CancellationToken::new()).await.unwrap(),
            chain,
            sits: true,
        };
        Agent { duty: tokio::spawn(duty.run(CancellationToken::new())), workshop }
    }

    pub async fn start_jurors(&self) -> Vec<Agent> {
        // At once: the window for calling the jury is open already.
        futures::future::join_all(self.jurors.iter().map(|node| self.start(node))).await
    }

    pub async fn until(&self, what: &str, so: impl Fn(&Docket) -> bool) -> Arc<Docket> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let docket = self.following.docket();
            if so(&docket) {
                return docket;
            }
            let phases = || docket.iter().map(|d| (d.id(), d.phase, d.jurors.clone())).collect::<Vec<_>>();
            assert!(Instant::now() < deadline, "waited in vain until {what}: {:?}", phases());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn end(&self, id: B256) -> (End, Arc<Docket>) {
        let docket = self.until("it has ended", |d| d.get(id).is_some_and(|dispute| !dispute.is_open())).await;
        let Some(Phase::Ended(end)) = docket.get(id).map(|dispute| dispute.phase) else { unreachable!() };
        (end, docket)
    }
}

/// An agent that can be killed at any point.
pub struct Agent {
    pub duty: JoinHandle<()>,
    pub workshop: Arc<Workshop>,
}

impl Agent {
    pub async fn kill(self) {
        self.duty.abort();
        let _ = self.duty.await;
        self.workshop.store.close().await;
    }
}

pub async fn open_store(dir: &std::path::Path) -> Store {
    loop {
        match Store::open(dir).await {
            // The lock of one that was killed is free a moment later.
            Err(StoreError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => return outcome.unwrap(),
        }
    }
}

pub async fn open_sender(chain: &Chain, key: &PrivateKeySigner, directory: &TempDir, name: &str) -> Sender {
    let journal = directory.path().join(format!("{name}-{}/transactions.json", key.address()));
    loop {
        match Sender::open(chain, key.clone(), journal.clone()).await {
            Err(cuckoo_chain::SendError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => return outcome.unwrap(),
        }
    }
}

/// Makes a value of a state a little wrong.
pub fn forge(state: &mut [u8]) {
    let value = f32::from_le_bytes(state[400..404].try_into().unwrap()) + 0.05;
    state[400..404].copy_from_slice(&value.to_le_bytes());
}

pub fn all_claimed(docket: &Docket, id: B256) -> bool {
    docket.get(id).is_some_and(|dispute| dispute.jurors.iter().all(|juror| juror.claimed) && !dispute.jurors.is_empty())
}
