//! Juries: who sits on them, what they say, what they are paid.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use cuckoo_protocol::contracts::{IStaking, Role};

use super::{Dispute, Model};
use crate::{
    abi::disputes::IDisputes::{self, Phase, Verdict},
    revert::Effect,
};

/// Votes of a first jury, on average.
const FIRST_VOTES: u128 = 16;
/// A verdict needs as many.
const MIN_VOTES: u64 = 5;
/// Blocks whose hashes a chain remembers.
const HASHES: u64 = 256;
/// What a probe is cut to.
const LARGEST_PROBE: u128 = (1 << 80) - 1;

/// A vote that was revealed.
#[derive(Clone, Debug)]
pub struct Vote {
    /// The juror.
    pub operator: Address,
    /// WAD.
    pub probe: u128,
    /// How often it counts; nothing once it is paid.
    pub votes: u64,
    /// What it says.
    pub verdict: Verdict,
}

/// What a juror commits to.
pub fn commitment(id: B256, round: u8, operator: Address, verdict: Verdict, probe: U256, salt: B256) -> B256 {
    keccak256((id, U256::from(round), operator, U256::from(verdict as u8), probe, salt).abi_encode())
}

impl Dispute {
    /// Whose votes are paid; all in a draw.
    fn winner(&self) -> Option<Verdict> {
        match self.phase {
            Phase::Convicted => Some(Verdict::Guilty),
            Phase::Acquitted => Some(Verdict::Innocent),
            _ => None,
        }
    }

    /// What a vote is paid, CAI wei.
    pub fn pay_of(&self, round: u8, vote: &Vote) -> u128 {
        let median = self.medians[usize::from(round)];
        let wins = self.winner().is_none_or(|winner| vote.verdict == winner);
        if wins && is_near(vote.probe, median) { self.pay_per_vote * u128::from(vote.votes) } else { 0 }
    }
}

fn is_near(probe: u128, median: u128) -> bool {
    probe.abs_diff(median) <= median / 1_000
}

/// The probe in the middle when each is written down as often as it has votes, the lower one of two.
fn median(mut votes: Vec<&Vote>) -> Option<u128> {
    votes.sort_by_key(|vote| vote.probe);
    let every: Vec<u128> = votes.iter().flat_map(|v| std::iter::repeat_n(v.probe, v.votes as usize)).collect();
    every.get(every.len().checked_sub(1)? / 2).copied()
}

/// What votes amount to.
pub(super) fn verdict(dispute: &Dispute, min_jurors: u16) -> Option<Verdict> {
    let (guilty, innocent) = (dispute.guilty, dispute.innocent);
    let all = guilty + innocent;
    if all < MIN_VOTES || dispute.jurors < u64::from(min_jurors) {
        None
    } else if guilty * 3 >= all * 2 {
        Some(Verdict::Guilty)
    } else if innocent * 3 >= all * 2 {
        Some(Verdict::Innocent)
    } else {
        None
    }
}

impl Model {
    /// The seed of a dispute's round; none as long as the chain does not know it, or no longer.
    pub fn seed_of(&self, id: B256, dispute: &Dispute) -> Option<B256> {
        let age = self.block.checked_sub(dispute.beacon)?;
        if dispute.beacon == 0 || age == 0 || age > HASHES {
            return None;
        }
        // What a chain in memory takes for the hash of a block.
        let hash = keccak256(dispute.beacon.to_string());
        Some(keccak256((hash, id, U256::from(dispute.round)).abi_encode()))
    }

    /// How many votes an operator has.
    ///
    /// # Errors
    /// If the weights of its epoch are forgotten.
    pub fn votes_of(&self, id: B256, dispute: &Dispute, operator: Address) -> Effect<u64> {
        let Some(seed) = self.seed_of(id, dispute) else { return Ok(0) };
        let stored = self.staking.operator(operator);
        if operator == dispute.accused()
            || operator == dispute.challenger
            || self.registry.role_of(operator) != Role::Miner
            || self.weight_of(&stored) == 0
        {
            return Ok(0);
        }
        let epoch = dispute.epoch.saturating_sub(1);
        let forgotten = || IStaking::ForgottenEpoch { epoch: U256::from(epoch) };
        let (total, _) = self.staking.totals.at_start_of(epoch).ok_or_else(forgotten)?;
        let weight = stored.weights.at_start_of(epoch).ok_or_else(forgotten)?;
        if total == 0 {
            return Ok(0);
        }
        let share = U256::from(FIRST_VOTES << dispute.round) * U256::from(weight);
        let (whole, rest) = share.div_rem(U256::from(total));
        let draw = U256::from_be_bytes(keccak256((seed, operator).abi_encode()).0) % U256::from(total);
        Ok(whole.to::<u64>() + u64::from(draw < rest))
    }

