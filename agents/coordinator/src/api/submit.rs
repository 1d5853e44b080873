//! From an app's words to a stored task.

use super::{App, tasks::find};
use crate::{
    catalogue::Offered,
    coordinator::Coordinator,
    error::ApiError,
    store::{Inserted, NewTask},
};
use alloy::primitives::{B256, keccak256};
use axum::http::{HeaderMap, StatusCode};
use cuckoo_protocol::{
    body::{Body, Kind},
    request::Request,
};

/// What an app asks for, checked.
pub(super) struct Wish<'a> {
    /// Of whom.
    pub(super) offered: &'a Offered,
    /// For what; the model can do it.
    pub(super) body: Body,
    /// The input pictures that it comes with; empty if it needs none.
    pub(super) blob: Vec<u8>,
    /// Whether the result may come before a jury.
    pub(super) disputable: bool,
    /// What the app sent: the same wish has the same.
    pub(super) sent: Vec<u8>,
}

/// The model of that name, or the first that makes what is wanted.
pub(super) fn model<'a>(coordinator: &'a Coordinator, name: Option<&str>, kind: Kind) -> Result<&'a Offered, ApiError> {
    let catalogue = &coordinator.catalogue;
    catalogue.find(name, kind).ok_or_else(|| {
        let message = match name {
            Some(name) => format!("there is no model {name:?} here; there is: {}", catalogue.names()),
            None => format!("no model here makes {kind}; there is: {}", catalogue.names()),
        };
        ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
    })
}

/// Stores what an app asks for as a task, or finds the one that its `Idempotency-Key` names.
pub(super) async fn submit(
    coordinator: &Coordinator,
    app: &App,
    headers: &HeaderMap,
    wish: Wish<'_>,
) -> Result<String, ApiError> {
    let Wish { offered, body, blob, disputable, sent } = wish;
    let (waiting, limit) = (coordinator.dispatch().queued(), coordinator.config.queue_limit);
    if waiting >= limit {
        let message =
            format!("{waiting} tasks are waiting, which is as many as this coordinator takes: come back later");
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message).retry_after(5));
    }

    if !blob.is_empty() && coordinator.config.checks_lack_pictures() {
        let message =
            "this coordinator has results checked by miners, which are given no input pictures, so it takes none";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "unchecked", message).param("image"));
    }
    let salt = B256::new(rand::random());
    let request = Request::new(offered.model_id, salt, &body, &blob, disputable);
    let bytes = request.encode().map_err(|error| impossible(text_field(&body), error.to_string()))?;
    if !blob.is_empty() {
        // On disk before the row that names it.
        coordinator.store.write_blob(request.blob_root, blob.into()).await?;
    }
    let task = NewTask {
        id: uuid::Uuid::now_v7().to_string(),
        model: offered.manifest.name.clone(),
        model_id: offered.model_id,
        request: bytes,
        price: offered.manifest.price(&body, offered.unit_price),
        unit_price: offered.unit_price,
        idempotency: idempotency(app, headers)?,
        body_hash: keccak256(sent),
    };
    match coordinator.store.insert_task(&task).await? {
        Inserted::New => {}
        Inserted::Same(id) => return Ok(id),
        Inserted::Conflict => {
            let message = "this Idempotency-Key came with another body before: use a new one for a new task";
            return Err(ApiError::new(StatusCode::CONFLICT, "idempotency_conflict", message));
        }
    }
    metrics::counter!("cuckoo_tasks_submitted_total").increment(1);
    let stored = find(coordinator, &task.id).await?;
    coordinator.dispatch().enqueue(Coordinator::queued(&stored, Vec::new()));
    coordinator.wake();
    Ok(task.id)
}

/// The error for a field that asks for what cannot be.
pub(super) fn impossible(field: &str, message: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "impossible_request", message).param(field)
}

/// The field that makes a request as long as it is.
fn text_field(body: &Body) -> &'static str {
    match body {
        Body::Image(_) => "prompt",
        Body::Embedding(_) => "input",
        Body::Style(_) => "image",
    }
}

/// Hash of the app and its `Idempotency-Key`.
fn idempotency(app: &App, headers: &HeaderMap) -> Result<Option<B256>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    if key.is_empty() || key.len() > 255 {
        let message = "an Idempotency-Key has 1 to 255 bytes";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed", message).param("Idempotency-Key"));
    }
    Ok(Some(keccak256([app.0.as_slice(), key.as_bytes()].concat())))
}
