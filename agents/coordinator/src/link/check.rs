//! Checks for miners of other operators than the audited one. See [`crate::audit::remote`].

use super::Session;
use crate::{
    audit::remote::Reply,
    config::AuditBy,
    coordinator::Coordinator,
    error::{ApiError, Body},
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::link::{CheckAnswer, ClaimRequest, Decline, NOT_TRUSTED};
use std::sync::Arc;

pub(super) async fn claim(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Body(ClaimRequest {}): Body<ClaimRequest>,
) -> Result<Json<CheckAnswer>, ApiError> {
    if coordinator.config.audit_by != AuditBy::Miners || coordinator.config.audit_rate == 0.0 {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_checks", "this coordinator gives no checks to miners"));
    }
    let (checks, miner) = (&coordinator.checks, identity.miner);
    // Taken before the channel is read, so that no pay is left untold.
    let voucher = match checks.board.take_paid(miner) {
        true => {
            let (cumulative, _) = coordinator.store.channel(miner).await?;
            Some(coordinator.voucher(miner, cumulative)?)
        }
        false => None,
    };
    if voucher.is_none() && checks.is_distrusted(miner) {
        let message = "a check of this miner's was wrong: it is asked for no more";
        return Err(ApiError::new(StatusCode::FORBIDDEN, NOT_TRUSTED, message));
    }
    Ok(Json(CheckAnswer { voucher, check: checks.board.ask(miner) }))
}

pub(super) async fn states(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
) -> Result<Bytes, ApiError> {
    coordinator.checks.board.states(&id, identity.miner).ok_or_else(check_over)
}

pub(super) async fn answer(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    packed: Bytes,
) -> Result<StatusCode, ApiError> {
    reply(&coordinator, &id, identity.miner, Reply::Answer(packed))
}

pub(super) async fn decline(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    Body(decline): Body<Decline>,
) -> Result<StatusCode, ApiError> {
    let reason: String = decline.reason.chars().take(200).collect();
    tracing::info!(check = id, miner = %identity.miner, reason, "check declined");
    reply(&coordinator, &id, identity.miner, Reply::Declined)
}

fn reply(
    coordinator: &Coordinator,
    id: &str,
    miner: alloy::primitives::Address,
    reply: Reply,
) -> Result<StatusCode, ApiError> {
    if coordinator.checks.board.reply(id, miner, reply) { Ok(StatusCode::NO_CONTENT) } else { Err(check_over()) }
}

fn check_over() -> ApiError {
    ApiError::new(StatusCode::GONE, "check_over", "the check is over, or another miner's")
}
