//! Disputes whose juries drand draws, and whose beacons come late: against the deployed contracts.

mod support;

use alloy::{
    primitives::{B256, U256},
    providers::Provider,
    rpc::types::Filter,
    sol_types::SolEvent,
};
use cuckoo_chain::{
    SendError,
    beacon::Beacon,
    disputes::{Docket, Phase},
};
use cuckoo_protocol::contracts::IDisputes::{self, Fault, Phase as Outcome};
use serde_json::json;
use std::time::Duration;
use support::{
    CAI, Network,
    case::{Case, GUILTY, is_about, wad},
    drand::{self, Drand},
    stage::{Stage, phase, shown, warp},
    until,
};

/// Seconds.
const SEED_WINDOW: u64 = 12;
const ROUNDS: u64 = 2;

/// An answered dispute, with a challenger whose mirror has every round.
struct Answered {
    case: Case,
    id: B256,
}

impl Answered {
    async fn new() -> Self {
        let network = Network::start_with(|config| {
            drand::alter(config);
            config["disputes"]["rounds"] = json!(ROUNDS);
            config["disputes"]["seedWindow"] = json!(SEED_WINDOW);
        })
        .await;
        let drand = Drand::start(&network.anvil).await;
        let mut case = Case::of(Stage::on(network).await).await;
        case.challenger = case.challenger.with_mirrors(vec![drand.mirror("honest")]);
        let id = case.challenge(0).await;
        case.stage.answer(id, &[0]).await;
        assert_eq!(case.held().await, wad(10));
        Self { case, id }
    }

    /// The beacon that a round waits for.
    async fn beacon(&self, round: u64) -> u64 {
        let so =
            |d: &Docket| d.get(self.id).is_some_and(|it| it.round == round && matches!(it.phase, Phase::Seed { .. }));
        let docket = shown(&self.case.following, "the round begins", so).await;
        let Some(Phase::Seed { beacon, .. }) = phase(&docket, self.id) else { panic!("{docket:?}") };
        beacon
    }

    /// Has a beacon brought that is there by now.
    async fn bring(&self, beacon: u64) {
        until("it is brought", async || {
            self.case.challenger.bring_beacon(beacon, Duration::ZERO).await.unwrap() == Beacon::Brought
        })
        .await;
    }

    /// Lets a round's beacon come too late, and begins the next one.
    async fn miss(&self, round: u64) -> u64 {
        let beacon = self.beacon(round).await;
        warp(&self.case.stage.network, SEED_WINDOW + 1).await;
        self.bring(beacon).await;
        assert!(
            self.case.challenger.seed(self.id).await.unwrap().is_some(),
            "everybody can see what it would have drawn"
        );
        let (_, juror) = &self.case.stage.jurors[0];
        let refused = juror.commit(self.id, B256::repeat_byte(1)).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused(why) if why.contains("WrongPhase")), "{refused}");
        self.case.challenger.resolve(self.id).await.unwrap();
        beacon
    }

    async fn count<E: SolEvent>(&self) -> usize {
        let disputes = self.case.stage.network.deployment.contracts.disputes;
        let filter = Filter::new().address(disputes).event_signature(E::SIGNATURE_HASH).from_block(0);
        self.case.stage.network.anvil.provider.get_logs(&filter).await.unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beacons_that_come_late_in_every_round_end_in_a_draw() {
    let answered = Answered::new().await;
    let (case, id) = (&answered.case, answered.id);
    let beacons = [answered.miss(0).await, answered.miss(1).await];
    assert!(beacons[0] < beacons[1], "the next round has a beacon of its own: {beacons:?}");
    let end = case.end(id).await;
    assert_eq!((end.outcome, end.slashed), (Outcome::Drawn, U256::ZERO));
    assert!(end.to_challenger >= U256::from(700) * CAI, "nobody judged: bond and fee come back: {end:?}");
    assert_eq!(answered.count::<IDisputes::JuryCalled>().await, 0);
    assert_eq!(case.held().await, U256::ZERO);
    assert!(is_about(case.own_stake().await, 30_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_late_beacon_the_next_one_draws_a_larger_jury() {
    let answered = Answered::new().await;
    let (case, id) = (&answered.case, answered.id);
    let late = answered.miss(0).await;
    let beacon = answered.beacon(1).await;
    assert_ne!(beacon, late);

    // Before its time nobody has it, afterwards it is not known here before somebody has brought it.
    assert_eq!(case.challenger.bring_beacon(beacon, Duration::ZERO).await.unwrap(), Beacon::Awaited);
    warp(&case.stage.network, 3).await;
    assert_eq!(case.challenger.seed(id).await.unwrap(), None);
    let early = case.challenger.resolve(id).await.unwrap_err();
    assert!(early.to_string().contains("NothingDue"), "{early}");
    answered.bring(beacon).await;
    case.challenger.resolve(id).await.unwrap();
    case.vote(id, 1, [GUILTY; 4]).await;
    let end = case.end(id).await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
    let docket = case.following.docket();
    let jurors = &docket.get(id).unwrap().jurors;
    // Four of the five miners have four fifths of 32 votes.
    let votes: u64 = jurors.iter().map(|juror| juror.votes).sum();
    assert!(jurors.iter().all(|juror| juror.round == 1) && (24..=28).contains(&votes), "{votes}: {jurors:?}");
    assert_eq!(case.held().await, U256::ZERO);
    assert!(is_about(case.own_stake().await, 27_000));
}
