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

impl<'a> Transition<'a> {
    /// Number, state before and state after, if it is a step.
    pub(crate) fn step(&self) -> Option<(u32, &'a State, &'a State)> {
        match *self {
            Self::Step { k, before, after } => Some((k, before, after)),
            Self::Init { .. } | Self::Finish { .. } => None,
        }
    }
}

/// How far a claim is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deviation {
    /// Of [`Transition::Init`], which must be exact.
    Init {
        /// Whether every bit is right.
        exact: bool,
    },
    /// Of [`Transition::Step`], relative to how far the step moves, or to the manifest's floor where it hardly moves. Tensors
    /// after the first are not moved but made anew, to be left to the next step: they, and those that become longer or
    /// shorter, are measured by their own norm. The worst tensor counts. Infinite where a value is not finite.
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

    /// What τ is held against, the larger one of both norms; None for what must be exact or has a bound of its own.
    pub(crate) fn off(&self) -> Option<f64> {
        match *self {
            Self::Step { max, relative } | Self::Vectors { max, relative } => Some(max.max(relative)),
            Self::Init { .. } | Self::Finish { .. } => None,
        }
    }
}

/// How far a claim is off before it is held against anything.
#[derive(Clone, Debug)]
pub(crate) enum Measurement {
    Init {
        exact: bool,
    },
    /// Each tensor's error.
    Step(Vec<Error>),
    Finish {
        pixel: u8,
    },
    /// Each vector's error.
    Vectors(Vec<Error>),
}

/// An error and what it is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Error {
    pub(crate) error: Norms,
    /// How far the step moves; of what is made anew, its own size.
    pub(crate) moved: Norms,
}

impl Measurement {
    /// The deviation where no denominator counts as less than `floor`; the worst tensor or vector counts.
    pub(crate) fn deviation(&self, floor: f64) -> Deviation {
        let worst = |errors: &[Error]| {
            errors.iter().fold((0.0_f64, 0.0_f64), |(max, relative), Error { error, moved }| {
                (max.max(error.max / moved.max.max(floor)), relative.max(error.mean / moved.mean.max(floor)))
            })
        };
        match self {
            Self::Init { exact } => Deviation::Init { exact: *exact },
            Self::Step(errors) => {
                let (max, relative) = worst(errors);
                Deviation::Step { max, relative }
            }
            Self::Finish { pixel } => Deviation::Finish { pixel: *pixel },
            Self::Vectors(errors) => {
                let (max, relative) = worst(errors);
                Deviation::Vectors { max, relative }
            }
        }
    }
}

/// Runs the transition in `run` and measures the claim.
pub(crate) fn measure(run: &mut dyn Run, claim: &Transition<'_>) -> Result<Measurement, InferenceError> {
    match *claim {
        Transition::Init { blob, after } => {
            after.expect(&run.lengths(0))?;
            Ok(Measurement::Init { exact: run.init(blob)?.to_bytes() == after.to_bytes() })
        }
        Transition::Step { k, before, after } => {
            let reference = run.step(k, before)?;
            after.expect(&run.lengths(k.saturating_add(1)))?;
            Ok(Measurement::Step(step_errors(before, after, &reference)))
        }
        Transition::Finish { before, output } => measure_output(output, &run.finish(before)?),
    }
}

/// Runs transitions in `run` and measures the claims; if all are steps, they are run together.
pub(crate) fn measure_together(
    run: &mut dyn Run,
    claims: &[Transition<'_>],
) -> Result<Vec<Measurement>, InferenceError> {
    let steps: Vec<_> = claims.iter().filter_map(Transition::step).collect();
    if steps.len() < 2 || steps.len() < claims.len() {
        return claims.iter().map(|claim| measure(run, claim)).collect();
    }
    let befores: Vec<(u32, &State)> = steps.iter().map(|&(k, before, _)| (k, before)).collect();
    let references = run.steps(&befores)?;
    let measured = steps.iter().zip(&references).map(|(&(k, before, after), reference)| {
        after.expect(&run.lengths(k.saturating_add(1)))?;
        Ok(Measurement::Step(step_errors(before, after, reference)))
    });
    measured.collect()
}

pub(crate) fn measure_output(claim: &Output, reference: &Output) -> Result<Measurement, InferenceError> {
    match (claim, reference) {
        (Output::Image(claim), Output::Image(reference))
            if claim.size() == reference.size() && claim.rgb.len() == reference.rgb.len() =>
        {
            let differences = claim.rgb.iter().zip(&reference.rgb).map(|(a, b)| a.abs_diff(*b));
            Ok(Measurement::Finish { pixel: differences.max().unwrap_or(0) })
        }
        (Output::Vectors(claim), Output::Vectors(reference))
            if claim.dimensions == reference.dimensions && claim.values.len() == reference.values.len() =>
        {
            if !claim.values.iter().chain(&reference.values).all(|value| value.is_finite()) {
                return Ok(Measurement::Vectors(vec![Error::INFINITE]));
            }
            let error = |(claim, reference): (&[f32], &[f32])| Error {
                error: Norms::of_difference(claim, reference),
                moved: Norms::of(reference),
            };
            Ok(Measurement::Vectors(claim.iter().zip(reference.iter()).map(error).collect()))
        }
        _ => Err(InferenceError::Output { expected: reference.size(), found: claim.size() }),
    }
}

/// A scheduler's history would seem far off if it were measured by how far it moves: one prediction of the clean sample is much
/// like the next, while rounding errors are the predictions' own.
pub(crate) fn step_errors(before: &State, after: &State, reference: &State) -> Vec<Error> {
    if ![before, after, reference].into_iter().all(State::is_finite) {
        return vec![Error::INFINITE];
    }
    let pairs = after.tensors().iter().zip(reference.tensors()).enumerate();
    let error = |(at, (after, reference)): (usize, (&Vec<f32>, &Vec<f32>))| {
        let moved = match before.tensors().get(at) {
            Some(before) if at == 0 && before.len() == reference.len() => Norms::of_difference(reference, before),
            _ => Norms::of(reference),
        };
        Error { error: Norms::of_difference(after, reference), moved }
    };
    pairs.map(error).collect()
}

impl Error {
    /// Of values that are not finite.
    const INFINITE: Self =
        Self { error: Norms { max: f64::INFINITY, mean: f64::INFINITY }, moved: Norms { max: 1.0, mean: 1.0 } };
}

/// Norms in 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norms {
    pub(crate) max: f64,
    /// Root mean square.
    pub(crate) mean: f64,
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
