//! From a claim to a voucher, and everything that may come between.

mod fake;

use alloy::{
    primitives::{B256, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_miner::{
    credit::Credit,
    link::{Link, Miner},
    session::Session,
    slots::{Job, Slots, Work, WorkError},
    store::Store,
    workshop::Workshop,
};
use cuckoo_protocol::{
    contracts::Offer,
    link::{Capability, Lease},
    trace::pack,
};
use fake::{Fake, MINER, NOW, deployment, domain, manifest};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Draws nothing: takes `seconds` for each job and looks for cancellation on the way.
fn artist(seconds: f64) -> mpsc::Sender<Job> {
    let (jobs, queue) = mpsc::channel::<Job>();
    thread::spawn(move || {
        for job in queue {
            let steps = job.body.steps();
            let mut outcome = Ok(Work {
                states: vec![vec![1; 8]; steps as usize + 1],
                trace_root: B256::repeat_byte(1),
                output_hash: B256::repeat_byte(2),
                output: b"a picture".to_vec(),
                elapsed: Duration::from_secs_f64(seconds),
            });
            for step in 0..steps {
                if job.cancelled.is_cancelled() {
                    outcome = Err(WorkError::Cancelled);
                    break;
                }
                job.progress.send_replace(step);
                thread::sleep(Duration::from_secs_f64(seconds / f64::from(steps)));
            }
            let _ = job.reply.send(outcome);
        }
    });
    jobs
}

struct Agent {
    workshop: Arc<Workshop>,
    stop: CancellationToken,
    session: JoinHandle<()>,
    node: PrivateKeySigner,
}

impl Agent {
    async fn start(fake: &Fake, dir: &Path, slots: Arc<Slots>) -> Self {
        Self::start_with(fake, dir, slots, 1 << 30).await
    }

    async fn start_with(fake: &Fake, dir: &Path, slots: Arc<Slots>, trace_cap: u64) -> Self {
        let (manifest, node) = (manifest(), PrivateKeySigner::random());
        let models = vec![Capability { model_id: manifest.model_id(), least_price: U256::ZERO }];
        let miner = Miner { operator: MINER, node: node.clone(), models, slots: 1 };
        let workshop = Arc::new(Workshop {
            store: Store::open(dir).await.unwrap(),
            slots,
            checking: None,
            models: BTreeMap::from([(manifest.model_id(), manifest)]),
            least_price: U256::ZERO,
            credit: Credit::new(U256::from(100)),
            trace_cap,
            clock: Box::new(|| NOW),
            earned: Notify::new(),
            abandon: CancellationToken::new(),
            broken: CancellationToken::new(),
        });
        let session = Session::new(Link::new(fake.coordinator.clone(), deployment(), miner).unwrap(), workshop.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let session = tokio::spawn(async move { session.run(1, &stopped).await });
        Self { workshop, stop, session, node }
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(15), self.session).await.expect("stops soon").unwrap();
    }

    async fn total(&self, fake: &Fake) -> Option<U256> {
        let voucher = self.workshop.store.voucher(fake.coordinator.operator, MINER).await.unwrap();
        voucher.map(|voucher| voucher.message.cumulative)
    }

    async fn pending(&self, fake: &Fake) -> usize {
        self.workshop.store.pending(fake.coordinator.operator, MINER).await.unwrap().len()
    }

    /// Waits until the voucher is over `wei`.
    async fn earns(&self, fake: &Fake, wei: u64) {
        for _ in 0..1000 {
            if self.total(fake).await == Some(U256::from(wei)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never earned {wei}, but {:?}", self.total(fake).await);
    }
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_lease_becomes_a_signed_result_and_a_voucher() {
    let (fake, dir) = (Fake::start().await, dir());
    let offers: Vec<_> = ["a", "b"].iter().map(|id| fake.offer(id, 5)).collect();
    let offer_hash = domain().digest(&fake.get().queue[0].offer.message);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    agent.earns(&fake, 10).await;

    let (id, submission) = fake.get().results[0].clone();
    assert_eq!(id, "a");
    assert_eq!(submission.result.verify(&domain(), agent.node.address()), Ok(()));
    assert_eq!(submission.result.message.offerHash, offer_hash);
    assert_eq!(submission.result.message.states, offers[0].states());
    assert_eq!(submission.output, b"a picture");
    assert_eq!(agent.pending(&fake).await, 0);
    let trace = agent.workshop.store.trace(offer_hash).await.unwrap().unwrap();
    assert_eq!(trace.len(), offers[0].states() as usize);
    assert_eq!(fake.get().logins.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn nothing_is_claimed_from_a_coordinator_that_owes_more_than_its_channel_holds() {
    let (fake, dir) = (Fake::start().await, dir());
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.offer("a", 5);
    agent.earns(&fake, 5).await;
    // As the collector finds it: just covered, then a wei too little.
    let owes = |cumulative: u64, covered: u64| {
        agent.workshop.credit.note(fake.coordinator.operator, U256::from(cumulative), U256::from(covered));
    };
    owes(300, 200);
    fake.offer("b", 5);
    agent.earns(&fake, 10).await;
    // A claim that is parked already may still be answered.
    fake.until("parks a claim", |fake| fake.parked == 1).await;
    owes(300, 199);
    fake.offer("c", 5);
    agent.earns(&fake, 15).await;
    let claims = fake.get().claims;
    fake.offer("d", 5);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.get().claims, claims, "it claims on credit");
    assert_eq!(agent.total(&fake).await, Some(U256::from(15)), "it works on credit");
    owes(300, 300);
    agent.earns(&fake, 20).await;
    agent.stop().await;
}

#[tokio::test]
async fn no_more_work_is_done_on_vouchers_than_the_credit_even_before_the_chain_is_looked_at() {
    let (fake, dir) = (Fake::start().await, dir());
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    // The credit is 100 wei, and nobody notes what the channel holds.
    fake.get().owed = U256::from(92);
    for (task, earned) in [("a", 97), ("b", 102)] {
        fake.offer(task, 5);
        agent.earns(&fake, earned).await;
    }
    let claims = fake.get().claims;
    fake.offer("c", 5);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.get().claims, claims, "it claims on credit");
    assert_eq!(agent.total(&fake).await, Some(U256::from(102)), "it works on credit");
    agent.stop().await;
}

#[tokio::test]
async fn an_audited_result_is_paid_after_its_trace_was_handed_over_even_after_a_restart() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.get().audits = true;
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.until("hands the trace over", |fake| !fake.traces.is_empty()).await;
    fake.until("claims on meanwhile", |fake| fake.claims >= 2).await;
    assert_eq!((agent.pending(&fake).await, agent.total(&fake).await), (1, None));
    let offer_hash = fake.get().results[0].1.result.message.offerHash;
    let states = agent.workshop.store.trace(offer_hash).await.unwrap().unwrap();
    assert_eq!(fake.get().traces[0], ("a".to_owned(), pack(&states)));

    // Another one is paid at once; the first is not in that voucher, and that is no fault.
    fake.get().audits = false;
    fake.offer("b", 5);
    agent.earns(&fake, 5).await;
    assert_eq!(agent.pending(&fake).await, 1);
    agent.stop().await;

    let paid = fake.voucher(U256::from(5));
    fake.get().login_voucher = Some(paid);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.get().audited.push("a".to_owned());
    agent.earns(&fake, 10).await;
    assert_eq!(agent.pending(&fake).await, 0);
    assert_eq!(fake.get().results.len(), 2, "nothing was sent twice");
    assert_eq!(fake.get().traces.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_result_that_fails_its_audit_is_given_up() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.get().audits = true;
    fake.get().finds_fault = true;
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.until("hands the trace over", |fake| !fake.traces.is_empty()).await;
    for _ in 0..500 {
        if agent.pending(&fake).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((agent.pending(&fake).await, agent.total(&fake).await), (0, None));
    fake.get().audits = false;
    fake.offer("b", 5);
    agent.earns(&fake, 5).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_result_that_is_not_taken_now_is_submitted_later_even_after_a_restart() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.get().refuses_results = Some((503, "starting"));
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    for _ in 0..500 {
        if agent.pending(&fake).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(agent.pending(&fake).await, 1);
    agent.stop().await;

    fake.get().refuses_results = None;
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    agent.earns(&fake, 5).await;
    assert_eq!(agent.pending(&fake).await, 0);
    assert_eq!(fake.get().results.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_result_that_will_never_be_taken_is_dropped_and_work_goes_on() {
    for refusal in [(410, "lease_over"), (422, "output_mismatch"), (401, "wrong_signer"), (403, "not_your_lease")] {
        let (fake, dir) = (Fake::start().await, dir());
        fake.get().refuses_results = Some(refusal);
        fake.offer("a", 5);
        let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
        fake.until("claims again", |fake| fake.claims >= 2).await;
        assert_eq!(agent.pending(&fake).await, 0, "{refusal:?}");
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_coordinator_that_restarts_gets_a_new_login_and_the_result() {
    let (fake, dir) = (Fake::start().await, dir());
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.3)], 1)).await;
    fake.offer("a", 5);
    fake.until("takes it", |fake| fake.queue.is_empty()).await;
    fake.get().forgets_sessions = true;
    agent.earns(&fake, 5).await;
    assert_eq!(fake.get().results.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_ended_and_the_slot_is_free_again() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.get().lease_over = true;
    fake.offer("long", 5);
    let slots = Slots::of(vec![artist(60.0)], 1);
    let agent = Agent::start(&fake, dir.path(), slots.clone()).await;
    fake.until("a sign of life", |fake| !fake.events.is_empty()).await;
    tokio::time::timeout(Duration::from_secs(8), slots.wait()).await.expect("the slot is free again");
    assert_eq!(fake.get().events.len(), 1);
    fake.until("claims again", |fake| fake.claims >= 2).await;
    assert!(fake.get().results.is_empty());
    assert!(fake.get().declined.is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn leases_that_cannot_be_worked_on_are_declined_with_the_reason() {
    let (fake, dir) = (Fake::start().await, dir());
    let slots = Slots::of(vec![artist(0.01)], 1);
    let agent = Agent::start(&fake, dir.path(), slots.clone()).await;
    fake.until("claims", |fake| fake.claims >= 1).await;
    // Another coordinator's lease takes the only slot while this claim is parked.
    let taken = slots.take().unwrap();
    fake.offer("busy", 5);
    fake.until("declines", |fake| !fake.declined.is_empty()).await;
    assert_eq!(fake.get().declined[0], ("busy".to_owned(), "busy".to_owned()));
    let claims = fake.get().claims;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(fake.get().claims, claims, "without a free slot nothing is claimed");
    drop(taken);

    fake.offer("foreign", 5);
    let foreign = {
        let mut behaviour = fake.get();
        behaviour.queue[0].offer.message.miner = MINER.create(1);
        behaviour.queue[0].clone()
    };
    fake.until("declines", |fake| fake.declined.len() == 2).await;
    assert!(fake.get().declined[1].1.contains("not for this one"), "{:?}", fake.get().declined);

    // A well-formed offer of a model that it does not run: it would have to sign for states that are not the model's.
    let message = Offer { miner: MINER, modelId: B256::repeat_byte(9), ..foreign.offer.message };
    let offer = domain().sign(message, &fake.get().node).unwrap();
    fake.get().queue.push_back(Lease { id: "unknown".to_owned(), offer, ..foreign });
    fake.until("declines", |fake| fake.declined.len() == 3).await;
    assert!(fake.get().declined[2].1.contains("does not run model"), "{:?}", fake.get().declined);
    assert!(fake.get().results.is_empty(), "it signs nothing");
    agent.stop().await;
}

#[tokio::test]
async fn only_the_pictures_that_a_request_commits_to_are_worked_on() {
    let (fake, dir) = (Fake::start().await, dir());
    let right = vec![7; manifest().body_with_picture(String::new()).unwrap().blob_bytes()];
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    let mut others = right.clone();
    others[5] = 8;
    for (declined, wrong) in [others, right[1..].to_vec(), vec![], vec![7; right.len() + 1]].into_iter().enumerate() {
        fake.get().blob = wrong;
        fake.offer_with_picture(&format!("wrong-{declined}"), 5, &right);
        fake.until("declines", |fake| fake.declined.len() > declined).await;
        assert!(fake.get().declined[declined].1.contains("input pictures"), "{:?}", fake.get().declined);
    }
    fake.get().blob = right.clone();
    fake.offer_with_picture("right", 5, &right);
    agent.earns(&fake, 5).await;
    let offer_hash = fake.get().results[0].1.result.message.offerHash;
    assert_eq!(agent.workshop.store.input(offer_hash).await.unwrap(), right, "kept for disputes");
    agent.stop().await;
}

#[tokio::test]
async fn what_the_memory_does_not_hold_is_given_back_with_the_size_that_would_and_work_goes_on() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    let (jobs, queue) = mpsc::channel::<Job>();
    let able = artist(0.01);
    thread::spawn(move || {
        let refusal = "512x512 does not fit into the memory of CUDA device 0: 256x256 would.".to_owned();
        let first = queue.recv().unwrap();
        let _ = first.reply.send(Err(WorkError::TooLarge(refusal)));
        for job in queue {
            able.send(job).unwrap();
        }
    });
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![jobs], 1)).await;
    fake.until("gives it back", |fake| !fake.declined.is_empty()).await;
    assert!(fake.get().declined[0].1.ends_with("256x256 would."), "{:?}", fake.get().declined);
    fake.offer("b", 5);
    fake.until("submits", |fake| fake.results.len() == 1).await;
    assert!(!agent.workshop.broken.is_cancelled());
    agent.stop().await;
}

#[tokio::test]
async fn a_coordinator_that_does_not_pay_gets_no_more_work() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.get().underpays = true;
    fake.offer("a", 5);
    fake.offer("b", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.until("submits", |fake| !fake.results.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(fake.get().results.len(), 1);
    assert_eq!(fake.get().claims, 1);
    agent.stop().await;

    // Not after a restart either, until it signs for what it owes.
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    fake.until("logs in again", |fake| fake.logins.len() >= 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(fake.get().claims, 1);
    agent.stop().await;
    let paid = fake.voucher(U256::from(5));
    {
        let mut behaviour = fake.get();
        (behaviour.login_voucher, behaviour.owed, behaviour.underpays) = (Some(paid), U256::from(5), false);
    }
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    agent.earns(&fake, 10).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_voucher_that_binds_nobody_leaves_the_result_pending() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.3)], 1)).await;
    fake.until("takes it", |fake| fake.queue.is_empty()).await;
    fake.get().node = PrivateKeySigner::random();
    fake.until("submits", |fake| !fake.results.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((agent.pending(&fake).await, agent.total(&fake).await), (1, None));
    agent.stop().await;
}

#[tokio::test]
async fn stopping_finishes_and_submits_what_is_in_work() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.8)], 1)).await;
    fake.until("takes it", |fake| fake.queue.is_empty()).await;
    fake.offer("b", 5);
    agent.stop().await;
    assert_eq!(fake.get().results.len(), 1);
    assert_eq!(fake.get().queue.len(), 1, "nothing is claimed any more");
}

#[tokio::test]
async fn what_takes_too_long_is_given_back_when_stopping() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("long", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(60.0)], 1)).await;
    fake.until("takes it", |fake| fake.queue.is_empty()).await;
    agent.stop.cancel();
    agent.workshop.abandon.cancel();
    agent.stop().await;
    assert_eq!(fake.get().declined[0], ("long".to_owned(), "the miner is being stopped".to_owned()));
    assert!(fake.get().results.is_empty());
}

