//! docs/economics.md says what the program says, and the check of that fails when it does not.

use std::{fs, path::Path, process::Command};

fn check(page: &Path) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ran = Command::new(env!("CARGO_BIN_EXE_cuckoo-economics"))
        .current_dir(root)
        .arg("--check")
        .arg(page)
        .output()
        .unwrap();
    if ran.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ran.stderr).into_owned()) }
}

#[test]
fn the_page_is_of_the_present_parameters() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/economics.md");
    check(&page).unwrap();
    // Without its plots, in another place, it is not.
    let folder = std::env::temp_dir().join(format!("cuckoo-economics-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("page.md");
    fs::copy(&page, &copy).unwrap();
    let failure = check(&copy).unwrap_err();
    fs::remove_dir_all(&folder).unwrap();
    assert!(failure.contains("audit-rate.svg"), "{failure}");
}
