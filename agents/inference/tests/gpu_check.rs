//! `tools/gpu-check` where there is no GPU.

mod common;

use common::repository;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Output},
};
use tempfile::TempDir;

/// Runs it where of all programs there are only `dirname` and, if given, an `nvidia-smi` that is this script: neither make nor cargo, so
/// that it can fetch and build nothing.
fn gpu_check(nvidia_smi: Option<&str>) -> Output {
    let programs = TempDir::new().unwrap();
    let dirname = ["/usr/bin/dirname", "/bin/dirname"].into_iter().find(|path| fs::exists(path).unwrap()).unwrap();
    symlink(dirname, programs.path().join("dirname")).unwrap();
    if let Some(script) = nvidia_smi {
        let path = programs.path().join("nvidia-smi");
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new(repository("tools/gpu-check")).env("PATH", programs.path()).output().unwrap()
}

#[test]
fn a_machine_without_a_gpu_is_told_by_exit_code_3_before_anything_is_fetched() {
    let driverless = "echo \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver\"; exit 9";
    for nvidia_smi in [None, Some(driverless)] {
        let output = gpu_check(nvidia_smi);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{nvidia_smi:?}: {said}");
        assert!(said.starts_with("gpu-check: there is no NVIDIA GPU here") && output.stdout.is_empty(), "{said}");
    }
    // With one it goes on, to what is not there: another code.
    let output = gpu_check(Some("echo NVIDIA H100"));
    assert!(!matches!(output.status.code(), Some(0 | 3)), "{output:?}");
}
