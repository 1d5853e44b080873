//! A miner with a session: what it runs, what it waits for, and what it cannot take.

use super::{Active, GRACE, Queued, WorkerState};
use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::{
    draw::Reason,
    link::{Capability, Lease},
};
use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};
use tokio::sync::oneshot;

/// See the module.
pub(super) struct Worker {
    pub(super) node: Address,
    pub(super) models: Vec<Capability>,
    pub(super) slots: usize,
    pub(super) leases: usize,
    pub(super) parked: VecDeque<oneshot::Sender<Lease>>,
    pub(super) mailbox: VecDeque<Lease>,
    pub(super) seen: Instant,
    /// It said that it is busy: left out of draws until then.
    pub(super) resting: Option<Instant>,
    /// Wei that it may be given work for, what it works on included.
    pub(super) room: U256,
}

impl Worker {
    pub(super) fn is_live(&self, now: Instant) -> bool {
        if self.is_resting(now) {
            return false;
        }
        self.parked.iter().any(|parked| !parked.is_closed()) || now.duration_since(self.seen) < GRACE
    }

    pub(super) fn is_resting(&self, now: Instant) -> bool {
        self.resting.is_some_and(|until| now < until)
    }

    pub(super) fn is_full(&self) -> bool {
        self.leases >= self.slots
    }

    /// Why this worker cannot take `task`, slots aside.
    pub(super) fn refusal(&self, miner: Address, task: &Queued) -> Option<Reason> {
        let Some(model) = self.models.iter().find(|model| model.model_id == task.model_id) else {
            return Some(Reason::Model);
        };
        if model.least_price > task.unit_price {
            return Some(Reason::Price);
        }
        (task.declined.contains(&miner) || task.expired.contains(&miner)).then_some(Reason::Tried)
    }

    /// Whether it runs a model for so many wei a pricing unit.
    pub(super) fn runs(&self, model_id: B256, unit_price: U256) -> bool {
        self.models.iter().any(|model| model.model_id == model_id && model.least_price <= unit_price)
    }

    pub(super) fn state(&self, now: Instant) -> WorkerState {
        WorkerState { live: self.is_live(now) || self.leases > 0, slots: self.slots, busy: self.leases }
    }

    /// Parks a claim, in the place of the oldest if there are as many as it has slots: more are of no use.
    pub(super) fn park(&mut self, now: Instant) -> oneshot::Receiver<Lease> {
        self.seen = now;
        let (sender, receiver) = oneshot::channel();
        // A claim that gave up leaves its end behind.
        self.parked.retain(|parked| !parked.is_closed());
        while self.parked.len() >= self.slots {
            self.parked.pop_front();
        }
        self.parked.push_back(sender);
        receiver
    }

    /// Moves what waits in the mailbox to parked claims; what is fetched is due at `deadline`.
    pub(super) fn deliver(&mut self, leases: &mut HashMap<String, Active>, deadline: Instant) {
        while let Some(mut lease) = self.mailbox.pop_front() {
            loop {
                let Some(parked) = self.parked.pop_front() else {
                    self.mailbox.push_front(lease);
                    return;
                };
                let id = lease.id.clone();
                match parked.send(lease) {
                    Ok(()) => {
                        if let Some(active) = leases.get_mut(&id) {
                            active.delivered = true;
                            active.deadline = deadline;
                        }
                        break;
                    }
                    // The caller hung up: the next one gets it.
                    Err(returned) => lease = returned,
                }
            }
        }
    }
}
