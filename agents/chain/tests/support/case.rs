//! Disputes of the stage, brought on step by step.

use super::{
    CAI,
    stage::{ACCUSED, Stage, phase, shown, warp},
};
use alloy::{
    primitives::{B256, U256, keccak256},
    providers::{DynProvider, Provider},
    rpc::types::Filter,
    sol_types::SolEvent,
};
use cuckoo_chain::disputes::{Court, Docket, End, Following, Phase};
use cuckoo_protocol::{
    contracts::{IDisputes::Verdict, IStaking},
    dispute::Ballot,
};
use std::collections::BTreeMap;

/// A stage with a challenger, and a docket.
pub struct Case {
    pub stage: Stage,
    pub following: Following,
    pub challenger: Court,
}

impl Case {
    pub async fn new() -> Self {
        Self::of(Stage::new().await).await
    }

    pub async fn of(stage: Stage) -> Self {
        let (following, challenger) = (stage.follow().await, stage.challenger().await);
        Self { stage, following, challenger }
    }

    pub async fn challenge(&self, transition: u32) -> B256 {
        let (id, _) = self.challenger.challenge(&self.stage.accusation(transition).await).await.unwrap();
        shown(&self.following, "it is open", |d| d.get(id).is_some()).await;
        id
    }

    /// Calls the jury of a round, gives each juror its vote, and ends the round.
    pub async fn judge(&self, id: B256, round: u64, verdicts: [Option<Verdict>; 4]) {
        let so = |d: &Docket| d.get(id).is_some_and(|it| it.round == round && matches!(it.phase, Phase::Seed { .. }));
        shown(&self.following, "the round begins", so).await;
        self.stage.network.anvil.mine(2).await;
        self.challenger.resolve(id).await.unwrap();
        self.vote(id, round, verdicts).await;
    }

    /// Gives each juror of a jury that is called its vote, and ends the round.
    pub async fn vote(&self, id: B256, round: u64, verdicts: [Option<Verdict>; 4]) {
        shown(&self.following, "the jury is called", |d| matches!(phase(d, id), Some(Phase::Jury { .. }))).await;
        let voting = || self.stage.jurors.iter().zip(verdicts).filter_map(|(juror, verdict)| Some((juror, verdict?)));
        for ((operator, court), verdict) in voting() {
            court.commit(id, ballot(verdict).commitment(id, round, *operator)).await.unwrap();
        }
        warp(&self.stage.network, 10).await;
        for ((_, court), verdict) in voting() {
            court.reveal(id, &ballot(verdict)).await.unwrap();
        }
        warp(&self.stage.network, 5).await;
        self.challenger.resolve(id).await.unwrap();
    }

    pub async fn end(&self, id: B256) -> End {
        let docket = shown(&self.following, "it is over", |d| d.get(id).is_some_and(|it| !it.is_open())).await;
        let Some(Phase::Ended(end)) = phase(&docket, id) else { panic!("{docket:?}") };
        end
    }

    pub fn staking(&self) -> IStaking::IStakingInstance<&DynProvider> {
        IStaking::new(self.stage.network.deployment.contracts.staking, &self.stage.network.anvil.provider)
    }

    /// Of all that is behind the accused, what disputes hold back, in WAD: the newest word on each epoch.
    pub async fn held(&self) -> U256 {
        let filter = Filter::new()
            .address(self.stage.network.deployment.contracts.staking)
            .event_signature(vec![IStaking::Held::SIGNATURE_HASH, IStaking::Released::SIGNATURE_HASH])
            .topic1(ACCUSED)
            .from_block(0);
        let mut held = BTreeMap::new();
        for log in self.stage.network.anvil.provider.get_logs(&filter).await.unwrap() {
            let (epoch, now) = match log.log_decode::<IStaking::Held>() {
                Ok(log) => (log.inner.epoch, log.inner.held),
                Err(_) => log.log_decode::<IStaking::Released>().map(|log| (log.inner.epoch, log.inner.held)).unwrap(),
            };
            held.insert(epoch, now);
        }
        held.into_values().sum()
    }

    pub async fn own_stake(&self) -> U256 {
        self.staking().assetsOf(ACCUSED, ACCUSED).call().await.unwrap()
    }
}

pub fn ballot(verdict: Verdict) -> Ballot {
    Ballot { verdict, probe: U256::from(10).pow(U256::from(18)), salt: keccak256(b"salt") }
}

pub fn wad(hundredths: u64) -> U256 {
    U256::from(hundredths) * U256::from(10).pow(U256::from(16))
}

pub const GUILTY: Option<Verdict> = Some(Verdict::Guilty);
pub const INNOCENT: Option<Verdict> = Some(Verdict::Innocent);

/// Staking rewards of some seconds, which come on top.
pub fn is_about(found: U256, cai: u64) -> bool {
    (U256::from(cai) * CAI..U256::from(cai + 200) * CAI).contains(&found)
}
