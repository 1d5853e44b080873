//! What a juror does: says whether a transition is false, and proves by a number that it has computed.
//!
//! The *probe* is the transition run from a disturbed state, at places that the jury's seed chooses; docs/disputes.md defines it, and
//! `testdata/probes.json` holds vectors. What the accused opened says nothing about it, and no network of a cheaper kind gives it.

use crate::{
    audit::{Deviation, Measurement, Transition, measure, measure_output},
    error::InferenceError,
    noise::{keyed_normals, words},
    output::{Output, Vectors},
    program::Run,
    state::State,
};
use alloy::primitives::B256;
use cuckoo_protocol::{manifest::Tolerance, trace};

/// Places that a probe looks at.
const PLACES: usize = 256;
/// Stream of the generator from which the places come; the first streams disturb the tensors.
const PLACES_STREAM: u64 = 1 << 32;
/// Of a tensor's root mean square: how far it is disturbed.
const DISTURBANCE: f64 = 0.25;

/// What a dispute has put on chain about a transition, besides the request. Bytes are what the accused signed, not more.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    /// Transition 0.
    Init {
        /// The request's input pictures; empty if it has none.
        blob: &'a [u8],
        /// s₀.
        after: &'a [u8],
    },
    /// Transition k + 1.
    Step {
        /// From 0.
        k: u32,
        /// sₖ.
        before: &'a [u8],
        /// sₖ₊₁.
        after: &'a [u8],
    },
    /// The last transition.
    Finish {
        /// s_N.
        before: &'a [u8],
        /// Number of the tile.
        index: usize,
        /// One tile of the output.
        tile: &'a [u8],
    },
}

/// What a juror found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Whether the claim does not follow.
    pub guilty: bool,
    /// How far it is off; `None` if what was opened cannot be what the transition leads from or to, whatever its values.
    pub deviation: Option<Deviation>,
    /// The number that proves that it was computed.
    pub probe: f64,
}

/// Judges the claim and takes the probe, of a request of so many `steps`.
pub(crate) fn judge(
    run: &mut dyn Run,
    steps: u32,
    evidence: &Evidence<'_>,
    tolerance: &Tolerance,
    seed: B256,
) -> Result<Finding, InferenceError> {
    let deviation = deviation(run, steps, evidence, tolerance.floor.to_f64())?;
    let probe = probe(run, steps, evidence, seed)?;
    let guilty = deviation.is_none_or(|deviation| !deviation.within(tolerance));
    Ok(Finding { guilty, deviation, probe })
}

fn deviation(
    run: &mut dyn Run,
    steps: u32,
    evidence: &Evidence<'_>,
    floor: f64,
) -> Result<Option<Deviation>, InferenceError> {
    let state = |k, bytes: &[u8], run: &dyn Run| State::from_bytes(&run.lengths(k), bytes).ok();
    let measured = match *evidence {
        Evidence::Init { blob, after } => match state(0, after, run) {
            Some(after) => Some(measure(run, &Transition::Init { blob, after: &after })?),
            None => None,
        },
        Evidence::Step { k, before, after } => match (state(k, before, run), state(k.saturating_add(1), after, run)) {
            (Some(before), Some(after)) => Some(measure(run, &Transition::Step { k, before: &before, after: &after })?),
            _ => None,
        },
        Evidence::Finish { before, index, tile } => match state(steps, before, run) {
            Some(before) => measure_tile(&run.finish(&before)?, index, tile)?,
            None => None,
        },
    };
    Ok(measured.map(|measured| measured.deviation(floor)))
}

