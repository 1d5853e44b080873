//! Replays random traces, and cuts those that show a difference down to what shows it.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    compare::Difference,
    evm::Artefacts,
    generate::Generator,
    names,
    network::{Cast, Parameters},
    operation::Operation,
    shrink::Shrinker,
    world::World,
};

/// Operations between two comparisons of everything.
const EVERYTHING: usize = 50;

/// How many operations of each kind succeeded and reverted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind: successes, reverts.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// How often each event was emitted, and each error was reverted with.
    pub names: BTreeMap<String, u64>,
    /// In how many comparisons of everything the network was in which situation.
    pub situations: BTreeMap<&'static str, u64>,
    /// Answers that were compared.
    pub compared: u64,
}

impl Tally {
    /// Operations in all.
    pub fn operations(&self) -> u64 {
        self.kinds.values().map(|(successes, reverts)| successes + reverts).sum()
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        for (kind, (successes, reverts)) in &other.kinds {
            let sum = self.kinds.entry(kind.clone()).or_default();
            *sum = (sum.0 + successes, sum.1 + reverts);
        }
        for (name, count) in &other.names {
            *self.names.entry(name.clone()).or_default() += count;
        }
        for (situation, count) in &other.situations {
            *self.situations.entry(situation).or_default() += count;
        }
        self.compared += other.compared;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22}{:>10}{:>10}", "operation", "succeeded", "reverted")?;
        for (kind, (successes, reverts)) in &self.kinds {
            writeln!(f, "{kind:<22}{successes:>10}{reverts:>10}")?;
        }
        let names: Vec<_> = self.names.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let situations: Vec<_> = self.situations.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "situations: {}", situations.join(", "))?;
        writeln!(f, "events and errors: {}", names.join(", "))?;
        write!(f, "{} operations, {} answers compared", self.operations(), self.compared)
    }
}

/// The two sides disagree.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the trace.
    pub seed: u64,
    /// How many operations came before.
    pub after: usize,
    /// In what they disagree.
    pub difference: Difference,
    /// The few operations that show it, with names for addresses.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, contracts, model, .. } = &self.difference;
        writeln!(f, "seed {}: after {} operations the contracts and the model disagree", self.seed, self.after)?;
        writeln!(f, "asked:     {what}\ncontracts: {contracts}\nmodel:     {model}")?;
        writeln!(f, "{} operations show it:", self.trace.len())?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Replays `length` random operations. A trace that shows a difference is cut down for as long as `patience` lasts.
///
/// # Errors
/// If the contracts cannot be deployed, or the EVM fails.
pub fn replay(
    artefacts: &Artefacts,
    parameters: &Parameters,
    seed: u64,
    length: usize,
    patience: Duration,
) -> Result<Result<Tally, Box<Failure>>> {
    let mut world = World::new(artefacts, parameters, &Cast::new(5, 3, 4)?)?;
    let mut generator = Generator::new(seed, &world.model, &world.cast);
    let (mut tally, mut trace) = (Tally::default(), Vec::new());
    while trace.len() < length {
        let operation = generator.next(&world.model, &world.cast);
        let kind = operation.call.kind();
        trace.push(operation);
        let (outcome, mut difference) = world.apply(&trace[trace.len() - 1])?;
        let counts = tally.kinds.entry(kind.to_owned()).or_default();
        if let Err(data) = &outcome.result {
            counts.1 += 1;
            *tally.names.entry(names::of_revert(data)).or_default() += 1;
        } else {
            counts.0 += 1;
        }
        for log in &outcome.logs {
            *tally.names.entry(names::of_event(log)).or_default() += 1;
        }
        if difference.is_none() && (trace.len().is_multiple_of(EVERYTHING) || trace.len() == length) {
            difference = world.compare_everything()?;
            for situation in world.model.situations() {
                *tally.situations.entry(situation).or_default() += 1;
            }
        }
        if let Some(difference) = difference {
            let after = trace.len();
            let shrinker = Shrinker::new(artefacts, parameters, &world.cast, Instant::now() + patience);
            let (trace, difference) = shrinker.shrink(trace, difference)?;
            let name = |o: &Operation| world.cast.with_names(&world.chain.at, &format!("{}: {:?}", o.caller, o.call));
            let trace = trace.iter().map(name).collect();
            let named = |text: &str| world.cast.with_names(&world.chain.at, text);
            let difference = Difference {
                what: named(&difference.what),
                contracts: named(&difference.contracts),
                model: named(&difference.model),
                in_outcome: difference.in_outcome,
            };
            return Ok(Err(Box::new(Failure { seed, after, difference, trace })));
        }
    }
    tally.compared = world.compared;
    Ok(Ok(tally))
}
