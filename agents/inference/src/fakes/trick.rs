//! Traces that were not computed as they claim, though with the true networks.

use super::FakeError;
use crate::{
    error::InferenceError,
    model::{Generation, Model},
    program::Run,
    state::State,
};
use cuckoo_protocol::body::{Body, ImageBody, MAX_SEED};
use std::ops::ControlFlow;

/// How a trace is faked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// Half the steps, and states in between on straight lines.
    FewerSteps,
    /// Without guidance, which halves the work.
    NoGuidance,
    /// Every second step without the network: the combination of the two states before it that is nearest to the truth. Where a step
    /// is linear in what the network gives, as in DDIM and Euler's method, to use what it gave the step before is one such
    /// combination, so this is at least as near.
    ReusedOutput,
    /// Of another seed.
    OtherSeed,
    /// Of another prompt.
    OtherPrompt,
    /// The true first state, then what another seed became.
    Splice,
}

impl Trick {
    /// What a miner hands in for `body` with its input pictures `blob` that fakes it so.
    ///
    /// # Errors
    /// [`FakeError::Inapplicable`] for a request that cannot be faked so, or what went wrong.
    pub fn perform(self, model: &mut Model, body: &Body, blob: &[u8]) -> Result<Generation, FakeError> {
        let inapplicable = |why: &str| Err(FakeError::Inapplicable(why.to_owned()));
        let Body::Image(image) = body else {
            return inapplicable("it draws no pictures");
        };
        match self {
            Self::FewerSteps => fewer_steps(model, image, blob),
            Self::NoGuidance => match "1".parse() {
                // With equal prompts guidance changes nothing.
                Ok(one) if image.guidance.to_f64() > 1.0 && image.prompt != image.negative_prompt => {
                    generate(model, ImageBody { guidance: one, ..image.clone() }, blob)
                }
                _ => inapplicable("no request has guidance"),
            },
            Self::ReusedOutput => reused_output(model, image, blob),
            Self::OtherSeed => generate(model, other_seed(image), blob),
            Self::OtherPrompt => {
                let prompt = if image.prompt == OTHER { String::new() } else { OTHER.to_owned() };
                generate(model, ImageBody { prompt, ..image.clone() }, blob)
            }
            Self::Splice => {
                let mut other = generate(model, other_seed(image), blob)?;
                let first = model.open(body)?.init(blob)?;
                match other.states.first_mut() {
                    Some(state) => *state = first,
                    None => return inapplicable("the request has no states"),
                }
                Ok(other)
            }
        }
    }
}

/// What the picture of another prompt shows.
const OTHER: &str = "a blue fish on a green background";

fn other_seed(body: &ImageBody) -> ImageBody {
    ImageBody { seed: (body.seed + 1) % (MAX_SEED + 1), ..body.clone() }
}

fn generate(model: &mut Model, body: ImageBody, blob: &[u8]) -> Result<Generation, FakeError> {
    Ok(model.generate(&body.into(), blob, &mut |_, _| ControlFlow::Continue(()))?)
}

fn fewer_steps(model: &mut Model, body: &ImageBody, blob: &[u8]) -> Result<Generation, FakeError> {
    let fewer = body.steps / 2;
    let mut short = match generate(model, ImageBody { steps: fewer, ..body.clone() }, blob) {
        Err(FakeError::Inference(InferenceError::Body(error))) => {
            return Err(FakeError::Inapplicable(error.to_string()));
        }
        generated => generated?,
    };
    // What is drawn from, as it should be: some samplers scale it by the number of steps.
    let mut states = beginning(model.open(&body.clone().into())?.as_mut(), body, blob)?;
    let few = short.states.split_off(states.len() - 1);
    let (drawn, fewer) = (body.drawn_steps() as usize, few.len().saturating_sub(1));
    states.extend((1..=drawn).map(|k| {
        // Where the long trace's state k lies among the short one's.
        let (at, rest) = (k * fewer / drawn, k * fewer % drawn);
        let share = rest as f64 / drawn as f64;
        match (few.get(at), few.get(at + 1)) {
            (Some(before), Some(after)) => between(before, after, share),
            (before, _) => before.cloned().unwrap_or_else(|| State::new(Vec::new())),
        }
    }));
    short.states = states;
    Ok(short)
}

