//! Calibration of the small model, end to end.

mod common;

use common::{Copy, repository, start_runtime};
use cuckoo_inference::{
    Package,
    calibration::{Calibration, Inseparable, Row, calibrate},
};
use cuckoo_protocol::manifest::{FAKE_MARGIN, HONEST_MARGIN, Manifest};
use serde_json::json;
use std::fs;

fn row<'a>(calibration: &'a Calibration, name: &str) -> &'a Row {
    calibration.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"))
}

#[test]
fn fakes_are_told_from_honest_work() {
    start_runtime();
    let package = Package::open(repository("models/cuckoo-tiny")).unwrap();
    let (mut last, mut all) = (0, 0);
    let calibration = calibrate(&package, None, 2, &mut |_, done, of| {
        assert!(done >= last && done <= of, "{done} after {last} of {of}");
        (last, all) = (done, of);
    })
    .unwrap();
    assert_eq!((last, all), (calibration.rows.len() * 2, calibration.rows.len() * 2));

    let tolerance = calibration.tolerance.as_ref().unwrap();
    assert_eq!(tolerance.pixel, 2);
    let tau = tolerance.step.to_f64();
    for row in calibration.rows.iter().filter(|row| row.note.is_none()) {
        if row.honest {
            assert_eq!((row.refused, row.first_states_wrong, row.steps_over), (Some(0), 0, Some(0.0)), "{row:?}");
            assert!(row.max.unwrap() * HONEST_MARGIN <= tau * 1.001, "{row:?}");
        } else {
            assert_eq!(row.refused, Some(row.traces), "{row:?}");
            let wrong_seed = row.first_states_wrong == row.traces;
            assert!(wrong_seed || row.least_worst.unwrap() >= tau * FAKE_MARGIN * 0.999, "{row:?}");
        }
    }
    // Other kernels are measured, not the same ones twice.
    assert!(row(&calibration, "graph as exported").max.unwrap() > 0.0);
    assert_eq!(row(&calibration, "1 thread").max, Some(0.0));
    // Every second step of a reused output is honest; of a splice all but the first.
    assert_eq!(row(&calibration, "network's output used twice").steps_over, Some(0.5));
    let splice = row(&calibration, "fresh first state, old trace");
    assert_eq!(splice.steps_over, Some(2.0 / splice.steps as f64));
    let seed = row(&calibration, "other seed");
    assert_eq!((seed.first_states_wrong, seed.max), (2, Some(0.0)), "only the first state betrays another seed");
}

#[test]
fn the_encoding_of_an_input_picture_is_measured_too() {
    start_runtime();
    let copy = Copy::stock("sd15");
    copy.alter_manifest(|manifest| {
        manifest["limits"]["input_picture"] = json!(true);
        manifest["defaults"]["steps"] = json!(4);
    });
    let calibration = calibrate(&copy.open().unwrap(), None, 2, &mut |_, _, _| {}).unwrap();
    let tolerance = calibration.tolerance.as_ref().unwrap();
    assert!(tolerance.separates());
    for row in calibration.rows.iter().filter(|row| row.note.is_none()) {
        // Four steps from noise; encoding, and half of four steps, from a picture.
        assert_eq!((row.traces, row.steps), (2, 4 + 3), "{row:?}");
        assert_eq!(row.refused, Some(if row.honest { 0 } else { 2 }), "{row:?}");
    }
    // With a picture the seed has no part in the first state, but in what it is encoded to.
    assert_eq!(row(&calibration, "other seed").first_states_wrong, 1);
    // Of the two steps that are drawn, and of the four.
    assert_eq!(row(&calibration, "network's output used twice").steps_over, Some(3.0 / 7.0));
}

#[test]
fn a_checkpoint_that_computes_the_same_is_too_near() {
    start_runtime();
    let package = Package::open(repository("models/cuckoo-tiny")).unwrap();
    // Another package with another modelId, but the same weights: whoever runs it does honest work.
    let copy = Copy::new();
    let twin = copy.alter_manifest(|manifest| manifest["name"] = json!("twin")).open().unwrap();
    let calibration = calibrate(&package, Some(twin), 1, &mut |_, _, _| {}).unwrap();
    let why = calibration.tolerance.as_ref().unwrap_err();
    assert!(matches!(why, Inseparable::TooNear { fake, .. } if fake == "other checkpoint"), "{why}");
    assert!(why.to_string().contains("0.0 times"), "{why}");
    assert_eq!(row(&calibration, "int8").refused, None, "nothing is judged without a tolerance");
}

#[test]
fn a_checkpoint_that_could_not_be_tried_is_no_reason_to_trust() {
    start_runtime();
    let package = Package::open(repository("models/cuckoo-tiny")).unwrap();
    // It draws another size, so it answers none of the requests; all other fakes are told from honest work.
    let calibration = calibrate(&package, Some(Copy::stock("sd15").open().unwrap()), 1, &mut |_, _, _| {}).unwrap();
    let why = calibration.tolerance.as_ref().unwrap_err();
    let Inseparable::Unmeasured { fake, why } = why else { panic!("{why}") };
    assert!(fake == "other checkpoint" && why.contains("32x32"), "{fake}: {why}");
    assert!(row(&calibration, "int8").least_worst.unwrap() > 0.01);
}

#[test]
fn a_manifest_is_replaced_whole_and_in_its_own_style() {
    let copy = Copy::new();
    let package = copy.open().unwrap();
    let before = fs::read_to_string(copy.path("cuckoo.json")).unwrap();
    let mut manifest = package.manifest().clone();
    package.write_manifest(&manifest).unwrap();
    assert_eq!(fs::read_to_string(copy.path("cuckoo.json")).unwrap(), before, "the repository's style");

    let step = manifest.tolerance.step.to_string();
    manifest.tolerance.step = "0.0007".parse().unwrap();
    package.write_manifest(&manifest).unwrap();
    let after = fs::read_to_string(copy.path("cuckoo.json")).unwrap();
    assert_eq!(after.replace("0.0007", &step), before, "nothing else is changed");
    assert_eq!(Manifest::parse(after.as_bytes()).unwrap().model_id(), manifest.model_id());
    assert_eq!(copy.open().unwrap().model_id(), manifest.model_id());
    let files = |folder: &std::path::Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(files(package.dir()), files(&repository("models/cuckoo-tiny")), "no temporary file is left");
}
