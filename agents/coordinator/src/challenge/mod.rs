//! Challenges: what an audit found false is disputed on chain, and followed to its end, without a human step.
//!
//! The store says what is to be challenged, the chain what has been: after a crash the dispute's id, which depends on the result and the
//! transition alone, tells whether the challenge got through. A reorganisation may take back whatever is not final: a challenge that is gone
//! is raised again, and a dispute has ended only when its end is final.

pub mod command;
mod evidence;
mod raise;

pub use evidence::accusation;

use crate::{
    coordinator::Coordinator,
    store::{ChallengeRecord, ChallengeState},
};
use alloy::primitives::{B256, U256};
use anyhow::{Context, Result};
use cuckoo_chain::{Chain, SendError, beacon::Beacon, disputes::Court};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::IDisputes::{self, Phase},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Noted of a challenge that was on chain, and is not any more.
const TAKEN_BACK: &str = "a reorganisation took the challenge back";

/// Raises and follows challenges until `shutdown`.
pub async fn run(coordinator: &Coordinator, court: &Court, shutdown: CancellationToken) {
    let period: Duration = coordinator.chain.timing().poll * 2;
    while !shutdown.is_cancelled() {
        match coordinator.store.open_challenges().await {
            Ok(open) => {
                metrics::gauge!("cuckoo_challenges_open").set(open.len() as f64);
                for challenge in open {
                    let lease = challenge.lease.clone();
                    if let Err(error) = advance(coordinator, court, challenge).await {
                        tracing::warn!(
                            lease,
                            error = format!("{error:#}"),
                            "a challenge does not get on, trying again"
                        );
                    }
                }
            }
            Err(error) => tracing::error!(%error, "challenges cannot be read, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = coordinator.accusing.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Brings what draws the juries of this coordinator's challenges until `shutdown`: beside the challenges, so that slow mirrors hold
/// none of them up.
pub async fn bring_beacons(coordinator: &Coordinator, court: &Court, shutdown: CancellationToken) {
    let period: Duration = coordinator.chain.timing().poll * 2;
    while !shutdown.is_cancelled() {
        // What cannot be read the other loop tells of.
        for challenge in coordinator.store.open_challenges().await.unwrap_or_default() {
            let Some(id) = challenge.dispute else { continue };
            match bring_beacon(&coordinator.chain, court, id).await {
                Ok(Beacon::Brought) => metrics::counter!("cuckoo_beacons_total", "what" => "brought").increment(1),
                Ok(Beacon::Known | Beacon::Awaited) => {}
                Err(error) => {
                    metrics::counter!("cuckoo_beacons_total", "what" => "missed").increment(1);
                    tracing::warn!(dispute = %id, error = format!("{error:#}"), "no beacon for a jury yet, trying again");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// One try to have the beacon that a dispute waits for. Whoever accuses goes first, and leaves the others their gas.
async fn bring_beacon(chain: &Chain, court: &Court, id: B256) -> Result<Beacon> {
    let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
    match disputes.dispute(id).call().await {
        Ok(dispute) if dispute.phase == Phase::Seed => Ok(court.bring_beacon(dispute.beacon, Duration::ZERO).await?),
        Ok(_) => Ok(Beacon::Awaited),
        // A reorganisation took the challenge back.
        Err(error) if error.as_decoded_error::<IDisputes::UnknownDispute>().is_some() => Ok(Beacon::Awaited),
        Err(error) => Err(error).context("cannot read a dispute"),
    }
}

async fn advance(coordinator: &Coordinator, court: &Court, challenge: ChallengeRecord) -> Result<()> {
    match challenge.dispute {
        Some(id) => follow(coordinator, court, challenge, id).await,
        None => raise::raise(coordinator, court, challenge).await,
    }
}

/// Looks at a dispute, brings it on if that is due, and stores its end.
async fn follow(coordinator: &Coordinator, court: &Court, mut challenge: ChallengeRecord, id: B256) -> Result<()> {
    match bring_on(&coordinator.chain, court, id).await? {
        Some(ChallengeState::Open) => return Ok(()),
        Some(ended) => challenge.state = ended,
        None => {
            tracing::warn!(dispute = %id, miner = %challenge.miner, "{TAKEN_BACK}: raising it again");
            (challenge.dispute, challenge.state) = (None, ChallengeState::Due);
            challenge.note = Some(TAKEN_BACK.to_owned());
            return Ok(coordinator.store.update_challenge(&challenge).await?);
        }
    }
    let to_challenger = match court.end(id).await? {
        Some(end) => {
            challenge.slashed = Some(end.slashed);
            end.toChallenger
        }
        None => U256::ZERO,
    };
    let slashed = challenge.slashed.unwrap_or_default();
    tracing::warn!(
        dispute = %id,
        miner = %challenge.miner,
        slashed = format_cai(slashed),
        got = format_cai(to_challenger),
        "dispute {}",
        challenge.state.as_str()
    );
    end(coordinator, &challenge).await
}

/// Where a dispute stands, none if there is no such dispute; resolves it if that is due. It is open until its end is final.
async fn bring_on(chain: &Chain, court: &Court, id: B256) -> Result<Option<ChallengeState>> {
    let Some(phase) = phase(chain, id).await? else { return Ok(None) };
    if matches!(phase, Phase::Convicted | Phase::Acquitted | Phase::Drawn) {
        return Ok(Some(match court.final_outcome(id).await? {
            Some(Phase::Convicted) => ChallengeState::Convicted,
            Some(Phase::Acquitted) => ChallengeState::Acquitted,
            Some(_) => ChallengeState::Drawn,
            None => ChallengeState::Open,
        }));
    }
    let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
    // Whether anything is due the contract knows best.
    let due = disputes.resolve(id).from(court.address()).call().await.is_ok();
    if due {
        match court.resolve(id).await {
            Ok(()) => {}
            // Anybody may be first.
            Err(error @ (SendError::Refused(_) | SendError::Reverted { .. })) => {
                tracing::debug!(dispute = %id, %error, "resolving came to nothing");
            }
            Err(error) => return Err(error).context("cannot resolve a dispute"),
        }
    }
    Ok(Some(ChallengeState::Open))
}

async fn phase(chain: &Chain, id: B256) -> Result<Option<Phase>> {
    let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
    match disputes.dispute(id).call().await {
        Ok(dispute) => Ok(Some(dispute.phase)),
        Err(error) if error.as_decoded_error::<IDisputes::UnknownDispute>().is_some() => Ok(None),
        Err(error) => Err(error).context("cannot read a dispute"),
    }
}

/// Stores how a challenge ended.
async fn end(coordinator: &Coordinator, challenge: &ChallengeRecord) -> Result<()> {
    coordinator.store.update_challenge(challenge).await?;
    metrics::counter!("cuckoo_challenges_total", "outcome" => challenge.state.as_str()).increment(1);
    coordinator.store.drop_trace(&challenge.lease).await;
    let open = coordinator.store.open_challenges().await?;
    if open.iter().all(|other| other.miner != challenge.miner) {
        coordinator.suspects().remove(&challenge.miner);
        coordinator.wake();
    }
    Ok(())
}