#[tokio::test]
async fn a_dead_thread_stops_the_agent_and_gives_the_lease_back() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    let (dead, queue) = mpsc::channel();
    drop(queue);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![dead], 1)).await;
    tokio::time::timeout(Duration::from_secs(5), agent.workshop.broken.cancelled()).await.expect("the agent stops");
    fake.until("gives it back", |fake| !fake.declined.is_empty()).await;
    agent.stop().await;
}

#[tokio::test]
async fn when_traces_take_too_much_space_nothing_more_is_claimed() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    fake.offer("b", 5);
    let agent = Agent::start_with(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1), 0).await;
    agent.earns(&fake, 5).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(fake.get().claims, 1);
    assert_eq!(fake.get().queue.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_is_given_back() {
    let (fake, dir) = (Fake::start().await, dir());
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.01)], 1)).await;
    std::fs::remove_dir_all(dir.path().join("traces")).unwrap();
    fake.offer("a", 5);
    fake.until("gives it back", |fake| !fake.declined.is_empty()).await;
    assert!(fake.get().results.is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn stopping_submits_also_to_a_coordinator_that_forgot_the_session() {
    let (fake, dir) = (Fake::start().await, dir());
    fake.offer("a", 5);
    let agent = Agent::start(&fake, dir.path(), Slots::of(vec![artist(0.6)], 1)).await;
    fake.until("takes it", |fake| fake.queue.is_empty()).await;
    fake.get().forgets_sessions = true;
    agent.stop().await;
    assert_eq!(fake.get().results.len(), 1);
}
