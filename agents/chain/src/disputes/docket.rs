//! What events say of the disputes.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    rpc::types::Log,
    sol_types::{SolEvent, SolEventInterface},
};
use cuckoo_protocol::{
    contracts::{
        IDisputes::{self, Challenged, Fault, IDisputesEvents, Parameters, Phase as Outcome, Verdict},
        Offer, Result as TaskResult,
    },
    dispute::{self, Part},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Topics of the events that a docket takes. Not `Opened`: chunks are heavy, and are fetched by whoever needs them.
pub(super) const TOPICS: [B256; 8] = [
    IDisputes::Challenged::SIGNATURE_HASH,
    IDisputes::RoundBegan::SIGNATURE_HASH,
    IDisputes::JuryCalled::SIGNATURE_HASH,
    IDisputes::Committed::SIGNATURE_HASH,
    IDisputes::Revealed::SIGNATURE_HASH,
    IDisputes::FoundGuilty::SIGNATURE_HASH,
    IDisputes::Resolved::SIGNATURE_HASH,
    IDisputes::Claimed::SIGNATURE_HASH,
];

/// What never changes of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// Of the dispute.
    pub id: B256,
    /// EIP-712 digest of the result.
    pub result: B256,
    /// Operator whose result it is.
    pub accused: Address,
    /// Who gets what is due to the challenger.
    pub challenger: Address,
    /// Of the parameters.
    pub version: u64,
    /// In which it opened, by Staking's count.
    pub epoch: u64,
    /// 0 for `init`, `states` for `finish`.
    pub transition: u32,
    /// Chain seconds until which the accused may answer.
    pub answer_until: u64,
    /// The coordinator's promise.
    pub offer: Offer,
    /// The accused's commitment.
    pub message: TaskResult,
    /// Canonical bytes of the request.
    pub request: Bytes,
    /// Of the request: N + 1.
    pub states: u32,
    /// Of the request; zero if it has no input pictures.
    pub blob_root: B256,
    /// Number of the tile, if `finish` is disputed.
    pub tile_index: U256,
    /// The tile's bytes; empty unless `finish` is disputed.
    pub tile: Bytes,
    /// Block in which it opened.
    pub block: u64,
}

/// Where a dispute stands, by what was done; what is due by now but not done yet is not in it. Times are chain seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The accused has to open the transition.
    Answer {
        /// Until then.
        deadline: u64,
    },
    /// A round's beacon is awaited.
    Seed {
        /// Of the source of randomness.
        beacon: u64,
        /// Until when the beacon counts.
        deadline: u64,
    },
    /// A jury is called.
    Jury {
        /// Of the round.
        seed: B256,
        /// Commitments before this, reveals from then on.
        commit_until: u64,
        /// Reveals before this.
        reveal_until: u64,
    },
    /// Found guilty; a guardian may object.
    Veto {
        /// Of what.
        fault: Fault,
        /// Until then.
        deadline: u64,
    },
    /// Over.
    Ended(End),
}

/// How a dispute ended. Amounts are CAI wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Convicted, acquitted or drawn.
    pub outcome: Outcome,
    /// Of what the accused was found guilty, if it was.
    pub fault: Fault,
    /// Taken from the accused and those who voted for it.
    pub slashed: U256,
    /// Paid to the challenger.
    pub to_challenger: U256,
    /// Paid to the accused.
    pub to_accused: U256,
    /// What each paid vote can claim.
    pub pay_per_vote: U256,
}

/// An operator that has committed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Juror {
    /// From 0.
    pub round: u64,
    /// Who.
    pub operator: Address,
    /// Its votes in this round.
    pub votes: u64,
    /// What it committed to.
    pub commitment: B256,
    /// What it opened.
    pub revealed: Option<Revealed>,
    /// Whether it was paid.
    pub claimed: bool,
}

/// An opened vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revealed {
    /// What `claim` wants.
    pub index: u64,
    /// Of the accused.
    pub verdict: Verdict,
    /// WAD.
    pub probe: U256,
}

/// A dispute as events leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// What it is about.
    pub accusation: Arc<Accusation>,
    /// Where it stands.
    pub phase: Phase,
    /// Of juries, from 0.
    pub round: u64,
    /// Of all rounds.
    pub jurors: Vec<Juror>,
}

