//! Having a miner check, mixing in work whose answer is known, and paying for it.

use super::{
    Known,
    board::Reply,
    known::Proof,
    subject::{Subject, read_answer},
};
use crate::{audit::Finding, coordinator::Coordinator};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result};
use axum::body::Bytes;
use cuckoo_inference::Successors;
use cuckoo_protocol::{
    amount::format_cai,
    draw::{Candidate, draw},
    link::Check,
    trace::pack,
};
use rand::RngExt;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Share of checks whose answer is known; of miners that have proven nothing yet more.
const KNOWN_SHARE: f64 = 0.2;
/// A check is asked for within this part of the time that is left for a challenge, so that others may follow.
const PART: u64 = 4;
/// Seconds for one check, at least and at most.
const SECONDS: (u64, u64) = (5, 600);
/// Between looks for a miner that is free.
const TICK: Duration = Duration::from_millis(500);

/// What a checker says, and what that means.
pub(super) struct Answer {
    pub(super) miner: Address,
    pub(super) finding: Option<Finding>,
    pub(super) led: Successors,
    id: String,
    price: U256,
}

/// What becomes of a check.
pub(super) struct Paper {
    id: String,
    miner: Address,
    price: U256,
    known: bool,
    wrong: bool,
}

impl Answer {
    pub(super) fn paper(&self, wrong: bool) -> Paper {
        Paper { id: self.id.clone(), miner: self.miner, price: self.price, known: false, wrong }
    }
}

/// Has a miner that is none of `seen` say what the states of a trace lead to. None if nobody did in time.
pub(super) async fn ask(coordinator: &Coordinator, subject: &Arc<Subject>, seen: &[Address]) -> Result<Option<Answer>> {
    let last = subject.expiry.saturating_add(coordinator.rules.challenge_window);
    let left = last.saturating_sub(coordinator.now()) / PART;
    let until = Instant::now() + Duration::from_secs(left.clamp(SECONDS.0, SECONDS.1));
    let mut seen = seen.to_vec();
    while let Some(miner) = find(coordinator, subject, &seen, until).await {
        let proven = coordinator.checks.proven(miner);
        if rand::rng().random_bool(KNOWN_SHARE.max(1.0 / (proven as f64 + 1.0)))
            && let Some(known) = take_known(coordinator, miner)
        {
            if !prove(coordinator, miner, &known, until).await? {
                seen.push(miner);
            }
            continue;
        }
        let asked = give(coordinator, miner, subject, &subject.states, until).await;
        let Some((id, packed)) = asked else {
            seen.push(miner);
            continue;
        };
        let judged = {
            let subject = subject.clone();
            tokio::task::spawn_blocking(move || {
                let led = read_answer(&subject.body, subject.states.len(), &packed)?;
                Some((subject.judge(&led)?, led))
            })
        };
        let price = subject.price;
        match judged.await.context("an answer could not be compared")? {
            Some((finding, led)) => return Ok(Some(Answer { miner, finding, led, id, price })),
            None => {
                count("malformed");
                tracing::warn!(%miner, check = id, "the answer of a checker is none: it is not paid, and another is asked");
                seen.push(miner);
            }
        }
    }
    Ok(None)
}

/// A miner as `pick` draws one, as soon as one is free. None if none was by then.
async fn find(coordinator: &Coordinator, subject: &Subject, seen: &[Address], until: Instant) -> Option<Address> {
    while Instant::now() < until {
        if let Some(miner) = pick(coordinator, subject, seen) {
            return Some(miner);
        }
        tokio::time::sleep(TICK).await;
    }
    None
}

/// A free miner that runs the model for that price, drawn by weight.
fn pick(coordinator: &Coordinator, subject: &Subject, seen: &[Address]) -> Option<Address> {
    let suspects = coordinator.suspects().clone();
    let free = coordinator.checks.board.free();
    let able = |miner: &Address| {
        !seen.contains(miner)
            && !suspects.contains(miner)
            && !coordinator.checks.is_distrusted(*miner)
            && coordinator.dispatch().runs(*miner, subject.model_id, subject.unit_price)
    };
    let candidate = |miner| Candidate { miner, weight: coordinator.weight(miner) };
    let mut candidates: Vec<Candidate> = free.into_iter().filter(able).map(candidate).collect();
    draw(B256::from(rand::random::<[u8; 32]>()), 0, &mut candidates)
}

fn take_known(coordinator: &Coordinator, miner: Address) -> Option<Arc<Known>> {
    coordinator
        .checks
        .stock
        .take(miner, |subject| coordinator.dispatch().runs(miner, subject.model_id, subject.unit_price))
}

