//! A coordinator that speaks the wire types over HTTP, and can be told to cheat.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::result_large_err, reason = "errors are whole responses")]

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    signers::local::PrivateKeySigner,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cuckoo_miner::link::Coordinator;
use cuckoo_protocol::{
    body::Body,
    contracts::{Offer, Session, Voucher},
    deployment::{Contracts, Deployment},
    link::{AuditNotice, NOT_PAID, ResultAnswer, ResultSubmission},
    link::{ClaimAnswer, Decline, ErrorBody, ErrorDetail, Lease, LeaseEvent, LoginAnswer, LoginRequest, Nonce},
    manifest::{Limits, Manifest},
    message::{Domain, Signed},
    request::{self, Request},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::net::TcpListener;

/// The miner's operator in all tests.
pub const MINER: Address = Address::repeat_byte(2);

/// The time in all tests, chain seconds.
pub const NOW: u64 = 1_000_000;

pub fn deployment() -> Deployment {
    let [cai, faucet, staking, registry, payments, lens] = [11, 12, 13, 14, 15, 16].map(Address::repeat_byte);
    Deployment {
        chain_id: 31337,
        block: 0,
        contracts: Contracts { cai, faucet, staking, registry, payments, lens, ..Contracts::default() },
    }
}

pub fn domain() -> Domain {
    Domain::new(31337, deployment().contracts.registry)
}

/// Of a model that takes input pictures.
pub fn manifest() -> Manifest {
    let mut manifest = Manifest::parse(include_bytes!("../../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
    let Limits::Image(limits) = &mut manifest.limits else { panic!("another model") };
    limits.input_picture = true;
    manifest
}

/// What the fake does and has seen.
pub struct Behaviour {
    pub nonce: Nonce,
    /// Signs sessions and vouchers.
    pub node: PrivateKeySigner,
    /// Signs sessions for this token instead of the one that it gives.
    pub signed_token: Option<String>,
    /// Signs sessions for this login instead of the one that it got.
    pub signed_login: Option<B256>,
    pub session_expiry: u64,
    /// In wei.
    pub owed: U256,
    pub login_voucher: Option<Signed<Voucher>>,
    /// Adds nothing to what it owes for a result.
    pub underpays: bool,
    /// Answers results with this status.
    pub refuses_results: Option<(u16, &'static str)>,
    /// Heartbeats say that the lease is over.
    pub lease_over: bool,
    /// Any token of before is unknown.
    pub forgets_sessions: bool,
    /// Answers claims so long that no miner should read it.
    pub floods: bool,
    /// The pictures that leases come with.
    pub blob: Vec<u8>,
    pub queue: VecDeque<Lease>,
    pub logins: Vec<LoginRequest>,
    pub events: Vec<LeaseEvent>,
    pub results: Vec<(String, ResultSubmission)>,
    /// Audits every result.
    pub audits: bool,
    /// Finds every audited result false.
    pub finds_fault: bool,
    /// What audits got: a lease's packed trace.
    pub traces: Vec<(String, Vec<u8>)>,
    /// Leases whose audit is done.
    pub audited: Vec<String>,
    pub declined: Vec<(String, String)>,
    pub claims: usize,
    /// Claims that wait for a task now.
    pub parked: usize,
}

#[derive(Clone)]
pub struct Fake {
    pub coordinator: Coordinator,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (operator, node) = (Address::repeat_byte(1), PrivateKeySigner::random());
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let coordinator = Coordinator::new(operator, node.address(), &endpoint).unwrap();
        let nonce = Nonce {
            nonce: B256::repeat_byte(3),
            expiry: NOW + 60,
            coordinator: operator,
            coordinator_node: node.address(),
            chain_id: 31337,
            registry: deployment().contracts.registry,
        };
        let behaviour = Behaviour {
            nonce,
            node,
            signed_token: None,
            signed_login: None,
            session_expiry: NOW + 3600,
            owed: U256::ZERO,
            login_voucher: None,
            underpays: false,
            refuses_results: None,
            lease_over: false,
            forgets_sessions: false,
            floods: false,
            blob: Vec::new(),
            queue: VecDeque::new(),
            logins: Vec::new(),
            events: Vec::new(),
            results: Vec::new(),
            audits: false,
            finds_fault: false,
            traces: Vec::new(),
            audited: Vec::new(),
            declined: Vec::new(),
            claims: 0,
            parked: 0,
        };
        let fake = Self { coordinator, behaviour: Arc::new(Mutex::new(behaviour)) };
        let router = Router::new()
            .route("/link/v1/nonce", get(async |State(fake): State<Fake>| Json(fake.get().nonce.clone())))
            .route("/link/v1/login", post(login))
            .route("/link/v1/claim", post(claim))
            .route("/link/v1/leases/{id}/blob", get(blob))
            .route("/link/v1/leases/{id}/events", post(event))
            .route("/link/v1/leases/{id}/result", post(result))
            .route("/link/v1/leases/{id}/trace", post(trace))
            .route("/link/v1/leases/{id}/pay", get(pay))
            .route("/link/v1/leases/{id}/decline", post(decline))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub fn get(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }

    pub fn voucher(&self, cumulative: U256) -> Signed<Voucher> {
        let voucher = Voucher { payer: self.coordinator.operator, payee: MINER, cumulative };
        domain().sign(voucher, &self.get().node).unwrap()
    }

    /// Queues a task of the default model that pays `price` wei.
    pub fn offer(&self, id: &str, price: u64) -> Body {
        let manifest = manifest();
        let body = manifest.default_body(format!("picture {id}"));
        self.queue(id, price, &body, &[]);
        body
    }

    /// Queues a task of the default model that comes with a picture.
    pub fn offer_with_picture(&self, id: &str, price: u64, blob: &[u8]) {
        let body = manifest().body_with_picture(format!("picture {id}")).unwrap();
        self.queue(id, price, &body, blob);
    }

    fn queue(&self, id: &str, price: u64, body: &Body, blob: &[u8]) {
        let manifest = manifest();
        let request = Request::new(manifest.model_id(), keccak256(id), body, blob, true).encode().unwrap();
        let offer = Offer {
            coordinator: self.coordinator.operator,
            miner: MINER,
            modelId: manifest.model_id(),
            requestHash: request::hash(&request),
            price: U256::from(price),
            expiry: NOW + 600,
        };
        let offer = domain().sign(offer, &self.get().node).unwrap();
        let lease = Lease { id: id.to_owned(), offer, request: request.into(), deadline: NOW + 30 };
        self.get().queue.push_back(lease);
    }

    /// Waits until `reached`, for at most ten seconds.
    pub async fn until(&self, what: &str, reached: impl Fn(&Behaviour) -> bool) {
        for _ in 0..1000 {
            if reached(&self.get()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    fn authorised(&self, headers: &HeaderMap) -> Result<(), Response> {
        let mut behaviour = self.get();
        if std::mem::take(&mut behaviour.forgets_sessions) {
            behaviour.logins.clear();
        }
        let token = format!("Bearer token-{}", behaviour.logins.len());
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if !behaviour.logins.is_empty() && sent == Some(&token) { Ok(()) } else { Err(error(401, "unauthenticated")) }
    }
}

fn error(status: u16, code: &str) -> Response {
    let error = ErrorDetail { message: "no".to_owned(), kind: "link".to_owned(), code: code.to_owned(), param: None };
    (StatusCode::from_u16(status).unwrap(), Json(ErrorBody { error })).into_response()
}

async fn login(State(fake): State<Fake>, Json(request): Json<LoginRequest>) -> Json<LoginAnswer> {
    let mut behaviour = fake.get();
    let login_hash = domain().digest(&request.login.message);
    behaviour.logins.push(request);
    let token = format!("token-{}", behaviour.logins.len());
    let session = Session {
        loginHash: behaviour.signed_login.unwrap_or(login_hash),
        tokenHash: keccak256(behaviour.signed_token.as_ref().unwrap_or(&token)),
        expiry: behaviour.session_expiry,
    };
    let session = domain().sign(session, &behaviour.node).unwrap();
    Json(LoginAnswer { token, session, voucher: behaviour.login_voucher.clone() })
}

async fn claim(State(fake): State<Fake>, headers: HeaderMap) -> Result<Response, Response> {
    fake.authorised(&headers)?;
    fake.get().claims += 1;
    if fake.get().floods {
        return Ok("[".repeat(1 << 20).into_response());
    }
    fake.get().parked += 1;
    for _ in 0..100 {
        if !fake.get().queue.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut behaviour = fake.get();
    behaviour.parked -= 1;
    let lease = behaviour.queue.pop_front();
    let answer = lease.map_or(ClaimAnswer::Skipped(BTreeMap::new()), |lease| ClaimAnswer::Lease(Box::new(lease)));
    Ok(Json(answer).into_response())
}

async fn blob(State(fake): State<Fake>, headers: HeaderMap) -> Result<Vec<u8>, Response> {
    fake.authorised(&headers)?;
    Ok(fake.get().blob.clone())
}

async fn event(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Json(event): Json<LeaseEvent>,
) -> Result<StatusCode, Response> {
    fake.authorised(&headers)?;
    fake.get().events.push(event);
    if fake.get().lease_over { Err(error(410, "lease_over")) } else { Ok(StatusCode::NO_CONTENT) }
}

async fn result(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(submission): Json<ResultSubmission>,
) -> Result<Json<ResultAnswer>, Response> {
    fake.authorised(&headers)?;
    if let Some((status, code)) = fake.get().refuses_results {
        return Err(error(status, code));
    }
    let cumulative = {
        let mut behaviour = fake.get();
        behaviour.results.push((id, submission));
        if behaviour.audits {
            return Ok(Json(ResultAnswer::Audit(AuditNotice { deadline: NOW + 60, received: false })));
        }
        if !behaviour.underpays {
            behaviour.owed += U256::from(5);
        }
        behaviour.owed
    };
    Ok(Json(ResultAnswer::Voucher(fake.voucher(cumulative))))
}

async fn trace(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Path(id): Path<String>,
    packed: Bytes,
) -> Result<Json<ResultAnswer>, Response> {
    fake.authorised(&headers)?;
    fake.get().traces.push((id, packed.into()));
    Ok(Json(ResultAnswer::Audit(AuditNotice { deadline: NOW + 60, received: true })))
}

async fn pay(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<ResultAnswer>, Response> {
    fake.authorised(&headers)?;
    let mut behaviour = fake.get();
    if behaviour.finds_fault {
        return Err(error(409, NOT_PAID));
    }
    let received = behaviour.traces.iter().any(|(lease, _)| *lease == id);
    if !received || !behaviour.audited.contains(&id) {
        return Ok(Json(ResultAnswer::Audit(AuditNotice { deadline: NOW + 60, received })));
    }
    behaviour.audited.retain(|lease| *lease != id);
    behaviour.owed += U256::from(5);
    let owed = behaviour.owed;
    drop(behaviour);
    Ok(Json(ResultAnswer::Voucher(fake.voucher(owed))))
}

async fn decline(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(decline): Json<Decline>,
) -> Result<StatusCode, Response> {
    fake.authorised(&headers)?;
    fake.get().declined.push((id, decline.reason));
    Ok(StatusCode::NO_CONTENT)
}
