//! Coordinators that mean harm, against the real programs and the deployed contracts. False accusations are in `dispute.rs`, favours in
//! `draws.rs`.

use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    app::{TaskView, prompt},
    network::Network,
    operator::cai,
    plan::{MinerPlan, Plan},
    process::Process,
    toolchain::Toolchain,
    until,
};
use cuckoo_protocol::contracts::IPayments;
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(90);

/// What the miner logs when a coordinator owes too much.
const TOLD: &str = "no work is claimed until it has funded the channel";

#[tokio::test]
async fn vouchers_without_cover_buy_no_more_than_the_credit() -> Result<()> {
    // A picture pays 10.24 CAI. One channel is filled before the purse is empty.
    let plan = Plan {
        price: "1000".to_owned(),
        purse: 30,
        credit: "20".to_owned(),
        audit_rate: 0.0,
        miners: MinerPlan::unequal_three()[1..].to_vec(),
        ..Plan::private(&Toolchain::find()?, "overissue")?
    };
    let (credit, purse, model) = (cai(20)?, cai(30)?, plan.model.clone());
    let mut network = Network::up(plan).await?;
    let mut tasks = Vec::new();
    // Far more than cover and credit are worth.
    for n in 0..16 {
        tasks.push(network.app.submit(&prompt(&model, &format!("a green cup number {n}"))).await?.id);
    }

    // It fills channels after the first vouchers: until then miners pause, too.
    let stopped = until("both miners to stop", PATIENCE, async || {
        network.check()?;
        let now = settled(&network, &tasks).await?;
        let told = network.miners.iter().all(|miner| logged(miner, TOLD));
        let spent: U256 = now.debts.iter().map(|debt| debt.collected + debt.balance).sum();
        let stopped = spent == purse && now.debts.iter().all(|debt| debt.uncovered() > credit);
        Ok((told && stopped).then_some(now))
    })
    .await?;
    let (mut paid, mut lost) = (0, U256::ZERO);
    for debt in &stopped.debts {
        ensure!(debt.uncovered() <= credit + stopped.price, "more than the credit and one picture in work: {debt:?}");
        lost += debt.uncovered();
        paid += usize::from(!debt.collected.is_zero());
    }
    ensure!(paid == 1, "the one whose channel was filled was paid: {:?}", stopped.debts);
    ensure!(stopped.done < tasks.len() && lost <= (credit + stopped.price) * U256::from(2));
    // It still offers the rest, and nobody takes it.
    tokio::time::sleep(Duration::from_secs(7)).await;
    ensure!(settled(&network, &tasks).await?.done == stopped.done, "there is work on credit");

    // It pays up: all is done, and collected to the wei.
    let node = network.crew.coordinator.node.address;
    network.site.treasury.grant(&[(node, cai(2_000)?)]).await?;
    until("all tasks to be done and collected", PATIENCE, async || {
        network.check()?;
        let now = settled(&network, &tasks).await?;
        let square = now.debts.iter().all(|debt| debt.collected == debt.earned);
        Ok((now.done == tasks.len() && square).then_some(()))
    })
    .await?;
    network.stop().await
}

/// What became of tasks, and what miners are owed for them.
struct Settled {
    done: usize,
    /// Wei a picture.
    price: U256,
    debts: Vec<Debt>,
}

#[derive(Debug)]
struct Debt {
    miner: Address,
    earned: U256,
    collected: U256,
    balance: U256,
}

impl Debt {
    fn uncovered(&self) -> U256 {
        self.earned.saturating_sub(self.collected + self.balance)
    }
}

async fn settled(network: &Network, tasks: &[String]) -> Result<Settled> {
    let provider = network.site.anvil.provider();
    let payments = IPayments::new(network.site.deployment.contracts.payments, &provider);
    let mut debts = Vec::new();
    for miner in &network.crew.miners {
        let miner = miner.address();
        let channel = payments.channel(network.crew.coordinator.address(), miner).call().await?;
        debts.push(Debt { miner, earned: U256::ZERO, collected: channel.collected, balance: channel.balance });
    }
    let (mut done, mut price) = (0, U256::ZERO);
    for task in tasks {
        let TaskView { status, .. } = network.app.task(task).await?;
        ensure!(!["failed", "cancelled"].contains(&status.as_str()), "a task {status}");
        if status == "done" {
            let offer = network.app.picture(task).await?.receipt.offer.message;
            let debt = debts.iter_mut().find(|debt| debt.miner == offer.miner).context("a stranger's work")?;
            (debt.earned, price, done) = (debt.earned + offer.price, offer.price, done + 1);
        }
    }
    Ok(Settled { done, price, debts })
}

fn logged(process: &Process, text: &str) -> bool {
    fs::read_to_string(process.log_path()).is_ok_and(|log| log.contains(text))
}
