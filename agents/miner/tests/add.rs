//! `miner-agent model add`, run as operators run it, on folders as Python's exporter writes them.

mod folder;

use cuckoo_inference::{MANIFEST, Package};
use folder::{copy_of, repository};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A copy of an exported folder.
fn export(name: &str) -> TempDir {
    copy_of(&format!("agents/inference/testdata/stock/{name}"))
}

fn add(dir: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miner-agent"));
    command.args(["model", "add"]).arg(dir).args(flags).current_dir(repository(".")).output().unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn stock_folders_become_packages() {
    for (name, steps) in [("sd15", 50), ("sd-turbo", 1), ("sdxl", 50)] {
        let dir = export(name);
        let output = add(dir.path(), &["--licence", "MIT", "--name", name]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let package = Package::open(dir.path()).unwrap();
        assert_eq!(told["model_id"], package.model_id().to_string());
        assert_eq!(told["defaults"]["steps"], steps);
        assert_eq!((package.manifest().name.as_str(), package.manifest().licence.as_str()), (name, "MIT"));
        assert_eq!(package.manifest().files.contains_key("unet/model.onnx_data"), name == "sdxl");
        assert!(told["notes"].to_string().contains("calibrate"));
    }
}

#[test]
fn a_manifest_is_replaced_only_by_force() {
    let dir = export("sd15");
    let flags = ["--licence", "MIT", "--size", "64x32", "--size", "64x64", "--steps", "7"];
    assert!(add(dir.path(), &flags).status.success());
    let first = fs::read(dir.path().join(MANIFEST)).unwrap();
    let again = ["--licence", "Apache-2.0"];
    assert!(refused(&add(dir.path(), &again)).contains("--force"));
    assert_eq!(fs::read(dir.path().join(MANIFEST)).unwrap(), first);
    assert!(add(dir.path(), &[&again[..], &["--force"]].concat()).status.success());
    assert_eq!(Package::open(dir.path()).unwrap().manifest().licence, "Apache-2.0");
}

#[test]
fn what_does_not_run_gets_no_manifest() {
    let dir = export("sd15");
    assert!(refused(&add(dir.path(), &[])).contains("--licence"));
    assert!(refused(&add(dir.path(), &["--licence", " "])).contains("SPDX"));
    assert!(refused(&add(dir.path(), &["--licence", "MIT", "--size", "64"])).contains("512x768"));
    assert!(refused(&add(&dir.path().join("nowhere"), &["--licence", "MIT"])).contains("nowhere"));
    // Not what the denoiser can be run at, which only running it shows.
    assert!(refused(&add(dir.path(), &["--licence", "MIT", "--size", "60x60"])).contains("do not run"));
    fs::write(dir.path().join("unet/model.onnx"), b"nonsense").unwrap();
    assert!(refused(&add(dir.path(), &["--licence", "MIT"])).contains("unet/model.onnx cannot be opened"));
    assert!(!dir.path().join(MANIFEST).exists());
}
