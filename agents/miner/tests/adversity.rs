//! What goes wrong around duties: a defence that is lost and found, a chain that takes blocks back, jurors that do not judge.

mod stage;
#[path = "../../chain/tests/support/mod.rs"]
mod support;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::Filter,
    sol_types::SolEvent,
};
use cuckoo_chain::{
    SendError,
    disputes::{Court, Docket, Phase},
};
use cuckoo_inference::{Model, Package};
use cuckoo_protocol::{
    contracts::IDisputes::{self, Fault, Phase as Outcome, Verdict},
    dispute::{Ballot, Part, no_tile, open_tile},
};
use serde_json::json;
use stage::{Delivery, ONE_THREAD, STEPS, Stage, all_claimed, forge, open_sender};
use std::time::{Duration, Instant};
use support::root;

/// Whether a dispute has come so far.
type Reached = fn(&Docket, B256) -> bool;

#[tokio::test(flavor = "multi_thread")]
async fn a_defence_that_comes_back_is_used_and_goes_on_after_a_kill() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    // Computing it again does not help: it is a fake, of states of six chunks, which take two transactions each.
    let fake = |states: &mut Vec<Vec<u8>>| states.iter_mut().for_each(|state| state.resize(90_000, 1));
    let delivery = stage.deliver(&mut model, "a picture whose trace is lost", fake);
    let accused = stage.start(&stage.accused).await;
    let id = stage.challenge(&delivery, 2, no_tile()).await;
    let docket = stage.until("it is open", |docket| docket.get(id).is_some()).await;
    let result = docket.get(id).unwrap().accusation.result;

    // Long enough to have found that there is no defence, and none to be made.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.challenger.missing(result, Part::State(1)).await.unwrap(), None);
    accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), vec![]).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while stage.challenger.missing(result, Part::State(1)).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "it did not try again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    accused.kill().await;
    let docket = stage.following.docket();
    assert!(matches!(docket.get(id).unwrap().phase, Phase::Answer { .. }), "killed before it was done");

    let _accused = stage.start(&stage.accused).await;
    let so = |docket: &Docket| !matches!(docket.get(id).unwrap().phase, Phase::Answer { .. });
    let docket = stage.until("it is answered", so).await;
    assert!(matches!(docket.get(id).unwrap().phase, Phase::Seed { .. }), "not in time");
    // No state has such a size: the jury need not run it to know.
    let _jurors = stage.start_jurors().await;
    let (end, _) = stage.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_come_through_a_reorg_in_each_phase() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let accused = stage.start(&stage.accused).await;
    let _jurors = stage.start_jurors().await;
    let honest = stage.deliver(&mut model, "an honest picture", |_| {});
    accused.workshop.store.keep(&honest.pending, honest.states.clone(), vec![]).await.unwrap();

    let id = stage.challenge(&honest, 2, no_tile()).await;
    reorg(&stage, 2).await;
    challenge_again(&stage, &honest, 2, id).await;
    let stages: [(&str, Reached); 5] = [
        ("it is answered", |docket, id| !matches!(phase(docket, id), None | Some(Phase::Answer { .. }))),
        ("the jury is called", |docket, id| matches!(phase(docket, id), Some(Phase::Jury { .. }))),
        ("one has committed", |docket, id| docket.get(id).is_some_and(|it| !it.jurors.is_empty())),
        ("one has revealed", |docket, id| {
            docket.get(id).is_some_and(|it| it.jurors.iter().any(|j| j.revealed.is_some()))
        }),
        ("it has ended", |docket, id| docket.get(id).is_some_and(|it| !it.is_open())),
    ];
    for (what, so) in stages {
        stage.until(what, |docket| so(docket, id)).await;
        reorg(&stage, 2).await;
    }
    let (end, docket) = stage.end(id).await;
    assert_eq!(end.outcome, Outcome::Acquitted, "{docket:?}");
    stage.until("one is paid", |docket| docket.get(id).is_some_and(|it| it.jurors.iter().any(|j| j.claimed))).await;
    reorg(&stage, 2).await;
    let docket = stage.until("all are paid", |docket| all_claimed(docket, id)).await;

    // Each juror committed, revealed and was paid once; nobody's answer or vote was lost.
    let dispute = docket.get(id).unwrap();
    assert_eq!(dispute.jurors.len(), stage.jurors.len());
    let claimed = events::<IDisputes::Claimed>(&stage, id).await;
    assert_eq!(claimed.len(), stage.jurors.len());
    let paid: U256 = claimed.iter().map(|claim| claim.amount).sum();
    let votes: u64 = dispute.jurors.iter().map(|juror| juror.votes).sum();
    let Phase::Ended(end) = dispute.phase else { panic!("{dispute:?}") };
    assert_eq!(paid, end.pay_per_vote * U256::from(votes));
    assert_eq!(events::<IDisputes::Resolved>(&stage, id).await.len(), 1);

    // No key is stuck: a fake is answered, judged and paid for as ever.
    let forged = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    accused.workshop.store.keep(&forged.pending, forged.states.clone(), vec![]).await.unwrap();
    let id = stage.challenge(&forged, 2, no_tile()).await;
    let (end, _) = stage.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
    stage.until("all are paid", |docket| all_claimed(docket, id)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jurors_that_do_not_judge_change_nothing_and_are_not_paid() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let accused = stage.start(&stage.accused).await;
    // Three sit honestly; the fourth has its own ways.
    let (hostile, honest_jurors) = stage.jurors.split_last().unwrap();
    let operator = Address::repeat_byte(4);
    let court = Court::new(stage.chain.clone(), open_sender(&stage.chain, hostile, &stage.directory, "hostile").await);
    let _jurors = futures::future::join_all(honest_jurors.iter().map(|node| stage.start(node))).await;

    let honest = stage.deliver(&mut model, "an honest picture", |_| {});
    let forged = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    for delivery in [&honest, &forged] {
        accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), vec![]).await.unwrap();
    }
    let false_init = stage.challenge(&honest, 0, no_tile()).await;
    let false_tile = stage.challenge(&honest, STEPS + 1, open_tile(&honest.tiles, 0).unwrap()).await;
    let true_step = stage.challenge(&forged, 2, no_tile()).await;

    // Always guilty, without a probe; a copy of another's commitment.
    let salt = B256::repeat_byte(3);
    let lazy = Ballot { verdict: Verdict::Guilty, probe: U256::from(10).pow(U256::from(18)), salt };
    for id in [false_init, true_step] {
        stage.until("the jury is called", |docket| matches!(phase(docket, id), Some(Phase::Jury { .. }))).await;
        court.commit(id, lazy.commitment(id, 0, operator)).await.unwrap();
    }
    let so = |docket: &Docket| docket.get(false_tile).is_some_and(|it| !it.jurors.is_empty());
    let docket = stage.until("there is something to copy", so).await;
    let copied = docket.get(false_tile).unwrap().jurors[0].commitment;
    court.commit(false_tile, copied).await.unwrap();
    for id in [false_init, true_step] {
        let Some(Phase::Jury { commit_until, .. }) = phase(&stage.following.docket(), id) else { panic!() };
        stage.until("votes are opened", |docket| docket.timestamp >= commit_until).await;
        court.reveal(id, &lazy).await.unwrap();
    }
    let so = |docket: &Docket| docket.get(false_tile).is_some_and(|it| it.jurors.iter().any(|j| j.revealed.is_some()));
    let docket = stage.until("the copied vote is opened", so).await;
    let said = docket.get(false_tile).unwrap().jurors.iter().find_map(|juror| juror.revealed).unwrap();
    let copy = Ballot { verdict: said.verdict, probe: said.probe, salt };
    let refused = court.reveal(false_tile, &copy).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused(why) if why.contains("CommitmentMismatch")), "{refused}");

    for (id, expected, truth) in [
        (false_init, Outcome::Acquitted, Verdict::Innocent),
        (false_tile, Outcome::Acquitted, Verdict::Innocent),
        (true_step, Outcome::Convicted, Verdict::Guilty),
    ] {
        let (end, docket) = stage.end(id).await;
        assert_eq!(end.outcome, expected, "{docket:?}");
        let so = |docket: &Docket| docket.get(id).unwrap().jurors.iter().filter(|juror| juror.claimed).count() == 3;
        let docket = stage.until("the honest are paid", so).await;
        for juror in docket.get(id).unwrap().jurors.iter().filter(|juror| juror.operator != operator) {
            assert_eq!(juror.revealed.unwrap().verdict, truth);
        }
        // All of the fee is theirs: right by luck is not paid either, for want of a probe.
        let votes: u64 = docket.get(id).unwrap().jurors.iter().filter(|juror| juror.claimed).map(|j| j.votes).sum();
        let parameters = docket.parameters(docket.get(id).unwrap()).unwrap();
        let fee = U256::from(parameters.juryFee);
        assert_eq!(end.pay_per_vote, fee / U256::from(votes));
        let hostile = docket.get(id).unwrap().jurors.iter().find(|juror| juror.operator == operator).unwrap();
        if let Some(revealed) = hostile.revealed {
            let unpaid = court.claim(id, 0, revealed.index).await.unwrap_err();
            assert!(unpaid.to_string().contains("NothingToClaim"), "{unpaid}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_juror_whose_model_cannot_be_loaded_tries_again_while_it_can_commit() {
    let mut stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let (late, jurors) = stage.jurors.split_last().unwrap();
    let (late, operator) = (late.clone(), Address::repeat_byte(4));
    let _jurors = futures::future::join_all(jurors.iter().map(|node| stage.start(node))).await;
    let accused = stage.start(&stage.accused).await;
    // The fourth has a copy of the model, from which a file is missing for a while.
    let copy = stage.directory.path().join("model");
    for file in stage.package.manifest().files.keys() {
        std::fs::create_dir_all(copy.join(file).parent().unwrap()).unwrap();
        std::fs::copy(root().join("models/cuckoo-tiny").join(file), copy.join(file)).unwrap();
    }
    std::fs::copy(root().join("models/cuckoo-tiny/cuckoo.json"), copy.join("cuckoo.json")).unwrap();
    stage.package = Package::open(&copy).unwrap();
    let _late = stage.start(&late).await;
    let (file, gone) = (copy.join("unet/model.onnx"), copy.join("gone"));
    std::fs::rename(&file, &gone).unwrap();

    let honest = stage.deliver(&mut model, "an honest picture", |_| {});
    accused.workshop.store.keep(&honest.pending, honest.states.clone(), vec![]).await.unwrap();
    let id = stage.challenge(&honest, 2, no_tile()).await;
    let committed = |docket: &Docket| docket.get(id).map_or(0, |it| it.jurors.len());
    stage.until("the others have committed", |docket| committed(docket) == 3).await;
    // Long enough to have tried.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(committed(&stage.following.docket()), 3);
    std::fs::rename(&gone, &file).unwrap();
    let docket = stage.until("the fourth has committed", |docket| committed(docket) == 4).await;
    let Some(Phase::Jury { commit_until, .. }) = phase(&docket, id) else { panic!("{docket:?}") };
    // Nothing else is to come in this window.
    let left = commit_until.saturating_sub(docket.timestamp);
    stage.network.anvil.rpc("evm_increaseTime", json!([left])).await;
    let (end, docket) = stage.end(id).await;
    assert_eq!(end.outcome, Outcome::Acquitted);
    let juror = docket.get(id).unwrap().jurors.iter().find(|juror| juror.operator == operator).expect("it has voted");
    assert_eq!(juror.revealed.unwrap().verdict, Verdict::Innocent);
    stage.until("all are paid", |docket| all_claimed(docket, id)).await;
}

fn phase(docket: &Docket, id: B256) -> Option<Phase> {
    docket.get(id).map(|dispute| dispute.phase)
}

/// Takes the newest blocks back, and puts empty ones in their place.
async fn reorg(stage: &Stage, blocks: u64) {
    stage.network.anvil.rpc("anvil_reorg", json!([blocks, []])).await;
    let head = stage.network.anvil.provider.get_block_number().await.unwrap();
    stage.until("the reorganisation is known", |docket| docket.block > head).await;
}

/// What a challenger does whose challenge was taken back. The dropped transaction may come back as well.
async fn challenge_again(stage: &Stage, delivery: &Delivery, transition: u32, id: B256) {
    let challenge = cuckoo_chain::disputes::Challenge { transition, ..delivery.challenge.clone() };
    if let Err(twice) = stage.challenger.challenge(&challenge).await {
        assert!(twice.to_string().contains("AlreadyChallenged"), "{twice}");
    }
    stage.until("it is open again", |docket| docket.get(id).is_some()).await;
}

async fn events<E: SolEvent>(stage: &Stage, id: B256) -> Vec<E> {
    let address = stage.network.deployment.contracts.disputes;
    let filter = Filter::new().address(address).event_signature(E::SIGNATURE_HASH).topic1(id).from_block(0);
    let logs = stage.network.anvil.provider.get_logs(&filter).await.unwrap();
    logs.iter().map(|log| E::decode_log(&log.inner).unwrap().data).collect()
}
