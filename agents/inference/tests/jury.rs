//! What jurors find, and whether they agree. `UPDATE_VECTORS=1` writes testdata/probes.json anew, which changes what jurors are paid for.

mod common;

use alloy::primitives::keccak256;
use common::{ONE_THREAD, body, generate, image, tiny_model};
use cuckoo_inference::{Deviation, Device, Evidence, Finding, Generation, Model};
use cuckoo_protocol::{body::Body, trace::picture_tiles};
use serde_json::{Value, json};
use std::{env, fs};

struct Case {
    model: Model,
    request: Body,
    states: Vec<Vec<u8>>,
    tile: Vec<u8>,
}

impl Case {
    fn new(device: &Device) -> Self {
        let mut model = tiny_model(device);
        let request = body(&model, "a red apple", 5);
        let honest: Generation = generate(&mut model, &request).unwrap();
        let picture = image(&honest);
        let tile = picture_tiles(picture.width, picture.height, &picture.rgb).unwrap().remove(0);
        let states = honest.states.iter().map(|state| state.to_bytes()).collect();
        Self { model, request: request.into(), states, tile }
    }

    fn evidence(&self, transition: usize) -> Evidence<'_> {
        match transition {
            0 => Evidence::Init { blob: &[], after: &self.states[0] },
            k if k < self.states.len() => {
                Evidence::Step { k: k as u32 - 1, before: &self.states[k - 1], after: &self.states[k] }
            }
            _ => Evidence::Finish { before: self.states.last().unwrap(), index: 0, tile: &self.tile },
        }
    }

    fn judge(&mut self, evidence: Evidence<'_>, seed: u8) -> Finding {
        self.model.judge(&self.request, &evidence, keccak256([seed])).unwrap()
    }
}

/// Transitions of the request that are judged here: `init`, the first, a middle and the last step, `finish`.
const TRANSITIONS: [usize; 5] = [0, 1, 5, 10, 11];

#[test]
fn honest_jurors_acquit_an_honest_miner_and_agree_on_the_probe() {
    let accused = Case::new(&Device::Cpu { threads: 2 });
    let mut juror = tiny_model(&ONE_THREAD);
    let mut other = tiny_model(&Device::Cpu { threads: 2 });
    for transition in TRANSITIONS {
        let evidence = accused.evidence(transition);
        let seed = keccak256([1]);
        let judge = |model: &mut Model, seed| model.judge(&accused.request, &evidence, seed).unwrap();
        let (first, second) = (judge(&mut juror, seed), judge(&mut other, seed));
        assert!(!first.guilty && !second.guilty, "{transition}: {first:?}");
        assert!((first.probe - second.probe).abs() < 1e-4 * first.probe, "{transition}: {first:?} {second:?}");
        // Another round, another number: nobody carries one over.
        let later = judge(&mut juror, keccak256([2])).probe;
        assert!((first.probe - later).abs() > 1e-3 * later, "{transition}: {first:?} {later}");
    }
}

