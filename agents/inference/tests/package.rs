//! Packages that are not what they say.

mod common;

use common::{Copy, refused, repository, tiny_package};
use cuckoo_inference::{MANIFEST, Package, PackageError};
use cuckoo_protocol::manifest::Manifest;
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

#[test]
fn a_sound_package_opens() {
    let package = tiny_package();
    let manifest = Manifest::parse(&fs::read(repository("models/cuckoo-tiny/cuckoo.json")).unwrap()).unwrap();
    assert_eq!(package.model_id(), manifest.model_id());
    assert_eq!(package.manifest(), &manifest);
    assert!(package.dir().is_absolute() && package.dir().join(MANIFEST).is_file());
    Copy::new().open().unwrap();
}

#[test]
fn a_changed_byte_a_missing_byte_and_a_missing_file_are_found() {
    let copy = Copy::new();
    let original = fs::read(copy.path("unet/model.onnx")).unwrap();

    let mut changed = original.clone();
    changed[original.len() / 2] ^= 1;
    let error = refused(copy.write("unet/model.onnx", &changed).open());
    assert!(matches!(&error, PackageError::Digest { path, .. } if path == "unet/model.onnx"), "{error}");

    let error = refused(copy.write("unet/model.onnx", &original[1..]).open());
    assert!(matches!(error, PackageError::Size { expected, found, .. } if found + 1 == expected), "{error}");

    fs::remove_file(copy.path("unet/model.onnx")).unwrap();
    let error = refused(copy.open());
    assert!(matches!(&error, PackageError::Io { path, .. } if path == "unet/model.onnx"), "{error}");
    assert!(error.to_string().contains("Fetch the package again"));
}

#[test]
fn the_manifest_names_no_file_outside_the_package() {
    let copy = Copy::new();
    fs::write(copy.path("../outside"), b"secret").unwrap();
    let entry = json!({ "bytes": 6, "sha256": "0".repeat(64) });
    for path in
        ["../outside", "/etc/passwd", "unet/../../outside", "unet/../cuckoo.json", "./cuckoo.json", "unet//model.onnx"]
            .into_iter()
            .chain(["", ".", "..", "unet/", "..\\outside", "C:/outside", "unet/model.onnx\0"])
    {
        let copy = Copy::new();
        let error = refused(copy.alter_manifest(|manifest| manifest["files"][path] = entry.clone()).open());
        assert!(matches!(&error, PackageError::Path { path: found } if found == path), "{path:?}: {error}");
    }
    fs::remove_file(copy.path("../outside")).unwrap();
}

#[test]
fn links_may_not_lead_out_and_only_files_count() {
    let (copy, elsewhere) = (Copy::new(), tempfile::TempDir::new().unwrap());
    let (inside, outside) = (copy.path("tokenizer/vocab.json"), elsewhere.path().join("vocab.json"));
    fs::rename(&inside, &outside).unwrap();
    symlink(&outside, &inside).unwrap();
    assert!(matches!(refused(copy.open()), PackageError::Outside { .. }));

    // The same file by a link that stays inside is fine.
    fs::remove_file(&inside).unwrap();
    fs::rename(&outside, copy.path("vocabulary")).unwrap();
    symlink("../vocabulary", &inside).unwrap();
    copy.open().unwrap();

    fs::remove_file(&inside).unwrap();
    fs::create_dir(&inside).unwrap();
    assert!(matches!(refused(copy.open()), PackageError::Io { .. }));

    let copy = Copy::new();
    let manifest = elsewhere.path().join(MANIFEST);
    fs::rename(copy.path(MANIFEST), &manifest).unwrap();
    symlink(&manifest, copy.path(MANIFEST)).unwrap();
    assert!(matches!(refused(copy.open()), PackageError::Outside { .. }));
}

#[test]
fn weights_that_the_manifest_does_not_bind_are_refused() {
    let copy = Copy::new();
    copy.write("README.md", b"beside no network").open().unwrap();
    fs::create_dir(copy.path("unet/more")).unwrap();
    copy.write("unet/more/weights.bin", b"0000");
    let error = refused(copy.open());
    assert!(matches!(&error, PackageError::Unlisted { path } if path == "unet/more/weights.bin"), "{error}");
    copy.put("unet/more/weights.bin", b"0000").open().unwrap();
}

#[test]
fn manifests_that_are_none_are_refused() {
    for text in ["", "{", "[]", "{\"format\":1}", "nonsense"] {
        let error = refused(Copy::new().write(MANIFEST, text.as_bytes()).open());
        assert!(matches!(error, PackageError::Manifest(_)), "{text:?}: {error}");
    }
    let copy = Copy::new();
    copy.write(MANIFEST, &vec![b' '; 2 << 20]);
    assert!(matches!(refused(copy.open()), PackageError::Io { .. }));
    fs::remove_file(copy.path(MANIFEST)).unwrap();
    assert!(matches!(refused(copy.open()), PackageError::Io { .. }));
    assert!(matches!(refused(Package::open("/no/such/folder")), PackageError::Folder(_)));

    for (field, value) in [("program", "diffusion/video"), ("precision", "bf16")] {
        let error = refused(Copy::new().alter_manifest(|manifest| manifest[field] = json!(value)).open());
        assert!(matches!(&error, PackageError::Unsupported { found, .. } if found == value), "{error}");
    }
}
