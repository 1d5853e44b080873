//! The whole trade with the real programs: prompts become pictures, pictures are paid, attacks are refused.

use alloy::primitives::B256;
use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    agent::ChainFlags, app::prompt, attacks, network::Network, payment, plan::Plan, process, tally::Tally,
    toolchain::Toolchain, until,
};
use cuckoo_inference::Package;
use serde_json::json;
use std::{fs, time::Duration};

#[tokio::test]
async fn prompts_become_paid_pictures_and_attacks_are_refused() -> Result<()> {
    let plan = Plan::private(&Toolchain::find()?, "trade")?;
    let (folder, model) = (plan.folder.clone(), plan.model.clone());
    let mut network = Network::up(plan).await?;
    let mut tally = Tally::new(&network).await?;

    // A seed is a promise: the same request gives the same picture, whoever draws it.
    let mut seeded = prompt(&model, "a red apple");
    seeded["seed"] = json!(7);
    let first = network.app.generate(&seeded).await?;
    tally.count(network.expectation.check("a red apple", &first)?);
    let (mut others, mut drawn_by) = (0, vec![first.receipt.offer.message.miner]);
    while drawn_by.len() < 2 && others < 40 {
        let again = network.app.generate(&seeded).await?;
        tally.count(network.expectation.check("a red apple", &again)?);
        ensure!(again.receipt.result.message.outputHash == first.receipt.result.message.outputHash, "another picture");
        ensure!(
            again.receipt.offer.message.requestHash != first.receipt.offer.message.requestHash,
            "a salt came twice"
        );
        if !drawn_by.contains(&again.receipt.offer.message.miner) {
            drawn_by.push(again.receipt.offer.message.miner);
        }
        others += 1;
    }
    ensure!(drawn_by.len() == 2, "40 tasks went to one of three miners");

    // More at once than there are miners: they wait, and all end well.
    let burst: Vec<String> = (0..12).map(|n| format!("a house number {n}")).collect();
    let drawn = futures::future::try_join_all(burst.iter().map(async |text| {
        let task = network.app.submit(&prompt(&model, text)).await?;
        until("a task to end", Duration::from_secs(60), async || {
            let view = network.app.task(&task.id).await?;
            ensure!(
                !["failed", "cancelled"].contains(&view.status.as_str()),
                "a task {}: {:?}",
                view.status,
                view.error
            );
            Ok((view.status == "done").then_some(()))
        })
        .await?;
        network.app.picture(&task.id).await
    }))
    .await?;
    for (text, picture) in burst.iter().zip(&drawn) {
        tally.count(network.expectation.check(text, picture).context("a task of the burst")?);
    }

    let view = network.app.network().await?;
    ensure!((view.coordinator, view.node) == network.expectation.coordinator && view.chain_id == 31337 && !view.stale);
    for miner in tally.miners() {
        let seen = view.miners.iter().find(|seen| seen.operator == miner.operator);
        let seen = seen.with_context(|| format!("/v1/network does not name {}", miner.name))?;
        ensure!(
            seen.weight == miner.weight && seen.served == miner.served && seen.busy == 0,
            "{seen:?}, not {miner:?}"
        );
    }

    fetch_model(&network).await?;
    let rows = payment::settle(&network, &tally).await?;
    ensure!(rows.iter().map(|row| row.served).sum::<u64>() == tally.tasks());

    let attempts = attacks::all(&network, &first).await?;
    ensure!(attempts.len() == 4, "{attempts:?}");

    network.check()?;
    let (api_key, keys) = (network.api_key.clone(), fs::read_dir(folder.join("keys"))?);
    let mut secrets = vec![api_key];
    for entry in keys {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "password") {
            secrets.push(fs::read_to_string(path)?);
        }
    }
    network.stop().await?;
    ensure!(secrets.len() > 5, "no passwords were found to look for");
    for log in ["coordinator", "miner-1", "miner-2", "miner-3"] {
        let text = fs::read_to_string(folder.join(format!("{log}.log")))?;
        ensure!(!text.is_empty(), "{log} logged nothing");
        ensure!(!secrets.iter().any(|secret| text.contains(secret.as_str())), "{log}.log holds a secret");
        ensure!(!text.contains("panicked"), "{log} panicked");
    }
    Ok(())
}

/// A newcomer knows only the chain and a modelId, and gets the package from whoever offers work for it.
async fn fetch_model(network: &Network) -> Result<()> {
    let (site, to) = (&network.site, network.site.plan.folder.join("fetched"));
    let id = network.app.model_id(&site.plan.model).await?;
    let ChainFlags { rpc_url, deployment } = site.chain();
    let fetch = async |id: String| {
        let mut command = site.miner_program().command(&["model", "fetch", &id, "--rpc-url", rpc_url.as_str()]);
        command.arg("--deployment").arg(&deployment).arg("--to").arg(&to);
        process::output("model fetch", command, Duration::from_secs(60)).await
    };
    let unknown = fetch(B256::repeat_byte(7).to_string()).await?;
    let prose = String::from_utf8_lossy(&unknown.stderr);
    ensure!(!unknown.status.success() && prose.contains(&network.coordinator_url()), "{prose}");

    let fetched = fetch(id.to_string()).await?;
    ensure!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let line: serde_json::Value = serde_json::from_slice(&fetched.stdout)?;
    ensure!(line["model_id"] == json!(id), "{line}");
    ensure!(Package::open(&to)?.model_id() == id, "another package");
    Ok(())
}
