//! What must survive: results, vouchers and traces across a restart, and accounts that add up whatever got lost on the way.

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_miner::{
    store::{Pending, Store, StoreError, StoredBallot},
    voucher::{Channel, VoucherError},
};
use cuckoo_protocol::{
    contracts::{IDisputes::Verdict, Result as TaskResult, Voucher},
    dispute::Ballot,
    link::ResultSubmission,
    message::{Domain, Signed},
};
use tempfile::TempDir;

const PAYER: Address = Address::repeat_byte(1);
const PAYEE: Address = Address::repeat_byte(2);

struct World {
    dir: TempDir,
    domain: Domain,
    node: PrivateKeySigner,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, domain: Domain::new(31337, Address::ZERO), node: PrivateKeySigner::random() }
    }

    async fn open(&self) -> Store {
        Store::open(self.dir.path()).await.unwrap()
    }

    fn channel(&self) -> Channel {
        Channel { payer: PAYER, payer_node: self.node.address(), payee: PAYEE }
    }

    fn voucher(&self, cumulative: u64) -> Signed<Voucher> {
        let voucher = Voucher { payer: PAYER, payee: PAYEE, cumulative: U256::from(cumulative) };
        self.domain.sign(voucher, &self.node).unwrap()
    }

    fn pending(&self, number: u8, price: u64, expiry: u64) -> Pending {
        let message = TaskResult {
            offerHash: B256::repeat_byte(number),
            traceRoot: B256::repeat_byte(200),
            states: 3,
            outputHash: B256::repeat_byte(201),
        };
        let result = self.domain.sign(message, &self.node).unwrap();
        Pending {
            coordinator: PAYER,
            miner: PAYEE,
            lease: format!("lease-{number}"),
            price: U256::from(price),
            expiry,
            submission: ResultSubmission { result, output: vec![number; 1000] },
            audit: None,
        }
    }

    async fn keep(&self, store: &Store, number: u8, price: u64) -> B256 {
        let pending = self.pending(number, price, 100);
        store.keep(&pending, vec![vec![number; 40]; 3], Vec::new()).await.unwrap();
        pending.offer_hash()
    }
}

#[tokio::test]
async fn results_traces_and_vouchers_survive_a_restart() {
    let world = World::new();
    let store = world.open().await;
    let hash = world.keep(&store, 1, 5).await;
    store.settle(&world.channel(), Some(&world.voucher(7))).await.unwrap().unwrap();
    assert!(matches!(Store::open(world.dir.path()).await, Err(StoreError::InUse(_))));
    drop(store);

    let store = world.open().await;
    let [pending] = store.pending(PAYER, PAYEE).await.unwrap().try_into().unwrap();
    let kept = world.pending(1, 5, 100);
    assert_eq!((pending.lease, pending.price, pending.expiry), (kept.lease, kept.price, kept.expiry));
    assert_eq!(pending.submission.result, kept.submission.result);
    assert_eq!(pending.submission.output, kept.submission.output);
    assert_eq!(store.voucher(PAYER, PAYEE).await.unwrap(), Some(world.voucher(7)));
    assert_eq!(store.trace(hash).await.unwrap(), Some(vec![vec![1; 40]; 3]));
    assert!(store.pending(PAYEE, PAYER).await.unwrap().is_empty(), "another channel's");

    store.accept(hash, &world.voucher(12)).await.unwrap().unwrap();
    drop(store);
    let store = world.open().await;
    assert!(store.pending(PAYER, PAYEE).await.unwrap().is_empty());
    assert_eq!(store.vouchers().await.unwrap(), [world.voucher(12)]);
    assert!(store.trace(hash).await.unwrap().is_some(), "audits come after acceptance");
}

