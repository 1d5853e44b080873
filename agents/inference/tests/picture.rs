//! Pictures made of pictures, and schedulers whose states are more than latents.

mod common;

use common::{Copy, assert_same_picture, body, floats, generate, image, read_json, refused, repository};
use cuckoo_inference::{Deviation, Generation, InferenceError, Model, State, Transition, scheduler::NAMES};
use cuckoo_protocol::{
    body::{Body, ImageBody},
    manifest::BodyError,
};
use serde_json::json;
use std::ops::ControlFlow;

/// A stock export that takes input pictures and samples with every scheduler.
fn stock() -> Copy {
    exported("sd15", NAMES)
}

/// The export of that name, with those schedulers.
fn exported(name: &str, schedulers: &[&str]) -> Copy {
    let copy = Copy::stock(name);
    copy.alter_manifest(|manifest| {
        manifest["limits"]["schedulers"] = json!(schedulers);
        manifest["defaults"]["scheduler"] = json!(schedulers[0]);
        manifest["limits"]["input_picture"] = json!(true);
        if schedulers.contains(&"dpmpp-2m") {
            let latents = manifest["state"][0].clone();
            manifest["state"] = json!([latents, { "name": "clean", "shape": [4, 8, 8] }]);
        }
    });
    copy
}

/// The picture of testdata/picture.py.
fn rgb(side: usize) -> Vec<u8> {
    (0..side * side * 3).map(|place| (place * 37 + (place / 97) * (place / 97)) as u8).collect()
}

fn with_picture(model: &Model, scheduler: &str, strength: &str) -> ImageBody {
    let (scheduler, strength) = (scheduler.to_owned(), Some(strength.parse().unwrap()));
    ImageBody { scheduler, strength, steps: 8, guidance: "3".parse().unwrap(), ..body(model, "a red apple", 9) }
}

fn run(model: &mut Model, request: &ImageBody, blob: &[u8]) -> Result<Generation, InferenceError> {
    model.generate(&request.clone().into(), blob, &mut |_, _| ControlFlow::Continue(()))
}

/// The transition that leads to state `k`, or to the output.
fn transition<'a>(result: &'a Generation, blob: &'a [u8], k: usize) -> Transition<'a> {
    match result.states.get(k) {
        Some(after) if k == 0 => Transition::Init { blob, after },
        Some(after) => Transition::Step { k: k as u32 - 1, before: &result.states[k - 1], after },
        None => Transition::Finish { before: &result.states[k - 1], output: &result.output },
    }
}

fn guilty(deviation: &Deviation, model: &Model) -> bool {
    !deviation.within(&model.manifest().tolerance)
}

