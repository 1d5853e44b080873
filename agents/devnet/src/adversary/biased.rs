//! Steers a picture by what tolerances leave free.

use super::Forgery;
use anyhow::{Context, Result};
use cuckoo_inference::{Model, State};
use cuckoo_protocol::body::ImageBody;
use std::ops::ControlFlow;

/// Of the tolerance. The rest is for the rounding of whoever checks.
const USED: f64 = 0.9;

/// Each step honest from the state before it, and then moved towards the picture of another seed, as far as is tolerated: the same
/// direction at every step, so that what is tolerated once adds up.
///
/// # Errors
/// If the model fails.
pub fn biased(model: &mut Model, body: &ImageBody) -> Result<Forgery> {
    let tolerance = &model.manifest().tolerance;
    let (tau, floor) = (tolerance.step.to_f64(), tolerance.floor.to_f64());
    let aim = aim(model, body)?;
    let request = body.clone().into();
    let mut run = model.open(&request)?;
    let mut state = run.init(&[])?;
    let mut states = vec![state.to_bytes()];
    for k in 0..body.steps {
        let honest = run.step(k, &state)?;
        let moved = difference(&honest, &state);
        // Neither the furthest value nor their mean may be off by more.
        let most = tau * largest(&moved).max(floor) / largest(&aim);
        let mean = tau * mean_square(&moved).max(floor) / mean_square(&aim);
        let scale = USED * most.min(mean);
        let mut tensors = honest.tensors().to_vec();
        if let (Some(latents), true) = (tensors.first_mut(), scale.is_finite()) {
            latents.iter_mut().zip(&aim).for_each(|(value, aim)| *value = (f64::from(*value) + scale * aim) as f32);
        }
        state = State::new(tensors);
        states.push(state.to_bytes());
    }
    let output = run.finish(&state)?;
    Ok(Forgery { states, output })
}

/// From this request's last state to another seed's.
fn aim(model: &mut Model, body: &ImageBody) -> Result<Vec<f64>> {
    let mut last = |seed| {
        let body = ImageBody { seed, ..body.clone() }.into();
        let mut generation = model.generate(&body, &[], &mut |_, _| ControlFlow::Continue(()))?;
        generation.states.pop().context("a request without states")
    };
    Ok(difference(&last(body.seed ^ 1)?, &last(body.seed)?))
}

/// Of the first tensors.
fn difference(a: &State, b: &State) -> Vec<f64> {
    let (Some(a), Some(b)) = (a.tensors().first(), b.tensors().first()) else { return Vec::new() };
    a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().map(f64::abs).fold(0.0, f64::max)
}

/// Root mean square.
fn mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len().max(1) as f64).sqrt()
}
