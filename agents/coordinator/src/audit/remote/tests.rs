//! What is found without the model, from what a real model says elsewhere.

use super::{
    known::{Known, Proof, Stock},
    subject::{Subject, read_answer},
};
use crate::audit::{Evidence, examine};
use alloy::primitives::{Address, U256};
use cuckoo_inference::{Device, Model, Package, State, Successors, runtime};
use cuckoo_protocol::{body::Body, trace::pack};
use std::{ops::ControlFlow, path::Path, sync::Arc};

const ONE: Address = Address::repeat_byte(1);
const TWO: Address = Address::repeat_byte(2);

fn model() -> Model {
    runtime::init(None).unwrap_or_else(|e| panic!("these tests need ONNX Runtime: {e}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/cuckoo-tiny");
    Model::load(&Package::open(folder).unwrap(), &Device::Cpu { threads: 1 }).unwrap()
}

/// An honest trace.
fn subject(model: &mut Model) -> Subject {
    let manifest = model.manifest().clone();
    let body = manifest.default_body("a green tree".to_owned());
    let generation = model.generate(&body, &[], &mut |_, _| ControlFlow::Continue(())).unwrap();
    Subject {
        model_id: manifest.model_id(),
        manifest,
        body,
        request: vec![],
        states: generation.states.iter().map(State::to_bytes).collect(),
        output: generation.output,
        miner: ONE,
        price: U256::from(1),
        unit_price: U256::from(1),
        expiry: 0,
    }
}

/// What an honest checker hands over, packed and read again.
fn answer(model: &mut Model, body: &Body, states: &[Vec<u8>]) -> Successors {
    let led = model.successors(body, states).unwrap();
    let mut parts = led.states.clone();
    parts.extend(led.output.map(|output| output.file().unwrap()));
    read_answer(body, states.len(), &pack(&parts).into()).unwrap()
}

fn shift(state: &mut [u8], by: f32) {
    let value = f32::from_le_bytes(state[40..44].try_into().unwrap()) + by;
    state[40..44].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn a_false_trace_is_found_where_the_model_itself_finds_it() {
    let mut model = model();
    let honest = subject(&mut model);
    let led = answer(&mut model, &honest.body, &honest.states);
    assert_eq!(honest.judge(&led), Some(None));
    for at in [0, 1, 7, honest.states.len() - 1] {
        let mut forged = subject(&mut model);
        shift(&mut forged.states[at], 0.5);
        let found = forged.judge(&answer(&mut model, &forged.body, &forged.states)).unwrap().unwrap();
        let evidence = Evidence {
            body: forged.body.clone(),
            blob: Vec::new(),
            states: forged.states.clone(),
            output: forged.output.clone(),
        };
        let own = examine(&mut model, &evidence).unwrap().unwrap();
        assert_eq!((found.transition, found.tile), (own.transition, own.tile), "{found:?} {own:?}");
    }
    let mut swapped = subject(&mut model);
    let cuckoo_inference::Output::Image(picture) = &mut swapped.output else { panic!("no picture") };
    picture.rgb[0] ^= 0xff;
    let found = swapped.judge(&answer(&mut model, &swapped.body, &swapped.states)).unwrap().unwrap();
    assert_eq!((found.transition as usize, found.tile), (swapped.states.len(), Some(0)));
}

#[test]
fn states_of_another_size_or_that_are_not_finite_are_found_and_short_answers_are_none() {
    let mut model = model();
    for at in [0, 3] {
        let mut short = subject(&mut model);
        short.states[at].truncate(4);
        let found = short.judge(&answer(&mut model, &short.body, &short.states)).unwrap().unwrap();
        assert_eq!(found.transition, at as u32);
    }
    let mut infinite = subject(&mut model);
    infinite.states[3][40..44].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(infinite.judge(&answer(&mut model, &infinite.body, &infinite.states)).unwrap().is_some());

    let honest = subject(&mut model);
    let led = answer(&mut model, &honest.body, &honest.states);
    let without_end = Successors { states: led.states[..5].to_vec(), output: None };
    assert_eq!(honest.judge(&without_end), None);
    assert_eq!(honest.judge(&Successors { output: None, ..led }), None);
    for garbage in [vec![], vec![1; 40], pack::<Vec<u8>>(&[]), pack(&vec![vec![0]; 30])] {
        assert!(read_answer(&honest.body, honest.states.len(), &garbage.into()).is_none());
    }
}

#[test]
fn known_work_tells_who_computes_from_who_hands_back_what_it_got() {
    let mut model = model();
    let honest = Arc::new(subject(&mut model));
    let mut forged = subject(&mut model);
    shift(&mut forged.states[4], 0.5);
    let forged = Arc::new(forged);
    let led = answer(&mut model, &forged.body, &forged.states);
    let finding = forged.judge(&led).unwrap().unwrap();
    let of_false = Known::of_false(forged, &finding, led, vec![]).unwrap();
    // Wherever the disturbance falls.
    let of_right = (0..20).map(|_| Known::of_right(honest.clone(), vec![]).unwrap());
    for known in of_right.chain([of_false]) {
        assert_eq!(known.shown.iter().zip(&known.subject.states).filter(|(a, b)| a.len() != b.len()).count(), 0);
        let right = answer(&mut model, &known.subject.body, &known.shown);
        assert_eq!(known.prove(&right), Some(Proof::Right));
        // It only draws the output, from the last state: there nobody can tell.
        let echo = Successors { states: known.shown.clone(), ..right.clone() };
        assert_eq!(known.prove(&echo), Some(Proof::Echo));
        let mut garbage = right.clone();
        garbage.states.iter_mut().skip(1).for_each(|state| shift(state, 1.0));
        assert_eq!(known.prove(&garbage), Some(Proof::Other));
        assert_eq!(known.prove(&Successors { output: None, ..right }), None);
    }
}

#[test]
fn nobody_gets_known_work_that_it_has_seen() {
    let mut model = model();
    let stock = Stock::default();
    stock.add(Known::of_right(Arc::new(subject(&mut model)), vec![ONE]));
    let any = |_: &Subject| true;
    assert!(stock.take(ONE, any).is_none() && stock.take(TWO, |_| false).is_none());
    let known = stock.take(TWO, any).unwrap();
    assert!(stock.take(TWO, any).is_none());
    assert!(stock.take(Address::ZERO, any).is_some());
    stock.remove(&known);
    assert!(stock.take(Address::repeat_byte(3), any).is_none());
}
