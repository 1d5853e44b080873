//! `cuckoo-devnet up`: a network to point clients at.

use crate::interrupted;
use alloy::primitives::Address;
use anyhow::{Context, Result};
use clap::Args;
use cuckoo_devnet::{
    account::{self, TestAccount},
    network::Network,
    operator::cai,
    plan::{MinerPlan, PURSE, Plan},
    toolchain::Toolchain,
};
use cuckoo_protocol::deployment::Contracts;
use serde::Serialize;
use std::time::Duration;
use tokio::time::sleep;

/// CAI that each spare account gets.
const USER_GRANT: u64 = 100_000;

/// Flags of `up`.
#[derive(Args, Debug)]
pub struct Options {
    /// Port of the chain's JSON-RPC
    #[arg(long, default_value_t = 8545)]
    rpc_port: u16,
    /// Port of the coordinator's APIs
    #[arg(long, default_value_t = 8080)]
    coordinator_port: u16,
    /// Model package in models/
    #[arg(long, default_value = "cuckoo-icons")]
    model: String,
}

/// The line that clients read.
#[derive(Serialize)]
struct Ready<'a> {
    rpc_url: &'a str,
    chain_id: u64,
    coordinator_url: String,
    api_key: &'a str,
    contracts: Contracts,
    accounts: Vec<TestAccount>,
}

/// Starts the network, prints the line and waits for a signal.
///
/// # Errors
/// If a part does not start, or ends by itself.
pub async fn run(options: Options) -> Result<()> {
    let mut network = tokio::select! {
        network = start(options) => network?,
        outcome = interrupted() => return outcome,
    };
    let rpc_url = network.site.anvil.rpc_url.clone();
    let ready = Ready {
        rpc_url: rpc_url.as_str().trim_end_matches('/'),
        chain_id: network.site.deployment.chain_id,
        coordinator_url: network.coordinator_url(),
        api_key: &network.api_key,
        contracts: network.site.deployment.contracts,
        accounts: account::all(network.miners.len().try_into()?)?,
    };
    println!("{}", serde_json::to_string(&ready)?);
    eprintln!("The network is up; logs are in {}. Interrupt to end it.", network.site.plan.folder.display());
    tokio::select! {
        outcome = watch(&mut network) => return outcome,
        _ = interrupted() => {}
    }
    eprintln!("Ending the network.");
    network.stop().await
}

async fn start(options: Options) -> Result<Network> {
    eprintln!("Starting a chain, deploying, staking, registering and starting the agents: about half a minute.");
    let root = Toolchain::find()?.root;
    let network = Network::up(Plan {
        folder: root.join("target/devnet/up"),
        deployment_file: root.join("deployments/31337.json"),
        rpc_port: options.rpc_port,
        coordinator_port: options.coordinator_port,
        model: options.model,
        price: "10".to_owned(),
        collect_at: "5".to_owned(),
        credit: "100".to_owned(),
        purse: PURSE,
        lease_seconds: 30,
        audit_rate: 0.05,
        threads: 2,
        miners: MinerPlan::unequal_three(),
    })
    .await?;
    let spare = account::FIRST_SPARE..account::NEWCOMER;
    let grants: Result<Vec<(Address, _)>> =
        spare.map(|index| Ok((account::signer(index)?.address(), cai(USER_GRANT)?))).collect();
    network.site.treasury.grant(&grants?).await.context("cannot grant CAI to the spare accounts")?;
    let model_id = network.app.model_id(&network.site.plan.model).await?;
    network.site.treasury.list_model(model_id).await?;
    Ok(network)
}

/// Ends, with an error, when a part of the network ends by itself.
async fn watch(network: &mut Network) -> Result<()> {
    loop {
        network.check()?;
        sleep(Duration::from_secs(1)).await;
    }
}
