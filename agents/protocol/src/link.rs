//! Wire types of the link between a miner and a coordinator: HTTP with JSON under `/link/v1`, the miner always calling.
//!
//! | Call | Body | Answer |
//! |---|---|---|
//! | `GET /link/v1/models/{modelId}/{path}` | | a file of a model's package, also in ranges; `cuckoo.json` first |
//! | `GET /link/v1/nonce` | | [`Nonce`] |
//! | `POST /link/v1/login` | [`LoginRequest`] | [`LoginAnswer`] |
//! | `POST /link/v1/claim` | [`ClaimRequest`] | [`ClaimAnswer`], after at most [`PARK_SECONDS`] |
//! | `GET /link/v1/leases/{id}/blob` | | the request's input pictures, as bytes; the request's `blobRoot` commits to them |
//! | `POST /link/v1/leases/{id}/events` | [`LeaseEvent`] | 204, or 410 when the lease is over |
//! | `POST /link/v1/leases/{id}/result` | [`ResultSubmission`] | [`ResultAnswer`] |
//! | `POST /link/v1/leases/{id}/trace` | [`crate::trace::pack`] of all states, as bytes | [`ResultAnswer`] |
//! | `GET /link/v1/leases/{id}/pay` | | [`ResultAnswer`] |
//! | `POST /link/v1/leases/{id}/decline` | [`Decline`] | 204 |
//! | `POST /link/v1/checks` | [`ClaimRequest`] | [`CheckAnswer`], at once; 404 if the coordinator checks by itself |
//! | `GET /link/v1/checks/{id}` | | [`crate::trace::pack`] of the states to start from, as bytes |
//! | `POST /link/v1/checks/{id}` | [`crate::trace::pack`] of what they lead to, then the output's file, as bytes | 204 |
//! | `POST /link/v1/checks/{id}/decline` | [`Decline`] | 204 |
//!
//! All but the first three carry `Authorization: Bearer <token>`. Errors are [`ErrorBody`] with a fitting status.

use crate::{
    contracts::{Login, Offer, Result as TaskResult, Session, Voucher},
    message::Signed,
};
use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest time that a claim is parked.
pub const PARK_SECONDS: u64 = 25;

/// A stateless nonce: the coordinator recognises its own by a MAC, and forgets it when it is spent or has expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nonce {
    /// To be signed within [`crate::contracts::Login`].
    pub nonce: B256,
    /// Unix seconds.
    pub expiry: u64,
    /// The coordinator's operator.
    pub coordinator: Address,
    /// The key that signs for it.
    pub coordinator_node: Address,
    /// Chain that the coordinator works on.
    pub chain_id: u64,
    /// Registry that the coordinator works with.
    pub registry: Address,
}

/// A model that a miner runs, and for how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Which model.
    pub model_id: B256,
    /// Least price that the miner takes, in wei a pricing unit.
    #[serde(with = "crate::amount::wei")]
    pub least_price: U256,
}

/// Opens a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginRequest {
    /// By the miner's node.
    pub login: Signed<Login>,
    /// Models that it runs.
    pub models: Vec<Capability>,
    /// Tasks that it works on at once.
    pub slots: u32,
    /// The highest voucher that it holds from this coordinator: the larger of both sides' wins.
    pub voucher: Option<Signed<Voucher>>,
}

/// A session: short, renewed by a new login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginAnswer {
    /// Bearer token. Its keccak256 is the session's `tokenHash`.
    pub token: String,
    /// By the coordinator's node: the miner checks it before it works.
    pub session: Signed<Session>,
    /// All that the coordinator owes, signed anew.
    pub voucher: Option<Signed<Voucher>>,
}

/// Asks for one task.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClaimRequest {}

/// A task, or the reasons why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// Work.
    Lease(Box<Lease>),
    /// No work: how many queued tasks were passed over, by reason. Empty when none is queued.
    Skipped(BTreeMap<String, u64>),
}

/// A task given to one miner for a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Id of the lease.
    pub id: String,
    /// By the coordinator's node.
    pub offer: Signed<Offer>,
    /// Canonical bytes of the request.
    pub request: Bytes,
    /// Unix seconds at which the task is offered to another miner, unless a heartbeat moves it.
    pub deadline: u64,
}

/// A sign of life from a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeaseEvent {
    /// Steps done.
    pub step: u32,
    /// Steps in all.
    pub steps: u32,
}

/// A finished task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResultSubmission {
    /// By the miner's node.
    pub result: Signed<TaskResult>,
    /// The output as a file, base64: a picture as PNG, whose pixels must hash to the result's `outputHash`; vectors as f32
    /// little-endian, one after another, whose bytes must.
    #[serde(with = "base64_bytes")]
    pub output: Vec<u8>,
}

/// What an accepted result earns: pay at once, or an audit first. A cumulative voucher cannot be taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultAnswer {
    /// Pay: all that the coordinator owes the miner by now.
    Voucher(Signed<Voucher>),
    /// The result is audited, and paid when that has gone well.
    Audit(AuditNotice),
}

/// A result that is paid after its audit. Until then the miner asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditNotice {
    /// Unix seconds until which the trace must be here: later it is not paid, and may be challenged on chain.
    pub deadline: u64,
    /// Whether the trace is here.
    pub received: bool,
}

/// Code of the refusal of a result's pay for good: its audit went wrong, or its trace did not come in time.
pub const NOT_PAID: &str = "not_paid";

/// The reason of a [`Decline`] that says: no slot is free just now, but later one may be.
pub const BUSY: &str = "busy";

/// Why a miner gives a lease back; not a fault. It does not get the task again, unless the reason is [`BUSY`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decline {
    /// For people and counters.
    pub reason: String,
}

/// Code of the refusal of all further checks: one that this miner made was wrong.
pub const NOT_TRUSTED: &str = "not_trusted";

/// A check to make, if there is one, and pay for earlier ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckAnswer {
    /// All that the coordinator owes by now; there if checks were paid since this miner last asked.
    #[serde(default)]
    pub voucher: Option<Signed<Voucher>>,
    /// For this miner alone.
    #[serde(default)]
    pub check: Option<Check>,
}

/// A trace whose transitions are to be run again, each from the state before it. There is no verdict to give: the answer is what the
/// states lead to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Id of the check.
    pub id: String,
    /// Canonical bytes of the request.
    pub request: Bytes,
    /// Paid if the answer is right, in the same voucher as work.
    #[serde(with = "crate::amount::wei")]
    pub price: U256,
    /// Unix seconds at which the check is given to another miner.
    pub deadline: u64,
}

/// The body of every error, in the form that OpenAI's clients read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A sentence that says what to do.
    pub message: String,
    /// Class, such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable word to match on, such as `lease_over`.
    pub code: String,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub param: Option<String>,
}

/// Serialises bytes as base64.
pub mod base64_bytes {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// As base64 with padding.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&BASE64_STANDARD.encode(bytes))
    }

    /// From base64 with padding.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(|e| D::Error::custom(format!("want base64: {e}")))
    }
}
