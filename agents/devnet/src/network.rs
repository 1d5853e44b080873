//! A running network: the agents of registered operators, and an app.

use crate::{
    agent::{CoordinatorFlags, data_folder},
    anvil::Anvil,
    app::{App, MinerView},
    plan::Plan,
    process::Process,
    receipt::Expectation,
    site::{Crew, Site},
    toolchain::Toolchain,
    until,
};
use alloy::primitives::{B256, hex};
use anyhow::{Context, Result};
use cuckoo_protocol::{amount::parse_cai, manifest::Manifest};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

/// A running network.
pub struct Network {
    /// Its ground.
    pub site: Site,
    /// Its operators.
    pub crew: Crew,
    /// An app that the coordinator knows.
    pub app: App,
    /// The app's key.
    pub api_key: String,
    /// What receipts are checked against.
    pub expectation: Expectation,
    /// The coordinator's agent.
    pub coordinator: Process,
    /// The miners' agents, in the plan's order.
    pub miners: Vec<Process>,
    coordinator_flags: CoordinatorFlags,
}

impl Network {
    /// Starts the agents and waits until the coordinator is ready and every miner is logged in.
    ///
    /// # Errors
    /// If an agent ends or is not ready in time, with the end of its log.
    pub async fn start(site: Site, crew: Crew) -> Result<Self> {
        let model = site.toolchain.model(&site.plan.model)?;
        let onnxruntime = Some(site.toolchain.onnxruntime.clone());
        Self::start_with(site, crew, model, onnxruntime).await
    }

    /// The same with a coordinator that has nothing of the model but its manifest, and has results checked by miners.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_without_model(site: Site, crew: Crew) -> Result<Self> {
        let folder = site.plan.folder.join("manifest");
        fs::create_dir_all(&folder)?;
        fs::copy(site.toolchain.model(&site.plan.model)?.join("cuckoo.json"), folder.join("cuckoo.json"))?;
        Self::start_with(site, crew, folder, None).await
    }

    async fn start_with(site: Site, crew: Crew, model: PathBuf, onnxruntime: Option<PathBuf>) -> Result<Self> {
        let api_key = format!("ck_{}", hex::encode(rand::random::<[u8; 24]>()));
        let manifest = Manifest::parse(&fs::read(model.join("cuckoo.json"))?)?;
        let coordinator_flags = CoordinatorFlags {
            chain: site.chain(),
            key: crew.coordinator.node.clone(),
            data: data_folder(&site.plan.folder, "coordinator"),
            port: site.plan.coordinator_port,
            model,
            price: site.plan.price.clone(),
            // Whole CAI; much more than a demonstration pays.
            channel_target: "50".to_owned(),
            lease_seconds: site.plan.lease_seconds,
            audit_rate: site.plan.audit_rate,
            onnxruntime,
            api_key_hash: B256::from_slice(&Sha256::digest(&api_key)),
        };
        let expectation = Expectation {
            domain: site.domain(),
            coordinator: (crew.coordinator.address(), crew.coordinator.node.address),
            miners: crew.miners.iter().map(|miner| (miner.address(), miner.node.address)).collect(),
            manifest,
            unit_price: parse_cai(&site.plan.price).map_err(anyhow::Error::msg)?,
        };
        let app = App::new(coordinator_flags.origin(), api_key.clone())?;
        let coordinator = spawn_coordinator(&site, &coordinator_flags)?;
        let miners = crew.miners.iter().map(|miner| site.start_miner(miner)).collect::<Result<_>>()?;
        let mut network = Self { site, crew, app, api_key, expectation, coordinator, miners, coordinator_flags };
        network.wait_ready().await?;
        network.wait_live().await?;
        Ok(network)
    }

    /// The whole way, from an empty folder to a running network.
    ///
    /// # Errors
    /// As the parts.
    pub async fn up(plan: Plan) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let lock = plan.prepare(&toolchain)?;
        let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
        let site = Site::deploy(plan, toolchain, anvil, lock).await?;
        let crew = site.enrol().await?;
        Self::start(site, crew).await
    }

    /// Base URL of the coordinator.
    pub fn coordinator_url(&self) -> String {
        self.coordinator_flags.origin()
    }

    /// How the coordinator was started.
    pub fn coordinator_flags(&self) -> &CoordinatorFlags {
        &self.coordinator_flags
    }

    /// Starts the coordinator again after it was killed, on the same data.
    ///
    /// # Errors
    /// If it is not ready in time.
    pub async fn restart_coordinator(&mut self) -> Result<()> {
        self.coordinator = spawn_coordinator(&self.site, &self.coordinator_flags)?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let (app, coordinator) = (&self.app, &mut self.coordinator);
        let ready = until("the coordinator to be ready", Duration::from_secs(60), async || {
            coordinator.check()?;
            Ok(app.ready().await.then_some(()))
        });
        ready.await.with_context(|| format!("its log is {}", self.site.plan.folder.join("coordinator.log").display()))
    }

    /// Waits until every miner of the plan is logged in and weighs what it does on chain: stake counts when it is final.
    ///
    /// # Errors
    /// If an agent ends, or not all are within a minute.
    pub async fn wait_live(&mut self) -> Result<()> {
        let mut weights = HashMap::new();
        for miner in &self.crew.miners {
            weights.insert(miner.address(), self.site.ledger().weight(miner.address()).await?);
        }
        let (app, miners) = (&self.app, &mut self.miners);
        let live = until("all miners to be logged in", Duration::from_secs(60), async || {
            for miner in miners.iter_mut() {
                miner.check()?;
            }
            let view = app.network().await?;
            let whole = |miner: &&MinerView| miner.live && weights.get(&miner.operator) == Some(&miner.weight);
            let live = view.miners.iter().filter(whole).count();
            Ok((live >= miners.len()).then_some(()))
        })
        .await;
        live.map_err(|error| {
            let tails = self.miners.iter().map(|miner| format!("\n{}:\n{}", miner.log_path().display(), miner.tail()));
            error.context(format!("the miners' logs end:{}", tails.collect::<String>()))
        })
    }

    /// Fails if a part of the network has ended by itself.
    ///
    /// # Errors
    /// Names it, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.site.anvil.check()?;
        self.coordinator.check()?;
        self.miners.iter_mut().try_for_each(Process::check)
    }

    /// Ends every process in order, each by SIGTERM, and checks that each exits with 0.
    ///
    /// # Errors
    /// If one does not.
    pub async fn stop(mut self) -> Result<()> {
        for miner in &mut self.miners {
            miner.stop(Duration::from_secs(30)).await?;
        }
        self.coordinator.stop(Duration::from_secs(30)).await?;
        self.site.anvil.stop().await
    }
}

fn spawn_coordinator(site: &Site, flags: &CoordinatorFlags) -> Result<Process> {
    let command = flags.command(&site.coordinator_program());
    Process::spawn("coordinator", command, site.plan.folder.join("coordinator.log"))
}
