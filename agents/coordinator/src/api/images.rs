//! `POST /v1/images/generations`: submits a task and waits for it.

use super::{
    App,
    submit::{Wish, impossible, model, submit},
    tasks::{Item, done, items, receipt_of},
};
use crate::{
    catalogue::Offered,
    coordinator::Coordinator,
    error::{ApiError, Body},
};
use axum::{Json, extract::State, http::HeaderMap};
use cuckoo_protocol::{
    body::{Decimal, ImageBody, Kind, MAX_SEED},
    manifest::BodyError,
    receipt::Receipt,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

/// The answer: OpenAI's form, and the receipt.
#[derive(Serialize)]
pub(super) struct ImageAnswer {
    created: i64,
    data: Vec<Item>,
    cuckoo: Receipt,
}

pub(super) async fn generate(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    Body(request): Body<ImageRequest>,
) -> Result<Json<ImageAnswer>, ApiError> {
    let id = submit(&coordinator, &app, &headers, request.wish(&coordinator)?).await?;
    let task = done(&coordinator, &id).await?;
    let data = items(&coordinator, &task).await?;
    let cuckoo = receipt_of(&coordinator, &task).await?;
    Ok(Json(ImageAnswer { created: task.created / 1000, data, cuckoo }))
}

impl ImageRequest {
    /// Checks it against the model that it names.
    pub(super) fn wish<'a>(&self, coordinator: &'a Coordinator) -> Result<Wish<'a>, ApiError> {
        let offered = model(coordinator, self.model.as_deref(), Kind::Image)?;
        let (body, disputable) = (body(offered, self)?.into(), self.disputable.unwrap_or(true));
        Ok(Wish { offered, body, disputable, sent: serde_json::to_vec(self).unwrap_or_default() })
    }
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
            .ok_or_else(|| impossible("size", format!("{size:?} is no size: write width x height, such as 128x128")))?;
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
