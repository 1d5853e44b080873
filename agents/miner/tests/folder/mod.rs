//! Copies of the repository's folders, to be altered.

use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A copy of one of its folders.
pub fn copy_of(path: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    copy(&repository(path), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry, &target);
        } else {
            fs::copy(entry, target).unwrap();
        }
    }
}
