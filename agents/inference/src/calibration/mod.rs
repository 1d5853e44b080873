//! How far honest machines differ, how far fakes are off, and the tolerance between the two. docs/calibration.md explains it.

mod asks;
mod choose;
mod row;
mod worker;

pub use choose::{Inseparable, LEAST_SPREAD, PIXEL_MARGIN};
pub use row::Row;

use crate::{
    audit::{Measurement, Transition, measure},
    error::InferenceError,
    fakes::FakeError,
    model::{Generation, Model},
    package::Package,
    verdict::Rule,
};
use asks::{Ask, asks};
use choose::choose;
use cuckoo_protocol::manifest::Tolerance;
use row::{Measured, Trace, moved, spread};
use worker::{REFERENCE, Ready, Worker, workers};

/// What was measured, and what follows.
#[derive(Debug)]
pub struct Calibration {
    /// One line for each way to work.
    pub rows: Vec<Row>,
    /// The tolerance that tells honest work from every fake, or why there is none.
    pub tolerance: Result<Tolerance, Inseparable>,
}

/// Measures `package` on `requests` requests, which takes as long as generating and checking about twenty traces for each.
/// `other` is a checkpoint that a cheat may use instead; without, the model's own weights are altered. `progress` is told what is being
/// measured, how many traces are done, and of how many.
///
/// # Errors
/// [`FakeError`] if an honest way to work failed, or a fake could not be written.
pub fn calibrate(
    package: &Package,
    other: Option<Package>,
    requests: usize,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Calibration, FakeError> {
    let asks = asks(package.manifest(), requests).map_err(InferenceError::from)?;
    let mut reference = Model::load(package, &REFERENCE)?;
    let workers = workers(package, other);
    let mut measured = Vec::with_capacity(workers.len());
    for (at, worker) in workers.iter().enumerate() {
        let mut report = |done| progress(&worker.name, at * asks.len() + done, workers.len() * asks.len());
        measured.push(try_out(worker, package, &mut reference, &asks, &mut report)?);
    }
    let rule = Rule::of(package.manifest());
    let count = asks.len().try_into().unwrap_or(u32::MAX);
    let tolerance = unmeasured(&workers, &measured)
        .map_or_else(|| choose(|floor| spread(&measured, rule, floor), &moved(&measured), count), Err);
    let rows = measured.iter().map(|measured| measured.row(rule, tolerance.as_ref().ok())).collect();
    Ok(Calibration { rows, tolerance })
}

/// A fake that some miner can make of any model, but that could not be made here.
fn unmeasured(workers: &[Worker], measured: &[Measured]) -> Option<Inseparable> {
    let mut fakes = workers.iter().zip(measured).filter(|(worker, _)| worker.computes_otherwise());
    let (worker, measured) = fakes.find(|(_, measured)| measured.traces.is_empty())?;
    let why = measured.note.clone().unwrap_or_default();
    Some(Inseparable::Unmeasured { fake: worker.name.clone(), why })
}

/// Has `worker` answer all requests and measures each transition.
fn try_out(
    worker: &Worker,
    package: &Package,
    reference: &mut Model,
    asks: &[Ask],
    report: &mut dyn FnMut(usize),
) -> Result<Measured, FakeError> {
    report(0);
    let mut traces = Vec::with_capacity(asks.len());
    let mut note = None;
    let mut keep_note = |error: FakeError| {
        note = Some(match error {
            FakeError::Inapplicable(why) => why,
            // What a fake breaks on is its own affair.
            FakeError::Inference(error) if !worker.honest => error.to_string(),
            error => return Err(error),
        });
        Ok(())
    };
    match worker.prepare(package) {
        Ok(mut ready) => {
            for (done, ask) in asks.iter().enumerate() {
                match attempt(&mut ready, reference, ask) {
                    Ok(trace) => traces.push(trace),
                    Err(error) => keep_note(error)?,
                }
                report(done + 1);
            }
        }
        Err(error) => keep_note(error)?,
    }
    // A note about one request of many is of no interest.
    let note = if traces.is_empty() { note } else { None };
    Ok(Measured { name: worker.name.clone(), honest: worker.honest, traces, note })
}

fn attempt(ready: &mut Ready, reference: &mut Model, ask: &Ask) -> Result<Trace, FakeError> {
    let claim = ready.work(reference, ask)?;
    Ok(transitions(reference, ask, &claim)?)
}

/// Checks every transition of a claim.
fn transitions(reference: &mut Model, ask: &Ask, claim: &Generation) -> Result<Vec<Measurement>, InferenceError> {
    let states = claim.states.as_slice();
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return Ok(Vec::new()) };
    let steps = states.windows(2).zip(0..).filter_map(|(pair, k)| match pair {
        [before, after] => Some(Transition::Step { k, before, after }),
        _ => None,
    });
    let init = Transition::Init { blob: &ask.blob, after: first };
    let finish = Transition::Finish { before: last, output: &claim.output };
    let mut run = reference.open(&ask.body)?;
    [init].into_iter().chain(steps).chain([finish]).map(|transition| measure(&mut *run, &transition)).collect()
}
