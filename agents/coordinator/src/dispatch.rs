//! Who gets which task: the queue, the miners that are live, and the leases in work. All in memory; the store is the truth.
//!
//! A worker is *live* while one of its claims is parked here, or was here a moment ago: a miner that has just delivered takes part in
//! the next draw although its next claim is still on its way. What it is given waits in its mailbox.

mod worker;

use crate::{session::Identity, store::Over};
use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::{
    draw::{Candidate, PassedOver, Reason},
    link::{Capability, Lease},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;
use uuid::Uuid;
use worker::Worker;

/// How long a worker stays live after its last call, and a lease waits to be fetched.
pub const GRACE: Duration = Duration::from_secs(2);

/// A task that waits for a miner.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Id of the task; UUID v7, so they sort by age.
    pub id: String,
    /// Which model.
    pub model_id: B256,
    /// Wei.
    pub price: U256,
    /// Wei a pricing unit.
    pub unit_price: U256,
    /// Miners that declined it: they do not get it again.
    pub declined: Vec<Address>,
    /// Miners that let it expire, each as often as it did: they get it again only if nobody else can take it.
    pub expired: Vec<Address>,
}

impl Queued {
    /// Takes note of a lease of this task that ended without a result.
    pub fn note(&mut self, miner: Address, over: Over) {
        match over {
            Over::Expired => self.expired.push(miner),
            Over::Declined => self.declined.push(miner),
            // It may well have time later.
            Over::Busy | Over::Undelivered => {}
        }
    }
}

/// A lease that is not over.
#[derive(Clone, Debug)]
pub struct Active {
    /// Its task.
    pub task: Queued,
    /// Who works on it.
    pub miner: Address,
    /// When it is given to another.
    pub deadline: Instant,
    /// Whether the miner has fetched it.
    pub delivered: bool,
}

/// What `/v1/network` tells about a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerState {
    /// Takes part in draws.
    pub live: bool,
    /// Tasks that it works on at once.
    pub slots: usize,
    /// Tasks that it works on now.
    pub busy: usize,
}

/// See the module.
pub struct Dispatch {
    lease_time: Duration,
    queue: BTreeMap<String, Queued>,
    workers: HashMap<Address, Worker>,
    leases: HashMap<String, Active>,
}

impl Dispatch {
    /// Empty; a miner that holds a lease must give a sign of life within `lease_time`.
    pub fn new(lease_time: Duration) -> Self {
        Self { lease_time, queue: BTreeMap::new(), workers: HashMap::new(), leases: HashMap::new() }
    }

    /// Tasks that wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Leases in work.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }

    /// Adds a task to the queue.
    pub fn enqueue(&mut self, task: Queued) {
        self.queue.insert(task.id.clone(), task);
    }

    /// Takes a lease that the store holds back into work after a restart; its miner may still be working.
    pub fn restore(&mut self, lease: String, task: Queued, miner: Address, now: Instant) {
        self.leases.insert(lease, Active { task, miner, deadline: now + self.lease_time, delivered: true });
    }

    /// Forgets a task that ended, queued or leased.
    pub fn remove_task(&mut self, task: &str) {
        self.queue.remove(task);
        let leases: Vec<String> =
            self.leases.iter().filter(|(_, active)| active.task.id == task).map(|(id, _)| id.clone()).collect();
        for lease in leases {
            self.remove_lease(&lease);
        }
    }

    /// A miner logged in, or again: its models and slots are replaced, its work goes on.
    pub fn login(&mut self, identity: Identity, models: Vec<Capability>, slots: usize, now: Instant) {
        let leases = self.leases.values().filter(|active| active.miner == identity.miner).count();
        let mailbox = self.workers.remove(&identity.miner).map(|worker| worker.mailbox).unwrap_or_default();
        let worker = Worker {
            node: identity.node,
            models,
            slots,
            leases,
            parked: VecDeque::new(),
            mailbox,
            seen: now,
            resting: None,
            room: U256::MAX,
        };
        self.workers.insert(identity.miner, worker);
    }

