//! `/v1/tasks`: the same work without waiting for it.

use super::{
    App,
    challenges::Challenge,
    embeddings::EmbeddingRequest,
    images::ImageRequest,
    openapi::{self, IdempotencyKey},
    submit::impossible,
};
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
use cuckoo_protocol::{amount::wei, body::Body as RequestBody, receipt::Receipt, request::Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{OneOfBuilder, Ref, RefOr, Schema},
};

/// How long an app is kept waiting for its task.
const WAIT: Duration = Duration::from_secs(300);

/// A part of an output in OpenAI's form.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Item {
    Picture { b64_json: String },
    Embedding { object: &'static str, index: usize, embedding: Numbers },
}

/// A vector.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    /// Of f32, little-endian.
    Base64(String),
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    #[default]
    Float,
    Base64,
}

/// What `POST /v1/tasks` takes: the body of one of the other calls, told by what it must have.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum TaskRequest {
    Image(ImageRequest),
    Embedding(EmbeddingRequest),
}

impl PartialSchema for TaskRequest {
    fn schema() -> RefOr<Schema> {
        let reference = |name| Ref::from_schema_name(name);
        OneOfBuilder::new().item(reference("ImageRequest")).item(reference("EmbeddingRequest")).into()
    }
}

impl ToSchema for TaskRequest {}

impl TryFrom<Value> for TaskRequest {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, serde_json::Error> {
        match value.get("input") {
            Some(_) => serde_json::from_value(value).map(Self::Embedding),
            None => serde_json::from_value(value).map(Self::Image),
        }
    }
}

/// A task as apps see it.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskAnswer {
    id: String,
    /// `queued`, `leased`, `done`, `failed` or `cancelled`.
    status: &'static str,
    model: String,
    /// Wei.
    #[serde(with = "wei")]
    #[schema(value_type = String)]
    price: alloy::primitives::U256,
    /// Unix seconds.
    created: i64,
    updated: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    miner: Option<alloy::primitives::Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Of an audited result: `asked`, `opened`, `passed`, `waived`, `missed` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'static str>,
    /// Of a result that an audit found false.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<Challenge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<Item>>,
}

/// Hands in the work of one of the other calls, and does not wait for it.
#[utoipa::path(post, path = "/v1/tasks", tag = "tasks", params(IdempotencyKey), request_body = TaskRequest,
    responses((status = 202, description = "It is stored", body = TaskAnswer), ApiError), security(("api_key" = [])))]
pub(super) async fn submit(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    Body(request): Body<TaskRequest>,
) -> Result<(StatusCode, Json<TaskAnswer>), ApiError> {
    let wish = match &request {
        TaskRequest::Image(request) => request.wish(&coordinator)?,
        TaskRequest::Embedding(request) if request.wants_base64() => {
            return Err(impossible("encoding_format", "a task's vectors are given as float only".to_owned()));
        }
        TaskRequest::Embedding(request) => request.wish(&coordinator)?,
    };
    let id = super::submit::submit(&coordinator, &app, &headers, wish).await?;
    let task = find(&coordinator, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(answer(&coordinator, task).await?)))
}

/// A task's status, and its output when it is done.
#[utoipa::path(get, path = "/v1/tasks/{id}", tag = "tasks", params(("id" = String, Path, description = "Of the task")),
    responses((status = 200, description = "The task", body = TaskAnswer), ApiError), security(("api_key" = [])))]
pub(super) async fn show(
    State(coordinator): State<Arc<Coordinator>>,
    _: App,
    Path(id): Path<String>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let task = find(&coordinator, &id).await?;
    Ok(Json(answer(&coordinator, task).await?))
}

/// Takes a task back, if it has not ended.
#[utoipa::path(delete, path = "/v1/tasks/{id}", tag = "tasks", params(("id" = String, Path, description = "Of the task")),
    responses((status = 200, description = "The task", body = TaskAnswer), ApiError), security(("api_key" = [])))]
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

/// The signed offer and result of a task that is done.
#[utoipa::path(get, path = "/v1/tasks/{id}/receipt", tag = "tasks", params(("id" = String, Path, description = "Of the task")),
    responses((status = 200, description = "The receipt", body = openapi::Receipt), ApiError), security(("api_key" = [])))]
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

/// The output of a task that is done, vectors as lists of numbers.
pub(super) async fn items(coordinator: &Coordinator, task: &TaskRecord) -> Result<Vec<Item>, ApiError> {
    items_in(coordinator, task, Encoding::Float).await
}

/// The output of a task that is done, vectors in `encoding`.
pub(super) async fn items_in(
    coordinator: &Coordinator,
    task: &TaskRecord,
    encoding: Encoding,
) -> Result<Vec<Item>, ApiError> {
    let lease = done_lease(coordinator, task).await?;
    let gone = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, task = task.id, "an output is missing");
        ApiError::new(StatusCode::GONE, "output_gone", format!("the output of task {} is no longer kept", task.id))
    };
    let output = tokio::fs::read(coordinator.store.output_path(&lease.id)).await.map_err(|error| gone(&error))?;
    let body = Request::decode(&task.request).and_then(|request| request.body()).map_err(|error| gone(&error))?;
    Ok(match body {
        RequestBody::Image(_) | RequestBody::Style(_) => {
            vec![Item::Picture { b64_json: BASE64_STANDARD.encode(output) }]
        }
        RequestBody::Embedding(body) => {
            let vectors = output.chunks((body.dimensions as usize * size_of::<f32>()).max(1));
            let item =
                |(index, bytes)| Item::Embedding { object: "embedding", index, embedding: numbers(bytes, encoding) };
            vectors.enumerate().map(item).collect()
        }
    })
}

fn numbers(bytes: &[u8], encoding: Encoding) -> Numbers {
    match encoding {
        Encoding::Float => Numbers::Floats(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()),
        Encoding::Base64 => Numbers::Base64(BASE64_STANDARD.encode(bytes)),
    }
}

/// Waits for the end of a task, and gives it if it is done.
pub(super) async fn done(coordinator: &Coordinator, id: &str) -> Result<TaskRecord, ApiError> {
    tokio::time::timeout(WAIT, finished(coordinator, id)).await.unwrap_or_else(|_| {
        let message = format!("task {id} is not done yet; it goes on: GET /v1/tasks/{id}");
        Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, "not_done_yet", message))
    })
}

async fn finished(coordinator: &Coordinator, id: &str) -> Result<TaskRecord, ApiError> {
    loop {
        // Registered before looking, so that an end in between is not missed.
        let ended = coordinator.ended(id);
        let task = find(coordinator, id).await?;
        match task.status {
            Status::Done => return Ok(task),
            Status::Failed | Status::Cancelled => {
                let message = format!("task {id} {}: {}", task.status, task.error.unwrap_or_default());
                return Err(ApiError::new(StatusCode::BAD_GATEWAY, "task_failed", message));
            }
            // A dropped sender means the same as a sent one: look again.
            Status::Queued | Status::Leased => drop(ended.await),
        }
    }
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
        Status::Done => Some(items(coordinator, &task).await?),
        _ => None,
    };
    let miner = match &task.lease {
        Some(lease) => coordinator.store.lease(lease, coordinator.operator).await?.map(|l| l.offer.message.miner),
        None => None,
    };
    let (audit, challenge) = match (task.status, &task.lease) {
        (Status::Done, Some(lease)) => {
            (coordinator.store.audit(lease).await?, coordinator.store.challenge(lease).await?.map(Challenge::from))
        }
        _ => (None, None),
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
        audit: audit.map(|audit| audit.state.as_str()),
        challenge,
        data,
    })
}
