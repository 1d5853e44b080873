//! `POST /v1/images/generations`: submits a task and waits for it.

use super::{
    App,
    openapi::{self, IdempotencyKey},
    submit::{Wish, impossible, model, submit},
    tasks::{Item, done, items, receipt_of},
};
use crate::{
    catalogue::Offered,
    coordinator::Coordinator,
    error::{ApiError, Body},
    store::TaskRecord,
};
use axum::{Json, extract::State, http::HeaderMap};
use cuckoo_protocol::{
    body::{Decimal, DecimalError, ImageBody, Kind, MAX_SEED},
    manifest::BodyError,
    receipt::Receipt,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What an app asks for. Unknown fields are refused, so that no wish is silently ignored; `user` is taken and not used.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageRequest {
    /// What to draw.
    prompt: String,
    /// A name of `GET /v1/models`, or a modelId; without it the coordinator's first.
    pub(super) model: Option<String>,
    /// 1: one picture a request.
    n: Option<u32>,
    /// Width x height, such as `128x128`, or `auto`.
    size: Option<String>,
    /// `b64_json`.
    response_format: Option<String>,
    /// Taken and not used.
    user: Option<String>,
    // Beyond OpenAI's fields:
    /// What not to draw.
    negative_prompt: Option<String>,
    steps: Option<u32>,
    #[schema(value_type = Option<f64>)]
    guidance: Option<Number>,
    /// Up to 2^53 - 1; the same seed gives the same picture. Random without it.
    seed: Option<u64>,
    scheduler: Option<String>,
    /// False keeps the prompt off the chain, and the result beyond dispute.
    pub(super) disputable: Option<bool>,
}

/// A number as JSON writes it, or as text.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    Json(serde_json::Number),
    Text(String),
}

impl Number {
    /// In its canonical spelling.
    pub(super) fn decimal(&self) -> Result<Decimal, DecimalError> {
        match self {
            Self::Json(number) => number.to_string().parse(),
            Self::Text(text) => text.parse(),
        }
    }
}

/// The answer: OpenAI's form, and the receipt.
#[derive(Serialize, ToSchema)]
pub(super) struct ImageAnswer {
    /// Unix seconds.
    created: i64,
    data: Vec<Item>,
    #[schema(value_type = openapi::Receipt)]
    cuckoo: Receipt,
}

impl ImageAnswer {
    /// The answer to a task that is done.
    pub(super) fn new(task: &TaskRecord, data: Vec<Item>, cuckoo: Receipt) -> Self {
        Self { created: task.created / 1000, data, cuckoo }
    }
}

/// Draws a picture, and waits for it.
#[utoipa::path(post, path = "/v1/images/generations", tag = "work", params(IdempotencyKey), request_body = ImageRequest,
    responses((status = 200, description = "The picture", body = ImageAnswer), ApiError), security(("api_key" = [])))]
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
    Ok(Json(ImageAnswer::new(&task, data, cuckoo)))
}

impl ImageRequest {
    /// Checks it against the model that it names.
    pub(super) fn wish<'a>(&self, coordinator: &'a Coordinator) -> Result<Wish<'a>, ApiError> {
        let offered = model(coordinator, self.model.as_deref(), Kind::Image)?;
        let (body, disputable) = (body(offered, self)?.into(), self.disputable.unwrap_or(true));
        offered.manifest.check(&body).map_err(refused)?;
        Ok(Wish { offered, body, blob: Vec::new(), disputable, sent: serde_json::to_vec(self).unwrap_or_default() })
    }

    /// A field that is about drawing from words, if there is one.
    pub(super) fn about_drawing(&self) -> Option<&'static str> {
        let fields = [
            ("prompt", !self.prompt.is_empty()),
            ("negative_prompt", self.negative_prompt.is_some()),
            ("steps", self.steps.is_some()),
            ("guidance", self.guidance.is_some()),
            ("seed", self.seed.is_some()),
            ("scheduler", self.scheduler.is_some()),
        ];
        fields.into_iter().find_map(|(name, given)| given.then_some(name))
    }
}

/// Width and height, if the app asks for any.
pub(super) fn size(request: &ImageRequest) -> Result<Option<(u32, u32)>, ApiError> {
    let Some(size) = request.size.as_deref().filter(|size| *size != "auto") else { return Ok(None) };
    let sides = size.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let wrong = || impossible("size", format!("{size:?} is no size: write width x height, such as 128x128"));
    sides.map(Some).ok_or_else(wrong)
}

/// What is asked of every call that draws: one picture, as base64.
pub(super) fn check_form(request: &ImageRequest) -> Result<(), ApiError> {
    if request.n.is_some_and(|n| n != 1) {
        return Err(impossible("n", "one picture a request: send several requests for several pictures".to_owned()));
    }
    if request.response_format.as_deref().is_some_and(|format| format != "b64_json") {
        return Err(impossible("response_format", "pictures are given as b64_json only".to_owned()));
    }
    Ok(())
}

/// The error for what the model does not allow.
fn refused(error: BodyError) -> ApiError {
    impossible(error.field(), error.to_string())
}

/// The request with the model's defaults filled in, not yet checked against what it allows.
pub(super) fn body(offered: &Offered, request: &ImageRequest) -> Result<ImageBody, ApiError> {
    check_form(request)?;
    if request.prompt.trim().is_empty() {
        return Err(impossible("prompt", "the prompt is empty: say what to draw".to_owned()));
    }
    let mut body = offered.manifest.image_body(request.prompt.clone()).map_err(refused)?;
    if let Some(size) = size(request)? {
        (body.width, body.height) = size;
    }
    if let Some(guidance) = &request.guidance {
        body.guidance = guidance.decimal().map_err(|e| impossible("guidance", e.to_string()))?;
    }
    body.seed = request.seed.unwrap_or_else(|| rand::rng().random_range(0..=MAX_SEED));
    body.steps = request.steps.unwrap_or(body.steps);
    body.negative_prompt = request.negative_prompt.clone().unwrap_or_default();
    if let Some(scheduler) = &request.scheduler {
        body.scheduler = scheduler.clone();
    }
    Ok(body)
}
