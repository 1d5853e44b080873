//! A forged step, with the real programs: the coordinator finds it, the cheat opens it on chain, and a jury of other miners' agents
//! convicts it.

use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    account,
    adversary::{Adversary, Cheat},
    anvil::Anvil,
    app::prompt,
    network::Network,
    operator::cai,
    plan::Plan,
    site::Site,
    toolchain::Toolchain,
    until,
};
use cuckoo_protocol::{
    contracts::IDisputes::{self, Fault, Verdict},
    manifest::Manifest,
};
use std::{fs, time::Duration};

/// CAI that the cheat stakes: most tasks go to it.
const STAKE: u64 = 200_000;
const PATIENCE: Duration = Duration::from_secs(150);

#[tokio::test]
async fn a_forged_step_is_convicted_by_a_jury() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let plan = Plan::private(&toolchain, "jury")?;
    let model = plan.model.clone();
    let lock = plan.prepare(&toolchain)?;
    let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
    let site = Site::deploy(plan, toolchain, anvil, lock).await?;
    let crew = site.enrol().await?;
    let manifest = Manifest::parse(&fs::read(site.toolchain.model(&model)?.join("cuckoo.json"))?)?;
    site.treasury.list_model(manifest.model_id()).await?;
    // A machine that does much else besides needs more seconds than a development chain gives.
    let windows = IDisputes::Parameters {
        answerWindow: 20,
        seedWindow: 8,
        commitWindow: 20,
        revealWindow: 20,
        rounds: 1,
        ..site.ledger().dispute_parameters().await?
    };
    site.treasury.set_dispute_parameters(windows).await?;
    // Jurors weigh what they did at the start of the epoch before.
    site.anvil.leap(Duration::from_secs(180)).await?;
    let network = Network::start(site, crew).await?;

    let operator = network.site.newcomer("forger", account::FIRST_SPARE).await?;
    network.site.treasury.grant(&[(operator.address(), cai(STAKE)?)]).await?;
    operator.stake(cai(STAKE)?).await?;
    operator.register(&network.site.miner_program(), &network.site.chain(), None).await?;
    let (package, library) = (network.site.toolchain.model(&model)?, &network.site.toolchain.onnxruntime);
    let (url, domain) = (network.coordinator_url(), network.site.domain());
    let mut forger = Adversary::new(&operator, &url, domain, &package, library, Cheat::ForgedTrace, true)?;
    forger.login().await?;
    forger.defend(&network.site).await?;
    let mut work = tokio::spawn(async move {
        let delivered = forger.deliver().await?;
        anyhow::Ok((forger, delivered))
    });
    let mut number = 0;
    let (_forger, delivered) = loop {
        ensure!(number < 200, "the forger was given no task");
        number += 1;
        network.app.generate(&prompt(&model, &format!("a tree number {number}"))).await?;
        // Its task, if it was one, is delivered.
        match tokio::time::timeout(Duration::from_millis(200), &mut work).await {
            Ok(done) => break done??,
            Err(_) => continue,
        }
    };

    let end = until("the jury's verdict", PATIENCE, async || network.site.ledger().verdict(delivered.result).await)
        .await
        .map_err(|error| error.context(network.coordinator.tail()))?;
    ensure!(end.outcome == IDisputes::Phase::Convicted && end.fault == Fault::Transition, "{end:?}");
    ensure!(!end.slashed.is_zero() && end.accused == delivered.miner, "{end:?}");
    let votes = network.site.ledger().votes(end.id).await?;
    ensure!(votes.len() >= 3 && votes.iter().all(|vote| vote.verdict == Verdict::Guilty), "{votes:?}");
    let left = network.site.ledger().own_stake(delivered.miner).await?;
    ensure!(left < cai(STAKE * 91 / 100)?, "{left} wei are left of its stake");
    let challenges = network.app.challenges().await?;
    let challenge = challenges.iter().find(|challenge| challenge.miner == delivered.miner).context("no challenge")?;
    ensure!((1..=10).contains(&challenge.transition), "{challenge:?}");
    network.stop().await
}
