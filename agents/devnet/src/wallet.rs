//! Transactions of one account.

use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use cuckoo_protocol::{
    contracts::{IDisputes, IStaking},
    deployment::{Contracts, Deployment},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;
use url::Url;

sol! {
    /// What a wallet needs of CAI.
    #[sol(rpc)]
    interface Token {
        function transfer(address to, uint256 amount) external returns (bool);
        function approve(address spender, uint256 amount) external returns (bool);
    }

    /// What a proposer needs of the timelock that owns the contracts.
    #[sol(rpc)]
    interface Timelock {
        function schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay) external;
        function execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt) external payable;
    }
}

/// For verbs of Staking: the first of an epoch takes more gas than an estimate from just before finds.
const STAKING_GAS: u64 = 1_000_000;

/// An account that sends its own transactions, one after another even when several tasks use it.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// Its address.
    pub address: Address,
    provider: DynProvider,
    contracts: Contracts,
    turn: Arc<Mutex<()>>,
}

impl Wallet {
    /// A wallet of `key` on the chain behind `rpc_url`.
    pub fn new(key: PrivateKeySigner, rpc_url: &Url, deployment: &Deployment) -> Self {
        let address = key.address();
        // `register` sends from the same accounts, so nonces are asked for, not remembered.
        let provider = ProviderBuilder::default()
            .with_simple_nonce_management()
            .with_gas_estimation()
            .fetch_chain_id()
            .wallet(EthereumWallet::from(key))
            .connect_http(rpc_url.clone());
        // Blocks come every second; the default of 7 s for unknown hosts would be idle time.
        provider.client().set_poll_interval(Duration::from_millis(100));
        Self { address, provider: provider.erased(), contracts: deployment.contracts, turn: Arc::default() }
    }

    /// Sends CAI wei to many accounts at once.
    ///
    /// # Errors
    /// If a transaction is refused or fails.
    pub async fn grant(&self, grants: &[(Address, U256)]) -> Result<()> {
        let _turn = self.turn.lock().await;
        let token = Token::new(self.contracts.cai, &self.provider);
        let mut sent = Vec::new();
        for &(to, amount) in grants {
            let transaction = token.transfer(to, amount).send().await;
            sent.push(transaction.with_context(|| format!("cannot send {amount} wei of CAI to {to}"))?);
        }
        for transaction in sent {
            ensure!(transaction.get_receipt().await?.status(), "a grant failed on chain");
        }
        Ok(())
    }

    /// Sends native coin, in wei.
    ///
    /// # Errors
    /// If the transaction is refused or fails.
    pub async fn send_native(&self, to: Address, amount: U256) -> Result<()> {
        let _turn = self.turn.lock().await;
        let request = TransactionRequest::default().to(to).value(amount);
        let receipt = self.provider.send_transaction(request).await?.get_receipt().await?;
        ensure!(receipt.status(), "sending native coin to {to} failed");
        Ok(())
    }

    /// Stakes CAI wei behind `operator`: for oneself it is staking, for another a vote.
    ///
    /// # Errors
    /// If a transaction is refused or fails.
    pub async fn stake(&self, operator: Address, amount: U256) -> Result<()> {
        let _turn = self.turn.lock().await;
        let token = Token::new(self.contracts.cai, &self.provider);
        let approved = token.approve(self.contracts.staking, amount).send().await?.get_receipt().await?;
        ensure!(approved.status(), "the approval failed on chain");
        let staking = IStaking::new(self.contracts.staking, &self.provider);
        let delegate = staking.delegate(operator, amount, self.address).gas(STAKING_GAS);
        let staked = delegate.send().await?.get_receipt().await?;
        ensure!(staked.status(), "staking failed on chain");
        Ok(())
    }

    /// Has the owner, whose only proposer this account is, list a model for disputes.
    ///
    /// # Errors
    /// If a transaction is refused or fails.
    pub async fn list_model(&self, model_id: B256) -> Result<()> {
        self.govern(IDisputes::setModelCall { modelId: model_id, listed: true }).await.context("listing the model")
    }

    /// Has the owner set the parameters of disputes that open from now on.
    ///
    /// # Errors
    /// If a transaction is refused or fails.
    pub async fn set_dispute_parameters(&self, parameters: IDisputes::Parameters) -> Result<()> {
        let call = IDisputes::setParametersCall { parameters_: parameters };
        self.govern(call).await.context("setting the parameters of disputes")
    }

    async fn govern(&self, call: impl SolCall) -> Result<()> {
        let _turn = self.turn.lock().await;
        let timelock = Timelock::new(self.contracts.timelock, &self.provider);
        let data: Bytes = call.abi_encode().into();
        let (disputes, none) = (self.contracts.disputes, B256::ZERO);
        let announced = timelock.schedule(disputes, U256::ZERO, data.clone(), none, none, U256::ZERO);
        ensure!(announced.send().await?.get_receipt().await?.status(), "announcing failed on chain");
        let done = timelock.execute(disputes, U256::ZERO, data, none, none);
        ensure!(done.send().await?.get_receipt().await?.status(), "the owner's call failed on chain");
        Ok(())
    }

    /// Takes `shares` back out of `operator`'s pool.
    ///
    /// # Errors
    /// If the transaction is refused or fails.
    pub async fn undelegate(&self, operator: Address, shares: U256) -> Result<()> {
        let _turn = self.turn.lock().await;
        let staking = IStaking::new(self.contracts.staking, &self.provider);
        let undelegate = staking.undelegate(operator, shares).gas(STAKING_GAS);
        let receipt = undelegate.send().await?.get_receipt().await?;
        ensure!(receipt.status(), "undelegating failed on chain");
        Ok(())
    }
}
