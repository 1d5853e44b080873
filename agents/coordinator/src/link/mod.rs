//! The miners' side of the HTTP server: `/link/v1`. The wire types and the table of calls are in `cuckoo_protocol::link`.

mod audit;
mod check;
mod lease;
mod login;
pub mod package;

use crate::{coordinator::Coordinator, error::ApiError, session::Identity};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{StatusCode, header, request::Parts},
    routing::{get, post},
};
use cuckoo_protocol::contracts::Role;
use std::sync::Arc;
use tower::limit::ConcurrencyLimitLayer;

/// Largest result: a picture of 4096×4096 as PNG in base64 stays below it.
const MAX_RESULT_BYTES: usize = 96 * 1024 * 1024;

/// Largest trace: some hundred states of what Stable Diffusion XL works on.
const MAX_TRACE_BYTES: usize = 256 * 1024 * 1024;

/// Traces read at once: more wait, so that no crowd of uploads takes the memory.
const UPLOADS: usize = 8;

/// Largest of all other bodies.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The routes.
pub fn router() -> Router<Arc<Coordinator>> {
    let result = Router::new()
        .route("/link/v1/leases/{id}/result", post(lease::result))
        .layer(DefaultBodyLimit::max(MAX_RESULT_BYTES));
    let trace = Router::new()
        .route("/link/v1/leases/{id}/trace", post(audit::trace))
        .route("/link/v1/checks/{id}", get(check::states).post(check::answer))
        .layer(DefaultBodyLimit::max(MAX_TRACE_BYTES))
        .layer(ConcurrencyLimitLayer::new(UPLOADS));
    Router::new()
        .route("/link/v1/nonce", get(login::nonce))
        .route("/link/v1/login", post(login::login))
        .route("/link/v1/claim", post(lease::claim))
        .route("/link/v1/leases/{id}/blob", get(lease::blob))
        .route("/link/v1/leases/{id}/events", post(lease::event))
        .route("/link/v1/leases/{id}/decline", post(lease::decline))
        .route("/link/v1/leases/{id}/pay", get(audit::pay))
        .route("/link/v1/checks", post(check::claim))
        .route("/link/v1/checks/{id}/decline", post(check::decline))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(result)
        .merge(trace)
}

/// The session of a call: a valid token of a node that is still its operator's.
pub struct Session(pub Identity);

impl FromRequestParts<Arc<Coordinator>> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        let refuse = |why: &str| ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", why);
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| refuse("log in first: this call wants Authorization: Bearer <token>"))?;
        let identity = coordinator
            .sessions
            .identify(token, coordinator.now())
            .ok_or_else(|| refuse("the session has expired or is not of this coordinator: log in again"))?;
        let snapshot = coordinator.view.snapshot();
        let current = snapshot.operator(identity.miner).filter(|o| o.role == Role::Miner && o.registered);
        if current.is_none_or(|operator| operator.node != identity.node) {
            return Err(refuse("the node is no longer the operator's: log in with the one that is registered"));
        }
        Ok(Self(identity))
    }
}
