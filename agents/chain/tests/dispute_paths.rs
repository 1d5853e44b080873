//! The ways that a dispute can go, each against the deployed contracts.

mod support;

use alloy::primitives::{Address, U256};
use cuckoo_chain::{
    SendError,
    disputes::{Challenge, Docket, Phase},
};
use cuckoo_protocol::contracts::IDisputes::{self, Fault, Phase as Outcome, Verdict};
use serde_json::json;
use support::{
    CAI, Network,
    case::{Case, GUILTY, INNOCENT, ballot, is_about, wad},
    stage::{Stage, phase, shown, warp},
};

const GUARDIAN: Address = Address::repeat_byte(0x9a);
/// Of each miner.
const STAKE: u64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_every_round_fails_and_all_is_released() {
    let case = Case::new().await;
    let id = case.challenge(0).await;
    assert_eq!(case.held().await, wad(10));
    case.stage.answer(id, &[0]).await;
    for round in 0..3 {
        // Two operators are one too few, however many votes they have.
        case.judge(id, round, [GUILTY, GUILTY, None, None]).await;
    }
    assert_eq!(case.end(id).await.outcome, Outcome::Drawn);
    // Two of the five miners have two fifths of 16, 32 and 64 votes.
    let docket = case.following.docket();
    for (round, expected) in [(0, 6), (1, 12), (2, 24)] {
        let cast = docket.get(id).unwrap().jurors.iter().filter(|juror| juror.round == round);
        let votes: u64 = cast.map(|juror| juror.votes).sum();
        assert!((expected..=expected + 2).contains(&votes), "{votes} of about {expected} in round {round}");
    }
    assert_eq!(case.held().await, U256::ZERO);
    assert!(is_about(case.own_stake().await, STAKE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_jury_is_followed_by_a_larger_one() {
    let case = Case::new().await;
    let id = case.challenge(2).await;
    case.stage.answer(id, &[1, 2]).await;
    case.judge(id, 0, [GUILTY, GUILTY, INNOCENT, INNOCENT]).await;
    case.judge(id, 1, [INNOCENT, INNOCENT, INNOCENT, GUILTY]).await;
    let end = case.end(id).await;
    assert_eq!(end.outcome, Outcome::Acquitted);
    // The bond is the accused's, for its answer; the fee the jurors'.
    assert!(end.to_accused >= U256::from(500) * CAI && end.to_challenger.is_zero() && end.slashed.is_zero(), "{end:?}");
    assert_eq!(case.held().await, U256::ZERO);
    // Who said what came out in the end is paid, of both rounds.
    let docket = case.following.docket();
    for juror in &docket.get(id).unwrap().jurors {
        let revealed = juror.revealed.unwrap();
        let claim = case.challenger.claim(id, juror.round, revealed.index).await;
        assert_eq!(claim.is_ok(), revealed.verdict == Verdict::Innocent, "{juror:?}: {claim:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_turns_guilt_into_a_draw() {
    let guarded = Network::start_with(|config| {
        config["governance"]["guardian"] = json!(GUARDIAN);
        config["governance"]["guardianTerm"] = json!(31_536_000);
        // Two rounds, or the whole would take longer than stake takes to leave.
        config["disputes"]["rounds"] = json!(2);
        config["disputes"]["vetoWindow"] = json!(15);
    })
    .await;
    let case = Case::of(Stage::on(guarded).await).await;
    let (network, contracts) = (&case.stage.network, case.stage.network.deployment.contracts);
    network.anvil.rpc("anvil_setBalance", json!([GUARDIAN, "0x56bc75e2d63100000"])).await;

    let vetoed = case.challenge(0).await;
    case.stage.answer(vetoed, &[0]).await;
    case.judge(vetoed, 0, [GUILTY; 4]).await;
    let guilty = |d: &Docket| matches!(phase(d, vetoed), Some(Phase::Veto { fault: Fault::Transition, .. }));
    shown(&case.following, "it is found guilty", guilty).await;
    let veto = async || network.call(GUARDIAN, contracts.disputes, IDisputes::vetoCall { id: vetoed }).await;
    let reorg = async |blocks: u64| network.anvil.rpc("anvil_reorg", json!([blocks, []])).await;
    veto().await;
    case.end(vetoed).await;
    // A veto that is taken back has to come again.
    reorg(1).await;
    shown(&case.following, "it is found guilty after all", guilty).await;
    veto().await;
    let end = case.end(vetoed).await;
    assert_eq!((end.outcome, end.slashed), (Outcome::Drawn, U256::ZERO));
    assert!(end.to_challenger >= U256::from(500) * CAI, "{end:?}");

    // Without an objection in time it stands.
    let convicted = case.challenge(1).await;
    warp(network, 11).await;
    case.challenger.resolve(convicted).await.unwrap();
    let waits = |d: &Docket| matches!(phase(d, convicted), Some(Phase::Veto { .. }));
    shown(&case.following, "guilty", waits).await;
    reorg(1).await;
    shown(&case.following, "not found guilty", |d| matches!(phase(d, convicted), Some(Phase::Answer { .. }))).await;
    again(&case, case.challenger.resolve(convicted)).await;
    shown(&case.following, "guilty again", waits).await;
    assert!(case.challenger.resolve(convicted).await.unwrap_err().to_string().contains("NothingDue"));
    warp(network, 16).await;
    case.challenger.resolve(convicted).await.unwrap();
    assert_eq!(case.end(convicted).await.outcome, Outcome::Convicted);
    assert!(is_about(case.own_stake().await, STAKE * 9 / 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_hold_back_their_sum_and_a_result_is_punished_once() {
    let case = Case::new().await;
    // One accusation is of an offer with another expiry, so of another result.
    let same = case.stage.accusation(1).await;
    warp(&case.stage.network, 2).await;
    let other = case.stage.accusation(1).await;
    case.stage.network.grant(case.stage.coordinator.address(), 5_000).await;
    let mut ids = Vec::new();
    for (accusation, transition) in [(&same, 1), (&same, 2), (&same, 3), (&other, 1)] {
        let accusation = Challenge { transition, ..accusation.clone() };
        ids.push(case.challenger.challenge(&accusation).await.unwrap().0);
    }
    assert_eq!(case.held().await, wad(40));
    warp(&case.stage.network, 11).await;
    case.challenger.resolve(ids[1]).await.unwrap();
    let first = case.end(ids[1]).await;
    assert_eq!((first.outcome, first.fault), (Outcome::Convicted, Fault::NoAnswer));
    assert_eq!(case.held().await, wad(30), "its own part is used up");
    for id in [ids[0], ids[2]] {
        case.challenger.resolve(id).await.unwrap();
        let end = case.end(id).await;
        assert_eq!((end.outcome, end.slashed), (Outcome::Drawn, U256::ZERO), "{end:?}");
        assert!(end.to_challenger >= U256::from(700) * CAI, "nobody judged: bond and fee come back");
    }
    assert!(is_about(case.own_stake().await, STAKE * 9 / 10));
    case.challenger.resolve(ids[3]).await.unwrap();
    assert_eq!(case.end(ids[3]).await.outcome, Outcome::Convicted);
    assert_eq!(case.held().await, U256::ZERO);
    assert!(is_about(case.own_stake().await, STAKE * 81 / 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorg_takes_back_of_a_verdict_comes_once() {
    let case = Case::new().await;
    let reorg = async |blocks: u64| case.stage.network.anvil.rpc("anvil_reorg", json!([blocks, []])).await;
    let id = case.challenge(0).await;
    case.stage.answer(id, &[0]).await;
    shown(&case.following, "it is answered", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;

    // The beacon: the block that called the jury is replaced, and with it perhaps the seed; the jury is called anew.
    case.stage.network.anvil.mine(2).await;
    case.challenger.resolve(id).await.unwrap();
    let called = |d: &Docket| matches!(phase(d, id), Some(Phase::Jury { .. }));
    shown(&case.following, "the jury is called", called).await;
    reorg(1).await;
    shown(&case.following, "it is not", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;
    again(&case, case.challenger.resolve(id)).await;
    shown(&case.following, "it is called again", called).await;

    for (operator, court) in &case.stage.jurors {
        court.commit(id, ballot(Verdict::Guilty).commitment(id, 0, *operator)).await.unwrap();
    }
    warp(&case.stage.network, 10).await;
    for (_, court) in &case.stage.jurors {
        court.reveal(id, &ballot(Verdict::Guilty)).await.unwrap();
    }
    let revealed = |d: &Docket| d.get(id).map(|it| it.jurors.iter().filter(|juror| juror.revealed.is_some()).count());
    shown(&case.following, "all have revealed", |d| revealed(d) == Some(4)).await;
    reorg(1).await;
    shown(&case.following, "the last has not", |d| revealed(d) == Some(3)).await;
    again(&case, case.stage.jurors[3].1.reveal(id, &ballot(Verdict::Guilty))).await;
    shown(&case.following, "all have revealed again", |d| revealed(d) == Some(4)).await;

    warp(&case.stage.network, 5).await;
    case.challenger.resolve(id).await.unwrap();
    assert_eq!(case.end(id).await.outcome, Outcome::Convicted);
    assert!(is_about(case.own_stake().await, STAKE * 9 / 10));
    reorg(1).await;
    shown(&case.following, "it never ended", |d| d.get(id).is_some_and(|it| it.is_open())).await;
    assert!(is_about(case.own_stake().await, STAKE), "what was slashed is back");
    again(&case, case.challenger.resolve(id)).await;
    assert_eq!(case.end(id).await.outcome, Outcome::Convicted);
    assert!(is_about(case.own_stake().await, STAKE * 9 / 10), "and is slashed once");

    let index = case.following.docket().get(id).unwrap().jurors[0].revealed.unwrap().index;
    case.challenger.claim(id, 0, index).await.unwrap();
    let paid = |d: &Docket| d.get(id).is_some_and(|it| it.jurors[0].claimed);
    shown(&case.following, "it is paid", paid).await;
    reorg(1).await;
    shown(&case.following, "it is not", |d| !paid(d)).await;
    let _ = case.challenger.claim(id, 0, index).await;
    case.stage.network.anvil.mine(1).await;
    shown(&case.following, "it is paid again", paid).await;
    let twice = case.challenger.claim(id, 0, index).await.unwrap_err();
    assert!(twice.to_string().contains("NothingToClaim"), "{twice}");
}

/// Sends what a reorganisation dropped. The dropped transaction itself comes back too; the later of the two changes nothing.
async fn again<T>(case: &Case, sent: impl Future<Output = Result<T, SendError>>) {
    if let Err(superfluous) = sent.await {
        let why = superfluous.to_string();
        assert!(
            ["NothingDue", "AlreadyRevealed", "WrongPhase", "NotCommitted"].iter().any(|e| why.contains(e)),
            "{why}"
        );
    }
    case.stage.network.anvil.mine(1).await;
}
