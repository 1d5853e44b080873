//! Running a whole trace again, and naming its worst transition.

use cuckoo_inference::{Deviation, InferenceError, Model, Output, State, Transition};
use cuckoo_protocol::{
    body::Body,
    manifest::{Manifest, Tolerance},
    trace::{bytes_tiles, picture_tiles},
};

/// What a result claims, opened.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was asked for.
    pub body: Body,
    /// The input pictures that came with it; empty if there are none.
    pub blob: Vec<u8>,
    /// Canonical bytes of s₀…s_N, which hash to the result's `traceRoot`.
    pub states: Vec<Vec<u8>>,
    /// The output, which hashes to the result's `outputHash`.
    pub output: Output,
}

/// What is wrong with a result: the transition to be challenged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// 0 is `init`, k the step to s_k, N + 1 is `finish`.
    pub transition: u32,
    /// The output's tile that is most off, for `finish`.
    pub tile: Option<u32>,
    /// For people.
    pub reason: String,
}

/// Runs every transition again, each from the state that was claimed before it. None if all are as they should be.
///
/// # Errors
/// [`InferenceError`] if the model does not run: that says nothing about the result.
pub fn examine(model: &mut Model, evidence: &Evidence) -> Result<Option<Finding>, InferenceError> {
    let steps = evidence.body.steps();
    let mut states = Vec::with_capacity(evidence.states.len());
    {
        let run = model.open(&evidence.body)?;
        for (k, bytes) in (0..=steps).zip(&evidence.states) {
            let reason = match State::from_bytes(&run.lengths(k), bytes) {
                Ok(state) if state.is_finite() => {
                    states.push(state);
                    continue;
                }
                Ok(_) => "a number is not finite".to_owned(),
                Err(error) => error.to_string(),
            };
            return Ok(Some(Finding { transition: k, tile: None, reason: format!("state {k}: {reason}") }));
        }
    }
    let (Some(first), Some(last)) = (states.first(), states.last()) else {
        return Ok(Some(Finding { transition: 0, tile: None, reason: "there are no states".to_owned() }));
    };

    let mut transitions = vec![Transition::Init { blob: &evidence.blob, after: first }];
    for (k, pair) in (0..steps).zip(states.windows(2)) {
        transitions.push(Transition::Step { k, before: &pair[0], after: &pair[1] });
    }
    transitions.push(Transition::Finish { before: last, output: &evidence.output });
    let deviations = model.check(&evidence.body, &transitions)?;
    let Some((transition, worst)) = judge(model.manifest(), &deviations) else { return Ok(None) };
    let tile = match worst {
        Deviation::Finish { .. } | Deviation::Vectors { .. } => {
            let reference = model.open(&evidence.body)?.finish(last)?;
            Some(worst_tile(&evidence.output, &reference))
        }
        _ => None,
    };
    Ok(Some(Finding { transition, tile, reason: describe(transition, worst, &model.manifest().tolerance) }))
}

/// What a trace is found guilty of by what somebody else says its states lead to. None if all is as it should be.
pub(super) fn found(
    manifest: &Manifest,
    deviations: &[Deviation],
    claim: &Output,
    reference: Option<&Output>,
) -> Option<Finding> {
    let (transition, worst) = judge(manifest, deviations)?;
    let tile = match worst {
        Deviation::Finish { .. } | Deviation::Vectors { .. } => Some(worst_tile(claim, reference?)),
        _ => None,
    };
    Some(Finding { transition, tile, reason: describe(transition, worst, &manifest.tolerance) })
}

/// How many times its tolerance a single step of half precision is off that no rounding explains.
const SEAM: f64 = 10.0;

/// The worst transition, if it is more off than an honest machine can be.
fn judge(manifest: &Manifest, deviations: &[Deviation]) -> Option<(u32, Deviation)> {
    let tolerance = &manifest.tolerance;
    let excess = |deviation: &Deviation| excess(deviation, tolerance);
    let numbered = (0u32..).zip(deviations.iter().copied());
    let worst = numbered.clone().max_by(|(_, a), (_, b)| excess(a).total_cmp(&excess(b)))?;
    if manifest.precision == "fp16" {
        let (mut steps, ends): (Vec<_>, Vec<_>) = numbered.partition(|(_, d)| matches!(d, Deviation::Step { .. }));
        steps.sort_by(|(_, a), (_, b)| excess(a).total_cmp(&excess(b)));
        let beyond = |found: Option<&(u32, Deviation)>, times: f64| {
            found.copied().filter(|(_, deviation)| excess(deviation) > times)
        };
        // Where it begins and ends is as exact as for any other. A single step does not tell half precision from what is cheaper, their
        // median does; but a state from elsewhere is plain in one.
        let end = ends.iter().max_by(|(_, a), (_, b)| excess(a).total_cmp(&excess(b)));
        let seam = beyond(steps.last(), SEAM);
        let cheap = beyond(steps.get(steps.len() / 2), 1.0).and(steps.last().copied());
        return beyond(end, 1.0).or(seam).or(cheap);
    }
    deviations.iter().any(|deviation| !deviation.within(tolerance)).then_some(worst)
}

