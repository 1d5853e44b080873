//! Requests run as one batch, and traces checked by several threads.

mod common;

use common::{Copy, ONE_THREAD, body, generate, tiny_model};
use cuckoo_inference::{Deviation, Device, Generation, InferenceError, Transition, alike};
use cuckoo_protocol::body::{Body, ImageBody};
use serde_json::json;
use std::ops::ControlFlow;

fn transitions(generation: &Generation) -> Vec<Transition<'_>> {
    let (states, output) = (&generation.states, &generation.output);
    let mut transitions = vec![Transition::Init { blob: &[], after: &states[0] }];
    transitions.extend(states.windows(2).zip(0..).map(|(pair, k)| Transition::Step {
        k,
        before: &pair[0],
        after: &pair[1],
    }));
    transitions.push(Transition::Finish { before: states.last().unwrap(), output });
    transitions
}

#[test]
fn a_request_in_a_batch_leaves_the_trace_that_it_leaves_alone() {
    let mut model = tiny_model(&ONE_THREAD);
    let bodies: Vec<ImageBody> = ["a red apple", "two green cats", "a tree", ""]
        .iter()
        .zip(0..)
        .map(|(prompt, seed)| ImageBody {
            guidance: format!("{}", seed + 2).parse().unwrap(),
            ..body(&model, prompt, seed)
        })
        .collect();
    let requests: Vec<Body> = bodies.iter().cloned().map(Into::into).collect();
    let mut seen = vec![Vec::new(); 4];
    let results = model.generate_batch(&requests, &mut |at, done, steps| {
        seen[at].push((done, steps));
        ControlFlow::Continue(())
    });
    assert_eq!(results.len(), 4);
    for ((result, body), seen) in results.into_iter().zip(&bodies).zip(seen) {
        let together = result.unwrap();
        let alone = generate(&mut model, body).unwrap();
        assert_eq!(together.states[0], alone.states[0], "the first state has no rounding");
        assert_eq!(seen, (0..=body.steps).map(|done| (done, body.steps)).collect::<Vec<_>>(), "told once each");
        let tolerance = model.manifest().tolerance.clone();
        for deviation in model.check(&body.clone().into(), &transitions(&together)).unwrap() {
            assert!(deviation.within(&tolerance), "{deviation:?}");
            if let Deviation::Step { max, .. } = deviation {
                assert!(max < 2e-5, "{deviation:?}");
            }
        }
        // Not merely near: the same picture, but for rounding.
        assert!(model.check(&body.clone().into(), &transitions(&alone)).unwrap().len() == alone.states.len() + 1);
    }
}

#[test]
fn one_of_a_batch_may_be_given_up_or_be_wrong() {
    let mut model = tiny_model(&ONE_THREAD);
    let [first, second] = [1, 2].map(|seed| ImageBody { steps: 4, ..body(&model, "a red apple", seed) });
    let alone = generate(&mut model, &second).unwrap();
    let requests: Vec<Body> = [&first, &second].map(|body| body.clone().into()).into();
    let mut results = model.generate_batch(&requests, &mut |at, done, _| {
        if at == 0 && done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let kept = results.pop().unwrap().unwrap();
    assert!(matches!(results.pop(), Some(Err(InferenceError::Cancelled { done: 2, steps: 4 }))));
    assert_eq!(kept.states.len(), alone.states.len());
    let off = kept.states[4].tensors()[0].iter().zip(&alone.states[4].tensors()[0]).map(|(a, b)| (a - b).abs());
    assert!(off.fold(0.0, f32::max) < 1e-4);

    // All given up: nothing more is run.
    let mut calls = 0;
    let results = model.generate_batch(&requests, &mut |_, _, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert_eq!(calls, 2);
    assert!(results.iter().all(|result| matches!(result, Err(InferenceError::Cancelled { done: 0, .. }))));

    // What the manifest does not allow is refused alone.
    let wrong: Body = ImageBody { width: 64, height: 64, ..first.clone() }.into();
    let mut results =
        model.generate_batch(&[wrong.clone(), wrong, requests[1].clone()], &mut |_, _, _| ControlFlow::Continue(()));
    assert_eq!(results.pop().unwrap().unwrap().trace_root(), alone.trace_root());
    assert!(results.iter().all(|result| matches!(result, Err(InferenceError::Body(_)))));
}

#[test]
fn only_like_requests_share_a_batch() {
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["limits"]["sizes"] = json!([[32, 32], [64, 32]]));
    let model = copy.load().unwrap();
    let request = body(&model, "a tree", 0);
    let like = ImageBody { prompt: "a cat".into(), seed: 9, guidance: "7".parse().unwrap(), ..request.clone() };
    assert!(alike(&request.clone().into(), &like.into()));
    for unlike in [
        ImageBody { width: 64, ..request.clone() },
        ImageBody { steps: request.steps + 1, ..request.clone() },
        ImageBody { guidance: "1".parse().unwrap(), ..request.clone() },
        ImageBody { scheduler: "euler".into(), ..request.clone() },
        ImageBody { strength: Some("0.5".parse().unwrap()), ..request.clone() },
    ] {
        assert!(!alike(&request.clone().into(), &unlike.clone().into()), "{unlike:?}");
    }
}

#[test]
fn several_threads_find_what_one_finds_in_the_same_order() {
    let mut one = tiny_model(&ONE_THREAD);
    let mut three = tiny_model(&Device::Cpu { threads: 3 });
    let request = body(&one, "a red apple on a blue background", 5);
    let honest = generate(&mut one, &request).unwrap();
    let mut cheat = honest.clone();
    // One false state is two false transitions.
    cheat.states[4] = cheat.states[3].clone();
    let request: Body = request.into();
    for (trace, guilty) in [(&honest, &[][..]), (&cheat, &[4, 5])] {
        let transitions = transitions(trace);
        let found = three.check(&request, &transitions).unwrap();
        assert_eq!(found, one.check(&request, &transitions).unwrap());
        let tolerance = &one.manifest().tolerance;
        let over: Vec<usize> = (0..found.len()).filter(|&at| !found[at].within(tolerance)).collect();
        assert_eq!(over, guilty);
    }
    let past = [Transition::Step { k: 10, before: &honest.states[0], after: &honest.states[1] }; 3];
    assert!(matches!(three.check(&request, &past), Err(InferenceError::Step { step: 10, last: 9 })));
}
