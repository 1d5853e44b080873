//! Steers a picture by what tolerances leave free.

use super::Forgery;
use anyhow::Result;
use cuckoo_inference::{Model, State};
use cuckoo_protocol::body::ImageBody;

/// Of the tolerance. The rest is for the rounding of whoever checks.
const USED: f64 = 0.9;

/// Each step honest from the state before it, and then every value off by the same: the same direction at every step, so that what is
/// tolerated once adds up.
///
/// # Errors
/// If the model fails.
pub fn biased(model: &mut Model, body: &ImageBody) -> Result<Forgery> {
    let tolerance = &model.manifest().tolerance;
    let (tau, floor) = (tolerance.step.to_f64(), tolerance.floor.to_f64());
    let request = body.clone().into();
    let mut run = model.open(&request)?;
    let mut state = run.init(&[])?;
    let mut states = vec![state.to_bytes()];
    for k in 0..body.steps {
        let honest = run.step(k, &state)?;
        // No value may be off by more than τ of the furthest move, nor all of them by more than τ of the mean move: where all are
        // off alike, the mean is the narrower of both.
        let offset = USED * tau * movement(&state, &honest).max(floor);
        let mut tensors = honest.tensors().to_vec();
        if let Some(latents) = tensors.first_mut() {
            latents.iter_mut().for_each(|value| *value = (f64::from(*value) + offset) as f32);
        }
        state = State::new(tensors);
        states.push(state.to_bytes());
    }
    let output = run.finish(&state)?;
    Ok(Forgery { states, output })
}

/// How far the first tensor moves: root mean square.
fn movement(before: &State, after: &State) -> f64 {
    let (Some(before), Some(after)) = (before.tensors().first(), after.tensors().first()) else { return 0.0 };
    let squares: f64 = before.iter().zip(after).map(|(b, a)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    (squares / before.len().max(1) as f64).sqrt()
}
