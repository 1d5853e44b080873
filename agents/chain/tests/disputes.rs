//! Following disputes, and the verbs, on a real chain with the real contracts.

mod support;

use alloy::primitives::{B256, U256, keccak256};
use cuckoo_chain::{
    SendError,
    disputes::{EvidenceError, Phase},
};
use cuckoo_protocol::{
    contracts::IDisputes::{self, Phase as Outcome, Verdict},
    dispute::{self, Ballot, Part},
    message::Domain,
};
use serde_json::json;
use support::stage::{ACCUSED, COORDINATOR, STATE_BYTES, Stage, phase, shown, warp};

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_followed_from_accusation_to_pay() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let accusation = stage.accusation(2).await;
    let (id, _) = challenger.challenge(&accusation).await.unwrap();
    let docket = shown(&following, "it is open", |d| d.get(id).is_some()).await;
    let dispute = docket.get(id).unwrap();
    let digest = Domain::new(31337, stage.network.deployment.contracts.registry).digest(&accusation.result.message);
    assert_eq!(id, dispute::id(stage.network.deployment.contracts.disputes, digest, 2, B256::ZERO));
    let told = &dispute.accusation;
    assert_eq!((told.accused, told.challenger, told.states), (ACCUSED, COORDINATOR, 4));
    assert_eq!((&told.offer, &told.request), (&accusation.offer.message, &accusation.request));
    assert_eq!(dispute.parts(), [Part::State(1), Part::State(2)]);
    assert_eq!(docket.parameters(dispute).unwrap().minJurors, 3);
    let again = challenger.challenge(&accusation).await.unwrap_err();
    assert!(matches!(&again, SendError::Refused(why) if why.contains("AlreadyChallenged")), "{again}");

    // Half an answer is no evidence; the rest is.
    let juror = &stage.jurors[0].1;
    assert_eq!(juror.missing(told.result, Part::State(1)).await.unwrap(), None);
    stage.answer(id, &[1]).await;
    let opened = dispute::open_state(&stage.states, 2).unwrap();
    juror.answer(id, &opened, U256::from(2)).await.unwrap();
    assert_eq!(juror.missing(told.result, Part::State(2)).await.unwrap(), Some(U256::from(1)));
    let half = juror.evidence(&docket, dispute, Part::State(2)).await.unwrap_err();
    assert!(matches!(half, EvidenceError::Incomplete { found: 1_616, length: STATE_BYTES, .. }), "{half}");
    juror.answer(id, &opened, U256::MAX).await.unwrap();
    for k in [1, 2] {
        let bytes = juror.evidence(&docket, dispute, Part::State(k)).await.unwrap();
        assert_eq!(bytes, stage.states[k as usize]);
    }

    shown(&following, "the answer is whole", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;
    assert_eq!(juror.votes(id, stage.jurors[0].0).await.unwrap(), 0, "no seed yet");
    stage.network.anvil.mine(2).await;
    let seed = juror.seed(id).await.unwrap().expect("the beacon is known");
    juror.resolve(id).await.unwrap();
    let docket = shown(&following, "the jury is called", |d| matches!(phase(d, id), Some(Phase::Jury { .. }))).await;
    assert!(matches!(phase(&docket, id), Some(Phase::Jury { seed: called, .. }) if called == seed));

    let ballot = |at: usize| Ballot {
        verdict: Verdict::Guilty,
        probe: U256::from(10).pow(U256::from(18)),
        salt: keccak256([at as u8]),
    };
    let mut votes = 0;
    for (at, (operator, court)) in stage.jurors.iter().enumerate() {
        votes += court.votes(id, *operator).await.unwrap();
        court.commit(id, ballot(at).commitment(id, 0, *operator)).await.unwrap();
    }
    assert!((12..=16).contains(&votes), "{votes}");
    let refused = challenger.commit(id, B256::repeat_byte(1)).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused(why) if why.contains("Involved")), "{refused}");
    let docket = shown(&following, "all have committed", |d| d.get(id).unwrap().jurors.len() == 4).await;
    assert_eq!(docket.get(id).unwrap().jurors.iter().map(|juror| juror.votes).sum::<u64>(), votes);

    warp(&stage.network, 10).await;
    for (at, (_, court)) in stage.jurors.iter().enumerate() {
        court.reveal(id, &ballot(at)).await.unwrap();
    }
    warp(&stage.network, 5).await;
    juror.resolve(id).await.unwrap();
    let docket = shown(&following, "it is over", |d| !d.get(id).unwrap().is_open()).await;
    let Some(Phase::Ended(end)) = phase(&docket, id) else { panic!("{docket:?}") };
    assert_eq!(end.outcome, Outcome::Convicted);
    assert!(end.slashed > U256::ZERO && end.to_challenger > U256::ZERO && end.to_accused.is_zero());
    let mut claimed = U256::ZERO;
    for juror in &docket.get(id).unwrap().jurors {
        let index = juror.revealed.unwrap().index;
        let paid = stage.jurors[0].1.claim(id, 0, index).await.unwrap();
        assert_eq!(paid, end.pay_per_vote * U256::from(juror.votes));
        claimed += paid;
    }
    assert_eq!(claimed, end.pay_per_vote * U256::from(votes));
    let docket = shown(&following, "all are paid", |d| d.get(id).unwrap().jurors.iter().all(|j| j.claimed)).await;

    // Whoever begins now learns the same from the chain alone.
    let late = stage.follow().await.docket();
    assert_eq!(late.get(id), docket.get(id));
    assert_eq!(late.parameters(late.get(id).unwrap()), docket.parameters(docket.get(id).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_takes_back_what_it_drops_in_every_phase() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let reorg = async |blocks: u64| stage.network.anvil.rpc("anvil_reorg", json!([blocks, []])).await;

    let accusation = stage.accusation(0).await;
    let (id, _) = challenger.challenge(&accusation).await.unwrap();
    shown(&following, "it is open", |d| d.get(id).is_some()).await;
    reorg(1).await;
    shown(&following, "it never was", |d| d.get(id).is_none()).await;
    // With the next transaction the dropped one comes back, which makes the second superfluous.
    let twice = challenger.challenge(&accusation).await.unwrap_err();
    assert!(twice.to_string().contains("AlreadyChallenged"), "{twice}");
    shown(&following, "it is open again", |d| d.get(id).is_some()).await;

    stage.answer(id, &[0]).await;
    shown(&following, "it is answered", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;
    reorg(1).await;
    shown(&following, "it is not", |d| matches!(phase(d, id), Some(Phase::Answer { .. }))).await;
    let juror = &stage.jurors[0].1;
    let result = following.docket().get(id).unwrap().accusation.result;
    assert_eq!(juror.missing(result, Part::State(0)).await.unwrap(), Some(U256::from(2)));
    let twice = juror.answer(id, &dispute::open_state(&stage.states, 0).unwrap(), U256::from(2)).await.unwrap_err();
    assert!(twice.to_string().contains("WrongPhase"), "{twice}");
    shown(&following, "it is answered again", |d| matches!(phase(d, id), Some(Phase::Seed { .. }))).await;

    stage.network.anvil.mine(2).await;
    juror.resolve(id).await.unwrap();
    shown(&following, "the jury is called", |d| matches!(phase(d, id), Some(Phase::Jury { .. }))).await;
    juror.commit(id, B256::repeat_byte(0xff)).await.unwrap();
    shown(&following, "one has committed", |d| d.get(id).unwrap().jurors.len() == 1).await;
    reorg(1).await;
    shown(&following, "nobody has", |d| d.get(id).is_some_and(|dispute| dispute.jurors.is_empty())).await;
    // Below the final block everything is read anew.
    reorg(30).await;
    shown(&following, "all of it is gone", |d| d.get(id).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_hash_that_is_kept_draws_a_jury_for_longer_than_the_chain_remembers_it() {
    let stage = Stage::new().await;
    let challenger = stage.challenger().await;
    let (id, _) = challenger.challenge(&stage.accusation(0).await).await.unwrap();
    stage.answer(id, &[0]).await;
    stage.network.anvil.mine(2).await;
    let ((operator, juror), (_, other)) = (&stage.jurors[0], &stage.jurors[1]);
    let votes = juror.votes(id, *operator).await.unwrap();
    assert!(votes > 0);
    juror.keep_beacon(id).await.unwrap();
    let spent = stage.network.anvil.nonce(other.address()).await;
    other.keep_beacon(id).await.unwrap();
    assert_eq!(stage.network.anvil.nonce(other.address()).await, spent, "once is enough");
    stage.network.anvil.mine(300).await;
    assert_eq!(juror.votes(id, *operator).await.unwrap(), votes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_accusation_is_due_when_its_time_is_over() {
    let stage = Stage::new().await;
    let (following, challenger) = (stage.follow().await, stage.challenger().await);
    let (id, _) = challenger.challenge(&stage.accusation(3).await).await.unwrap();
    let docket = shown(&following, "it is open", |d| d.get(id).is_some()).await;
    let due = docket.resolve_from(docket.get(id).unwrap()).unwrap();
    assert_eq!(due, docket.timestamp + 10);
    let early = challenger.resolve(id).await.unwrap_err();
    assert!(matches!(&early, SendError::Refused(why) if why.contains("NothingDue")), "{early}");
    warp(&stage.network, 11).await;
    challenger.resolve(id).await.unwrap();
    let docket = shown(&following, "it is over", |d| !d.get(id).unwrap().is_open()).await;
    let Some(Phase::Ended(end)) = phase(&docket, id) else { panic!("{docket:?}") };
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, IDisputes::Fault::NoAnswer));
}
