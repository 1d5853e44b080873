//! Accused and jurors without a human step: real contracts, real models, many agents in one process.

mod stage;
#[path = "../../chain/tests/support/mod.rs"]
mod support;

use alloy::primitives::U256;
use cuckoo_chain::disputes::{Docket, Phase};
use cuckoo_inference::{Device, Model};
use cuckoo_protocol::{
    contracts::IDisputes::{Fault, Phase as Outcome, Verdict},
    dispute::{no_tile, open_tile},
};
use stage::{ONE_THREAD, STEPS, Stage, all_claimed, forge};
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
