//! One kind of miner at work for one coordinator: each of its results drawn for an audit or not, checked, paid or challenged.

use super::{
    delivery::Delivery,
    ground::Ground,
    row::Row,
    trial::{self, Case, Conduct},
    worker::{Work, Worker, thread_time},
};
use crate::operator::cai;
use alloy::{
    primitives::{Address, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result, ensure};
use cuckoo_chain::disputes::End;
use cuckoo_coordinator::{
    audit::{Exposure, Finding, cap},
    store::Unaudited,
};
use cuckoo_protocol::{
    body::ImageBody,
    contracts::{Role, Voucher},
    trace::{pack, trace_root, unpack},
};
use rand::RngExt;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::{JoinSet, spawn_blocking};

/// CAI that each operator stakes: a little more than a miner must.
pub const STAKE: u64 = 25_000;
/// CAI that those stake of whom nothing is found: all of a lane's work is one operator's, and what it holds unaudited is capped.
const LONG_STAKE: u64 = 500_000;
/// CAI that a task pays: what 1024×1024 pixels of 30 steps cost at 1 CAI a megapixel-step.
pub const PRICE: u64 = 31;
/// Results that are all looked at beforehand, to know how often an audit finds such a fake.
const CENSUS: usize = 20;

/// A kind of miner.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is called in the table.
    pub name: &'static str,
    /// How it works.
    pub work: Work,
    /// What it does when it is asked to open a trace.
    pub conduct: Conduct,
    /// Whether it signs with the key of another miner's node, which it has stolen.
    pub thief: bool,
}

/// An operator at work.
struct Miner {
    operator: Address,
    /// Signs for it, in whoever's hands it is.
    node: PrivateKeySigner,
    /// Audits passed.
    passed: u64,
    /// Wei owed to it.
    cumulative: U256,
    tasks: u64,
    exposure: Exposure,
}

/// Has miners of a kind work on so many tasks, each operator until it is found out, and tries all that are. None if this machine
/// cannot work so.
///
/// # Errors
/// If anything but a miner fails.
pub async fn run(ground: Arc<Ground>, kind: Kind, tasks: usize, told: impl Fn(&Row)) -> Result<Option<Row>> {
    let package = ground.package.clone();
    let Some(mut worker) = spawn_blocking(move || Worker::new(&package, kind.work)).await?? else { return Ok(None) };
    let mut row = Row::new(kind.name, matches!(kind.work, Work::Honest(_)));
    for number in 0..CENSUS.min(tasks) {
        let body = body(&ground, number)?;
        let (again, inspected) = compute(&ground, worker, move |worker| {
            let result = worker.work(&body)?;
            worker.inspect(&body, &result)
        })
        .await?;
        worker = again;
        row.inspected(&inspected);
    }

    let mut trials = JoinSet::new();
    while row.tasks < tasks as u64 {
        let place = ground.places.clone().acquire_owned().await?;
        let mut miner = hire(&ground, kind).await?;
        row.operators += 1;
        let mut caught = None;
        while caught.is_none() && row.tasks < tasks as u64 {
            let body = body(&ground, row.tasks as usize)?;
            let wanted = body.clone();
            let (again, (made, time)) = compute(&ground, worker, move |worker| {
                let begun = thread_time();
                let made = worker.work(&wanted)?;
                Ok((made, thread_time().saturating_sub(begun)))
            })
            .await?;
            worker = again;
            row.worked(time);
            wait_for_room(&ground, &mut miner).await?;
            let audit = Delivery::new(&ground, miner.operator, &miner.node, body, made)?;
            caught = audit.settle(&ground, &mut miner, kind.conduct, &mut row).await?;
            told(&row);
        }
        row.unaudited_ends += u64::from(caught.is_none());
        row.until_found.extend(caught.as_ref().map(|_| miner.tasks));
        let ground = ground.clone();
        trials.spawn(async move {
            let _place = place;
            conclude(&ground, miner, caught).await
        });
        // Those that are over.
        while let Some(done) = trials.try_join_next() {
            row.concluded(&done??);
        }
    }
    while let Some(done) = trials.join_next().await {
        row.concluded(&done??);
        told(&row);
    }
    Ok(Some(row))
}

/// What became of an operator.
pub struct Conclusion {
    /// Whether it was found out.
    pub accused: bool,
    /// How its dispute ended; none without one.
    pub end: Option<End>,
    /// CAI wei that it collected, after the fee.
    pub collected: U256,
    /// CAI wei of its own stake that it lost.
    pub lost: U256,
}

