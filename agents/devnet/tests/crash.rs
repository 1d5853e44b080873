//! `kill -9`, in the middle of work.

use anyhow::{Result, ensure};
use cuckoo_devnet::{
    app::{App, TaskView, prompt},
    network::Network,
    payment,
    plan::Plan,
    tally::Tally,
    toolchain::Toolchain,
    until,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// Longer than a killed miner's lease lasts.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_task_survives_its_coordinator_and_its_miner() -> Result<()> {
    let plan = Plan::private(&Toolchain::find()?, "crash")?;
    let model = plan.model.clone();
    let mut network = Network::up(plan).await?;
    let mut tally = Tally::new(&network).await?;

    // One task in work at each miner, and three that wait. The miners are frozen so that none can be done too early.
    let texts: Vec<String> = (0..6).map(|n| format!("a blue star number {n}")).collect();
    network.miners.iter_mut().try_for_each(|miner| miner.pause())?;
    let tasks = submit(&network.app, &model, &texts).await?;
    let leased = until("three tasks to be leased", PATIENCE, async || {
        let views = views(&network.app, &tasks).await?;
        Ok((views.iter().filter(|view| view.status == "leased").count() == 3).then_some(views))
    })
    .await?;
    network.miners.iter_mut().try_for_each(|miner| miner.resume())?;
    // Long enough to read the lease, too short for the steps of any picture.
    sleep(Duration::from_millis(20)).await;
    network.coordinator.kill();
    // The miners end their work while nobody listens.
    sleep(Duration::from_secs(2)).await;
    network.restart_coordinator().await?;
    let done = all_done(&network.app, &tasks).await?;
    for (before, after) in leased.iter().zip(&done).filter(|(before, _)| before.status == "leased") {
        ensure!(before.miner == after.miner, "the work of {:?} was lost", before.miner);
    }
    for (text, task) in texts.iter().zip(&tasks) {
        tally.count(network.expectation.check(text, &network.app.picture(task).await?)?);
    }

    // The miner that holds a lease dies: another one finishes its task.
    network.wait_live().await?;
    network.miners.iter_mut().try_for_each(|miner| miner.pause())?;
    let text = "a green tree";
    let tasks = submit(&network.app, &model, &[text.to_owned()]).await?;
    let leased = until("the task to be leased", PATIENCE, async || {
        Ok(views(&network.app, &tasks).await?.pop().filter(|view| view.status == "leased"))
    })
    .await?;
    let victim = network.crew.miners.iter().position(|miner| Some(miner.address()) == leased.miner);
    let victim = victim.ok_or_else(|| anyhow::anyhow!("the task is leased to nobody: {leased:?}"))?;
    network.miners[victim].kill();
    for (at, miner) in network.miners.iter_mut().enumerate() {
        if at != victim {
            miner.resume()?;
        }
    }
    let done = all_done(&network.app, &tasks).await?;
    ensure!(done[0].miner != leased.miner, "a dead miner finished a task");
    tally.count(network.expectation.check(text, &network.app.picture(&tasks[0]).await?)?);

    // Back on its feet it works on, and everything that anybody was promised is paid.
    network.miners[victim] = network.site.start_miner(&network.crew.miners[victim])?;
    network.wait_live().await?;
    payment::settle(&network, &tally).await?;
    network.stop().await
}

async fn submit(app: &App, model: &str, texts: &[String]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for text in texts {
        let mut request = prompt(model, text);
        request["steps"] = json!(50);
        ids.push(app.submit(&request).await?.id);
    }
    Ok(ids)
}

async fn views(app: &App, tasks: &[String]) -> Result<Vec<TaskView>> {
    futures::future::try_join_all(tasks.iter().map(|task| app.task(task))).await
}

async fn all_done(app: &App, tasks: &[String]) -> Result<Vec<TaskView>> {
    until("all tasks to be done", PATIENCE, async || {
        let views = views(app, tasks).await?;
        ensure!(!views.iter().any(|view| view.status == "failed"), "a task failed: {views:?}");
        Ok(views.iter().all(|view| view.status == "done").then_some(views))
    })
    .await
}
