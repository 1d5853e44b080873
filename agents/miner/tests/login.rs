//! Nobody gets work, and no token is used, of a coordinator that does not prove who it is.

mod fake;

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use cuckoo_miner::{
    link::{Coordinator, Link, LinkError, LoginError, Miner},
    voucher::VoucherError,
};
use cuckoo_protocol::{contracts::Voucher, link::Capability, message::Signed};
use fake::{Behaviour, Fake, MINER, NOW, deployment, domain, manifest};

fn miner(node: &PrivateKeySigner) -> Miner {
    let models = vec![Capability { model_id: manifest().model_id(), least_price: U256::from(7) }];
    Miner { operator: MINER, node: node.clone(), models, slots: 2 }
}

fn link(fake: &Fake) -> Link {
    Link::new(fake.coordinator.clone(), deployment(), miner(&PrivateKeySigner::random())).unwrap()
}

/// Logs in at a coordinator that cheats as `cheat` says; afterwards no token may be used.
async fn refused(held: Option<u64>, cheat: impl FnOnce(&Fake, &mut Behaviour)) -> LoginError {
    let fake = Fake::start().await;
    let held = held.map(|wei| fake.voucher(U256::from(wei)));
    cheat(&fake, &mut fake.get());
    let link = link(&fake);
    let error = link.login(NOW, held).await.unwrap_err();
    assert!(!link.is_open(NOW).await);
    assert!(matches!(link.claim().await, Err(LinkError::Refused { status: 401, .. })));
    assert_eq!(fake.get().claims, 0);
    error
}

#[tokio::test]
async fn an_honest_coordinator_gets_a_login_that_is_bound_to_it() {
    let fake = Fake::start().await;
    let node = PrivateKeySigner::random();
    let link = Link::new(fake.coordinator.clone(), deployment(), miner(&node)).unwrap();
    let held = fake.voucher(U256::from(4));
    let more = fake.voucher(U256::from(9));
    fake.get().login_voucher = Some(more.clone());
    assert_eq!(link.login(NOW, Some(held.clone())).await.unwrap(), Some(more));

    let request = fake.get().logins[0].clone();
    assert_eq!(request.login.verify(&domain(), node.address()), Ok(()));
    let login = &request.login.message;
    assert_eq!((login.miner, login.coordinator), (MINER, fake.coordinator.operator));
    assert_eq!(login.coordinatorNode, fake.coordinator.node);
    assert_eq!(login.nonce, B256::repeat_byte(3));
    assert_eq!(login.origin, fake.coordinator.endpoint.as_str().trim_end_matches('/'));
    assert_eq!((request.slots, &request.models, request.voucher), (2, &miner(&node).models, Some(held)));

    // The session lasts, and is renewed before it ends.
    assert_eq!(link.login(NOW + 2699, None).await.unwrap(), None);
    assert_eq!(fake.get().logins.len(), 1);
    fake.get().session_expiry = NOW + 7200;
    link.login(NOW + 2700, None).await.unwrap();
    assert_eq!(fake.get().logins.len(), 2);
}

#[tokio::test]
async fn another_network_is_refused() {
    assert!(matches!(refused(None, |_, b| b.nonce.chain_id = 1).await, LoginError::Chain { theirs: 1, ours: 31337 }));
    let other = Address::repeat_byte(99);
    assert!(
        matches!(refused(None, |_, b| b.nonce.registry = other).await, LoginError::Registry { theirs, .. } if theirs == other)
    );
}

#[tokio::test]
async fn a_foreign_coordinator_is_refused() {
    let other = Address::repeat_byte(99);
    assert!(
        matches!(refused(None, |_, b| b.nonce.coordinator = other).await, LoginError::Coordinator(a) if a == other)
    );
    assert!(matches!(refused(None, |_, b| b.nonce.coordinator_node = other).await, LoginError::Node(a) if a == other));
    // It says that it is the one wanted, but does not have its key.
    let impostor = |_: &Fake, b: &mut Behaviour| b.node = PrivateKeySigner::random();
    assert!(matches!(refused(None, impostor).await, LoginError::Signature(_)));
}

#[tokio::test]
async fn a_session_of_another_login_or_token_is_refused() {
    let replayed = |_: &Fake, b: &mut Behaviour| b.signed_login = Some(B256::repeat_byte(1));
    assert!(matches!(refused(None, replayed).await, LoginError::Replayed));
    let swapped = |_: &Fake, b: &mut Behaviour| b.signed_token = Some("another".to_owned());
    assert!(matches!(refused(None, swapped).await, LoginError::Token));
    assert!(matches!(refused(None, |_, b| b.session_expiry = NOW).await, LoginError::Expired));
}

#[tokio::test]
async fn a_coordinator_that_denies_its_vouchers_is_refused() {
    let denied = refused(Some(5), |_, b| b.login_voucher = None).await;
    assert!(matches!(denied, LoginError::Voucher(VoucherError::Underpaid { .. })));
    let forged = |fake: &Fake, b: &mut Behaviour| {
        let message = Voucher { payer: fake.coordinator.operator, payee: MINER, cumulative: U256::from(5) };
        b.login_voucher = Some(domain().sign(message, &PrivateKeySigner::random()).unwrap());
    };
    assert!(matches!(refused(None, forged).await, LoginError::Voucher(VoucherError::Signature(_))));
    let others = |fake: &Fake, b: &mut Behaviour| {
        let message = Voucher { payer: fake.coordinator.operator, payee: Address::ZERO, cumulative: U256::from(5) };
        b.login_voucher = Some(Signed { ..domain().sign(message, &b.node).unwrap() });
    };
    assert!(matches!(refused(None, others).await, LoginError::Voucher(VoucherError::Payee(Address::ZERO))));
}

#[tokio::test]
async fn answers_are_bounded_and_paths_stay_paths() {
    let fake = Fake::start().await;
    fake.get().floods = true;
    let link = link(&fake);
    link.login(NOW, None).await.unwrap();
    assert!(matches!(link.claim().await, Err(LinkError::Malformed(_))));
    for id in ["", "..", ".", &"x".repeat(129)] {
        assert!(matches!(link.decline(id, String::new()).await, Err(LinkError::Malformed(_))), "{id}");
    }
    link.decline("a/../../b?c#d", String::new()).await.unwrap();
    assert_eq!(fake.get().declined[0].0, "a/../../b?c#d");
}

#[tokio::test]
async fn a_coordinator_that_is_not_there_is_an_error_and_no_panic() {
    let endpoint = "http://127.0.0.1:1";
    let coordinator = Coordinator::new(Address::ZERO, Address::ZERO, endpoint).unwrap();
    let link = Link::new(coordinator, deployment(), miner(&PrivateKeySigner::random())).unwrap();
    assert!(matches!(link.login(NOW, None).await, Err(LoginError::Link(LinkError::Unreachable(_)))));
}

#[test]
fn only_plain_http_endpoints_are_called() {
    for bad in
        ["", "file:///etc/passwd", "ftp://x", "javascript:alert(1)", "http://", "http://u:p@x", "http://x?y", "x:8080"]
    {
        assert!(Coordinator::new(Address::ZERO, Address::ZERO, bad).is_err(), "{bad}");
    }
    let nested = Coordinator::new(Address::ZERO, Address::ZERO, "https://x.example:8443/cuckoo/").unwrap();
    assert_eq!(nested.origin(), "https://x.example:8443");
}
