//! The apps' side of the HTTP server.
//!
//! | Call | Does |
//! |---|---|
//! | `POST /v1/images/generations` | a prompt in, a picture out, as OpenAI's clients call it |
//! | `POST /v1/images/edits` | pictures and words in, a picture out, likewise |
//! | `POST /v1/embeddings` | texts in, vectors out, likewise |
//! | `POST /v1/tasks` | either without waiting: 202 and an id |
//! | `GET /v1/tasks/{id}` | its status, and its output when done |
//! | `GET /v1/tasks/{id}/receipt` | its signed offer and result |
//! | `DELETE /v1/tasks/{id}` | takes it back |
//! | `GET /v1/challenges` | results that audits found false, and what becomes of their disputes; open to all |
//! | `GET /v1/models`, `GET /v1/network`, `GET /v1/draws/{n}` | what is offered, who works, how it was drawn; open to all |
//! | `GET /healthz`, `GET /readyz` | for operators' tools |
//! | `GET /openapi.json` | all of these, for programs; open to all |

mod challenges;
mod edits;
mod embeddings;
mod images;
mod network;
mod openapi;
mod submit;
mod tasks;

use crate::{coordinator::Coordinator, error::ApiError};
use alloy::primitives::B256;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{StatusCode, header, request::Parts},
    routing::get,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Largest body of an app's call.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The routes, and their description at `/openapi.json`.
pub fn router() -> Router<Arc<Coordinator>> {
    let (router, description) = routes().split_for_parts();
    router.route("/openapi.json", get(async move || Json(description.clone())))
}

fn routes() -> OpenApiRouter<Arc<Coordinator>> {
    let edits = OpenApiRouter::default().routes(routes!(edits::edit)).layer(DefaultBodyLimit::max(edits::MAX_BYTES));
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(images::generate))
        .routes(routes!(embeddings::embed))
        .routes(routes!(tasks::submit))
        .routes(routes!(tasks::show, tasks::cancel))
        .routes(routes!(tasks::receipt))
        .routes(routes!(challenges::list))
        .routes(routes!(network::models))
        .routes(routes!(network::network))
        .routes(routes!(network::draw))
        .routes(routes!(network::health))
        .routes(routes!(network::ready))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(edits)
}

/// The app that calls: SHA-256 of its API key, or zero where none is asked for.
pub struct App(pub B256);

impl FromRequestParts<Arc<Coordinator>> for App {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        let keys = &coordinator.config.api_key_hashes;
        if keys.is_empty() {
            return Ok(Self(B256::ZERO));
        }
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        // Only hashes are kept and compared: the time that takes tells nothing about a key.
        let hash = key.map(|key| B256::from_slice(&Sha256::digest(key)));
        hash.filter(|hash| keys.contains(hash)).map(Self).ok_or_else(|| {
            let message = "send an API key of this coordinator: Authorization: Bearer <key>";
            ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
        })
    }
}
