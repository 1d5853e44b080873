//! What a kind of miner came to.

use super::{lane::Conclusion, worker::Inspection};
use alloy::primitives::U256;
use cuckoo_protocol::contracts::IDisputes::{Fault, Phase};
use serde::Serialize;
use std::time::Duration;

/// Counts of one kind of miner.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Whether it works as it should.
    pub honest: bool,
    /// Results delivered.
    pub tasks: u64,
    /// Of them audited.
    pub audits: u64,
    /// Audits of miners without a record yet.
    pub newcomer_audits: u64,
    /// Audits to be expected if newcomers were audited like all others.
    pub newcomer_tasks: u64,
    /// Sum of the coin's probabilities.
    pub expected_audits: f64,
    /// Audits that found a result false.
    pub found: u64,
    /// Operators that worked.
    pub operators: u64,
    /// Operators that the run ended before they were found out.
    pub unaudited_ends: u64,
    /// Tasks of each operator up to the one it was found out by.
    pub until_found: Vec<u64>,
    /// Verdicts.
    pub verdicts: Verdicts,
    /// CAI wei of own stake.
    pub lost: U256,
    /// CAI wei collected for false results, fees deducted.
    pub gained: U256,
    /// Results looked at beforehand, and found false.
    pub census: (u64, u64),
    /// Largest difference of a byte from the true picture, in those.
    pub most: u8,
    /// Mean difference of a byte, in the one that is most off.
    pub mean: f64,
    /// Processor time of the work, and of running it again, a result.
    work: (Duration, u64),
    check: (Duration, u64),
}

/// How disputes ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Convicted by a jury.
    pub jury: u64,
    /// Convicted because nothing was opened.
    pub no_answer: u64,
    /// Convicted by the contract, of what no request leads to.
    pub structure: u64,
    /// Acquitted.
    pub acquitted: u64,
    /// Neither.
    pub drawn: u64,
    /// The machine was too slow to raise or end the dispute.
    pub missing: u64,
}

impl Verdicts {
    pub(super) fn count(&mut self, outcome: Phase, fault: Fault) {
        *match (outcome, fault) {
            (Phase::Convicted, Fault::Transition) => &mut self.jury,
            (Phase::Convicted, Fault::NoAnswer) => &mut self.no_answer,
            (Phase::Convicted, _) => &mut self.structure,
            (Phase::Acquitted, _) => &mut self.acquitted,
            _ => &mut self.drawn,
        } += 1;
    }

    /// Convictions.
    pub fn convicted(&self) -> u64 {
        self.jury + self.no_answer + self.structure
    }
}

impl Row {
    /// Nothing counted yet.
    pub fn new(name: &'static str, honest: bool) -> Self {
        Self {
            name,
            honest,
            tasks: 0,
            audits: 0,
            newcomer_audits: 0,
            newcomer_tasks: 0,
            expected_audits: 0.0,
            found: 0,
            operators: 0,
            unaudited_ends: 0,
            until_found: Vec::new(),
            verdicts: Verdicts::default(),
            lost: U256::ZERO,
            gained: U256::ZERO,
            census: (0, 0),
            most: 0,
            mean: 0.0,
            work: (Duration::ZERO, 0),
            check: (Duration::ZERO, 0),
        }
    }

    pub(super) fn inspected(&mut self, inspection: &Inspection) {
        self.census.0 += 1;
        self.census.1 += u64::from(inspection.found);
        self.most = self.most.max(inspection.most);
        self.mean = self.mean.max(inspection.mean);
        // The first time some networks are opened.
        if self.census.0 > 1 {
            self.check.0 += inspection.check;
            self.check.1 += 1;
        }
    }

    pub(super) fn worked(&mut self, time: Duration) {
        self.work.0 += time;
        self.work.1 += 1;
    }

    pub(super) fn delivered(&mut self, probability: f64, newcomer: bool) {
        self.tasks += 1;
        self.expected_audits += probability;
        self.newcomer_tasks += u64::from(newcomer);
    }

    pub(super) fn audited(&mut self, newcomer: bool) {
        self.audits += 1;
        self.newcomer_audits += u64::from(newcomer);
    }

    pub(super) fn concluded(&mut self, conclusion: &Conclusion) {
        self.lost += conclusion.lost;
        self.gained += conclusion.collected;
        let verdicts = &mut self.verdicts;
        let Some(end) = conclusion.end else {
            verdicts.missing += u64::from(conclusion.accused);
            return;
        };
        verdicts.count(end.outcome, end.fault);
    }

    /// Operators convicted.
    pub fn convicted(&self) -> u64 {
        self.verdicts.convicted()
    }

    /// How often an audit finds such a result, of those that were all looked at.
    pub fn q(&self) -> f64 {
        self.census.1 as f64 / self.census.0.max(1) as f64
    }

    /// Share of results that were found false.
    pub fn detection(&self) -> f64 {
        self.found as f64 / self.tasks.max(1) as f64
    }

    /// The coin's mean probability times q.
    pub fn predicted(&self) -> f64 {
        self.expected_audits * self.q() / self.tasks.max(1) as f64
    }

    /// Tasks up to the one by which an operator is found out, the results of those that the run ended first included.
    pub fn tasks_until_found(&self) -> Option<f64> {
        (self.found > 0).then(|| self.tasks as f64 / self.found as f64)
    }

    /// Processor seconds of a result, and of running it again.
    pub fn seconds(&self) -> (f64, f64) {
        let mean = |(sum, count): (Duration, u64)| sum.as_secs_f64() / count.max(1) as f64;
        (mean(self.work), mean(self.check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuckoo_chain::disputes::End;

    #[test]
    fn rates_are_of_what_was_counted() {
        let mut row = Row::new("a fake", false);
        for number in 0..40 {
            row.delivered(0.25, number < 4);
            if number % 4 == 0 {
                row.audited(number < 4);
                row.found += 1;
            }
        }
        row.census = (20, 10);
        assert_eq!((row.detection(), row.predicted(), row.tasks_until_found()), (0.25, 0.125, Some(4.0)));
        assert_eq!((row.audits, row.newcomer_audits, row.newcomer_tasks), (10, 1, 4));
        assert_eq!(Row::new("nobody", true).tasks_until_found(), None);
    }

    #[test]
    fn verdicts_are_told_apart() {
        let mut row = Row::new("a fake", false);
        let nil = U256::ZERO;
        for (outcome, fault) in [
            (Phase::Convicted, Fault::Transition),
            (Phase::Convicted, Fault::NoAnswer),
            (Phase::Convicted, Fault::Structure),
            (Phase::Acquitted, Fault::None),
            (Phase::Drawn, Fault::None),
        ] {
            let end = End { outcome, fault, slashed: nil, to_challenger: nil, to_accused: nil, pay_per_vote: nil };
            row.concluded(&Conclusion { accused: true, end: Some(end), collected: U256::from(2), lost: U256::from(3) });
        }
        let one_each = Verdicts { jury: 1, no_answer: 1, structure: 1, acquitted: 1, drawn: 1, missing: 0 };
        assert_eq!((row.verdicts, row.convicted()), (one_each, 3));
        assert_eq!((row.gained, row.lost), (U256::from(10), U256::from(15)));
    }
}
