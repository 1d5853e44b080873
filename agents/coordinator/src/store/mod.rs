//! The coordinator's memory: SQLite, so that a restart loses no accepted task and owes what it owed.
//!
//! One connection writes, several read. A commit is on disk before it is answered (`synchronous = FULL`): results are paid.

mod audits;
mod challenges;
mod checks;
mod draws;
mod leases;
mod tasks;

pub use audits::{AuditRecord, AuditState, Unaudited};
pub use challenges::{ChallengeRecord, ChallengeState};
pub use checks::CheckerRecord;
pub use draws::DrawRecord;
pub use leases::{Accepted, LeaseRecord, Over};
pub use tasks::{Inserted, NewTask, TaskRecord};

use alloy::primitives::{Address, B256, Bytes, U256};
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// Failures of the database. Nothing that was answered before is lost.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Of SQLite: the disk is full, the file is locked or damaged.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A file beside the database.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file beside the database that should be there.
    #[error("cannot read {path}: {source}")]
    Gone {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A row that this program did not write.
    #[error("the database holds a malformed {0}")]
    Malformed(&'static str),
}

/// Handle on the database and the folder of outputs beside it; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    outputs: PathBuf,
    traces: PathBuf,
    blobs: PathBuf,
}

impl Store {
    /// Opens or creates `coordinator.db` in `folder`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let [outputs, traces, blobs] = ["outputs", "traces", "blobs"].map(|name| folder.join(name));
        for path in [&outputs, &traces, &blobs] {
            std::fs::create_dir_all(path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(folder.join("coordinator.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::raw_sql(include_str!("schema.sql")).execute(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers, outputs, traces, blobs })
    }

    /// Key of the MACs of nonces and session tokens: made once, so that sessions survive a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_key(&self) -> Result<[u8; 64], StoreError> {
        self.key("session_key", rand::random()).await
    }

    /// Secret of the coins that decide about audits: made once, and never told, so that a result's coin does not change with a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_key(&self) -> Result<[u8; 32], StoreError> {
        self.key("audit_key", rand::random()).await
    }

    /// The key of this name, which is `fresh` if there was none.
    async fn key<const N: usize>(&self, name: &'static str, fresh: [u8; N]) -> Result<[u8; N], StoreError> {
        let row = sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value RETURNING value",
        )
        .bind(name)
        .bind(fresh.to_vec())
        .fetch_one(&self.writer)
        .await?;
        row.try_get::<Vec<u8>, _>(0)?.try_into().map_err(|_| StoreError::Malformed(name))
    }

