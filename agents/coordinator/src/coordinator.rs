//! The state that all parts share, and the loop that gives tasks to miners.

mod assign;

use crate::{
    audit::{Coin, Exposure, Rules, remote::Checks},
    catalogue::Catalogue,
    config::Config,
    dispatch::{Dispatch, Queued},
    session::Sessions,
    store::{Over, Store, StoreError, TaskRecord},
    task::{MAX_TRIES, Status},
};
use alloy::{
    primitives::{Address, U256},
    signers::{Error as SignerError, local::PrivateKeySigner},
};
use anyhow::{Context, Result};
use cuckoo_chain::{Chain, view::View};
use cuckoo_protocol::{
    contracts::{Role, Voucher},
    message::Signed,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// How often deadlines are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(250);

/// How long a task waits for its first or next miner before it fails.
const QUEUE_TIME: Duration = Duration::from_secs(3600);

/// Everything that the APIs and loops work on.
pub struct Coordinator {
    /// Settings.
    pub config: Config,
    /// The chain.
    pub chain: Chain,
    /// Who is registered.
    pub view: View,
    /// The memory.
    pub store: Store,
    /// Models.
    pub catalogue: Catalogue,
    /// Nonces and tokens.
    pub sessions: Sessions,
    /// The operator that this agent works for.
    pub operator: Address,
    /// Decides which results are audited.
    pub coin: Coin,
    /// The chain's dispute parameters when this agent started.
    pub rules: Rules,
    /// Checks by miners.
    pub checks: Checks,
    /// Told when a trace has come.
    pub opened: Notify,
    /// Told when there is somebody to accuse.
    pub accusing: Notify,
    node: PrivateKeySigner,
    dispatch: Mutex<Dispatch>,
    exposure: Mutex<Exposure>,
    /// Miners with a challenge that has not ended: they get no work.
    suspects: Mutex<HashSet<Address>>,
    sequence: AtomicU64,
    wake: Notify,
    waiters: Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>,
}

impl Coordinator {
    /// Takes up the work that the store holds.
    ///
    /// # Errors
    /// Of the store, or if the chain does not answer.
    pub async fn resume(
        config: Config,
        chain: Chain,
        view: View,
        store: Store,
        catalogue: Catalogue,
        operator: Address,
        node: PrivateKeySigner,
    ) -> Result<Self> {
        let rules = Rules::read(&chain).await?;
        if rules.max_offer_life < config.offer_seconds {
            tracing::info!(seconds = rules.max_offer_life, "offers bind for as long as their results can be disputed");
        }
        let mut dispatch = Dispatch::new(Duration::from_secs(config.lease_seconds));
        let open = store.open_tasks().await?;
        let (resumed, now) = (open.len(), Instant::now());
        for task in open {
            let queued = Self::queued(&task, store.ended_leases(&task.id).await?);
            match &task.lease {
                Some(id) if task.status == Status::Leased => {
                    let lease = store.lease(id, operator).await?.context("a leased task has no lease")?;
                    dispatch.restore(id.clone(), queued, lease.offer.message.miner, now);
                }
                _ => dispatch.enqueue(queued),
            }
        }
        if resumed > 0 {
            tracing::info!(tasks = resumed, "resumed the tasks that were not finished");
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let since = wall.saturating_sub(rules.challenge_window);
        let unaudited = store.unaudited(since).await?;
        let suspects = store.open_challenges().await?.iter().map(|challenge| challenge.miner).collect();
        Ok(Self {
            coin: Coin::new(store.audit_key().await?, config.audit_rate),
            exposure: Mutex::new(Exposure::new(rules.challenge_window, unaudited)),
            suspects: Mutex::new(suspects),
            rules,
            checks: Checks::new(store.checkers().await?),
            opened: Notify::new(),
            accusing: Notify::new(),
            sessions: Sessions::new(store.session_key().await?),
            sequence: AtomicU64::new(store.next_sequence().await?),
            dispatch: Mutex::new(dispatch),
            wake: Notify::new(),
            waiters: Mutex::default(),
            config,
            chain,
            view,
            store,
            catalogue,
            operator,
            node,
        })
    }

    /// Unix seconds; ahead of the wall clock only where the chain is.
    pub fn now(&self) -> u64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        wall.max(self.view.snapshot().timestamp)
    }

    /// The address that signs for the operator.
    pub fn node(&self) -> Address {
        self.node.address()
    }

    /// The queue, workers and leases. Never held across an await.
    pub fn dispatch(&self) -> MutexGuard<'_, Dispatch> {
        self.dispatch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work in flight. Never held across an await.
    pub fn exposure(&self) -> MutexGuard<'_, Exposure> {
        self.exposure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Miners that are accused. Never held across an await.
    pub fn suspects(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wei that a miner may be given work for: its cap less what it did unaudited; nothing while it is accused.
    fn room(&self, miner: Address, now: u64) -> U256 {
        if self.suspects().contains(&miner) {
            return U256::ZERO;
        }
        // Work is given out on trust.
        if self.config.audit_rate == 0.0 { U256::MAX } else { self.exposure().room(miner, now) }
    }

    /// Seconds for which offers bind: no longer than results can be disputed.
    pub fn offer_seconds(&self) -> u64 {
        self.config.offer_seconds.min(self.rules.max_offer_life)
    }

    /// Has the dispatch loop look again.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Weight of a registered miner, in wei; zero for anybody else.
    pub fn weight(&self, miner: Address) -> U256 {
        self.view.snapshot().weight(Role::Miner, miner)
    }

    /// Signs a message as this coordinator's node.
    ///
    /// # Errors
    /// Of the signer.
    pub fn sign<M: alloy::sol_types::SolStruct>(&self, message: M) -> Result<Signed<M>, SignerError> {
        self.chain.domain().sign(message, &self.node)
    }

    /// The voucher over all that is owed to `miner`: a pure function of the channel's row.
    ///
    /// # Errors
    /// Of the signer.
    pub fn voucher(&self, miner: Address, cumulative: U256) -> Result<Signed<Voucher>, SignerError> {
        self.sign(Voucher { payer: self.operator, payee: miner, cumulative })
    }

    /// What of a stored task dispatch needs.
    pub fn queued(task: &TaskRecord, ended: Vec<(Address, Over)>) -> Queued {
        let (id, model_id, unit_price) = (task.id.clone(), task.model_id, task.unit_price);
        let price = task.price;
        let mut queued = Queued { id, model_id, price, unit_price, declined: Vec::new(), expired: Vec::new() };
        for (miner, over) in ended {
            queued.note(miner, over);
        }
        queued
    }

    /// Resolves once `task` may have ended. The caller looks at the store first and after.
    pub fn ended(&self, task: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.entry(task.to_owned()).or_default().push(sender);
        receiver
    }

    /// Tells those who wait for `task`, and forgets it.
    pub fn announce_end(&self, task: &str) {
        self.dispatch().remove_task(task);
        let waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(task);
        for waiter in waiters.into_iter().flatten() {
            // A caller that hung up needs no answer.
            let _ = waiter.send(());
        }
    }

    /// Gives tasks to miners until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.pump().await {
                tracing::error!(%error, "dispatch stumbled, trying again");
                tokio::time::sleep(TICK).await;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn pump(&self) -> Result<()> {
        let overdue = self.dispatch().overdue(Instant::now());
        for lease in overdue {
            self.end_lease(&lease).await?;
        }
        while self.assign().await? {}
        let (queued, leased) = {
            let dispatch = self.dispatch();
            (dispatch.queued(), dispatch.leased())
        };
        metrics::gauge!("cuckoo_tasks_queued").set(queued as f64);
        metrics::gauge!("cuckoo_tasks_leased").set(leased as f64);
        let expired = self.dispatch().queued_before(oldest_allowed());
        for task in expired {
            self.fail(&task, "no miner took the task within an hour").await?;
        }
        Ok(())
    }

    /// Ends an overdue lease and gives its task back.
    async fn end_lease(&self, lease: &str) -> Result<(), StoreError> {
        let Some(active) = self.dispatch().remove_lease(lease) else { return Ok(()) };
        let over = if active.delivered { Over::Expired } else { Over::Undelivered };
        tracing::warn!(lease, task = active.task.id, miner = %active.miner, "lease {}", over.as_str());
        self.give_back(lease, active.task, active.miner, over).await
    }

    /// Ends a lease that is out of dispatch in the store, and queues its task again unless it has been tried enough.
    ///
    /// # Errors
    /// Of the store.
    pub async fn give_back(&self, lease: &str, mut task: Queued, miner: Address, over: Over) -> Result<(), StoreError> {
        metrics::counter!("cuckoo_leases_over_total", "reason" => over.as_str()).increment(1);
        if !self.store.end_lease(lease, over).await? {
            return Ok(());
        }
        task.note(miner, over);
        if task.expired.len() >= MAX_TRIES {
            let id = task.id.clone();
            return self.fail(&id, &format!("the task was given out {MAX_TRIES} times and not finished")).await;
        }
        self.dispatch().enqueue(task);
        self.wake();
        Ok(())
    }

    async fn fail(&self, task: &str, why: &str) -> Result<(), StoreError> {
        if self.store.end_task(task, Status::Failed, why).await? {
            tracing::warn!(task, why, "task failed");
            metrics::counter!("cuckoo_tasks_failed_total").increment(1);
        }
        self.announce_end(task);
        Ok(())
    }
}

/// Ids of tasks made earlier than this have waited too long.
fn oldest_allowed() -> SystemTime {
    SystemTime::now().checked_sub(QUEUE_TIME).unwrap_or(UNIX_EPOCH)
}