/// By how much a deviation exceeds its tolerance: above 1 it does.
fn excess(deviation: &Deviation, tolerance: &Tolerance) -> f64 {
    match *deviation {
        Deviation::Init { exact: true } => 0.0,
        Deviation::Init { exact: false } => f64::INFINITY,
        Deviation::Step { max, relative } | Deviation::Vectors { max, relative } => {
            max.max(relative) / tolerance.step.to_f64()
        }
        // A bound of zero is exceeded by the first difference.
        Deviation::Finish { pixel } => f64::from(pixel) / f64::from(tolerance.pixel).max(0.5),
    }
}

/// What is wrong, beside what is allowed for honest machines that differ.
fn describe(transition: u32, deviation: Deviation, tolerance: &Tolerance) -> String {
    let step = tolerance.step.to_f64();
    match deviation {
        Deviation::Init { .. } => "s_0 is not what the request leads to".to_owned(),
        Deviation::Step { max, relative } => {
            format!("step {transition} is off by {:.2e}, allowed is {step:.1e}", max.max(relative))
        }
        Deviation::Finish { pixel } => format!("the output is off by {pixel} of 255, allowed is {}", tolerance.pixel),
        Deviation::Vectors { max, relative } => {
            format!("the output is off by {:.2e}, allowed is {step:.1e}", max.max(relative))
        }
    }
}

/// The tile whose bytes differ most.
fn worst_tile(claim: &Output, reference: &Output) -> u32 {
    let difference = |(a, b): (&Vec<u8>, &Vec<u8>)| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    let (claim, reference) = (tiles(claim), tiles(reference));
    let worst = (0u32..).zip(claim.iter().zip(&reference)).max_by_key(|(_, pair)| difference(*pair));
    worst.map_or(0, |(index, _)| index)
}

/// An output's tiles.
pub fn tiles(output: &Output) -> Vec<Vec<u8>> {
    match output {
        Output::Image(image) => picture_tiles(image.width, image.height, &image.rgb).unwrap_or_default(),
        Output::Vectors(vectors) => bytes_tiles(&vectors.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(precision: &str) -> Manifest {
        let mut manifest = Manifest::parse(include_bytes!("../../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
        manifest.precision = precision.to_owned();
        manifest
    }

    fn deviations(steps: &[f64]) -> Vec<Deviation> {
        let tau = manifest("fp32-strict").tolerance.step.to_f64();
        let step = |times: &f64| Deviation::Step { max: times * tau, relative: 0.0 };
        let mut all = vec![Deviation::Init { exact: true }];
        all.extend(steps.iter().map(step));
        all.push(Deviation::Finish { pixel: 0 });
        all
    }

    #[test]
    fn the_worst_transition_is_named() {
        let strict = manifest("fp32-strict");
        assert_eq!(judge(&strict, &deviations(&[0.9, 0.1])), None);
        let (transition, worst) = judge(&strict, &deviations(&[1.1, 7.0, 2.0])).unwrap();
        let tau = strict.tolerance.step.to_f64();
        let said = format!("step 2 is off by {:.2e}, allowed is {tau:.1e}", 7.0 * tau);
        assert_eq!((transition, describe(transition, worst, &strict.tolerance)), (2, said));
        let mut wrong_start = deviations(&[1e9]);
        wrong_start[0] = Deviation::Init { exact: false };
        assert_eq!(judge(&strict, &wrong_start).unwrap().0, 0);
        let mut wrong_end = deviations(&[0.5]);
        wrong_end[2] = Deviation::Finish { pixel: 255 };
        assert_eq!(judge(&strict, &wrong_end).unwrap().0, 2);
    }

    #[test]
    fn half_precision_is_judged_by_its_median() {
        let half = manifest("fp16");
        assert_eq!(judge(&half, &deviations(&[0.5, 9.0, 0.5])), None);
        assert_eq!(judge(&half, &deviations(&[0.5, 9.0, 1.5])).unwrap().0, 2);
        assert_eq!(judge(&half, &deviations(&[0.5, 11.0, 0.5])).unwrap().0, 2, "a state from elsewhere");
        let mut wrong_start = deviations(&[0.5, 9.0, 0.5]);
        wrong_start[0] = Deviation::Init { exact: false };
        assert_eq!(judge(&half, &wrong_start).unwrap().0, 0);
        let mut wrong_end = deviations(&[0.5, 9.0, 0.5]);
        wrong_end[4] = Deviation::Finish { pixel: 255 };
        assert_eq!(judge(&half, &wrong_end).unwrap().0, 4);
    }
}
