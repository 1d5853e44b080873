//! Claims, signs of life, and results.

use super::Session;
use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
    session::Identity,
    store::{Accepted, LeaseRecord, Over},
};
use alloy::primitives::{B256, Bytes};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::{
    body::Body as RequestBody,
    contracts::Result as TaskResult,
    link::{BUSY, ClaimAnswer, ClaimRequest, Decline, LeaseEvent, PARK_SECONDS, ResultAnswer, ResultSubmission},
    message::Signed,
    request::Request,
    trace::{bytes_hash, output_hash},
};
use std::{
    io::Cursor,
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
    let cumulative = match coordinator.store.accept(&lease, &submission.result).await? {
        Accepted::Paid(cumulative) => {
            tracing::info!(task = lease.task, %miner, "result accepted");
            metrics::counter!("cuckoo_tasks_done_total").increment(1);
            coordinator.dispatch().finish_lease(&id, Instant::now());
            coordinator.announce_end(&lease.task);
            coordinator.wake();
            cumulative
        }
        Accepted::Again(cumulative) => cumulative,
        Accepted::TooLate => {
            coordinator.dispatch().finish_lease(&id, Instant::now());
            coordinator.store.drop_output(&id).await;
            return Err(lease_over());
        }
    };
    Ok(Json(ResultAnswer { voucher: coordinator.voucher(miner, cumulative)? }))
}

/// The lease, if it is the caller's.
async fn own_lease(coordinator: &Coordinator, identity: Identity, id: &str) -> Result<LeaseRecord, ApiError> {
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
    let checked = tokio::task::spawn_blocking(move || check_output(&body, &output, committed)).await;
    match checked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(message)) => unprocessable("output_mismatch", message),
        Err(_) => unprocessable("output_mismatch", "the output cannot be read".to_owned()),
    }
}

/// Whether `output` is what `body` asks for and what the result commits to.
fn check_output(body: &RequestBody, output: &[u8], committed: B256) -> Result<(), String> {
    let hash = match body {
        RequestBody::Image(body) => picture_hash(output, body.width, body.height)?,
        RequestBody::Embedding(body) => vectors_hash(output, body.input.len(), body.dimensions)?,
    };
    match hash {
        Some(hash) if hash == committed => Ok(()),
        Some(hash) => Err(format!("the output hashes to {hash}, the result commits to {committed}")),
        None => Err("the output is empty".to_owned()),
    }
}

/// The hash of vectors: so many, of so many numbers each, all finite.
fn vectors_hash(bytes: &[u8], count: usize, dimensions: u32) -> Result<Option<B256>, String> {
    let wanted = count * dimensions as usize;
    let (values, rest) = bytes.as_chunks::<4>();
    if values.len() != wanted || !rest.is_empty() {
        return Err(format!("the output has {} bytes, not those of {wanted} f32", bytes.len()));
    }
    if !values.iter().all(|value| f32::from_le_bytes(*value).is_finite()) {
        return Err("the output holds numbers that are not finite".to_owned());
    }
    Ok(bytes_hash(bytes))
}

/// The hash of the picture in a PNG.
fn picture_hash(png: &[u8], width: u32, height: u32) -> Result<Option<B256>, String> {
    let mut reader = image::ImageReader::with_format(Cursor::new(png), image::ImageFormat::Png);
    // A small file may claim a huge picture.
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(width);
    limits.max_image_height = Some(height);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| format!("the output is no PNG of {width}x{height}: {e}"))?;
    if (picture.width(), picture.height()) != (width, height) {
        return Err(format!("the output is {}x{}, not {width}x{height}", picture.width(), picture.height()));
    }
    let image::DynamicImage::ImageRgb8(picture) = picture else {
        return Err("the output must be 8-bit RGB without alpha".to_owned());
    };
    Ok(output_hash(width, height, &picture))
}

fn lease_over() -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        "lease_over",
        "the lease is over: the task was finished, cancelled or given to another",
    )
}