#[test]
fn the_probe_cannot_be_read_off_what_was_opened() {
    let mut case = Case::new(&ONE_THREAD);
    let states: Vec<Vec<f32>> = case.states.iter().map(|state| floats(state)).collect();
    for k in [0usize, 4, 9] {
        let squares = states[k].iter().zip(&states[k + 1]).map(|(a, b)| f64::from(b - a).powi(2));
        let moved = (squares.sum::<f64>() / states[k].len() as f64).sqrt();
        let (before, after) = (case.states[k].clone(), case.states[k + 1].clone());
        let mut paid = 0;
        for seed in 0..20 {
            let probe = case.judge(Evidence::Step { k: k as u32, before: &before, after: &after }, seed).probe;
            // What the contract allows between a juror and the median.
            paid += usize::from((moved - probe).abs() <= 1e-3 * probe);
        }
        assert!(paid <= 3, "step {k}: a guess is paid {paid} times in 20");
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

#[test]
fn a_false_transition_is_found_guilty_with_the_same_probe() {
    let mut case = Case::new(&ONE_THREAD);
    for transition in TRANSITIONS {
        let mut judge = |evidence| case.model.judge(&case.request, &evidence, keccak256([1])).unwrap();
        let honest = match transition {
            0 => judge(Evidence::Init { blob: &[], after: &case.states[0] }),
            11 => judge(Evidence::Finish { before: &case.states[10], index: 0, tile: &case.tile }),
            k => judge(Evidence::Step { k: k as u32 - 1, before: &case.states[k - 1], after: &case.states[k] }),
        };
        let mut false_state = case.states[transition.min(10)].clone();
        // The second lowest byte of a value's exponent.
        false_state[402] ^= 0x40;
        let mut false_tile = case.tile.clone();
        false_tile[99] = false_tile[99].wrapping_add(128);
        let forged = match transition {
            0 => judge(Evidence::Init { blob: &[], after: &false_state }),
            11 => judge(Evidence::Finish { before: &case.states[10], index: 0, tile: &false_tile }),
            k => judge(Evidence::Step { k: k as u32 - 1, before: &case.states[k - 1], after: &false_state }),
        };
        assert!(!honest.guilty && forged.guilty, "{transition}: {honest:?} {forged:?}");
        assert_eq!(honest.probe, forged.probe, "what was claimed has no part in it");
    }
}

#[test]
fn what_cannot_be_a_part_of_the_request_is_guilty_and_has_a_probe() {
    let mut case = Case::new(&ONE_THREAD);
    let (states, tile) = (case.states.clone(), case.tile.clone());
    let short = &states[3][4..];
    for (evidence, probe_is_one) in [
        (Evidence::Init { blob: &[], after: short }, false),
        (Evidence::Step { k: 3, before: short, after: &states[4] }, true),
        (Evidence::Step { k: 3, before: &states[3], after: short }, false),
        (Evidence::Finish { before: short, index: 0, tile: &tile }, true),
        (Evidence::Finish { before: &states[10], index: 1, tile: &tile }, false),
        (Evidence::Finish { before: &states[10], index: 0, tile: &tile[1..] }, false),
    ] {
        let finding = case.judge(evidence, 3);
        assert!(finding.guilty && finding.deviation.is_none(), "{finding:?}");
        assert_eq!(finding.probe == 1.0, probe_is_one, "{finding:?}");
    }
    let exact = case.judge(Evidence::Init { blob: &[], after: &states[0] }, 3);
    assert_eq!(exact.deviation, Some(Deviation::Init { exact: true }));
}

#[test]
fn probes_are_those_that_were_published() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/probes.json");
    let mut case = Case::new(&ONE_THREAD);
    let mut computed = Vec::new();
    for transition in TRANSITIONS {
        for seed in [1u8, 2] {
            let states = case.states.clone();
            let tile = case.tile.clone();
            let evidence = match transition {
                0 => Evidence::Init { blob: &[], after: &states[0] },
                11 => Evidence::Finish { before: &states[10], index: 0, tile: &tile },
                k => Evidence::Step { k: k as u32 - 1, before: &states[k - 1], after: &states[k] },
            };
            let probe = case.judge(evidence, seed).probe;
            computed.push(json!({ "transition": transition, "seed": keccak256([seed]), "probe": probe }));
        }
    }
    if env::var_os("UPDATE_VECTORS").is_some() {
        let model = case.model.manifest().model_id();
        let request = String::from_utf8(case.request.canonical()).unwrap();
        let vectors = json!({ "model": model, "body": request, "probes": computed });
        fs::write(path, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    let published: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let published = published["probes"].as_array().unwrap();
    assert_eq!(published.len(), computed.len());
    for (published, computed) in published.iter().zip(&computed) {
        assert_eq!((&published["transition"], &published["seed"]), (&computed["transition"], &computed["seed"]));
        let (published, computed) = (published["probe"].as_f64().unwrap(), computed["probe"].as_f64().unwrap());
        assert!((published - computed).abs() < 1e-4 * published, "{published} {computed}");
    }
}
