//! Rows of leases and results.

use super::{DrawRecord, Store, StoreError, address, bytes, draws, hash, now_millis, wei};
use alloy::primitives::{Address, B256, Signature, U256};
use cuckoo_protocol::{
    contracts::{Offer, Result as TaskResult},
    message::Signed,
};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

/// Why a lease ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// No sign of life in time.
    Expired,
    /// The miner cannot or will not do it; not a fault.
    Declined,
    /// The miner had no time; not a fault.
    Busy,
    /// The miner did not fetch it; not a fault.
    Undelivered,
}

impl Over {
    const ALL: [Self; 4] = [Self::Expired, Self::Declined, Self::Busy, Self::Undelivered];

    /// Its one spelling in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::Undelivered => "undelivered",
        }
    }
}

/// A stored lease: one offer to one miner.
#[derive(Clone, Debug)]
pub struct LeaseRecord {
    /// UUID v7.
    pub id: String,
    /// Its task.
    pub task: String,
    /// The miner's node when the lease was given; it signs the result.
    pub node: Address,
    /// Signed by this coordinator's node.
    pub offer: Signed<Offer>,
    /// The offer's digest.
    pub offer_hash: B256,
    /// Why it ended; none while it runs.
    pub over: Option<String>,
}

/// What became of a result.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It won, and its price was added to the channel, which now stands at this many wei.
    Paid(U256),
    /// It won, and is paid after its audit.
    Audited,
    /// This very result won before: the answer got lost. The channel stands at this many wei.
    Again(U256),
    /// The task ended otherwise.
    TooLate,
}

