//! What a miner must not lose: results until they are accepted, the highest voucher of each channel, the traces that answer
//! audits and disputes, and a juror's ballots. One SQLite database and a folder of trace files, used by one process at a time.

mod ballots;
mod channels;
mod pending;
mod traces;

pub use ballots::StoredBallot;
pub use pending::Pending;

use alloy::primitives::{Address, B256, Signature, U256};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process works here.
    #[error("the data folder {0} is in use by another miner-agent: stop it, or give this one its own --data-dir")]
    InUse(PathBuf),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database holds what this program never writes.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
}

/// The data folder.
#[derive(Debug)]
pub struct Store {
    database: SqlitePool,
    traces: PathBuf,
    /// Held while the process lives, so that no second one takes leases and vouchers apart.
    _lock: File,
}

impl Store {
    /// Opens the data folder, which is made if need be.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::InUse`] if another process has it open.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let traces = dir.join("traces");
        fs::create_dir_all(&traces).map_err(|source| StoreError::Io { path: traces.clone(), source })?;
        let lock = lock(dir)?;
        let options = SqliteConnectOptions::new()
            .filename(dir.join("miner.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A result is submitted only once it would survive a power cut.
            .synchronous(SqliteSynchronous::Full);
        // One connection: writers queue here and never meet "database is locked".
        let database = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(include_str!("schema.sql")).execute(&database).await?;
        let store = Self { database, traces, _lock: lock };
        store.sweep().await?;
        Ok(store)
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let io = |source| StoreError::Io { path: path.clone(), source };
    let file = File::create(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn address(bytes: &[u8]) -> Result<Address, StoreError> {
    Address::try_from(bytes).map_err(|_| StoreError::Damaged("an address"))
}

fn hash(bytes: &[u8]) -> Result<B256, StoreError> {
    B256::try_from(bytes).map_err(|_| StoreError::Damaged("a hash"))
}

fn amount(text: &str) -> Result<U256, StoreError> {
    U256::from_str_radix(text, 10).map_err(|_| StoreError::Damaged("an amount"))
}

fn signature(bytes: &[u8]) -> Result<Signature, StoreError> {
    Signature::from_raw(bytes).map_err(|_| StoreError::Damaged("a signature"))
}

/// Chain seconds as SQLite has them; it knows no unsigned integers.
fn seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