/// Python's picture of an input picture, and the latents on the way, with a model of testdata/stock.
fn becomes_what_pythons_pipeline_makes_of_it(name: &str, schedulers: &[&str]) {
    let golden = read_json("agents/inference/testdata/picture.json");
    let mut model = exported(name, schedulers).load().unwrap();
    let blob = rgb(golden["side"].as_u64().unwrap() as usize);
    let cases: Vec<_> = golden["cases"].as_array().unwrap().iter().filter(|case| case["model"] == name).collect();
    assert_eq!(cases.len(), schedulers.len());
    for case in cases {
        let text = |field: &str| case[field].as_str().unwrap();
        let what = format!("{name}, {}", text("scheduler"));
        let request = ImageBody {
            prompt: golden["prompt"].as_str().unwrap().into(),
            guidance: text("guidance").parse().unwrap(),
            steps: case["steps"].as_u64().unwrap() as u32,
            seed: golden["seed"].as_u64().unwrap(),
            ..with_picture(&model, text("scheduler"), text("strength"))
        };
        let result = run(&mut model, &request, &blob).unwrap();
        let expected = case["latents"].as_array().unwrap();
        // The first state is the picture itself.
        assert_eq!(result.states.len(), expected.len() + 1, "{what}");
        for (k, (state, expected)) in result.states[1..].iter().zip(expected).enumerate() {
            let (found, expected) = (&state.tensors()[0], floats(expected));
            assert_eq!(found.len(), expected.len());
            let largest = |values: &mut dyn Iterator<Item = f32>| values.map(f32::abs).fold(0.0, f32::max);
            let error = largest(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            let scale = largest(&mut expected.iter().copied());
            assert!(error <= 1e-5 * scale, "{what}, state {}: off by {error:e} of {scale}", k + 1);
        }
        let file = repository("agents/inference/testdata").join(text("picture"));
        assert_same_picture(image(&result), &file, &what);
    }
}

#[test]
fn stable_diffusion_1_5_makes_of_a_picture_what_python_makes_of_it() {
    becomes_what_pythons_pipeline_makes_of_it("sd15", NAMES);
}

#[test]
fn sd_turbo_makes_of_a_picture_what_python_makes_of_it() {
    becomes_what_pythons_pipeline_makes_of_it("sd-turbo", &["euler"]);
}

#[test]
fn sdxl_makes_of_a_picture_what_python_makes_of_it() {
    becomes_what_pythons_pipeline_makes_of_it("sdxl", &["euler"]);
}

#[test]
fn a_picture_is_the_first_state_bit_for_bit() {
    let mut model = stock().load().unwrap();
    let blob = rgb(64);
    let request = with_picture(&model, "dpmpp-2m", "0.5");
    let body = Body::from(request.clone());
    let mut open = model.open(&body).unwrap();
    let first = open.init(&blob).unwrap();
    assert_eq!(first.tensors().len(), 1);
    assert_eq!(open.lengths(0), [64 * 64]);
    assert_eq!(open.lengths(1), [256, 256]);
    for (value, pixel) in first.tensors()[0].iter().zip(blob.as_chunks::<3>().0) {
        let code = f64::from(*value) * f64::from(1 << 24);
        assert_eq!(code, f64::from(u32::from(pixel[0]) << 16 | u32::from(pixel[1]) << 8 | u32::from(pixel[2])));
    }
    for wrong in [&[][..], &blob[1..], &[&blob[..], &[0]].concat()] {
        let error = refused(open.init(wrong));
        assert!(matches!(error, InferenceError::Blob { expected: 12_288, found } if found == wrong.len()), "{error}");
    }
    // The last of 4 steps drawn, after one that encodes.
    let state = State::new(vec![vec![0.1; 256]; 2]);
    assert!(matches!(refused(open.step(5, &state)), InferenceError::Step { step: 5, last: 4 }));
    assert!(matches!(refused(open.step(0, &state)), InferenceError::State { .. }));
    assert!(matches!(refused(open.step(1, &first)), InferenceError::State { .. }));
    assert!(matches!(refused(open.finish(&first)), InferenceError::State { .. }));
    drop(open);
    assert!(matches!(refused(run(&mut model, &request, &[])), InferenceError::Blob { expected: 12_288, found: 0 }));
    let plain = ImageBody { strength: None, ..request };
    assert!(matches!(refused(model.open(&plain.into()).unwrap().init(&blob)), InferenceError::Blob { .. }));
}

#[test]
fn strengths_that_draw_nothing_or_too_much_are_refused() {
    let mut model = stock().load().unwrap();
    for strength in ["0", "0.12", "1.1"] {
        let request = with_picture(&model, "ddim", strength);
        let InferenceError::Body(error) = refused(run(&mut model, &request, &rgb(64))) else { panic!("{strength}") };
        assert!(matches!(error, BodyError::Strength { .. }) && error.field() == "strength", "{error}");
    }
    let request = with_picture(&model, "ddim", "0.125");
    assert_eq!(run(&mut model, &request, &rgb(64)).unwrap().states.len(), 3);

    let copy = stock();
    copy.alter_manifest(|manifest| {
        manifest["limits"].as_object_mut().unwrap().remove("input_picture");
    });
    let InferenceError::Body(error) = refused(run(&mut copy.load().unwrap(), &request, &rgb(64))) else { panic!() };
    assert!(matches!(error, BodyError::Picture { .. }), "{error}");
    copy.alter_manifest(|manifest| {
        manifest["limits"]["input_picture"] = json!(true);
        manifest["limits"]["sizes"] = json!([[64, 64], [1032, 1024]]);
    });
    assert!(refused(copy.open()).to_string().contains("1048576 pixels"));
}

#[test]
fn only_an_encoder_that_gives_means_is_taken() {
    let copy = stock();
    // It has another output: what decodes, and what samples by itself.
    for (input, output) in [("sample", "latent_sample"), ("latent_sample", "latent_parameters")] {
        let port = |name| (name, common::onnx::F32, &["batch", "3", "height", "width"][..]);
        let network = common::onnx::network(&[port(input)], &[("Identity", &[input], &[output])], &[port(output)]);
        let error = refused(copy.put("vae_encoder/model.onnx", &network).load());
        assert!(matches!(&error, InferenceError::Unfit { part, .. } if part == "vae_encoder"), "{error}");
    }
    copy.alter_manifest(|manifest| {
        manifest["files"].as_object_mut().unwrap().remove("vae_encoder/model.onnx");
        manifest["files"].as_object_mut().unwrap().remove("vae_encoder/config.json");
    });
    assert!(refused(copy.load()).to_string().contains("vae_encoder"));
}

#[test]
fn honest_results_of_every_scheduler_pass_and_altered_ones_do_not() {
    let [mut model, mut checker] = [(); 2].map(|()| stock().load().unwrap());
    let blob = rgb(64);
    for scheduler in NAMES {
        let drawn = ImageBody { steps: 3, strength: None, ..with_picture(&model, scheduler, "1") };
        let redrawn = ImageBody { steps: 3, ..with_picture(&model, scheduler, "0.7") };
        for (request, blob) in [(drawn, &[][..]), (redrawn, &blob)] {
            let result = run(&mut model, &request, blob).unwrap();
            let body = Body::from(request);
            assert_eq!(result.states_count(), body.states());
            let transitions: Vec<_> = (0..=result.states.len()).map(|k| transition(&result, blob, k)).collect();
            let deviations = checker.check(&body, &transitions).unwrap();
            assert!(!deviations.iter().any(|deviation| guilty(deviation, &model)), "{scheduler}: {deviations:?}");

            // Any tensor of any state counts, in the transition that leads to it.
            for k in 0..result.states.len() {
                for tensor in 0..result.states[k].tensors().len() {
                    let mut tensors = result.states[k].tensors().to_vec();
                    tensors[tensor].iter_mut().for_each(|value| *value += 0.01 + value.abs() * 0.01);
                    let mut altered = result.clone();
                    altered.states[k] = State::new(tensors);
                    let found = checker.check(&body, &[transition(&altered, blob, k)]).unwrap()[0];
                    assert!(guilty(&found, &model), "{scheduler}: tensor {tensor} of state {k} passed: {found:?}");
                }
            }
        }
    }
}

#[test]
fn what_a_step_leaves_to_the_next_is_measured_by_its_own_size() {
    let mut model = stock().load().unwrap();
    let request = ImageBody { steps: 40, strength: None, ..with_picture(&model, "dpmpp-2m", "1") };
    let result = run(&mut model, &request, &[]).unwrap();
    let largest = |values: &mut dyn Iterator<Item = f32>| values.map(f32::abs).fold(0.0, f32::max);
    let [before, after] = [30, 31].map(|k| result.states[k].tensors().to_vec());
    let size = largest(&mut after[1].iter().copied());
    let moved = largest(&mut after[1].iter().zip(&before[1]).map(|(a, b)| a - b));
    assert!(moved < size / 4.0, "it moves by {moved} of {size}, so this shows nothing");
    let tau = model.manifest().tolerance.step.to_f32();
    let mut off_by = |part: f32| {
        let mut tensors = after.clone();
        tensors[1][9] += part * size;
        let (before, after) = (State::new(before.clone()), State::new(tensors));
        let step = Transition::Step { k: 30, before: &before, after: &after };
        let deviation = model.check(&request.clone().into(), &[step]).unwrap()[0];
        guilty(&deviation, &model)
    };
    assert!(!off_by(0.8 * tau));
    assert!(off_by(1.2 * tau));
}

#[test]
fn a_step_of_any_scheduler_needs_nothing_but_the_state_before() {
    let mut model = stock().load().unwrap();
    for scheduler in NAMES {
        let request = ImageBody { strength: None, ..with_picture(&model, scheduler, "1") };
        let result = run(&mut model, &request, &[]).unwrap();
        let body = Body::from(request.clone());
        let mut open = model.open(&body).unwrap();
        let zeros = &result.states[0].tensors()[1..];
        assert!(zeros.iter().flatten().all(|value| *value == 0.0));
        assert_eq!(zeros.len(), usize::from(*scheduler == "dpmpp-2m"));
        for k in [6, 0, 3] {
            let before = State::from_bytes(&open.lengths(k), &result.states[k as usize].to_bytes()).unwrap();
            assert_eq!(open.step(k, &before).unwrap(), result.states[k as usize + 1], "{scheduler}, step {k}");
        }
    }
}

#[test]
fn added_noise_is_keyed_by_seed_and_step() {
    let mut model = stock().load().unwrap();
    for (scheduler, adds) in [("euler-ancestral", true), ("lcm", true), ("dpmpp-2m", false)] {
        // Without guidance, and with one state, only the noise of the seed and the step tells transitions apart.
        let after = |model: &mut Model, seed: u64| {
            let request = ImageBody { seed, strength: None, ..with_picture(model, scheduler, "1") };
            let mut open = model.open(&request.into()).unwrap();
            let state = State::new(vec![vec![0.5; 256]; open.lengths(0).len()]);
            [0, 7].map(|k| open.step(k, &state).unwrap().to_bytes())
        };
        let [one, other] = [1, 2].map(|seed| after(&mut model, seed));
        assert_eq!(one[0] != other[0], adds, "{scheduler}");
        // The last step leads to no noise.
        assert_eq!(one[1], other[1], "{scheduler}");
        assert_eq!(after(&mut model, 1), one);
    }
    // As diffusers' pictures differ by scheduler, so do these.
    let mut roots: Vec<_> = NAMES
        .iter()
        .map(|name| {
            let request = ImageBody { scheduler: (*name).into(), ..body(&model, "a tree", 1) };
            generate(&mut model, &request).unwrap().trace_root()
        })
        .collect();
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), NAMES.len());
}

#[test]
fn a_manifest_lists_the_tensors_of_its_largest_state() {
    let copy = stock();
    copy.alter_manifest(|manifest| manifest["state"].as_array_mut().unwrap().truncate(1));
    assert!(refused(copy.load()).to_string().contains("[[4, 8, 8], [4, 8, 8]]"));
    copy.alter_manifest(|manifest| manifest["limits"]["schedulers"] = json!(["ddim", "lcm"]));
    copy.load().unwrap();
    let latents = json!({ "name": "latents", "shape": [4, 8, 8] });
    copy.alter_manifest(|manifest| manifest["state"] = json!([latents, latents]));
    assert!(refused(copy.load()).to_string().contains("has [[4, 8, 8]]"));
}
