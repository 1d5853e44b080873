//! Traces: the states of each result, kept for audits and disputes. A file a trace, packed.

use super::{Store, StoreError, hash, seconds};
use alloy::primitives::B256;
use cuckoo_protocol::trace::{pack, unpack};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

impl Store {
    /// The states of the trace for `offer_hash`, if it is still kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trace(&self, offer_hash: B256) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let path = self.trace_path(offer_hash);
        let file = path.clone();
        match blocking(path.clone(), move || fs::read(file)).await {
            Ok(bytes) => unpack(&bytes).map(Some).ok_or(StoreError::Damaged("a trace")),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The input pictures of the request behind the trace for `offer_hash`; empty if it had none, or they are no longer kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn input(&self, offer_hash: B256) -> Result<Vec<u8>, StoreError> {
        let blob: Option<Vec<u8>> = sqlx::query_scalar("SELECT blob FROM inputs WHERE offer_hash = ?")
            .bind(offer_hash.as_slice())
            .fetch_optional(&self.database)
            .await?;
        Ok(blob.unwrap_or_default())
    }

    /// Bytes that all traces and their input pictures take.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trace_bytes(&self) -> Result<u64, StoreError> {
        let bytes: i64 =
            sqlx::query_scalar("SELECT COALESCE(SUM(bytes), 0) FROM traces").fetch_one(&self.database).await?;
        Ok(bytes.unsigned_abs())
    }

    /// Removes the traces of offers that expired before `time` (chain seconds), and results for them that were never accepted.
    /// Returns how many traces went.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, time: u64) -> Result<usize, StoreError> {
        sqlx::query("DELETE FROM pending WHERE expiry < ?").bind(seconds(time)).execute(&self.database).await?;
        sqlx::query("DELETE FROM audits WHERE offer_hash NOT IN (SELECT offer_hash FROM pending)")
            .execute(&self.database)
            .await?;
        // Rows go first: a file without a row is swept at the next start, a row without a file would be counted for ever.
        let expired: Vec<Vec<u8>> = sqlx::query_scalar("DELETE FROM traces WHERE expiry < ? RETURNING offer_hash")
            .bind(seconds(time))
            .fetch_all(&self.database)
            .await?;
        sqlx::query("DELETE FROM inputs WHERE offer_hash NOT IN (SELECT offer_hash FROM traces)")
            .execute(&self.database)
            .await?;
        for offer_hash in &expired {
            self.remove(self.trace_path(hash(offer_hash)?)).await?;
        }
        Ok(expired.len())
    }

    /// Removes files that no row knows: what a crash left between writing a file and its row.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT offer_hash FROM traces").fetch_all(&self.database).await?;
        let known =
            rows.iter().map(|row| Ok(self.trace_path(hash(row)?))).collect::<Result<HashSet<_>, StoreError>>()?;
        let folder = self.traces.clone();
        let files = blocking(folder.clone(), move || {
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        });
        for path in files.await?.into_iter().filter(|path| !known.contains(path)) {
            self.remove(path).await?;
        }
        Ok(())
    }

    /// Writes a trace's file and returns its size. Durable, whole or absent.
    pub(super) async fn write_trace(&self, offer_hash: B256, states: Vec<Vec<u8>>) -> Result<i64, StoreError> {
        let path = self.trace_path(offer_hash);
        blocking(path.clone(), move || {
            let bytes = pack(&states);
            let unfinished = path.with_extension("new");
            let mut file = File::create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        })
        .await
    }

    fn trace_path(&self, offer_hash: B256) -> PathBuf {
        self.traces.join(format!("{offer_hash}.trace"))
    }

    async fn remove(&self, path: PathBuf) -> Result<(), StoreError> {
        let file = path.clone();
        match blocking(path, move || fs::remove_file(file)).await {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Runs file work off the async threads; `path` is what an error names.
async fn blocking<T: Send + 'static>(
    path: impl AsRef<Path>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let io = |source| StoreError::Io { path: path.as_ref().to_owned(), source };
    tokio::task::spawn_blocking(work).await.map_err(|e| io(io::Error::other(e)))?.map_err(io)
}
