//! Packages rewritten: how far what they compute is from the original.

mod common;

use common::{ONE_THREAD, body, generate, tiny_model, tiny_package};
use cuckoo_inference::{
    Deviation, Model, Transition,
    fakes::{self, Rewrite},
};
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
    let batched = deviation(Rewrite::Batched);
    assert!(batched < 1e-5, "{batched}");
}

#[test]
fn each_fake_is_further_off_than_the_one_that_saves_less() {
    let [half, weights, int8, other] =
        [Rewrite::Half, Rewrite::WeightOnlyInt8, Rewrite::DynamicInt8, Rewrite::OtherWeights].map(deviation);
    println!("{half} {weights} {int8} {other}");
    assert!(half > 1e-4 && weights > 2.0 * half && int8 > 2.0 * weights, "{half} {weights} {int8}");
    assert!(other > 10.0 * half, "{other}");
}
