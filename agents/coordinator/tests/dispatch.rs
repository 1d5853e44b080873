//! Who gets which task: by weight among those who are live, willing and free.

use alloy::{
    primitives::{Address, B256, Signature, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_coordinator::{
    dispatch::{Dispatch, GRACE, Queued},
    session::Identity,
    store::Over,
};
use cuckoo_protocol::{
    contracts::Offer,
    draw::{Candidate, Reason, draw},
    link::{Capability, Lease},
    message::Signed,
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::oneshot::Receiver;

const LEASE_TIME: Duration = Duration::from_secs(30);
const MODEL: B256 = B256::repeat_byte(7);

fn miner(n: u8) -> Identity {
    Identity { miner: Address::with_last_byte(n), node: Address::with_last_byte(100 + n) }
}

fn task(n: u64) -> Queued {
    let (price, unit_price) = (U256::from(5), U256::from(10));
    Queued { id: format!("{n:08}"), model_id: MODEL, price, unit_price, declined: Vec::new(), expired: Vec::new() }
}

fn capability(least_price: u64) -> Vec<Capability> {
    vec![Capability { model_id: MODEL, least_price: U256::from(least_price) }]
}

fn lease(id: &str) -> Lease {
    let message = Offer {
        coordinator: Address::ZERO,
        miner: Address::ZERO,
        modelId: MODEL,
        requestHash: B256::ZERO,
        price: U256::ZERO,
        expiry: 0,
    };
    let signature = Signature::new(U256::from(1), U256::from(1), false);
    Lease { id: id.to_owned(), offer: Signed { message, signature }, request: vec![].into(), deadline: 0 }
}

fn weight(miner: Address) -> U256 {
    U256::from(miner.0[19]) * U256::from(10_000)
}

fn ready(dispatch: &mut Dispatch, n: u8, slots: usize, now: Instant) -> Receiver<Lease> {
    dispatch.login(miner(n), capability(0), slots, now);
    dispatch.park(miner(n), now).unwrap()
}

/// A whole life of a task: draw, lease, fetch, result. Returns who did it.
fn serve(dispatch: &mut Dispatch, n: u64, parked: &mut HashMap<Address, Receiver<Lease>>, now: Instant) -> Address {
    dispatch.enqueue(task(n));
    let (task, mut candidates) = dispatch.next(weight, now).unwrap();
    let chosen = draw(B256::repeat_byte(1), n, &mut candidates).unwrap();
    let id = format!("lease {n}");
    assert!(dispatch.reserve(&id, &task.id, chosen, now));
    dispatch.hand_over(lease(&id), now);
    assert_eq!(parked.get_mut(&chosen).unwrap().try_recv().unwrap().id, id);
    assert_eq!(dispatch.finish_lease(&id, now).unwrap().miner, chosen);
    parked.insert(chosen, dispatch.park(Identity { miner: chosen, node: node_of(chosen) }, now).unwrap());
    chosen
}

fn node_of(miner: Address) -> Address {
    Address::with_last_byte(100 + miner.0[19])
}

/// Why those of five active miners who are no candidates for another task are none.
fn reasons(dispatch: &Dispatch, candidates: &[Candidate], now: Instant) -> Vec<(u8, Reason)> {
    let active = (1..=5).map(|n| miner(n).miner);
    let passed = dispatch.passed_over(&task(9), candidates, active, now);
    passed.iter().map(|passed| (passed.miner.0[19], passed.reason)).collect()
}

#[test]
fn four_thousand_tasks_are_shared_by_weight() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let mut parked: HashMap<Address, Receiver<Lease>> =
        (1..=4).map(|n| (miner(n).miner, ready(&mut dispatch, n, 1, now))).collect();
    let (tasks, mut served) = (4000u64, HashMap::new());
    for n in 0..tasks {
        *served.entry(serve(&mut dispatch, n, &mut parked, now)).or_insert(0u64) += 1;
    }
    let chi_square: f64 = (1..=4u8)
        .map(|n| {
            let expected = tasks as f64 * f64::from(n) / 10.0;
            (served[&miner(n).miner] as f64 - expected).powi(2) / expected
        })
        .sum();
    // 99.9th percentile at 3 degrees of freedom; the draws are deterministic.
    assert!(chi_square < 16.3, "chi-square {chi_square}, served {served:?}");
}

#[test]
fn only_the_live_the_willing_and_the_free_are_candidates() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let _one = ready(&mut dispatch, 1, 1, now);
    dispatch.login(miner(2), capability(11), 1, now);
    let _two = dispatch.park(miner(2), now).unwrap();
    let other_model = vec![Capability { model_id: B256::ZERO, least_price: U256::ZERO }];
    dispatch.login(miner(3), other_model, 1, now);
    let _three = dispatch.park(miner(3), now).unwrap();
    drop(ready(&mut dispatch, 4, 1, now));

    dispatch.enqueue(task(1));
    let later = now + GRACE;
    let (_, candidates) = dispatch.next(weight, later).unwrap();
    assert_eq!(
        candidates.iter().map(|c| c.miner).collect::<Vec<_>>(),
        [miner(1).miner],
        "4 hung up, 2 wants more, 3 cannot"
    );
    assert_eq!(
        reasons(&dispatch, &candidates, later),
        [(2, Reason::Price), (3, Reason::Model), (4, Reason::Absent), (5, Reason::Absent)],
        "5 never came"
    );
    let without_stake = |m: Address| if m == miner(1).miner { U256::ZERO } else { weight(m) };
    assert!(dispatch.next(without_stake, later).is_none(), "1 was slashed");

    assert!(dispatch.reserve("a", "00000001", miner(1).miner, later));
    dispatch.enqueue(task(2));
    assert!(dispatch.next(weight, later).is_none(), "1 is busy");
    assert_eq!(reasons(&dispatch, &[], later)[0], (1, Reason::Busy));
    assert!(!dispatch.reserve("b", "00000002", miner(1).miner, later), "no slot left");
    assert_eq!(dispatch.skipped(miner(2).miner)["price"], 1);
    assert_eq!(dispatch.skipped(miner(3).miner)["model"], 1);
}

#[test]
fn a_miner_at_its_cap_is_passed_over_until_audits_free_it() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let _one = ready(&mut dispatch, 1, 2, now);
    let _two = ready(&mut dispatch, 2, 2, now);
    let limit = |one: u64| move |m: Address| if m == miner(1).miner { U256::from(one) } else { U256::MAX };
    dispatch.enqueue(task(1));
    dispatch.enqueue(task(2));
    let candidates = |dispatch: &Dispatch| {
        let (_, candidates) = dispatch.next(weight, now).unwrap();
        let mut miners: Vec<Address> = candidates.iter().map(|c| c.miner).collect();
        miners.sort();
        miners
    };
    let both = vec![miner(1).miner, miner(2).miner];
    dispatch.set_rooms(limit(4));
    assert_eq!(candidates(&dispatch), [miner(2).miner], "a task is 5 wei");
    assert_eq!(dispatch.skipped(miner(1).miner)["unaudited"], 2);
    let two = Candidate { miner: miner(2).miner, weight: weight(miner(2).miner) };
    assert_eq!(reasons(&dispatch, &[two], now)[0], (1, Reason::Unaudited));
    dispatch.set_rooms(limit(9));
    assert_eq!(candidates(&dispatch), both);
    assert!(dispatch.reserve("a", "00000001", miner(1).miner, now));
    assert_eq!(candidates(&dispatch), [miner(2).miner], "what it works on counts");
    dispatch.set_rooms(limit(10));
    assert_eq!(candidates(&dispatch), both);
}

