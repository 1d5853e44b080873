//! A model that draws, and requests that it must not run.

mod common;

use common::{Copy, ONE_THREAD, body, generate, image, refused, tiny_model};
use cuckoo_inference::{Device, InferenceError, State, noise};
use cuckoo_protocol::{
    body::{EmbeddingBody, ImageBody},
    manifest::BodyError,
};
use serde_json::json;
use std::ops::ControlFlow;

#[test]
fn the_same_request_leaves_the_same_trace_on_any_number_of_threads() {
    let mut one = tiny_model(&ONE_THREAD);
    let request = body(&one, "two green cats", 3);
    let first = generate(&mut one, &request).unwrap();
    assert_eq!(first.states_count(), request.steps + 1);
    assert_eq!(first.states.len(), request.steps as usize + 1);
    assert!(first.output.file().unwrap().starts_with(b"\x89PNG"));

    // With another request between, so that nothing of it is left over.
    let other = body(&one, "a red apple", 4);
    let other = generate(&mut one, &other).unwrap();
    assert_ne!(other.trace_root(), first.trace_root());
    assert_ne!(other.output_hash().unwrap(), first.output_hash().unwrap());

    let again = generate(&mut one, &request).unwrap();
    let two = generate(&mut tiny_model(&Device::Cpu { threads: 2 }), &request).unwrap();
    for generation in [again, two] {
        assert_eq!(generation.trace_root(), first.trace_root());
        assert_eq!(generation.output_hash().unwrap(), first.output_hash().unwrap());
    }
}

#[test]
fn a_model_may_move_to_the_thread_that_runs_it() {
    let mut model = tiny_model(&ONE_THREAD);
    let request = body(&model, "a tree", 0);
    let elsewhere = std::thread::spawn(move || generate(&mut model, &request).unwrap().states_count());
    assert_eq!(elsewhere.join().unwrap(), 11);
}

#[test]
fn every_field_of_a_request_counts() {
    let mut model = tiny_model(&ONE_THREAD);
    let request = ImageBody { steps: 3, ..body(&model, "a red apple", 1) };
    let root = generate(&mut model, &request).unwrap().trace_root();
    for changed in [
        ImageBody { prompt: "a blue apple".into(), ..request.clone() },
        ImageBody { negative_prompt: "blue".into(), ..request.clone() },
        ImageBody { steps: 4, ..request.clone() },
        ImageBody { guidance: "5.5".parse().unwrap(), ..request.clone() },
        ImageBody { guidance: "1".parse().unwrap(), ..request.clone() },
        ImageBody { seed: 2, ..request.clone() },
    ] {
        assert_ne!(generate(&mut model, &changed).unwrap().trace_root(), root, "{changed:?}");
    }
    // Without guidance the negative prompt plays no part.
    let [with, without] = ["blue", ""].map(|negative| {
        let guidance = "0.5".parse().unwrap();
        let request = ImageBody { guidance, negative_prompt: negative.into(), ..request.clone() };
        generate(&mut model, &request).unwrap().trace_root()
    });
    assert_eq!(with, without);
}

#[test]
fn a_single_step_needs_nothing_but_the_state_before() {
    let mut model = tiny_model(&ONE_THREAD);
    let request = body(&model, "a yellow star", 8);
    let generation = generate(&mut model, &request).unwrap();
    let mut run = model.open(&request.clone().into()).unwrap();
    for k in [7, 0, 3] {
        let before = State::from_bytes(&run.lengths(k as u32), &generation.states[k].to_bytes()).unwrap();
        assert_eq!(run.step(k as u32, &before).unwrap(), generation.states[k + 1]);
    }
    assert_eq!(run.init(&[]).unwrap(), generation.states[0]);
    assert_eq!(generation.states[0].tensors(), [noise::normals(8, 0, 4 * 8 * 8)]);
    let last = generation.states.last().unwrap();
    assert_eq!(run.finish(last).unwrap(), generation.output);

    assert!(matches!(refused(run.step(10, last)), InferenceError::Step { step: 10, last: 9 }));
    let short = State::new(vec![vec![0.0; 4]]);
    assert!(matches!(refused(run.step(0, &short)), InferenceError::State { expected: 1024, found: 16 }));
    assert!(matches!(refused(run.finish(&short)), InferenceError::State { .. }));
    assert!(matches!(refused(run.finish(&State::new(vec![]))), InferenceError::State { .. }));
}

