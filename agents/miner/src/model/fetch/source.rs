//! A coordinator to fetch a package from.

use super::file;
use alloy::primitives::B256;
use cuckoo_inference::{MANIFEST, Package, PackageError};
use cuckoo_protocol::{
    manifest::{Manifest, ManifestError},
    path::is_plain,
};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Response, StatusCode, redirect::Policy};
use std::{error::Error, io, path::Path, time::Duration};
use url::Url;

/// Largest manifest, in bytes.
const MAX_MANIFEST: usize = 1 << 20;

/// Most files of a package.
const MAX_FILES: usize = 10_000;

/// Between two bytes.
const SILENCE: Duration = Duration::from_secs(30);

/// For the manifest, and on top of what a file's size allows.
const PATIENCE: Duration = Duration::from_secs(60);

/// The least that a coordinator must send on average, in bytes a second: a file that drips in would never arrive.
const LEAST_SPEED: u64 = 32 << 10;

/// Why a coordinator did not give a package.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or none to the end.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// An answer that says no.
    #[error("answered {status} for {path}{hint}", hint = if *status == 404 { ": it does not offer the model, or lacks its files" } else { "" })]
    Refused {
        /// HTTP status.
        status: u16,
        /// Inside the package.
        path: String,
    },
    /// The manifest is none.
    #[error("sent no manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest is that of another model.
    #[error("sent the manifest of {0}")]
    OtherModel(B256),
    /// The package is larger than allowed.
    #[error("the package has {bytes} bytes, more than --limit-gib allows")]
    TooLarge {
        /// By the manifest.
        bytes: u64,
    },
    /// The manifest names what no package may hold, or what this version cannot run.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The manifest lists more files than any package needs.
    #[error("the manifest lists {0} files; {MAX_FILES} is the most")]
    TooMany(usize),
    /// More or fewer bytes than the manifest says, or others.
    #[error("sent {path} with {what}")]
    Wrong {
        /// Inside the package.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// What arrives cannot be kept.
    #[error("{path} cannot be written: {source}. Free some space or name another place with --to")]
    Disk {
        /// Inside the package.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// A coordinator, asked for one package.
pub struct Source {
    http: Client,
    base: Url,
    id: B256,
    limit: u64,
}

impl Source {
    /// Asks the coordinator at `base` for the package `id`, which may have at most `limit` bytes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(base: Url, id: B256, limit: u64) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE)
            .redirect(Policy::none())
            .user_agent(concat!("cuckoo-miner/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base, id, limit })
    }

    /// Fetches all that is not in the folder `part` yet.
    ///
    /// # Errors
    /// [`FetchError`]; what arrived stays, unless it was wrong.
    pub async fn fetch(&self, part: &Path) -> Result<(), FetchError> {
        let (manifest, json) = self.manifest().await?;
        let bar = ProgressBar::new(manifest.files.values().map(|entry| entry.bytes).sum());
        let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        for (path, entry) in &manifest.files {
            bar.set_message(path.clone());
            file::fetch(self, part, path, entry, &bar).await?;
        }
        bar.finish_and_clear();
        // Last, so that what has a manifest is whole.
        tokio::fs::write(part.join(MANIFEST), json).await.map_err(disk(MANIFEST))
    }

    async fn manifest(&self) -> Result<(Manifest, Vec<u8>), FetchError> {
        let mut response = self.get(MANIFEST, 0, PATIENCE).await?;
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if json.len() + chunk.len() > MAX_MANIFEST {
                return Err(wrong(MANIFEST, format!("more than {MAX_MANIFEST} bytes")));
            }
            json.extend_from_slice(&chunk);
        }
        let manifest = Manifest::parse(&json)?;
        if manifest.model_id() != self.id {
            return Err(FetchError::OtherModel(manifest.model_id()));
        }
        // All that follows is what the modelId's author wrote, who is not to be trusted either.
        if let Some(path) = manifest.files.keys().find(|path| !is_plain(path) || *path == MANIFEST) {
            return Err(PackageError::Path { path: path.clone() }.into());
        }
        if manifest.files.len() > MAX_FILES {
            return Err(FetchError::TooMany(manifest.files.len()));
        }
        let bytes = manifest.files.values().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
        if bytes > self.limit {
            return Err(FetchError::TooLarge { bytes });
        }
        Package::supports(&manifest)?;
        Ok((manifest, json))
    }

    /// The answer for a file from byte `from` on: 200 with all of it, or 206.
    pub(super) async fn get(&self, path: &str, from: u64, timeout: Duration) -> Result<Response, FetchError> {
        let mut url = self.base.clone();
        let id = self.id.to_string();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["link", "v1", "models", id.as_str()]).extend(path.split('/'));
        }
        let mut request = self.http.get(url).timeout(timeout);
        if from > 0 {
            request = request.header(reqwest::header::RANGE, format!("bytes={from}-"));
        }
        let response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            status => Err(FetchError::Refused { status: status.as_u16(), path: path.to_owned() }),
        }
    }
}

/// How long a file of so many bytes may take.
pub(super) fn patience(bytes: u64) -> Duration {
    PATIENCE.saturating_add(Duration::from_secs(bytes / LEAST_SPEED))
}

pub(super) fn wrong(path: &str, what: impl Into<String>) -> FetchError {
    FetchError::Wrong { path: path.to_owned(), what: what.into() }
}

pub(super) fn disk(path: &str) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Disk { path, source }
}

/// reqwest's own text hides the reason among its sources.
pub(super) fn unreachable(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    FetchError::Unreachable(text)
}
