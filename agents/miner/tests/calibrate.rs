//! `miner-agent model calibrate`, run as operators run it.

mod folder;

use cuckoo_inference::{MANIFEST, Package};
use cuckoo_protocol::manifest::Tolerance;
use folder::{copy_of, repository};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// On one request, which tells the same fakes from honest work.
fn calibrate(dir: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miner-agent"));
    command.args(["model", "calibrate", "--requests", "1"]).arg(dir).args(flags);
    command.current_dir(repository(".")).output().unwrap()
}

/// What it prints: JSON on stdout, the table on stderr.
fn told(output: &Output) -> (Value, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}")), said)
}

fn alter(dir: &Path, alter: impl FnOnce(&mut Value)) {
    let mut manifest = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).unwrap()).unwrap();
    alter(&mut manifest);
    fs::write(dir.join(MANIFEST), manifest.to_string()).unwrap();
}

fn slashable(dir: &Path) -> bool {
    Package::open(dir).unwrap().manifest().slashable()
}

#[test]
fn what_was_measured_is_printed_and_written_and_makes_a_model_slashable() {
    let dir = copy_of("models/cuckoo-tiny");
    alter(dir.path(), |manifest| manifest["tolerance"] = json!({ "step": "0.5", "floor": "7", "pixel": 200 }));
    let before = Package::open(dir.path()).unwrap().model_id();
    assert!(!slashable(dir.path()), "a guess");

    let output = calibrate(dir.path(), &["--write"]);
    let (told, said) = told(&output);
    assert!(output.status.success(), "{said}");
    let package = Package::open(dir.path()).unwrap();
    let tolerance: Tolerance = serde_json::from_value(told["tolerance"].clone()).unwrap();
    assert_eq!(package.manifest().tolerance, tolerance);
    assert_eq!(told["model_id"], before.to_string());
    assert_eq!(told["written_model_id"], package.model_id().to_string());
    assert!(told["slashable"] == json!(true) && slashable(dir.path()) && told["why_not"].is_null());
    // Around what the repository's own manifest has from more requests.
    let (step, floor) = (tolerance.step.to_f64(), tolerance.floor.to_f64());
    assert!((3e-5..1e-3).contains(&step) && (1e-3..0.2).contains(&floor) && tolerance.pixel == 2, "{tolerance:?}");
    assert_eq!(tolerance.calibrated.unwrap().requests, 1);

    let rows = told["rows"].as_array().unwrap();
    for (name, honest) in [
        ("2 threads", true),
        ("in a batch with two others", true),
        ("graph as exported", true),
        ("half-precision products", false),
        ("weight-only int8", false),
        ("int8", false),
        ("half the steps, padded", false),
        ("network's output used twice", false),
        ("other checkpoint", false),
        ("other seed", false),
        ("picture of another prompt", false),
        ("fresh first state, old trace", false),
    ] {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((&row["honest"], &row["traces"]), (&json!(honest), &json!(1)), "{row}");
        assert_eq!(row["refused"], json!(u8::from(!honest)), "{row}");
        let kind = if honest { "honest" } else { "fake" };
        assert!(said.lines().any(|line| line.starts_with(&format!("| {kind}: {name} | 1 | "))), "{name}: {said}");
    }
    assert!(said.contains("step 0.5, floor 7, pixel 200, never calibrated"), "{said}");
}

#[test]
fn a_model_whose_fakes_cannot_be_told_is_called_slashable_no_more() {
    let (dir, twin) = (copy_of("models/cuckoo-tiny"), copy_of("models/cuckoo-tiny"));
    // Another checkpoint, but for the weights.
    alter(twin.path(), |manifest| manifest["name"] = json!("twin"));
    let other = twin.path().to_str().unwrap();
    let before = fs::read(dir.path().join(MANIFEST)).unwrap();
    assert!(slashable(dir.path()));

    let output = calibrate(dir.path(), &["--other", other]);
    let (result, said) = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("not slashable: other checkpoint is too near to honest work"), "{said}");
    assert_eq!((&result["slashable"], &result["tolerance"]), (&json!(false), &Value::Null));
    assert!(result["why_not"].as_str().unwrap().contains("other checkpoint"), "{result}");
    assert_eq!(fs::read(dir.path().join(MANIFEST)).unwrap(), before, "nothing is written unasked");

    let output = calibrate(dir.path(), &["--other", other, "--write"]);
    let (result, said) = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let package = Package::open(dir.path()).unwrap();
    assert_eq!(result["written_model_id"], package.model_id().to_string());
    assert!(!package.manifest().slashable() && package.manifest().tolerance.calibrated.is_none());
    let was: Value = serde_json::from_slice(&before).unwrap();
    assert_eq!(json!(package.manifest().tolerance.step), was["tolerance"]["step"], "audits go by it still");
}

#[test]
fn a_model_whose_fakes_cannot_be_made_is_not_slashable() {
    let dir = copy_of("vendor/models/minilm");
    let before = fs::read(dir.path().join(MANIFEST)).unwrap();
    let output = calibrate(dir.path(), &["--write"]);
    let (result, said) = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("could not be measured") && said.contains("| honest: 2 threads | 1 | "), "{said}");
    assert_eq!((&result["slashable"], &result["written_model_id"]), (&json!(false), &Value::Null));
    assert_eq!(fs::read(dir.path().join(MANIFEST)).unwrap(), before);
}
