//! What the tests share: the small model of the repository, and altered copies of it.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod onnx;

use cuckoo_inference::{Device, Generation, Image, InferenceError, Model, Package, PackageError, runtime};
use cuckoo_protocol::body::ImageBody;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

pub const ONE_THREAD: Device = Device::Cpu { threads: 1 };

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A package that tools/fetch-models fetched.
pub fn fetched(model: &str) -> PathBuf {
    let folder = repository("vendor/models").join(model);
    assert!(folder.join("cuckoo.json").is_file(), "these tests need {model}: run tools/fetch-models");
    folder
}

pub fn read_json(path: &str) -> Value {
    let bytes = fs::read(repository(path)).unwrap_or_else(|e| panic!("{path} cannot be read: {e}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{path} is no JSON: {e}"))
}

/// fp32 numbers from JSON.
pub fn floats(values: &Value) -> Vec<f32> {
    values.as_array().expect("an array").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
}

/// Loads ONNX Runtime, which these tests cannot do without.
pub fn start_runtime() {
    runtime::init(None).unwrap_or_else(|e| panic!("these tests need ONNX Runtime: {e}"));
}

pub fn tiny_package() -> Package {
    package("cuckoo-tiny")
}

pub fn tiny_model(device: &Device) -> Model {
    model("cuckoo-tiny", device)
}

/// One of the repository's packages, loaded.
pub fn model(name: &str, device: &Device) -> Model {
    start_runtime();
    Model::load(&package(name), device).expect("the repository's package loads")
}

fn package(name: &str) -> Package {
    Package::open(repository(&format!("models/{name}"))).expect("the repository's package is sound")
}

pub fn body(model: &Model, prompt: &str, seed: u64) -> ImageBody {
    ImageBody { seed, ..model.manifest().image_body(prompt.into()).expect("it draws") }
}

pub fn generate(model: &mut Model, body: &ImageBody) -> Result<Generation, InferenceError> {
    model.generate(&body.clone().into(), &[], &mut |_, _| ControlFlow::Continue(()))
}

/// The picture that a request became.
pub fn image(generation: &Generation) -> &Image {
    generation.output.image().expect("a picture")
}

/// Refuses a picture that is not the one in `file`.
pub fn assert_same_picture(found: &Image, file: &Path, what: &str) {
    let expected = image::open(file).expect("the picture is there").into_rgb8();
    assert_eq!((found.width, found.height), expected.dimensions());
    let differences: Vec<u8> = found.rgb.iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).collect();
    let off = differences.iter().filter(|&&difference| difference > 0).count();
    // A value on the edge between two bytes may fall to either side; values on no edge may not.
    assert!(differences.iter().all(|&by| by <= 1) && off * 1000 <= differences.len(), "{what}: {off} bytes are off");
}

/// A copy of a package, the tiny one unless named, to be altered.
pub struct Copy {
    dir: TempDir,
}

impl Copy {
    pub fn new() -> Self {
        Self::of(&repository("models/cuckoo-tiny"))
    }

    /// A copy of another package.
    pub fn of(package: &Path) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        copy_folder(package, dir.path());
        Self { dir }
    }

    /// Of a stock export, with the small model's manifest but for what differs.
    pub fn stock(name: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        copy_folder(&repository("agents/inference/testdata/stock").join(name), dir.path());
        let copy = Self { dir };
        copy.write("cuckoo.json", read_json("models/cuckoo-tiny/cuckoo.json").to_string().as_bytes());
        copy.alter_manifest(|manifest| {
            manifest["files"] = json!({});
            manifest["state"] = json!([{ "name": "latents", "shape": [4, 8, 8] }]);
            for side in ["width", "height"] {
                manifest["defaults"][side] = json!(64);
            }
            manifest["limits"]["sizes"] = json!([[64, 64]]);
        });
        for file in files_below(copy.dir.path(), "") {
            if file != "cuckoo.json" {
                copy.put(&file, &fs::read(copy.path(&file)).expect("the file is there"));
            }
        }
        copy
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Replaces a file without telling the manifest.
    pub fn write(&self, file: &str, bytes: &[u8]) -> &Self {
        fs::write(self.path(file), bytes).expect("the file can be written");
        self
    }

    /// Replaces a file and lists it.
    pub fn put(&self, file: &str, bytes: &[u8]) -> &Self {
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.write(file, bytes).alter_manifest(|manifest| {
            manifest["files"][file] = json!({ "bytes": bytes.len(), "sha256": sha256 });
        })
    }

    /// Alters a JSON file and lists it.
    pub fn alter(&self, file: &str, alter: impl FnOnce(&mut Value)) -> &Self {
        let mut value = self.json(file);
        alter(&mut value);
        self.put(file, value.to_string().as_bytes())
    }

    pub fn alter_manifest(&self, alter: impl FnOnce(&mut Value)) -> &Self {
        let mut manifest = self.json("cuckoo.json");
        alter(&mut manifest);
        self.write("cuckoo.json", manifest.to_string().as_bytes())
    }

    pub fn open(&self) -> Result<Package, PackageError> {
        Package::open(self.dir.path())
    }

    /// Opens and loads the copy.
    pub fn load(&self) -> Result<Model, InferenceError> {
        start_runtime();
        Model::load(&self.open()?, &ONE_THREAD)
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(file)).expect("the file is there")).expect("it is JSON")
    }
}

fn files_below(dir: &Path, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(dir.join(prefix)).expect("a folder").map(|entry| entry.expect("it can be read"));
    entries
        .flat_map(|entry| {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() { files_below(dir, &format!("{path}/")) } else { vec![path] }
        })
        .collect()
}

pub fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the package is there") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// The error that something should end in.
pub fn refused<T, E: std::error::Error>(result: Result<T, E>) -> E {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error,
    }
}