/// How far a tile is off; `None` if the output has no such tile, or not of this size.
fn measure_tile(reference: &Output, index: usize, tile: &[u8]) -> Result<Option<Measurement>, InferenceError> {
    let fits = |tiles: &[Vec<u8>]| tiles.get(index).is_some_and(|reference| reference.len() == tile.len());
    match reference {
        Output::Image(image) => {
            let tiles = trace::picture_tiles(image.width, image.height, &image.rgb).ok_or(InferenceError::Empty)?;
            let differences = tiles
                .get(index)
                .filter(|_| fits(&tiles))
                .map(|reference| reference.iter().zip(tile).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0));
            Ok(differences.map(|pixel| Measurement::Finish { pixel }))
        }
        Output::Vectors(vectors) => {
            let mut bytes = vectors.to_bytes();
            if !fits(&trace::bytes_tiles(&bytes)) {
                return Ok(None);
            }
            let begin = index * trace::TILE_BYTES;
            bytes[begin..begin + tile.len()].copy_from_slice(tile);
            let values = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            let claim = Output::Vectors(Vectors { dimensions: vectors.dimensions, values });
            measure_output(&claim, reference).map(Some)
        }
    }
}

/// The probe of a transition; one where the state before is none of this request's.
fn probe(run: &mut dyn Run, steps: u32, evidence: &Evidence<'_>, seed: B256) -> Result<f64, InferenceError> {
    let disturbed = |k, bytes: &[u8], run: &dyn Run| {
        State::from_bytes(&run.lengths(k), bytes).ok().map(|before| disturb(&before, seed))
    };
    let numbers = match *evidence {
        Evidence::Init { blob, .. } => run.init(blob)?.tensors().iter().flatten().copied().map(f64::from).collect(),
        Evidence::Step { k, before, .. } => match disturbed(k, before, run) {
            Some(before) => movement(&before, &run.step(k, &before)?),
            None => return Ok(1.0),
        },
        Evidence::Finish { before, .. } => match disturbed(steps, before, run) {
            Some(before) => output_numbers(&run.finish(&before)?),
            None => return Ok(1.0),
        },
    };
    Ok(size(&numbers, seed))
}

/// Adds noise of a quarter of each tensor's root mean square.
fn disturb(state: &State, seed: B256) -> State {
    let tensors = state.tensors().iter().enumerate().map(|(at, tensor)| {
        let squares: f64 = tensor.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
        let scale = DISTURBANCE * (squares / tensor.len().max(1) as f64).sqrt();
        let noise = keyed_normals(seed.0, at as u64, tensor.len());
        tensor.iter().zip(noise).map(|(value, noise)| (f64::from(*value) + scale * f64::from(noise)) as f32).collect()
    });
    State::new(tensors.collect())
}

/// How far each value moves; a tensor that gets another length moves by itself.
fn movement(before: &State, after: &State) -> Vec<f64> {
    let mut moved = Vec::new();
    for (at, after) in after.tensors().iter().enumerate() {
        let before = before.tensors().get(at).filter(|before| before.len() == after.len());
        for (i, value) in after.iter().enumerate() {
            let before = before.and_then(|before| before.get(i)).copied().unwrap_or(0.0);
            moved.push(f64::from(*value) - f64::from(before));
        }
    }
    moved
}

/// An output's numbers: vectors' own, and 1 to 2 for the bytes of a picture, so that a dark one is as good as a bright one.
fn output_numbers(output: &Output) -> Vec<f64> {
    match output {
        Output::Image(image) => image.rgb.iter().map(|byte| 1.0 + f64::from(*byte) / 255.0).collect(),
        Output::Vectors(vectors) => vectors.values.iter().map(|value| f64::from(*value)).collect(),
    }
}

/// Root mean square at the places that `seed` chooses; zero if it is not finite.
fn size(numbers: &[f64], seed: B256) -> f64 {
    let mut next = words(seed.0, PLACES_STREAM);
    let count = numbers.len().max(1) as u64;
    let squares: f64 = (0..PLACES)
        .map(|_| numbers.get((next() % count) as usize).copied().unwrap_or(0.0))
        .map(|number| number * number)
        .sum();
    let size = (squares / PLACES as f64).sqrt();
    if size.is_finite() { size } else { 0.0 }
}
