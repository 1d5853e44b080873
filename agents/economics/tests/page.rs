//! docs/economics.md says what the program says.

use std::{path::Path, process::Command};

#[test]
fn the_page_is_of_the_present_parameters() {
    let ran = Command::new(env!("CARGO_BIN_EXE_cuckoo-economics"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["--check", "docs/economics.md"])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
