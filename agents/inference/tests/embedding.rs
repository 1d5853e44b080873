//! Texts become the vectors that Python makes of them, and false vectors are found.

mod common;

use common::{Copy, ONE_THREAD, fetched, floats, read_json, refused, start_runtime};
use cuckoo_inference::{
    Deviation, Device, Generation, InferenceError, Model, Output, Package, State, Transition, Vectors, runtime::Feeding,
};
use cuckoo_protocol::{body::Body, trace};
use serde_json::{Value, json};
use std::ops::ControlFlow;

fn minilm() -> Model {
    start_runtime();
    Model::load(&Package::open(fetched("minilm")).unwrap(), &ONE_THREAD).unwrap()
}

fn body(model: &Model, input: &[&str]) -> Body {
    model.manifest().embedding_body(input.iter().map(ToString::to_string).collect()).unwrap().into()
}

fn generate(model: &mut Model, body: &Body) -> Generation {
    model.generate(body, &[], &mut |_, _| ControlFlow::Continue(())).unwrap()
}

fn vectors(generation: &Generation) -> &Vectors {
    generation.output.vectors().expect("vectors")
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn texts_become_the_vectors_that_python_makes() {
    let cases = read_json("models/golden/minilm.json")["cases"].as_array().expect("cases").clone();
    assert!(cases.len() >= 13);
    let texts: Vec<&str> = cases.iter().map(|case| case["text"].as_str().unwrap()).collect();
    let mut model = minilm();
    let request = body(&model, &texts);
    let generation = generate(&mut model, &request);
    assert_eq!(generation.states_count(), 2);
    let found: Vec<&[f32]> = vectors(&generation).iter().collect();
    assert_eq!(found.len(), cases.len());
    for ((case, found), ids) in cases.iter().zip(&found).zip(generation.states[0].tensors()) {
        assert_eq!(*ids, floats(&case["ids"]), "{}", case["text"]);
        let expected = floats(&case["vector"]);
        assert_eq!(found.len(), expected.len());
        let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error <= 1e-5, "{}: off by {error:e}", case["text"]);
        assert!((cosine(found, found) - 1.0).abs() < 1e-6);
    }
    // What they are about is what brings them close.
    assert!(cosine(found[0], found[1]) > 0.7 && cosine(found[0], found[2]) < 0.1);
}

#[test]
fn a_text_means_the_same_in_any_company() {
    let mut model = minilm();
    let text = "A cuckoo lays its eggs in the nests of other birds.";
    let (alone, among) = (body(&model, &[text]), body(&model, &["a", text, "many more words than the others have"]));
    let [alone, among] = [alone, among].map(|request| generate(&mut model, &request));
    assert_eq!(vectors(&alone).values, vectors(&among).iter().nth(1).unwrap());
    // The output is committed to by its bytes.
    let bytes = alone.output.file().unwrap();
    assert_eq!(bytes.len(), 384 * 4);
    assert_eq!(Some(alone.output_hash().unwrap()), trace::bytes_hash(&bytes));
    assert_ne!(alone.trace_root(), among.trace_root());
}

fn init(after: &State) -> Transition<'_> {
    Transition::Init { blob: &[], after }
}

fn step<'a>(before: &'a State, after: &'a State) -> Transition<'a> {
    Transition::Step { k: 0, before, after }
}

/// Whether a claim is guilty, and how far it is off.
fn judge(checker: &mut Model, request: &Body, claim: Transition<'_>) -> (bool, Deviation) {
    let deviation = checker.check(request, &[claim]).unwrap()[0];
    (!deviation.within(&checker.manifest().tolerance), deviation)
}

