//! `POST /v1/images/generations`: submits a task and waits for it.

use super::{
    App,
    submit::{ImageRequest, submit},
    tasks::{Picture, find, picture, receipt_of},
};
use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
    task::Status,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use cuckoo_protocol::receipt::Receipt;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// How long an app is kept waiting for its picture.
const WAIT: Duration = Duration::from_secs(300);

/// The answer: OpenAI's form, and the receipt.
#[derive(Serialize)]
pub(super) struct ImageAnswer {
    created: i64,
    data: [Picture; 1],
    cuckoo: Receipt,
}

pub(super) async fn generate(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    Body(request): Body<ImageRequest>,
) -> Result<Json<ImageAnswer>, ApiError> {
    let id = submit(&coordinator, &app, &headers, request).await?;
    let done = tokio::time::timeout(WAIT, finished(&coordinator, &id)).await.map_err(|_| {
        let message = format!("task {id} is not done yet; it goes on: GET /v1/tasks/{id}");
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "not_done_yet", message)
    })?;
    done?;
    let task = find(&coordinator, &id).await?;
    let data = [picture(&coordinator, &task).await?];
    let cuckoo = receipt_of(&coordinator, &task).await?;
    Ok(Json(ImageAnswer { created: task.created / 1000, data, cuckoo }))
}

/// Resolves when the task is done, or with why it is not.
async fn finished(coordinator: &Coordinator, id: &str) -> Result<(), ApiError> {
    loop {
        // Registered before looking, so that an end in between is not missed.
        let ended = coordinator.ended(id);
        let task = find(coordinator, id).await?;
        match task.status {
            Status::Done => return Ok(()),
            Status::Failed | Status::Cancelled => {
                let message = format!("task {id} {}: {}", task.status, task.error.unwrap_or_default());
                return Err(ApiError::new(StatusCode::BAD_GATEWAY, "task_failed", message));
            }
            // A dropped sender means the same as a sent one: look again.
            Status::Queued | Status::Leased => drop(ended.await),
        }
    }
}
