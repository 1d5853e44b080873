//! `GET /v1/challenges`: results that audits found false.

use crate::{coordinator::Coordinator, error::ApiError, store::ChallengeRecord};
use alloy::primitives::{Address, B256};
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// As many are shown, the newest first.
const SHOWN: u32 = 200;

/// A result that is challenged, as anybody may see it.
#[derive(Serialize, ToSchema)]
pub(super) struct Challenge {
    task: String,
    #[schema(value_type = String)]
    miner: Address,
    /// 0 is `init`, k the k-th step, N + 1 `finish`.
    transition: u32,
    reason: String,
    /// `due`, `open`, `convicted`, `acquitted`, `drawn`, or `withheld`: not disputed, see `note`.
    status: &'static str,
    /// Of the dispute on chain.
    #[schema(value_type = Option<String>)]
    dispute: Option<B256>,
    /// Wei taken from the miner and its voters.
    #[serde(skip_serializing_if = "Option::is_none")]
    slashed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Unix seconds.
    updated: i64,
}

impl From<ChallengeRecord> for Challenge {
    fn from(record: ChallengeRecord) -> Self {
        Self {
            task: record.task,
            miner: record.miner,
            transition: record.finding.transition,
            reason: record.finding.reason,
            status: record.state.as_str(),
            dispute: record.dispute,
            slashed: record.slashed.map(|wei| wei.to_string()),
            note: record.note,
            updated: record.updated / 1000,
        }
    }
}

/// Results that audits found false, the newest first.
#[utoipa::path(get, path = "/v1/challenges", tag = "network",
    responses((status = 200, description = "The challenges", body = Vec<Challenge>), ApiError))]
pub(super) async fn list(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Vec<Challenge>>, ApiError> {
    let records = coordinator.store.challenges(SHOWN).await?;
    Ok(Json(records.into_iter().map(Challenge::from).collect()))
}
