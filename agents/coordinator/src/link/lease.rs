//! Claims, signs of life, and results.

use super::Session;
use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
    link::audit::answer,
    output,
    session::Identity,
    store::{Accepted, LeaseRecord, Over, Unaudited},
};
use alloy::primitives::Bytes;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::{
    contracts::Result as TaskResult,
    link::{BUSY, ClaimAnswer, ClaimRequest, Decline, LeaseEvent, PARK_SECONDS, ResultAnswer, ResultSubmission},
    message::Signed,
    request::Request,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) async fn claim(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Body(ClaimRequest {}): Body<ClaimRequest>,
) -> Result<Json<ClaimAnswer>, ApiError> {
    let parked = coordinator.dispatch().park(identity, Instant::now());
    let Some(mut parked) = parked else {
        let message = "this session is not known since the coordinator restarted: log in again";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", message));
    };
    coordinator.wake();
    let lease = match tokio::time::timeout(Duration::from_secs(PARK_SECONDS), &mut parked).await {
        Ok(lease) => lease.ok(),
        Err(_) => {
            // Closing first means that a lease sent in this very moment is received here, and none later.
            parked.close();
            parked.try_recv().ok()
        }
    };
    Ok(Json(match lease {
        Some(lease) => ClaimAnswer::Lease(Box::new(lease)),
        None => ClaimAnswer::Skipped(coordinator.dispatch().skipped(identity.miner)),
    }))
}

pub(super) async fn blob(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
) -> Result<Vec<u8>, ApiError> {
    let lease = own_lease(&coordinator, identity, &id).await?;
    let task = coordinator.store.task(&lease.task).await?.ok_or_else(|| ApiError::not_found("task", &lease.task))?;
    match Request::decode(&task.request) {
        Ok(request) if !request.blob_root.is_zero() => Ok(coordinator.store.blob(request.blob_root).await?),
        _ => Err(ApiError::not_found("input picture for the lease", &id)),
    }
}

pub(super) async fn event(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    Body(event): Body<LeaseEvent>,
) -> Result<StatusCode, ApiError> {
    let lease = own_lease(&coordinator, identity, &id).await?;
    if coordinator.now() > lease.offer.message.expiry || !coordinator.dispatch().beat(&id, Instant::now()) {
        return Err(lease_over());
    }
    tracing::debug!(lease = id, step = event.step, steps = event.steps, "progress");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn decline(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    Body(decline): Body<Decline>,
) -> Result<StatusCode, ApiError> {
    own_lease(&coordinator, identity, &id).await?;
    let active = coordinator.dispatch().finish_lease(&id, Instant::now()).ok_or_else(lease_over)?;
    let reason: String = decline.reason.chars().take(200).collect();
    tracing::info!(lease = id, miner = %identity.miner, reason, "lease declined");
    let over = if reason == BUSY { Over::Busy } else { Over::Declined };
    if over == Over::Busy {
        coordinator.dispatch().rest(identity.miner, Instant::now());
    }
    coordinator.give_back(&id, active.task, identity.miner, over).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn result(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    Body(submission): Body<ResultSubmission>,
) -> Result<Json<ResultAnswer>, ApiError> {
    let lease = own_lease(&coordinator, identity, &id).await?;
    let output = Bytes::from(submission.output);
    check(&coordinator, &lease, &submission.result, output.clone()).await?;
    let miner = lease.offer.message.miner;

    // On disk before the row that points at it.
    coordinator.store.write_output(&id, output).await?;
    let audit = audit(&coordinator, &lease, &submission.result).await?;
    match coordinator.store.accept(&lease, &submission.result, audit).await? {
        Accepted::Paid(_) | Accepted::Audited => {
            tracing::info!(task = lease.task, %miner, "result accepted");
            metrics::counter!("cuckoo_tasks_done_total").increment(1);
            let offer = &lease.offer.message;
            let (price, expiry) = (offer.price, offer.expiry);
            coordinator.exposure().add(Unaudited { lease: id.clone(), miner, price, expiry });
            coordinator.dispatch().finish_lease(&id, Instant::now());
            coordinator.announce_end(&lease.task);
            coordinator.wake();
        }
        Accepted::Again(_) => {}
        Accepted::TooLate => {
            coordinator.dispatch().finish_lease(&id, Instant::now());
            coordinator.store.drop_output(&id).await;
            return Err(lease_over());
        }
    }
    Ok(Json(answer(&coordinator, &lease).await?))
}

/// Until when the trace of a result is due, if the coin says that it is audited.
async fn audit(
    coordinator: &Coordinator,
    lease: &LeaseRecord,
    result: &Signed<TaskResult>,
) -> Result<Option<u64>, ApiError> {
    let offer = &lease.offer.message;
    let passed = coordinator.store.passed_audits(offer.miner).await?;
    let falls = coordinator.coin.falls(coordinator.chain.domain().digest(&result.message), passed);
    Ok(falls.then(|| coordinator.rules.audit_deadline(coordinator.now(), offer.expiry)))
}

/// The lease, if it is the caller's.
pub(super) async fn own_lease(
    coordinator: &Coordinator,
    identity: Identity,
    id: &str,
) -> Result<LeaseRecord, ApiError> {
    let lease = coordinator.store.lease(id, coordinator.operator).await?;
    let lease = lease.ok_or_else(|| ApiError::not_found("lease", id))?;
    if lease.offer.message.miner != identity.miner {
        let message = format!("lease {id} is another miner's");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not_your_lease", message));
    }
    Ok(lease)
}

/// Everything about a result that can be checked without running the model. A refusal leaves the lease as it was.
async fn check(
    coordinator: &Coordinator,
    lease: &LeaseRecord,
    signed: &Signed<TaskResult>,
    output: Bytes,
) -> Result<(), ApiError> {
    let unprocessable = |code, message| Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message));
    let result = &signed.message;
    if result.offerHash != lease.offer_hash {
        let message = format!(
            "the result is for the offer {}, this lease's offer is {}: a result serves one offer only",
            result.offerHash, lease.offer_hash
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "offer_mismatch", message));
    }
    if coordinator.now() > lease.offer.message.expiry {
        return Err(lease_over());
    }
    let task = coordinator.store.task(&lease.task).await?.ok_or_else(|| ApiError::not_found("task", &lease.task))?;
    let request = Request::decode(&task.request).and_then(|request| Ok((request.states, request.body()?)));
    let Ok((states, body)) = request else {
        return unprocessable("malformed_request", "the stored request cannot be read".to_owned());
    };
    if result.states != states {
        return unprocessable(
            "states_mismatch",
            format!("the request asks for {states} states, not {}", result.states),
        );
    }
    signed.verify(coordinator.chain.domain(), lease.node).map_err(|error| {
        let message = format!("the result must be signed by the node that took the lease: {error}");
        ApiError::new(StatusCode::UNAUTHORIZED, "wrong_signer", message)
    })?;

    let committed = result.outputHash;
    let checked = tokio::task::spawn_blocking(move || output::check(&body, &output, committed)).await;
    match checked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(message)) => unprocessable("output_mismatch", message),
        Err(_) => unprocessable("output_mismatch", "the output cannot be read".to_owned()),
    }
}

fn lease_over() -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        "lease_over",
        "the lease is over: the task was finished, cancelled or given to another",
    )
}
