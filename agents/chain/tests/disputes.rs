//! Following disputes, and the verbs, on a real chain with the real contracts.

mod support;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    signers::local::PrivateKeySigner,
};
use cuckoo_chain::{
    Chain, SendError, Sender,
    disputes::{Challenge, Court, Docket, EvidenceError, Following, Phase, follow},
};
use cuckoo_protocol::{
    body::ImageBody,
    contracts::{
        IDisputes::{self, Phase as Outcome, Verdict},
        Offer, Result as TaskResult, Role,
    },
    dispute::{self, Ballot, Part, no_tile},
    manifest::Manifest,
    message::Domain,
    request::{self, Request},
    trace::trace_root,
};
use serde_json::json;
use std::sync::Arc;
use support::{Network, until};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const COORDINATOR: Address = Address::repeat_byte(0xc1);
const ACCUSED: Address = Address::repeat_byte(0xac);
const MODEL: B256 = B256::repeat_byte(0x30);
/// 18,000 bytes: two chunks.
const STATE_BYTES: usize = 18_000;

/// Five miners with the same weight, one of which delivers a result with four states.
struct Stage {
    network: Network,
    chain: Chain,
    coordinator: PrivateKeySigner,
    accused: PrivateKeySigner,
    jurors: Vec<(Address, Court)>,
    states: Vec<Vec<u8>>,
    directory: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let network = Network::start().await;
        let (coordinator, accused) = (PrivateKeySigner::random(), PrivateKeySigner::random());
        network.register(Role::Coordinator, COORDINATOR, 2_000_001, &coordinator).await;
        network.register(Role::Miner, ACCUSED, 30_000, &accused).await;
        let chain = network.connect(&[&network.anvil.url]).await;
        let directory = tempfile::tempdir().unwrap();
        let mut jurors = Vec::new();
        for at in 1..=4 {
            let (operator, node) = (Address::repeat_byte(at), PrivateKeySigner::random());
            network.register(Role::Miner, operator, 30_000, &node).await;
            jurors.push((operator, court(&network, &chain, &directory, &node).await));
        }
        let list = IDisputes::setModelCall { modelId: MODEL, listed: true };
        let contracts = network.deployment.contracts;
        network.anvil.rpc("anvil_setBalance", json!([contracts.timelock, "0x56bc75e2d63100000"])).await;
        network.call(contracts.timelock, contracts.disputes, list).await;
        // Their weight counts two epochs later.
        warp(&network, 180).await;
        let states = (0..4).map(|k| vec![k; STATE_BYTES]).collect();
        Self { network, chain, coordinator, accused, jurors, states, directory }
    }

    /// The coordinator, with CAI to accuse with.
    async fn challenger(&self) -> Court {
        self.network.grant(self.coordinator.address(), 2_000).await;
        court(&self.network, &self.chain, &self.directory, &self.coordinator).await
    }

    async fn follow(&self) -> Following {
        follow(&self.chain, CancellationToken::new()).await.unwrap()
    }

    async fn accusation(&self, transition: u32) -> Challenge {
        let domain = Domain::new(31337, self.network.deployment.contracts.registry);
        let manifest = Manifest::parse(include_bytes!("../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
        let body = ImageBody { steps: 3, ..manifest.image_body("a red apple".into()).unwrap() };
        let request = Request::new(MODEL, B256::repeat_byte(7), &body.into(), &[], true).encode().unwrap();
        let offer = Offer {
            coordinator: COORDINATOR,
            miner: ACCUSED,
            modelId: MODEL,
            requestHash: request::hash(&request),
            price: U256::from(1),
            expiry: now(&self.network).await + 5,
        };
        let result = TaskResult {
            offerHash: domain.digest(&offer),
            traceRoot: trace_root(&self.states),
            states: 4,
            outputHash: B256::repeat_byte(9),
        };
        Challenge {
            offer: domain.sign(offer, &self.coordinator).unwrap(),
            result: domain.sign(result, &self.accused).unwrap(),
            request: request.into(),
            transition,
            tile: no_tile(),
        }
    }

    /// Opens what the dispute needs, chunk by chunk.
    async fn answer(&self, id: B256, parts: &[u32]) {
        for &k in parts {
            let opened = dispute::open_state(&self.states, k).unwrap();
            for chunk in 0..opened.chunks.len() {
                self.jurors[0].1.answer(id, &opened, U256::from(1) << chunk).await.unwrap();
            }
        }
    }
}

async fn court(network: &Network, chain: &Chain, directory: &TempDir, node: &PrivateKeySigner) -> Court {
    network.anvil.rpc("anvil_setBalance", json!([node.address(), "0x56bc75e2d63100000"])).await;
    let journal = directory.path().join(node.address().to_string()).join("transactions.json");
    Court::new(chain.clone(), Sender::open(chain, node.clone(), journal).await.unwrap())
}

async fn warp(network: &Network, seconds: u64) {
    network.anvil.rpc("evm_increaseTime", json!([seconds])).await;
    network.anvil.mine(1).await;
}

async fn now(network: &Network) -> u64 {
    let block = network.anvil.rpc("eth_getBlockByNumber", json!(["latest", false])).await;
    u64::from_str_radix(block["timestamp"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// Waits until a docket shows so.
async fn shown(following: &Following, what: &str, so: impl Fn(&Docket) -> bool) -> Arc<Docket> {
    until(what, async || so(&following.docket())).await;
    following.docket()
}

fn phase(docket: &Docket, id: B256) -> Option<Phase> {
    docket.get(id).map(|dispute| dispute.phase)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_followed_from_accusation_to_pay() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let accusation = stage.accusation(2).await;
    let (id, _) = challenger.challenge(&accusation).await.unwrap();
    let docket = shown(&following, "it is open", |d| d.get(id).is_some()).await;
    let dispute = docket.get(id).unwrap();
    let digest = Domain::new(31337, stage.network.deployment.contracts.registry).digest(&accusation.result.message);
    assert_eq!(id, dispute::id(stage.network.deployment.contracts.disputes, digest, 2, B256::ZERO));
    let told = &dispute.accusation;
    assert_eq!((told.accused, told.challenger, told.states), (ACCUSED, COORDINATOR, 4));
    assert_eq!((&told.offer, &told.request), (&accusation.offer.message, &accusation.request));
    assert_eq!(dispute.parts(), [Part::State(1), Part::State(2)]);
    assert_eq!(docket.parameters(dispute).unwrap().minJurors, 3);
    let again = challenger.challenge(&accusation).await.unwrap_err();
    assert!(matches!(&again, SendError::Refused(why) if why.contains("AlreadyChallenged")), "{again}");

    // Half an answer is no evidence; the rest is.
    let juror = &stage.jurors[0].1;
    assert_eq!(juror.missing(told.result, Part::State(1)).await.unwrap(), None);
    stage.answer(id, &[1]).await;
    let opened = dispute::open_state(&stage.states, 2).unwrap();
    juror.answer(id, &opened, U256::from(2)).await.unwrap();
    assert_eq!(juror.missing(told.result, Part::State(2)).await.unwrap(), Some(U256::from(1)));
    let half = juror.evidence(&docket, dispute, Part::State(2)).await.unwrap_err();
    assert!(matches!(half, EvidenceError::Incomplete { found: 1_616, length: STATE_BYTES, .. }), "{half}");
    juror.answer(id, &opened, U256::MAX).await.unwrap();
    for k in [1, 2] {
        let bytes = juror.evidence(&docket, dispute, Part::State(k)).await.unwrap();
        assert_eq!(bytes, stage.states[k as usize]);
    }

    shown(&following, "the answer is whole", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;
    assert_eq!(juror.votes(id, stage.jurors[0].0).await.unwrap(), 0, "no seed yet");
    stage.network.anvil.mine(2).await;
    let seed = juror.seed(id).await.unwrap().expect("the beacon is known");
    juror.resolve(id).await.unwrap();
    let docket = shown(&following, "the jury is called", |d| matches!(phase(d, id), Some(Phase::Jury { .. }))).await;
    assert!(matches!(phase(&docket, id), Some(Phase::Jury { seed: called, .. }) if called == seed));

    let ballot = |at: usize| Ballot {
        verdict: Verdict::Guilty,
        probe: U256::from(10).pow(U256::from(18)),
        salt: keccak256([at as u8]),
    };
    let mut votes = 0;
    for (at, (operator, court)) in stage.jurors.iter().enumerate() {
        votes += court.votes(id, *operator).await.unwrap();
        court.commit(id, ballot(at).commitment(id, 0, *operator)).await.unwrap();
    }
    assert!((12..=16).contains(&votes), "{votes}");
    let refused = challenger.commit(id, B256::repeat_byte(1)).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused(why) if why.contains("Involved")), "{refused}");
    let docket = shown(&following, "all have committed", |d| d.get(id).unwrap().jurors.len() == 4).await;
    assert_eq!(docket.get(id).unwrap().jurors.iter().map(|juror| juror.votes).sum::<u64>(), votes);

    warp(&stage.network, 10).await;
    for (at, (_, court)) in stage.jurors.iter().enumerate() {
        court.reveal(id, &ballot(at)).await.unwrap();
    }
    warp(&stage.network, 5).await;
    juror.resolve(id).await.unwrap();
    let docket = shown(&following, "it is over", |d| !d.get(id).unwrap().is_open()).await;
    let Some(Phase::Ended(end)) = phase(&docket, id) else { panic!("{docket:?}") };
    assert_eq!(end.outcome, Outcome::Convicted);
    assert!(end.slashed > U256::ZERO && end.to_challenger > U256::ZERO && end.to_accused.is_zero());
    let mut claimed = U256::ZERO;
    for juror in &docket.get(id).unwrap().jurors {
        let index = juror.revealed.unwrap().index;
        let paid = stage.jurors[0].1.claim(id, 0, index).await.unwrap();
        assert_eq!(paid, end.pay_per_vote * U256::from(juror.votes));
        claimed += paid;
    }
    assert_eq!(claimed, end.pay_per_vote * U256::from(votes));
    let docket = shown(&following, "all are paid", |d| d.get(id).unwrap().jurors.iter().all(|j| j.claimed)).await;

    // Whoever begins now learns the same from the chain alone.
    let late = stage.follow().await.docket();
    assert_eq!(late.get(id), docket.get(id));
    assert_eq!(late.parameters(late.get(id).unwrap()), docket.parameters(docket.get(id).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_takes_back_what_it_drops_in_every_phase() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let reorg = async |blocks: u64| stage.network.anvil.rpc("anvil_reorg", json!([blocks, []])).await;

    let accusation = stage.accusation(0).await;
    let (id, _) = challenger.challenge(&accusation).await.unwrap();
    shown(&following, "it is open", |d| d.get(id).is_some()).await;
    reorg(1).await;
    shown(&following, "it never was", |d| d.get(id).is_none()).await;
    // With the next transaction the dropped one comes back, which makes the second superfluous.
    let twice = challenger.challenge(&accusation).await.unwrap_err();
    assert!(twice.to_string().contains("AlreadyChallenged"), "{twice}");
    shown(&following, "it is open again", |d| d.get(id).is_some()).await;

    stage.answer(id, &[0]).await;
    shown(&following, "it is answered", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;
    reorg(1).await;
    shown(&following, "it is not", |d| matches!(phase(d, id), Some(Phase::Answer { .. }))).await;
    let juror = &stage.jurors[0].1;
    let result = following.docket().get(id).unwrap().accusation.result;
    assert_eq!(juror.missing(result, Part::State(0)).await.unwrap(), Some(U256::from(2)));
    let twice = juror.answer(id, &dispute::open_state(&stage.states, 0).unwrap(), U256::from(2)).await.unwrap_err();
    assert!(twice.to_string().contains("WrongPhase"), "{twice}");
    shown(&following, "it is answered again", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;

    stage.network.anvil.mine(2).await;
    juror.resolve(id).await.unwrap();
    shown(&following, "the jury is called", |d| matches!(phase(d, id), Some(Phase::Jury { .. }))).await;
    juror.commit(id, B256::repeat_byte(0xff)).await.unwrap();
    shown(&following, "one has committed", |d| d.get(id).unwrap().jurors.len() == 1).await;
    reorg(1).await;
    shown(&following, "nobody has", |d| d.get(id).is_some_and(|dispute| dispute.jurors.is_empty())).await;
    // Below the final block everything is read anew.
    reorg(30).await;
    shown(&following, "all of it is gone", |d| d.get(id).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_hash_that_is_kept_draws_a_jury_for_longer_than_the_chain_remembers_it() {
    let stage = Stage::new().await;
    let challenger = stage.challenger().await;
    let (id, _) = challenger.challenge(&stage.accusation(0).await).await.unwrap();
    stage.answer(id, &[0]).await;
    stage.network.anvil.mine(2).await;
    let ((operator, juror), (_, other)) = (&stage.jurors[0], &stage.jurors[1]);
    let votes = juror.votes(id, *operator).await.unwrap();
    assert!(votes > 0);
    juror.keep_beacon(id).await.unwrap();
    let spent = stage.network.anvil.nonce(other.address()).await;
    other.keep_beacon(id).await.unwrap();
    assert_eq!(stage.network.anvil.nonce(other.address()).await, spent, "once is enough");
    stage.network.anvil.mine(300).await;
    assert_eq!(juror.votes(id, *operator).await.unwrap(), votes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_accusation_is_due_when_its_time_is_over() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let (id, _) = challenger.challenge(&stage.accusation(3).await).await.unwrap();
    let docket = shown(&following, "it is open", |d| d.get(id).is_some()).await;
    let due = docket.resolve_from(docket.get(id).unwrap()).unwrap();
    assert_eq!(due, docket.timestamp + 10);
    let early = challenger.resolve(id).await.unwrap_err();
    assert!(matches!(&early, SendError::Refused(why) if why.contains("NothingDue")), "{early}");
    warp(&stage.network, 11).await;
    challenger.resolve(id).await.unwrap();
    let docket = shown(&following, "it is over", |d| !d.get(id).unwrap().is_open()).await;
    let Some(Phase::Ended(end)) = phase(&docket, id) else { panic!("{docket:?}") };
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, IDisputes::Fault::NoAnswer));
}
