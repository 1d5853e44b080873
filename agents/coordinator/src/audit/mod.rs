//! Audits: some results are paid only after their whole trace was run again. See docs/architecture.md.

mod check;
mod checker;
mod coin;
mod exposure;
pub mod remote;
mod rules;

pub use check::{Evidence, Finding, examine, tiles};
pub use checker::{CheckError, Checker};
pub use coin::Coin;
pub use exposure::{Exposure, cap};
pub use rules::{Rules, follow};

use crate::{
    coordinator::Coordinator,
    output,
    store::{AuditRecord, AuditState},
};
use anyhow::{Context, Result};
use cuckoo_protocol::{request::Request, trace::unpack};
use rand::RngExt;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often deadlines are looked at when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// After a start nobody is late for so long, or half of the challenge window: miners could not upload while this agent was down.
const GRACE: Duration = Duration::from_secs(60);

/// Checks what is audited until `shutdown`. What is not checked by then goes on after the next start.
pub async fn run(coordinator: &Coordinator, checker: &Checker, shutdown: CancellationToken) {
    let started = Instant::now();
    while !shutdown.is_cancelled() {
        let round = async {
            refuse_late_when_due(coordinator, started).await?;
            for audit in coordinator.store.audits(AuditState::Opened).await? {
                settle(coordinator, checker, &audit).await?;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            outcome = round => if let Err(error) = outcome {
                tracing::error!(error = format!("{error:#}"), "audits stumbled, trying again");
            },
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = coordinator.opened.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Nobody is late for a while after a start.
async fn refuse_late_when_due(coordinator: &Coordinator, started: Instant) -> Result<()> {
    let grace = GRACE.min(Duration::from_secs(coordinator.rules.challenge_window / 2));
    if started.elapsed() >= grace { refuse_late(coordinator).await } else { Ok(()) }
}

/// Whoever does not open its trace in time is not paid, and challenged at a transition that it cannot foresee.
async fn refuse_late(coordinator: &Coordinator) -> Result<()> {
    let now = coordinator.now();
    for audit in coordinator.store.audits(AuditState::Asked).await? {
        if audit.deadline >= now {
            continue;
        }
        let states = states(coordinator, &audit).await?;
        let transition = rand::rng().random_range(0..states.max(1));
        let reason = "the trace was not opened in time".to_owned();
        fail(coordinator, &audit, AuditState::Refused, Finding { transition, tile: None, reason }).await?;
    }
    Ok(())
}

async fn states(coordinator: &Coordinator, audit: &AuditRecord) -> Result<u32> {
    let lease = coordinator.store.lease(&audit.lease, coordinator.operator).await?.context("an audit has no lease")?;
    let task = coordinator.store.task(&lease.task).await?.context("a lease has no task")?;
    Ok(Request::decode(&task.request)?.states)
}

/// Checks one opened trace, and pays or challenges.
async fn settle(coordinator: &Coordinator, checker: &Checker, audit: &AuditRecord) -> Result<()> {
    let begun = Instant::now();
    let outcome = match evidence(coordinator, audit).await {
        Ok((model_id, evidence)) => checker.check(model_id, evidence).await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    metrics::histogram!("cuckoo_audit_seconds").record(begun.elapsed().as_secs_f64());
    match outcome {
        Ok(None) => pass(coordinator, audit, AuditState::Passed).await,
        Ok(Some(finding)) => fail(coordinator, audit, AuditState::Missed, finding).await,
        Err(error) if matches!(error.downcast_ref(), Some(CheckError::Dead)) => Err(error),
        Err(error) => {
            // Not the miner's fault.
            tracing::error!(
                lease = audit.lease,
                error = format!("{error:#}"),
                "a result could not be checked: it is paid"
            );
            pass(coordinator, audit, AuditState::Waived).await
        }
    }
}

/// All that is needed to run a result again.
async fn evidence(coordinator: &Coordinator, audit: &AuditRecord) -> Result<(alloy::primitives::B256, Evidence)> {
    let store = &coordinator.store;
    let lease = store.lease(&audit.lease, coordinator.operator).await?.context("an audit has no lease")?;
    let task = store.task(&lease.task).await?.context("a lease has no task")?;
    let request = Request::decode(&task.request)?;
    let (body, blob) = (request.body()?, store.blob(request.blob_root).await?);
    let packed = tokio::fs::read(store.trace_path(&audit.lease)).await.context("the trace is gone")?;
    let states = unpack(&packed).context("the trace on disk is damaged")?;
    let file = tokio::fs::read(store.output_path(&audit.lease)).await.context("the output is gone")?;
    let output = output::read(&body, &file).map_err(anyhow::Error::msg)?;
    Ok((task.model_id, Evidence { body, blob, states, output }))
}

async fn pass(coordinator: &Coordinator, audit: &AuditRecord, state: AuditState) -> Result<()> {
    if coordinator.store.pass_audit(&audit.lease, state).await? {
        tracing::info!(lease = audit.lease, miner = %audit.miner, "audit {}", state.as_str());
        ended(coordinator, audit, state).await;
        coordinator.store.drop_trace(&audit.lease).await;
    }
    Ok(())
}

async fn fail(coordinator: &Coordinator, audit: &AuditRecord, state: AuditState, finding: Finding) -> Result<()> {
    if coordinator.store.fail_audit(audit, state, &finding).await? {
        let (transition, reason) = (finding.transition, &finding.reason);
        tracing::warn!(lease = audit.lease, miner = %audit.miner, transition, reason, "audit {}: not paid", state.as_str());
        coordinator.suspects().insert(audit.miner);
        ended(coordinator, audit, state).await;
        coordinator.accusing.notify_one();
    }
    Ok(())
}

async fn ended(coordinator: &Coordinator, audit: &AuditRecord, state: AuditState) {
    metrics::counter!("cuckoo_audits_total", "outcome" => state.as_str()).increment(1);
    coordinator.exposure().free(audit.miner, &audit.lease);
    coordinator.wake();
}
