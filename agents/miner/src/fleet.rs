//! Which coordinators this miner works for: all that are active on chain, as long as the miner is.

use crate::{
    link::{Coordinator, Link, Miner},
    session::Session,
    standing::Standing,
    workshop::Workshop,
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use cuckoo_chain::{Chain, Snapshot, View};
use cuckoo_protocol::{amount::format_cai, contracts::Role, link::Capability};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between reminders of what keeps the miner from working.
const REMINDER: Duration = Duration::from_secs(60);

/// A coordinator's session, running.
struct Running {
    coordinator: Coordinator,
    stop: CancellationToken,
}

/// The sessions of a miner, started and stopped as the chain's view changes.
pub struct Fleet {
    chain: Chain,
    node: PrivateKeySigner,
    workshop: Arc<Workshop>,
    slots: u32,
    running: BTreeMap<Address, Running>,
    tasks: JoinSet<()>,
}

impl Fleet {
    /// A fleet without sessions. `slots` are the leases that it works on at once.
    pub fn new(chain: Chain, node: PrivateKeySigner, workshop: Arc<Workshop>, slots: u32) -> Self {
        Self { chain, node, workshop, slots, running: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Follows `view` until `stop`, then waits for the leases in work.
    pub async fn run(mut self, view: &View, stop: &CancellationToken) {
        let mut snapshots = view.subscribe();
        let mut reminder = interval(REMINDER);
        let mut last = None;
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let standing = Standing::of(&snapshot, self.node.address());
            self.adjust(&snapshot, &standing);
            if last.as_ref() != Some(&standing) {
                if let Standing::Ready { operator, weight } = &standing {
                    info!(%operator, weight = format_cai(*weight), "registered and staked");
                }
                last = Some(standing.clone());
                reminder.reset_immediately();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = snapshots.changed() => if changed.is_err() { break },
                _ = reminder.tick() => self.remind(&standing, &snapshot).await,
                Some(_) = self.tasks.join_next() => {}
            }
        }
        for running in self.running.values() {
            running.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }

    async fn remind(&self, standing: &Standing, snapshot: &Snapshot) {
        if snapshot.stale {
            warn!("the chain cannot be read: going on with what was known at block {}", snapshot.block);
        }
        match standing.advice(&self.chain, self.node.address()).await {
            Some(advice) => warn!("waiting: {advice}"),
            None if self.running.is_empty() => info!("waiting: no coordinator is active on this network"),
            None => {}
        }
    }

    /// Starts and stops sessions so that they are those of `snapshot`.
    fn adjust(&mut self, snapshot: &Snapshot, standing: &Standing) {
        let wanted = match standing {
            Standing::Ready { .. } => coordinators(snapshot),
            _ => BTreeMap::new(),
        };
        self.running.retain(|operator, running| {
            let keep = wanted.get(operator) == Some(&running.coordinator);
            if !keep {
                let why = match standing {
                    Standing::Ready { .. } => "gone or changed",
                    _ => "this miner has no weight any more",
                };
                info!(coordinator = %operator, "{why}: no more work for it under {}", running.coordinator.endpoint);
                running.stop.cancel();
            }
            keep
        });
        if let Standing::Ready { operator, .. } = standing {
            for coordinator in wanted.into_values() {
                if !self.running.contains_key(&coordinator.operator) {
                    self.start(coordinator, *operator);
                }
            }
        }
    }

    fn start(&mut self, coordinator: Coordinator, operator: Address) {
        let models = self
            .workshop
            .models
            .keys()
            .map(|model_id| Capability { model_id: *model_id, least_price: self.workshop.least_price });
        let miner = Miner { operator, node: self.node.clone(), models: models.collect(), slots: self.slots };
        let link = match Link::new(coordinator.clone(), self.chain.deployment().clone(), miner) {
            Ok(link) => link,
            Err(error) => return warn!(coordinator = %coordinator.operator, "no connection can be set up: {error}"),
        };
        let (session, stop, slots) = (Session::new(link, self.workshop.clone()), CancellationToken::new(), self.slots);
        self.running.insert(coordinator.operator, Running { coordinator, stop: stop.clone() });
        self.tasks.spawn(async move { session.run(slots, &stop).await });
    }
}

/// The active coordinators that can be reached.
fn coordinators(snapshot: &Snapshot) -> BTreeMap<Address, Coordinator> {
    let mut reachable = BTreeMap::new();
    for operator in snapshot.active(Role::Coordinator) {
        match Coordinator::new(operator.operator, operator.node, &operator.endpoint) {
            Ok(coordinator) => drop(reachable.insert(operator.operator, coordinator)),
            Err(why) => tracing::debug!(coordinator = %operator.operator, "its endpoint is of no use: {why}"),
        }
    }
    reachable
}
