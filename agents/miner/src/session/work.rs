//! One lease: checked, worked on with signs of life, signed, made durable and submitted.

use super::{LEAST_PAUSE, Session, SessionError};
use crate::{
    lease::{Ask, Refusal, Terms},
    metrics,
    slots::{Job, Slot, Work, WorkError},
    store::Pending,
};
use cuckoo_protocol::{
    amount::format_cai,
    body::Body,
    contracts::Result as TaskResult,
    link::{Lease, LeaseEvent, ResultSubmission},
};
use std::time::{Duration, Instant};
use tokio::{
    sync::{oneshot, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, error, info, warn};

/// Between looks at a lease's progress; each change is a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Signs of life come at least so often, even when a step takes longer.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Works on a lease, or gives it back with the reason.
    pub(super) async fn take(&self, lease: Lease) -> Result<(), SessionError> {
        let coordinator = self.link.coordinator();
        let terms = Terms {
            domain: self.link.domain(),
            miner: self.link.channel().payee,
            coordinator: coordinator.operator,
            coordinator_node: coordinator.node,
            now: (self.workshop.clock)(),
            models: &self.workshop.models,
            least_price: self.workshop.least_price,
        };
        let accepted = match terms.check(&lease) {
            Ok(ask) => match self.workshop.slots.take() {
                Some(slot) => self.input(&lease, &ask).await.map(|blob| (ask, blob, slot)),
                None => Err(Refusal::Busy),
            },
            Err(refusal) => Err(refusal),
        };
        let (ask, blob, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(refusal) => {
                info!(coordinator = %self.name(), lease = lease.id, "declined: {refusal}");
                metrics::declined(refusal.label());
                self.link.decline(&lease.id, refusal.to_string()).await?;
                sleep(LEAST_PAUSE).await;
                return Ok(());
            }
        };
        info!(coordinator = %self.name(), lease = lease.id, price = %format_cai(lease.offer.message.price), "working");
        match self.run_request(&slot, &lease, ask.body, blob.clone()).await {
            Ok(work) => {
                drop(slot);
                self.finish(&lease, work, blob).await
            }
            Err(WorkError::Cancelled) if self.workshop.abandon.is_cancelled() => {
                metrics::declined("stopping");
                Ok(self.link.decline(&lease.id, "the miner is being stopped".to_owned()).await?)
            }
            Err(WorkError::Cancelled) => {
                info!(coordinator = %self.name(), lease = lease.id, "the lease is over: nobody waits for the result");
                metrics::declined("lease_over");
                Ok(())
            }
            Err(error @ WorkError::TooLarge(_)) => {
                drop(slot);
                warn!(coordinator = %self.name(), lease = lease.id, "declined: {error}");
                metrics::declined("memory");
                self.link.decline(&lease.id, error.to_string()).await?;
                sleep(LEAST_PAUSE).await;
                Ok(())
            }
            Err(error) => {
                error!(coordinator = %self.name(), lease = lease.id, "the work failed: {error}");
                metrics::declined("failed");
                if matches!(error, WorkError::Dead) {
                    self.workshop.broken.cancel();
                }
                self.link.decline(&lease.id, "the model failed on this miner".to_owned()).await?;
                Err(error.into())
            }
        }
    }

    /// Fetches the input pictures of a lease's request; empty if it has none.
    async fn input(&self, lease: &Lease, ask: &Ask) -> Result<Vec<u8>, Refusal> {
        let blob = match ask.body.blob_bytes() {
            0 => Vec::new(),
            bytes => self.link.blob(&lease.id, bytes).await.map_err(|error| Refusal::Blob(error.to_string()))?,
        };
        ask.expect(&blob)?;
        Ok(blob)
    }

    /// Has a lease's request run, with signs of life while it is.
    async fn run_request(&self, slot: &Slot, lease: &Lease, body: Body, blob: Vec<u8>) -> Result<Work, WorkError> {
        let steps = body.steps();
        let (progress, seen) = watch::channel(0);
        let (reply, mut outcome) = oneshot::channel();
        // Dropped with this future, so that a thread never works on for nobody.
        let cancelled = self.workshop.abandon.child_token();
        let _guard = cancelled.clone().drop_guard();
        let model_id = lease.offer.message.modelId;
        slot.start(Job { model_id, body, blob, progress, cancelled: cancelled.clone(), reply })?;

        let heartbeat = async {
            let mut ticks = interval(HEARTBEAT);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut told, mut told_at) = (0, Instant::now());
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let step = *seen.borrow();
                if step == told && told_at.elapsed() < LONGEST_SILENCE {
                    continue;
                }
                match self.link.event(&lease.id, &LeaseEvent { step, steps }).await {
                    Ok(()) => (told, told_at) = (step, Instant::now()),
                    Err(error) if error.is_over() => return cancelled.cancel(),
                    // The coordinator may be starting anew; what is finished here it takes afterwards.
                    Err(error) => {
                        debug!(lease = lease.id, "no sign of life: {error}");
                        if let Err(error) = self.login().await {
                            debug!(lease = lease.id, "{error}");
                        }
                    }
                }
            }
        };
        let outcome = tokio::select! {
            outcome = &mut outcome => outcome,
            // Cancelled: the step that runs still ends, and until then the slot is not free.
            () = heartbeat => outcome.await,
        };
        outcome.unwrap_or(Err(WorkError::Dead))
    }

    /// Signs a result, makes it durable and submits it.
    async fn finish(&self, lease: &Lease, work: Work, blob: Vec<u8>) -> Result<(), SessionError> {
        let offer = &lease.offer.message;
        metrics::worked(work.elapsed);
        let result = self.link.sign(TaskResult {
            offerHash: self.link.domain().digest(offer),
            traceRoot: work.trace_root,
            states: u32::try_from(work.states.len()).unwrap_or(u32::MAX),
            outputHash: work.output_hash,
        })?;
        let pending = Pending {
            coordinator: offer.coordinator,
            miner: offer.miner,
            lease: lease.id.clone(),
            price: offer.price,
            expiry: offer.expiry,
            submission: ResultSubmission { result, output: work.output },
            audit: None,
        };
        if let Err(error) = self.workshop.store.keep(&pending, work.states, blob).await {
            // Submitted without being kept, it could be neither proven nor submitted again.
            self.link.decline(&lease.id, "the miner cannot keep the result".to_owned()).await?;
            return Err(error.into());
        }
        info!(coordinator = %self.name(), lease = lease.id, seconds = work.elapsed.as_secs_f64(), "done");
        self.login().await?;
        self.submit_pending().await
    }
}
