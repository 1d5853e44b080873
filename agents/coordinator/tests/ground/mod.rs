//! A result that an audit found false, the jury that finds it guilty, and a chain that takes blocks back.

#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::support::{
    Network,
    stage::{Stage, warp},
};
use alloy::{
    primitives::{B256, U256, keccak256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use cuckoo_coordinator::{
    audit::Finding,
    store::{Accepted, AuditState, DrawRecord, LeaseRecord, NewTask, Store},
};
use cuckoo_protocol::{contracts::IDisputes::Verdict, dispute::Ballot, message::Domain};
use serde_json::json;
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
    // How it was drawn does not matter here.
    let chosen = lease.offer.message.miner;
    let draw =
        DrawRecord { sequence: 0, day: 20_000, at: None, chosen, candidates: Vec::new(), passed_over: Vec::new() };
    assert!(store.insert_lease(&lease, &draw).await.unwrap());
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

/// Takes the block of the only event of this kind back with what was done in it, for good.
pub async fn forget<E: SolEvent>(network: &Network) {
    let (anvil, depth) = (&network.anvil, depth::<E>(network).await);
    // What is dropped would be mined again at once.
    anvil.automine(false).await;
    anvil.rpc("anvil_reorg", json!([depth, []])).await;
    anvil.rpc("anvil_dropAllTransactions", json!([])).await;
    assert!(logs::<E>(network).await.is_empty(), "it is gone");
    anvil.automine(true).await;
    anvil.mine(1).await;
}

/// How many blocks have to go for the only event of this kind to go.
pub async fn depth<E: SolEvent>(network: &Network) -> u64 {
    let head = network.anvil.provider.get_block_number().await.unwrap();
    head + 1 - logs::<E>(network).await[0].block_number.unwrap()
}

/// The logs of an event of the only dispute that there may be.
pub async fn logs<E: SolEvent>(network: &Network) -> Vec<Log<E>> {
    let address = network.deployment.contracts.disputes;
    let filter = Filter::new().address(address).event_signature(E::SIGNATURE_HASH).from_block(0);
    let logs = network.anvil.provider.get_logs(&filter).await.unwrap();
    logs.iter().map(|log| log.log_decode().unwrap()).collect()
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
