//! Accused and jurors without a human step: real contracts, real models, many agents in one process.

mod stage;
#[path = "../../chain/tests/support/mod.rs"]
mod support;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::Filter,
    sol_types::SolEvent,
};
use cuckoo_chain::disputes::{Court, Docket, Phase};
use cuckoo_inference::{Device, Model};
use cuckoo_miner::store::StoredBallot;
use cuckoo_protocol::{
    contracts::IDisputes::{self, Fault, Phase as Outcome, Verdict},
    dispute::{Ballot, no_tile, open_state, open_tile},
};
use stage::{ONE_THREAD, STEPS, Stage, all_claimed, forge, open_sender, open_store};
use support::{Network, drand::Drand};

#[tokio::test(flavor = "multi_thread")]
async fn forged_is_convicted_and_honest_acquitted_by_agents_alone() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &Device::Cpu { threads: 2 }).unwrap();
    let accused = stage.start(&stage.accused).await;
    let _jurors = stage.start_jurors().await;

    let honest = stage.deliver(&mut model, "an honest picture", |_| {});
    let forged = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    for delivery in [&honest, &forged] {
        accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), Vec::new()).await.unwrap();
    }
    let mut false_tile = honest.tiles.clone();
    false_tile[0][0] ^= 0xff;
    // A false accusation of a step and of a tile, and a true one.
    let step = stage.challenge(&honest, 2, no_tile()).await;
    let tile = stage.challenge(&honest, STEPS + 1, open_tile(&honest.tiles, 0).unwrap()).await;
    let guilty = stage.challenge(&forged, 2, no_tile()).await;

    for id in [step, tile] {
        let (end, docket) = stage.end(id).await;
        assert_eq!(end.outcome, Outcome::Acquitted, "{docket:?}");
        let bond = U256::from(docket.parameters(docket.get(id).unwrap()).unwrap().bond);
        assert!(end.slashed.is_zero() && end.to_accused >= bond && end.to_challenger.is_zero(), "{end:?}");
    }
    let (end, docket) = stage.end(guilty).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
    assert!(end.slashed > U256::ZERO);
    let jurors = &docket.get(guilty).unwrap().jurors;
    assert!(jurors.len() >= 3 && jurors.iter().all(|juror| juror.revealed.unwrap().verdict == Verdict::Guilty));
    for id in [step, tile, guilty] {
        stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_trace_is_computed_again_and_no_restart_misses_a_deadline() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let honest = stage.deliver(&mut model, "a picture without a trace", |_| {});
    let lost = stage.deliver(&mut model, "a fake without a trace", |states| forge(&mut states[2]));
    let id = stage.challenge(&honest, 3, no_tile()).await;
    let defenceless = stage.challenge(&lost, 3, no_tile()).await;

    // Started late, and killed again and again.
    stage.start(&stage.accused).await.kill().await;
    let accused = stage.start(&stage.accused).await;
    stage.until("it is answered", |d| !matches!(d.get(id).unwrap().phase, Phase::Answer { .. })).await;
    accused.kill().await;
    let jurors = stage.start_jurors().await;
    let committed = |docket: &Docket| docket.get(id).unwrap().jurors.len();
    let docket = stage.until("two have committed", |docket| committed(docket) >= 2).await;
    assert!(docket.get(id).unwrap().jurors.iter().all(|juror| juror.revealed.is_none()));
    for juror in jurors {
        juror.kill().await;
    }
    let jurors = stage.start_jurors().await;
    stage.until("one has revealed", |d| d.get(id).unwrap().jurors.iter().any(|j| j.revealed.is_some())).await;
    for juror in jurors {
        juror.kill().await;
    }
    let _jurors = stage.start_jurors().await;
    let (end, docket) = stage.end(id).await;
    assert_eq!(end.outcome, Outcome::Acquitted, "{docket:?}");
    let jurors = &docket.get(id).unwrap().jurors;
    assert!(jurors.len() >= 3 && jurors.iter().all(|juror| juror.revealed.is_some()), "{jurors:?}");
    stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;

    let (end, _) = stage.end(defenceless).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::NoAnswer), "nobody but agents resolved it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_half_done_is_gone_on_with_and_who_lacks_the_model_says_nothing() {
    let stage = Stage::new().await;
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let forged = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    let id = stage.challenge(&forged, 2, no_tile()).await;
    let docket = stage.until("it is on the docket", |d| d.get(id).is_some()).await;
    let dispute = docket.get(id).unwrap().clone();

    // Killed after the first of two parts.
    let sender = open_sender(&stage.chain, &stage.accused, &stage.directory, "agent").await;
    let first = open_state(&forged.states, 1).unwrap();
    Court::new(stage.chain.clone(), sender).answer(id, &first, U256::MAX).await.unwrap();
    open_store(&stage.folder(&stage.accused)).await.keep(&forged.pending, forged.states, vec![]).await.unwrap();
    let _accused = stage.start(&stage.accused).await;
    // The first juror has no model, the second comes later.
    let _lacking = stage.start_with(&stage.jurors[0], &[]).await;
    let _jurors = [stage.start(&stage.jurors[2]).await, stage.start(&stage.jurors[3]).await];
    let docket = stage.until("a jury is called", |d| matches!(d.get(id).unwrap().phase, Phase::Jury { .. })).await;
    let Phase::Jury { seed, reveal_until, .. } = docket.get(id).unwrap().phase else { unreachable!() };
    let opened = Filter::new()
        .address(stage.network.deployment.contracts.disputes)
        .event_signature(IDisputes::Opened::SIGNATURE_HASH)
        .topic2(dispute.accusation.result)
        .from_block(0);
    let opened = stage.chain.provider().get_logs(&opened).await.unwrap();
    assert_eq!(opened.len(), dispute.parts().len(), "each part is opened once");

    // Killed between keeping a ballot and committing to it.
    let [lacking, halfway] = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let ballot = Ballot { verdict: Verdict::Guilty, probe: U256::from(7), salt: B256::repeat_byte(7) };
    let commitment = ballot.commitment(id, 0, halfway);
    let stored = StoredBallot { dispute: id, round: 0, seed, reveal_until, commitment, ballot };
    open_store(&stage.folder(&stage.jurors[1])).await.keep_ballot(&stored).await.unwrap();
    let _halfway = stage.start(&stage.jurors[1]).await;

    let (end, docket) = stage.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition), "{docket:?}");
    let jurors = &docket.get(id).unwrap().jurors;
    let of = |operator| jurors.iter().find(|juror| juror.operator == operator);
    assert!(of(lacking).is_none(), "{jurors:?}");
    assert_eq!(of(halfway).map(|juror| juror.commitment), Some(commitment));
    assert!(jurors.iter().all(|juror| juror.revealed.is_some()), "{jurors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_drand_draws_juries_the_agents_bring_its_beacons() {
    let mut stage = Stage::on(Network::start_with_drand().await).await;
    let drand = Drand::start(&stage.network.anvil).await;
    stage.mirrors = ["late", "lying", "honest"].map(|name| drand.mirror(name)).into();
    let mut model = Model::load(&stage.package, &ONE_THREAD).unwrap();
    let accused = stage.start(&stage.accused).await;
    let _jurors = stage.start_jurors().await;
    let delivery = stage.deliver(&mut model, "a forged picture", |states| forge(&mut states[2]));
    accused.workshop.store.keep(&delivery.pending, delivery.states.clone(), vec![]).await.unwrap();
    let id = stage.challenge(&delivery, 2, no_tile()).await;
    let (end, docket) = stage.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition), "{docket:?}");
    stage.until("all jurors are paid", |docket| all_claimed(docket, id)).await;
}
