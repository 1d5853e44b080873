//! Checking a coordinator's log of draws, one after another.

use super::{DAY, Draw, commitment, draw};
use alloy::primitives::{Address, B256, U256};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// How long after the end of its day, in chain seconds, a secret may still be missing: blocks and clocks are late at times.
const REVEAL_GRACE: u64 = 600;

/// What the chain says of the blocks that a draw names.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Of the newest of them, in chain seconds; zero if the chain has no such blocks.
    pub time: u64,
    /// Of the chain's head now, in chain seconds.
    pub now: u64,
    /// Active miners with their weights, CAI wei.
    pub weights: BTreeMap<Address, U256>,
}

/// What is wrong with a draw.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A number without a draw, before one that has a draw.
    #[error("it is missing from the log")]
    Missing,
    /// The answer is another draw's.
    #[error("the log shows draw {0} in its place")]
    Number(u64),
    /// A candidate twice would have two chances.
    #[error("its candidates are not in the order of their addresses, each once")]
    Order,
    /// The winner is another one.
    #[error("its secret draws {drawn}, and not {chosen}, who got the task")]
    Winner {
        /// By secret, number and candidates.
        drawn: Address,
        /// Who got the task.
        chosen: Address,
    },
    /// Nobody can be drawn from candidates without weight.
    #[error("nobody can be drawn from its candidates")]
    Nobody,
    /// Another secret than the one committed to.
    #[error("its secret is not the one that was committed to by {0}")]
    Secret(B256),
    /// The secret was changed during the day.
    #[error("it was committed to by {now}, but another draw of its day by {before}: the secret was changed")]
    Changed {
        /// Of another draw of the day.
        before: B256,
        /// Of this one.
        now: B256,
    },
    /// Not what was seen beforehand.
    #[error("{0} is none of the commitments that were given")]
    Unpromised(B256),
    /// The secret is due.
    #[error("its day is over, and the secret is not there")]
    Withheld,
    /// Weights that cannot be checked.
    #[error("it does not say of which blocks its weights are")]
    Undated,
    /// The blocks are out of order, or not on the chain.
    #[error("the blocks that it names, {block} and the final {final_block}, are not the newest of their time")]
    Blocks {
        /// The newest that it names.
        block: u64,
        /// The final one that it names.
        final_block: u64,
    },
    /// Another weight than the chain's.
    #[error("{miner} counts as {claimed} wei, and has {actual} on chain")]
    Weight {
        /// A candidate.
        miner: Address,
        /// CAI wei.
        claimed: U256,
        /// CAI wei; zero if it is no active miner.
        actual: U256,
    },
    /// A miner that is not accounted for.
    #[error("{0} was an active miner, and is left out without a reason")]
    LeftOut(Address),
}

/// What earlier draws of a log bind later ones to.
#[derive(Clone, Debug)]
pub struct Check {
    promised: Vec<B256>,
    days: BTreeMap<u64, B256>,
    newest: (u64, u64),
}

impl Check {
    /// With the commitments that were seen while their days were on, if any were.
    pub fn new(promised: Vec<B256>) -> Self {
        Self { promised, days: BTreeMap::new(), newest: (0, 0) }
    }

    /// All that is wrong with the log's answer for draw `sequence`, which must come after those before it. Without `facts` weights and
    /// blocks are not looked at; they must be those of [`Draw::at`].
    pub fn faults(&mut self, sequence: u64, log: &Draw, facts: Option<&Facts>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if log.sequence != sequence {
            faults.push(Fault::Number(log.sequence));
        }
        if !log.candidates.is_sorted_by(|one, next| one.miner < next.miner) {
            faults.push(Fault::Order);
        }
        self.secret(sequence, log, &mut faults);
        if let Some(facts) = facts {
            self.chain(log, facts, &mut faults);
        }
        faults
    }

    fn secret(&mut self, sequence: u64, log: &Draw, faults: &mut Vec<Fault>) {
        match self.days.entry(log.day) {
            Entry::Occupied(before) if *before.get() != log.commitment => {
                faults.push(Fault::Changed { before: *before.get(), now: log.commitment });
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(first) => {
                first.insert(log.commitment);
            }
        }
        if !self.promised.is_empty() && !self.promised.contains(&log.commitment) {
            faults.push(Fault::Unpromised(log.commitment));
        }
        let Some(secret) = log.secret else { return };
        if commitment(secret) != log.commitment {
            faults.push(Fault::Secret(log.commitment));
        }
        match draw(secret, sequence, &mut log.candidates.clone()) {
            Some(drawn) if drawn == log.chosen => {}
            Some(drawn) => faults.push(Fault::Winner { drawn, chosen: log.chosen }),
            None => faults.push(Fault::Nobody),
        }
    }

    fn chain(&mut self, log: &Draw, facts: &Facts, faults: &mut Vec<Fault>) {
        let ends = log.day.saturating_add(1).saturating_mul(DAY);
        if log.secret.is_none() && facts.now >= ends.saturating_add(REVEAL_GRACE) {
            faults.push(Fault::Withheld);
        }
        let Some(at) = log.at else { return faults.push(Fault::Undated) };
        // A block from just before midnight is the newest for a while.
        let of_its_day = (log.day.saturating_sub(1)..=log.day).contains(&(facts.time / DAY));
        let newest = (at.block, at.final_block);
        if !of_its_day || at.final_block > at.block || newest.0 < self.newest.0 || newest.1 < self.newest.1 {
            return faults.push(Fault::Blocks { block: at.block, final_block: at.final_block });
        }
        self.newest = newest;
        for candidate in &log.candidates {
            let actual = facts.weights.get(&candidate.miner).copied().unwrap_or_default();
            if actual.is_zero() || actual != candidate.weight {
                faults.push(Fault::Weight { miner: candidate.miner, claimed: candidate.weight, actual });
            }
        }
        let candidates = log.candidates.iter().map(|candidate| candidate.miner);
        let named: BTreeSet<Address> = candidates.chain(log.passed_over.iter().map(|passed| passed.miner)).collect();
        faults.extend(facts.weights.keys().filter(|miner| !named.contains(*miner)).map(|miner| Fault::LeftOut(*miner)));
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
