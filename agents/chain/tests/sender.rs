//! The sender against a real chain: refusals, stuck transactions, crashes.

mod support;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxHash, U256},
    providers::Provider,
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use cuckoo_chain::{Chain, SendError, Sender, register};
use cuckoo_protocol::contracts::Role;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use support::{CAI, DEPLOYER, Network, Token, until};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const PAYEE: Address = Address::repeat_byte(0x99);

/// A key with money, and where its journal lies.
struct Account {
    network: Network,
    key: PrivateKeySigner,
    directory: TempDir,
}

impl Account {
    async fn new() -> Self {
        let (network, key) = (Network::start().await, PrivateKeySigner::random());
        network.grant(key.address(), 100).await;
        Self { network, key, directory: tempfile::tempdir().unwrap() }
    }

    fn journal(&self) -> PathBuf {
        self.directory.path().join("transactions.json")
    }

    /// A sender as a process of its own has it: it ends with its token.
    async fn open(&self) -> (Sender, CancellationToken) {
        let shutdown = CancellationToken::new();
        let chain = self.network.connect_until(&[&self.network.anvil.url], shutdown.clone()).await;
        (open(&chain, &self.key, &self.journal()).await.unwrap(), shutdown)
    }

    fn cai(&self) -> Address {
        self.network.deployment.contracts.cai
    }

    async fn paid(&self) -> u64 {
        let call = alloy::sol_types::SolCall::abi_encode(&balanceOfCall { account: PAYEE });
        let request = TransactionRequest::default().with_to(self.cai()).with_input(call);
        let balance = self.network.anvil.provider.call(request).await.unwrap();
        (U256::from_be_slice(&balance) / CAI).to()
    }

    /// Sends in the background and waits until the node has it.
    async fn send_unmined(&self, sender: &Sender) -> tokio::task::JoinHandle<Result<TxHash, SendError>> {
        self.network.anvil.automine(false).await;
        let (sender, to) = (sender.clone(), self.cai());
        let sending =
            tokio::spawn(async move { sender.send(to, pay(1), "pay").await.map(|receipt| receipt.transaction_hash) });
        until("the node has it", async || !self.waiting().await.is_empty()).await;
        sending
    }

    /// Leaves a journalled transaction behind, as a crash does, and returns its hash.
    async fn crash(&self) -> String {
        let (sender, shutdown) = self.open().await;
        let sending = self.send_unmined(&sender).await;
        shutdown.cancel();
        assert!(matches!(sending.await.unwrap(), Err(SendError::Shutdown)));
        assert!(self.in_flight());
        self.waiting().await[0]["hash"].as_str().unwrap().to_owned()
    }

    /// Its transactions that wait to be mined.
    async fn waiting(&self) -> Vec<Value> {
        self.network.anvil.waiting(self.key.address()).await
    }

    /// Whether the journal holds a transaction that is not mined.
    fn in_flight(&self) -> bool {
        let Ok(text) = std::fs::read(self.journal()) else { return false };
        serde_json::from_slice::<Value>(&text).unwrap().get("transactions").is_some()
    }

    async fn reconciled(&self) {
        until("nothing is in flight", async || !self.in_flight()).await;
    }

    /// Takes a block back that no node remembers the transactions of, nor those that wait.
    async fn forget(&self, blocks: u64) {
        let anvil = &self.network.anvil;
        anvil.rpc("anvil_reorg", json!([blocks, []])).await;
        anvil.rpc("anvil_dropAllTransactions", json!([])).await;
    }
}

alloy::sol! { function balanceOf(address account) external view returns (uint256); }

fn pay(cai: u64) -> Bytes {
    Token::transferCall { to: PAYEE, amount: U256::from(cai) * CAI }.abi_encode().into()
}

