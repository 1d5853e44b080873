//! The files of the models that this coordinator offers work for, for miners that lack them. Open to all: a modelId binds every
//! byte, so nobody needs to trust where a package came from.

use crate::{
    catalogue::{Catalogue, Offered},
    error::ApiError,
};
use alloy::primitives::B256;
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use cuckoo_protocol::path::is_plain;
use http_body_util::BodyExt;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// Files sent at once: others are told to come back, so that packages of gigabytes never crowd out the work.
const DOWNLOADS: usize = 16;

/// Seconds after which those may come back.
const LATER: u32 = 10;

/// The manifest, which is served as this agent read it.
const MANIFEST: &str = "cuckoo.json";

struct Packages {
    catalogue: Catalogue,
    downloads: Arc<Semaphore>,
}

/// The route `GET /link/v1/models/{modelId}/{path}`: `cuckoo.json`, then each file that it lists, whole or in ranges.
pub fn router(catalogue: Catalogue) -> Router {
    let packages = Packages { catalogue, downloads: Arc::new(Semaphore::new(DOWNLOADS)) };
    Router::new().route("/link/v1/models/{id}/{*path}", get(file)).with_state(Arc::new(packages))
}

async fn file(
    State(packages): State<Arc<Packages>>,
    Path((id, path)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let offered = id.parse::<B256>().ok().and_then(|id| packages.catalogue.get(id));
    let offered = offered.ok_or_else(|| ApiError::not_found("work here for the model", &id))?;
    if path == MANIFEST {
        return Ok(Json(&offered.manifest).into_response());
    }
    let file = locate(offered, &path).await.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "this coordinator does not have that file: ask another")
    })?;
    let permit = packages.downloads.clone().try_acquire_owned().map_err(|_| {
        let message = "too many packages are being fetched: come back later";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(LATER)
    })?;
    let Ok(response) = ServeFile::new(file).oneshot(request).await;
    // Held until the last byte is sent, or the miner hangs up.
    let hold = move |frame| {
        let _held = &permit;
        frame
    };
    Ok(response.map(|body| Body::new(body.map_frame(hold))))
}

/// Where a listed file is, if it is inside the package.
async fn locate(offered: &Offered, path: &str) -> Option<PathBuf> {
    if !is_plain(path) || !offered.manifest.files.contains_key(path) {
        return None;
    }
    let file = tokio::fs::canonicalize(offered.folder.join(path)).await.ok()?;
    let inside = file.starts_with(&offered.folder) && tokio::fs::metadata(&file).await.ok()?.is_file();
    inside.then_some(file)
}
