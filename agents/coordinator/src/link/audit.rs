//! Pay, and the traces of results that are audited first.

use super::{Session, lease::own_lease};
use crate::{
    coordinator::Coordinator,
    error::ApiError,
    store::{AuditState, LeaseRecord},
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::{
    link::{AuditNotice, NOT_PAID, ResultAnswer},
    trace::{trace_root, unpack},
};
use std::sync::Arc;

pub(super) async fn pay(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
) -> Result<Json<ResultAnswer>, ApiError> {
    let lease = own_lease(&coordinator, identity, &id).await?;
    if coordinator.store.result(&lease).await?.is_none() {
        return Err(ApiError::not_found("accepted result of lease", &id));
    }
    Ok(Json(answer(&coordinator, &lease).await?))
}

/// What an accepted result earns.
pub(super) async fn answer(coordinator: &Coordinator, lease: &LeaseRecord) -> Result<ResultAnswer, ApiError> {
    let miner = lease.offer.message.miner;
    match coordinator.store.audit(&lease.id).await? {
        Some(audit) if matches!(audit.state, AuditState::Asked | AuditState::Opened) => {
            let received = audit.state == AuditState::Opened;
            Ok(ResultAnswer::Audit(AuditNotice { deadline: audit.deadline, received }))
        }
        Some(audit) if matches!(audit.state, AuditState::Missed | AuditState::Refused) => {
            let challenge = coordinator.store.challenge(&lease.id).await?;
            let why = challenge.map_or_else(String::new, |challenge| challenge.finding.reason);
            let message = format!("the audit of this result went wrong: {why}");
            Err(ApiError::new(StatusCode::CONFLICT, NOT_PAID, message))
        }
        _ => {
            let (cumulative, _) = coordinator.store.channel(miner).await?;
            Ok(ResultAnswer::Voucher(coordinator.voucher(miner, cumulative)?))
        }
    }
}

pub(super) async fn trace(
    State(coordinator): State<Arc<Coordinator>>,
    Session(identity): Session,
    Path(id): Path<String>,
    packed: Bytes,
) -> Result<Json<ResultAnswer>, ApiError> {
    let lease = own_lease(&coordinator, identity, &id).await?;
    let audit = coordinator.store.audit(&id).await?;
    if audit.is_none_or(|audit| audit.state != AuditState::Asked) {
        // It is here already, or nobody asks for it (any more).
        return Ok(Json(answer(&coordinator, &lease).await?));
    }
    let result = coordinator.store.result(&lease).await?.ok_or_else(|| ApiError::not_found("result of lease", &id))?;
    let (content, message) = (packed.clone(), result.message);
    let checked = tokio::task::spawn_blocking(move || {
        let states = unpack(&content).ok_or("the body is no packed trace")?;
        if states.len() != message.states as usize {
            return Err("the trace has another number of states than the result");
        }
        if trace_root(&states) != message.traceRoot {
            return Err("the states do not hash to the result's traceRoot");
        }
        Ok(())
    })
    .await
    .unwrap_or(Err("the trace cannot be read"));
    if let Err(message) = checked {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "trace_mismatch", message));
    }
    // On disk before the row that says so.
    coordinator.store.write_trace(&id, packed.into()).await?;
    if coordinator.store.open_audit(&id).await? {
        tracing::info!(lease = id, miner = %identity.miner, "trace received");
        coordinator.opened.notify_one();
    }
    Ok(Json(answer(&coordinator, &lease).await?))
}