impl Store {
    /// Stores a lease together with the draw that chose its miner, and marks the task as leased. False if the task is not queued.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_lease(&self, lease: &LeaseRecord, draw: &DrawRecord) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let leased = sqlx::query(
            "UPDATE tasks SET status = 'leased', lease = ?, updated = ? WHERE id = ? AND status = 'queued'",
        )
        .bind(&lease.id)
        .bind(now_millis())
        .bind(&lease.task)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
            == 1;
        if !leased {
            return Ok(false);
        }
        let offer = &lease.offer.message;
        sqlx::query(
            "INSERT INTO leases (id, task, miner, node, price, expiry, offer_hash, signature, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&lease.id)
        .bind(&lease.task)
        .bind(offer.miner.as_slice())
        .bind(lease.node.as_slice())
        .bind(offer.price.to_string())
        .bind(offer.expiry as i64)
        .bind(lease.offer_hash.as_slice())
        .bind(lease.offer.signature_bytes())
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        draws::insert(&mut transaction, draw, &lease.task).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a lease without a result and puts its task back into the queue. False if the lease was over already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_lease(&self, lease: &str, over: Over) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let ended = sqlx::query("UPDATE leases SET over = ? WHERE id = ? AND over IS NULL")
            .bind(over.as_str())
            .bind(lease)
            .execute(&mut *transaction)
            .await?
            .rows_affected()
            == 1;
        if ended {
            sqlx::query(
                "UPDATE tasks SET status = 'queued', lease = NULL, updated = ? WHERE lease = ? AND status = 'leased'",
            )
            .bind(now_millis())
            .bind(lease)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }

    /// A lease by its id, with the offer rebuilt from it and its task.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease(&self, id: &str, coordinator: Address) -> Result<Option<LeaseRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT leases.*, tasks.model_id, tasks.request FROM leases JOIN tasks ON tasks.id = leases.task WHERE leases.id = ?",
        )
        .bind(id)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(|row| lease_record(row, coordinator)).transpose()
    }

    /// Miners that a task was offered to in vain, and why.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ended_leases(&self, task: &str) -> Result<Vec<(Address, Over)>, StoreError> {
        let rows = sqlx::query("SELECT miner, over FROM leases WHERE task = ? AND over IS NOT NULL ORDER BY id")
            .bind(task)
            .fetch_all(&self.readers)
            .await?;
        let mut ended = Vec::new();
        for row in &rows {
            let over: String = row.try_get("over")?;
            // Others ended with their task.
            if let Some(over) = Over::ALL.into_iter().find(|known| known.as_str() == over) {
                ended.push((address(row, "miner")?, over));
            }
        }
        Ok(ended)
    }

    /// Accepts a result whose signature and output were checked, unless another won: the task is done, and its price is added
    /// to the miner's channel, or its trace is asked for until `audit` (Unix seconds), in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accept(
        &self,
        lease: &LeaseRecord,
        result: &Signed<TaskResult>,
        audit: Option<u64>,
    ) -> Result<Accepted, StoreError> {
        let miner = lease.offer.message.miner;
        let mut transaction = self.writer.begin().await?;
        let owed = owed(&mut transaction, miner).await?;
        let won = sqlx::query(
            "UPDATE tasks SET status = 'done', lease = ?, error = NULL, updated = ? WHERE id = ? AND status IN ('queued', 'leased')",
        )
        .bind(&lease.id)
        .bind(now_millis())
        .bind(&lease.task)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
            == 1;
        if !won {
            let winner = sqlx::query("SELECT lease FROM results WHERE task = ? AND lease = ?")
                .bind(&lease.task)
                .bind(&lease.id)
                .fetch_optional(&mut *transaction)
                .await?;
            return Ok(if winner.is_some() { Accepted::Again(owed) } else { Accepted::TooLate });
        }
        let message = &result.message;
        sqlx::query(
            "INSERT INTO results (task, lease, trace_root, states, output_hash, signature, accepted) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&lease.task)
        .bind(&lease.id)
        .bind(message.traceRoot.as_slice())
        .bind(message.states)
        .bind(message.outputHash.as_slice())
        .bind(result.signature_bytes())
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE leases SET over = 'accepted' WHERE id = ?")
            .bind(&lease.id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE leases SET over = 'lost' WHERE task = ? AND over IS NULL")
            .bind(&lease.task)
            .execute(&mut *transaction)
            .await?;
        let price = if audit.is_some() { U256::ZERO } else { lease.offer.message.price };
        let cumulative = owed.saturating_add(price);
        raise(&mut transaction, miner, cumulative).await?;
        sqlx::query("UPDATE channels SET served = served + 1 WHERE miner = ?")
            .bind(miner.as_slice())
            .execute(&mut *transaction)
            .await?;
        if let Some(deadline) = audit {
            sqlx::query(
                "INSERT INTO audits (lease, miner, state, deadline, created, updated) VALUES (?, ?, 'asked', ?, ?, ?)",
            )
            .bind(&lease.id)
            .bind(miner.as_slice())
            .bind(deadline as i64)
            .bind(now_millis())
            .bind(now_millis())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(if audit.is_some() { Accepted::Audited } else { Accepted::Paid(cumulative) })
    }

    /// The accepted result of a task.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn result(&self, lease: &LeaseRecord) -> Result<Option<Signed<TaskResult>>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM results WHERE lease = ?").bind(&lease.id).fetch_optional(&self.readers).await?;
        row.map(|row| {
            let message = TaskResult {
                offerHash: lease.offer_hash,
                traceRoot: hash(&row, "trace_root")?,
                states: row.try_get("states")?,
                outputHash: hash(&row, "output_hash")?,
            };
            Ok(Signed { message, signature: signature(&row)? })
        })
        .transpose()
    }
}

/// All that is owed to `miner`, as the transaction sees it.
pub(super) async fn owed(transaction: &mut Transaction<'_, Sqlite>, miner: Address) -> Result<U256, StoreError> {
    let row = sqlx::query("SELECT cumulative FROM channels WHERE miner = ?")
        .bind(miner.as_slice())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.map(|row| wei(&row, "cumulative")).transpose()?.unwrap_or_default())
}

/// Sets all that is owed to `miner`.
pub(super) async fn raise(
    transaction: &mut Transaction<'_, Sqlite>,
    miner: Address,
    cumulative: U256,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO channels (miner, cumulative) VALUES (?, ?) ON CONFLICT (miner) DO UPDATE SET cumulative = excluded.cumulative",
    )
    .bind(miner.as_slice())
    .bind(cumulative.to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn lease_record(row: &SqliteRow, coordinator: Address) -> Result<LeaseRecord, StoreError> {
    let offer = Offer {
        coordinator,
        miner: address(row, "miner")?,
        modelId: hash(row, "model_id")?,
        requestHash: cuckoo_protocol::request::hash(&bytes(row, "request")?),
        price: wei(row, "price")?,
        expiry: row.try_get::<i64, _>("expiry")?.unsigned_abs(),
    };
    Ok(LeaseRecord {
        id: row.try_get("id")?,
        task: row.try_get("task")?,
        node: address(row, "node")?,
        offer: Signed { message: offer, signature: signature(row)? },
        offer_hash: hash(row, "offer_hash")?,
        over: row.try_get("over")?,
    })
}

fn signature(row: &SqliteRow) -> Result<Signature, StoreError> {
    Signature::from_raw(&bytes(row, "signature")?).map_err(|_| StoreError::Malformed("signature"))
}