    /// The secret of `day`'s draws, made on first use; `None` if `create` is false and there was none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn draw_secret(&self, day: u64, create: bool) -> Result<Option<B256>, StoreError> {
        let stored = self.stored_secret(day).await?;
        if stored.is_none() && create {
            sqlx::query("INSERT INTO secrets (day, secret) VALUES (?, ?) ON CONFLICT (day) DO NOTHING")
                .bind(day as i64)
                .bind(rand::random::<[u8; 32]>().to_vec())
                .execute(&self.writer)
                .await?;
            return self.stored_secret(day).await;
        }
        Ok(stored)
    }

    async fn stored_secret(&self, day: u64) -> Result<Option<B256>, StoreError> {
        let row = sqlx::query("SELECT secret FROM secrets WHERE day = ?")
            .bind(day as i64)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| hash(&row, "secret")).transpose()
    }

    /// The number of the next draw.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_sequence(&self) -> Result<u64, StoreError> {
        let row =
            sqlx::query("SELECT COALESCE(MAX(sequence) + 1, 0) AS next FROM draws").fetch_one(&self.writer).await?;
        Ok(row.try_get::<i64, _>("next")?.unsigned_abs())
    }

    /// All that is owed to `miner` since their channel began, in wei, and the number of its accepted results.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn channel(&self, miner: Address) -> Result<(U256, u64), StoreError> {
        let row = sqlx::query("SELECT cumulative, served FROM channels WHERE miner = ?")
            .bind(miner.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        match row {
            Some(row) => Ok((wei(&row, "cumulative")?, row.try_get::<i64, _>("served")?.unsigned_abs())),
            None => Ok((U256::ZERO, 0)),
        }
    }

    /// Everybody who is owed anything, with the amount since the channel began.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn channels(&self) -> Result<Vec<(Address, U256)>, StoreError> {
        let rows = sqlx::query("SELECT miner, cumulative FROM channels").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((address(row, "miner")?, wei(row, "cumulative")?))).collect()
    }

    /// Raises what is owed to `miner` to `cumulative`, which its own voucher proves: a restored backup must not pay less.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn raise_channel(&self, miner: Address, cumulative: U256) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let known = leases::owed(&mut transaction, miner).await?;
        if cumulative > known {
            leases::raise(&mut transaction, miner, cumulative).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The file that a lease's result brought: a picture's PNG, vectors' bytes.
    pub fn output_path(&self, lease: &str) -> PathBuf {
        self.outputs.join(format!("{lease}.output"))
    }

    /// Puts an output on disk, whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub async fn write_output(&self, lease: &str, output: Bytes) -> Result<(), StoreError> {
        self.write(self.output_path(lease), output).await
    }

    /// The file of a trace that an audit got.
    pub fn trace_path(&self, lease: &str) -> PathBuf {
        self.traces.join(format!("{lease}.trace"))
    }

    /// Puts a packed trace on disk, whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub async fn write_trace(&self, lease: &str, packed: Bytes) -> Result<(), StoreError> {
        self.write(self.trace_path(lease), packed).await
    }

    /// Drops the trace of an audit that has ended.
    pub async fn drop_trace(&self, lease: &str) {
        // As with pictures.
        let _ = tokio::fs::remove_file(self.trace_path(lease)).await;
    }

    /// Puts the input pictures that hash to `root` on disk, whole or not at all. On return they survive a crash.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub async fn write_blob(&self, root: B256, blob: Bytes) -> Result<(), StoreError> {
        self.write(self.blob_path(root), blob).await
    }

    /// The input pictures that hash to `root`; empty for zero, as of a request without any.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if they are not there any more.
    pub async fn blob(&self, root: B256) -> Result<Vec<u8>, StoreError> {
        if root.is_zero() {
            return Ok(Vec::new());
        }
        let path = self.blob_path(root);
        tokio::fs::read(&path).await.map_err(|source| StoreError::Gone { path, source })
    }

    fn blob_path(&self, root: B256) -> PathBuf {
        self.blobs.join(format!("{root}.blob"))
    }

    async fn write(&self, path: PathBuf, content: Bytes) -> Result<(), StoreError> {
        let (partial, target) = (path.with_extension(Uuid::now_v7().to_string()), path.clone());
        let written = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&partial)?;
            std::io::Write::write_all(&mut file, &content)?;
            file.sync_all()?;
            std::fs::rename(&partial, &target)?;
            // The name, too, has to survive a power cut.
            target.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
        })
        .await
        .unwrap_or_else(|e| Err(std::io::Error::other(e)));
        written.map_err(|source| StoreError::File { path, source })
    }

    /// Drops the output of a result that came too late.
    pub async fn drop_output(&self, lease: &str) {
        // A file left behind costs some disk, nothing else.
        let _ = tokio::fs::remove_file(self.output_path(lease)).await;
    }
}

/// Unix milliseconds of now.
pub fn now_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}

fn bytes(row: &SqliteRow, column: &'static str) -> Result<Vec<u8>, StoreError> {
    Ok(row.try_get(column)?)
}

fn hash(row: &SqliteRow, column: &'static str) -> Result<B256, StoreError> {
    B256::try_from(bytes(row, column)?.as_slice()).map_err(|_| StoreError::Malformed(column))
}

fn address(row: &SqliteRow, column: &'static str) -> Result<Address, StoreError> {
    Address::try_from(bytes(row, column)?.as_slice()).map_err(|_| StoreError::Malformed(column))
}

fn wei(row: &SqliteRow, column: &'static str) -> Result<U256, StoreError> {
    let text: String = row.try_get(column)?;
    U256::from_str_radix(&text, 10).map_err(|_| StoreError::Malformed(column))
}
