//! Ballots: what this miner has found as a juror, stored before it commits to it.

use super::{Store, StoreError, amount, hash, seconds};
use alloy::primitives::B256;
use cuckoo_protocol::{contracts::IDisputes::Verdict, dispute::Ballot};
use sqlx::{Row, sqlite::SqliteRow};

/// A ballot and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBallot {
    /// Id of the dispute.
    pub dispute: B256,
    /// From 0.
    pub round: u64,
    /// Of the round; after a reorganisation it may be another.
    pub seed: B256,
    /// Nobody needs it after that (chain seconds).
    pub reveal_until: u64,
    /// What is committed to.
    pub commitment: B256,
    /// Verdict, probe and salt.
    pub ballot: Ballot,
}

impl Store {
    /// Keeps a ballot. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_ballot(&self, stored: &StoredBallot) -> Result<(), StoreError> {
        let Ballot { verdict, probe, salt } = stored.ballot;
        sqlx::query("INSERT OR REPLACE INTO ballots VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(stored.commitment.as_slice())
            .bind(stored.dispute.as_slice())
            .bind(seconds(stored.round))
            .bind(stored.seed.as_slice())
            .bind(seconds(stored.reveal_until))
            .bind(verdict as u8)
            .bind(probe.to_string())
            .bind(salt.as_slice())
            .execute(&self.database)
            .await?;
        Ok(())
    }

    /// The ballot of a round with this seed, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ballot_for(&self, dispute: B256, round: u64, seed: B256) -> Result<Option<Ballot>, StoreError> {
        let row = sqlx::query("SELECT * FROM ballots WHERE dispute = ? AND round = ? AND seed = ?")
            .bind(dispute.as_slice())
            .bind(seconds(round))
            .bind(seed.as_slice())
            .fetch_optional(&self.database)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The ballot that a commitment is of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ballot(&self, commitment: B256) -> Result<Option<Ballot>, StoreError> {
        let row = sqlx::query("SELECT * FROM ballots WHERE commitment = ?")
            .bind(commitment.as_slice())
            .fetch_optional(&self.database)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Removes ballots that could be opened until before `time` (chain seconds).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_ballots(&self, time: u64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM ballots WHERE reveal_until < ?").bind(seconds(time)).execute(&self.database).await?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Ballot, StoreError> {
    let verdict = Verdict::try_from(row.try_get::<u8, _>("verdict")?).map_err(|_| StoreError::Damaged("a verdict"))?;
    Ok(Ballot { verdict, probe: amount(row.try_get("probe")?)?, salt: hash(row.try_get("salt")?)? })
}
