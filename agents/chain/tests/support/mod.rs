//! A real chain with the real contracts, and a wire to it that can be cut.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod case;
pub mod drand;
pub mod stage;
pub mod wire;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256, address, uint},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use cuckoo_chain::{Chain, Snapshot, Timing, View, register};
use cuckoo_protocol::{
    contracts::{ILens, IStaking, Role},
    deployment::Deployment,
};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

sol! {
    /// What tests do with the token.
    interface Token {
        function transfer(address to, uint256 amount) external returns (bool);
        function transferFrom(address from, address to, uint256 amount) external returns (bool);
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
    }
}

pub const CAI: U256 = uint!(1_000_000_000_000_000_000_U256);
/// Anvil's first account: deploys, and holds the supply.
pub const DEPLOYER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// The first one compiles.
const DEPLOYED_WITHIN: Duration = Duration::from_secs(300);
const DEPLOYER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Short waits: a test has no time.
pub const TIMING: Timing = Timing {
    poll: Duration::from_millis(40),
    stale_after: Duration::from_millis(400),
    bump_after: Duration::from_millis(400),
};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A development chain without contracts. Mines a block a transaction, and otherwise only when told to. Its finalized block lies
/// four behind the head.
pub struct Anvil {
    process: Child,
    pub url: Url,
    pub provider: DynProvider,
}

