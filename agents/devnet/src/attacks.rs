//! What the network refuses: too little stake, a foreign key, another's lease, a replay.

use crate::{
    account,
    app::{App, Picture, prompt},
    network::Network,
    operator::{Operator, cai},
    refusal::Refusal,
    rogue::Rogue,
    until,
};
use alloy::{
    primitives::{B256, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_protocol::{
    contracts::Result as TaskResult,
    link::{ClaimAnswer, Lease},
    message::Domain,
    request::Request,
};
use std::time::Duration;

/// Stake of a miner that none may be at or below, in CAI.
const LEAST_STAKE: u64 = 20_000;

/// Stake of the rogue, in CAI: so much that nearly every draw is its.
const ROGUE_STAKE: u64 = 2_000_000;

/// Tasks offered until the rogue is drawn; honest miners finish those before.
const TRIES: usize = 30;

/// Something that was tried in vain.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What was tried.
    pub what: &'static str,
    /// How it was refused: the sentence that whoever tries it reads.
    pub refusal: String,
}

/// Tries everything; `earlier` is a task that was accepted and paid.
///
/// # Errors
/// If anything is accepted that must not be, or refused for another reason.
pub async fn all(network: &Network, earlier: &Picture) -> Result<Vec<Attempt>> {
    let ((bystander, under_staked), rogue) = tokio::try_join!(barely_staked(network), rogue(network))?;
    let mut attempts = vec![under_staked];
    let (domain, model_id) = (network.site.domain(), network.app.model_id(&network.site.plan.model).await?);
    let mut bystander = Rogue::new(&bystander, &network.coordinator_url(), domain.clone())?;
    let mut rogue = Rogue::new(&rogue, &network.coordinator_url(), domain.clone())?;
    login(&mut bystander, &domain, model_id).await?;
    login(&mut rogue, &domain, model_id).await?;

    let text = "a purple cat";
    let (lease, task) = lease_of(&rogue, &network.app, &network.site.plan.model, text).await?;
    let result = TaskResult {
        offerHash: domain.digest(&lease.offer.message),
        traceRoot: B256::new(rand::random()),
        states: Request::decode(&lease.request)?.states,
        outputHash: earlier.receipt.result.message.outputHash,
    };

    let forged = domain.sign(result.clone(), &PrivateKeySigner::random())?;
    let foreign = domain.sign(result, &bystander.node)?;
    let replayed = earlier.receipt.result.clone();
    for (what, miner, result, status, code) in [
        ("a result signed by another key", &rogue, forged, 401, "wrong_signer"),
        ("a result for another miner's lease", &bystander, foreign, 403, "not_your_lease"),
        ("a replayed result, accepted earlier", &rogue, replayed, 409, "offer_mismatch"),
    ] {
        let outcome = miner.submit(&lease.id, result, earlier.png.clone()).await;
        let refusal = Refusal::expect(what, outcome)?.is(status, code).context(what)?;
        attempts.push(Attempt { what, refusal: refusal.to_string() });
    }

    rogue.decline(&lease.id).await?;
    until("an honest miner to finish the rogue's task", Duration::from_secs(60), async || {
        let view = network.app.task(&task).await?;
        match view.status.as_str() {
            "done" => Ok(Some(())),
            "failed" | "cancelled" => bail!("the task that the rogue gave back {}: {:?}", view.status, view.error),
            _ => Ok(None),
        }
    })
    .await?;
    let earned = network.expectation.check(text, &network.app.picture(&task).await?)?;
    ensure!(earned.miner != rogue.operator, "the rogue was paid");
    Ok(attempts)
}

/// Tries to register with exactly the threshold, which is refused; a wei more is enough.
async fn barely_staked(network: &Network) -> Result<(Operator, Attempt)> {
    let (site, stake) = (&network.site, cai(LEAST_STAKE)?);
    let operator = site.newcomer("barely-staked", account::FIRST_SPARE).await?;
    site.treasury.grant(&[(operator.address(), stake + U256::from(1))]).await?;
    operator.stake(stake).await?;
    let outcome = operator.register(&site.miner_program(), &site.chain(), None).await;
    let Err(error) = outcome else { bail!("a registration at exactly {LEAST_STAKE} CAI was accepted") };
    let sentence = format!("{error:#}");
    ensure!(sentence.contains("20000"), "the refusal does not name the threshold: {sentence}");
    let attempt = Attempt { what: "a registration at exactly 20,000 CAI", refusal: sentence };
    operator.stake(U256::from(1)).await?;
    operator.register(&site.miner_program(), &site.chain(), None).await.context("a wei above the threshold")?;
    Ok((operator, attempt))
}

async fn rogue(network: &Network) -> Result<Operator> {
    let (site, stake) = (&network.site, cai(ROGUE_STAKE)?);
    let operator = site.newcomer("rogue", account::FIRST_SPARE + 1).await?;
    site.treasury.grant(&[(operator.address(), stake)]).await?;
    operator.stake(stake).await?;
    operator.register(&site.miner_program(), &site.chain(), None).await?;
    Ok(operator)
}

/// Logs in as soon as the coordinator knows the registration for final.
async fn login(rogue: &mut Rogue, domain: &Domain, model_id: B256) -> Result<()> {
    until("the coordinator to know the new miner", Duration::from_secs(30), async || {
        match rogue.login(model_id, domain).await {
            Ok(()) => Ok(Some(())),
            Err(error) => match error.downcast_ref::<Refusal>() {
                Some(refusal) if ["not_registered", "understaked"].contains(&refusal.detail.code.as_str()) => Ok(None),
                _ => Err(error),
            },
        }
    })
    .await
}

/// Hands in tasks until one is given to the rogue; gives its lease and id.
async fn lease_of(rogue: &Rogue, app: &App, model: &str, text: &str) -> Result<(Lease, String)> {
    let mut claim = Box::pin(rogue.claim());
    for _ in 0..TRIES {
        let task = app.submit(&prompt(model, text)).await?.id;
        let mut done = Box::pin(until("a task to end", Duration::from_secs(60), async || {
            Ok((app.task(&task).await?.status == "done").then_some(()))
        }));
        loop {
            tokio::select! {
                answer = &mut claim => match answer? {
                    ClaimAnswer::Lease(lease) => return Ok((*lease, task.clone())),
                    ClaimAnswer::Skipped(_) => claim = Box::pin(rogue.claim()),
                },
                outcome = &mut done => break outcome?,
            }
        }
    }
    bail!("none of {TRIES} tasks was offered to the miner with the most stake")
}
