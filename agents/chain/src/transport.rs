//! JSON-RPC over HTTP to several URLs: the first that works, in the order given.
//!
//! Each URL is asked for its chain id before it is used for anything else, so that a wrong second URL does no harm on the day
//! that the first one fails. URLs often carry an API key, so only scheme and host are ever logged or put in an error.

use alloy::primitives::U64;
use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tower::Service;
use tracing::{error, warn};
use url::Url;

/// A URL that failed is not tried for so long while others work.
const REST: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(20);

/// The transport. Clones share what is known about the URLs.
#[derive(Clone)]
pub(crate) struct Failover {
    client: reqwest::Client,
    endpoints: Arc<[Endpoint]>,
    chain_id: u64,
}

struct Endpoint {
    url: Url,
    /// Scheme, host and port of `url`.
    name: String,
    /// Whether it said that it is on the right chain.
    checked: AtomicBool,
    rests_until: Mutex<Option<Instant>>,
}

/// Why an endpoint did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// Another chain than the deployment's.
    #[error("{name} is on chain {actual}, not on {expected}")]
    WrongChain { name: String, expected: u64, actual: u64 },
    /// No HTTP answer.
    #[error("{name} does not answer: {source}")]
    Http { name: String, source: reqwest::Error },
    /// An HTTP error.
    #[error("{name} answers with HTTP status {status}")]
    Status { name: String, status: u16 },
    /// Something else than JSON-RPC.
    #[error("{name} does not answer with JSON-RPC: {source}")]
    Malformed { name: String, source: serde_json::Error },
}

impl Failover {
    /// Over `urls`, which must all be on `chain_id`.
    pub(crate) fn new(urls: Vec<Url>, chain_id: u64) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let endpoints = urls.into_iter().map(Endpoint::new).collect();
        Ok(Self { client, endpoints, chain_id })
    }

    /// Asks every URL for its chain id. It is enough that one answers, but all that do must be on the right chain.
    ///
    /// # Errors
    /// The last endpoint's, or the first that is on the wrong chain.
    pub(crate) async fn check(&self) -> Result<(), EndpointError> {
        let mut outcome = Ok(());
        let mut any = false;
        for endpoint in self.endpoints.iter() {
            match self.check_chain(endpoint).await {
                Ok(()) => any = true,
                Err(e @ EndpointError::WrongChain { .. }) => return Err(e),
                Err(e) => {
                    warn!("{e}");
                    outcome = Err(e);
                }
            }
        }
        if any { Ok(()) } else { outcome }
    }

    async fn send(self, request: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let (ready, resting): (Vec<_>, Vec<_>) = self.endpoints.iter().partition(|e| !e.rests());
        let mut failure = None;
        for endpoint in ready.into_iter().chain(resting) {
            match self.ask(endpoint, &request).await {
                Ok(answer) => {
                    endpoint.set_rest(None);
                    return Ok(answer);
                }
                Err(e) => {
                    match &e {
                        EndpointError::WrongChain { .. } => error!("{e}: it is not used"),
                        _ if !endpoint.rests() => warn!("{e}"),
                        _ => {}
                    }
                    endpoint.set_rest(Some(Instant::now() + REST));
                    failure = Some(e);
                }
            }
        }
        Err(failure.map_or_else(|| TransportErrorKind::custom_str("no RPC URL"), TransportErrorKind::custom))
    }

    async fn ask(&self, endpoint: &Endpoint, request: &RequestPacket) -> Result<ResponsePacket, EndpointError> {
        self.check_chain(endpoint).await?;
        self.post(endpoint, request).await
    }

    async fn check_chain(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        #[derive(Deserialize)]
        struct Answer {
            result: U64,
        }
        if endpoint.checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let question = json!({ "jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": [] });
        let actual = self.post::<_, Answer>(endpoint, &question).await?.result.to();
        if actual != self.chain_id {
            return Err(EndpointError::WrongChain { name: endpoint.name.clone(), expected: self.chain_id, actual });
        }
        endpoint.checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn post<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        question: &Q,
    ) -> Result<A, EndpointError> {
        let http = |e: reqwest::Error| EndpointError::Http { name: endpoint.name.clone(), source: e.without_url() };
        let answer = self.client.post(endpoint.url.clone()).json(question).send().await.map_err(http)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(http)?;
        // Some nodes send a JSON-RPC error with a status of 4xx: it is an answer, unless it says that we ask too often.
        match serde_json::from_slice(&body) {
            Ok(answer) if status.is_success() || (status.is_client_error() && status.as_u16() != 429) => Ok(answer),
            Err(source) if status.is_success() => Err(EndpointError::Malformed { name: endpoint.name.clone(), source }),
            _ => Err(EndpointError::Status { name: endpoint.name.clone(), status: status.as_u16() }),
        }
    }
}

impl Endpoint {
    fn new(url: Url) -> Self {
        let name = url.origin().ascii_serialization();
        Self { url, name, checked: AtomicBool::new(false), rests_until: Mutex::new(None) }
    }

    fn rests(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn set_rest(&self, until: Option<Instant>) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Service<RequestPacket> for Failover {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
