//! `POST /v1/embeddings`: submits a task and waits for it.

use super::{
    App,
    openapi::{self, IdempotencyKey},
    submit::{Wish, impossible, model, submit},
    tasks::{Encoding, Item, done, items_in, receipt_of},
};
use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
};
use axum::{Json, extract::State, http::HeaderMap};
use cuckoo_protocol::{body::Kind, receipt::Receipt, request::Request};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What an app asks for. Unknown fields are refused, so that no wish is silently ignored; `user` is taken and not used.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbeddingRequest {
    input: Input,
    /// A name of `GET /v1/models`, or a modelId; without it the coordinator's first that embeds.
    model: Option<String>,
    encoding_format: Option<Encoding>,
    /// Numbers in a vector, one of the model's.
    dimensions: Option<u32>,
    /// Taken and not used.
    user: Option<String>,
    // Beyond OpenAI's fields:
    /// False keeps the texts off the chain, and the result beyond dispute.
    disputable: Option<bool>,
}

/// A text or several.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged, expecting = "input must be a text or a list of texts; lists of token numbers are not taken")]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// The answer: OpenAI's form, and the receipt.
#[derive(Serialize, ToSchema)]
pub(super) struct EmbeddingAnswer {
    object: &'static str,
    data: Vec<Item>,
    model: String,
    usage: Usage,
    #[schema(value_type = openapi::Receipt)]
    cuckoo: Receipt,
}

/// What was paid for. This network counts bytes of text where OpenAI counts tokens.
#[derive(Serialize, ToSchema)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Embeds texts, and waits for the vectors.
#[utoipa::path(post, path = "/v1/embeddings", tag = "work", params(IdempotencyKey), request_body = EmbeddingRequest,
    responses((status = 200, description = "The vectors", body = EmbeddingAnswer), ApiError), security(("api_key" = [])))]
pub(super) async fn embed(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    Body(request): Body<EmbeddingRequest>,
) -> Result<Json<EmbeddingAnswer>, ApiError> {
    let id = submit(&coordinator, &app, &headers, request.wish(&coordinator)?).await?;
    let task = done(&coordinator, &id).await?;
    let data = items_in(&coordinator, &task, request.encoding_format.unwrap_or_default()).await?;
    let cuckoo = receipt_of(&coordinator, &task).await?;
    let body = Request::decode(&task.request).and_then(|request| request.body());
    // A stored request was checked before it was stored.
    let bytes = body.map_or(0, |body| u64::try_from(body.work()).unwrap_or(u64::MAX));
    let usage = Usage { prompt_tokens: bytes, total_tokens: bytes };
    Ok(Json(EmbeddingAnswer { object: "list", data, model: task.model, usage, cuckoo }))
}

impl EmbeddingRequest {
    /// Checks it against the model that it names.
    pub(super) fn wish<'a>(&self, coordinator: &'a Coordinator) -> Result<Wish<'a>, ApiError> {
        let offered = model(coordinator, self.model.as_deref(), Kind::Embedding)?;
        let input = match &self.input {
            Input::One(text) => vec![text.clone()],
            Input::Many(texts) => texts.clone(),
        };
        let refused = |error: cuckoo_protocol::manifest::BodyError| impossible(error.field(), error.to_string());
        let mut body = offered.manifest.embedding_body(input).map_err(refused)?;
        body.dimensions = self.dimensions.unwrap_or(body.dimensions);
        let body = body.into();
        offered.manifest.check(&body).map_err(refused)?;
        let disputable = self.disputable.unwrap_or(true);
        Ok(Wish { offered, body, blob: Vec::new(), disputable, sent: serde_json::to_vec(self).unwrap_or_default() })
    }

    /// Whether vectors are wanted as anything but lists of numbers.
    pub(super) fn wants_base64(&self) -> bool {
        self.encoding_format.is_some_and(|encoding| encoding == Encoding::Base64)
    }
}
