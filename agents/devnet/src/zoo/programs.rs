//! The cheats once more, a few tasks each, before the real programs: rogues speak the link to `coordinator-agent`, and `miner-agent`s sit
//! on the juries. All cheats here are newcomers, whose first result is always audited. The jurors ask more for work than anybody pays: all
//! tasks go to rogues, and these need so little stake that a jury is not drawn from among them.

use super::{bank::Bank, lane::Kind, row::Verdicts, trial::Conduct, worker::Work};
use crate::{
    adversary::{Adversary, Cheat, Delivered, Forger, defence::Promptness},
    anvil::Anvil,
    app::{Picture, prompt},
    network::Network,
    operator::cai,
    plan::{MinerPlan, Plan},
    process::Process,
    refusal::Refusal,
    rogue::Rogue,
    site::Site,
    toolchain::Toolchain,
    until,
};
use alloy::{primitives::B256, signers::local::PrivateKeySigner};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_chain::{
    Chain, Sender,
    disputes::{self, Court, Following},
};
use cuckoo_inference::{Package, runtime};
use cuckoo_protocol::{
    contracts::{IDisputes, Result as TaskResult, Role},
    link::{ClaimAnswer, Lease},
    request::Request,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
};
use tokio_util::sync::CancellationToken;

/// CAI that a rogue stakes...
const STAKE: u64 = 25_000;
/// ...and a juror: all rogues of a few epochs together have little weight beside.
const JUROR_STAKE: u64 = 5_000_000;
/// What jurors want to be paid, CAI a unit: more than the coordinator pays.
const TOO_DEAR: &str = "1000000";
/// Kinds that work at once.
const LANES: usize = 4;
/// Disputes at once: agents look at the chain twice a second and send one transaction after another.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(300);
const BLOCK_SECONDS: &str = "0.25";

/// What a kind of cheat came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: &'static str,
    /// Tasks that it was given.
    pub tasks: u64,
    /// Of its results, refused at once.
    pub refused: u64,
    /// Of its results, paid.
    pub paid: u64,
    /// Verdicts over the others.
    pub verdicts: Verdicts,
}

/// The network that is cheated.
struct Stage {
    network: Network,
    bank: Bank,
    package: Package,
    chain: Chain,
    following: Following,
    disputes: Arc<Semaphore>,
    /// Handed in by now.
    tasks: AtomicU64,
    /// One that was accepted and paid.
    earlier: Picture,
}

/// Tries every kind of cheat at so many tasks each.
///
/// # Errors
/// If a program fails, or a cheat's lot is not decided in time.
pub async fn run(kinds: Vec<Kind>, tasks: u64) -> Result<Vec<Outcome>> {
    LocalSet::new().run_until(work(kinds, tasks)).await
}

