//! Working for one coordinator: log in, submit what is pending, claim, work, submit, again.

mod check;
mod pay;
mod work;

use crate::{
    backoff::Backoff,
    link::{Link, LinkError, LoginError},
    metrics,
    slots::WorkError,
    store::StoreError,
    voucher::VoucherError,
    workshop::Workshop,
};
use alloy::primitives::{Address, U256};
use cuckoo_protocol::{amount::format_cai, link::ClaimAnswer};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// After an answer that proves a coordinator wrong, or on a full disk: what soon trying again would not change.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// Until a channel is looked at again that does not cover what is owed.
const CREDIT_PAUSE: Duration = Duration::from_secs(5);

/// Against a coordinator that answers claims at once, or with leases that are of no use.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// For submitting what was finished while the miner was being stopped.
const LAST_SUBMISSION: Duration = Duration::from_secs(10);

/// Why a turn came to nothing.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("login: {0}")]
    Login(#[from] LoginError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Voucher(#[from] VoucherError),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error(
        "it owes {} CAI more than its channel holds: no work is claimed until it has funded the channel. --credit says how much it may owe",
        format_cai(*.0)
    )]
    Credit(U256),
    #[error("traces take {0} bytes: no work is claimed until old ones may go. Raise --trace-cap-gib if there is space")]
    TracesFull(u64),
}

impl SessionError {
    /// How long to wait at least.
    fn pause(&self) -> Duration {
        match self {
            Self::Credit(_) => CREDIT_PAUSE,
            Self::Login(LoginError::Link(_)) | Self::Link(_) | Self::Work(_) => Duration::ZERO,
            Self::Login(_) | Self::Voucher(_) | Self::TracesFull(_) | Self::Store(_) => LONG_PAUSE,
        }
    }
}

/// A coordinator that this miner works for.
pub struct Session {
    link: Link,
    workshop: Arc<Workshop>,
    /// Held while submitting, so that no result is submitted twice at once.
    submitting: Mutex<()>,
    /// Whether the last login was taken, for the metrics.
    working: AtomicBool,
}

impl Session {
    /// A session that has not logged in yet.
    pub fn new(link: Link, workshop: Arc<Workshop>) -> Self {
        Self { link, workshop, submitting: Mutex::default(), working: AtomicBool::new(false) }
    }

    /// Works in `loops` claims at once until `stop`, then finishes the leases in work and submits them.
    pub async fn run(&self, loops: u32, stop: &CancellationToken) {
        let working = futures::future::join_all((0..loops).map(|_| self.work(stop)));
        tokio::join!(working, self.await_audits(stop), self.make_checks(stop));
        match tokio::time::timeout(LAST_SUBMISSION, self.submit_pending()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(coordinator = %self.name(), "results are left for the next start: {error}"),
            Err(_) => warn!(coordinator = %self.name(), "results are left for the next start: no answer"),
        }
        self.count(false);
    }

    /// Counts this session among those that work, or no longer.
    fn count(&self, working: bool) {
        match (self.working.swap(working, Ordering::Relaxed), working) {
            (false, true) => metrics::sessions(1.0),
            (true, false) => metrics::sessions(-1.0),
            _ => {}
        }
    }

    async fn work(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let Err(error) = self.turn(stop).await else {
                backoff.reset();
                continue;
            };
            if !self.link.is_open((self.workshop.clock)()).await {
                self.count(false);
            }
            let pause = backoff.next().max(error.pause());
            if backoff.is_news() {
                warn!(coordinator = %self.name(), endpoint = %self.link.coordinator().endpoint, "{error}; trying again");
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One round: from a free slot to a submitted result.
    async fn turn(&self, stop: &CancellationToken) -> Result<(), SessionError> {
        self.login().await?;
        self.submit_pending().await?;
        self.expect_cover()?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = self.workshop.slots.wait() => {}
        }
        let bytes = self.workshop.store.trace_bytes().await?;
        if bytes > self.workshop.trace_cap {
            return Err(SessionError::TracesFull(bytes));
        }
        let asked = Instant::now();
        let answer = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            answer = self.link.claim() => answer?,
        };
        match answer {
            ClaimAnswer::Lease(lease) => self.take(*lease).await,
            ClaimAnswer::Skipped(reasons) => {
                if !reasons.is_empty() {
                    debug!(coordinator = %self.name(), ?reasons, "no task for this miner");
                }
                if asked.elapsed() < LEAST_PAUSE {
                    sleep(LEAST_PAUSE).await;
                }
                Ok(())
            }
        }
    }

    /// Whether this coordinator may have more work done. If not, its channel is looked at soon.
    fn expect_cover(&self) -> Result<(), SessionError> {
        match self.workshop.credit.exceeded(self.link.channel().payer) {
            None => Ok(()),
            Some(uncovered) => {
                self.workshop.earned.notify_one();
                Err(SessionError::Credit(uncovered))
            }
        }
    }

    /// Logs in unless a session is open.
    async fn login(&self) -> Result<(), SessionError> {
        let now = (self.workshop.clock)();
        if self.link.is_open(now).await {
            return Ok(());
        }
        let channel = self.link.channel();
        let held = self.workshop.store.voucher(channel.payer, channel.payee).await?;
        let voucher = self.link.login(now, held).await?;
        let settled = self.workshop.store.settle(&channel, voucher.as_ref()).await?;
        self.trust(settled).await?;
        self.workshop.earned.notify_one();
        self.count(true);
        info!(coordinator = %self.name(), endpoint = %self.link.coordinator().endpoint, "logged in");
        Ok(())
    }

    /// Ends the session of a coordinator that owes more than it signs for: before more work there is a login, at which it may pay up.
    async fn trust(&self, settled: Result<(), VoucherError>) -> Result<(), SessionError> {
        if settled.is_err() {
            self.link.close().await;
        }
        Ok(settled?)
    }

    fn name(&self) -> Address {
        self.link.coordinator().operator
    }
}
