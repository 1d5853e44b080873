//! Rows of audits: results that are paid only when their computation was checked.

use super::{Store, StoreError, address, leases, now_millis, wei};
use crate::audit::Finding;
use alloy::primitives::{Address, U256};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

/// State of an audit.
///
/// ```text
/// Asked ──trace──▶ Opened ──checked──▶ Passed (paid), Missed
///   └──deadline──▶ Refused    └──could not be checked──▶ Waived (paid)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditState {
    /// The trace is due.
    Asked,
    /// The trace is here, to be checked.
    Opened,
    /// Every transition is as it should be; paid.
    Passed,
    /// This coordinator could not check it; paid.
    Waived,
    /// A transition is false; not paid.
    Missed,
    /// The trace did not come in time; not paid.
    Refused,
}

impl AuditState {
    const ALL: [Self; 6] = [Self::Asked, Self::Opened, Self::Passed, Self::Waived, Self::Missed, Self::Refused];

    /// Its one spelling in the database, in answers and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Opened => "opened",
            Self::Passed => "passed",
            Self::Waived => "waived",
            Self::Missed => "missed",
            Self::Refused => "refused",
        }
    }
}

/// A stored audit.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Lease of the result.
    pub lease: String,
    /// Who is audited.
    pub miner: Address,
    /// How far it has come.
    pub state: AuditState,
    /// Unix seconds until which the trace is due.
    pub deadline: u64,
}

/// A result for which nobody vouches yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unaudited {
    /// Its lease.
    pub lease: String,
    /// Who made it.
    pub miner: Address,
    /// Wei.
    pub price: U256,
    /// Of the offer, chain seconds.
    pub expiry: u64,
}

impl Store {
    /// The audit of a lease's result, if it is audited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(&self, lease: &str) -> Result<Option<AuditRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM audits WHERE lease = ?").bind(lease).fetch_optional(&self.readers).await?;
        row.as_ref().map(record).transpose()
    }

    /// Every audit in a state, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audits(&self, state: AuditState) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM audits WHERE state = ? ORDER BY lease")
            .bind(state.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// Audits that a miner passed since one last went wrong.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn passed_audits(&self, miner: Address) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS passed FROM audits WHERE miner = ?1 AND state = 'passed' AND created >
                (SELECT COALESCE(MAX(created), 0) FROM audits WHERE miner = ?1 AND state IN ('missed', 'refused'))",
        )
        .bind(miner.as_slice())
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<i64, _>("passed")?.unsigned_abs())
    }

    /// Takes note that a trace is on disk. False if none is due any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_audit(&self, lease: &str) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let moved = advance(&mut transaction, lease, AuditState::Asked, AuditState::Opened).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    /// Ends an opened audit well, as passed or waived, and adds the result's price to the channel, in one transaction. False if it was not open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pass_audit(&self, lease: &str, state: AuditState) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        if !advance(&mut transaction, lease, AuditState::Opened, state).await? {
            return Ok(false);
        }
        let row = sqlx::query("SELECT miner, price FROM leases WHERE id = ?")
            .bind(lease)
            .fetch_one(&mut *transaction)
            .await?;
        let (miner, price) = (address(&row, "miner")?, wei(&row, "price")?);
        let cumulative = leases::owed(&mut transaction, miner).await?.saturating_add(price);
        leases::raise(&mut transaction, miner, cumulative).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends an audit badly and notes what is to be challenged, in one transaction. False if it has ended already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fail_audit(
        &self,
        audit: &AuditRecord,
        state: AuditState,
        finding: &Finding,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        if !advance(&mut transaction, &audit.lease, audit.state, state).await? {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO challenges (lease, miner, transition, tile, reason, state, created, updated) VALUES (?, ?, ?, ?, ?, 'due', ?, ?)",
        )
        .bind(&audit.lease)
        .bind(audit.miner.as_slice())
        .bind(finding.transition)
        .bind(finding.tile)
        .bind(&finding.reason)
        .bind(now_millis())
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Results of offers that expired after `time` (chain seconds) and that no audit has found good.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unaudited(&self, time: u64) -> Result<Vec<Unaudited>, StoreError> {
        let rows = sqlx::query(
            "SELECT leases.id, leases.miner, leases.price, leases.expiry FROM results JOIN leases ON leases.id = results.lease
             LEFT JOIN audits ON audits.lease = leases.id
             WHERE leases.expiry > ? AND (audits.state IS NULL OR audits.state IN ('asked', 'opened'))",
        )
        .bind(time as i64)
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &SqliteRow| {
            Ok(Unaudited {
                lease: row.try_get("id")?,
                miner: address(row, "miner")?,
                price: wei(row, "price")?,
                expiry: row.try_get::<i64, _>("expiry")?.unsigned_abs(),
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Moves an audit on. False if it is in another state.
async fn advance(
    transaction: &mut Transaction<'_, Sqlite>,
    lease: &str,
    from: AuditState,
    to: AuditState,
) -> Result<bool, StoreError> {
    let moved = sqlx::query("UPDATE audits SET state = ?, updated = ? WHERE lease = ? AND state = ?")
        .bind(to.as_str())
        .bind(now_millis())
        .bind(lease)
        .bind(from.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(moved.rows_affected() == 1)
}

fn record(row: &SqliteRow) -> Result<AuditRecord, StoreError> {
    let state: String = row.try_get("state")?;
    let state = AuditState::ALL.into_iter().find(|known| known.as_str() == state);
    Ok(AuditRecord {
        lease: row.try_get("lease")?,
        miner: address(row, "miner")?,
        state: state.ok_or(StoreError::Malformed("state of an audit"))?,
        deadline: row.try_get::<i64, _>("deadline")?.unsigned_abs(),
    })
}
