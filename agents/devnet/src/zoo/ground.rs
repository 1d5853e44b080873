//! Where the adversaries are tried: a real chain with the deployed contracts, a coordinator's checks, and miners' agents that sit on
//! juries, all in one process.

use super::{
    bank::Bank,
    clock::{Turnout, Work, waits},
};
use crate::{
    adversary::{Hostile, Hostility},
    anvil::Anvil,
    operator::cai,
    plan::Plan,
    site::Site,
    toolchain::Toolchain,
};
use alloy::{
    primitives::{Address, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Result, ensure};
use cuckoo_chain::{
    Chain, Sender, Timing, View,
    disputes::{self, Court, Following},
    view,
};
use cuckoo_coordinator::audit::{Checker, Coin, Rules};
use cuckoo_inference::{Device, Package, runtime};
use cuckoo_miner::{
    credit::Credit,
    duty::{Bench as Workbench, Duty},
    slots::Slots,
    store::Store,
    workshop::Workshop,
};
use cuckoo_protocol::contracts::{IDisputes, Role};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// CAI that the coordinator stakes: more than 2,000,000.
const COORDINATOR_STAKE: u64 = 2_100_000;
/// CAI for bonds and jury fees on their way.
const COORDINATOR_PURSE: u64 = 5_000_000;
/// CAI that each juror stakes: much more than all cheats together, so that juries are full.
const JUROR_STAKE: u64 = 10_000_000;
/// Cheats at work or on trial at once: so many that each juror's transactions, one after another, fit into the windows.
const AT_ONCE: usize = 128;
/// So that a transaction is quick.
const BLOCK_SECONDS: &str = "0.25";
const TIMING: Timing = Timing {
    poll: Duration::from_millis(100),
    stale_after: Duration::from_secs(30),
    bump_after: Duration::from_secs(60),
};

/// Who sits on juries, each with the same weight.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Miners' agents.
    pub honest: usize,
    /// Others.
    pub hostile: Vec<Hostility>,
    /// Whether undecided disputes get a second and a third jury, with the development chain's own windows. There is time for one alone
    /// with windows in which a hundred disputes can go on at once.
    pub appeals: bool,
}

/// Where the adversaries are tried.
pub struct Ground {
    /// Chain and contracts; ended with it.
    pub site: Site,
    /// Connection that all share.
    pub chain: Chain,
    /// The disputes.
    pub following: Following,
    /// What the chain's time waits for.
    pub work: Work,
    /// The model.
    pub package: Package,
    /// The coordinator's operator and node.
    pub coordinator: PrivateKeySigner,
    /// Its transactions.
    pub court: Court,
    /// The treasury.
    pub bank: Bank,
    /// Decides which results are audited.
    pub coin: Coin,
    /// Audits that a cheat has passed before it begins to cheat: as many as bring its rate down to everybody's. A newcomer's first
    /// result is always audited, which would end each cheat with its first task.
    pub record: u64,
    /// The chain's dispute parameters.
    pub rules: Rules,
    /// Run results again; several, so that they do so side by side.
    pub checkers: Vec<Checker>,
    /// Places for cheats.
    pub places: Arc<Semaphore>,
    /// Cores: as many results are computed at once.
    pub cores: Arc<Semaphore>,
    _view: View,
    _clock: AbortOnDropHandle<()>,
    /// Operators on juries that run miners' agents.
    pub honest: Vec<Address>,
    /// Other operators on juries.
    pub hostile: Vec<Address>,
    _jurors: Vec<AbortOnDropHandle<()>>,
}

impl Ground {
    /// From an empty folder to agents that wait for disputes. Audits a share of `rate`, above 0 and at most 1, of the results.
    /// Seconds of the chain last `pace`, or longer: its time waits for those who are at work.
    ///
    /// # Errors
    /// If a part does not start.
    pub async fn lay(label: &str, rate: f64, pace: Duration) -> Result<Self> {
        Self::lay_with(label, rate, pace, Bench { honest: 5, hostile: Vec::new(), appeals: false }).await
    }