/// The lock of a process that has just ended is free a moment later.
async fn open(chain: &Chain, key: &PrivateKeySigner, journal: &Path) -> Result<Sender, SendError> {
    for _ in 0..100 {
        match Sender::open(chain, key.clone(), journal.to_owned()).await {
            Err(SendError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => return outcome,
        }
    }
    Sender::open(chain, key.clone(), journal.to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_go_out_one_by_one_and_leave_none_in_flight() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    assert_eq!(sender.address(), account.key.address());
    let to = account.cai();
    let pays = (1..=4).map(|_| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(to, pay(2), "pay").await.unwrap() })
    });
    for pay in pays.collect::<Vec<_>>() {
        assert!(pay.await.unwrap().status());
    }
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (8, 4));
    assert!(!account.in_flight());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_costs_nothing_and_says_why() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    let node = PrivateKeySigner::random();
    let registration = register::Registration {
        role: Role::Miner,
        node_signer: &node,
        operator: sender.address(),
        endpoint: String::new(),
        info: "no stake".into(),
    };
    let (to, data) = register::calldata(&account.network.deployment, &registration).unwrap();
    let refusal = sender.send(to, data, "register").await.unwrap_err();
    assert!(matches!(refusal, SendError::Refused(_)));
    let text = refusal.to_string();
    assert!(text.contains("InsufficientStake") && text.contains("needs more than 20000 CAI"), "{text}");

    let text = sender.send(account.cai(), pay(101), "pay").await.unwrap_err().to_string();
    assert!(text.contains("100 CAI are there, 101 CAI are needed"), "{text}");

    // No native coin: the node's words, and the account to fill.
    account.network.anvil.rpc("anvil_setBalance", json!([sender.address(), "0x0"])).await;
    let broke = sender.send(account.cai(), pay(1), "pay").await.unwrap_err();
    assert!(matches!(broke, SendError::Rejected { .. }), "{broke:?}");
    assert!(broke.to_string().contains(&sender.address().to_string()), "{broke}");
    assert_eq!(account.network.anvil.nonce(sender.address()).await, 0);
    assert!(!account.in_flight());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_transaction_is_bumped_and_mined_once() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    let sending = account.send_unmined(&sender).await;
    let fee = |waiting: &serde_json::Value| {
        let hex = waiting["maxFeePerGas"].as_str().unwrap().trim_start_matches("0x");
        u128::from_str_radix(hex, 16).unwrap()
    };
    let first = account.waiting().await;
    let (first_fee, first_hash) = (fee(&first[0]), first[0]["hash"].clone());
    until("it is replaced", async || {
        let waiting = account.waiting().await;
        waiting.len() == 1 && waiting[0]["hash"] != first_hash && fee(&waiting[0]) >= first_fee + first_fee / 8
    })
    .await;
    account.network.anvil.mine(1).await;
    let hash = sending.await.unwrap().unwrap();
    assert_ne!(hash.to_string(), first_hash.as_str().unwrap());
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_broadcast_sends_it_after_the_restart_once() {
    let account = Account::new().await;
    let hash = account.crash().await;
    // What is stored and was never seen by a node.
    account.network.anvil.rpc("anvil_dropTransaction", json!([hash])).await;
    assert!(account.waiting().await.is_empty());

    let (sender, _shutdown) = account.open().await;
    until("it is broadcast", async || !account.waiting().await.is_empty()).await;
    assert_eq!(account.waiting().await[0]["hash"], hash);
    account.network.anvil.automine(true).await;
    account.network.anvil.mine(1).await;
    account.reconciled().await;
    // The next takes the next nonce.
    sender.send(account.cai(), pay(1), "pay").await.unwrap();
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_while_away_is_not_sent_again() {
    let account = Account::new().await;
    account.crash().await;
    account.network.anvil.mine(1).await;
    account.network.anvil.automine(true).await;
    let (sender, _shutdown) = account.open().await;
    account.reconciled().await;
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_after_a_restart_waits_for_the_former_one() {
    let account = Account::new().await;
    account.crash().await;
    let (sender, _shutdown) = account.open().await;
    let to = account.cai();
    let sending = tokio::spawn(async move { sender.send(to, pay(5), "pay").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sending.is_finished());
    assert_eq!(account.waiting().await.len(), 1);
    account.network.anvil.mine(1).await;
    account.network.anvil.automine(true).await;
    let receipt = tokio::time::timeout(Duration::from_secs(5), sending).await.unwrap().unwrap().unwrap();
    assert!(receipt.status());
    assert_eq!(account.paid().await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_nobody_waits_for_is_finished_before_the_next() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    account.send_unmined(&sender).await.abort();
    let to = account.cai();
    let sending = tokio::spawn(async move { sender.send(to, pay(5), "pay").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(account.waiting().await.len(), 1);
    account.network.anvil.mine(1).await;
    account.network.anvil.automine(true).await;
    assert!(sending.await.unwrap().unwrap().status());
    assert_eq!((account.paid().await, account.network.anvil.nonce(account.key.address()).await), (6, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_others_took_is_given_up() {
    let account = Account::new().await;
    let hash = account.crash().await;
    account.network.anvil.rpc("anvil_dropTransaction", json!([hash])).await;
    account.network.anvil.automine(true).await;
    account.network.call_raw(account.key.address(), account.cai(), pay(10)).await;
    let (sender, _shutdown) = account.open().await;
    sender.send(account.cai(), pay(1), "pay").await.unwrap();
    assert_eq!(account.paid().await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_started_afresh_is_noticed() {
    let account = Account::new().await;
    let (sender, shutdown) = account.open().await;
    sender.send(account.cai(), pay(1), "pay").await.unwrap();
    shutdown.cancel();
    drop(sender);
    account.crash().await;

    let afresh = Network::start().await;
    let chain = afresh.connect(&[&afresh.anvil.url]).await;
    let sender = open(&chain, &account.key, &account.journal()).await.unwrap();
    let gap = sender.send(account.cai(), pay(1), "pay").await.unwrap_err();
    assert!(matches!(gap, SendError::Gap { known: 0, nonce: 1, .. }), "{gap}");
    assert!(gap.to_string().contains("transactions.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_on_chain_says_why() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    let (cai, anvil) = (account.cai(), &account.network.anvil);
    let spender = sender.address();
    account.network.call(DEPLOYER, cai, Token::approveCall { spender, amount: CAI }).await;
    anvil.automine(false).await;
    let take = Token::transferFromCall { from: DEPLOYER, to: PAYEE, amount: CAI }.abi_encode().into();
    let sending = tokio::spawn(async move { sender.send(cai, take, "take").await });
    until("the node has it", async || !account.waiting().await.is_empty()).await;
    // Revoked in the same block, ahead of it by its higher tip.
    let revoke = TransactionRequest::default()
        .with_from(DEPLOYER)
        .with_to(cai)
        .with_gas_limit(100_000)
        .with_max_fee_per_gas(10_u128.pow(12))
        .with_max_priority_fee_per_gas(10_u128.pow(12))
        .with_input(Token::approveCall { spender, amount: U256::ZERO }.abi_encode());
    anvil.rpc("eth_sendTransaction", json!([revoke])).await;
    anvil.mine(1).await;
    let failure = sending.await.unwrap().unwrap_err();
    assert!(
        matches!(&failure, SendError::Reverted { reason, .. } if reason.contains("approve 1 CAI first")),
        "{failure}"
    );
    assert!(!account.in_flight());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_rpc_delays_a_transaction_and_loses_none() {
    let account = Account::new().await;
    let wire = support::wire::Wire::new(&account.network.anvil.url, true).await;
    let chain = account.network.connect(&[&wire.url]).await;
    let sender = open(&chain, &account.key, &account.journal()).await.unwrap();
    let sending = account.send_unmined(&sender).await;
    wire.cut();
    account.network.anvil.mine(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sending.is_finished());
    wire.mend();
    assert!(sending.await.unwrap().is_ok());
    // One that is not journalled yet fails at once instead.
    wire.cut();
    assert!(matches!(sender.send(account.cai(), pay(1), "pay").await, Err(SendError::Rpc(_))));
    assert_eq!(account.paid().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_dropped_is_sent_again() {
    let account = Account::new().await;
    let (sender, _shutdown) = account.open().await;
    for _ in 0..2 {
        sender.send(account.cai(), pay(1), "pay").await.unwrap();
    }
    account.network.anvil.rpc("anvil_reorg", json!([2, []])).await;
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (0, 0));
    sender.send(account.cai(), pay(5), "pay").await.unwrap();
    assert_eq!((account.paid().await, account.network.anvil.nonce(sender.address()).await), (7, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_dropped_is_sent_again_after_a_crash() {
    let account = Account::new().await;
    let anvil = &account.network.anvil;
    let (sender, shutdown) = account.open().await;
    sender.send(account.cai(), pay(1), "pay").await.unwrap();
    let sending = account.send_unmined(&sender).await;
    shutdown.cancel();
    assert!(matches!(sending.await.unwrap(), Err(SendError::Shutdown)));
    drop(sender);
    account.forget(1).await;
    assert_eq!(anvil.nonce(account.key.address()).await, 0);
    anvil.automine(true).await;
    let _next = account.open().await;
    account.reconciled().await;
    assert_eq!((account.paid().await, anvil.nonce(account.key.address()).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_before_a_restart_is_sent_again_too() {
    let account = Account::new().await;
    let anvil = &account.network.anvil;
    let (sender, shutdown) = account.open().await;
    for _ in 0..2 {
        sender.send(account.cai(), pay(1), "pay").await.unwrap();
    }
    shutdown.cancel();
    drop(sender);
    let (sender, _shutdown) = account.open().await;
    let sending = account.send_unmined(&sender).await;
    account.forget(2).await;
    assert_eq!(anvil.nonce(account.key.address()).await, 0);
    anvil.automine(true).await;
    sending.await.unwrap().unwrap();
    assert_eq!((account.paid().await, anvil.nonce(account.key.address()).await), (3, 3));
}