#[tokio::test]
async fn a_voucher_must_grow_by_the_price_of_each_result() {
    let world = World::new();
    let store = world.open().await;
    let (first, second) = (world.keep(&store, 1, 5).await, world.keep(&store, 2, 3).await);
    store.accept(first, &world.voucher(5)).await.unwrap().unwrap();
    let underpaid = store.accept(second, &world.voucher(7)).await.unwrap();
    assert_eq!(underpaid, Err(VoucherError::Underpaid { promised: U256::from(7), owed: U256::from(8) }));
    assert_eq!(
        store.voucher(PAYER, PAYEE).await.unwrap(),
        Some(world.voucher(7)),
        "less than owed is better than nothing"
    );

    // Remembered until it is made good, also across a restart.
    drop(store);
    let store = world.open().await;
    assert!(store.settle(&world.channel(), Some(&world.voucher(7))).await.unwrap().is_err());
    assert!(store.settle(&world.channel(), None).await.unwrap().is_err());
    store.settle(&world.channel(), Some(&world.voucher(8))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lower_voucher_never_replaces_a_higher_one() {
    let world = World::new();
    let store = world.open().await;
    store.settle(&world.channel(), Some(&world.voucher(9))).await.unwrap().unwrap();
    store.settle(&world.channel(), Some(&world.voucher(4))).await.unwrap().unwrap();
    assert_eq!(store.voucher(PAYER, PAYEE).await.unwrap(), Some(world.voucher(9)));
    let hash = world.keep(&store, 1, 5).await;
    assert!(store.accept(hash, &world.voucher(6)).await.unwrap().is_err(), "9 were promised already, 14 are owed");
    assert_eq!(store.voucher(PAYER, PAYEE).await.unwrap(), Some(world.voucher(9)));
}

#[tokio::test]
async fn an_acceptance_that_got_lost_is_no_underpayment() {
    let world = World::new();
    let store = world.open().await;
    let (first, second) = (world.keep(&store, 1, 5).await, world.keep(&store, 2, 3).await);
    // The coordinator accepted the first, its answer was lost; the login's voucher counts it already.
    store.settle(&world.channel(), Some(&world.voucher(5))).await.unwrap().unwrap();
    store.accept(first, &world.voucher(5)).await.unwrap().unwrap();
    // But it does not count for the second too.
    assert!(store.accept(second, &world.voucher(5)).await.unwrap().is_err());
}

#[tokio::test]
async fn a_repeated_acceptance_is_booked_once() {
    let world = World::new();
    let store = world.open().await;
    let hash = world.keep(&store, 1, 5).await;
    for _ in 0..2 {
        store.accept(hash, &world.voucher(5)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_miner_that_lost_its_data_is_not_paid_twice_over_old_work() {
    let world = World::new();
    let store = world.open().await;
    store.settle(&world.channel(), Some(&world.voucher(100))).await.unwrap().unwrap();
    let hash = world.keep(&store, 1, 5).await;
    assert!(store.accept(hash, &world.voucher(100)).await.unwrap().is_err(), "the old total pays for nothing new");
}

#[tokio::test]
async fn traces_go_when_nobody_may_ask_for_them_any_more() {
    let world = World::new();
    let store = world.open().await;
    let old = world.keep(&store, 1, 5).await;
    let recent = world.pending(2, 5, 200);
    store.keep(&recent, vec![vec![2; 40]; 3], vec![7; 30]).await.unwrap();
    let trace = 8 + 3 * 48;
    assert_eq!(store.trace_bytes().await.unwrap(), 2 * trace + 30);
    assert!(store.input(old).await.unwrap().is_empty());
    assert_eq!(store.input(recent.offer_hash()).await.unwrap(), [7; 30]);

    assert_eq!(store.prune(100).await.unwrap(), 0, "kept up to the last second");
    assert_eq!(store.prune(101).await.unwrap(), 1);
    assert_eq!(store.trace(old).await.unwrap(), None);
    assert!(store.trace(recent.offer_hash()).await.unwrap().is_some());
    assert_eq!(store.trace_bytes().await.unwrap(), trace + 30);
    assert_eq!(store.input(recent.offer_hash()).await.unwrap(), [7; 30], "it belongs to a trace that is kept");
    let left = store.pending(PAYER, PAYEE).await.unwrap();
    assert_eq!(left.len(), 1, "a result that old is not submitted any more");
    assert_eq!(store.prune(201).await.unwrap(), 1);
    assert!(store.input(recent.offer_hash()).await.unwrap().is_empty(), "input pictures go with their trace");
}

#[tokio::test]
async fn what_a_crash_left_is_swept_and_what_is_damaged_is_said() {
    let world = World::new();
    let store = world.open().await;
    let hash = world.keep(&store, 1, 5).await;
    drop(store);
    let traces = world.dir.path().join("traces");
    let orphan = traces.join(format!("{}.trace", B256::repeat_byte(9)));
    let unfinished = traces.join(format!("{}.new", B256::repeat_byte(8)));
    for path in [&orphan, &unfinished] {
        std::fs::write(path, b"half").unwrap();
    }

    let store = world.open().await;
    assert!(!orphan.exists() && !unfinished.exists());
    assert!(store.trace(hash).await.unwrap().is_some());
    std::fs::write(traces.join(format!("{hash}.trace")), [1u8, 0, 0, 0, 0, 0, 0, 0, 255]).unwrap();
    assert!(matches!(store.trace(hash).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_ballot_outlives_the_process_and_belongs_to_one_seed() {
    let world = World::new();
    let (dispute, seed, juror) = (B256::repeat_byte(1), B256::repeat_byte(2), PAYEE);
    // The largest probe that there can be, and more than any integer column holds.
    let ballot = Ballot { verdict: Verdict::Guilty, probe: U256::MAX, salt: B256::repeat_byte(3) };
    let commitment = ballot.commitment(dispute, 2, juror);
    let stored = StoredBallot { dispute, round: 2, seed, reveal_until: 100, commitment, ballot };
    let store = world.open().await;
    store.keep_ballot(&stored).await.unwrap();
    store.close().await;
    drop(store);

    let store = world.open().await;
    assert_eq!(store.ballot(commitment).await.unwrap(), Some(ballot));
    assert_eq!(store.ballot_for(dispute, 2, seed).await.unwrap(), Some(ballot));
    // A reorganisation gives the round another seed: it is judged anew, and both ballots can be opened.
    assert_eq!(store.ballot_for(dispute, 2, B256::ZERO).await.unwrap(), None);
    assert_eq!(store.ballot_for(dispute, 1, seed).await.unwrap(), None);
    let again = Ballot { probe: U256::ONE, ..ballot };
    let other = again.commitment(dispute, 2, juror);
    store.keep_ballot(&StoredBallot { seed: B256::ZERO, commitment: other, ballot: again, ..stored }).await.unwrap();
    assert_eq!(store.ballot(commitment).await.unwrap(), Some(ballot));
    assert_eq!(store.ballot(other).await.unwrap(), Some(again));

    store.prune_ballots(100).await.unwrap();
    assert!(store.ballot(commitment).await.unwrap().is_some());
    store.prune_ballots(101).await.unwrap();
    assert!(store.ballot(commitment).await.unwrap().is_none());
}
