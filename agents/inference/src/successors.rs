//! Checking by somebody who is trusted with no verdict: whoever has the model says what each state of a trace leads to, and whoever wants
//! to know compares that with the trace, without the model.

use crate::{
    audit::{Deviation, Measurement, measure_output, step_errors},
    error::InferenceError,
    model::Model,
    output::Output,
    state::State,
};
use cuckoo_protocol::{
    body::Body,
    manifest::{Defaults, Manifest},
};

/// What the states of a trace lead to, each by itself.
#[derive(Clone, Debug)]
pub struct Successors {
    /// s₀ of the request, then what s₀, s₁, … lead to, as canonical bytes; none after the first state that is not of the request's size.
    pub states: Vec<Vec<u8>>,
    /// What s_N leads to; none if a state before is not of the request's size.
    pub output: Option<Output>,
}

impl Model {
    /// Runs every transition of a request without input pictures again, each from the state that is claimed before it.
    ///
    /// # Errors
    /// [`InferenceError`] if the request cannot be run.
    pub fn successors(&mut self, body: &Body, states: &[Vec<u8>]) -> Result<Successors, InferenceError> {
        let steps = body.steps();
        let mut run = self.open(body)?;
        let mut led = Successors { states: vec![run.init(&[])?.to_bytes()], output: None };
        for (k, bytes) in (0..=steps).zip(states) {
            let Ok(before) = State::from_bytes(&run.lengths(k), bytes) else { break };
            match k < steps {
                true => led.states.push(run.step(k, &before)?.to_bytes()),
                false => led.output = Some(run.finish(&before)?),
            }
        }
        Ok(led)
    }
}

/// How far claimed transitions are off from what somebody says they lead to, in order: s₀, then from each of `befores` to the next of
/// `afters`, then to `output`. For a trace both are its states. Ends with the first state of another size, which is infinitely far off.
/// None if it is no answer about these.
pub fn compare(
    manifest: &Manifest,
    body: &Body,
    befores: &[Vec<u8>],
    afters: &[Vec<u8>],
    output: &Output,
    led: &Successors,
) -> Option<Vec<Deviation>> {
    let floor = manifest.tolerance.floor.to_f64();
    let mut deviations = Vec::with_capacity(afters.len() + 1);
    for (k, after) in afters.iter().enumerate() {
        let reference = led.states.get(k)?;
        let sized = reference.len() == after.len();
        deviations.push(match k.checked_sub(1).and_then(|before| befores.get(before)) {
            None => Deviation::Init { exact: after == reference },
            Some(_) if !sized => Deviation::Step { max: f64::INFINITY, relative: f64::INFINITY },
            Some(before) => {
                let read = |bytes: &[u8]| State::from_bytes(&lengths(manifest, body, bytes.len()), bytes).ok();
                Measurement::Step(step_errors(&read(before)?, &read(after)?, &read(reference)?)).deviation(floor)
            }
        });
        if !sized {
            return Some(deviations);
        }
    }
    if led.states.len() != afters.len() {
        return None;
    }
    deviations.push(measure_output(output, led.output.as_ref()?).ok()?.deviation(floor));
    Some(deviations)
}

/// Lengths of the tensors of a state of so many bytes, as far as they can be told without the model: those of a picture have one length,
/// and there is a vector for each text. What cannot be told counts as one tensor.
fn lengths(manifest: &Manifest, body: &Body, bytes: usize) -> Vec<usize> {
    let values = bytes / size_of::<f32>();
    let length = match (body, &manifest.defaults) {
        (Body::Image(body), Defaults::Image(defaults)) => {
            let shape = manifest.state.first().map_or(&[][..], |tensor| &tensor.shape);
            let latents = shape.iter().fold(1, |product, side| product * u64::from(*side));
            let pixels = |width, height| u64::from(width) * u64::from(height);
            let scaled = latents * pixels(body.width, body.height) / pixels(defaults.width, defaults.height).max(1);
            usize::try_from(scaled).unwrap_or(values)
        }
        (Body::Embedding(body), _) => values / body.input.len().max(1),
        _ => values,
    };
    if length == 0 || !values.is_multiple_of(length) { vec![values] } else { vec![length; values / length] }
}
