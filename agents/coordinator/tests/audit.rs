//! What an audit finds, on the small model: every cheat is named at the transition where it lies, and nobody else.

use cuckoo_coordinator::audit::{Checker, Evidence, Finding, examine};
use cuckoo_inference::{Device, Generation, Model, Output, Package, State, runtime};
use cuckoo_protocol::body::ImageBody;
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/cuckoo-tiny")
}

fn model(threads: usize) -> Model {
    runtime::init(None).unwrap_or_else(|e| panic!("these tests need ONNX Runtime: {e}"));
    Model::load(&Package::open(folder()).unwrap(), &Device::Cpu { threads }).unwrap()
}

fn body(model: &Model, prompt: &str, seed: u64) -> ImageBody {
    ImageBody { seed, ..model.manifest().image_body(prompt.to_owned()).unwrap() }
}

fn draw(model: &mut Model, body: &ImageBody) -> Generation {
    model.generate(&body.clone().into(), &[], &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// What a miner hands over that claims `generation` to be the answer to `body`.
fn claim(body: &ImageBody, generation: &Generation) -> Evidence {
    let states = generation.states.iter().map(State::to_bytes).collect();
    Evidence { body: body.clone().into(), blob: Vec::new(), states, output: generation.output.clone() }
}

fn found(model: &mut Model, evidence: &Evidence) -> Finding {
    examine(model, evidence).unwrap().expect("a finding")
}

#[test]
fn honest_work_is_found_honest_whatever_machine_did_it() {
    let mut judge = model(1);
    for (threads, seed) in [(1, 1), (2, 2), (3, 3)] {
        let mut worker = model(threads);
        let body = body(&worker, "a red apple", seed);
        let evidence = claim(&body, &draw(&mut worker, &body));
        assert_eq!(examine(&mut judge, &evidence).unwrap(), None);
    }
}

#[test]
fn each_cheat_is_named_where_it_lies() {
    let mut model = model(1);
    let asked = body(&model, "a red apple", 7);
    let honest = draw(&mut model, &asked);
    let steps = asked.steps;

    // Another seed, another picture: every step is right, the start is not.
    let other = ImageBody { seed: 8, ..asked.clone() };
    let other = draw(&mut model, &other);
    assert_eq!(found(&mut model, &claim(&asked, &other)).transition, 0);

    // A fresh start before the trace of another seed: one false step, wherever it is put.
    for seam in [1, 4] {
        let mut spliced = claim(&asked, &other);
        spliced.states[..seam].clone_from_slice(&claim(&asked, &honest).states[..seam]);
        assert_eq!(found(&mut model, &spliced).transition, seam as u32);
    }

    // Without guidance, and another prompt.
    let unguided = draw(&mut model, &ImageBody { guidance: "1".parse().unwrap(), ..asked.clone() });
    assert!((1..=steps).contains(&found(&mut model, &claim(&asked, &unguided)).transition));
    let elsewhere = draw(&mut model, &ImageBody { prompt: "a blue house".to_owned(), ..asked.clone() });
    assert!((1..=steps).contains(&found(&mut model, &claim(&asked, &elsewhere)).transition));

    // Half of the steps, each shown twice.
    let half = draw(&mut model, &ImageBody { steps: steps / 2, ..asked.clone() });
    let mut stretched = claim(&asked, &half);
    stretched.states = (0..=steps).map(|k| half.states[(k / 2) as usize].to_bytes()).collect();
    assert!((1..=steps).contains(&found(&mut model, &stretched).transition));

    // One late state that is a little off.
    let mut late = claim(&asked, &honest);
    let last = late.states.len() - 1;
    for four in late.states[last].as_chunks_mut::<4>().0 {
        *four = (f32::from_le_bytes(*four) + 0.05).to_le_bytes();
    }
    assert_eq!(found(&mut model, &late).transition, last as u32);

    // The right trace, another's picture.
    let swapped = Evidence { output: other.output.clone(), ..claim(&asked, &honest) };
    let finding = found(&mut model, &swapped);
    assert_eq!((finding.transition, finding.tile), (steps + 1, Some(0)));
    let Output::Image(picture) = &other.output else { panic!("it draws") };
    assert_eq!((picture.width, picture.height), (asked.width, asked.height));

    // Numbers that are none, and states of another size.
    let mut infinite = claim(&asked, &honest);
    infinite.states[3][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(found(&mut model, &infinite).transition, 3);
    let mut short = claim(&asked, &honest);
    short.states[2].truncate(8);
    assert_eq!(found(&mut model, &short).transition, 2);
}

#[tokio::test]
async fn a_checker_confirms_what_it_finds_and_needs_the_models_files() {
    let mut worker = model(2);
    let asked = body(&worker, "a green tree", 1);
    let honest = draw(&mut worker, &asked);
    let checker = Checker::start(None, vec![folder()], 1).await.unwrap();
    let model_id = worker.manifest().model_id();
    assert_eq!(checker.check(model_id, claim(&asked, &honest)).await.unwrap(), None);
    let other = ImageBody { seed: 2, ..asked };
    assert_eq!(checker.check(model_id, claim(&other, &honest)).await.unwrap().unwrap().transition, 0);
    assert!(checker.check(Default::default(), claim(&other, &honest)).await.is_err(), "an unknown model");

    let bare = tempfile::tempdir().unwrap();
    std::fs::copy(folder().join("cuckoo.json"), bare.path().join("cuckoo.json")).unwrap();
    let error = Checker::start(None, vec![bare.path().to_owned()], 1).await.err().unwrap();
    assert!(format!("{error:#}").contains("--audit-rate 0"), "{error:#}");
}