    /// Parks a claim. None if the miner must log in (again).
    pub fn park(&mut self, identity: Identity, now: Instant) -> Option<oneshot::Receiver<Lease>> {
        let worker = self.workers.get_mut(&identity.miner).filter(|worker| worker.node == identity.node)?;
        let receiver = worker.park(now);
        worker.deliver(&mut self.leases, now + self.lease_time);
        Some(receiver)
    }

    /// Candidates for the oldest queued task that anybody live and willing can take, with their weights.
    pub fn next(&self, weight: impl Fn(Address) -> U256, now: Instant) -> Option<(Queued, Vec<Candidate>)> {
        let free: Vec<(Candidate, &Worker)> = self
            .workers
            .iter()
            .filter(|(_, worker)| !worker.is_full() && worker.is_live(now))
            .map(|(miner, worker)| (Candidate { miner: *miner, weight: weight(*miner) }, worker))
            .filter(|(candidate, _)| !candidate.weight.is_zero())
            .collect();
        if free.is_empty() {
            return None;
        }
        self.queue.values().find_map(|task| {
            let again = self.is_last_resort(task, &weight, now);
            let able = |(c, worker): &&(Candidate, &Worker)| {
                let fit = match worker.refusal(c.miner, task) {
                    None => true,
                    Some(Reason::Tried) => again && !task.declined.contains(&c.miner),
                    Some(_) => false,
                };
                fit && self.has_room(c.miner, worker, task)
            };
            let candidates: Vec<Candidate> = free.iter().filter(able).map(|(c, _)| *c).collect();
            (!candidates.is_empty()).then(|| (task.clone(), candidates))
        })
    }

    /// Whether of those with weight only miners that let `task` expire are left to do it.
    fn is_last_resort(&self, task: &Queued, weight: impl Fn(Address) -> U256, now: Instant) -> bool {
        let fresh = |(miner, worker): (&Address, &Worker)| {
            worker.state(now).live && worker.refusal(*miner, task).is_none() && !weight(*miner).is_zero()
        };
        !task.expired.is_empty() && !self.workers.iter().any(fresh)
    }

    /// Why those of the `active` miners who are no candidates for `task` are none.
    pub fn passed_over(
        &self,
        task: &Queued,
        candidates: &[Candidate],
        active: impl Iterator<Item = Address>,
        now: Instant,
    ) -> Vec<PassedOver> {
        let candidates: HashSet<Address> = candidates.iter().map(|candidate| candidate.miner).collect();
        let others = active.filter(|miner| !candidates.contains(miner));
        others.map(|miner| PassedOver { miner, reason: self.reason(miner, task, now) }).collect()
    }

    /// Why a miner that has weight is no candidate for `task`.
    fn reason(&self, miner: Address, task: &Queued, now: Instant) -> Reason {
        let Some(worker) = self.workers.get(&miner) else { return Reason::Absent };
        if worker.is_full() || worker.is_resting(now) {
            return Reason::Busy;
        }
        if !worker.is_live(now) {
            return Reason::Absent;
        }
        worker.refusal(miner, task).unwrap_or(Reason::Unaudited)
    }

    /// Sets for how much each miner may be given work, in wei, what it works on included. Without, there is no limit.
    pub fn set_rooms(&mut self, room: impl Fn(Address) -> U256) {
        for (miner, worker) in &mut self.workers {
            worker.room = room(*miner);
        }
    }

    /// Whether `worker` may be given `task` besides what it works on.
    fn has_room(&self, miner: Address, worker: &Worker, task: &Queued) -> bool {
        let leased = self.leases.values().filter(|active| active.miner == miner);
        let wanted = leased.fold(task.price, |sum, active| sum.saturating_add(active.task.price));
        wanted <= worker.room
    }

