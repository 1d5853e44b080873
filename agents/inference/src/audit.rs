//! How far a claimed transition is from what it should be.

use crate::{error::InferenceError, image::Image, program::Run, state::State};
use cuckoo_protocol::manifest::Tolerance;

/// A claim about one transition of a request.
#[derive(Clone, Copy, Debug)]
pub enum Transition<'a> {
    /// Transition 0: the request leads to `after`.
    Init {
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
    /// The last transition: `before` leads to `image`.
    Finish {
        /// s_N, as claimed.
        before: &'a State,
        /// The output, as claimed.
        image: &'a Image,
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
    /// Of [`Transition::Step`], relative to how far the step moves, or to the manifest's floor where it hardly moves.
    /// Infinite where a value is not finite.
    Step {
        /// ‖claim − ref‖∞ / max(‖ref − before‖∞, floor): no single value may be far off.
        max: f64,
        /// The same with root mean squares: nor may all be off by a little.
        relative: f64,
    },
    /// Of [`Transition::Finish`].
    Finish {
        /// Largest difference of a byte.
        pixel: u8,
    },
}

impl Deviation {
    /// Whether an honest machine can be this far off.
    pub fn within(&self, tolerance: &Tolerance) -> bool {
        match *self {
            Self::Init { exact } => exact,
            Self::Step { max, relative } => {
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
        Transition::Init { after } => {
            after.expect(run.lengths())?;
            Ok(Deviation::Init { exact: run.init()?.to_bytes() == after.to_bytes() })
        }
        Transition::Step { k, before, after } => {
            before.expect(run.lengths())?;
            after.expect(run.lengths())?;
            let reference = run.step(k, before)?;
            Ok(step_deviation(before, after, &reference, floor))
        }
        Transition::Finish { before, image } => {
            let reference = run.finish(before)?;
            if image.rgb.len() != reference.rgb.len() || image.size() != reference.size() {
                return Err(InferenceError::Image { expected: reference.size(), found: image.size() });
            }
            let differences = image.rgb.iter().zip(&reference.rgb).map(|(a, b)| a.abs_diff(*b));
            Ok(Deviation::Finish { pixel: differences.max().unwrap_or(0) })
        }
    }
}

/// The worst tensor counts.
fn step_deviation(before: &State, after: &State, reference: &State, floor: f64) -> Deviation {
    if ![before, after, reference].into_iter().all(State::is_finite) {
        return Deviation::Step { max: f64::INFINITY, relative: f64::INFINITY };
    }
    let (mut max, mut relative) = (0.0_f64, 0.0_f64);
    for ((before, after), reference) in before.tensors().iter().zip(after.tensors()).zip(reference.tensors()) {
        let error = Norms::of(after, reference);
        let moved = Norms::of(reference, before);
        max = max.max(error.max / moved.max.max(floor));
        relative = relative.max(error.mean / moved.mean.max(floor));
    }
    Deviation::Step { max, relative }
}

/// Norms of a difference, in 64 bits.
struct Norms {
    max: f64,
    /// Root mean square.
    mean: f64,
}

impl Norms {
    fn of(left: &[f32], right: &[f32]) -> Self {
        let differences = || left.iter().zip(right).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        let squares: f64 = differences().map(|difference| difference * difference).sum();
        Self { max: differences().fold(0.0, f64::max), mean: (squares / left.len().max(1) as f64).sqrt() }
    }
}