/// Tries whoever was caught, and pays what is owed for the other results.
async fn conclude(ground: &Ground, miner: Miner, caught: Option<Case>) -> Result<Conclusion> {
    let me = miner.operator;
    let ledger = ground.site.ledger();
    let before = ledger.own_stake(me).await?;
    let accused = caught.is_some();
    let end = match caught {
        // One that this machine was too slow for is counted, and the others go on.
        Some(case) => trial::run(ground, case).await.inspect_err(|error| eprintln!("no verdict: {error:#}")).ok(),
        None => None,
    };
    let (after, slashed) = (ledger.own_stake(me).await?, end.map_or(U256::ZERO, |end| end.slashed));
    ensure!(slashed.is_zero() || after < before, "{me} was slashed and has all that it had");
    let payer = ground.coordinator.address();
    if !miner.cumulative.is_zero() {
        let voucher = Voucher { payer, payee: me, cumulative: miner.cumulative };
        ground.bank.pay(&ground.chain.domain().sign(voucher, &ground.coordinator)?).await?;
    }
    let collected = ledger.collected(payer, me).await?;
    ensure!(collected.amount == miner.cumulative, "{me} collected something else than it was owed");
    Ok(Conclusion { accused, end, collected: collected.amount - collected.fee, lost: slashed })
}

async fn hire(ground: &Ground, kind: Kind) -> Result<Miner> {
    let tolerated = match kind.work {
        Work::Honest(_) => true,
        Work::Cheat(cheat) => cheat.is_tolerated(),
    };
    let stake = cai(if tolerated { LONG_STAKE } else { STAKE })?;
    // A thief has the node's key and not the operator's: whatever the node earns goes to the operator.
    let (operator, node) = if kind.thief {
        let node = PrivateKeySigner::random();
        (ground.bank.operator(Role::Miner, stake, &node).await?, node)
    } else {
        let node = ground.bank.own_node(Role::Miner, stake).await?;
        (node.address(), node)
    };
    let own = ground.site.ledger().own_stake(operator).await?;
    let mut exposure = Exposure::new(ground.rules.challenge_window, Vec::new());
    // This coordinator is the only one: all of the slash is its share.
    let limit = cap(own, ground.rules.fraction, U256::from(1), U256::from(1));
    exposure.set_caps(ground.rules.challenge_window, HashMap::from([(operator, limit)]));
    let passed = if matches!(kind.work, Work::Cheat(_)) { ground.record } else { 0 };
    Ok(Miner { operator, node, passed, cumulative: U256::ZERO, tasks: 0, exposure })
}

/// Waits until a miner may be given a task: what it did unaudited and can still be challenged is capped.
async fn wait_for_room(ground: &Ground, miner: &mut Miner) -> Result<()> {
    while miner.exposure.room(miner.operator, ground.chain.now()) < cai(PRICE)? {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// A task's request, each another one.
pub(super) fn body(ground: &Ground, number: usize) -> Result<ImageBody> {
    const THINGS: [&str; 8] =
        ["red apple", "blue fish", "green tree", "yellow sun", "house", "boat", "white cat", "pink flower"];
    let mut body = ground.package.manifest().image_body(format!("a {}, {number}", THINGS[number % THINGS.len()]))?;
    body.seed = rand::rng().random_range(0..1 << 32);
    Ok(body)
}

/// Lets a worker compute on one of the cores.
async fn compute<T: Send + 'static>(
    ground: &Ground,
    mut worker: Worker,
    work: impl FnOnce(&mut Worker) -> Result<T> + Send + 'static,
) -> Result<(Worker, T)> {
    let _core = ground.cores.acquire().await?;
    spawn_blocking(move || {
        let done = work(&mut worker)?;
        Ok((worker, done))
    })
    .await?
}

impl Delivery {
    /// Draws the coin, checks what it falls on, and pays or makes a case of it.
    async fn settle(self, ground: &Ground, miner: &mut Miner, conduct: Conduct, row: &mut Row) -> Result<Option<Case>> {
        let offer = &self.receipt.offer.message;
        let (me, price, expiry): (Address, U256, u64) = (offer.miner, offer.price, offer.expiry);
        row.delivered(ground.coin.probability(miner.passed), miner.passed < ground.record);
        miner.tasks += 1;
        if !ground.coin.falls(self.digest, miner.passed) {
            let lease = self.digest.to_string();
            miner.exposure.add(Unaudited { lease, miner: me, price, expiry });
            miner.cumulative += price;
            return Ok(None);
        }
        row.audited(miner.passed < ground.record);
        self.suspect(ground);
        let now = ground.chain.now();
        let (finding, not_before) = if conduct == Conduct::Refuses {
            // A transition that it cannot foresee.
            let transition = rand::rng().random_range(0..self.receipt.result.message.states);
            let reason = "the trace was not opened in time".to_owned();
            (Some(Finding { transition, tile: None, reason }), ground.rules.audit_deadline(now, expiry))
        } else {
            let states = unpack(&pack(&self.made.states)).context("a packed trace cannot be unpacked")?;
            ensure!(trace_root(&states) == self.receipt.result.message.traceRoot, "another trace than was signed");
            (self.check(ground, row.audits as usize).await?, now)
        };
        let Some(finding) = finding else {
            ground.work.end(self.digest);
            miner.passed += 1;
            miner.cumulative += price;
            return Ok(None);
        };
        row.found += 1;
        self.accuse(ground, miner.node.clone(), conduct, &finding, not_before).map(Some)
    }
}