#[test]
fn a_freed_slot_takes_the_oldest_task_it_can_do() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    for n in [3, 1, 2] {
        dispatch.enqueue(task(n));
    }
    let mut declined = task(0);
    declined.note(miner(1).miner, Over::Declined);
    dispatch.enqueue(declined);
    let _one = ready(&mut dispatch, 1, 1, now);
    assert_eq!(dispatch.next(weight, now).unwrap().0.id, task(1).id, "0 was declined by it");
}

#[test]
fn who_let_a_task_expire_gets_it_again_only_if_nobody_else_is_left() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let mut tried = task(1);
    tried.note(miner(1).miner, Over::Expired);
    dispatch.enqueue(tried.clone());
    let _one = ready(&mut dispatch, 1, 1, now);
    dispatch.login(Identity { miner: Address::ZERO, ..miner(9) }, capability(0), 1, now);
    let candidates = |dispatch: &Dispatch, now| {
        dispatch.next(weight, now).map(|(_, them)| them.into_iter().map(|c| c.miner).collect::<Vec<_>>())
    };
    assert_eq!(candidates(&dispatch, now), Some(vec![miner(1).miner]), "who has no weight is nobody");

    // Another one, free or at work, is waited for.
    let mut two = ready(&mut dispatch, 2, 1, now);
    assert_eq!(candidates(&dispatch, now), Some(vec![miner(2).miner]));
    dispatch.enqueue(task(0));
    assert!(dispatch.reserve("a", &task(0).id, miner(2).miner, now));
    dispatch.hand_over(lease("a"), now);
    assert!(two.try_recv().is_ok());
    assert_eq!(candidates(&dispatch, now + 2 * GRACE), None);
    dispatch.finish_lease("a", now);
    assert_eq!(candidates(&dispatch, now + 2 * GRACE), Some(vec![miner(1).miner]), "it has left");

    dispatch.remove_task(&tried.id);
    tried.note(miner(1).miner, Over::Declined);
    dispatch.enqueue(tried);
    assert_eq!(candidates(&dispatch, now + 2 * GRACE), None);
}

