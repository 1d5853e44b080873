//! Miners that cheat are found, challenged on chain and slashed without a human step; honest ones are paid and left in peace.

use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    account,
    adversary::{Adversary, Cheat, Delivered},
    agent::ChainFlags,
    app::{Picture, prompt},
    keystore::Keystore,
    network::Network,
    operator::{Operator, cai},
    payment,
    plan::Plan,
    process,
    tally::Tally,
    toolchain::Toolchain,
    until,
    wallet::Wallet,
};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};

/// CAI that each adversary stakes: most tasks go to them.
const STAKE: u64 = 100_000;

const PATIENCE: Duration = Duration::from_secs(150);

#[tokio::test]
async fn cheats_are_found_and_slashed_and_honest_miners_are_paid() -> Result<()> {
    let mut plan = Plan::private(&Toolchain::find()?, "adversaries")?;
    // Enough audits of honest miners to find out whether one of them is ever accused.
    plan.audit_rate = 0.5;
    let (model, folder) = (plan.model.clone(), plan.folder.clone());
    let mut network = Network::up(plan).await?;
    let mut tally = Tally::new(&network).await?;
    network.site.treasury.list_model(network.app.model_id(&model).await?).await?;

    let cheats = [(Cheat::WrongSeed, true), (Cheat::SwappedPicture, true), (Cheat::RandomPicture, false)];
    let mut working = Vec::new();
    for (index, (cheat, opens)) in (account::FIRST_SPARE..).zip(cheats) {
        let mut adversary = adversary(&network, index, cheat, opens).await?;
        working.push(tokio::spawn(async move { adversary.deliver().await }));
    }

    // Ordinary tasks, until each adversary was given one; honest pictures are counted.
    let mut pictures: Vec<Picture> = Vec::new();
    for number in 0..200 {
        if working.iter().all(tokio::task::JoinHandle::is_finished) {
            break;
        }
        let text = format!("a house number {number}");
        let picture = network.app.generate(&prompt(&model, &text)).await?;
        if network.crew.miners.iter().any(|miner| miner.address() == picture.receipt.offer.message.miner) {
            tally.count(network.expectation.check(&text, &picture)?);
        }
        pictures.push(picture);
    }
    let mut delivered: Vec<Delivered> = Vec::new();
    for adversary in working {
        ensure!(adversary.is_finished(), "an adversary was given no task");
        delivered.push(adversary.await??);
    }
    let [wrong_seed, swapped, silent] = delivered.as_slice() else { anyhow::bail!("{delivered:?}") };
    let of = |miner| pictures.iter().find(|picture| picture.receipt.offer.message.miner == miner);

    // An app that does not like its picture challenges by itself; one that has nothing to complain of is told so.
    let challenger = challenger(&network).await?;
    let faked = of(silent.miner).context("no picture of the silent one")?;
    let disputed =
        challenge(&network, &challenger, "faked", faked).await?.context("a noise picture was not challenged")?;
    ensure!(disputed["outcome"] == "convicted", "{disputed}");
    ensure!(disputed["reason"].as_str().is_some_and(|reason| reason.contains("another one")), "{disputed}");
    let honest =
        pictures.iter().find(|picture| delivered.iter().all(|d| d.miner != picture.receipt.offer.message.miner));
    let honest = honest.context("no honest picture")?;
    ensure!(challenge(&network, &challenger, "honest", honest).await?.is_none(), "an honest picture was challenged");

    // The coordinator has challenged the two whose traces it saw; it dies, and goes on where it was.
    until("the coordinator to challenge", PATIENCE, async || {
        let challenges = network.app.challenges().await?;
        let open =
            |miner| challenges.iter().any(|c| c.miner == miner && ["open", "convicted"].contains(&c.status.as_str()));
        Ok((open(wrong_seed.miner) && open(swapped.miner)).then_some(()))
    })
    .await?;
    network.coordinator.kill();
    network.restart_coordinator().await?;

    let challenges = until("the disputes to end", PATIENCE, async || {
        let challenges = network.app.challenges().await?;
        let over = challenges.iter().all(|challenge| !["due", "open"].contains(&challenge.status.as_str()));
        let convicted = |miner| challenges.iter().any(|c| c.miner == miner && c.status == "convicted");
        Ok((over && convicted(wrong_seed.miner) && convicted(swapped.miner)).then_some(challenges))
    })
    .await
    .map_err(|error| error.context(network.coordinator.tail()))?;
    let found = |miner| challenges.iter().find(|challenge| challenge.miner == miner);
    ensure!(found(wrong_seed.miner).is_some_and(|c| c.transition == 0), "{challenges:?}");
    ensure!(found(swapped.miner).is_some_and(|c| c.transition == 11), "{challenges:?}");
    ensure!(challenges.iter().all(|c| delivered.iter().any(|d| d.miner == c.miner)), "an honest miner: {challenges:?}");

    // A tenth of what each had is gone. The silent one was convicted by the app's dispute.
    for cheat in &delivered {
        until("the slash", PATIENCE, async || {
            let left = network.site.ledger().own_stake(cheat.miner).await?;
            // Staking rewards add a little.
            Ok((left < cai(STAKE * 91 / 100)? && left > cai(STAKE * 89 / 100)?).then_some(()))
        })
        .await
        .with_context(|| format!("{} keeps its stake", cheat.miner))?;
        let collected = network.site.ledger().collected(network.crew.coordinator.address(), cheat.miner).await?;
        ensure!(collected.amount.is_zero(), "a cheat was paid");
    }

    payment::settle(&network, &tally).await?;
    let log = fs::read_to_string(folder.join("coordinator.log"))?;
    ensure!(log.contains("audit passed"), "no honest result was audited");
    network.check()?;
    network.stop().await
}

