//! A picture drawn in the manner of another is the one that Python draws, and false ones are found.

mod common;

use common::{Copy, ONE_THREAD, fetched, floats, read_json, refused, start_runtime};
use cuckoo_inference::{Deviation, InferenceError, Model, Output, Package, State, Transition};
use cuckoo_protocol::body::Body;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The made-up content and style of agents/inference/testdata/style.py, one after the other.
fn blob() -> Vec<u8> {
    let content = |y: usize, x: usize| [2 * y + x, 3 * x, (y / 32 + x / 32) % 2 * 200];
    let style = |y: usize, x: usize| [5 * y, 7 * x + y, x * y];
    let picture = |side: usize, pixel: &dyn Fn(usize, usize) -> [usize; 3]| -> Vec<u8> {
        let places = (0..side).flat_map(|y| (0..side).map(move |x| (y, x)));
        places.flat_map(|(y, x)| pixel(y, x)).map(|value| (value % 256) as u8).collect()
    };
    [picture(384, &content), picture(256, &style)].concat()
}

fn model() -> (Model, Body) {
    start_runtime();
    let model = Model::load(&Package::open(fetched("magenta-style")).unwrap(), &ONE_THREAD).unwrap();
    let body = model.manifest().style_body().unwrap().into();
    (model, body)
}

fn generate(model: &mut Model, body: &Body, blob: &[u8]) -> Result<(Vec<State>, Output), InferenceError> {
    model.generate(body, blob, &mut |_, _| ControlFlow::Continue(())).map(|made| (made.states, made.output))
}

#[test]
fn a_picture_is_the_one_that_python_draws() {
    let golden = read_json("models/golden/style.json");
    let (mut model, body) = model();
    let (states, output) = generate(&mut model, &body, &blob()).unwrap();
    assert_eq!(states.len(), 3);
    let vector = floats(&golden["vector"]);
    let largest = vector.iter().copied().map(f32::abs).fold(0.0, f32::max);
    let errors = states[1].tensors()[1].iter().zip(&vector).map(|(a, b)| (a - b).abs());
    assert_eq!(states[1].tensors()[1].len(), vector.len());
    // Integer kernels differ between kinds of processors, by as much as the manifest tolerates.
    let error = errors.fold(0.0, f32::max);
    assert!(error <= 0.05 * largest, "the style's vector is off by {error:e} of {largest}");

    let expected: Vec<u8> = serde_json::from_value(golden["pixels"].clone()).unwrap();
    let image = output.image().unwrap();
    assert_eq!((image.width, image.height, expected.len()), (384, 384, 24 * 24 * 3));
    let at = |row: usize, column: usize| &image.rgb[(row * 384 + column) * 3..][..3];
    let found = (0..24).flat_map(|row| (0..24).flat_map(move |column| at(16 * row, 16 * column)));
    let off = found.zip(&expected).filter(|(a, b)| a.abs_diff(**b) > 2).count();
    // Where the vector is Python's, so is the picture.
    assert!(error > 1e-5 || off == 0, "{off} values of {} are off", expected.len());
}

#[test]
fn each_transition_stands_alone_and_false_ones_are_found() {
    let ((mut miner, body), (mut checker, _)) = (model(), model());
    let blob = blob();
    let (states, output) = generate(&mut miner, &body, &blob).unwrap();
    let tolerance = checker.manifest().tolerance.clone();
    let mut guilty = |claim: Transition<'_>| !checker.check(&body, &[claim]).unwrap()[0].within(&tolerance);
    let init = Transition::Init { blob: &blob, after: &states[0] };
    let steps = [0, 1].map(|k| Transition::Step { k, before: &states[k as usize], after: &states[k as usize + 1] });
    let finish = Transition::Finish { before: &states[2], output: &output };
    for honest in [init, steps[0], steps[1], finish] {
        assert!(!guilty(honest), "{honest:?}");
    }

    // Another content, another style: in the blob, and in the states.
    for at in [0, 384 * 384 * 3] {
        let mut other = blob.clone();
        other[at] ^= 1;
        assert!(guilty(Transition::Init { blob: &other, after: &states[0] }));
    }
    let mut other = blob.clone();
    other[384 * 384 * 3..].reverse();
    let (others, drawn) = generate(&mut miner, &body, &other).unwrap();
    assert!(guilty(Transition::Step { k: 0, before: &states[0], after: &others[1] }));
    assert!(guilty(Transition::Step { k: 1, before: &states[1], after: &others[2] }));
    assert!(guilty(Transition::Finish { before: &states[2], output: &drawn }));
    // The content must be carried on as it is.
    let mut tensors = states[1].tensors().to_vec();
    tensors[0][5] += 0.001;
    assert!(guilty(Transition::Step { k: 0, before: &states[0], after: &State::new(tensors) }));
    // The content undrawn.
    let undrawn = State::new(vec![states[0].tensors()[0].clone()]);
    assert!(guilty(Transition::Step { k: 1, before: &states[1], after: &undrawn }));

    let Output::Image(mut image) = output.clone() else { panic!("a picture") };
    image.rgb[1000] = image.rgb[1000].wrapping_add(if image.rgb[1000] < 128 { 2 } else { 254 });
    let off = Output::Image(image);
    let finish = Transition::Finish { before: &states[2], output: &off };
    assert_eq!(checker.check(&body, &[finish]).unwrap(), [Deviation::Finish { pixel: 2 }]);
}

#[test]
fn pictures_of_other_sizes_are_refused() {
    let (mut model, body) = model();
    for length in [0, blob().len() - 1, blob().len() + 1] {
        let error = refused(generate(&mut model, &body, &vec![0; length]));
        assert!(matches!(error, InferenceError::Blob { found, .. } if found == length), "{error}");
    }
    let mut run = model.open(&body).unwrap();
    assert!(matches!(refused(run.init(&[0; 3])), InferenceError::Blob { .. }));
    // A byte is a fraction of 255, the same bits everywhere.
    let mut bytes = blob();
    bytes[..3].copy_from_slice(&[0, 51, 255]);
    bytes[384 * 384 * 3..][..3].copy_from_slice(&[255, 0, 51]);
    let state = run.init(&bytes).unwrap();
    assert_eq!(state.tensors()[0][..3], [0.0, 0.2, 1.0]);
    assert_eq!(state.tensors()[1][..3], [1.0, 0.0, 0.2]);
    assert!(matches!(refused(run.step(2, &state)), InferenceError::Step { step: 2, last: 1 }));
    assert!(matches!(refused(run.step(1, &state)), InferenceError::State { .. }));
    assert!(matches!(refused(run.finish(&state)), InferenceError::State { .. }));

    type Alter = fn(&mut Value);
    let cases: [(Alter, &str); 4] = [
        (|m| m["limits"]["sizes"] = json!([[384, 384], [256, 384]]), "content_image does not take"),
        (|m| m["limits"]["style_sizes"] = json!([[256, 256], [256, 128]]), "style_image does not take"),
        (|m| m["state"][0]["shape"] = json!([384, 384, 4]), "lists states"),
        (|m| m["program"] = json!("embedding"), "not those of embeddings"),
    ];
    for (alter, expected) in cases {
        let copy = Copy::of(&fetched("magenta-style"));
        let error = refused(copy.alter_manifest(alter).load()).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