impl Dispute {
    /// Its id.
    pub fn id(&self) -> B256 {
        self.accusation.id
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Ended(_))
    }

    /// What the transition needs opened.
    pub fn parts(&self) -> Vec<Part> {
        let Accusation { transition, states, blob_root, .. } = *self.accusation;
        dispute::parts(transition, states, !blob_root.is_zero())
    }

    /// A juror of a round.
    pub fn juror(&self, round: u64, operator: Address) -> Option<&Juror> {
        self.jurors.iter().find(|juror| juror.round == round && juror.operator == operator)
    }

    fn juror_mut(&mut self, round: U256, operator: Address) -> Option<&mut Juror> {
        self.jurors.iter_mut().find(|juror| U256::from(juror.round) == round && juror.operator == operator)
    }
}

/// The disputes that are open or have ended lately, at one block. Clones share what does not change.
#[derive(Clone, Debug, Default)]
pub struct Docket {
    /// Number of the newest block that it shows.
    pub block: u64,
    /// Of that block, in chain seconds.
    pub timestamp: u64,
    /// The chain could not be read for a while: what this shows may have changed.
    pub stale: bool,
    disputes: BTreeMap<B256, Dispute>,
    /// Results of which a dispute ended with a conviction: their other disputes can be closed.
    convicted: HashSet<B256>,
    /// By version, of all disputes here.
    parameters: BTreeMap<u64, Arc<Parameters>>,
}

impl Docket {
    /// What the events of the contract at `disputes` say, in the chain's order, at `timestamp` (chain seconds).
    pub fn at(timestamp: u64, disputes: Address, logs: &[Log]) -> Self {
        let mut docket = Self { timestamp, ..Self::default() };
        logs.iter().for_each(|log| docket.apply(disputes, log));
        docket
    }

    /// Takes note of the parameters of a version.
    pub fn set_parameters(&mut self, version: u64, parameters: Parameters) {
        self.parameters.insert(version, Arc::new(parameters));
    }

