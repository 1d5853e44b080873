//! Accused and jurors without a human step: real contracts, real models, many agents in one process.

#[path = "../../chain/tests/support/mod.rs"]
mod support;

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
    duty::{Bench, Duty},
    slots::Slots,
    store::{Pending, Store, StoreError},
    workshop::Workshop,
};
use cuckoo_protocol::{
    body::Body,
    contracts::{
        IDisputes::{self, Fault, Phase as Outcome, Tile, Verdict},
        Offer, Result as TaskResult, Role,
    },
    dispute::{no_tile, open_tile},
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
use support::{Network, drand::Drand, root};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

const COORDINATOR: Address = Address::repeat_byte(0xc1);
const ACCUSED: Address = Address::repeat_byte(0xac);
const ONE_THREAD: Device = Device::Cpu { threads: 1 };
/// Steps of the requests here: states s0...s4.
const STEPS: u32 = 4;

/// What an accused may have delivered.
struct Delivery {
    challenge: Challenge,
    pending: Pending,
    states: Vec<Vec<u8>>,
    tiles: Vec<Vec<u8>>,
}

struct Stage {
    network: Network,
    chain: Chain,
    following: Following,
    package: Package,
    coordinator: PrivateKeySigner,
    challenger: Court,
    accused: PrivateKeySigner,
    jurors: Vec<PrivateKeySigner>,
    directory: TempDir,
    /// Of drand, if it draws the juries.
    mirrors: Vec<Url>,
}

impl Stage {
    async fn new() -> Self {
        Self::on(Network::start().await).await
    }

    async fn on(network: Network) -> Self {
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
    fn deliver(&self, model: &mut Model, prompt: &str, forge: impl FnOnce(&mut Vec<Vec<u8>>)) -> Delivery {
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

    fn chain_now(&self) -> u64 {
        self.following.docket().timestamp
    }

    async fn challenge(&self, delivery: &Delivery, transition: u32, tile: Tile) -> B256 {
        let challenge = Challenge { transition, tile, ..delivery.challenge.clone() };
        self.challenger.challenge(&challenge).await.unwrap().0
    }

    fn folder(&self, node: &PrivateKeySigner) -> PathBuf {
        self.directory.path().join(node.address().to_string())
    }

    /// An agent's duties, as `run` has them.
    async fn start(&self, node: &PrivateKeySigner) -> Agent {
        let chain = self.network.connect(&[&self.network.anvil.url]).await;
        let workshop = Arc::new(Workshop {
            store: open_store(&self.folder(node)).await,
            slots: Slots::of(vec![], 1),
            checking: None,
            models: [(self.package.model_id(), self.package.manifest().clone())].into(),
            least_price: U256::ZERO,
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
            bench: Arc::new(Bench::new(std::slice::from_ref(&self.package), ONE_THREAD)),
            view: view::follow(&chain, CancellationToken::new()).await.unwrap(),
            following: disputes::follow(&chain, CancellationToken::new()).await.unwrap(),
            chain,
            sits: true,
        };
        Agent { duty: tokio::spawn(duty.run(CancellationToken::new())), workshop }
    }

    async fn start_jurors(&self) -> Vec<Agent> {
        // At once: the window for calling the jury is open already.
        futures::future::join_all(self.jurors.iter().map(|node| self.start(node))).await
    }

    async fn until(&self, what: &str, so: impl Fn(&Docket) -> bool) -> Arc<Docket> {
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

    async fn end(&self, id: B256) -> (End, Arc<Docket>) {
        let docket = self.until("it has ended", |d| d.get(id).is_some_and(|dispute| !dispute.is_open())).await;
        let Some(Phase::Ended(end)) = docket.get(id).map(|dispute| dispute.phase) else { unreachable!() };
        (end, docket)
    }
}

/// An agent that can be killed at any point.
struct Agent {
    duty: JoinHandle<()>,
    workshop: Arc<Workshop>,
}

impl Agent {
    async fn kill(self) {
        self.duty.abort();
        let _ = self.duty.await;
        self.workshop.store.close().await;
    }
}

async fn open_store(dir: &std::path::Path) -> Store {
    loop {
        match Store::open(dir).await {
            // The lock of one that was killed is free a moment later.
            Err(StoreError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => return outcome.unwrap(),
        }
    }
}

async fn open_sender(chain: &Chain, key: &PrivateKeySigner, directory: &TempDir, name: &str) -> Sender {
    let journal = directory.path().join(format!("{name}-{}/transactions.json", key.address()));
    loop {
        match Sender::open(chain, key.clone(), journal.clone()).await {
            Err(cuckoo_chain::SendError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => return outcome.unwrap(),
        }
    }
}

/// Makes a value of a state a little wrong.
fn forge(state: &mut [u8]) {
    let value = f32::from_le_bytes(state[400..404].try_into().unwrap()) + 0.05;
    state[400..404].copy_from_slice(&value.to_le_bytes());
}

fn all_claimed(docket: &Docket, id: B256) -> bool {
    docket.get(id).is_some_and(|dispute| dispute.jurors.iter().all(|juror| juror.claimed) && !dispute.jurors.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_is_convicted_and_honest_acquitted_by_agents_alone() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &Device::Cpu { threads: 2 }).unwrap();
    let accused = stage.start(&stage.accused).await;
    let _jurors = stage.start_jurors().await;

    let honest = stage.deliver(&mut model, "an honest picture", |_| {});
    let forged = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    for delivery in [&honest, &forged] {
        accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), Vec::new()).await.unwrap();
    }
    let mut false_tile = honest.tiles.clone();
    false_tile[0][0] ^= 0xff;
    // A false accusation of a step and of a tile, and a true one.
    let step = stage.challenge(&honest, 2, no_tile()).await;
    let tile = stage.challenge(&honest, STEPS + 1, open_tile(&honest.tiles, 0).unwrap()).await;
    let guilty = stage.challenge(&forged, 2, no_tile()).await;

    for id in [step, tile] {
        let (end, docket) = stage.end(id).await;
        assert_eq!(end.outcome, Outcome::Acquitted, "{docket:?}");
        let bond = U256::from(docket.parameters(docket.get(id).unwrap()).unwrap().bond);
        assert!(end.slashed.is_zero() && end.to_accused >= bond && end.to_challenger.is_zero(), "{end:?}");
    }
    let (end, docket) = stage.end(guilty).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
    assert!(end.slashed > U256::ZERO);
    let jurors = &docket.get(guilty).unwrap().jurors;
    assert!(jurors.len() >= 3 && jurors.iter().all(|juror| juror.revealed.unwrap().verdict == Verdict::Guilty));
    for id in [step, tile, guilty] {
        stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_trace_is_computed_again_and_no_restart_misses_a_deadline() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let honest = stage.deliver(&mut model, "a picture without a trace", |_| {});
    let lost = stage.deliver(&mut model, "a fake without a trace", |states| forge(&mut states[2]));
    let id = stage.challenge(&honest, 3, no_tile()).await;
    let defenceless = stage.challenge(&lost, 3, no_tile()).await;

    // Started late, and killed again and again.
    stage.start(&stage.accused).await.kill().await;
    let accused = stage.start(&stage.accused).await;
    stage.until("it is answered", |d| !matches!(d.get(id).unwrap().phase, Phase::Answer { .. })).await;
    accused.kill().await;
    let jurors = stage.start_jurors().await;
    let committed = |docket: &Docket| docket.get(id).unwrap().jurors.len();
    let docket = stage.until("two have committed", |docket| committed(docket) >= 2).await;
    assert!(docket.get(id).unwrap().jurors.iter().all(|juror| juror.revealed.is_none()));
    for juror in jurors {
        juror.kill().await;
    }
    let jurors = stage.start_jurors().await;
    stage.until("one has revealed", |d| d.get(id).unwrap().jurors.iter().any(|j| j.revealed.is_some())).await;
    for juror in jurors {
        juror.kill().await;
    }
    let _jurors = stage.start_jurors().await;
    let (end, docket) = stage.end(id).await;
    assert_eq!(end.outcome, Outcome::Acquitted, "{docket:?}");
    let jurors = &docket.get(id).unwrap().jurors;
    assert!(jurors.len() >= 3 && jurors.iter().all(|juror| juror.revealed.is_some()), "{jurors:?}");
    stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;

    let (end, _) = stage.end(defenceless).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::NoAnswer), "nobody but agents resolved it");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_drand_draws_juries_the_agents_bring_its_beacons() {
    let mut stage = Stage::on(Network::start_with_drand().await).await;
    let drand = Drand::start(&stage.network.anvil).await;
    stage.mirrors = ["late", "lying", "honest"].map(|name| drand.mirror(name)).into();
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let accused = stage.start(&stage.accused).await;
    let _jurors = stage.start_jurors().await;
    let delivery = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), vec![]).await.unwrap();
    let id = stage.challenge(&delivery, 2, no_tile()).await;
    let (end, docket) = stage.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition), "{docket:?}");
    stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;
}