    pub(in crate::model) fn commit(&mut self, caller: Address, id: B256, commitment: B256) -> Effect<()> {
        if commitment.is_zero() {
            return Err(IDisputes::ZeroCommitment {}.into());
        }
        if self.existing(id)?.phase == Phase::Seed {
            self.step(id)?;
        }
        let dispute = self.in_phase(id, Phase::Jury)?;
        self.require_before(id, dispute.deadline)?;
        let operator = self.speaks_for(caller);
        if operator == dispute.accused() || operator == dispute.challenger {
            return Err(IDisputes::Involved { operator }.into());
        }
        let votes = self.votes_of(id, &dispute, operator)?;
        if votes == 0 {
            return Err(IDisputes::NotDrawn { id, operator }.into());
        }
        let key = (id, dispute.round, operator);
        if self.disputes.commitments.contains_key(&key) {
            return Err(IDisputes::AlreadyCommitted { id, operator }.into());
        }
        self.disputes.commitments.insert(key, (commitment, votes));
        let (round, votes) = (U256::from(dispute.round), U256::from(votes));
        self.emit(self.at.disputes, IDisputes::Committed { id, round, operator, votes, commitment });
        Ok(())
    }

    pub(in crate::model) fn reveal(
        &mut self,
        caller: Address,
        id: B256,
        verdict: Verdict,
        probe: U256,
        salt: B256,
    ) -> Effect<()> {
        if verdict == Verdict::None {
            return Err(IDisputes::InvalidVerdict {}.into());
        }
        let dispute = self.in_phase(id, Phase::Jury)?;
        let deadline = dispute.deadline;
        if self.now < deadline {
            return Err(IDisputes::NothingDue { id, phase: Phase::Jury, deadline: U256::from(deadline) }.into());
        }
        self.require_before(id, deadline + self.disputes.terms_of(&dispute).reveal_window)?;
        let operator = self.speaks_for(caller);
        let key = (id, dispute.round, operator);
        let Some((committed, votes)) = self.disputes.commitments.get(&key).copied() else {
            return Err(IDisputes::NotCommitted { id, operator }.into());
        };
        if commitment(id, dispute.round, operator, verdict, probe, salt) != committed {
            return Err(IDisputes::CommitmentMismatch { id, operator }.into());
        }
        self.disputes.commitments.remove(&key);
        let probe = probe.min(U256::from(LARGEST_PROBE)).to();
        let cast = self.disputes.votes.entry((id, dispute.round)).or_default();
        let index = cast.len();
        if verdict != Verdict::Unable {
            cast.push(Vote { operator, probe, votes, verdict });
            self.change(id, |dispute| {
                let side = if verdict == Verdict::Guilty { &mut dispute.guilty } else { &mut dispute.innocent };
                *side += votes;
                dispute.jurors += 1;
            });
        }
        let Dispute { round, guilty, innocent, jurors, .. } = self.existing(id)?;
        let event = IDisputes::Revealed {
            id,
            round: U256::from(round),
            operator,
            index: U256::from(index),
            verdict,
            probe: U256::from(probe),
            votes: U256::from(votes),
            guilty: U256::from(guilty),
            innocent: U256::from(innocent),
            jurors: U256::from(jurors),
        };
        self.emit(self.at.disputes, event);
        Ok(())
    }

    pub(in crate::model) fn claim_vote(&mut self, id: B256, round: u8, index: u64) -> Effect<u128> {
        let dispute = self.existing(id)?;
        if !dispute.is_over() {
            return Err(IDisputes::WrongPhase { id, phase: dispute.phase }.into());
        }
        let at = self.at.disputes;
        let cast = self.disputes.votes.get_mut(&(id, round)).and_then(|votes| votes.get_mut(index as usize));
        let (round_number, index) = (U256::from(round), U256::from(index));
        let paid = cast.map(|vote| (dispute.pay_of(round, vote), vote)).filter(|(amount, _)| *amount != 0);
        let Some((amount, vote)) = paid else {
            return Err(IDisputes::NothingToClaim { id, round: round_number, index }.into());
        };
        vote.votes = 0;
        let operator = vote.operator;
        let event = IDisputes::Claimed { id, round: round_number, operator, amount: U256::from(amount) };
        self.emit(at, event);
        self.transfer(at, operator, amount)?;
        Ok(amount)
    }

    /// Finds out what votes are paid; returns what can be claimed in all, CAI wei.
    pub(super) fn settle(&mut self, id: B256) -> Effect<u128> {
        let mut dispute = self.existing(id)?;
        let mut paid_votes = 0;
        for round in 0..=dispute.round {
            let votes = self.disputes.votes.get(&(id, round)).map(Vec::as_slice).unwrap_or_default();
            let winner = dispute.winner();
            let winners: Vec<&Vote> = votes.iter().filter(|v| winner.is_none_or(|w| v.verdict == w)).collect();
            let Some(median) = median(winners.clone()) else { continue };
            dispute.medians[usize::from(round)] = median;
            paid_votes += winners.iter().filter(|v| is_near(v.probe, median)).map(|v| v.votes).sum::<u64>();
        }
        let fee = self.disputes.terms_of(&dispute).jury_fee;
        let all = match u128::from(paid_votes) {
            0 => 0,
            votes => {
                dispute.pay_per_vote = fee / votes;
                dispute.pay_per_vote * votes
            }
        };
        self.disputes.all.insert(id, dispute);
        Ok(all)
    }
}