#[test]
fn progress_is_told_and_can_cancel() {
    let mut model = tiny_model(&ONE_THREAD);
    let request = body(&model, "a tree", 0);
    let mut seen = Vec::new();
    let outcome = model.generate(&request.clone().into(), &[], &mut |done, steps| {
        seen.push((done, steps));
        if done == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(refused(outcome), InferenceError::Cancelled { done: 4, steps: 10 }));
    assert_eq!(seen, [(0, 10), (1, 10), (2, 10), (3, 10), (4, 10)]);
    generate(&mut model, &request).unwrap();
}

#[test]
fn what_the_manifest_does_not_allow_is_refused() {
    let mut model = tiny_model(&ONE_THREAD);
    let request = body(&model, "a tree", 0);
    for (wrong, field) in [
        (ImageBody { prompt: "x".repeat(2001), ..request.clone() }, "prompt"),
        (ImageBody { negative_prompt: "x".repeat(2001), ..request.clone() }, "negative_prompt"),
        (ImageBody { width: 64, ..request.clone() }, "size"),
        (ImageBody { steps: 0, ..request.clone() }, "steps"),
        (ImageBody { steps: 51, ..request.clone() }, "steps"),
        (ImageBody { guidance: "20.1".parse().unwrap(), ..request.clone() }, "guidance"),
        (ImageBody { scheduler: "euler".into(), ..request.clone() }, "scheduler"),
        (ImageBody { seed: u64::MAX, ..request.clone() }, "seed"),
    ] {
        let InferenceError::Body(error) = refused(generate(&mut model, &wrong)) else { panic!("{field}") };
        assert_eq!(BodyError::field(&error), field);
        let wrong = wrong.into();
        assert!(model.open(&wrong).is_err() && model.check(&wrong, &[]).is_err());
    }
    let embedding = EmbeddingBody { input: vec!["a tree".into()], dimensions: 384 }.into();
    let error = refused(model.generate(&embedding, &[], &mut |_, _| ControlFlow::Continue(())));
    assert!(matches!(&error, InferenceError::Body(BodyError::Kind { .. })), "{error}");
    let error = refused(model.generate(&request.clone().into(), &[0], &mut |_, _| ControlFlow::Continue(())));
    assert!(matches!(error, InferenceError::Blob { expected: 0, found: 1 }), "{error}");
    // As long as a prompt may be, of characters that are hard on a tokeniser.
    for prompt in ["a".repeat(2000), "' ".repeat(1000), "\u{301}".repeat(1000), "猫".repeat(666), "<|".repeat(1000)] {
        let request = ImageBody { prompt, steps: 1, ..request.clone() };
        generate(&mut model, &request).unwrap();
    }
}

#[test]
fn another_size_is_drawn_by_the_same_package() {
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["limits"]["sizes"] = json!([[32, 32], [64, 32], [34, 32]]));
    let mut model = copy.load().unwrap();
    let request = body(&model, "a tree", 0);
    let wide = ImageBody { width: 64, ..request.clone() };
    let generation = generate(&mut model, &wide).unwrap();
    assert_eq!(image(&generation).rgb.len(), 64 * 32 * 3);
    assert_eq!(generation.states[0].to_bytes().len(), 4 * 16 * 8 * 4);
    let error = refused(generate(&mut model, &ImageBody { width: 34, ..request.clone() }));
    assert!(matches!(error, InferenceError::Unfit { .. }), "{error}");
    // Switching back and forth, with and without guidance, changes nothing.
    let unguided = ImageBody { guidance: "0".parse().unwrap(), ..request.clone() };
    let roots =
        |model: &mut _| [&request, &unguided, &wide].map(|request| generate(model, request).unwrap().trace_root());
    assert_eq!(roots(&mut model), roots(&mut model));
}

#[test]
fn eulers_method_draws_what_ddim_draws() {
    // In other coordinates they are the same steps; only the first state differs a little, because Euler's leaves out
    // what signal is left at the noisiest timestep.
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["limits"]["schedulers"] = json!(["ddim", "euler"]));
    let mut model = copy.load().unwrap();
    let ddim = ImageBody { steps: 20, ..body(&model, "a red apple", 1) };
    let euler = ImageBody { scheduler: "euler".into(), ..ddim.clone() };
    let [one, other] = [&ddim, &euler].map(|request| generate(&mut model, request).unwrap());
    assert_ne!(one.trace_root(), other.trace_root());
    let [one, other] = [&one, &other].map(image);
    let differences = one.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b)));
    let mean = differences.sum::<u64>() as f64 / one.rgb.len() as f64;
    let contrast = u64::from(one.rgb.iter().max().unwrap() - one.rgb.iter().min().unwrap());
    assert!(mean < 1.0 && contrast > 20, "the pictures differ by {mean} a byte, of {contrast}");
}
