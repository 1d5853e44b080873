//! The receipt of a task: what an app keeps to prove which model ran, for whom, and what was promised.

use crate::{
    contracts::{Offer, Result as TaskResult},
    message::Signed,
};
use alloy::primitives::Bytes;
use serde::{Deserialize, Serialize};

/// The field `cuckoo` of answers, and `GET /v1/tasks/{id}/receipt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Id of the task.
    pub task: String,
    /// Canonical bytes of the request; their keccak256 is the offer's `requestHash`.
    pub request: Bytes,
    /// By the coordinator's node.
    pub offer: Signed<Offer>,
    /// By the miner's node.
    pub result: Signed<TaskResult>,
}