    /// A dispute, if it is open or has ended lately.
    pub fn get(&self, id: B256) -> Option<&Dispute> {
        self.disputes.get(&id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Dispute> {
        self.disputes.values()
    }

    /// Those that go on.
    pub fn open(&self) -> impl Iterator<Item = &Dispute> {
        self.iter().filter(|dispute| dispute.is_open())
    }

    /// The parameters that a dispute was opened with.
    pub fn parameters(&self, dispute: &Dispute) -> Option<&Parameters> {
        self.parameters.get(&dispute.accusation.version).map(|parameters| &**parameters)
    }

    /// From when on (chain seconds) the clock alone makes `resolve` do something; `None` once the dispute has ended. A beacon
    /// that has become known makes it do something earlier.
    pub fn resolve_from(&self, dispute: &Dispute) -> Option<u64> {
        match dispute.phase {
            Phase::Ended(_) => None,
            _ if self.convicted.contains(&dispute.accusation.result) => Some(0),
            Phase::Answer { deadline } | Phase::Seed { deadline, .. } | Phase::Veto { deadline, .. } => Some(deadline),
            Phase::Jury { reveal_until, .. } => Some(reveal_until),
        }
    }

    /// The block of a result's first dispute: no chunk of it was opened before.
    pub fn first_block(&self, result: B256) -> Option<u64> {
        let of_result = self.iter().filter(|dispute| dispute.accusation.result == result);
        of_result.map(|dispute| dispute.accusation.block).min()
    }

    /// Takes over the parameters that another docket knows.
    pub(super) fn take_parameters(&mut self, other: &Self) {
        self.parameters.clone_from(&other.parameters);
    }

    /// Versions of parameters that are not known yet.
    pub(super) fn unknown_versions(&self) -> Vec<u64> {
        let versions = self.iter().map(|dispute| dispute.accusation.version);
        versions.filter(|version| !self.parameters.contains_key(version)).collect()
    }

    /// Forgets what has ended and was opened before `time` (chain seconds).
    pub(super) fn forget(&mut self, time: u64) {
        self.disputes.retain(|_, dispute| dispute.is_open() || dispute.accusation.answer_until >= time);
        let kept: HashSet<B256> = self.iter().map(|dispute| dispute.accusation.result).collect();
        self.convicted.retain(|result| kept.contains(result));
    }

    /// Takes the next event in the chain's order. What it does not know it skips: a dispute that began before the first block
    /// that was read has ended long ago.
    pub(super) fn apply(&mut self, disputes: Address, log: &Log) {
        if log.address() != disputes {
            return;
        }
        let Ok(event) = IDisputesEvents::decode_log(&log.inner) else { return };
        match event.data {
            IDisputesEvents::Challenged(e) => {
                let deadline = e.deadline.saturating_to();
                let accusation = Arc::new(accusation(e, log.block_number.unwrap_or_default()));
                let phase = Phase::Answer { deadline };
                self.disputes.insert(accusation.id, Dispute { accusation, phase, round: 0, jurors: Vec::new() });
            }
            IDisputesEvents::RoundBegan(e) => self.change(e.id, |dispute| {
                dispute.round = e.round.saturating_to();
                let (beacon, deadline) = (e.beacon.saturating_to(), e.deadline.saturating_to());
                dispute.phase = Phase::Seed { beacon, deadline };
            }),
            IDisputesEvents::JuryCalled(e) => self.change(e.id, |dispute| {
                dispute.round = e.round.saturating_to();
                let (commit_until, reveal_until) = (e.commitUntil.saturating_to(), e.revealUntil.saturating_to());
                dispute.phase = Phase::Jury { seed: e.seed, commit_until, reveal_until };
            }),
            IDisputesEvents::Committed(e) => self.change(e.id, |dispute| {
                dispute.jurors.push(Juror {
                    round: e.round.saturating_to(),
                    operator: e.operator,
                    votes: e.votes.saturating_to(),
                    commitment: e.commitment,
                    revealed: None,
                    claimed: false,
                });
            }),
            IDisputesEvents::Revealed(e) => self.change(e.id, |dispute| {
                if let Some(juror) = dispute.juror_mut(e.round, e.operator) {
                    let index = e.index.saturating_to();
                    juror.revealed = Some(Revealed { index, verdict: e.verdict, probe: e.probe });
                }
            }),
            IDisputesEvents::FoundGuilty(e) => self.change(e.id, |dispute| {
                dispute.phase = Phase::Veto { fault: e.fault, deadline: e.deadline.saturating_to() };
            }),
            IDisputesEvents::Resolved(e) => {
                if e.outcome == Outcome::Convicted {
                    self.convicted.insert(e.result);
                }
                self.change(e.id, |dispute| {
                    dispute.phase = Phase::Ended(End {
                        outcome: e.outcome,
                        fault: e.fault,
                        slashed: e.slashed,
                        to_challenger: e.toChallenger,
                        to_accused: e.toAccused,
                        pay_per_vote: e.payPerVote,
                    });
                });
            }
            IDisputesEvents::Claimed(e) => self.change(e.id, |dispute| {
                if let Some(juror) = dispute.juror_mut(e.round, e.operator) {
                    juror.claimed = true;
                }
            }),
            // What else there is changes no dispute's course.
            _ => {}
        }
    }

    fn change(&mut self, id: B256, change: impl FnOnce(&mut Dispute)) {
        if let Some(dispute) = self.disputes.get_mut(&id) {
            change(dispute);
        }
    }
}

fn accusation(e: Challenged, block: u64) -> Accusation {
    Accusation {
        id: e.id,
        result: e.result,
        accused: e.accused,
        challenger: e.challenger,
        version: e.version.saturating_to(),
        epoch: e.epoch.saturating_to(),
        transition: e.transition.saturating_to(),
        answer_until: e.deadline.saturating_to(),
        states: word(&e.request, 3).saturating_to(),
        blob_root: word(&e.request, 5).into(),
        offer: e.offer,
        message: e.message,
        request: e.request,
        tile_index: e.tileIndex,
        tile: e.tile,
        block,
    }
}

/// A word of a request's bytes, whose head the contract has checked; zero beyond their end.
fn word(request: &[u8], index: usize) -> U256 {
    request.get(index * 32..(index + 1) * 32).map(U256::from_be_slice).unwrap_or_default()
}

#[cfg(test)]
#[path = "docket_tests.rs"]
mod tests;
