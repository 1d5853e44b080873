//! Disputes before juries some of whom do not judge: over fakes, and over honest work that is accused all the same.

use super::{
    Bench, Conduct, Ground, Verdicts, Way, Work,
    delivery::Delivery,
    lane::{STAKE, body},
    odds::{Odds, Stance, odds},
    trial,
    worker::Worker,
};
use crate::{
    adversary::{Cheat, Forgery, Hostility},
    operator::cai,
    until,
};
use alloy::primitives::{B256, U256};
use anyhow::{Context, Result};
use cuckoo_chain::disputes::End;
use cuckoo_coordinator::audit::Finding;
use cuckoo_protocol::{
    body::ImageBody,
    contracts::{IDisputes, Role},
};
use rand::RngExt;
use std::{sync::Arc, time::Duration};
use tokio::task::{JoinSet, spawn_blocking};

/// Jurors of each jury.
pub const JURORS: usize = 10;
/// What fakes are taken from, in turn: a step, a late step, all steps, and the output are false.
const FAKES: [Cheat; 4] = [Cheat::SplicedTrace, Cheat::LateState, Cheat::NoGuidance, Cheat::SwappedPicture];
/// In which jurors have claimed what they are owed.
const CLAIMS: Duration = Duration::from_secs(60);

/// A jury, some of whom do not judge.
#[derive(Clone, Debug)]
pub struct Jury {
    /// What it is called in the table.
    pub name: String,
    /// Those who do not judge, of [`JURORS`].
    pub hostile: Vec<Hostility>,
}

/// The juries that are tried.
pub fn juries() -> Vec<Jury> {
    let jury = |what: &str, hostility, count: usize| Jury {
        name: format!("jurors that {what}, {}%", 100 * count / JURORS),
        hostile: vec![hostility; count],
    };
    let colluding = [2, 3, 4, 5, 7].map(|count| jury("collude against the truth", Hostility::Colludes, count));
    let mut all = vec![Jury { name: "jurors all honest".to_owned(), hostile: Vec::new() }];
    all.extend(colluding);
    all.push(jury("vote at random", Hostility::AtRandom, 3));
    all.push(jury("always say guilty", Hostility::AlwaysGuilty, 3));
    all.push(jury("copy commitments", Hostility::Copies, 3));
    all.push(jury("stay away", Hostility::StaysAway, 3));
    all
}

/// Disputes over results that are all fakes, or all honest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Half {
    /// How they ended.
    pub verdicts: Verdicts,
    /// How they should, by the rule alone.
    pub odds: Odds,
}

/// What became of the disputes before a jury.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The jury's name.
    pub name: String,
    /// Over fakes.
    pub fakes: Half,
    /// Over honest work.
    pub innocents: Half,
    /// Juries called, in all disputes.
    pub rounds: u64,
    /// The honest jurors.
    pub honest: Ballots,
    /// The others.
    pub hostile: Ballots,
    /// Ballots of others, whose probe is not near that of any honest juror, that were paid.
    pub unearned: u64,
}

/// What jurors said, and got for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ballots {
    /// That were opened.
    pub opened: u64,
    /// Of them paid.
    pub paid: u64,
    /// CAI wei.
    pub earned: U256,
}

/// Has so many fakes and as many honest results judged by a jury.
///
/// # Errors
/// If a part of the network does not start, or the chain does not answer.
pub async fn run(label: &str, jury: &Jury, disputes: usize, pace: Duration) -> Result<Outcome> {
    let honest = JURORS.checked_sub(jury.hostile.len()).context("more jurors than there are")?;
    let bench = Bench { honest, hostile: jury.hostile.clone(), appeals: true };
    let ground = Arc::new(Ground::lay_with(label, 1.0, pace, bench).await?);
    let parameters = ground.court.parameters().await?;
    let half = |fake| Half {
        odds: odds(&stances(jury, fake), u32::from(parameters.rounds), u32::from(parameters.minJurors)),
        ..Half::default()
    };
    let mut outcome = Outcome {
        name: jury.name.clone(),
        fakes: half(true),
        innocents: half(false),
        rounds: 0,
        honest: Ballots::default(),
        hostile: Ballots::default(),
        unearned: 0,
    };
    let mut trials = JoinSet::new();
    for (fake, body, made) in results(&ground, disputes).await? {
        let ground = ground.clone();
        trials.spawn(async move { anyhow::Ok((fake, dispute(&ground, fake, body, made).await?)) });
    }
    let mut ended = Vec::new();
    while let Some(done) = trials.join_next().await {
        let (fake, (id, end)) = done??;
        let verdicts = if fake { &mut outcome.fakes.verdicts } else { &mut outcome.innocents.verdicts };
        match end {
            Some(end) => verdicts.count(end.outcome, end.fault),
            None => verdicts.missing += 1,
        }
        let rounds = ground.following.docket().get(id).map_or(0, |dispute| dispute.round + 1);
        outcome.rounds += rounds;
        ended.push((id, end));
    }
    for (id, end) in ended {
        if let Some(end) = end {
            // Who does not claim is not paid, which the table shows.
            let paid_out = paid_out(&ground, id, &end, U256::from(parameters.juryFee)).await;
            let _ = paid_out.inspect_err(|error| eprintln!("{}: {error:#}", jury.name));
        }
        outcome.count(&ground, id).await?;
    }
    Ok(outcome)
}

