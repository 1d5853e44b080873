//! How a network is laid out.

use crate::{
    anvil::{check_free, free_port},
    toolchain::Toolchain,
};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File, TryLockError},
    path::PathBuf,
};

/// CAI for all channels of a network in which nobody runs out of it.
pub const PURSE: u64 = 10_000;

/// How a network is laid out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Keys, data and logs lie here; what lay here before is removed.
    pub folder: PathBuf,
    /// Where the deployment script writes the addresses.
    pub deployment_file: PathBuf,
    /// Port of the chain.
    pub rpc_port: u16,
    /// Port of the coordinator.
    pub coordinator_port: u16,
    /// Model package in `models/` or `vendor/models/`.
    pub model: String,
    /// CAI that the coordinator pays a unit of the model.
    pub price: String,
    /// CAI uncollected that make a miner collect.
    pub collect_at: String,
    /// CAI that a miner lets a coordinator owe beyond what its channel holds.
    pub credit: String,
    /// CAI that the coordinator's node gets to fund channels with.
    pub purse: u64,
    /// Seconds after which a silent miner's task is given to another.
    pub lease_seconds: u32,
    /// Share of results that the coordinator audits; of newcomers it audits more.
    pub audit_rate: f64,
    /// Threads that a miner computes with.
    pub threads: u32,
    /// At most three: the accounts after the coordinator's.
    pub miners: Vec<MinerPlan>,
}

/// The stake behind a miner, in CAI.
#[derive(Clone, Copy, Debug)]
pub struct MinerPlan {
    /// Its own.
    pub own: u64,
    /// The plain staker's vote for it.
    pub votes: u64,
}

impl MinerPlan {
    /// Three miners whose weights are as 1 : 2 : 3, the last one's with a vote.
    pub fn unequal_three() -> Vec<Self> {
        [(25_000, 0), (50_000, 0), (60_000, 15_000)].map(|(own, votes)| Self { own, votes }).into()
    }
}

impl Plan {
    /// A network beside which others run: free ports, everything in `target/devnet/<label>`, the model for tests.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn private(toolchain: &Toolchain, label: &str) -> Result<Self> {
        let folder = toolchain.root.join("target/devnet").join(label);
        Ok(Self {
            deployment_file: folder.join("deployment/31337.json"),
            folder,
            rpc_port: free_port()?,
            coordinator_port: free_port()?,
            model: "cuckoo-tiny".to_owned(),
            price: "10".to_owned(),
            collect_at: "0.001".to_owned(),
            credit: "100".to_owned(),
            purse: PURSE,
            audit_rate: 0.05,
            threads: 1,
            lease_seconds: 5,
            miners: MinerPlan::unequal_three(),
        })
    }

    /// Empties the folder. The lock keeps a second network out of it until it is dropped.
    ///
    /// # Errors
    /// If another network runs in the folder, it cannot be written, the model is missing or a port is taken.
    pub fn prepare(&self, toolchain: &Toolchain) -> Result<File> {
        toolchain.model(&self.model)?;
        check_free(self.rpc_port, "another chain (stop it, or choose another with --rpc-port)")?;
        check_free(self.coordinator_port, "another program (stop it, or choose another with --coordinator-port)")?;
        let parent = self.folder.parent().context("the run folder has no parent")?;
        fs::create_dir_all(parent)?;
        let lock = File::create(self.folder.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another network runs in {}", self.folder.display()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(self.folder.join("keys"))?;
        Ok(lock)
    }
}
