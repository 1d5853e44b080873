//! Operators: distinct accounts that stake for themselves and register a node key of their own.

use crate::{
    account,
    agent::{ChainFlags, Program, Registration},
    keystore::Keystore,
    wallet::Wallet,
};
use alloy::{
    primitives::{Address, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result};
use cuckoo_protocol::{amount::parse_cai, deployment::Deployment};
use std::path::Path;
use url::Url;

/// Native coin that a node gets from its operator for its own transactions, in wei: 1 coin.
const NODE_GAS: u64 = 1_000_000_000_000_000_000;

/// An operator with its node.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What it is called in logs and tables, such as `miner-2`.
    pub name: String,
    /// The operator's own account.
    pub wallet: Wallet,
    /// The operator's key as a file, for `register`.
    pub key: Keystore,
    /// The node's key.
    pub node: Keystore,
}

impl Operator {
    /// Makes the keys of test account `index`, and gives its node native coin.
    ///
    /// # Errors
    /// If `key new` or the transaction fails.
    pub async fn new(
        name: &str,
        index: u32,
        program: &Program,
        chain: &ChainFlags,
        deployment: &Deployment,
        folder: &Path,
    ) -> Result<Self> {
        let signer: PrivateKeySigner = account::signer(index)?;
        let key = Keystore::encrypt(&signer, folder, &format!("{name}-operator"))?;
        let node = Keystore::create(program, folder, &format!("{name}-node")).await?;
        let wallet = Wallet::new(signer, &chain.rpc_url, deployment);
        wallet.send_native(node.address, U256::from(NODE_GAS)).await?;
        Ok(Self { name: name.to_owned(), wallet, key, node })
    }

    /// The operator's account.
    pub fn address(&self) -> Address {
        self.wallet.address
    }

    /// Stakes `own` CAI wei behind itself.
    ///
    /// # Errors
    /// If a transaction fails.
    pub async fn stake(&self, own: U256) -> Result<()> {
        self.wallet.stake(self.address(), own).await.with_context(|| format!("{} cannot stake", self.name))
    }

    /// Registers with the agent's `register`; a coordinator names its endpoint.
    ///
    /// # Errors
    /// The command's own sentence if it is refused.
    pub async fn register(&self, program: &Program, chain: &ChainFlags, endpoint: Option<&Url>) -> Result<()> {
        let info = format!("{} of a development network", self.name);
        let registration =
            Registration { program, chain, node: &self.node, operator: &self.key, endpoint, info: &info };
        registration.send().await
    }
}

/// Whole CAI as wei.
///
/// # Errors
/// If it overflows.
pub fn cai(amount: u64) -> Result<U256> {
    parse_cai(&amount.to_string()).map_err(anyhow::Error::msg)
}
