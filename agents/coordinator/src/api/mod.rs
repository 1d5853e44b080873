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

mod challenges;
mod edits;
mod embeddings;
mod images;
mod network;
mod submit;
mod tasks;

use crate::{coordinator::Coordinator, error::ApiError};
use alloy::primitives::B256;
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{StatusCode, header, request::Parts},
    routing::{get, post},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Largest body of an app's call.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The routes.
pub fn router() -> Router<Arc<Coordinator>> {
    let edits =
        Router::new().route("/v1/images/edits", post(edits::edit)).layer(DefaultBodyLimit::max(edits::MAX_BYTES));
    Router::new()
        .route("/v1/images/generations", post(images::generate))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/tasks", post(tasks::submit))
        .route("/v1/tasks/{id}", get(tasks::show).delete(tasks::cancel))
        .route("/v1/tasks/{id}/receipt", get(tasks::receipt))
        .route("/v1/challenges", get(challenges::list))
        .route("/v1/models", get(network::models))
        .route("/v1/network", get(network::network))
        .route("/v1/draws/{sequence}", get(network::draw))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(network::ready))
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
