//! A result that an audit found false, from the challenge to the slash.

use super::ground::Ground;
use crate::adversary::defence;
use alloy::{
    primitives::{B256, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result, ensure};
use cuckoo_chain::{
    SendError,
    disputes::{Challenge, Dispute, Docket, End, Phase},
};
use cuckoo_protocol::{
    contracts::IDisputes,
    dispute::{Part, open_state},
};
use std::{sync::Arc, time::Duration};

/// In which a dispute must get on.
const PATIENCE: Duration = Duration::from_secs(900);

/// What an accused does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Opens its trace to the audit and on chain.
    Opens,
    /// Opens nothing.
    Refuses,
    /// Opens its trace to the audit, and on chain when the answer window is over.
    AnswersLate,
}

/// What a challenge rests on.
pub struct Case {
    /// The accused's node.
    pub accused: PrivateKeySigner,
    /// What it does.
    pub conduct: Conduct,
    /// Chain seconds after which the challenge is raised: before, the trace may still come.
    pub not_before: u64,
    /// Digest of the result.
    pub result: B256,
    /// Of the dispute.
    pub id: B256,
    /// The accusation.
    pub challenge: Challenge,
    /// The false trace.
    pub states: Vec<Vec<u8>>,
}

/// Has a case tried.
///
/// # Errors
/// If the challenge fails, or the dispute does not end.
pub async fn run(ground: &Ground, case: Case) -> Result<End> {
    while !ground.bank.is_after(case.not_before).await? {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let challenged = ground.court.challenge(&case.challenge).await.context("the challenge");
    ground.work.end(case.result);
    let (id, _) = challenged?;
    ensure!(id == case.id, "the dispute has another id than foreseen");
    match case.conduct {
        Conduct::Refuses => {}
        Conduct::Opens => {
            let dispute = until(ground, "the dispute", |docket| docket.get(id).cloned()).await?;
            ground.work.begin(id, dispute.accusation.answer_until);
            let court = ground.court(&case.accused).await?;
            // On a machine that stands still for longer than the window it comes too late, which the verdict tells.
            if let Err(error) = defence::open(&court, &dispute, &case.states).await {
                eprintln!("an answer failed: {error:#}");
            }
            ground.work.end(id);
        }
        Conduct::AnswersLate => late(ground, &case).await?,
    }
    let disputes = ground.chain.deployment().contracts.disputes;
    loop {
        // Whether there is a verdict, or something is due that anybody may do.
        let news = until(ground, "the next phase", |docket| {
            let dispute = docket.get(id)?;
            match dispute.phase {
                Phase::Ended(end) => Some(Some(end)),
                _ => docket.resolve_from(dispute).is_some_and(|due| due <= docket.timestamp).then_some(None),
            }
        });
        if let Some(end) = news.await? {
            return Ok(end);
        }
        // A juror may be first.
        let _ = ground.bank.send(disputes, &IDisputes::resolveCall { id }).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Answers when the window is over, and sees that refused.
async fn late(ground: &Ground, case: &Case) -> Result<()> {
    let dispute: Dispute = until(ground, "the answer window's end", |docket| {
        docket.get(case.id).filter(|dispute| dispute.accusation.answer_until <= docket.timestamp).cloned()
    })
    .await?;
    let court = ground.court(&case.accused).await?;
    for part in dispute.parts() {
        let Part::State(k) = part else { continue };
        let opened = open_state(&case.states, k).context("the trace has no such state")?;
        match court.answer(case.id, &opened, U256::MAX).await {
            Err(SendError::Refused(_) | SendError::Reverted { .. }) => {}
            outcome => anyhow::bail!("a late answer was not refused: {outcome:?}"),
        }
    }
    Ok(())
}

async fn until<T>(ground: &Ground, what: &str, so: impl Fn(&Arc<Docket>) -> Option<T>) -> Result<T> {
    let mut dockets = ground.following.subscribe();
    let wait = async {
        loop {
            let docket = dockets.borrow_and_update().clone();
            if let Some(found) = so(&docket) {
                return Ok(found);
            }
            dockets.changed().await.context("the disputes are no longer followed")?;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("waited in vain for {what}"))?
}
