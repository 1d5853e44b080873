//! A coordinator without the model has results checked by other operators' miners: a cheat is found, convicted and slashed, a checker that
//! does not compute is found out by work whose answer is known, and honest checkers are paid.

use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    account,
    adversary::{Adversary, Cheat},
    anvil::Anvil,
    app::{Picture, prompt},
    lazy::{Idled, LazyChecker, Says},
    network::Network,
    operator::{Operator, cai},
    plan::Plan,
    site::Site,
    toolchain::Toolchain,
    until,
};
use std::{fs, time::Duration};

/// CAI that the cheat and the lazy one stake each.
const STAKE: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(150);
/// Results that are checked until the lazy one is found at the latest: each is a chance of a third, and more once something is known.
const RESULTS: usize = 60;

#[tokio::test]
async fn without_a_model_cheats_and_lazy_checkers_are_found_by_other_operators_miners() -> Result<()> {
    let mut network = network("checkers").await?;
    let (model, folder) = (network.site.plan.model.clone(), network.site.plan.folder.clone());
    let (package, library) = (network.site.toolchain.model(&model)?, network.site.toolchain.onnxruntime.clone());
    let (url, domain) = (network.coordinator_url(), network.site.domain());

    let lazy = newcomer(&network, "lazy", account::FIRST_SPARE).await?;
    let checker = LazyChecker::start(&lazy, &url, domain.clone(), &package, &library, Says::AsGiven).await?;
    let mut pictures: Vec<Picture> = Vec::new();
    let idled = find_out(&network, checker, &mut pictures).await?;
    ensure!(idled.answered > idled.vouchers, "it was paid for the check that gave it away: {idled:?}");

    let cheat = newcomer(&network, "cheat", account::FIRST_SPARE + 1).await?;
    let mut adversary = Adversary::new(&cheat, &url, domain, &package, &library, Cheat::WrongSeed, true)?;
    adversary.login().await?;
    let working = tokio::spawn(async move { adversary.deliver().await });
    for number in 0..RESULTS {
        if working.is_finished() {
            break;
        }
        pictures.push(network.app.generate(&prompt(&model, &format!("a garden number {number}"))).await?);
        // No faster than three miners check what is all audited.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    ensure!(working.is_finished(), "the cheat was given no task");
    let delivered = working.await??;
    let challenges = until("the cheat to be convicted", PATIENCE, async || {
        let challenges = network.app.challenges().await?;
        let convicted = challenges.iter().any(|c| c.miner == delivered.miner && c.status == "convicted");
        Ok(convicted.then_some(challenges))
    })
    .await
    .map_err(|error| error.context(network.coordinator.tail()))?;
    ensure!(challenges.iter().all(|c| c.miner == delivered.miner && c.transition == 0), "{challenges:?}");
    let left = network.site.ledger().own_stake(delivered.miner).await?;
    ensure!(left < cai(STAKE * 91 / 100)?, "the cheat keeps its stake");

    // Honest miners collect more than their pictures pay: the rest is for checks.
    until("honest miners to collect", PATIENCE, async || {
        let (mut work, mut collected) = (U256::ZERO, U256::ZERO);
        for miner in &network.crew.miners {
            let own = pictures.iter().filter(|picture| picture.receipt.offer.message.miner == miner.address());
            work += own.map(|picture| picture.receipt.offer.message.price).sum::<U256>();
            let payer = network.crew.coordinator.address();
            collected += network.site.ledger().collected(payer, miner.address()).await?.amount;
        }
        Ok((collected > work).then_some(()))
    })
    .await?;
    let log = fs::read_to_string(folder.join("coordinator.log"))?;
    ensure!(log.contains("a checker was wrong: it is not paid, and asked no more"), "{log}");
    ensure!(!log.contains("nobody could confirm"), "{log}");
    network.check().context("a part of the network ended")?;
    network.stop().await
}

#[tokio::test]
async fn a_checker_that_calls_honest_work_false_is_outvoted_and_nobody_is_accused() -> Result<()> {
    let mut network = network("outvoted").await?;
    let (site, url) = (&network.site, network.coordinator_url());
    let (package, library) = (site.toolchain.model(&site.plan.model)?, site.toolchain.onnxruntime.clone());
    let liar = newcomer(&network, "liar", account::FIRST_SPARE).await?;
    let checker = LazyChecker::start(&liar, &url, site.domain(), &package, &library, Says::AllFalse).await?;
    let mut pictures = Vec::new();
    let idled = find_out(&network, checker, &mut pictures).await?;
    ensure!(idled.vouchers == 0 && idled.answered > 0, "it was paid: {idled:?}");
    let folder = network.site.plan.folder.clone();
    // On a busy machine some are not checked in time; none may be found false.
    let passed = until("every audit to end", PATIENCE, async || {
        let log = fs::read_to_string(folder.join("coordinator.log"))?;
        ensure!(!log.contains("audit missed"), "{log}");
        let (passed, waived) = (log.matches("audit passed").count(), log.matches("audit waived").count());
        Ok((passed + waived == pictures.len()).then_some(passed))
    })
    .await?;
    ensure!(passed > 0, "no result was found right");
    ensure!(network.app.challenges().await?.is_empty(), "an honest miner was accused");
    network.check()?;
    network.stop().await
}

/// A network whose coordinator has no model and audits everything.
async fn network(label: &str) -> Result<Network> {
    let toolchain = Toolchain::find()?;
    let mut plan = Plan::private(&toolchain, label)?;
    plan.audit_rate = 1.0;
    let lock = plan.prepare(&toolchain)?;
    let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
    let site = Site::deploy(plan, toolchain, anvil, lock).await?;
    let crew = site.enrol().await?;
    let network = Network::start_without_model(site, crew).await?;
    network.site.treasury.list_model(network.app.model_id(&network.site.plan.model).await?).await?;
    Ok(network)
}

/// Has pictures drawn until the coordinator wants no more of a checker.
async fn find_out(network: &Network, checker: LazyChecker, pictures: &mut Vec<Picture>) -> Result<Idled> {
    let idling = tokio::spawn(checker.idle());
    for number in 0..RESULTS {
        if idling.is_finished() {
            break;
        }
        let text = format!("a house number {number}");
        pictures.push(network.app.generate(&prompt(&network.site.plan.model, &text)).await?);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ensure!(idling.is_finished(), "a checker that computes nothing was not found out:\n{}", network.coordinator.tail());
    idling.await?
}

/// A registered, staked miner without an agent.
async fn newcomer(network: &Network, name: &str, index: u32) -> Result<Operator> {
    let (site, stake) = (&network.site, cai(STAKE)?);
    let operator = site.newcomer(name, index).await?;
    site.treasury.grant(&[(operator.address(), stake)]).await?;
    operator.stake(stake).await?;
    operator.register(&site.miner_program(), &site.chain(), None).await?;
    Ok(operator)
}
