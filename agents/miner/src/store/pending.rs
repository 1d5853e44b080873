//! Results that are not paid yet: no coordinator has accepted them, or they are being audited.

use super::{Store, StoreError, amount, hash, seconds, signature};
use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::{contracts::Result as TaskResult, link::ResultSubmission, message::Signed};
use sqlx::{Row, sqlite::SqliteRow};

/// A finished lease whose result is to be submitted.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Operator of the coordinator that it goes to.
    pub coordinator: Address,
    /// This miner's operator.
    pub miner: Address,
    /// Id of the lease.
    pub lease: String,
    /// What its acceptance earns, in wei.
    pub price: U256,
    /// The offer's expiry, chain seconds.
    pub expiry: u64,
    /// What is sent.
    pub submission: ResultSubmission,
    /// It was accepted and is paid after an audit, whose trace is due until then (Unix seconds).
    pub audit: Option<u64>,
}

impl Pending {
    /// The offer that it answers.
    pub fn offer_hash(&self) -> B256 {
        self.submission.result.message.offerHash
    }
}

impl Store {
    /// Keeps a result, its trace's states s₀…s_N and its request's input pictures (empty if there are none), before it is submitted.
    /// Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]: then neither is kept.
    pub async fn keep(&self, pending: &Pending, states: Vec<Vec<u8>>, blob: Vec<u8>) -> Result<(), StoreError> {
        let offer_hash = pending.offer_hash();
        let bytes = self.write_trace(offer_hash, states).await? + i64::try_from(blob.len()).unwrap_or(i64::MAX);
        let result = &pending.submission.result;
        let mut transaction = self.database.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO traces VALUES (?, ?, ?)")
            .bind(offer_hash.as_slice())
            .bind(seconds(pending.expiry))
            .bind(bytes)
            .execute(&mut *transaction)
            .await?;
        if !blob.is_empty() {
            sqlx::query("INSERT OR REPLACE INTO inputs VALUES (?, ?)")
                .bind(offer_hash.as_slice())
                .bind(blob)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(offer_hash.as_slice())
            .bind(pending.coordinator.as_slice())
            .bind(pending.miner.as_slice())
            .bind(&pending.lease)
            .bind(pending.price.to_string())
            .bind(seconds(pending.expiry))
            .bind(result.message.traceRoot.as_slice())
            .bind(result.message.states)
            .bind(result.message.outputHash.as_slice())
            .bind(result.signature_bytes())
            .bind(&pending.submission.output)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Results for `coordinator` that `miner` has still to submit, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pending(&self, coordinator: Address, miner: Address) -> Result<Vec<Pending>, StoreError> {
        sqlx::query(
            "SELECT pending.*, audits.deadline FROM pending LEFT JOIN audits ON audits.offer_hash = pending.offer_hash
             WHERE coordinator = ? AND miner = ? ORDER BY pending.rowid",
        )
        .bind(coordinator.as_slice())
        .bind(miner.as_slice())
        .fetch_all(&self.database)
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Takes note that a pending result was accepted, and is paid after an audit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audited(&self, offer_hash: B256, deadline: u64) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO audits VALUES (?, ?)")
            .bind(offer_hash.as_slice())
            .bind(seconds(deadline))
            .execute(&self.database)
            .await?;
        Ok(())
    }

    /// Whether any of `miner`'s results for `coordinator` is being audited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn awaits_audits(&self, coordinator: Address, miner: Address) -> Result<bool, StoreError> {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM audits JOIN pending ON pending.offer_hash = audits.offer_hash WHERE coordinator = ? AND miner = ?",
        )
        .bind(coordinator.as_slice())
        .bind(miner.as_slice())
        .fetch_one(&self.database)
        .await?;
        Ok(waiting > 0)
    }

    /// Forgets a result that will never be accepted or paid. Its trace stays until it is pruned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up(&self, offer_hash: B256) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM pending WHERE offer_hash = ?")
            .bind(offer_hash.as_slice())
            .execute(&self.database)
            .await?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Pending, StoreError> {
    let blob = |column| row.try_get::<&[u8], _>(column);
    let result = TaskResult {
        offerHash: hash(blob("offer_hash")?)?,
        traceRoot: hash(blob("trace_root")?)?,
        states: row.try_get("states")?,
        outputHash: hash(blob("output_hash")?)?,
    };
    let signature = signature(blob("signature")?)?;
    Ok(Pending {
        coordinator: super::address(blob("coordinator")?)?,
        miner: super::address(blob("miner")?)?,
        lease: row.try_get("lease")?,
        price: amount(row.try_get("price")?)?,
        expiry: row.try_get::<i64, _>("expiry")?.unsigned_abs(),
        submission: ResultSubmission { result: Signed { message: result, signature }, output: row.try_get("output")? },
        audit: row.try_get::<Option<i64>, _>("deadline")?.map(i64::unsigned_abs),
    })
}
