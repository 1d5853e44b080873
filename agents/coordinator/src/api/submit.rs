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
    body::{Decimal, ImageBody, MAX_SEED},
    manifest::BodyError,
    request::Request,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// What an app asks for. Unknown fields are refused, so that no wish is silently ignored; `user` is taken and not used.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageRequest {
    prompt: String,
    model: Option<String>,
    n: Option<u32>,
    size: Option<String>,
    response_format: Option<String>,
    user: Option<String>,
    // Beyond OpenAI's fields:
    negative_prompt: Option<String>,
    steps: Option<u32>,
    guidance: Option<Number>,
    seed: Option<u64>,
    scheduler: Option<String>,
    /// False keeps the prompt off the chain, and the result beyond dispute.
    disputable: Option<bool>,
}

/// A number as JSON writes it, or as text.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Number {
    Json(serde_json::Number),
    Text(String),
}

/// Checks what an app asks for and stores it as a task, or finds the one that its `Idempotency-Key` names.
pub(super) async fn submit(
    coordinator: &Coordinator,
    app: &App,
    headers: &HeaderMap,
    request: ImageRequest,
) -> Result<String, ApiError> {
    let offered = coordinator.catalogue.find(request.model.as_deref()).ok_or_else(|| {
        let message = format!(
            "there is no model {:?} here; there is: {}",
            request.model.as_deref().unwrap_or_default(),
            coordinator.catalogue.names()
        );
        ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
    })?;
    let body = body(offered, &request)?.into();
    let (waiting, limit) = (coordinator.dispatch().queued(), coordinator.config.queue_limit);
    if waiting >= limit {
        let message =
            format!("{waiting} tasks are waiting, which is as many as this coordinator takes: come back later");
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message).retry_after(5));
    }

    let salt = B256::new(rand::random());
    let disputable = request.disputable.unwrap_or(true);
    let bytes = Request::new(offered.model_id, salt, &body, &[], disputable)
        .encode()
        .map_err(|error| impossible("prompt", error.to_string()))?;
    let task = NewTask {
        id: uuid::Uuid::now_v7().to_string(),
        model: offered.manifest.name.clone(),
        model_id: offered.model_id,
        request: bytes,
        price: offered.manifest.price(&body, offered.unit_price),
        unit_price: offered.unit_price,
        idempotency: idempotency(app, headers)?,
        body_hash: keccak256(serde_json::to_vec(&request).unwrap_or_default()),
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

fn impossible(field: &str, message: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "impossible_request", message).param(field)
}

/// The request with the model's defaults filled in.
fn body(offered: &Offered, request: &ImageRequest) -> Result<ImageBody, ApiError> {
    if request.n.is_some_and(|n| n != 1) {
        return Err(impossible("n", "one picture a request: send several requests for several pictures".to_owned()));
    }
    if request.response_format.as_deref().is_some_and(|format| format != "b64_json") {
        return Err(impossible("response_format", "pictures are given as b64_json only".to_owned()));
    }
    if request.prompt.trim().is_empty() {
        return Err(impossible("prompt", "the prompt is empty: say what to draw".to_owned()));
    }
    let refused = |error: BodyError| impossible(error.field(), error.to_string());
    let mut body = offered.manifest.image_body(request.prompt.clone()).map_err(refused)?;
    if let Some(size) = request.size.as_deref().filter(|size| *size != "auto") {
        let sides = size.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        (body.width, body.height) = sides
            .ok_or_else(|| impossible("size", format!("{size:?} is no size: write width x height, such as 64x64")))?;
    }
    if let Some(guidance) = &request.guidance {
        let text = match guidance {
            Number::Json(number) => number.to_string(),
            Number::Text(text) => text.clone(),
        };
        body.guidance = text.parse::<Decimal>().map_err(|e| impossible("guidance", e.to_string()))?;
    }
    body.seed = request.seed.unwrap_or_else(|| rand::rng().random_range(0..=MAX_SEED));
    body.steps = request.steps.unwrap_or(body.steps);
    body.negative_prompt = request.negative_prompt.clone().unwrap_or_default();
    if let Some(scheduler) = &request.scheduler {
        body.scheduler = scheduler.clone();
    }
    offered.manifest.check(&body.clone().into()).map_err(refused)?;
    Ok(body)
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
