//! What the store promises: nothing accepted is lost, nothing is paid twice.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    signers::local::PrivateKeySigner,
};
use cuckoo_coordinator::{
    audit::Finding,
    store::{Accepted, AuditState, ChallengeState, DrawRecord, Inserted, LeaseRecord, NewTask, Over, Store},
    task::Status,
};
use cuckoo_protocol::{
    body::ImageBody,
    contracts::{Offer, Result as TaskResult},
    draw::{At, Candidate, PassedOver, Reason},
    message::{Domain, Signed},
    request::{self, Request},
};
use std::path::Path;

const COORDINATOR: Address = Address::repeat_byte(9);
const PRICE: u64 = 1000;

fn domain() -> Domain {
    Domain::new(31337, Address::repeat_byte(1))
}

fn new_task(id: &str, idempotency: Option<B256>) -> NewTask {
    let body = ImageBody {
        prompt: id.to_owned(),
        negative_prompt: String::new(),
        width: 64,
        height: 64,
        steps: 4,
        guidance: "5".parse().unwrap(),
        seed: 1,
        scheduler: "ddim".to_owned(),
        strength: None,
    };
    let model_id = B256::repeat_byte(3);
    NewTask {
        id: id.to_owned(),
        model: "tiny".to_owned(),
        model_id,
        request: Request::new(model_id, B256::ZERO, &body.into(), &[], true).encode().unwrap(),
        price: U256::from(PRICE),
        unit_price: U256::from(1),
        idempotency,
        body_hash: keccak256(id),
    }
}

fn lease(task: &NewTask, id: &str, miner: u8) -> LeaseRecord {
    let message = Offer {
        coordinator: COORDINATOR,
        miner: Address::repeat_byte(miner),
        modelId: task.model_id,
        requestHash: request::hash(&task.request),
        price: task.price,
        expiry: 1_000_000 + u64::from(miner),
    };
    let offer_hash = domain().digest(&message);
    let offer = domain().sign(message, &PrivateKeySigner::random()).unwrap();
    LeaseRecord {
        id: id.to_owned(),
        task: task.id.clone(),
        node: Address::repeat_byte(miner),
        offer,
        offer_hash,
        over: None,
    }
}

fn result(lease: &LeaseRecord) -> Signed<TaskResult> {
    let message = TaskResult {
        offerHash: lease.offer_hash,
        traceRoot: B256::repeat_byte(4),
        states: 5,
        outputHash: B256::repeat_byte(5),
    };
    domain().sign(message, &PrivateKeySigner::random()).unwrap()
}

fn draw(sequence: u64, lease: &LeaseRecord) -> DrawRecord {
    let candidates = vec![
        Candidate { miner: Address::repeat_byte(1), weight: U256::from(5) },
        Candidate { miner: Address::repeat_byte(2), weight: U256::MAX },
    ];
    let passed = |(place, reason)| PassedOver { miner: Address::repeat_byte(3 + place as u8), reason };
    DrawRecord {
        sequence,
        day: 20_000,
        at: Some(At { block: 12, final_block: 10 }),
        chosen: lease.offer.message.miner,
        candidates,
        passed_over: Reason::ALL.into_iter().enumerate().map(passed).collect(),
    }
}

async fn leased(folder: &Path) -> (Store, NewTask, LeaseRecord) {
    let store = Store::open(folder).await.unwrap();
    let task = new_task("task", None);
    assert_eq!(store.insert_task(&task).await.unwrap(), Inserted::New);
    let lease = lease(&task, "lease", 1);
    assert!(store.insert_lease(&lease, &draw(0, &lease)).await.unwrap());
    (store, task, lease)
}

