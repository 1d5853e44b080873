//! Drand, played: a network of its scheme whose key is known here, and its HTTP API, honest and otherwise.

use super::{Anvil, root};
use alloy::{
    hex,
    primitives::{Address, B256, Bytes, U256, address, keccak256, uint},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    sol,
    sol_types::{SolCall, SolValue},
};
use axum::{
    Router,
    body::{Body, Bytes as Chunk},
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use url::Url;

sol! {
    interface HashToPoint {
        function point(uint64 round) external view returns (uint256[2] memory);
    }
}

/// The network's secret.
const KEY: U256 = uint!(0x6375636b6f6f_U256);
/// KEY times the generator of G2, as drand writes it: x1, x0, y1, y0.
const PUBLIC_KEY: &str = "0x\
    1d6127bad444f8496df4da7948c53e64a8db811cc56156e2821dd4b07293b460\
    24320c8663b279d6ef22311be66b21d56db69d331c0f2d31652e01fe7ddb116d\
    29c94f1f313f6daa57a1e2b8b65bd8edd8ac40e0e77d60e7f48f0b7709941c86\
    20ad012f437d3484abf4c0100751eaf332dd2cb9ef265ec27f26f2bac2431087";
const GENESIS: u64 = 1_700_000_000;
const PERIOD: u64 = 1;
/// Seconds from a schedule to its round.
const DELAY: u64 = 2;
const HELPER: Address = address!("0x00000000000000000000000000000000000d4a4d");
/// The precompile that multiplies points of G1.
const MULTIPLY: Address = address!("0x0000000000000000000000000000000000000007");

/// Puts this network's key into a config.
pub fn alter(config: &mut Value) {
    config["drand"] = json!({ "publicKey": PUBLIC_KEY, "genesis": GENESIS, "period": PERIOD, "delay": DELAY });
}

/// Mirrors, one a folder: `honest`; `lying`, which gives another round's signature; `late`, which answers 404 as for a round that does
/// not exist yet; `slow`, which never answers; `endless`, whose answer never ends.
#[derive(Clone)]
pub struct Drand {
    url: Url,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Player {
    provider: DynProvider,
    asked: Arc<AtomicUsize>,
}

impl Drand {
    pub async fn start(anvil: &Anvil) -> Self {
        let artefact = root().join("out/HashToPoint.sol/HashToPoint.json");
        let artefact = fs::read(artefact).expect("the tests need the contracts: run `make build`");
        let artefact: Value = serde_json::from_slice(&artefact).unwrap();
        anvil.rpc("anvil_setCode", json!([HELPER, artefact["deployedBytecode"]["object"]])).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let player = Player { provider: anvil.provider.clone(), asked: asked.clone() };
        let router = Router::new().route("/{mirror}/{round}", get(answer)).with_state(player);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    pub fn mirror(&self, name: &str) -> Url {
        self.url.join(name).unwrap()
    }

    /// How often any mirror was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn answer(State(player): State<Player>, Path((mirror, round)): Path<(String, u64)>) -> Response {
    player.asked.fetch_add(1, Ordering::Relaxed);
    let signed = match mirror.as_str() {
        "honest" => round,
        "lying" => round + 1,
        "late" => return StatusCode::NOT_FOUND.into_response(),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return StatusCode::OK.into_response();
        }
        _ => {
            let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Chunk::from_static(&[b' '; 1024])));
            return Body::from_stream(chunks).into_response();
        }
    };
    let signature = hex::encode(sign(&player.provider, signed).await);
    json!({ "round": round, "signature": signature }).to_string().into_response()
}

/// A round's signature, x ‖ y.
pub async fn sign(provider: &DynProvider, round: u64) -> Bytes {
    let call = async |to: Address, input: Bytes| {
        provider.call(TransactionRequest::default().to(to).input(input.into())).await.unwrap()
    };
    let point = call(HELPER, HashToPoint::pointCall { round }.abi_encode().into()).await;
    call(MULTIPLY, [&point[..], &KEY.abi_encode()].concat().into()).await
}

/// The value that a round has once it is on chain.
pub async fn value(provider: &DynProvider, round: u64) -> B256 {
    keccak256(sign(provider, round).await)
}
