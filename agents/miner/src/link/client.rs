//! HTTP towards one coordinator: timeouts on everything, answers of bounded size, no redirects.

use cuckoo_protocol::link::{ErrorBody, PARK_SECONDS};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::CONTENT_TYPE, redirect::Policy};
use serde::{Serialize, de::DeserializeOwned};
use std::{error::Error, time::Duration};
use url::Url;

/// Largest answer but for input pictures. The largest there is, a lease, has 16 KiB of request in hex.
const MAX_ANSWER: usize = 256 * 1024;

/// For all calls but those below.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A claim is parked; the margin is for slow networks.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(PARK_SECONDS + 10);

/// A result carries a picture, a lease may come with one.
const PICTURE_TIMEOUT: Duration = Duration::from_secs(60);

/// A trace may have many megabytes, and input pictures some.
const TRACE_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a call to a coordinator came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No answer.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// An answer that says no.
    #[error("answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable word, such as `lease_over`.
        code: String,
        /// A sentence.
        message: String,
    },
    /// An answer that is none.
    #[error("answered nonsense: {0}")]
    Malformed(String),
}

impl LinkError {
    /// Whether the session is over and a new login may help.
    pub fn is_unauthorised(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. }) && !self.is_final()
    }

    /// Whether the lease is over: another result won, or it took too long.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Refused { status: 410, .. })
    }

    /// Whether the same call will never succeed.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { status: 400 | 404 | 409 | 410 | 413 | 415 | 422, .. } => true,
            // Of the message that was sent, not of the session: a result of a node that has been replaced.
            Self::Refused { status, code, .. } => {
                matches!((status, code.as_str()), (401, "wrong_signer") | (403, "not_your_lease"))
            }
            Self::Unreachable(_) | Self::Malformed(_) => false,
        }
    }
}

/// Calls of the link, without a session's state.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client for the coordinator at `endpoint`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(endpoint: Url) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(TIMEOUT)
            // A login is bound to an origin: following a redirect would take the token elsewhere.
            .redirect(Policy::none())
            .user_agent(concat!("cuckoo-miner/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base: endpoint })
    }

    /// What the coordinator tells everybody, of at most `limit` bytes: its API below `/v1`.
    pub(crate) async fn public<T: DeserializeOwned>(&self, path: &[&str], limit: usize) -> Result<T, LinkError> {
        parse(&send(self.http.request(Method::GET, self.below(&["v1"], path)?), None, limit).await?)
    }

    pub(super) async fn get(&self, path: &[&str], token: Option<&str>) -> Result<Vec<u8>, LinkError> {
        let request = self.http.request(Method::GET, self.url(path)?);
        send(request, token, MAX_ANSWER).await
    }

    /// Gets at most `limit` bytes as they are.
    pub(super) async fn download(
        &self,
        path: &[&str],
        token: Option<&str>,
        limit: usize,
    ) -> Result<Vec<u8>, LinkError> {
        let request = self.http.request(Method::GET, self.url(path)?).timeout(TRACE_TIMEOUT);
        send(request, token, limit).await
    }

    /// Posts bytes as they are.
    pub(super) async fn upload(
        &self,
        path: &[&str],
        token: Option<&str>,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, LinkError> {
        let request = self.http.request(Method::POST, self.url(path)?).timeout(TRACE_TIMEOUT);
        send(request.header(CONTENT_TYPE, "application/octet-stream").body(bytes), token, MAX_ANSWER).await
    }

    /// Posts `body`; the answer's bytes are empty for a 204.
    pub(super) async fn post(
        &self,
        path: &[&str],
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, LinkError> {
        let timeout = match path.last() {
            Some(&"claim") => CLAIM_TIMEOUT,
            Some(&"result") => PICTURE_TIMEOUT,
            _ => TIMEOUT,
        };
        send(self.http.request(Method::POST, self.url(path)?).timeout(timeout).json(body), token, MAX_ANSWER).await
    }

    /// The segments are escaped: a lease's id is the coordinator's to choose, the path is not.
    fn url(&self, path: &[&str]) -> Result<Url, LinkError> {
        self.below(&["link", "v1"], path)
    }

    fn below(&self, root: &[&str], path: &[&str]) -> Result<Url, LinkError> {
        if path.iter().any(|segment| segment.is_empty() || segment.len() > 128 || segment.starts_with('.')) {
            return Err(LinkError::Malformed("an id that fits in no path".to_owned()));
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(root).extend(path);
        }
        Ok(url)
    }
}

async fn send(mut request: RequestBuilder, token: Option<&str>, most: usize) -> Result<Vec<u8>, LinkError> {
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    accepted(request.send().await.map_err(unreachable)?, most).await
}

/// Reads JSON.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LinkError> {
    serde_json::from_slice(bytes).map_err(|e| LinkError::Malformed(e.to_string()))
}

/// The body of a successful answer.
async fn accepted(response: Response, most: usize) -> Result<Vec<u8>, LinkError> {
    let status = response.status();
    let body = bounded(response, most).await;
    if status.is_success() { body } else { Err(refused(status, &body.unwrap_or_default())) }
}

async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, LinkError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > most {
            return Err(LinkError::Malformed(format!("more than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn refused(status: StatusCode, body: &[u8]) -> LinkError {
    let (code, message) = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => (error.code, error.message),
        Err(_) => (String::new(), String::from_utf8_lossy(body).into_owned()),
    };
    // Another's words go to the log: short, and on one line.
    let clean = |text: String| text.chars().filter(|c| !c.is_control()).take(300).collect();
    LinkError::Refused { status: status.as_u16(), code: clean(code), message: clean(message) }
}

/// reqwest's own text hides the reason among its sources.
fn unreachable(error: reqwest::Error) -> LinkError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    LinkError::Unreachable(text)
}