#[test]
fn a_lease_waits_for_a_miner_that_has_just_delivered() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    drop(ready(&mut dispatch, 1, 1, now));
    dispatch.enqueue(task(1));
    assert!(dispatch.next(weight, now).is_some(), "its next claim is on its way");
    assert!(dispatch.reserve("a", "00000001", miner(1).miner, now));
    dispatch.hand_over(lease("a"), now);
    let mut claim = dispatch.park(miner(1), now).unwrap();
    assert_eq!(claim.try_recv().unwrap().id, "a");
    assert!(dispatch.overdue(now + GRACE).is_empty(), "it was fetched");
    assert_eq!(dispatch.overdue(now + LEASE_TIME), ["a"]);
    assert!(dispatch.beat("a", now + LEASE_TIME));
    assert!(dispatch.overdue(now + LEASE_TIME).is_empty(), "it gave a sign of life");
}

#[test]
fn a_lease_that_nobody_fetches_is_over_soon() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    drop(ready(&mut dispatch, 1, 1, now));
    dispatch.enqueue(task(1));
    assert!(dispatch.reserve("a", "00000001", miner(1).miner, now));
    dispatch.hand_over(lease("a"), now);
    assert_eq!(dispatch.overdue(now + GRACE), ["a"]);
    assert!(!dispatch.remove_lease("a").unwrap().delivered);
    let mut claim = dispatch.park(miner(1), now).unwrap();
    assert!(claim.try_recv().is_err(), "it is not delivered any more");
}

#[test]
fn a_foreign_node_cannot_claim_for_a_miner() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let _one = ready(&mut dispatch, 1, 1, now);
    let thief = Identity { miner: miner(1).miner, node: PrivateKeySigner::random().address() };
    assert!(dispatch.park(thief, now).is_none());
}

#[test]
fn a_busy_miner_rests_and_may_get_the_task_later() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let _one = ready(&mut dispatch, 1, 1, now);
    let mut busy = task(1);
    busy.note(miner(1).miner, Over::Busy);
    dispatch.enqueue(busy);
    dispatch.rest(miner(1).miner, now);
    assert!(dispatch.next(weight, now).is_none());
    assert_eq!(reasons(&dispatch, &[], now)[0], (1, Reason::Busy));
    assert!(dispatch.next(weight, now + GRACE).is_some());
}

#[test]
fn an_ended_task_leaves_nothing_behind() {
    let (mut dispatch, now) = (Dispatch::new(LEASE_TIME), Instant::now());
    let _one = ready(&mut dispatch, 1, 1, now);
    dispatch.enqueue(task(1));
    assert!(dispatch.reserve("a", "00000001", miner(1).miner, now));
    dispatch.remove_task("00000001");
    assert_eq!((dispatch.queued(), dispatch.leased()), (0, 0));
    assert!(!dispatch.beat("a", now));
    dispatch.enqueue(task(2));
    assert!(dispatch.next(weight, now).is_some(), "the slot is free again");
}
