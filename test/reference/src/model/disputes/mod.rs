//! Disputes: accused, answered, judged by juries, vetoed, slashed.

mod answer;
mod challenge;
mod end;
mod jury;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};

pub use self::{
    jury::{Vote, commitment},
    terms::Terms,
};
use super::Model;
use crate::{
    abi::disputes::IDisputes::{self, Fault, Phase},
    receipt::Receipt,
    revert::Effect,
    trace::Part,
};

/// One dispute.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// What was signed.
    pub receipt: Receipt,
    /// Digest of its result.
    pub result: B256,
    /// What was challenged.
    pub transition: u32,
    /// Gets what the slash pays.
    pub challenger: Address,
    /// In which it opened.
    pub epoch: u64,
    /// Number of its terms.
    pub version: usize,
    /// Where it stands.
    pub phase: Phase,
    /// Of its phase, in seconds.
    pub deadline: u64,
    /// What the accused is guilty of.
    pub fault: Fault,
    /// Which jury.
    pub round: u8,
    /// The block whose hash draws it.
    pub beacon: u64,
    /// Votes for Guilty in this round.
    pub guilty: u64,
    /// Votes for Innocent in this round.
    pub innocent: u64,
    /// Operators who gave them.
    pub jurors: u64,
    /// The winners' median probe by round, after the end.
    pub medians: [u128; 3],
    /// CAI wei, after the end.
    pub pay_per_vote: u128,
}

impl Dispute {
    /// The operator that may lose stake.
    pub fn accused(&self) -> Address {
        self.receipt.miner
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Convicted | Phase::Acquitted | Phase::Drawn)
    }

    /// What a judge needs: the states before and after, what comes first of all for the first.
    pub fn needed(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.transition == 0 && self.receipt.has_blob {
            parts.push(Part::Blob);
        }
        parts.extend(self.transition.checked_sub(1).map(Part::State));
        if self.transition < self.receipt.states {
            parts.push(Part::State(self.transition));
        }
        parts
    }
}

/// A part that a result has opened.
#[derive(Clone, Debug)]
pub struct OpenedPart {
    /// What it is known by.
    pub leaf: B256,
    /// Chunks that nobody has sent.
    pub missing: BTreeSet<u64>,
}

/// All disputes.
#[derive(Clone, Debug)]
pub struct Disputes {
    /// By id.
    pub all: BTreeMap<B256, Dispute>,
    /// What results have opened.
    pub opened: BTreeMap<(B256, Part), OpenedPart>,
    /// Commitments that are not revealed, with the votes of their jurors, by dispute, round and juror.
    pub commitments: BTreeMap<(B256, u8, Address), (B256, u64)>,
    /// What was revealed, by dispute and round.
    pub votes: BTreeMap<(B256, u8), Vec<Vote>>,
    /// Digests of results.
    pub convicted: BTreeSet<B256>,
    /// Models that can be disputed.
    pub listed: BTreeSet<u8>,
    /// By version.
    pub terms: Vec<Terms>,
}

impl Disputes {
    /// Those of a new deployment.
    pub fn new(terms: Terms) -> Self {
        Self {
            all: BTreeMap::new(),
            opened: BTreeMap::new(),
            commitments: BTreeMap::new(),
            votes: BTreeMap::new(),
            convicted: BTreeSet::new(),
            listed: BTreeSet::new(),
            terms: vec![terms],
        }
    }

    /// The terms of new disputes, and their number.
    pub fn current(&self) -> (usize, Terms) {
        let version = self.terms.len() - 1;
        (version, self.terms[version])
    }

    /// Those that a dispute opened with.
    pub fn terms_of(&self, dispute: &Dispute) -> Terms {
        self.terms[dispute.version]
    }

    /// CAI wei that nobody has got yet: deposits of open disputes, pay that jurors have not claimed.
    pub fn owed(&self) -> u128 {
        let deposits = self.all.values().filter(|d| !d.is_over()).map(|d| {
            let terms = self.terms_of(d);
            terms.bond + terms.jury_fee
        });
        let votes = self.votes.iter().flat_map(|((id, round), votes)| votes.iter().map(|vote| (*id, *round, vote)));
        let pay = votes.filter_map(|(id, round, vote)| Some(self.all.get(&id)?.pay_of(round, vote)));
        deposits.chain(pay).sum()
    }
}

impl Model {
    /// Who an account speaks for: the operator whose node in use it is, else itself.
    fn speaks_for(&self, account: Address) -> Address {
        let node = self.registry.nodes.get(&account).filter(|n| self.registry.node_of(n.operator) == account);
        node.map_or(account, |n| n.operator)
    }

    pub(super) fn set_model(&mut self, caller: Address, model: u8, listed: bool) -> Effect<()> {
        self.require_owner(caller)?;
        if listed {
            self.disputes.listed.insert(model)
        } else {
            self.disputes.listed.remove(&model)
        };
        self.emit(self.at.disputes, IDisputes::ModelSet { modelId: Receipt::model_id(model), listed });
        Ok(())
    }

    fn existing(&self, id: B256) -> Effect<Dispute> {
        self.disputes.all.get(&id).cloned().ok_or_else(|| IDisputes::UnknownDispute { id }.into())
    }

    fn change(&mut self, id: B256, change: impl FnOnce(&mut Dispute)) {
        if let Some(dispute) = self.disputes.all.get_mut(&id) {
            change(dispute);
        }
    }

    /// The dispute, if it is in this phase.
    fn in_phase(&self, id: B256, phase: Phase) -> Effect<Dispute> {
        let dispute = self.existing(id)?;
        if dispute.phase != phase {
            return Err(IDisputes::WrongPhase { id, phase: dispute.phase }.into());
        }
        Ok(dispute)
    }

    fn require_before(&self, id: B256, deadline: u64) -> Effect<()> {
        if self.now >= deadline {
            return Err(IDisputes::DeadlinePassed { id, deadline: U256::from(deadline) }.into());
        }
        Ok(())
    }
}