async fn work(kinds: Vec<Kind>, tasks: u64) -> Result<Vec<Outcome>> {
    let stage = Arc::new(Stage::set().await?);
    let lanes = Arc::new(Semaphore::new(LANES));
    let mut working = JoinSet::new();
    for (at, kind) in kinds.into_iter().enumerate() {
        let (stage, lanes) = (stage.clone(), lanes.clone());
        working.spawn_local(async move {
            let _lane = lanes.acquire().await?;
            let outcome = stage.lane(kind, tasks).await.with_context(|| format!("the miner {}", kind.name))?;
            eprintln!("{}: {outcome:?}", kind.name);
            anyhow::Ok((at, outcome))
        });
    }
    for (at, what) in [(usize::MAX - 1, Trespass::Replay), (usize::MAX, Trespass::ForeignKey)] {
        let stage = stage.clone();
        working.spawn_local(async move { Ok((at, stage.trespass(what, tasks).await?)) });
    }
    let mut outcomes = Vec::new();
    while let Some(done) = working.join_next().await {
        outcomes.push(done??);
    }
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Starts the miners anew, as mere jurors.
async fn leave_work_to_others(network: &mut Network) -> Result<()> {
    for (miner, process) in network.crew.miners.iter().zip(&mut network.miners) {
        process.stop(PATIENCE).await?;
        let mut command = network.site.miner_flags(miner)?.command(&network.site.miner_program());
        command.args(["--least-price", TOO_DEAR]);
        *process =
            Process::spawn(&miner.name, command, network.site.plan.folder.join(format!("{}-juror.log", miner.name)))?;
    }
    Ok(())
}

/// What can be seen without running a model.
#[derive(Clone, Copy, Debug)]
enum Trespass {
    /// A result that was accepted before.
    Replay,
    /// A result signed with the key of another miner's node.
    ForeignKey,
}

impl Stage {
    async fn set() -> Result<Self> {
        let toolchain = Toolchain::find()?;
        runtime::init(Some(&toolchain.onnxruntime))?;
        let miners = vec![MinerPlan { own: JUROR_STAKE, votes: 0 }; 3];
        let plan = Plan { threads: 1, miners, ..Plan::private(&toolchain, "adversaries-programs")? };
        let package = Package::open(&toolchain.model(&plan.model)?)?;
        let lock = plan.prepare(&toolchain)?;
        let anvil = Anvil::start_with(&toolchain, &plan.folder, plan.rpc_port, BLOCK_SECONDS).await?;
        let site = Site::deploy(plan, toolchain, anvil, lock).await?;
        let crew = site.enrol().await?;
        site.treasury.list_model(package.model_id()).await?;
        let windows = IDisputes::Parameters {
            answerWindow: 20,
            seedWindow: 8,
            commitWindow: 22,
            revealWindow: 18,
            rounds: 1,
            ..site.ledger().dispute_parameters().await?
        };
        site.treasury.set_dispute_parameters(windows).await?;
        // Bonds and jury fees on their way.
        site.treasury.grant(&[(crew.coordinator.node.address, cai(1_000_000)?)]).await?;
        let bank = Bank::open(&site.anvil.rpc_url, &site.deployment).await?;
        // Jurors weigh what they did at the start of the epoch before.
        site.anvil.leap(Duration::from_secs(180)).await?;
        let (url, deployment) = (site.anvil.rpc_url.clone(), site.deployment.clone());
        let mut network = Network::start(site, crew).await?;
        let chain = Chain::connect(vec![url], deployment, CancellationToken::new()).await?;
        let following = disputes::follow(&chain, CancellationToken::new()).await?;
        let earlier = network.app.generate(&prompt(&network.site.plan.model, "an earlier picture")).await?;
        leave_work_to_others(&mut network).await?;
        let disputes = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { network, bank, package, chain, following, disputes, tasks: AtomicU64::new(0), earlier })
    }

    /// Hands in a task for a rogue.
    async fn task(&self) -> Result<()> {
        let subject = format!("a boat number {}", self.tasks.fetch_add(1, Ordering::Relaxed));
        self.network.app.submit(&prompt(&self.network.site.plan.model, &subject)).await.map(drop)
    }

    async fn rogue(&self) -> Result<(Rogue, PrivateKeySigner)> {
        let node = self.bank.own_node(Role::Miner, cai(STAKE)?).await?;
        let (origin, domain) = (self.network.coordinator_url(), self.network.site.domain());
        Ok((Rogue::with_key(node.address(), node.clone(), &origin, domain)?, node))
    }

    /// One kind of cheat: a new operator after each result that is found false.
    async fn lane(self: &Arc<Self>, kind: Kind, tasks: u64) -> Result<Outcome> {
        let Work::Cheat(cheat) = kind.work else { bail!("{} does not cheat", kind.name) };
        let mut outcome = Outcome { name: kind.name, tasks: 0, refused: 0, paid: 0, verdicts: Verdicts::default() };
        let mut forger = Forger::new(&self.package, cheat)?;
        let mut trials = JoinSet::new();
        while outcome.tasks < tasks {
            let place = self.disputes.clone().acquire_owned().await?;
            let (rogue, node) = self.rogue().await?;
            let opens = kind.conduct != Conduct::Refuses;
            let mut adversary = Adversary::of(rogue, forger, opens, self.network.site.domain());
            adversary.login().await?;
            if opens {
                let journal = self.network.site.plan.folder.join("data").join(node.address().to_string());
                let sender = Sender::open(&self.chain, node, journal.join("transactions.json")).await?;
                let promptness =
                    if kind.conduct == Conduct::AnswersLate { Promptness::TooLate } else { Promptness::InTime };
                adversary.defend_before(Court::new(self.chain.clone(), sender), self.following.clone(), promptness);
            }
            // What is tolerated is paid, so its miner goes on.
            let most = if cheat.is_tolerated() { tasks } else { 1 };
            let mut delivered = Vec::new();
            for _ in 0..most {
                self.task().await?;
                delivered.push(adversary.deliver().await?);
                outcome.tasks += 1;
            }
            let (again, defence) = adversary.retire();
            forger = again;
            let stage = self.clone();
            trials.spawn_local(async move {
                let _in_force = (place, defence);
                let mut fates = Vec::new();
                for delivered in delivered {
                    fates.push(stage.fate(cheat, &delivered).await?);
                }
                anyhow::Ok(fates)
            });
        }
        while let Some(done) = trials.join_next().await {
            for fate in done?? {
                match fate {
                    Some(end) => outcome.verdicts.count(end.outcome, end.fault),
                    None => outcome.paid += 1,
                }
            }
        }
        Ok(outcome)
    }

    /// How the dispute over a result ended; none if it was paid, which only what is tolerated may be.
    async fn fate(&self, cheat: Cheat, delivered: &Delivered) -> Result<Option<IDisputes::Resolved>> {
        let ledger = self.network.site.ledger();
        if cheat.is_tolerated() {
            let challenges = self.network.app.challenges().await?;
            ensure!(challenges.iter().all(|c| c.miner != delivered.miner), "what is tolerated was challenged");
            return Ok(None);
        }
        until("a verdict", PATIENCE, async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ledger.verdict(delivered.result).await
        })
        .await
        .map(Some)
    }

    /// Results that are refused before they are accepted; each for a lease of its own.
    async fn trespass(&self, what: Trespass, tasks: u64) -> Result<Outcome> {
        let name = match what {
            Trespass::Replay => "replay of an accepted result",
            Trespass::ForeignKey => "signed with another miner's key",
        };
        let mut outcome = Outcome { name, tasks: 0, refused: 0, paid: 0, verdicts: Verdicts::default() };
        let (rogue, _) = self.rogue().await?;
        let domain = self.network.site.domain();
        let victim = self.network.crew.miners.first().context("no other miner")?.node.decrypt()?;
        let mut adversary =
            Adversary::of(rogue, Forger::new(&self.package, Cheat::CachedPicture)?, false, domain.clone());
        adversary.login().await?;
        self.task().await?;
        while outcome.tasks < tasks {
            let ClaimAnswer::Lease(lease) = adversary.rogue.claim().await? else { continue };
            let Lease { id, offer, request, .. } = *lease;
            let result = match what {
                Trespass::Replay => self.earlier.receipt.result.clone(),
                Trespass::ForeignKey => {
                    let result = TaskResult {
                        offerHash: domain.digest(&offer.message),
                        traceRoot: B256::new(rand::random()),
                        states: Request::decode(&request)?.states,
                        outputHash: self.earlier.receipt.result.message.outputHash,
                    };
                    domain.sign(result, &victim)?
                }
            };
            let (status, code) = match what {
                Trespass::Replay => (409, "offer_mismatch"),
                Trespass::ForeignKey => (401, "wrong_signer"),
            };
            let answer = adversary.rogue.submit(&id, result, self.earlier.png.clone()).await;
            Refusal::expect(name, answer)?.is(status, code).context(name)?;
            (outcome.tasks, outcome.refused) = (outcome.tasks + 1, outcome.refused + 1);
            adversary.rogue.decline(&id).await?;
        }
        Ok(outcome)
    }
}