/// Gives a check to a miner and waits for its answer; the check's id and the packed answer. None if it declined or was late.
async fn give(
    coordinator: &Coordinator,
    miner: Address,
    subject: &Subject,
    states: &[Vec<u8>],
    until: Instant,
) -> Option<(String, Bytes)> {
    let id = uuid::Uuid::now_v7().to_string();
    let left = until.saturating_duration_since(Instant::now());
    let check = Check {
        id: id.clone(),
        request: subject.request.clone().into(),
        price: subject.price,
        deadline: coordinator.now() + left.as_secs(),
    };
    let reply = coordinator.checks.board.give(miner, check, pack(states).into())?;
    tracing::info!(%miner, check = id, "check given");
    let outcome = tokio::time::timeout(left, reply).await;
    coordinator.checks.board.take_back(&id);
    match outcome {
        Ok(Ok(Reply::Answer(packed))) => Some((id, packed)),
        Ok(_) => {
            count("declined");
            None
        }
        Err(_) => {
            count("late");
            tracing::info!(%miner, check = id, "a check was not made in time");
            None
        }
    }
}

/// Gives known work to a miner. False if it did not answer, or is not to be asked again now.
async fn prove(coordinator: &Coordinator, miner: Address, known: &Arc<Known>, until: Instant) -> Result<bool> {
    let Some((paper, proof)) = known_answer(coordinator, miner, known, until).await? else { return Ok(false) };
    let paper = match proof {
        Proof::Right => paper,
        Proof::Echo => Paper { wrong: true, ..paper },
        // One of both is wrong: the checker, or what is believed to be known.
        Proof::Other => match second_opinion(coordinator, miner, known, until).await? {
            Some(Proof::Right) => Paper { wrong: true, ..paper },
            _ => {
                coordinator.checks.stock.remove(known);
                tracing::warn!(%miner, "what was believed to be known of a trace is in doubt: it is dropped");
                Paper { known: false, ..paper }
            }
        },
    };
    let right = !paper.wrong;
    settle_check(coordinator, &paper).await?;
    Ok(right)
}

/// What the answer of another miner, which computed it, to known work shows; it is paid for it. None if nobody did in half of the time:
/// the other half is left for what was to be checked.
async fn second_opinion(
    coordinator: &Coordinator,
    miner: Address,
    known: &Arc<Known>,
    until: Instant,
) -> Result<Option<Proof>> {
    let until = Instant::now() + until.saturating_duration_since(Instant::now()) / 2;
    let mut seen = vec![miner, known.subject.miner];
    while let Some(other) = find(coordinator, &known.subject, &seen, until).await {
        seen.push(other);
        let Some((paper, proof)) = known_answer(coordinator, other, known, until).await? else { continue };
        let paper = Paper { known: proof == Proof::Right, wrong: proof == Proof::Echo, ..paper };
        settle_check(coordinator, &paper).await?;
        if !paper.wrong {
            return Ok(Some(proof));
        }
    }
    Ok(None)
}

async fn known_answer(
    coordinator: &Coordinator,
    miner: Address,
    known: &Arc<Known>,
    until: Instant,
) -> Result<Option<(Paper, Proof)>> {
    let Some((id, packed)) = give(coordinator, miner, &known.subject, &known.shown, until).await else {
        return Ok(None);
    };
    let proof = {
        let known = known.clone();
        tokio::task::spawn_blocking(move || known.prove(&read_answer(&known.subject.body, known.shown.len(), &packed)?))
    };
    let Some(proof) = proof.await.context("an answer could not be compared")? else {
        count("malformed");
        return Ok(None);
    };
    let price = known.subject.price;
    Ok(Some((Paper { id, miner, price, known: true, wrong: false }, proof)))
}

/// Pays a check, or distrusts its miner from now on.
pub(super) async fn settle_check(coordinator: &Coordinator, paper: &Paper) -> Result<()> {
    let Paper { ref id, miner, price, known, wrong } = *paper;
    if !coordinator.store.settle_check(id, miner, price, known, wrong).await? {
        return Ok(());
    }
    {
        let mut records = coordinator.checks.records();
        let record = records.entry(miner).or_insert(crate::store::CheckerRecord { miner, proven: 0, wrong: false });
        record.wrong |= wrong;
        record.proven += u64::from(known && !wrong);
    }
    if wrong {
        count(if known { "wrong_known" } else { "wrong" });
        tracing::warn!(%miner, check = id, known, "a checker was wrong: it is not paid, and asked no more");
    } else {
        count(if known { "right_known" } else { "right" });
        tracing::info!(%miner, check = id, pay = format_cai(price), "check paid");
        coordinator.checks.board.note_paid(miner);
    }
    Ok(())
}

fn count(outcome: &'static str) {
    metrics::counter!("cuckoo_checks_total", "outcome" => outcome).increment(1);
}
