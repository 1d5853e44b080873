//! What a dispute comes to.

use alloy::primitives::{Address, B256, U256};

use super::{Dispute, Model, jury};
use crate::{
    abi::disputes::IDisputes::{self, Fault, Phase, Verdict},
    revert::{Effect, Revert},
};

impl Model {
    /// Guilty, unless the guardian objects.
    pub(super) fn accuse(&mut self, id: B256, fault: Fault) {
        let Some(dispute) = self.disputes.all.get(&id) else { return };
        let window = if self.guardian().is_zero() { 0 } else { self.disputes.terms_of(dispute).veto_window };
        let deadline = self.now + window;
        self.change(id, |d| (d.phase, d.fault, d.deadline) = (Phase::Veto, fault, deadline));
        self.emit(self.at.disputes, IDisputes::FoundGuilty { id, fault, deadline: U256::from(deadline) });
    }

    /// Waits for the block that draws a jury.
    pub(super) fn begin_round(&mut self, id: B256) {
        let Some(dispute) = self.disputes.all.get(&id) else { return };
        let (round, beacon) = (U256::from(dispute.round), self.block + 1);
        let deadline = self.now + self.disputes.terms_of(dispute).seed_window;
        self.change(id, |d| {
            (d.phase, d.beacon, d.deadline) = (Phase::Seed, beacon, deadline);
            (d.guilty, d.innocent, d.jurors) = (0, 0, 0);
        });
        let (beacon, deadline) = (U256::from(beacon), U256::from(deadline));
        self.emit(self.at.disputes, IDisputes::RoundBegan { id, round, beacon, deadline });
    }

    /// Does all that is due.
    pub(in crate::model) fn resolve(&mut self, id: B256) -> Effect<Phase> {
        let Dispute { phase, deadline, .. } = self.existing(id)?;
        if !self.step(id)? {
            return Err(IDisputes::NothingDue { id, phase, deadline: U256::from(deadline) }.into());
        }
        while self.step(id)? {}
        Ok(self.existing(id)?.phase)
    }

    pub(super) fn step(&mut self, id: B256) -> Effect<bool> {
        let dispute = self.existing(id)?;
        let terms = self.disputes.terms_of(&dispute);
        let over = self.now >= dispute.deadline;
        let seed = self.seed_of(id, &dispute);
        match dispute.phase {
            _ if dispute.is_over() => return Ok(false),
            _ if self.disputes.convicted.contains(&dispute.result) => self.end(id, Phase::Drawn)?,
            Phase::Answer if self.is_answered(&dispute) => self.begin_round(id),
            Phase::Answer if over => self.accuse(id, Fault::NoAnswer),
            Phase::Seed if over => self.next_round(id)?,
            Phase::Seed if seed.is_some() => {
                let commit_until = self.now + terms.commit_window;
                self.change(id, |d| (d.phase, d.deadline) = (Phase::Jury, commit_until));
                let event = IDisputes::JuryCalled {
                    id,
                    round: U256::from(dispute.round),
                    seed: seed.unwrap_or_default(),
                    commitUntil: U256::from(commit_until),
                    revealUntil: U256::from(commit_until + terms.reveal_window),
                };
                self.emit(self.at.disputes, event);
            }
            Phase::Jury if self.now >= dispute.deadline + terms.reveal_window => {
                match jury::verdict(&dispute, terms.min_jurors) {
                    Some(Verdict::Guilty) => self.accuse(id, Fault::Transition),
                    Some(_) => self.end(id, Phase::Acquitted)?,
                    None => self.next_round(id)?,
                }
            }
            Phase::Veto if over => self.end(id, Phase::Convicted)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Another jury, or none any more.
    fn next_round(&mut self, id: B256) -> Effect<()> {
        let dispute = self.existing(id)?;
        if dispute.round + 1 == self.disputes.terms_of(&dispute).rounds {
            return self.end(id, Phase::Drawn);
        }
        self.change(id, |d| d.round += 1);
        self.begin_round(id);
        Ok(())
    }

    pub(in crate::model) fn veto(&mut self, caller: Address, id: B256) -> Effect<()> {
        if caller != self.guardian() {
            return Err(IDisputes::Unauthorised { caller }.into());
        }
        let deadline = self.in_phase(id, Phase::Veto)?.deadline;
        self.require_before(id, deadline)?;
        self.end(id, Phase::Drawn)
    }

    /// Slashes or releases, and gives everybody what is theirs; jurors fetch it.
    fn end(&mut self, id: B256, outcome: Phase) -> Effect<()> {
        let now = self.now;
        self.change(id, |d| (d.phase, d.deadline) = (outcome, now));
        let to_jurors = self.settle(id)?;
        let dispute = self.existing(id)?;
        let terms = self.disputes.terms_of(&dispute);
        let (accused, challenger, at) = (dispute.accused(), dispute.challenger, self.at.disputes);
        let deposit = terms.bond + terms.jury_fee - to_jurors;
        let (mut slashed, mut paid) = (0, 0);
        if outcome == Phase::Convicted {
            self.disputes.convicted.insert(dispute.result);
            let mut next = self.clone();
            match next.slash(at, accused, terms.fraction, dispute.epoch, terms.jail_term, at, u128::MAX) {
                Ok(taken) => {
                    *self = next;
                    (slashed, paid) = taken;
                }
                Err(Revert(reason)) => {
                    self.emit(at, IDisputes::SlashFailed { id, reason });
                    self.let_go(id, &dispute);
                }
            }
        } else {
            self.let_go(id, &dispute);
        }
        let (to_challenger, to_accused) = if outcome == Phase::Acquitted { (0, deposit) } else { (deposit + paid, 0) };
        let event = IDisputes::Resolved {
            id,
            result: dispute.result,
            accused,
            outcome,
            fault: dispute.fault,
            slashed: U256::from(slashed),
            toChallenger: U256::from(to_challenger),
            toAccused: U256::from(to_accused),
            payPerVote: U256::from(dispute.pay_per_vote),
        };
        self.emit(at, event);
        for (payee, amount) in [(challenger, to_challenger), (accused, to_accused)] {
            if amount != 0 {
                self.transfer(at, payee, amount)?;
            }
        }
        Ok(())
    }

    fn let_go(&mut self, id: B256, dispute: &Dispute) {
        let fraction = self.disputes.terms_of(dispute).fraction;
        let mut next = self.clone();
        match next.release(self.at.disputes, dispute.accused(), fraction, dispute.epoch) {
            Ok(()) => *self = next,
            Err(Revert(reason)) => self.emit(self.at.disputes, IDisputes::ReleaseFailed { id, reason }),
        }
    }
}