#[tokio::test]
async fn everything_comes_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task, lease) = leased(folder.path()).await;
    let key = store.session_key().await.unwrap();
    drop(store);

    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.session_key().await.unwrap(), key);
    assert_eq!(store.next_sequence().await.unwrap(), 1);
    let open = store.open_tasks().await.unwrap();
    assert_eq!((open.len(), open[0].status, open[0].lease.as_deref()), (1, Status::Leased, Some("lease")));
    assert_eq!(open[0].request, task.request);
    let stored = store.lease("lease", COORDINATOR).await.unwrap().unwrap();
    assert_eq!((&stored.offer, stored.offer_hash, stored.node), (&lease.offer, lease.offer_hash, lease.node));
    assert_eq!(store.draw(0).await.unwrap(), Some(draw(0, &lease)));
    assert_eq!(store.draw(1).await.unwrap(), None);
    assert_eq!(store.draw(u64::MAX).await.unwrap(), None);
}

#[tokio::test]
async fn a_result_is_paid_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task, lease) = leased(folder.path()).await;
    let result = result(&lease);
    assert_eq!(store.accept(&lease, &result, None).await.unwrap(), Accepted::Paid(U256::from(PRICE)));
    assert_eq!(store.accept(&lease, &result, None).await.unwrap(), Accepted::Again(U256::from(PRICE)));
    assert_eq!(store.channel(Address::repeat_byte(1)).await.unwrap(), (U256::from(PRICE), 1));
    assert_eq!(store.result(&lease).await.unwrap(), Some(result));
    assert_eq!(store.task(&task.id).await.unwrap().unwrap().status, Status::Done);
    assert!(!store.end_task(&task.id, Status::Cancelled, "").await.unwrap(), "done is final");
}

#[tokio::test]
async fn the_first_valid_result_wins_even_from_a_lease_that_expired() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task, first) = leased(folder.path()).await;
    assert!(store.end_lease(&first.id, Over::Expired).await.unwrap());
    assert!(!store.end_lease(&first.id, Over::Declined).await.unwrap(), "over is over");
    assert_eq!(store.ended_leases(&task.id).await.unwrap(), [(Address::repeat_byte(1), Over::Expired)]);
    let second = lease(&task, "second", 2);
    assert!(store.insert_lease(&second, &draw(1, &second)).await.unwrap());

    assert!(matches!(store.accept(&first, &result(&first), None).await.unwrap(), Accepted::Paid(_)));
    assert_eq!(store.accept(&second, &result(&second), None).await.unwrap(), Accepted::TooLate);
    assert_eq!(store.channel(Address::repeat_byte(2)).await.unwrap(), (U256::ZERO, 0), "the loser is not paid");
    assert_eq!(store.task(&task.id).await.unwrap().unwrap().lease.as_deref(), Some("lease"));
    assert_eq!(store.lease("second", COORDINATOR).await.unwrap().unwrap().over.as_deref(), Some("lost"));
}

#[tokio::test]
async fn a_cancelled_task_is_neither_leased_nor_paid() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task, first) = leased(folder.path()).await;
    assert!(store.end_task(&task.id, Status::Cancelled, "no longer wanted").await.unwrap());
    assert_eq!(store.accept(&first, &result(&first), None).await.unwrap(), Accepted::TooLate);
    let second = lease(&task, "second", 2);
    assert!(!store.insert_lease(&second, &draw(1, &second)).await.unwrap());
}

#[tokio::test]
async fn an_idempotency_key_names_one_task() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let key = Some(B256::repeat_byte(8));
    assert_eq!(store.insert_task(&new_task("a", key)).await.unwrap(), Inserted::New);
    let same_body = NewTask { id: "b".to_owned(), ..new_task("a", key) };
    assert_eq!(store.insert_task(&same_body).await.unwrap(), Inserted::Same("a".to_owned()));
    assert_eq!(store.insert_task(&new_task("c", key)).await.unwrap(), Inserted::Conflict);
    assert_eq!(store.open_tasks().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_owed_only_grows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let miner = Address::repeat_byte(1);
    for (shown, owed) in [(5u64, 5u64), (3, 5), (7, 7)] {
        store.raise_channel(miner, U256::from(shown)).await.unwrap();
        assert_eq!(store.channel(miner).await.unwrap().0, U256::from(owed));
    }
}

