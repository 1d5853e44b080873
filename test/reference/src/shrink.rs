//! Cuts a trace down to the operations that show a difference.

use std::time::Instant;

use anyhow::Result;

use crate::{
    compare::Difference,
    evm::Artefacts,
    network::{Cast, Parameters},
    operation::{Call, Operation},
    world::World,
};

/// Replays shorter and shorter traces until its time is over.
pub struct Shrinker<'a> {
    artefacts: &'a Artefacts,
    parameters: &'a Parameters,
    cast: &'a Cast,
    until: Instant,
    trace: Vec<Operation>,
    difference: Option<Difference>,
}

impl<'a> Shrinker<'a> {
    /// One that is done at `until`.
    pub fn new(artefacts: &'a Artefacts, parameters: &'a Parameters, cast: &'a Cast, until: Instant) -> Self {
        Self { artefacts, parameters, cast, until, trace: Vec::new(), difference: None }
    }

    /// Leaves out of `trace`, which ends with `difference`, what that does not need: verbs and accounts first, then halves and ever smaller
    /// pieces. Another difference that turns up on the way will do as well.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn shrink(mut self, trace: Vec<Operation>, difference: Difference) -> Result<(Vec<Operation>, Difference)> {
        (self.trace, self.difference) = (trace, Some(difference.clone()));
        for kind in Call::KINDS {
            self.try_without(|operation| operation.call.kind() == kind)?;
        }
        for account in self.cast.everybody() {
            let name = account.to_string().to_lowercase();
            self.try_without(|operation| format!("{operation:?}").contains(&name))?;
        }
        let mut piece = self.trace.len() / 2;
        while piece > 0 {
            let mut from = 0;
            while from < self.trace.len() {
                let to = (from + piece).min(self.trace.len());
                if !self.attempt([&self.trace[..from], &self.trace[to..]].concat())? {
                    from = to;
                }
            }
            piece /= 2;
        }
        let merged = merge_waits(&self.trace);
        self.attempt(merged)?;
        Ok((self.trace, self.difference.unwrap_or(difference)))
    }

    fn try_without(&mut self, unneeded: impl Fn(&Operation) -> bool) -> Result<()> {
        let rest: Vec<Operation> = self.trace.iter().filter(|operation| !unneeded(operation)).cloned().collect();
        if rest.len() < self.trace.len() {
            self.attempt(rest)?;
        }
        Ok(())
    }

    /// Takes a shorter trace if that ends with a difference, too.
    fn attempt(&mut self, mut candidate: Vec<Operation>) -> Result<bool> {
        if Instant::now() >= self.until {
            return Ok(false);
        }
        let Some((length, difference)) = self.replay(&candidate)? else { return Ok(false) };
        candidate.truncate(length);
        (self.trace, self.difference) = (candidate, Some(difference));
        Ok(true)
    }

    /// The first difference of a trace, and the number of operations until it.
    fn replay(&self, trace: &[Operation]) -> Result<Option<(usize, Difference)>> {
        let mut world = World::new(self.artefacts, self.parameters, self.cast)?;
        // What results show need not be looked for anywhere else.
        let quickly = self.difference.as_ref().is_some_and(|difference| difference.in_outcome);
        for (place, operation) in trace.iter().enumerate() {
            let (_, found) = if quickly { world.perform(operation)? } else { world.apply(operation)? };
            if let Some(difference) = found {
                return Ok(Some((place + 1, difference)));
            }
        }
        if quickly {
            return Ok(None);
        }
        Ok(world.compare_everything()?.map(|difference| (trace.len(), difference)))
    }
}

/// Waits that follow each other as one.
fn merge_waits(trace: &[Operation]) -> Vec<Operation> {
    let mut merged: Vec<Operation> = Vec::new();
    for operation in trace {
        match (merged.last_mut().map(|last| &mut last.call), &operation.call) {
            (Some(Call::Wait { seconds: sum }), Call::Wait { seconds }) => *sum += seconds,
            _ => merged.push(operation.clone()),
        }
    }
    merged
}
