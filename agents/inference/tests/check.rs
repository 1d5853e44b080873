//! Checking what somebody else claims to have computed.

mod common;

use common::{ONE_THREAD, body, generate, image, model, refused, tiny_model};
use cuckoo_inference::{
    Deviation, Device, Generation, Image, InferenceError, Model, Output, State, Transition, Vectors,
};
use cuckoo_protocol::body::ImageBody;

/// A miner's model, a checker's, a request and the honest result.
struct Claim {
    checker: Model,
    request: ImageBody,
    honest: Generation,
}

impl Claim {
    fn new() -> Self {
        Self::of(tiny_model)
    }

    fn of(model: impl Fn(&Device) -> Model) -> Self {
        let mut miner = model(&Device::Cpu { threads: 2 });
        let request = body(&miner, "a red apple on a blue background", 5);
        let honest = generate(&mut miner, &request).unwrap();
        Self { checker: model(&ONE_THREAD), request, honest }
    }

    fn check(&mut self, transition: Transition<'_>) -> Deviation {
        self.checker.check(&self.request.clone().into(), &[transition]).unwrap()[0]
    }

    fn guilty(&mut self, transition: Transition<'_>) -> bool {
        !self.check(transition).within(&self.checker.manifest().tolerance)
    }

    fn step(&self, k: usize) -> (State, State) {
        (self.honest.states[k].clone(), self.honest.states[k + 1].clone())
    }
}

fn changed(state: &State, change: impl FnOnce(&mut [f32])) -> State {
    let mut values = state.tensors()[0].clone();
    change(&mut values);
    State::new(vec![values])
}

#[test]
fn an_honest_trace_passes_with_room() {
    passes_with_room(Claim::new());
}

/// Its denoiser pools the prompt's states itself, and is given nothing more for it.
#[test]
fn an_honest_trace_of_the_default_model_passes_with_room() {
    passes_with_room(Claim::of(|device| model("cuckoo-icons", device)));
}

fn passes_with_room(mut claim: Claim) {
    let states = claim.honest.states.clone();
    let output = claim.honest.output.clone();
    let mut transitions = vec![Transition::Init { blob: &[], after: &states[0] }];
    for (k, pair) in states.windows(2).enumerate() {
        transitions.push(Transition::Step { k: k as u32, before: &pair[0], after: &pair[1] });
    }
    transitions.push(Transition::Finish { before: states.last().unwrap(), output: &output });
    let deviations = claim.checker.check(&claim.request.clone().into(), &transitions).unwrap();
    assert_eq!(deviations.len(), states.len() + 1);
    assert_eq!(deviations[0], Deviation::Init { exact: true });
    assert_eq!(deviations.last(), Some(&Deviation::Finish { pixel: 0 }));
    for deviation in &deviations {
        if let Deviation::Step { max, relative } = deviation {
            assert!(*max < 1e-5 && *relative < 1e-5, "{deviation:?}");
        }
    }
}

#[test]
fn steps_run_together_are_the_steps_run_one_by_one() {
    let mut claim = Claim::new();
    let states = claim.honest.states.clone();
    let numbered: Vec<(u32, &State)> = (0..).zip(&states[..states.len() - 1]).collect();
    let mut run = claim.checker.open(&claim.request.clone().into()).unwrap();
    let together = run.steps(&numbered).unwrap();
    assert_eq!(together.len(), numbered.len());
    for ((k, before), together) in numbered.iter().zip(&together) {
        let (alone, together) = (run.step(*k, before).unwrap(), &together.tensors()[0]);
        let off = alone.tensors()[0].iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 1e-5, "step {k} is off by {off:e}");
    }
}

#[test]
fn a_false_state_is_found_where_it_is() {
    let mut claim = Claim::new();
    for false_one in 1..claim.honest.states.len() {
        let mut states = claim.honest.states.clone();
        states[false_one] = changed(&states[false_one], |values| values.iter_mut().for_each(|value| *value *= 1.01));
        let step = |(k, pair)| {
            let [before, after]: &[State; 2] = pair;
            Transition::Step { k, before, after }
        };
        let transitions: Vec<Transition<'_>> = (0..).zip(states.array_windows()).map(step).collect();
        let deviations = claim.checker.check(&claim.request.clone().into(), &transitions).unwrap();
        let tolerance = &claim.checker.manifest().tolerance;
        let guilty: Vec<usize> = (0..deviations.len()).filter(|&k| !deviations[k].within(tolerance)).collect();
        let expected = [false_one - 1, false_one].into_iter().filter(|&k| k < deviations.len());
        assert_eq!(guilty, expected.collect::<Vec<_>>());
    }
}

#[test]
fn the_first_state_must_be_exact() {
    let mut claim = Claim::new();
    let first = claim.honest.states[0].clone();
    let flipped = changed(&first, |values| values[200] = f32::from_bits(values[200].to_bits() ^ 1));
    assert!(claim.guilty(Transition::Init { blob: &[], after: &flipped }));
    let zero = changed(&first, |values| values[0] = 0.0);
    assert!(claim.guilty(Transition::Init { blob: &[], after: &zero }));
    claim.request.seed += 1;
    assert!(claim.guilty(Transition::Init { blob: &[], after: &first }));
}

