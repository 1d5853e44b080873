//! What is to be done next in a dispute, by what the chain says.

use alloy::primitives::{Address, B256, U256, keccak256};
use cuckoo_chain::disputes::{Dispute, Docket, End, Juror, Phase};
use cuckoo_protocol::contracts::IDisputes::{Phase as Outcome, Verdict};
use std::time::Duration;

/// One thing to do. Which round and seed it is about is part of it: after a reorganisation it is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Open the transition.
    Answer,
    /// Call the jury, if its beacon is known.
    CallJury {
        /// Round.
        round: u64,
        /// Its beacon.
        beacon: u64,
    },
    /// Compute a verdict and commit to it, if the seed gives votes.
    Judge {
        /// Round.
        round: u64,
        /// Its seed.
        seed: B256,
        /// Reveals end then (chain seconds).
        reveal_until: u64,
    },
    /// Open the ballot.
    Reveal {
        /// What was committed to.
        commitment: B256,
    },
    /// Collect a vote's pay.
    Claim {
        /// Round.
        round: u64,
        /// Of the vote.
        index: u64,
    },
    /// Bring the dispute on: the clock has run out on it.
    Resolve {
        /// Round, so that each round's is another.
        round: u64,
        /// From when on it was due (chain seconds).
        due: u64,
    },
}

/// What `me` does next in a dispute; `sits` says whether it serves on juries, `aside` what was put aside because it is of no use. `None`
/// if there is nothing to do now.
pub fn next(
    docket: &Docket,
    dispute: &Dispute,
    me: Address,
    sits: bool,
    aside: impl Fn(&Step) -> bool,
) -> Option<Step> {
    let (now, round) = (docket.timestamp, dispute.round);
    if let Phase::Ended(end) = dispute.phase {
        // A vote that is not paid must not keep another round's from its pay.
        let mut claims = dispute.jurors.iter().filter_map(|juror| claim(juror, &end, me));
        return claims.find(|step| !aside(step));
    }
    if let Some(due) = docket.resolve_from(dispute).filter(|due| *due <= now) {
        return Some(Step::Resolve { round, due });
    }
    let accused = dispute.accusation.accused == me;
    let may_sit = sits && !accused && dispute.accusation.challenger != me;
    match dispute.phase {
        Phase::Answer { .. } if accused => Some(Step::Answer),
        Phase::Seed { beacon, .. } if accused || may_sit => Some(Step::CallJury { round, beacon }),
        Phase::Jury { seed, commit_until, reveal_until } => match dispute.juror(round, me) {
            None if may_sit && now < commit_until => Some(Step::Judge { round, seed, reveal_until }),
            // Also one that serves no more: what it has begun it ends.
            Some(Juror { revealed: None, commitment, .. }) if now >= commit_until => {
                Some(Step::Reveal { commitment: *commitment })
            }
            _ => None,
        },
        _ => None,
    }
}

fn claim(juror: &Juror, end: &End, me: Address) -> Option<Step> {
    let revealed = juror.revealed.filter(|_| juror.operator == me && !juror.claimed && !end.pay_per_vote.is_zero())?;
    let won = match end.outcome {
        Outcome::Convicted => revealed.verdict == Verdict::Guilty,
        Outcome::Acquitted => revealed.verdict == Verdict::Innocent,
        _ => matches!(revealed.verdict, Verdict::Guilty | Verdict::Innocent),
    };
    won.then_some(Step::Claim { round: juror.round, index: revealed.index })
}

/// How long `me` waits with what anybody may do once it is due, so that not all pay the gas: those who have a part in the dispute wait
/// up to half of the seed's window, in which a jury must be called, and at most a minute; all others wait for them first.
pub fn patience(docket: &Docket, dispute: &Dispute, me: Address) -> Duration {
    let window = docket.parameters(dispute).map_or(0, |parameters| parameters.seedWindow).min(120);
    let draw = keccak256([me.as_slice(), dispute.id().as_slice(), &dispute.round.to_be_bytes()].concat());
    let draw = U256::from_be_bytes(draw.0).as_limbs()[3];
    let share = draw as f64 / u64::MAX as f64;
    let half = f64::from(window) / 2.0;
    let involved = dispute.accusation.accused == me || dispute.jurors.iter().any(|juror| juror.operator == me);
    let calls_jury = matches!(dispute.phase, Phase::Seed { .. });
    let wait = if involved || calls_jury { share * half } else { f64::from(window) + 4.0 * share * half };
    Duration::from_secs_f64(wait)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
