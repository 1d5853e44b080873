//! Rows of checks: what other operators' miners were paid for checking, and who checked wrongly.

use super::{Store, StoreError, address, leases, now_millis};
use alloy::primitives::{Address, U256};
use sqlx::Row;

/// What is known of a miner that checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckerRecord {
    /// Its operator.
    pub miner: Address,
    /// Checks that it made right whose answer was known beforehand.
    pub proven: u64,
    /// Whether one of its checks was wrong.
    pub wrong: bool,
}

impl Store {
    /// Stores what came of a check; its price is added to the channel in the same transaction, unless it is `wrong`. False if that was stored before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_check(
        &self,
        id: &str,
        miner: Address,
        price: U256,
        known: bool,
        wrong: bool,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO checks (id, miner, price, known, outcome, created) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(miner.as_slice())
        .bind(price.to_string())
        .bind(known)
        .bind(if wrong { "wrong" } else { "paid" })
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        if !wrong {
            let cumulative = leases::owed(&mut transaction, miner).await?.saturating_add(price);
            leases::raise(&mut transaction, miner, cumulative).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Every miner that has checked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn checkers(&self) -> Result<Vec<CheckerRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT miner, SUM(known = 1 AND outcome = 'paid') AS proven, MAX(outcome = 'wrong') AS wrong FROM checks GROUP BY miner",
        )
        .fetch_all(&self.readers)
        .await?;
        let read = |row| {
            let proven = sqlx::sqlite::SqliteRow::try_get::<i64, _>(row, "proven")?.unsigned_abs();
            Ok(CheckerRecord { miner: address(row, "miner")?, proven, wrong: row.try_get("wrong")? })
        };
        rows.iter().map(read).collect()
    }
}