/// How the jurors vote on a fake, or on honest work.
fn stances(jury: &Jury, fake: bool) -> Vec<Stance> {
    let hostile = jury.hostile.iter().map(|hostility| match hostility {
        Hostility::AtRandom => Stance::Coin,
        Hostility::AlwaysGuilty if fake => Stance::Right,
        Hostility::AlwaysGuilty | Hostility::Colludes => Stance::Wrong,
        Hostility::Copies | Hostility::StaysAway => Stance::Silent,
    });
    hostile.chain(std::iter::repeat(Stance::Right)).take(JURORS).collect()
}

/// So many fakes, and as many honest results.
async fn results(ground: &Ground, each: usize) -> Result<Vec<(bool, ImageBody, Forgery)>> {
    let bodies = (0..2 * each).map(|number| body(ground, number)).collect::<Result<Vec<_>>>()?;
    let package = ground.package.clone();
    spawn_blocking(move || {
        let load = |work| Worker::new(&package, work)?.context("this machine has no processor");
        let mut cheats = FAKES.map(Work::Cheat).into_iter().map(load).collect::<Result<Vec<_>>>()?;
        let mut honest = load(Work::Honest(Way::Threads(1)))?;
        let work = |(number, body): (usize, ImageBody)| {
            let fake = number < each;
            let worker = if fake { &mut cheats[number % FAKES.len()] } else { &mut honest };
            let made = worker.work(&body)?;
            anyhow::Ok((fake, body, made))
        };
        bodies.into_iter().enumerate().map(work).collect()
    })
    .await?
}

/// From a result to its verdict; none if this machine was too slow for one.
async fn dispute(ground: &Ground, fake: bool, body: ImageBody, made: Forgery) -> Result<(B256, Option<End>)> {
    let _place = ground.places.acquire().await?;
    let node = ground.bank.own_node(Role::Miner, cai(STAKE)?).await?;
    let delivery = Delivery::new(ground, node.address(), &node, body, made)?;
    delivery.suspect(ground);
    let finding = if fake {
        delivery.check(ground, usize::from(rand::random::<u8>())).await?.context("a fake that no audit finds")?
    } else {
        let last = delivery.receipt.result.message.states;
        let transition = rand::rng().random_range(0..=last);
        let tile = (transition == last).then_some(0);
        Finding { transition, tile, reason: "a false accusation".to_owned() }
    };
    let case = delivery.accuse(ground, node, Conduct::Opens, &finding, 0)?;
    let id = case.id;
    let end = trial::run(ground, case).await.inspect_err(|error| eprintln!("no verdict: {error:#}")).ok();
    Ok((id, end))
}

/// Waits until what is left of a dispute's fee is less than a vote's pay.
async fn paid_out(ground: &Ground, id: B256, end: &End, fee: U256) -> Result<()> {
    let ledger = ground.site.ledger();
    until("the jurors' claims", CLAIMS, async || {
        let claims = ledger.claims(id).await?;
        let claimed: U256 = claims.iter().map(|claim| claim.amount).sum();
        Ok((end.pay_per_vote.is_zero() || fee.saturating_sub(claimed) < end.pay_per_vote).then_some(()))
    })
    .await
}

impl Outcome {
    /// Disputes that ended otherwise than they should.
    pub fn not_right(&self) -> u64 {
        let (fakes, innocents) = (self.fakes.verdicts, self.innocents.verdicts);
        let all = |verdicts: Verdicts| verdicts.convicted() + verdicts.acquitted + verdicts.drawn + verdicts.missing;
        all(fakes) - fakes.jury + all(innocents) - innocents.acquitted
    }

    /// Counts the ballots of a dispute.
    async fn count(&mut self, ground: &Ground, id: B256) -> Result<()> {
        let ledger = ground.site.ledger();
        let (votes, claims) = (ledger.votes(id).await?, ledger.claims(id).await?);
        for vote in &votes {
            let same = |claim: &&IDisputes::Claimed| (claim.operator, claim.round) == (vote.operator, vote.round);
            let claim = claims.iter().find(same);
            let honest = ground.honest.contains(&vote.operator);
            let side = if honest { &mut self.honest } else { &mut self.hostile };
            side.opened += 1;
            side.paid += u64::from(claim.is_some());
            side.earned += claim.map_or(U256::ZERO, |claim| claim.amount);
            let computed = votes.iter().any(|other| {
                let near = other.probe.abs_diff(vote.probe) <= other.probe / U256::from(500);
                other.round == vote.round && ground.honest.contains(&other.operator) && near
            });
            self.unearned += u64::from(!honest && claim.is_some() && !computed);
        }
        Ok(())
    }
}
