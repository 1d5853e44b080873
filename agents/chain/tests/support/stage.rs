//! Five miners and what one of them delivered, ready to be disputed.

use super::{Network, until};
use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_chain::{
    Chain, Sender,
    disputes::{Challenge, Court, Docket, Following, Phase, follow},
};
use cuckoo_protocol::{
    body::ImageBody,
    contracts::{IDisputes, Offer, Result as TaskResult, Role},
    dispute::{self, no_tile},
    manifest::Manifest,
    message::Domain,
    request::{self, Request},
    trace::trace_root,
};
use serde_json::json;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const COORDINATOR: Address = Address::repeat_byte(0xc1);
pub const ACCUSED: Address = Address::repeat_byte(0xac);
const MODEL: B256 = B256::repeat_byte(0x30);
/// 18,000 bytes: two chunks.
pub const STATE_BYTES: usize = 18_000;

/// Five miners with the same weight, one of which delivers a result with four states.
pub struct Stage {
    pub network: Network,
    chain: Chain,
    pub coordinator: PrivateKeySigner,
    pub accused: PrivateKeySigner,
    pub jurors: Vec<(Address, Court)>,
    pub states: Vec<Vec<u8>>,
    directory: TempDir,
}

impl Stage {
    pub async fn new() -> Self {
        Self::on(Network::start().await).await
    }

    pub async fn on(network: Network) -> Self {
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
    pub async fn challenger(&self) -> Court {
        self.network.grant(self.coordinator.address(), 2_000).await;
        court(&self.network, &self.chain, &self.directory, &self.coordinator).await
    }

    pub async fn follow(&self) -> Following {
        follow(&self.chain, CancellationToken::new()).await.unwrap()
    }

    pub async fn accusation(&self, transition: u32) -> Challenge {
        let domain = Domain::new(31337, self.network.deployment.contracts.registry);
        let manifest = Manifest::parse(include_bytes!("../../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
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
    pub async fn answer(&self, id: B256, parts: &[u32]) {
        for &k in parts {
            let opened = dispute::open_state(&self.states, k).unwrap();
            for chunk in 0..opened.chunks.len() {
                self.jurors[0].1.answer(id, &opened, U256::from(1) << chunk).await.unwrap();
            }
        }
    }
}

pub async fn court(network: &Network, chain: &Chain, directory: &TempDir, node: &PrivateKeySigner) -> Court {
    network.anvil.rpc("anvil_setBalance", json!([node.address(), "0x56bc75e2d63100000"])).await;
    let journal = directory.path().join(node.address().to_string()).join("transactions.json");
    Court::new(chain.clone(), Sender::open(chain, node.clone(), journal).await.unwrap())
}

pub async fn warp(network: &Network, seconds: u64) {
    network.anvil.rpc("evm_increaseTime", json!([seconds])).await;
    network.anvil.mine(1).await;
}

pub async fn now(network: &Network) -> u64 {
    let block = network.anvil.rpc("eth_getBlockByNumber", json!(["latest", false])).await;
    u64::from_str_radix(block["timestamp"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// Waits until a docket shows so.
pub async fn shown(following: &Following, what: &str, so: impl Fn(&Docket) -> bool) -> Arc<Docket> {
    until(what, async || so(&following.docket())).await;
    following.docket()
}

pub fn phase(docket: &Docket, id: B256) -> Option<Phase> {
    docket.get(id).map(|dispute| dispute.phase)
}