    /// Takes a task off the queue and a slot of `miner` for the lease. False if one of them is gone by now.
    pub fn reserve(&mut self, lease: &str, task: &str, miner: Address, now: Instant) -> bool {
        let Some(worker) = self.workers.get_mut(&miner).filter(|worker| !worker.is_full()) else {
            return false;
        };
        let Some(task) = self.queue.remove(task) else { return false };
        worker.leases += 1;
        self.leases.insert(lease.to_owned(), Active { task, miner, deadline: now + GRACE, delivered: false });
        true
    }

    /// Hands a stored lease to its miner: to a parked claim, or else into the mailbox.
    pub fn hand_over(&mut self, lease: Lease, now: Instant) {
        let Some(active) = self.leases.get(&lease.id) else { return };
        if let Some(worker) = self.workers.get_mut(&active.miner) {
            worker.mailbox.push_back(lease);
            worker.deliver(&mut self.leases, now + self.lease_time);
        }
    }

    /// A sign of life moves a lease's deadline. False if the lease is over.
    pub fn beat(&mut self, lease: &str, now: Instant) -> bool {
        let Some(active) = self.leases.get_mut(lease) else { return false };
        active.deadline = now + self.lease_time;
        if let Some(worker) = self.workers.get_mut(&active.miner) {
            worker.seen = now;
        }
        true
    }

    /// Frees the slot of a lease that ended by its miner's own word, which keeps the miner live.
    pub fn finish_lease(&mut self, lease: &str, now: Instant) -> Option<Active> {
        let active = self.remove_lease(lease)?;
        if let Some(worker) = self.workers.get_mut(&active.miner) {
            worker.seen = now;
        }
        Some(active)
    }

    /// Leaves a miner that said it is busy out of draws for [`GRACE`].
    pub fn rest(&mut self, miner: Address, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&miner) {
            worker.resting = Some(now + GRACE);
        }
    }

    /// Leases whose miner fell silent, and leases that were not fetched.
    pub fn overdue(&self, now: Instant) -> Vec<String> {
        self.leases.iter().filter(|(_, active)| active.deadline <= now).map(|(id, _)| id.clone()).collect()
    }

    /// Frees the slot of a lease.
    pub fn remove_lease(&mut self, lease: &str) -> Option<Active> {
        let active = self.leases.remove(lease)?;
        if let Some(worker) = self.workers.get_mut(&active.miner) {
            worker.leases = worker.leases.saturating_sub(1);
            worker.mailbox.retain(|waiting| waiting.id != lease);
        }
        Some(active)
    }

    /// Why a miner got none of the queued tasks: how many, by reason.
    pub fn skipped(&self, miner: Address) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        if let Some(worker) = self.workers.get(&miner) {
            for task in self.queue.values() {
                let full = || if self.has_room(miner, worker, task) { Reason::Busy } else { Reason::Unaudited };
                let reason = worker.refusal(miner, task).unwrap_or_else(full);
                *reasons.entry(reason.as_str().to_owned()).or_default() += 1;
            }
        }
        reasons
    }

    /// Whether a miner that is logged in runs a model for so many wei a pricing unit.
    pub fn runs(&self, miner: Address, model_id: B256, unit_price: U256) -> bool {
        self.workers.get(&miner).is_some_and(|worker| worker.runs(model_id, unit_price))
    }

    /// What is known of a miner's session; none without one.
    pub fn worker(&self, miner: Address, now: Instant) -> Option<WorkerState> {
        self.workers.get(&miner).map(|worker| worker.state(now))
    }

    /// Queued tasks that were made before `time`.
    pub fn queued_before(&self, time: SystemTime) -> Vec<String> {
        let made = |id: &str| {
            Uuid::parse_str(id).ok()?.get_timestamp().map(|t| UNIX_EPOCH + Duration::from_secs(t.to_unix().0))
        };
        // Ids sort by age, so the first one that is young enough ends the search.
        self.queue.keys().take_while(|id| made(id).is_some_and(|made| made < time)).cloned().collect()
    }
}
