//! The view against a real chain with the real contracts.

mod support;

use alloy::{primitives::Address, providers::Provider, signers::local::PrivateKeySigner};
use cuckoo_chain::{Snapshot, view};
use cuckoo_protocol::contracts::{IRegistry, Role};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use support::{CAI, Network, until, until_shown, wire::Wire};
use tokio_util::sync::CancellationToken;

const MINER: Address = Address::repeat_byte(0xa1);
const COORDINATOR: Address = Address::repeat_byte(0xc1);
const VOTER: Address = Address::repeat_byte(0xee);
/// Blocks after which something at the head is final.
const FINALITY: u64 = 4;

fn weight(snapshot: &Snapshot, operator: Address) -> u64 {
    snapshot.operator(operator).map_or(0, |operator| (operator.weight / CAI).to())
}

#[tokio::test(flavor = "multi_thread")]
async fn gains_count_when_final_and_losses_at_once() {
    let network = Network::start().await;
    let (node, next_node) = (PrivateKeySigner::random(), PrivateKeySigner::random());
    network.register(Role::Miner, MINER, 30_000, &node).await;
    network.register(Role::Coordinator, COORDINATOR, 2_000_001, &PrivateKeySigner::random()).await;

    // The coordinator's last transaction is above the final block, so it is known but does not count.
    let view = network.follow().await;
    let first = view.snapshot();
    assert!(!first.stale && first.final_block < first.block);
    assert_eq!((weight(&first, MINER), weight(&first, COORDINATOR)), (30_000, 0));
    assert_eq!(first.by_node(node.address()).unwrap().operator, MINER);
    assert_eq!(&*first.operator(COORDINATOR).unwrap().endpoint, "http://127.0.0.1:8080");
    assert_eq!(first.active(Role::Coordinator).count(), 0);
    network.anvil.mine(FINALITY).await;
    let snapshot = until_shown(&network, &view, "it counts", |s| weight(s, COORDINATOR) == 2_000_001).await;
    assert_eq!(snapshot.active(Role::Coordinator).count(), 1);

    // A vote counts later, an exit at once.
    network.delegate(MINER, 5_000, VOTER).await;
    until_shown(&network, &view, "the vote waits", |s| weight(s, MINER) == 30_000).await;
    network.anvil.mine(FINALITY).await;
    until_shown(&network, &view, "the vote counts", |s| weight(s, MINER) == 35_000).await;
    network.undelegate(MINER, 9_000).await;
    until_shown(&network, &view, "the exit counts", |s| weight(s, MINER) == 26_000).await;

    // So do a node's replacement and a retirement.
    let calldata = IRegistry::setNodeCall { node: MINER, nodeConsent: Default::default() };
    network.call(MINER, network.deployment.contracts.registry, calldata).await;
    let snapshot = until_shown(&network, &view, "the node is replaced", |s| s.by_node(node.address()).is_none()).await;
    assert_eq!(snapshot.by_node(MINER).unwrap().operator, MINER);
    network.call(MINER, network.deployment.contracts.registry, IRegistry::retireCall {}).await;
    until_shown(&network, &view, "it has retired", |s| weight(s, MINER) == 0).await;
    assert!(!view.snapshot().operator(MINER).unwrap().registered);

    // It comes back, and the view is what the contracts say, field by field.
    network.enter(Role::Miner, MINER, &next_node).await;
    network.anvil.mine(FINALITY).await;
    let snapshot = until_shown(&network, &view, "it is back", |s| weight(s, MINER) == 26_000).await;
    for operator in [MINER, COORDINATOR] {
        let (shown, lens) = (snapshot.operator(operator).unwrap(), network.lens(operator).await);
        assert_eq!((shown.role, shown.registered, shown.node), (lens.role, lens.active, lens.node));
        assert_eq!((&*shown.endpoint, &*shown.info), (lens.endpoint.as_str(), lens.info.as_str()));
        assert_eq!(shown.weight, lens.weight);
    }
    // A view that begins now sees the same.
    let late = network.follow().await.snapshot();
    assert_eq!(late.operator(MINER), snapshot.operator(MINER));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_takes_back_what_it_drops() {
    let network = Network::start().await;
    let node = PrivateKeySigner::random();
    network.register(Role::Miner, MINER, 30_000, &node).await;
    network.anvil.mine(FINALITY).await;
    let view = network.follow().await;
    assert_eq!(weight(&view.snapshot(), MINER), 30_000);

    // Above the final block: a loss and a registration vanish.
    network.undelegate(MINER, 5_000).await;
    until_shown(&network, &view, "the exit counts", |s| weight(s, MINER) == 25_000).await;
    network.anvil.rpc("anvil_reorg", json!([1, []])).await;
    until("the exit is undone", async || weight(&view.snapshot(), MINER) == 30_000).await;

    // Below it: everything since is read anew.
    network.register(Role::Coordinator, COORDINATOR, 2_000_001, &PrivateKeySigner::random()).await;
    network.anvil.mine(FINALITY).await;
    until_shown(&network, &view, "the coordinator counts", |s| weight(s, COORDINATOR) > 0).await;
    network.anvil.rpc("anvil_reorg", json!([FINALITY + 4, []])).await;
    until("the coordinator never was", async || view.snapshot().operator(COORDINATOR).is_none()).await;
    assert_eq!(weight(&view.snapshot(), MINER), 30_000);
    // And it goes on from there.
    network.delegate(MINER, 1_000, VOTER).await;
    network.anvil.mine(FINALITY).await;
    until_shown(&network, &view, "a vote counts", |s| weight(s, MINER) == 31_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_rpc_leaves_a_stale_view_and_no_empty_one() {
    let network = Network::start().await;
    network.register(Role::Miner, MINER, 30_000, &PrivateKeySigner::random()).await;
    network.anvil.mine(FINALITY).await;
    let wire = Wire::new(&network.anvil.url, true).await;
    let chain = network.connect(&[&wire.url]).await;
    let view = view::follow(&chain, CancellationToken::new()).await.unwrap();
    let mut changes = view.subscribe();

    wire.cut();
    let stale = tokio::time::timeout(Duration::from_secs(10), changes.wait_for(|snapshot| snapshot.stale));
    stale.await.expect("subscribers are told").unwrap();
    assert_eq!(weight(&view.snapshot(), MINER), 30_000);
    network.undelegate(MINER, 5_000).await;
    network.delegate(MINER, 500, VOTER).await;
    network.anvil.mine(FINALITY).await;
    wire.mend();
    let snapshot = until_shown(&network, &view, "it is read again", |s| !s.stale).await;
    assert_eq!(weight(&snapshot, MINER), 25_500);
    assert_eq!(chain.now(), snapshot.timestamp);

    // Nothing new, but fresh again.
    wire.cut();
    until("it is stale again", async || view.snapshot().stale).await;
    wire.mend();
    until("it is fresh", async || !view.snapshot().stale).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_url_takes_over() {
    let network = Network::start().await;
    network.register(Role::Miner, MINER, 30_000, &PrivateKeySigner::random()).await;
    network.anvil.mine(FINALITY).await;
    let wire = Wire::new(&network.anvil.url, true).await;
    let chain = network.connect(&[&wire.url, &network.anvil.url]).await;
    let view = view::follow(&chain, CancellationToken::new()).await.unwrap();
    wire.cut();
    network.undelegate(MINER, 5_000).await;
    until_shown(&network, &view, "it is read from the second", |s| weight(s, MINER) == 25_000).await;
    assert!(!view.snapshot().stale);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_operators_come_in_pages_and_without_a_lens_from_events() {
    let mut network = Network::start().await;
    // More than a page and no multiple of one. Each is its own node, which needs no consent.
    let operators: BTreeSet<_> = (1..=66).map(|i| Address::left_padding_from(&[0xf0, i])).collect();
    let contracts = network.deployment.contracts;
    for &operator in &operators {
        network.delegate(operator, 20_001, operator).await;
        let call = IRegistry::registerCall {
            role: Role::Miner,
            node: operator,
            endpoint: String::new(),
            info: "x".repeat(100),
            nodeConsent: Default::default(),
        };
        if Some(&operator) == operators.last() {
            // The first block of the second range of logs.
            let head = network.anvil.provider.get_block_number().await.unwrap();
            network.anvil.mine(999 - head).await;
        }
        network.call(operator, contracts.registry, call).await;
    }
    assert_eq!(network.anvil.provider.get_block_number().await.unwrap(), 1_000);
    network.anvil.mine(FINALITY).await;
    let active = |snapshot: &Snapshot| snapshot.active(Role::Miner).map(|o| o.operator).collect::<BTreeSet<_>>();
    assert_eq!(active(&network.follow().await.snapshot()), operators);

    network.deployment.contracts.lens = Address::repeat_byte(0x1e);
    assert_eq!(active(&network.follow().await.snapshot()), operators);
}
