//! How far a claimed transition is from what it should be.

use crate::{error::InferenceError, output::Output, program::Run, state::State};
use cuckoo_protocol::manifest::Tolerance;

/// A claim about one transition of a request.
#[derive(Clone, Copy, Debug)]
pub enum Transition<'a> {
    /// Transition 0: the request leads to `after`.
    Init {
        /// The request's input pictures; empty if it has none.
        blob: &'a [u8],
        /// s₀, as claimed.
        after: &'a State,
    },
    /// Transition k + 1: `before` leads to `after`.
    Step {
        /// From 0.
        k: u32,
        /// sₖ, as claimed.
        before: &'a State,
        /// sₖ₊₁, as claimed.
        after: &'a State,
    },
    /// The last transition: `before` leads to `output`.
    Finish {
        /// s_N, as claimed.
        before: &'a State,
        /// The output, as claimed.
        output: &'a Output,
    },
}

/// How far a claim is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deviation {
    /// Of [`Transition::Init`], which must be exact.
    Init {
        /// Whether every bit is right.
        exact: bool,
    },
    /// Of [`Transition::Step`], relative to how far the step moves, or to the manifest's floor where it hardly moves. Where
    /// the step leads to a tensor of another length, it moves by the tensor's own norm. Infinite where a value is not finite.
    Step {
        /// ‖claim − ref‖∞ / max(‖ref − before‖∞, floor): no single value may be far off.
        max: f64,
        /// The same with root mean squares: nor may all be off by a little.
        relative: f64,
    },
    /// Of [`Transition::Finish`] with a picture.
    Finish {
        /// Largest difference of a byte.
        pixel: u8,
    },
    /// Of [`Transition::Finish`] with vectors, each relative to its own norm or to the manifest's floor; the worst counts.
    /// Infinite where a value is not finite.
    Vectors {
        /// ‖claim − ref‖∞ / max(‖ref‖∞, floor).
        max: f64,
        /// The same with root mean squares.
        relative: f64,
    },
}

impl Deviation {
    /// Whether an honest machine can be this far off.
    pub fn within(&self, tolerance: &Tolerance) -> bool {
        match *self {
            Self::Init { exact } => exact,
            Self::Step { max, relative } | Self::Vectors { max, relative } => {
                let tau = tolerance.step.to_f64();
                max <= tau && relative <= tau
            }
            Self::Finish { pixel } => u32::from(pixel) <= tolerance.pixel,
        }
    }
}

/// Runs the transition in `run` and measures the claim.
pub(crate) fn compare(run: &mut dyn Run, claim: &Transition<'_>, floor: f64) -> Result<Deviation, InferenceError> {
    match *claim {
        Transition::Init { blob, after } => {
            after.expect(&run.lengths(0))?;
            Ok(Deviation::Init { exact: run.init(blob)?.to_bytes() == after.to_bytes() })
        }
        Transition::Step { k, before, after } => {
            let reference = run.step(k, before)?;
            after.expect(&run.lengths(k.saturating_add(1)))?;
            Ok(step_deviation(before, after, &reference, floor))
        }
        Transition::Finish { before, output } => output_deviation(output, &run.finish(before)?, floor),
    }
}

fn output_deviation(claim: &Output, reference: &Output, floor: f64) -> Result<Deviation, InferenceError> {
    match (claim, reference) {
        (Output::Image(claim), Output::Image(reference))
            if claim.size() == reference.size() && claim.rgb.len() == reference.rgb.len() =>
        {
            let differences = claim.rgb.iter().zip(&reference.rgb).map(|(a, b)| a.abs_diff(*b));
            Ok(Deviation::Finish { pixel: differences.max().unwrap_or(0) })
        }
        (Output::Vectors(claim), Output::Vectors(reference))
            if claim.dimensions == reference.dimensions && claim.values.len() == reference.values.len() =>
        {
            if !claim.values.iter().chain(&reference.values).all(|value| value.is_finite()) {
                return Ok(Deviation::Vectors { max: f64::INFINITY, relative: f64::INFINITY });
            }
            let (mut max, mut relative) = (0.0_f64, 0.0_f64);
            for (claim, reference) in claim.iter().zip(reference.iter()) {
                let (error, size) = (Norms::of_difference(claim, reference), Norms::of(reference));
                max = max.max(error.max / size.max.max(floor));
                relative = relative.max(error.mean / size.mean.max(floor));
            }
            Ok(Deviation::Vectors { max, relative })
        }
        _ => Err(InferenceError::Output { expected: reference.size(), found: claim.size() }),
    }
}

/// The worst tensor counts.
fn step_deviation(before: &State, after: &State, reference: &State, floor: f64) -> Deviation {
    if ![before, after, reference].into_iter().all(State::is_finite) {
        return Deviation::Step { max: f64::INFINITY, relative: f64::INFINITY };
    }
    let (mut max, mut relative) = (0.0_f64, 0.0_f64);
    for (at, (after, reference)) in after.tensors().iter().zip(reference.tensors()).enumerate() {
        let error = Norms::of_difference(after, reference);
        let moved = match before.tensors().get(at) {
            Some(before) if before.len() == reference.len() => Norms::of_difference(reference, before),
            _ => Norms::of(reference),
        };
        max = max.max(error.max / moved.max.max(floor));
        relative = relative.max(error.mean / moved.mean.max(floor));
    }
    Deviation::Step { max, relative }
}

/// Norms in 64 bits.
struct Norms {
    max: f64,
    /// Root mean square.
    mean: f64,
}

impl Norms {
    fn of(values: &[f32]) -> Self {
        Self::new(values.len(), values.iter().map(|value| f64::from(*value)))
    }

    /// Of slices of one length.
    fn of_difference(left: &[f32], right: &[f32]) -> Self {
        Self::new(left.len(), left.iter().zip(right).map(|(a, b)| f64::from(*a) - f64::from(*b)))
    }

    fn new(count: usize, values: impl Iterator<Item = f64> + Clone) -> Self {
        let squares: f64 = values.clone().map(|value| value * value).sum();
        Self { max: values.map(f64::abs).fold(0.0, f64::max), mean: (squares / count.max(1) as f64).sqrt() }
    }
}
