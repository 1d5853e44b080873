//! `/v1/tasks`: the same work without waiting for it.

use super::{App, submit::ImageRequest};
use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
    store::{LeaseRecord, TaskRecord},
    task::Status,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use cuckoo_protocol::{amount::wei, receipt::Receipt};
use serde::Serialize;
use std::sync::Arc;

/// A picture in OpenAI's form.
#[derive(Serialize)]
pub(super) struct Picture {
    b64_json: String,
}

/// A task as apps see it.
#[derive(Serialize)]
pub(super) struct TaskAnswer {
    id: String,
    status: &'static str,
    model: String,
    #[serde(with = "wei")]
    price: alloy::primitives::U256,
    /// Unix seconds.
    created: i64,
    updated: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    miner: Option<alloy::primitives::Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<[Picture; 1]>,
}

pub(super) async fn submit(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    Body(request): Body<ImageRequest>,
) -> Result<(StatusCode, Json<TaskAnswer>), ApiError> {
    let id = super::submit::submit(&coordinator, &app, &headers, request).await?;
    let task = find(&coordinator, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(answer(&coordinator, task).await?)))
}

pub(super) async fn show(
    State(coordinator): State<Arc<Coordinator>>,
    _: App,
    Path(id): Path<String>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let task = find(&coordinator, &id).await?;
    Ok(Json(answer(&coordinator, task).await?))
}

pub(super) async fn cancel(
    State(coordinator): State<Arc<Coordinator>>,
    _: App,
    Path(id): Path<String>,
) -> Result<Json<TaskAnswer>, ApiError> {
    find(&coordinator, &id).await?;
    if coordinator.store.end_task(&id, Status::Cancelled, "cancelled by the app").await? {
        coordinator.announce_end(&id);
    }
    let task = find(&coordinator, &id).await?;
    Ok(Json(answer(&coordinator, task).await?))
}

pub(super) async fn receipt(
    State(coordinator): State<Arc<Coordinator>>,
    _: App,
    Path(id): Path<String>,
) -> Result<Json<Receipt>, ApiError> {
    let task = find(&coordinator, &id).await?;
    Ok(Json(receipt_of(&coordinator, &task).await?))
}

/// A task by its id.
pub(super) async fn find(coordinator: &Coordinator, id: &str) -> Result<TaskRecord, ApiError> {
    coordinator.store.task(id).await?.ok_or_else(|| ApiError::not_found("task", id))
}

/// The receipt of a task that is done.
pub(super) async fn receipt_of(coordinator: &Coordinator, task: &TaskRecord) -> Result<Receipt, ApiError> {
    let lease = done_lease(coordinator, task).await?;
    let result = coordinator.store.result(&lease).await?.ok_or_else(|| not_done(task))?;
    Ok(Receipt { task: task.id.clone(), request: task.request.clone().into(), offer: lease.offer, result })
}

/// The picture of a task that is done.
pub(super) async fn picture(coordinator: &Coordinator, task: &TaskRecord) -> Result<Picture, ApiError> {
    let lease = done_lease(coordinator, task).await?;
    let png = tokio::fs::read(coordinator.store.output_path(&lease.id)).await.map_err(|error| {
        tracing::error!(%error, task = task.id, "a picture is missing");
        ApiError::new(StatusCode::GONE, "picture_gone", format!("the picture of task {} is no longer kept", task.id))
    })?;
    Ok(Picture { b64_json: BASE64_STANDARD.encode(png) })
}

async fn done_lease(coordinator: &Coordinator, task: &TaskRecord) -> Result<LeaseRecord, ApiError> {
    if task.status != Status::Done {
        return Err(not_done(task));
    }
    let id = task.lease.as_deref().ok_or_else(|| not_done(task))?;
    coordinator.store.lease(id, coordinator.operator).await?.ok_or_else(|| not_done(task))
}

fn not_done(task: &TaskRecord) -> ApiError {
    let message = format!("task {} is {}: it has no result", task.id, task.status);
    ApiError::new(StatusCode::CONFLICT, "not_done", message)
}

async fn answer(coordinator: &Coordinator, task: TaskRecord) -> Result<TaskAnswer, ApiError> {
    let data = match task.status {
        Status::Done => Some([picture(coordinator, &task).await?]),
        _ => None,
    };
    let miner = match &task.lease {
        Some(lease) => coordinator.store.lease(lease, coordinator.operator).await?.map(|l| l.offer.message.miner),
        None => None,
    };
    Ok(TaskAnswer {
        id: task.id,
        status: task.status.as_str(),
        model: task.model,
        price: task.price,
        created: task.created / 1000,
        updated: task.updated / 1000,
        miner,
        error: task.error,
        data,
    })
}
