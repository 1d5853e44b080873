//! Makes operators quickly: the network's admins stake for them, and each registers itself.

use crate::account;
use alloy::{
    eips::BlockId,
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::{
        client::RpcClient,
        types::{TransactionReceipt, TransactionRequest},
    },
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use cuckoo_chain::register::{self, Registration};
use cuckoo_protocol::{
    contracts::{ICAI, IPayments, IStaking, Role, Voucher},
    deployment::Deployment,
    message::Signed,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// Native coin that everybody gets, in wei.
const NATIVE: &str = "0x56bc75e2d63100000";

/// Of each transaction: more than any here takes. An estimate would be short when another transaction, mined before, begins an epoch.
const GAS: u64 = 1_500_000;

/// The treasury, many of whose transactions may be on their way at once.
pub struct Bank {
    client: RpcClient,
    provider: DynProvider,
    deployment: Deployment,
    turn: Mutex<()>,
}

impl Bank {
    /// Lets Staking and Payments take the treasury's CAI.
    ///
    /// # Errors
    /// If a transaction fails.
    pub async fn open(rpc_url: &Url, deployment: &Deployment) -> Result<Self> {
        let client = RpcClient::new_http(rpc_url.clone()).with_poll_interval(Duration::from_millis(50));
        let provider = wallet(&client, account::signer(account::TREASURY)?);
        let bank = Self { client, provider, deployment: deployment.clone(), turn: Mutex::default() };
        for spender in [deployment.contracts.staking, deployment.contracts.payments] {
            bank.send(deployment.contracts.cai, &ICAI::approveCall { spender, amount: U256::MAX }).await?;
        }
        Ok(bank)
    }

    /// Lets Disputes take all bonds and fees of `key`, which otherwise takes a transaction each.
    ///
    /// # Errors
    /// If the transaction fails.
    pub async fn approve_bonds(&self, key: &PrivateKeySigner) -> Result<()> {
        let call = ICAI::approveCall { spender: self.deployment.contracts.disputes, amount: U256::MAX };
        let request = TransactionRequest::default().to(self.deployment.contracts.cai).with_input(call.abi_encode());
        let sent = wallet(&self.client, key.clone()).send_transaction(request.with_gas_limit(GAS)).await?;
        ensure!(sent.get_receipt().await?.status(), "an approval failed on chain");
        Ok(())
    }

    /// Sends a call from the treasury, and waits until it is mined.
    ///
    /// # Errors
    /// If it is refused or fails.
    pub async fn send(&self, to: Address, call: &impl SolCall) -> Result<TransactionReceipt> {
        self.send_data(to, call.abi_encode().into()).await
    }

    async fn send_data(&self, to: Address, data: Bytes) -> Result<TransactionReceipt> {
        let request = TransactionRequest::default().to(to).input(data.into()).with_gas_limit(GAS);
        let sent = {
            let _turn = self.turn.lock().await;
            self.provider.send_transaction(request).await?
        };
        let receipt = sent.get_receipt().await?;
        ensure!(receipt.status(), "a transaction of the treasury failed");
        Ok(receipt)
    }

    /// Registers a new operator with `stake` CAI wei and `node` as its node; gives its address.
    ///
    /// # Errors
    /// If a transaction fails.
    pub async fn operator(&self, role: Role, stake: U256, node: &PrivateKeySigner) -> Result<Address> {
        self.operator_with(role, stake, PrivateKeySigner::random(), node).await
    }

    /// Registers a new operator that is its own node.
    ///
    /// # Errors
    /// If a transaction fails.
    pub async fn own_node(&self, role: Role, stake: U256) -> Result<PrivateKeySigner> {
        let key = PrivateKeySigner::random();
        self.operator_with(role, stake, key.clone(), &key).await?;
        Ok(key)
    }

    async fn operator_with(
        &self,
        role: Role,
        stake: U256,
        key: PrivateKeySigner,
        node: &PrivateKeySigner,
    ) -> Result<Address> {
        let me = key.address();
        for account in [me, node.address()] {
            self.provider.raw_request::<_, Value>("anvil_setBalance".into(), json!([account, NATIVE])).await?;
        }
        let delegate = IStaking::delegateCall { operator: me, assets: stake, onBehalf: me };
        self.send(self.deployment.contracts.staking, &delegate).await.context("staking")?;
        let endpoint = if role == Role::Coordinator { "http://127.0.0.1:1".to_owned() } else { String::new() };
        let registration = Registration { role, node_signer: node, operator: me, endpoint, info: String::new() };
        let (to, data) = register::calldata(&self.deployment, &registration)?;
        let request = TransactionRequest::default().to(to).input(data.into()).with_gas_limit(GAS);
        let sent = wallet(&self.client, key).send_transaction(request).await.context("registering")?;
        ensure!(sent.get_receipt().await?.status(), "a registration failed on chain");
        Ok(me)
    }

    /// Gives CAI wei away.
    ///
    /// # Errors
    /// If the transaction fails.
    pub async fn grant(&self, to: Address, amount: U256) -> Result<()> {
        self.send(self.deployment.contracts.cai, &ICAI::transferCall { to, amount }).await.map(drop)
    }

    /// Funds a channel with what a voucher promises, and has it collected.
    ///
    /// # Errors
    /// If a transaction fails.
    pub async fn pay(&self, voucher: &Signed<Voucher>) -> Result<()> {
        let Voucher { payer, payee, cumulative } = voucher.message;
        let payments = self.deployment.contracts.payments;
        self.send(payments, &IPayments::fundCall { payer, payee, amount: cumulative }).await.context("funding")?;
        let signature = voucher.signature_bytes().into();
        let collect = IPayments::collectCall { payer, payee, cumulative, signature };
        self.send(payments, &collect).await.context("collecting").map(drop)
    }

    /// Whether the newest block is later than `time` (chain seconds).
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn is_after(&self, time: u64) -> Result<bool> {
        let head = self.provider.get_block(BlockId::latest()).await?.context("the chain has no block")?;
        Ok(head.header.timestamp > time)
    }
}

fn wallet(client: &RpcClient, key: PrivateKeySigner) -> DynProvider {
    ProviderBuilder::default()
        .with_simple_nonce_management()
        .with_gas_estimation()
        .fetch_chain_id()
        .wallet(EthereumWallet::from(key))
        .connect_client(client.clone())
        .erased()
}