#[test]
fn false_vectors_are_found() {
    let (mut miner, mut checker) = (minilm(), minilm());
    let request = body(&miner, &["The weather is fine.", "Stocks fell."]);
    let honest = generate(&mut miner, &request);
    let [ids, means] = &honest.states[..] else { panic!("two states") };
    let mut judge = |transition: Transition<'_>| judge(&mut checker, &request, transition);
    assert_eq!(judge(init(ids)).1, Deviation::Init { exact: true });
    assert!(!judge(step(ids, means)).0);
    assert!(!judge(Transition::Finish { before: means, output: &honest.output }).0);

    let changed = |state: &State, at: usize, change: &dyn Fn(&mut Vec<f32>)| {
        let mut tensors = state.tensors().to_vec();
        change(&mut tensors[at]);
        State::new(tensors)
    };
    assert!(judge(init(&changed(ids, 1, &|ids| ids[1] += 1.0))).0);
    // Of either text, by as little as a hundredth.
    for text in [0, 1] {
        assert!(judge(step(ids, &changed(means, text, &|mean| mean.iter_mut().for_each(|x| *x *= 1.01)))).0);
        assert!(judge(step(ids, &changed(means, text, &|mean| mean[7] += 0.01))).0);
        assert!(!judge(step(ids, &changed(means, text, &|mean| mean[7] *= 1.0 + 1e-6))).0);
    }
    // The other text's vector, and what follows from ids that are none.
    assert!(judge(step(ids, &State::new(vec![means.tensors()[1].clone(), means.tensors()[0].clone()]))).0);
    for none in [f32::NAN, f32::INFINITY, -1.0, 0.5, 30_522.0, 1e30] {
        let (guilty, deviation) = judge(step(&changed(ids, 0, &|ids| ids[1] = none), means));
        assert!(guilty && matches!(deviation, Deviation::Step { max: f64::INFINITY, .. }), "{none}");
    }

    let Output::Vectors(vectors) = &honest.output else { panic!("vectors") };
    for (change, is_guilty) in [(1e-6, false), (0.01, true), (f32::NAN, true)] {
        let mut vectors = vectors.clone();
        vectors.values[500] += change;
        let output = Output::Vectors(vectors);
        assert_eq!(judge(Transition::Finish { before: means, output: &output }).0, is_guilty, "{change}");
    }
    for wrong in [Vectors { dimensions: 768, ..vectors.clone() }, Vectors { dimensions: 384, values: vec![0.0; 384] }] {
        let output = Output::Vectors(wrong);
        let outcome = checker.check(&request, &[Transition::Finish { before: means, output: &output }]);
        assert!(matches!(refused(outcome), InferenceError::Output { .. }));
    }
}

#[test]
fn transitions_of_another_shape_are_refused() {
    let mut model = minilm();
    let request = body(&model, &["one text"]);
    let generation = generate(&mut model, &request);
    let mut run = model.open(&request).unwrap();
    let [ids, means] = &generation.states[..] else { panic!("two states") };
    assert!(matches!(refused(run.step(1, means)), InferenceError::Step { step: 1, last: 0 }));
    assert!(matches!(refused(run.step(0, means)), InferenceError::State { .. }));
    assert!(matches!(refused(run.finish(ids)), InferenceError::State { .. }));
}

#[test]
fn integer_weights_are_audited_on_the_cpu_and_cost_no_stake() {
    start_runtime();
    let package = Package::open(fetched("minilm")).unwrap();
    assert!(!package.manifest().slashable());
    assert!(Package::open(common::repository("models/cuckoo-tiny")).unwrap().manifest().slashable());
    let error = refused(Model::load(&package, &Device::Cuda { id: 0, memory_limit: None, feeding: Feeding::Bound }));
    assert!(error.to_string().contains("CPU only"), "{error}");
}

#[test]
fn packages_that_do_not_fit_are_refused() {
    const POOLING: &str = "1_Pooling/config.json";
    type Alter = fn(&mut Value);
    let cases: [(&str, Alter, &str); 6] = [
        ("sentence_bert_config.json", |c| c["max_seq_length"] = json!(2), "max_seq_length"),
        ("sentence_bert_config.json", |c| c["max_seq_length"] = json!(1_000_000), "max_seq_length"),
        (POOLING, |c| c["pooling_mode_cls_token"] = json!(true), "mean"),
        (POOLING, |c| c["word_embedding_dimension"] = json!(768), "768"),
        ("tokenizer.json", |c| c["model"] = json!({}), "malformed"),
        // Tokens that the network has no embedding for.
        ("tokenizer.json", |c| c["model"]["vocab"]["a"] = json!(99_999), "onnx"),
    ];
    for (file, alter, expected) in cases {
        let error = refused(Copy::of(&fetched("minilm")).alter(file, alter).load()).to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
    let copy = Copy::of(&fetched("minilm"));
    copy.alter_manifest(|manifest| manifest["state"][0]["shape"] = json!([256, 384]));
    assert!(refused(copy.load()).to_string().contains("lists states"));
    let copy = Copy::of(&fetched("minilm"));
    copy.alter_manifest(|manifest| manifest["program"] = json!("diffusion/text-to-image"));
    assert!(refused(copy.load()).to_string().contains("not those of pictures"));
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["program"] = json!("embedding"));
    assert!(refused(copy.load()).to_string().contains("not those of embeddings"));
}