/// A store with one result that is audited until second 50.
async fn audited(folder: &Path) -> (Store, LeaseRecord) {
    let (store, _, lease) = leased(folder).await;
    assert_eq!(store.accept(&lease, &result(&lease), Some(50)).await.unwrap(), Accepted::Audited);
    (store, lease)
}

#[tokio::test]
async fn an_audited_result_is_paid_once_and_only_when_its_audit_went_well() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lease) = audited(folder.path()).await;
    let miner = Address::repeat_byte(1);
    assert_eq!(
        store.accept(&lease, &result(&lease), None).await.unwrap(),
        Accepted::Again(U256::ZERO),
        "no second coin"
    );
    assert_eq!(store.channel(miner).await.unwrap(), (U256::ZERO, 1));
    assert_eq!(store.unaudited(0).await.unwrap().len(), 1);
    assert!(!store.pass_audit("lease", AuditState::Passed).await.unwrap(), "nothing was opened");
    drop(store);

    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.audits(AuditState::Asked).await.unwrap()[0].deadline, 50);
    assert!(store.open_audit("lease").await.unwrap());
    assert!(!store.open_audit("lease").await.unwrap());
    drop(store);

    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.audits(AuditState::Opened).await.unwrap()[0].lease, "lease");
    assert!(store.pass_audit("lease", AuditState::Passed).await.unwrap());
    assert!(!store.pass_audit("lease", AuditState::Passed).await.unwrap());
    assert_eq!(store.channel(miner).await.unwrap(), (U256::from(PRICE), 1));
    assert_eq!((store.passed_audits(miner).await.unwrap(), store.unaudited(0).await.unwrap().len()), (1, 0));
    assert!(store.audits(AuditState::Opened).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_result_that_fails_its_audit_is_challenged_and_never_paid() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = audited(folder.path()).await;
    let audit = store.audit("lease").await.unwrap().unwrap();
    let finding = Finding { transition: 3, tile: None, reason: "step 3 is off".to_owned() };
    assert!(store.fail_audit(&audit, AuditState::Refused, &finding).await.unwrap());
    assert!(!store.fail_audit(&audit, AuditState::Missed, &finding).await.unwrap());
    assert!(!store.open_audit("lease").await.unwrap(), "too late");
    assert!(!store.pass_audit("lease", AuditState::Waived).await.unwrap());
    drop(store);

    let store = Store::open(folder.path()).await.unwrap();
    let miner = Address::repeat_byte(1);
    assert_eq!((store.channel(miner).await.unwrap().0, store.passed_audits(miner).await.unwrap()), (U256::ZERO, 0));
    let mut challenge = store.open_challenges().await.unwrap().remove(0);
    assert_eq!((&challenge.finding, challenge.state, challenge.dispute), (&finding, ChallengeState::Due, None));
    (challenge.state, challenge.dispute) = (ChallengeState::Open, Some(B256::repeat_byte(9)));
    store.update_challenge(&challenge).await.unwrap();
    assert_eq!(store.open_challenges().await.unwrap()[0].dispute, Some(B256::repeat_byte(9)));
    (challenge.state, challenge.slashed) = (ChallengeState::Convicted, Some(U256::from(5)));
    store.update_challenge(&challenge).await.unwrap();
    assert!(store.open_challenges().await.unwrap().is_empty());
    let stored = store.challenge("lease").await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.slashed, stored.task.as_str()),
        (ChallengeState::Convicted, Some(U256::from(5)), "task")
    );
}

#[tokio::test]
async fn what_cannot_be_challenged_any_more_is_no_work_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _, lease) = leased(folder.path()).await;
    store.accept(&lease, &result(&lease), None).await.unwrap();
    let expiry = lease.offer.message.expiry;
    let in_flight = store.unaudited(expiry - 1).await.unwrap();
    assert_eq!((in_flight[0].price, in_flight[0].expiry, in_flight.len()), (U256::from(PRICE), expiry, 1));
    assert!(store.unaudited(expiry).await.unwrap().is_empty());
}