/// A registered, staked miner that cheats, logged in.
async fn adversary(network: &Network, index: u32, cheat: Cheat, opens: bool) -> Result<Adversary> {
    let (site, stake) = (&network.site, cai(STAKE)?);
    let operator: Operator = site.newcomer(&format!("{cheat:?}"), index).await?;
    site.treasury.grant(&[(operator.address(), stake)]).await?;
    operator.stake(stake).await?;
    operator.register(&site.miner_program(), &site.chain(), None).await?;
    let (model, library) = (site.toolchain.model(&site.plan.model)?, &site.toolchain.onnxruntime);
    let url = network.coordinator_url();
    let mut adversary = Adversary::new(&operator, &url, site.domain(), &model, library, cheat, opens)?;
    adversary.login().await?;
    Ok(adversary)
}

/// An account with enough CAI for a bond.
async fn challenger(network: &Network) -> Result<Keystore> {
    let site = &network.site;
    let signer = account::signer(account::NEWCOMER)?;
    site.treasury.grant(&[(signer.address(), cai(1000)?)]).await?;
    let wallet = Wallet::new(signer.clone(), &site.anvil.rpc_url, &site.deployment);
    ensure!(wallet.address == signer.address(), "another key");
    Keystore::encrypt(&signer, &site.plan.folder.join("keys"), "challenger")
}

/// `coordinator-agent challenge`; none if it finds nothing to challenge.
async fn challenge(network: &Network, key: &Keystore, name: &str, picture: &Picture) -> Result<Option<Value>> {
    let site = &network.site;
    let file = |end: &str| -> PathBuf { site.plan.folder.join(format!("{name}.{end}")) };
    fs::write(file("json"), serde_json::to_vec(&picture.receipt)?)?;
    fs::write(file("png"), &picture.png)?;
    let ChainFlags { rpc_url, deployment } = site.chain();
    let mut command = site.coordinator_program().command(&["challenge"]);
    command.arg(file("json")).args(["--rpc-url", rpc_url.as_str()]).arg("--deployment").arg(deployment);
    command.arg("--keystore").arg(&key.file).arg("--password-file").arg(&key.password_file);
    command.arg("--output").arg(file("png")).arg("--model").arg(site.toolchain.model(&site.plan.model)?);
    command.arg("--onnxruntime").arg(&site.toolchain.onnxruntime).arg("--wait");
    let output = process::output("challenge", command, PATIENCE).await?;
    if output.status.success() {
        return Ok(Some(serde_json::from_slice(&output.stdout)?));
    }
    let prose = String::from_utf8_lossy(&output.stderr);
    ensure!(prose.contains("nothing to challenge") || prose.contains("as it should be"), "{prose}");
    Ok(None)
}
