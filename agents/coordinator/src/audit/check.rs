//! Running a whole trace again, and naming its worst transition.

use cuckoo_inference::{Deviation, InferenceError, Model, Output, State, Transition, judge};
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

    #[test]
    fn what_is_wrong_is_said_beside_what_is_allowed() {
        let manifest = Manifest::parse(include_bytes!("../../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
        let tau = manifest.tolerance.step.to_f64();
        let deviations = [Deviation::Init { exact: true }, Deviation::Step { max: 7.0 * tau, relative: 0.0 }];
        let (transition, worst) = judge(&manifest, &deviations).unwrap();
        let said = format!("step 1 is off by {:.2e}, allowed is {tau:.1e}", 7.0 * tau);
        assert_eq!((transition, describe(transition, worst, &manifest.tolerance)), (1, said));
    }
}
