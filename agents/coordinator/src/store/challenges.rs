//! Rows of challenges: results that an audit found false, and what becomes of their disputes.

use super::{Store, StoreError, address, bytes, now_millis, wei};
use crate::audit::Finding;
use alloy::primitives::{Address, B256, U256};
use sqlx::{Row, sqlite::SqliteRow};

/// State of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeState {
    /// To be raised on chain.
    Due,
    /// On chain, and without an end that is final.
    Open,
    /// The miner was slashed.
    Convicted,
    /// The miner was right.
    Acquitted,
    /// Nobody was right.
    Drawn,
    /// Not disputed on chain, or not any more: the pay is only kept back.
    Withheld,
}

impl ChallengeState {
    const ALL: [Self; 6] = [Self::Due, Self::Open, Self::Convicted, Self::Acquitted, Self::Drawn, Self::Withheld];

    /// Its one spelling in the database, in answers and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Open => "open",
            Self::Convicted => "convicted",
            Self::Acquitted => "acquitted",
            Self::Drawn => "drawn",
            Self::Withheld => "withheld",
        }
    }
}

/// A stored challenge.
#[derive(Clone, Debug)]
pub struct ChallengeRecord {
    /// Lease of the result.
    pub lease: String,
    /// Its task.
    pub task: String,
    /// The accused.
    pub miner: Address,
    /// What is wrong with it.
    pub finding: Finding,
    /// How far it has come.
    pub state: ChallengeState,
    /// Id of the dispute, once it is on chain.
    pub dispute: Option<B256>,
    /// Wei that were taken from the accused.
    pub slashed: Option<U256>,
    /// Why it is not disputed, or not any more.
    pub note: Option<String>,
    /// Unix milliseconds.
    pub updated: i64,
}

impl Store {
    /// The newest `limit` challenges.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn challenges(&self, limit: u32) -> Result<Vec<ChallengeRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT challenges.*, leases.task FROM challenges JOIN leases ON leases.id = challenges.lease ORDER BY challenges.created DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record).collect()
    }

    /// Challenges that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_challenges(&self) -> Result<Vec<ChallengeRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT challenges.*, leases.task FROM challenges JOIN leases ON leases.id = challenges.lease
             WHERE challenges.state IN ('due', 'open') ORDER BY challenges.created",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record).collect()
    }

    /// The challenge of a lease's result.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn challenge(&self, lease: &str) -> Result<Option<ChallengeRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT challenges.*, leases.task FROM challenges JOIN leases ON leases.id = challenges.lease WHERE challenges.lease = ?",
        )
        .bind(lease)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(record).transpose()
    }

    /// Stores how far a challenge has come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update_challenge(&self, challenge: &ChallengeRecord) -> Result<(), StoreError> {
        sqlx::query("UPDATE challenges SET state = ?, dispute = ?, slashed = ?, note = ?, updated = ? WHERE lease = ?")
            .bind(challenge.state.as_str())
            .bind(challenge.dispute.map(|id| id.to_vec()))
            .bind(challenge.slashed.map(|amount| amount.to_string()))
            .bind(&challenge.note)
            .bind(now_millis())
            .bind(&challenge.lease)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

fn record(row: &SqliteRow) -> Result<ChallengeRecord, StoreError> {
    let state: String = row.try_get("state")?;
    let state = ChallengeState::ALL.into_iter().find(|known| known.as_str() == state);
    let dispute: Option<Vec<u8>> = row.try_get("dispute")?;
    let slashed: Option<String> = row.try_get("slashed")?;
    Ok(ChallengeRecord {
        lease: row.try_get("lease")?,
        task: row.try_get("task")?,
        miner: address(row, "miner")?,
        finding: Finding {
            transition: row.try_get("transition")?,
            tile: row.try_get("tile")?,
            reason: row.try_get("reason")?,
        },
        state: state.ok_or(StoreError::Malformed("state of a challenge"))?,
        dispute: dispute
            .map(|_| B256::try_from(bytes(row, "dispute")?.as_slice()).map_err(|_| StoreError::Malformed("dispute")))
            .transpose()?,
        slashed: slashed.map(|_| wei(row, "slashed")).transpose()?,
        note: row.try_get("note")?,
        updated: row.try_get("updated")?,
    })
}
