//! Disputes that nobody answers: accused, found guilty, vetoed, slashed. What a jury does is not modelled.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};

use super::Model;
use crate::{
    abi::disputes::IDisputes::{self, Fault, Phase},
    receipt::Receipt,
    revert::{Effect, Revert},
};

/// One dispute.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// The miner.
    pub accused: Address,
    /// Gets what the slash pays.
    pub challenger: Address,
    /// Of its phase, in seconds.
    pub deadline: u64,
    /// Where it stands.
    pub phase: Phase,
    /// What the accused is guilty of.
    pub fault: Fault,
    /// What was challenged.
    pub transition: u32,
    /// Of the request.
    pub states: u32,
    /// In which it opened.
    pub epoch: u64,
    /// Digest of the result.
    pub result: B256,
}

/// All disputes.
#[derive(Clone, Debug, Default)]
pub struct Disputes {
    /// By id.
    pub all: BTreeMap<B256, Dispute>,
    /// Digests of results.
    pub convicted: BTreeSet<B256>,
    /// Models that can be disputed.
    pub listed: BTreeSet<u8>,
}

/// What a dispute's numbers are.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// CAI wei.
    pub bond: u128,
    /// CAI wei.
    pub jury_fee: u128,
    /// WAD.
    pub fraction: u128,
    /// Seconds.
    pub jail_term: u64,
    /// Seconds.
    pub max_offer_life: u64,
    /// Seconds.
    pub challenge_window: u64,
    /// Seconds.
    pub answer_window: u64,
    /// Seconds.
    pub veto_window: u64,
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

    pub(super) fn challenge(&mut self, caller: Address, receipt: Receipt, transition: u32) -> Effect<B256> {
        let terms = self.parameters.disputes;
        let (offer, result) = (receipt.offer(&self.at), receipt.result(&self.at));
        let request = receipt.request();
        let actual = keccak256(&request);
        if actual != offer.requestHash {
            return Err(IDisputes::RequestMismatch { actual, expected: offer.requestHash }.into());
        }
        if receipt.flags & 1 != 0 {
            return Err(IDisputes::NotDisputable {}.into());
        }
        if !self.disputes.listed.contains(&receipt.model) {
            return Err(IDisputes::ModelNotListed { modelId: offer.modelId }.into());
        }
        let Receipt { coordinator, miner, expiry, offer_signer, result_signer, .. } = receipt;
        if !self.is_liable(coordinator, offer_signer, expiry) {
            return Err(IDisputes::InvalidOffer { coordinator, signer: offer_signer }.into());
        }
        if !self.is_liable(miner, result_signer, expiry) {
            return Err(IDisputes::InvalidResult { miner, signer: result_signer }.into());
        }
        let latest = self.now + terms.max_offer_life;
        if expiry > latest {
            let (expiry, limit) = (U256::from(expiry), U256::from(latest));
            return Err(IDisputes::OfferTooLong { expiry, limit }.into());
        }
        let until = expiry + terms.challenge_window;
        if self.now > until {
            return Err(IDisputes::ChallengeTooLate { until: U256::from(until) }.into());
        }
        let digest = receipt.digest(&self.at);
        if self.disputes.convicted.contains(&digest) {
            return Err(IDisputes::AlreadyConvicted { result: digest }.into());
        }
        if transition > receipt.states {
            let (transition, states) = (U256::from(transition), U256::from(receipt.states));
            return Err(IDisputes::InvalidTransition { transition, states }.into());
        }
        if transition == receipt.states {
            // `finish` wants a tile.
            return Err(IDisputes::InvalidTile { length: U256::ZERO }.into());
        }
        let id = receipt.dispute_id(&self.at, transition);
        if self.disputes.all.contains_key(&id) {
            return Err(IDisputes::AlreadyChallenged { id }.into());
        }
        let challenger = self.speaks_for(caller);
        if challenger == miner {
            return Err(IDisputes::Involved { operator: challenger }.into());
        }

        let epoch = self.hold(self.at.disputes, miner, terms.fraction)?;
        let deadline = self.now + terms.answer_window;
        let (phase, fault, states) = (Phase::Answer, Fault::None, receipt.states);
        let dispute =
            Dispute { accused: miner, challenger, deadline, phase, fault, transition, states, epoch, result: digest };
        self.disputes.all.insert(id, dispute);
        let event = IDisputes::Challenged {
            id,
            result: digest,
            accused: miner,
            challenger,
            version: U256::ZERO,
            epoch: U256::from(epoch),
            transition: U256::from(transition),
            deadline: U256::from(deadline),
            offer,
            message: result,
            request,
            tileIndex: U256::ZERO,
            tile: Bytes::new(),
        };
        self.emit(self.at.disputes, event);
        if receipt.result_states != receipt.states {
            self.accuse(id, Fault::Structure);
        }
        self.transfer_from(self.at.disputes, caller, terms.bond + terms.jury_fee)?;
        Ok(id)
    }

    fn accuse(&mut self, id: B256, fault: Fault) {
        let window = if self.guardian().is_zero() { 0 } else { self.parameters.disputes.veto_window };
        let deadline = self.now + window;
        if let Some(dispute) = self.disputes.all.get_mut(&id) {
            (dispute.phase, dispute.fault, dispute.deadline) = (Phase::Veto, fault, deadline);
        }
        self.emit(self.at.disputes, IDisputes::FoundGuilty { id, fault, deadline: U256::from(deadline) });
    }

    fn existing(&self, id: B256) -> Effect<Dispute> {
        self.disputes.all.get(&id).cloned().ok_or_else(|| IDisputes::UnknownDispute { id }.into())
    }

    /// Does all that is due.
    pub(super) fn resolve(&mut self, id: B256) -> Effect<Phase> {
        let Dispute { phase, deadline, .. } = self.existing(id)?;
        if !self.step(id)? {
            return Err(IDisputes::NothingDue { id, phase, deadline: U256::from(deadline) }.into());
        }
        while self.step(id)? {}
        Ok(self.existing(id)?.phase)
    }

    fn step(&mut self, id: B256) -> Effect<bool> {
        let dispute = self.existing(id)?;
        let over = self.now >= dispute.deadline;
        match dispute.phase {
            Phase::Convicted | Phase::Drawn => return Ok(false),
            _ if self.disputes.convicted.contains(&dispute.result) => self.end(id, Phase::Drawn)?,
            Phase::Answer if over => self.accuse(id, Fault::NoAnswer),
            Phase::Veto if over => self.end(id, Phase::Convicted)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn veto(&mut self, caller: Address, id: B256) -> Effect<()> {
        if caller != self.guardian() {
            return Err(IDisputes::Unauthorised { caller }.into());
        }
        let Dispute { phase, deadline, .. } = self.existing(id)?;
        if phase != Phase::Veto {
            return Err(IDisputes::WrongPhase { id, phase }.into());
        }
        if self.now >= deadline {
            return Err(IDisputes::DeadlinePassed { id, deadline: U256::from(deadline) }.into());
        }
        self.end(id, Phase::Drawn)
    }

    /// Slashes or releases, and pays the challenger: nobody judged, so the jury's fee goes back, too.
    fn end(&mut self, id: B256, outcome: Phase) -> Effect<()> {
        let terms = self.parameters.disputes;
        let Dispute { accused, challenger, fault, epoch, result, .. } = self.existing(id)?;
        let now = self.now;
        if let Some(dispute) = self.disputes.all.get_mut(&id) {
            (dispute.phase, dispute.deadline) = (outcome, now);
        }
        let (mut slashed, mut paid) = (0, 0);
        let at = self.at.disputes;
        if outcome == Phase::Convicted {
            self.disputes.convicted.insert(result);
            let mut next = self.clone();
            match next.slash(at, accused, terms.fraction, epoch, terms.jail_term, at, u128::MAX) {
                Ok(taken) => {
                    *self = next;
                    (slashed, paid) = taken;
                }
                Err(Revert(reason)) => {
                    self.emit(at, IDisputes::SlashFailed { id, reason });
                    self.let_go(id, accused, epoch);
                }
            }
        } else {
            self.let_go(id, accused, epoch);
        }
        let to_challenger = terms.bond + terms.jury_fee + paid;
        let event = IDisputes::Resolved {
            id,
            result,
            accused,
            outcome,
            fault,
            slashed: U256::from(slashed),
            toChallenger: U256::from(to_challenger),
            toAccused: U256::ZERO,
            payPerVote: U256::ZERO,
        };
        self.emit(at, event);
        self.transfer(at, challenger, to_challenger)
    }

    fn let_go(&mut self, id: B256, accused: Address, epoch: u64) {
        let mut next = self.clone();
        match next.release(self.at.disputes, accused, self.parameters.disputes.fraction, epoch) {
            Ok(()) => *self = next,
            Err(Revert(reason)) => self.emit(self.at.disputes, IDisputes::ReleaseFailed { id, reason }),
        }
    }
}
