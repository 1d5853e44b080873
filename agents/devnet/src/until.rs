//! Waiting with a deadline.

use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Asks `probe` again and again until it gives something.
///
/// # Errors
/// The probe's own, at once; or that nothing came within `patience`.
pub async fn until<T>(what: &str, patience: Duration, mut probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
}
