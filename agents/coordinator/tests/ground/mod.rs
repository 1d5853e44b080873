//! A result that an audit found false, and the jury that finds it guilty.

use crate::support::stage::{Stage, warp};
use alloy::primitives::{B256, U256, keccak256};
use cuckoo_coordinator::{
    audit::Finding,
    store::{Accepted, AuditState, LeaseRecord, NewTask, Store},
};
use cuckoo_protocol::{contracts::IDisputes::Verdict, dispute::Ballot, message::Domain};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Of the result.
pub const LEASE: &str = "lease";
const PATIENCE: Duration = Duration::from_secs(60);

/// Stores in a coordinator's `folder` a result of the accused's, and that its audit found `init` false.
pub async fn find_false(stage: &Stage, folder: &Path) {
    let accusation = stage.accusation(0).await;
    let (store, offer) = (Store::open(folder).await.unwrap(), accusation.offer);
    let task = NewTask {
        id: "task".to_owned(),
        model: "tiny".to_owned(),
        model_id: offer.message.modelId,
        request: accusation.request.to_vec(),
        price: offer.message.price,
        unit_price: U256::from(1),
        idempotency: None,
        body_hash: B256::ZERO,
    };
    store.insert_task(&task).await.unwrap();
    let lease = LeaseRecord {
        id: LEASE.to_owned(),
        task: task.id,
        node: stage.accused.address(),
        offer_hash: Domain::new(31337, stage.network.deployment.contracts.registry).digest(&offer.message),
        offer,
        over: None,
    };
    assert!(store.insert_lease(&lease, 0, 20_000, &[]).await.unwrap());
    assert_eq!(store.accept(&lease, &accusation.result, Some(0)).await.unwrap(), Accepted::Audited);
    let finding = Finding { transition: 0, tile: None, reason: "the noise is off".to_owned() };
    let audit = store.audit(LEASE).await.unwrap().unwrap();
    assert!(store.fail_audit(&audit, AuditState::Refused, &finding).await.unwrap());
}

/// Has four jurors of a jury that is called say so; then nothing but to resolve is left.
pub async fn find_guilty(stage: &Stage, id: B256, commit_window: u64, reveal_window: u64) {
    let probe = U256::from(10).pow(U256::from(18));
    let guilty = Ballot { verdict: Verdict::Guilty, probe, salt: keccak256("salt") };
    for (operator, court) in &stage.jurors {
        court.commit(id, guilty.commitment(id, 0, *operator)).await.unwrap();
    }
    warp(&stage.network, commit_window).await;
    for (_, court) in &stage.jurors {
        court.reveal(id, &guilty).await.unwrap();
    }
    warp(&stage.network, reveal_window).await;
}

/// Waits for something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
