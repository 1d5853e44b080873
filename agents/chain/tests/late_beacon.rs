//! Disputes whose juries drand draws, and whose beacons come late: against the deployed contracts.

mod support;

use alloy::{
    primitives::{B256, U256, keccak256},
    providers::Provider,
    rpc::types::Filter,
    sol_types::SolEvent,
};
use cuckoo_chain::{
    SendError,
    beacon::Beacon,
    disputes::{Court, Docket, End, Following, Phase},
};
use cuckoo_protocol::{
    contracts::{
        IDisputes::{self, Fault, Phase as Outcome, Verdict},
        IStaking,
    },
    dispute::Ballot,
};
use serde_json::json;
use std::time::Duration;
use support::{
    CAI, Network,
    drand::{self, Drand},
    stage::{ACCUSED, Stage, phase, shown, warp},
    until,
};

/// Seconds.
const SEED_WINDOW: u64 = 12;
const ROUNDS: u64 = 2;

/// An answered dispute of the stage, with a challenger whose mirror has every round.
struct Case {
    stage: Stage,
    following: Following,
    challenger: Court,
    id: B256,
}

impl Case {
    async fn new() -> Self {
        let network = Network::start_with(|config| {
            drand::alter(config);
            config["disputes"]["rounds"] = json!(ROUNDS);
            config["disputes"]["seedWindow"] = json!(SEED_WINDOW);
        })
        .await;
        let drand = Drand::start(&network.anvil).await;
        let stage = Stage::on(network).await;
        let (following, challenger) = (stage.follow().await, stage.challenger().await);
        let challenger = challenger.with_mirrors(vec![drand.mirror("honest")]);
        let (id, _) = challenger.challenge(&stage.accusation(0).await).await.unwrap();
        stage.answer(id, &[0]).await;
        let case = Self { stage, following, challenger, id };
        assert!(!case.held().await.is_zero());
        case
    }

    /// The beacon that a round waits for.
    async fn beacon(&self, round: u64) -> u64 {
        let so =
            |d: &Docket| d.get(self.id).is_some_and(|it| it.round == round && matches!(it.phase, Phase::Seed { .. }));
        let docket = shown(&self.following, "the round begins", so).await;
        let Some(Phase::Seed { beacon, .. }) = phase(&docket, self.id) else { panic!("{docket:?}") };
        beacon
    }

    /// Has a beacon brought that is there by now.
    async fn bring(&self, beacon: u64) {
        until("it is brought", async || {
            self.challenger.bring_beacon(beacon, Duration::ZERO).await.unwrap() == Beacon::Brought
        })
        .await;
    }

    /// Lets a round's beacon come too late, and begins the next one.
    async fn miss(&self, round: u64) -> u64 {
        let beacon = self.beacon(round).await;
        warp(&self.stage.network, SEED_WINDOW + 1).await;
        self.bring(beacon).await;
        assert!(self.challenger.seed(self.id).await.unwrap().is_some(), "everybody can see what it would have drawn");
        let (_, juror) = &self.stage.jurors[0];
        let refused = juror.commit(self.id, B256::repeat_byte(1)).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused(why) if why.contains("WrongPhase")), "{refused}");
        self.challenger.resolve(self.id).await.unwrap();
        beacon
    }

    async fn end(&self) -> End {
        let docket = shown(&self.following, "it is over", |d| d.get(self.id).is_some_and(|it| !it.is_open())).await;
        let Some(Phase::Ended(end)) = phase(&docket, self.id) else { panic!("{docket:?}") };
        end
    }

    async fn count<E: SolEvent>(&self) -> usize {
        let disputes = self.stage.network.deployment.contracts.disputes;
        let filter = Filter::new().address(disputes).event_signature(E::SIGNATURE_HASH).from_block(0);
        self.stage.network.anvil.provider.get_logs(&filter).await.unwrap().len()
    }

    /// Of the accused's stake, what the last word says is held back, in WAD.
    async fn held(&self) -> U256 {
        let filter = Filter::new()
            .address(self.stage.network.deployment.contracts.staking)
            .event_signature(vec![IStaking::Held::SIGNATURE_HASH, IStaking::Released::SIGNATURE_HASH])
            .topic1(ACCUSED)
            .from_block(0);
        let logs = self.stage.network.anvil.provider.get_logs(&filter).await.unwrap();
        let last = logs.last().unwrap();
        match last.log_decode::<IStaking::Held>() {
            Ok(log) => log.inner.held,
            Err(_) => last.log_decode::<IStaking::Released>().unwrap().inner.held,
        }
    }

    async fn own_stake(&self) -> U256 {
        let staking =
            IStaking::new(self.stage.network.deployment.contracts.staking, &self.stage.network.anvil.provider);
        staking.assetsOf(ACCUSED, ACCUSED).call().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beacons_that_come_late_in_every_round_end_in_a_draw() {
    let case = Case::new().await;
    let beacons = [case.miss(0).await, case.miss(1).await];
    assert!(beacons[0] < beacons[1], "the next round has a beacon of its own: {beacons:?}");
    let end = case.end().await;
    assert_eq!((end.outcome, end.slashed), (Outcome::Drawn, U256::ZERO));
    assert!(end.to_challenger >= U256::from(700) * CAI, "nobody judged: bond and fee come back: {end:?}");
    assert_eq!(case.count::<IDisputes::JuryCalled>().await, 0);
    assert_eq!(case.held().await, U256::ZERO);
    assert!(case.own_stake().await >= U256::from(30_000) * CAI);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_late_beacon_the_next_one_draws_a_larger_jury() {
    let case = Case::new().await;
    let late = case.miss(0).await;
    let beacon = case.beacon(1).await;
    assert_ne!(beacon, late);

    // Before its time nobody has it, afterwards it is not known here before somebody has brought it.
    assert_eq!(case.challenger.bring_beacon(beacon, Duration::ZERO).await.unwrap(), Beacon::Awaited);
    warp(&case.stage.network, 3).await;
    assert_eq!(case.challenger.seed(case.id).await.unwrap(), None);
    let early = case.challenger.resolve(case.id).await.unwrap_err();
    assert!(early.to_string().contains("NothingDue"), "{early}");
    case.bring(beacon).await;
    case.challenger.resolve(case.id).await.unwrap();
    shown(&case.following, "the jury is called", |d| matches!(phase(d, case.id), Some(Phase::Jury { .. }))).await;

    let guilty =
        Ballot { verdict: Verdict::Guilty, probe: U256::from(10).pow(U256::from(18)), salt: keccak256("salt") };
    for (operator, court) in &case.stage.jurors {
        court.commit(case.id, guilty.commitment(case.id, 1, *operator)).await.unwrap();
    }
    warp(&case.stage.network, 10).await;
    for (_, court) in &case.stage.jurors {
        court.reveal(case.id, &guilty).await.unwrap();
    }
    warp(&case.stage.network, 5).await;
    case.challenger.resolve(case.id).await.unwrap();
    let end = case.end().await;
    assert_eq!((end.outcome, end.fault), (Outcome::Convicted, Fault::Transition));
    let docket = case.following.docket();
    let jurors = &docket.get(case.id).unwrap().jurors;
    // Four of the five miners have four fifths of 32 votes.
    let votes: u64 = jurors.iter().map(|juror| juror.votes).sum();
    assert!(jurors.iter().all(|juror| juror.round == 1) && (24..=28).contains(&votes), "{votes}: {jurors:?}");
    assert_eq!(case.held().await, U256::ZERO);
    let own = case.own_stake().await;
    assert!((U256::from(27_000) * CAI..U256::from(27_200) * CAI).contains(&own), "{own}");
}
