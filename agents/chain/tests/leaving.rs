//! An accused whose stake leaves while disputes are open: what is held back, and what is taken, against the deployed contracts.

mod support;

use alloy::{primitives::U256, providers::Provider, rpc::types::TransactionRequest, sol_types::SolCall};
use cuckoo_chain::disputes::Challenge;
use cuckoo_protocol::contracts::{IDisputes::Phase as Outcome, IStaking};
use serde_json::json;
use support::{
    CAI, Network, Token,
    case::{Case, is_about, wad},
    stage::{ACCUSED, Stage, warp},
};

/// Of each miner.
const STAKE: u64 = 30_000;

async fn withdraw(network: &Network, epoch: U256) {
    let withdraw = IStaking::withdrawCall { operator: ACCUSED, epoch, owner: ACCUSED };
    network.call(ACCUSED, network.deployment.contracts.staking, withdraw).await;
}

async fn balance(network: &Network) -> U256 {
    let call = Token::balanceOfCall { account: ACCUSED };
    let request = TransactionRequest::default().to(network.deployment.contracts.cai).input(call.abi_encode().into());
    U256::from_be_slice(&network.anvil.provider.call(request).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_meanwhile_is_slashed_all_the_same() {
    let case = Case::new().await;
    let (network, staking) = (&case.stage.network, case.staking());
    let epoch = staking.currentEpoch().call().await.unwrap();
    network.undelegate(ACCUSED, STAKE).await;
    let id = case.challenge(0).await;
    assert!(case.own_stake().await < CAI * U256::from(200), "it has left");
    // Long after its stake could have gone, but nobody has called `resolve`.
    warp(network, 181).await;
    let ready = staking.withdrawable(ACCUSED, epoch, ACCUSED).call().await.unwrap();
    assert!(is_about(ready, STAKE * 9 / 10), "a tenth is held back: {ready}");
    case.challenger.resolve(id).await.unwrap();
    let end = case.end(id).await;
    assert_eq!(end.outcome, Outcome::Convicted);
    assert!(is_about(end.slashed, STAKE / 10), "{end:?}");
    withdraw(network, epoch).await;
    assert!(is_about(balance(network).await, STAKE * 9 / 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_hold_back_three_quarters_at_most_and_the_rest_may_leave() {
    let harsh = Network::start_with(|config| config["disputes"]["fraction"] = json!(wad(30).to_string())).await;
    let case = Case::of(Stage::on(harsh).await).await;
    let (network, staking) = (&case.stage.network, case.staking());
    network.grant(case.stage.coordinator.address(), 5_000).await;
    let epoch = staking.currentEpoch().call().await.unwrap();
    network.undelegate(ACCUSED, STAKE).await;
    // Two of one result, and one of another.
    let same = case.stage.accusation(1).await;
    warp(network, 2).await;
    let other = case.stage.accusation(1).await;
    let mut ids = Vec::new();
    for (accusation, transition) in [(&same, 1), (&same, 2), (&other, 1)] {
        let accusation = Challenge { transition, ..accusation.clone() };
        ids.push(case.challenger.challenge(&accusation).await.unwrap().0);
    }
    assert_eq!(case.held().await, wad(90));

    // Its stake could have gone, but for the disputes: a quarter goes, and no more however often it asks.
    warp(network, 181).await;
    assert_eq!(staking.heldFraction(ACCUSED, epoch).call().await.unwrap(), wad(75));
    withdraw(network, epoch).await;
    assert!(is_about(balance(network).await, STAKE / 4));
    let refused = staking.withdraw(ACCUSED, epoch, ACCUSED).from(ACCUSED).call().await.unwrap_err();
    assert!(refused.as_decoded_error::<IStaking::HeldBack>().is_some(), "{refused}");

    // What has gone counts: each conviction takes its part of the whole, from what is left.
    for (id, outcome, slashed, held) in [
        (ids[0], Outcome::Convicted, STAKE * 3 / 10, wad(60)),
        (ids[1], Outcome::Drawn, 0, wad(30)),
        (ids[2], Outcome::Convicted, STAKE * 7 / 10 * 3 / 10, U256::ZERO),
    ] {
        case.challenger.resolve(id).await.unwrap();
        let end = case.end(id).await;
        assert_eq!(end.outcome, outcome);
        assert!(is_about(end.slashed, slashed), "{end:?}");
        assert_eq!(case.held().await, held);
    }
    assert_eq!(staking.heldFraction(ACCUSED, epoch).call().await.unwrap(), U256::ZERO);
    withdraw(network, epoch).await;
    assert!(is_about(balance(network).await, STAKE * 49 / 100));
}
