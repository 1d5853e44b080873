//! Rows of tasks.

use super::{Store, StoreError, bytes, hash, now_millis, wei};
use crate::task::Status;
use alloy::primitives::{B256, U256};
use sqlx::{Row, sqlite::SqliteRow};

/// A task to be stored.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// UUID v7: sorts by time.
    pub id: String,
    /// The manifest's name.
    pub model: String,
    /// Which model.
    pub model_id: B256,
    /// Canonical request bytes.
    pub request: Vec<u8>,
    /// Wei.
    pub price: U256,
    /// Wei a pricing unit, which miners compare with their least price.
    pub unit_price: U256,
    /// Hash of the API key and the app's `Idempotency-Key`.
    pub idempotency: Option<B256>,
    /// Hash of what the app sent: the same key with another body is a mistake.
    pub body_hash: B256,
}

/// A stored task.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TaskRecord {
    pub id: String,
    pub model: String,
    pub model_id: B256,
    pub request: Vec<u8>,
    pub price: U256,
    pub unit_price: U256,
    pub status: Status,
    pub error: Option<String>,
    /// The lease in work, or whose result was accepted.
    pub lease: Option<String>,
    pub created: i64,
    pub updated: i64,
}

/// What became of an insertion.
#[derive(Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    New,
    /// A task with this idempotency key and body is there already.
    Same(String),
    /// A task with this idempotency key and another body is there already.
    Conflict,
}

impl Store {
    /// Stores a task as queued. On return it survives a crash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_task(&self, task: &NewTask) -> Result<Inserted, StoreError> {
        let mut transaction = self.writer.begin().await?;
        if let Some(key) = task.idempotency {
            let row = sqlx::query("SELECT id, body_hash FROM tasks WHERE idempotency = ?")
                .bind(key.as_slice())
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(row) = row {
                let same = hash(&row, "body_hash")? == task.body_hash;
                return Ok(if same { Inserted::Same(row.try_get("id")?) } else { Inserted::Conflict });
            }
        }
        sqlx::query(
            "INSERT INTO tasks (id, model, model_id, request, price, unit_price, status, idempotency, body_hash, created, updated)
             VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)",
        )
        .bind(&task.id)
        .bind(&task.model)
        .bind(task.model_id.as_slice())
        .bind(&task.request)
        .bind(task.price.to_string())
        .bind(task.unit_price.to_string())
        .bind(task.idempotency.as_ref().map(|key| key.as_slice().to_vec()))
        .bind(task.body_hash.as_slice())
        .bind(now_millis())
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Inserted::New)
    }

    /// A task by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task(&self, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM tasks WHERE id = ?").bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(record).transpose()
    }

    /// Every task that is not final, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_tasks(&self) -> Result<Vec<TaskRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tasks WHERE status IN ('queued', 'leased') ORDER BY id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// Number of tasks that are done, since the database began.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn done_count(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS done FROM results").fetch_one(&self.readers).await?;
        Ok(row.try_get::<i64, _>("done")?.unsigned_abs())
    }

    /// Ends a task that is not final as failed or cancelled. False if it was final already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_task(&self, id: &str, status: Status, error: &str) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let ended = sqlx::query(
            "UPDATE tasks SET status = ?, error = ?, updated = ? WHERE id = ? AND status IN ('queued', 'leased')",
        )
        .bind(status.as_str())
        .bind(error)
        .bind(now_millis())
        .bind(id)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
            == 1;
        if ended {
            sqlx::query("UPDATE leases SET over = ? WHERE task = ? AND over IS NULL")
                .bind(status.as_str())
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }
}

fn record(row: &SqliteRow) -> Result<TaskRecord, StoreError> {
    let status: String = row.try_get("status")?;
    Ok(TaskRecord {
        id: row.try_get("id")?,
        model: row.try_get("model")?,
        model_id: hash(row, "model_id")?,
        request: bytes(row, "request")?,
        price: wei(row, "price")?,
        unit_price: wei(row, "unit_price")?,
        status: status.parse().map_err(|_| StoreError::Malformed("status"))?,
        error: row.try_get("error")?,
        lease: row.try_get("lease")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
    })
}