#[test]
fn a_step_is_guilty_of_what_an_honest_machine_cannot_do() {
    let mut claim = Claim::new();
    let (before, after) = claim.step(4);
    let size = before.tensors()[0].iter().zip(&after.tensors()[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);

    // One value off by a thousandth of the step: hardly seen by the mean, plainly by the maximum.
    let spot = changed(&after, |values| values[17] += 1e-3 * size);
    let Deviation::Step { max, relative } = claim.check(Transition::Step { k: 4, before: &before, after: &spot })
    else {
        panic!()
    };
    assert!((5e-4..2e-3).contains(&max), "{max}");
    assert!(relative < max / 4.0, "{relative}");
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &spot }));

    let tau = claim.checker.manifest().tolerance.step.to_f64();
    let part = |share: f64| (share * tau) as f32 * size;
    // Either measure alone convicts: the maximum of a single value, the mean of an offset that no single value betrays.
    let spot = changed(&after, |values| values[17] += part(1.5));
    let Deviation::Step { max, relative } = claim.check(Transition::Step { k: 4, before: &before, after: &spot })
    else {
        panic!()
    };
    assert!(max > tau && relative < tau, "{max} {relative}");
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &spot }));
    let offset = changed(&after, |values| values.iter_mut().for_each(|value| *value += part(0.8)));
    let Deviation::Step { max, relative } = claim.check(Transition::Step { k: 4, before: &before, after: &offset })
    else {
        panic!()
    };
    assert!(max < tau && relative > tau, "{max} {relative}");
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &offset }));

    // All values off by a little.
    let scaled = changed(&after, |values| values.iter_mut().for_each(|value| *value *= 1.001));
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &scaled }));
    // Rounding is no crime.
    let rounded = changed(&after, |values| values.iter_mut().for_each(|value| *value *= 1.0 + f32::EPSILON));
    assert!(!claim.guilty(Transition::Step { k: 4, before: &before, after: &rounded }));

    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let broken = changed(&after, |values| values[3] = bad);
        let infinite = Deviation::Step { max: f64::INFINITY, relative: f64::INFINITY };
        for (before, after) in [(&before, &broken), (&broken, &after)] {
            assert_eq!(claim.check(Transition::Step { k: 4, before, after }), infinite);
            assert!(claim.guilty(Transition::Step { k: 4, before, after }));
        }
    }
}

#[test]
fn cheaper_work_is_found() {
    let mut claim = Claim::new();
    // Nothing done, a step skipped, the step of another position.
    let (before, after) = claim.step(4);
    let (_, later) = claim.step(5);
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &before }));
    assert!(claim.guilty(Transition::Step { k: 4, before: &before, after: &later }));
    assert!(claim.guilty(Transition::Step { k: 3, before: &before, after: &after }));
    assert!(!claim.guilty(Transition::Step { k: 4, before: &before, after: &after }));

    // Another request's steps: without guidance, with another prompt.
    let tolerance = claim.checker.manifest().tolerance.clone();
    for other in [
        ImageBody { guidance: "1".parse().unwrap(), ..claim.request.clone() },
        ImageBody { prompt: "a blue apple on a red background".into(), ..claim.request.clone() },
    ] {
        let step = Transition::Step { k: 4, before: &before, after: &after };
        assert!(!claim.checker.check(&other.clone().into(), &[step]).unwrap()[0].within(&tolerance), "{other:?}");
    }

    // A fresh first state in front of an old trace of the same prompt.
    let mut miner = tiny_model(&ONE_THREAD);
    let fresh = generate(&mut miner, &ImageBody { seed: 6, ..claim.request.clone() }).unwrap();
    assert!(claim.guilty(Transition::Step { k: 0, before: &fresh.states[0], after: &claim.step(0).1 }));
}

#[test]
fn the_picture_must_be_the_last_states() {
    let mut claim = Claim::new();
    let last = claim.honest.states.last().unwrap().clone();
    let honest = image(&claim.honest).clone();
    for (by, guilty) in [(1, false), (2, false), (3, true)] {
        let mut image = honest.clone();
        image.rgb[500] = if image.rgb[500] < 128 { image.rgb[500] + by } else { image.rgb[500] - by };
        let output = Output::Image(image);
        assert_eq!(claim.check(Transition::Finish { before: &last, output: &output }), Deviation::Finish { pixel: by });
        assert_eq!(claim.guilty(Transition::Finish { before: &last, output: &output }), guilty);
    }
    let vectors = Vectors { dimensions: 1, values: vec![0.0] };
    for output in [
        Output::Image(Image { width: 16, height: 64, rgb: honest.rgb.clone() }),
        Output::Image(Image { width: 32, height: 32, rgb: vec![] }),
        Output::Vectors(vectors),
    ] {
        let finish = Transition::Finish { before: &last, output: &output };
        let outcome = claim.checker.check(&claim.request.clone().into(), &[finish]);
        assert!(matches!(refused(outcome), InferenceError::Output { .. }));
        assert!(output.image().is_none_or(|image| image.width == 16 || image.png().is_err()));
    }
    let short = State::new(vec![vec![0.0]]);
    let outcome =
        claim.checker.check(&claim.request.clone().into(), &[Transition::Step { k: 0, before: &last, after: &short }]);
    assert!(matches!(refused(outcome), InferenceError::State { .. }));
}
