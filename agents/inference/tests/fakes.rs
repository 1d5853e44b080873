//! Packages rewritten: how far what they compute is from the original.

mod common;

use common::{
    Copy, ONE_THREAD, body, generate,
    onnx::{F32, network_with},
    tiny_model, tiny_package,
};
use cuckoo_inference::{
    Deviation, Model, Transition,
    fakes::{self, Rewrite},
};
use std::{fs, path::Path};
use tempfile::TempDir;

/// The worst deviation of the steps that a rewritten package takes, seen by the original.
fn deviation(rewrite: Rewrite) -> f64 {
    let (package, folder) = (tiny_package(), TempDir::new().unwrap());
    let fake = fakes::rewrite(&package, rewrite, folder.path()).unwrap();
    assert_ne!(fake.model_id(), package.model_id());
    let mut original = tiny_model(&ONE_THREAD);
    let mut fake = Model::load(&fake, &ONE_THREAD).unwrap();
    let request = body(&original, "a red apple on a blue background", 5);
    let states = generate(&mut fake, &request).unwrap().states;
    let steps = states.windows(2).enumerate();
    let claims: Vec<_> =
        steps.map(|(k, pair)| Transition::Step { k: k as u32, before: &pair[0], after: &pair[1] }).collect();
    let deviations = original.check(&request.into(), &claims).unwrap().into_iter();
    deviations
        .map(|d| if let Deviation::Step { max, relative } = d { max.max(relative) } else { 0.0 })
        .fold(0.0, f64::max)
}

#[test]
fn company_changes_no_more_than_rounding() {
    let folder = TempDir::new().unwrap();
    fakes::rewrite(&tiny_package(), Rewrite::Batched(2), folder.path()).unwrap();
    let unet = fs::read(folder.path().join("unet/model.onnx")).unwrap();
    assert!(unet.windows(12).any(|name| name == b"sample/batch"), "the network has company");
    for others in [2, 7] {
        let batched = deviation(Rewrite::Batched(others));
        assert!(batched < 1e-5, "{others}: {batched}");
    }
}

#[test]
fn each_fake_is_further_off_than_the_one_that_saves_less() {
    let [half, weights, int8, other] =
        [Rewrite::Half, Rewrite::WeightOnlyInt8, Rewrite::DynamicInt8, Rewrite::OtherWeights].map(deviation);
    assert!(half > 1e-4 && weights > 2.0 * half && int8 > 2.0 * weights, "{half} {weights} {int8}");
    assert!(other > 10.0 * half, "{other}");
}

#[test]
fn a_smaller_model_has_lost_its_middle_and_answers_the_same_requests() {
    let (package, folder) = (tiny_package(), TempDir::new().unwrap());
    fakes::rewrite(&package, Rewrite::WithoutMiddle, folder.path()).unwrap();
    let middle = |dir: &Path| {
        let network = fs::read(dir.join("unet/model.onnx")).unwrap();
        network.windows(12).filter(|window| window == b"/mid_block/r").count()
    };
    assert!(middle(package.dir()) > 50 && middle(folder.path()) == 0);
    let smaller = deviation(Rewrite::WithoutMiddle);
    assert!(smaller.is_finite() && smaller > 3.0 * deviation(Rewrite::WeightOnlyInt8), "{smaller}");
}

#[test]
fn weights_in_a_file_of_their_own_are_altered_there_and_only_in_the_copy() {
    let (copy, into) = (Copy::new(), TempDir::new().unwrap());
    let vector = &["8"];
    let product = ("MatMul", &["sample", "weights"][..], &["out_sample"][..]);
    let (input, output) = (("sample", F32, &vector[..]), ("out_sample", F32, &[][..]));
    copy.put("unet/model.onnx", &network_with(&[input], &[product], &[output], &[("weights", 8, "weights.bin")]));
    let bytes: Vec<u8> = (1..=8).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let package = copy.put("unet/weights.bin", &bytes).open().unwrap();
    let fake = fakes::rewrite(&package, Rewrite::OtherWeights, into.path()).unwrap();
    assert_eq!(fs::read(copy.path("unet/weights.bin")).unwrap(), bytes, "the original is as it was");
    let altered = fs::read(fake.dir().join("unet/weights.bin")).unwrap();
    let values: Vec<f32> = altered.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    // A hundredth of the root mean square, 5.05, and at most five times that.
    assert!(values.len() == 8 && values.iter().zip(1..).all(|(v, n)| *v != n as f32 && (*v - n as f32).abs() < 0.26));
    assert_eq!(fake.manifest().files.len(), package.manifest().files.len());
}