impl Anvil {
    pub async fn start(chain_id: u64) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(foundry("anvil"))
            .args(["--port", &port.to_string(), "--chain-id", &chain_id.to_string()])
            .args(["--slots-in-an-epoch", "2", "--silent"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_http(url.clone()).erased();
        let anvil = Self { process, url, provider };
        until("anvil answers", async || anvil.provider.get_block_number().await.is_ok()).await;
        anvil
    }

    pub async fn rpc(&self, method: &'static str, params: Value) -> Value {
        self.provider.raw_request(method.into(), params).await.unwrap()
    }

    pub async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    /// Whether a transaction is mined as soon as it is sent.
    pub async fn automine(&self, on: bool) {
        self.rpc("evm_setAutomine", json!([on])).await;
    }

    /// An account's transactions that wait to be mined. Of that account alone, since anvil takes what is mined out of its pool a
    /// moment after it shows the receipt.
    pub async fn waiting(&self, account: Address) -> Vec<Value> {
        let pool = self.rpc("txpool_content", json!([])).await;
        let mut by_account = pool["pending"].as_object().unwrap().iter();
        let of_account = by_account.find(|(sender, _)| sender.parse() == Ok(account));
        of_account.map(|(_, by_nonce)| by_nonce.as_object().unwrap().values().cloned().collect()).unwrap_or_default()
    }

    pub async fn nonce(&self, account: Address) -> u64 {
        self.provider.get_transaction_count(account).await.unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program itself: npm's launcher would leave it running when killed, and succeeds when it fails.
fn foundry(name: &str) -> PathBuf {
    let packages = root().join("node_modules/@foundry-rs");
    let packages = std::fs::read_dir(packages).expect("the tests need Foundry: run `make setup`");
    let mut programs = packages.map(|package| package.unwrap().path().join("bin").join(name));
    programs
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("node_modules/@foundry-rs has no {name} for this platform"))
}

/// A chain with the contracts.
pub struct Network {
    pub anvil: Anvil,
    pub deployment: Deployment,
}

impl Network {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// A network whose juries are drawn by [`drand`]'s.
    pub async fn start_with_drand() -> Self {
        Self::start_with(drand::alter).await
    }

    /// With other parameters than the development chain's.
    pub async fn start_with(alter: impl FnOnce(&mut Value)) -> Self {
        let anvil = Anvil::start(31337).await;
        let text = std::fs::read(root().join("script/config/31337.json")).unwrap();
        let mut config = serde_json::from_slice(&text).unwrap();
        alter(&mut config);
        let deployment = deploy(&anvil.url, &config).await;
        // Every account may send without a key.
        anvil.rpc("anvil_autoImpersonateAccount", json!([true])).await;
        Self { anvil, deployment }
    }

    pub async fn connect(&self, urls: &[&Url]) -> Chain {
        self.connect_until(urls, CancellationToken::new()).await
    }

    pub async fn connect_until(&self, urls: &[&Url], shutdown: CancellationToken) -> Chain {
        let urls = urls.iter().map(|&url| url.clone()).collect();
        Chain::connect_with(urls, self.deployment.clone(), TIMING, shutdown).await.unwrap()
    }

    /// A view over anvil's own URL.
    pub async fn follow(&self) -> View {
        let chain = self.connect(&[&self.anvil.url]).await;
        cuckoo_chain::view::follow(&chain, CancellationToken::new()).await.unwrap()
    }

    /// Sends as anybody; mined when it returns.
    pub async fn call(&self, from: Address, to: Address, call: impl SolCall) {
        self.call_raw(from, to, call.abi_encode().into()).await;
    }

    pub async fn call_raw(&self, from: Address, to: Address, data: Bytes) {
        let request =
            TransactionRequest::default().with_from(from).with_to(to).with_input(data).with_gas_limit(2_000_000);
        let hash = self.anvil.rpc("eth_sendTransaction", json!([request])).await;
        // Anvil mines by itself, but a moment after it has answered.
        until("it is mined", async || {
            let receipt = self.anvil.rpc("eth_getTransactionReceipt", json!([hash])).await;
            assert_ne!(receipt["status"], "0x0", "it failed");
            !receipt.is_null()
        })
        .await;
    }

    /// Native coin and CAI.
    pub async fn grant(&self, account: Address, cai: u64) {
        self.anvil.rpc("anvil_setBalance", json!([account, "0x56bc75e2d63100000"])).await;
        let transfer = Token::transferCall { to: account, amount: U256::from(cai) * CAI };
        self.call(DEPLOYER, self.deployment.contracts.cai, transfer).await;
    }

    /// Gives `owner` CAI and has it delegate them.
    pub async fn delegate(&self, operator: Address, cai: u64, owner: Address) {
        let contracts = self.deployment.contracts;
        let assets = U256::from(cai) * CAI;
        self.grant(owner, cai).await;
        self.call(owner, contracts.cai, Token::approveCall { spender: contracts.staking, amount: assets }).await;
        self.call(owner, contracts.staking, IStaking::delegateCall { operator, assets, onBehalf: owner }).await;
    }

    /// Stakes and registers an operator with the node.
    pub async fn register(&self, role: Role, operator: Address, cai: u64, node: &PrivateKeySigner) {
        self.delegate(operator, cai, operator).await;
        self.enter(role, operator, node).await;
    }

    /// Registers an operator that has staked.
    pub async fn enter(&self, role: Role, operator: Address, node: &PrivateKeySigner) {
        let endpoint = if role == Role::Coordinator { "http://127.0.0.1:8080".into() } else { String::new() };
        let registration =
            register::Registration { role, node_signer: node, operator, endpoint, info: "an introduction".into() };
        let (to, data) = register::calldata(&self.deployment, &registration).unwrap();
        self.call_raw(operator, to, data).await;
    }

    /// Takes `cai` of the operator's own stake out of its pool.
    pub async fn undelegate(&self, operator: Address, cai: u64) {
        // Shares are minted a million to a wei as long as nothing was slashed.
        let shares = U256::from(cai) * CAI * U256::from(1_000_000);
        self.call(operator, self.deployment.contracts.staking, IStaking::undelegateCall { operator, shares }).await;
    }

    /// What the contracts themselves say at the head.
    pub async fn lens(&self, operator: Address) -> ILens::OperatorView {
        let lens = ILens::new(self.deployment.contracts.lens, &self.anvil.provider);
        lens.operator(operator).call().await.unwrap()
    }
}

/// Runs the deployment script.
async fn deploy(url: &Url, config: &Value) -> Deployment {
    static ONE_AT_A_TIME: Mutex<u32> = Mutex::const_new(0);
    let mut count = ONE_AT_A_TIME.lock().await;
    *count += 1;
    // The script may write nowhere else.
    let file = root().join(format!("deployments/test-{}-{count}.json", std::process::id()));
    // A fresh clone has no such folder.
    std::fs::create_dir_all(root().join("deployments")).unwrap();
    let parameters = file.with_extension("config.json");
    std::fs::write(&parameters, config.to_string()).unwrap();
    let mut command = tokio::process::Command::new(foundry("forge"));
    command.args(["script", "script/Deploy.s.sol", "--broadcast", "--rpc-url", url.as_str()]);
    // One after another: a transaction that reaches anvil just as it mines the one before may stay in its pool for ever.
    command.args(["--private-key", DEPLOYER_KEY, "--slow"]);
    command.env("DEPLOYMENT", &file).env("CONFIG", &parameters).current_dir(root()).kill_on_drop(true);
    let output = timeout(DEPLOYED_WITHIN, command.output()).await.expect("the deployment hangs").unwrap();
    std::fs::remove_file(&parameters).unwrap();
    assert!(output.status.success(), "the deployment failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !so().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a snapshot of the newest block satisfies.
pub async fn until_shown(network: &Network, view: &View, what: &str, so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let head = network.anvil.provider.get_block_number().await.unwrap();
    until(what, async || {
        let snapshot = view.snapshot();
        snapshot.block >= head && so(&snapshot)
    })
    .await;
    view.snapshot()
}
