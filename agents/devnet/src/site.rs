//! A chain with the contracts on it, and the operators that stake and register there.

use crate::{
    account,
    agent::{ChainFlags, MinerFlags, Program, data_folder},
    anvil::Anvil,
    deploy::deploy,
    ledger::Ledger,
    operator::{Operator, cai},
    plan::Plan,
    process::Process,
    toolchain::Toolchain,
    wallet::Wallet,
};
use anyhow::{Result, ensure};
use cuckoo_protocol::{deployment::Deployment, message::Domain};
use futures::future::try_join_all;
use std::fs::File;
use url::Url;

/// CAI that the coordinator's operator stakes: more than 2,000,000.
const COORDINATOR_STAKE: u64 = 2_100_000;

/// A chain with the contracts on it.
#[derive(Debug)]
pub struct Site {
    /// The layout.
    pub plan: Plan,
    /// The programs.
    pub toolchain: Toolchain,
    /// The chain.
    pub anvil: Anvil,
    /// Where the contracts are.
    pub deployment: Deployment,
    /// Grants CAI.
    pub treasury: Wallet,
    _lock: File,
}

/// The operators that staked and registered.
#[derive(Debug)]
pub struct Crew {
    /// The coordinator.
    pub coordinator: Operator,
    /// The miners, in the plan's order.
    pub miners: Vec<Operator>,
}

impl Site {
    /// Deploys the contracts on `anvil`.
    ///
    /// # Errors
    /// What the deployment script printed.
    pub async fn deploy(plan: Plan, toolchain: Toolchain, anvil: Anvil, lock: File) -> Result<Self> {
        let deployment = deploy(&toolchain, &anvil, &plan.folder, &plan.deployment_file).await?;
        let treasury = Wallet::new(account::signer(account::TREASURY)?, &anvil.rpc_url, &deployment);
        Ok(Self { plan, toolchain, anvil, deployment, treasury, _lock: lock })
    }

    /// How agents find the chain.
    pub fn chain(&self) -> ChainFlags {
        ChainFlags { rpc_url: self.anvil.rpc_url.clone(), deployment: self.plan.deployment_file.clone() }
    }

    /// What the chain says.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.anvil.provider(), &self.deployment)
    }

    /// `coordinator-agent`.
    pub fn coordinator_program(&self) -> Program {
        Program { name: "coordinator-agent", path: self.toolchain.coordinator_agent.clone() }
    }

    /// `miner-agent`.
    pub fn miner_program(&self) -> Program {
        Program { name: "miner-agent", path: self.toolchain.miner_agent.clone() }
    }

    /// The domain of every message here.
    pub fn domain(&self) -> Domain {
        Domain::new(self.deployment.chain_id, self.deployment.contracts.registry)
    }

    /// Makes the keys of an operator that has no stake yet.
    ///
    /// # Errors
    /// As [`Operator::new`].
    pub async fn newcomer(&self, name: &str, index: u32) -> Result<Operator> {
        let program = self.miner_program();
        Operator::new(name, index, &program, &self.chain(), &self.deployment, &self.plan.folder.join("keys")).await
    }

    /// The flags of a miner's agent.
    ///
    /// # Errors
    /// If the plan's model is missing.
    pub fn miner_flags(&self, miner: &Operator) -> Result<MinerFlags> {
        Ok(MinerFlags {
            chain: self.chain(),
            key: miner.node.clone(),
            data: data_folder(&self.plan.folder, &miner.name),
            model: self.toolchain.model(&self.plan.model)?,
            onnxruntime: self.toolchain.onnxruntime.clone(),
            threads: self.plan.threads,
            collect_at: self.plan.collect_at.clone(),
            credit: self.plan.credit.clone(),
        })
    }

    /// Starts the agent of `miner`; its log is named after it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_miner(&self, miner: &Operator) -> Result<Process> {
        let command = self.miner_flags(miner)?.command(&self.miner_program());
        Process::spawn(&miner.name, command, self.plan.folder.join(format!("{}.log", miner.name)))
    }

    /// Grants, stakes, votes and registers: every transaction by the account that it is about.
    ///
    /// # Errors
    /// If a transaction or a `register` command fails.
    pub async fn enrol(&self) -> Result<Crew> {
        ensure!((1..=3).contains(&self.plan.miners.len()), "a network here has one to three miners");
        let signer = |index| account::signer(index);
        let staker = Wallet::new(signer(account::STAKER)?, &self.anvil.rpc_url, &self.deployment);
        let votes: u64 = self.plan.miners.iter().map(|miner| miner.votes).sum();
        let purse = cai(self.plan.purse)?;
        let mut grants = vec![
            (signer(account::COORDINATOR)?.address(), cai(COORDINATOR_STAKE)? + purse),
            (staker.address, cai(votes)?),
        ];
        for (index, miner) in (account::FIRST_MINER..).zip(&self.plan.miners) {
            grants.push((signer(index)?.address(), cai(miner.own)?));
        }
        self.treasury.grant(&grants).await?;

        let coordinator = async {
            let (program, keys) = (self.coordinator_program(), self.plan.folder.join("keys"));
            let (chain, deployment) = (self.chain(), &self.deployment);
            let index = account::COORDINATOR;
            let operator = Operator::new("coordinator", index, &program, &chain, deployment, &keys).await?;
            operator.wallet.grant(&[(operator.node.address, purse)]).await?;
            operator.stake(cai(COORDINATOR_STAKE)?).await?;
            let endpoint: Url = format!("http://127.0.0.1:{}", self.plan.coordinator_port).parse()?;
            operator.register(&program, &chain, Some(&endpoint)).await?;
            anyhow::Ok(operator)
        };
        let miners = (account::FIRST_MINER..).zip(&self.plan.miners).map(async |(index, plan)| {
            let name = format!("miner-{}", index - account::FIRST_MINER + 1);
            let operator = self.newcomer(&name, index).await?;
            operator.stake(cai(plan.own)?).await?;
            operator.register(&self.miner_program(), &self.chain(), None).await?;
            anyhow::Ok(operator)
        });
        let (coordinator, miners) = tokio::try_join!(coordinator, try_join_all(miners))?;
        for (miner, plan) in miners.iter().zip(&self.plan.miners) {
            if plan.votes > 0 {
                staker.stake(miner.address(), cai(plan.votes)?).await?;
            }
        }
        Ok(Crew { coordinator, miners })
    }
}