/// The true states up to the one that is drawn from: the first; with an input picture also what it is encoded to.
fn beginning(run: &mut dyn Run, body: &ImageBody, blob: &[u8]) -> Result<Vec<State>, InferenceError> {
    let first = run.init(blob)?;
    let encoded = if body.strength.is_some() { Some(run.step(0, &first)?) } else { None };
    Ok([first].into_iter().chain(encoded).collect())
}

/// On the straight line from one state to another.
fn between(before: &State, after: &State, share: f64) -> State {
    let value = |(b, a): (&f32, &f32)| (f64::from(*b) + share * (f64::from(*a) - f64::from(*b))) as f32;
    let tensors = before.tensors().iter().zip(after.tensors());
    State::new(tensors.map(|(before, after)| before.iter().zip(after).map(value).collect()).collect())
}

fn reused_output(model: &mut Model, body: &ImageBody, blob: &[u8]) -> Result<Generation, FakeError> {
    let mut run = model.open(&body.clone().into())?;
    let mut states = beginning(&mut *run, body, blob)?;
    let from = states.len();
    for k in 0..body.drawn_steps() {
        let step = k + from as u32 - 1;
        let next = match states.as_slice() {
            [.., before, last] if k % 2 == 1 => nearest([before, last], &run.step(step, last)?),
            [.., last] => run.step(step, last)?,
            [] => break,
        };
        states.push(next);
    }
    let output = match states.last() {
        Some(last) => run.finish(last)?,
        None => return Err(FakeError::Inapplicable("the request has no states".into())),
    };
    Ok(Generation { states, output })
}

/// The sum of multiples of two states that is nearest to `truth`, tensor by tensor.
fn nearest(states: [&State; 2], truth: &State) -> State {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
    let tensor = |(at, truth): (usize, &Vec<f32>)| {
        let truth = wide(truth);
        let mut sum = vec![0.0; truth.len()];
        let mut used: Vec<Vec<f64>> = Vec::new();
        for state in states.iter().rev() {
            let Some(values) = state.tensors().get(at).filter(|values| values.len() == truth.len()) else { continue };
            // What of it is not a multiple of those before.
            let mut direction = wide(values);
            for other in &used {
                let share = dot(&direction, other) / dot(other, other);
                direction.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
            }
            let size = dot(&direction, &direction);
            if size > 0.0 {
                let share = dot(&truth, &direction) / size;
                sum.iter_mut().zip(&direction).for_each(|(sum, value)| *sum += share * value);
                used.push(direction);
            }
        }
        sum.into_iter().map(|value| value as f32).collect()
    };
    State::new(truth.tensors().iter().enumerate().map(tensor).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(values: &[f32]) -> State {
        State::new(vec![values.to_vec()])
    }

    #[test]
    fn a_combination_of_two_states_is_found() {
        let (before, last) = (state(&[1.0, 2.0, 3.0]), state(&[0.5, -1.0, 0.25]));
        let truth = state(&[0.5 * 3.0 - 1.0, -3.0 - 2.0, 0.75 - 3.0]);
        let found = nearest([&before, &last], &truth);
        let off = found.tensors()[0].iter().zip(&truth.tensors()[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-6, "{off}");
        // What lies in neither is left out.
        let across = nearest([&state(&[1.0, 0.0, 0.0]), &state(&[0.0, 1.0, 0.0])], &state(&[2.0, 3.0, 4.0]));
        assert_eq!(across, state(&[2.0, 3.0, 0.0]));
    }

    #[test]
    fn states_in_between_lie_on_a_line() {
        assert_eq!(between(&state(&[0.0, 4.0]), &state(&[1.0, 8.0]), 0.25), state(&[0.25, 5.0]));
    }
}