    /// As [`Self::lay`], with other jurors than five honest ones.
    ///
    /// # Errors
    /// If a part does not start.
    pub async fn lay_with(label: &str, rate: f64, pace: Duration, bench: Bench) -> Result<Self> {
        ensure!(rate > 0.0 && rate <= 1.0, "the share of results that is audited must be above 0 and at most 1");
        let toolchain = Toolchain::find()?;
        runtime::init(Some(&toolchain.onnxruntime))?;
        let plan = Plan::private(&toolchain, label)?;
        let model = toolchain.model(&plan.model)?;
        let package = Package::open(&model)?;
        let (folder, lock) = (plan.folder.clone(), plan.prepare(&toolchain)?);
        let anvil = Anvil::start_with(&toolchain, &folder, plan.rpc_port, BLOCK_SECONDS).await?;
        let site = Site::deploy(plan, toolchain, anvil, lock).await?;
        site.treasury.list_model(package.model_id()).await?;
        if !bench.appeals {
            let windows = IDisputes::Parameters {
                // All in the time that a stake takes to leave: 118 of 120 seconds with offers of 30 and challenges of 20.
                answerWindow: 20,
                seedWindow: 8,
                commitWindow: 22,
                revealWindow: 18,
                rounds: 1,
                ..site.ledger().dispute_parameters().await?
            };
            site.treasury.set_dispute_parameters(windows).await?;
        }

        let bank = Bank::open(&site.anvil.rpc_url, &site.deployment).await?;
        let coordinator = bank.own_node(Role::Coordinator, cai(COORDINATOR_STAKE)?).await?;
        bank.grant(coordinator.address(), cai(COORDINATOR_PURSE)?).await?;
        bank.approve_bonds(&coordinator).await?;
        let kinds = std::iter::repeat_n(None, bench.honest).chain(bench.hostile.iter().copied().map(Some));
        let mut jurors = Vec::new();
        for kind in kinds {
            jurors.push((kind, bank.own_node(Role::Miner, cai(JUROR_STAKE)?).await?));
        }
        let operators = |is: fn(Option<Hostility>) -> bool| {
            let those = jurors.iter().filter(|(kind, _)| is(*kind));
            those.map(|(_, key)| key.address()).collect::<Vec<_>>()
        };
        // Jurors weigh what they did at the start of the epoch before.
        site.anvil.leap(Duration::from_secs(180)).await?;
        let urls = vec![site.anvil.rpc_url.clone()];
        let chain = Chain::connect_with(urls, site.deployment.clone(), TIMING, CancellationToken::new()).await?;
        let view = view::follow(&chain, CancellationToken::new()).await?;
        let following = disputes::follow(&chain, CancellationToken::new()).await?;
        let work = Work::default();
        let turnout = Turnout {
            commit: operators(|kind| kind.is_none_or(Hostility::commits)).len(),
            mute: operators(|kind| kind.is_some_and(|kind| !kind.opens())),
        };
        let clock = site.anvil.pace(pace, waits(work.clone(), following.clone(), turnout)).await?;
        let court = court(&chain, &coordinator, &folder).await?;
        let mut agents = Vec::new();
        for (kind, key) in &jurors {
            let duty = duty(&chain, &view, &following, &package, key, &folder).await?;
            agents.push(AbortOnDropHandle::new(match kind {
                None => tokio::spawn(duty.run(CancellationToken::new())),
                Some(kind) => tokio::spawn(Hostile::new(*kind, duty, key.address()).run()),
            }));
        }
        let library = site.toolchain.onnxruntime.clone();
        let start = || Checker::start(Some(library.clone()), vec![model.clone()], 1);
        let checkers = vec![start().await?, start().await?];
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            rules: Rules::read(&chain).await?,
            coin: Coin::new(rand::random(), rate),
            record: (1.0 / rate).ceil() as u64 - 1,
            site,
            chain,
            following,
            work,
            package,
            coordinator,
            court,
            bank,
            checkers,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            cores: Arc::new(Semaphore::new(cores)),
            honest: operators(|kind| kind.is_none()),
            hostile: operators(|kind| kind.is_some()),
            _view: view,
            _clock: clock,
            _jurors: agents,
        })
    }

    /// The verbs of Disputes, with the key of a party.
    ///
    /// # Errors
    /// If its journal cannot be written.
    pub async fn court(&self, key: &PrivateKeySigner) -> Result<Court> {
        court(&self.chain, key, &self.site.plan.folder).await
    }
}

async fn court(chain: &Chain, key: &PrivateKeySigner, folder: &std::path::Path) -> Result<Court> {
    Ok(Court::new(chain.clone(), Sender::open(chain, key.clone(), home(key, folder).join("transactions.json")).await?))
}

fn home(key: &PrivateKeySigner, folder: &std::path::Path) -> PathBuf {
    folder.join("data").join(key.address().to_string())
}

/// What a miner's agent does on juries, as `miner-agent run` has it; it does no paid work.
async fn duty(
    chain: &Chain,
    view: &View,
    following: &Following,
    package: &Package,
    key: &PrivateKeySigner,
    folder: &std::path::Path,
) -> Result<Duty> {
    let workshop = Workshop {
        store: Store::open(&home(key, folder)).await?,
        slots: Slots::of(Vec::new(), 1),
        checking: None,
        models: [(package.model_id(), package.manifest().clone())].into(),
        least_price: U256::ZERO,
        credit: Credit::new(U256::ZERO),
        trace_cap: 0,
        clock: Box::new(|| 0),
        earned: Notify::new(),
        abandon: CancellationToken::new(),
        broken: CancellationToken::new(),
    };
    Ok(Duty {
        workshop: Arc::new(workshop),
        chain: chain.clone(),
        court: court(chain, key, folder).await?,
        bench: Arc::new(Workbench::new(std::slice::from_ref(package), Device::Cpu { threads: 1 })),
        view: view.clone(),
        following: following.clone(),
        sits: true,
    })
}
