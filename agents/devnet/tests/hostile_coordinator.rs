//! Coordinators that mean harm, against the real programs and the deployed contracts. False accusations are in `dispute.rs`, favours in
//! `draws.rs`.

use alloy::{
    contract::CallBuilder,
    network::EthereumWallet,
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::Filter,
    signers::local::PrivateKeySigner,
    sol_types::SolEvent,
};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_chain::error::explain;
use cuckoo_devnet::{
    app::{TaskView, prompt},
    network::Network,
    operator::cai,
    plan::{MinerPlan, Plan},
    process::Process,
    toolchain::Toolchain,
    until,
};
use cuckoo_protocol::{
    contracts::{ICAI, IDisputes, IPayments, Offer, Result as TaskResult},
    dispute::no_tile,
    message::{Domain, Signed},
    receipt::Receipt,
    request::{self, Request},
};
use std::{fs, marker::PhantomData, time::Duration};

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

#[tokio::test]
async fn nobody_is_framed_with_a_model_that_is_not_listed() -> Result<()> {
    let miners = MinerPlan::unequal_three()[..1].to_vec();
    let plan = Plan { audit_rate: 0.0, miners, ..Plan::private(&Toolchain::find()?, "framing")? };
    let mut network = Network::up(plan).await?;
    let ask = prompt(&network.site.plan.model, "a red apple");
    let honest = network.app.generate(&ask).await?.receipt;
    let (accused, ledger) = (honest.offer.message.miner, network.site.ledger());
    let stake = ledger.own_stake(accused).await?;
    let framer = Framer::new(&network).await?;
    let purse = ledger.balance(framer.address).await?;

    // A stranger could publish any tolerance for it: nothing can be said about its results on chain.
    framer.fails(&honest, "ModelNotListed").await?;

    // So it takes one that is listed, and puts the miner's work under it.
    let decoy = B256::repeat_byte(0xde);
    network.site.treasury.list_model(decoy).await?;
    framer.fails(&honest, "ModelNotListed").await?;
    let (offer, result) = (&honest.offer.message, &honest.result);
    let relabelled = framer.offer(Offer { modelId: decoy, ..offer.clone() })?;
    framer.fails(&Receipt { offer: relabelled, ..honest.clone() }, "ModelMismatch").await?;
    let request = Request { model_id: decoy, ..Request::decode(&honest.request)? }.encode()?;
    let forged = framer.offer(Offer { modelId: decoy, requestHash: request::hash(&request), ..offer.clone() })?;
    let frame = Receipt { request: request.into(), offer: forged, ..honest.clone() };
    framer.fails(&frame, "OfferMismatch").await?;
    let message = TaskResult { offerHash: framer.domain.digest(&frame.offer.message), ..result.message.clone() };
    let moved = Signed { message: message.clone(), signature: result.signature };
    framer.fails(&Receipt { result: moved, ..frame.clone() }, "InvalidResult").await?;
    let own = framer.domain.sign(message, &framer.node)?;
    framer.fails(&Receipt { result: own, ..frame }, "InvalidResult").await?;

    let filter = Filter::new().address(network.site.deployment.contracts.disputes).from_block(0);
    let opened = filter.event_signature(IDisputes::Challenged::SIGNATURE_HASH);
    ensure!(network.site.anvil.provider().get_logs(&opened).await?.is_empty(), "a dispute was opened");
    ensure!(ledger.own_stake(accused).await? >= stake && ledger.balance(framer.address).await? == purse);
    ensure!(network.app.generate(&ask).await?.receipt.offer.message.miner == accused, "it works on");

    // Nothing else was wrong with the accusation: with its model listed it is heard.
    network.site.treasury.list_model(offer.modelId).await?;
    framer.accuse(&honest).call().await.context("the control")?;
    network.check()?;
    network.stop().await
}

/// A coordinator's operator with a bond in hand and its node's key.
struct Framer {
    address: Address,
    node: PrivateKeySigner,
    domain: Domain,
    disputes: IDisputes::IDisputesInstance<DynProvider>,
}

impl Framer {
    async fn new(network: &Network) -> Result<Self> {
        let (site, coordinator) = (&network.site, &network.crew.coordinator);
        // The operator's own account: the node's is in the agent's hands.
        let address = coordinator.address();
        let wallet = EthereumWallet::from(coordinator.key.decrypt()?);
        let provider = ProviderBuilder::new().wallet(wallet).connect_http(site.anvil.rpc_url.clone()).erased();
        provider.client().set_poll_interval(Duration::from_millis(100));
        site.treasury.grant(&[(address, cai(2_000)?)]).await?;
        let contracts = site.deployment.contracts;
        let approval = ICAI::new(contracts.cai, &provider).approve(contracts.disputes, U256::MAX).send().await?;
        ensure!(approval.get_receipt().await?.status(), "the approval failed");
        let disputes = IDisputes::new(contracts.disputes, provider);
        Ok(Self { address, node: coordinator.node.decrypt()?, domain: site.domain(), disputes })
    }

    fn offer(&self, offer: Offer) -> Result<Signed<Offer>> {
        Ok(self.domain.sign(offer, &self.node)?)
    }

    fn accuse(&self, receipt: &Receipt) -> CallBuilder<&DynProvider, PhantomData<IDisputes::challengeCall>> {
        self.disputes.challenge(
            receipt.offer.message.clone(),
            receipt.result.message.clone(),
            receipt.offer.signature_bytes().into(),
            receipt.result.signature_bytes().into(),
            receipt.request.clone(),
            U256::ONE,
            no_tile(),
        )
    }

    /// That the contract refuses an accusation, for this reason: in a simulation, and mined.
    async fn fails(&self, receipt: &Receipt, why: &str) -> Result<()> {
        let Err(refusal) = self.accuse(receipt).call().await else { bail!("{why}: the accusation is heard") };
        let data = refusal.as_revert_data().with_context(|| format!("{why}: {refusal}"))?;
        ensure!(explain(&data).contains(why), "{}, not {why}", explain(&data));
        let mined = self.accuse(receipt).gas(2_000_000).send().await?.get_receipt().await?;
        ensure!(!mined.status(), "{why}: the accusation is heard");
        Ok(())
    }
}
