//! Makes a package of a stock folder: looks at what is there, and writes the manifest that it lacks.

use crate::{
    error::InferenceError,
    package::{MANIFEST, Package, PackageError, digest, io_error, resolve},
    program,
};
use cuckoo_protocol::{
    body::{Decimal, DecimalError},
    manifest::{Defaults, FORMAT, FileEntry, ImageDefaults, ImageLimits, Limits, Manifest, ManifestError, Tolerance},
};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

/// Weights that no program reads, by the ends of their files' names: folders for Python hold them beside ONNX's.
const UNREAD: [&str; 6] = [".safetensors", ".bin", ".ckpt", ".pt", ".msgpack", ".h5"];

/// What a manifest says that a stock folder does not, and what it is to say otherwise than the folder suggests.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What apps send as `model`; 1 to 100 bytes.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// SPDX identifier of the weights' licence.
    pub licence: String,
    /// Width and height in pixels that may be asked for, the default first; empty for what the model was trained at.
    pub sizes: Vec<[u32; 2]>,
    /// Steps by default; None for what models of its kind take.
    pub steps: Option<u32>,
    /// Guidance by default; None for what models of its kind take.
    pub guidance: Option<Decimal>,
    /// Scheduler by default; None for the folder's own, if this version follows it.
    pub scheduler: Option<String>,
}

/// A package whose manifest is not on disk yet.
#[derive(Debug)]
pub struct Drafted {
    /// The files as they were found, with the manifest to be.
    pub package: Package,
    /// What the package's owner should know or do, a sentence each.
    pub notes: Vec<String>,
}

impl Draft {
    /// Lists and hashes all files in folder `dir`, which takes about a second for each gigabyte, and takes the rest of
    /// the manifest from the settings among them, once [`crate::runtime::init`] was called. Writes nothing.
    ///
    /// # Errors
    /// [`InferenceError`] for a folder that no program of this version runs.
    pub fn of(self, dir: impl AsRef<Path>) -> Result<Drafted, InferenceError> {
        let dir = dir.as_ref().canonicalize().map_err(io_error(&dir.as_ref().display().to_string()))?;
        let mut files = BTreeMap::new();
        list(&dir, "", &mut files)?;
        let unread = files.keys().filter(|path| UNREAD.iter().any(|end| path.ends_with(end))).count();
        let decimal = |text: &str| {
            text.parse::<Decimal>().map_err(|e: DecimalError| InferenceError::unfit(MANIFEST, e.to_string()))
        };
        let mut manifest = Manifest {
            format: FORMAT,
            name: self.name.clone(),
            description: self.description.clone(),
            licence: self.licence.clone(),
            program: program::TEXT_TO_IMAGE.to_owned(),
            precision: "fp32-strict".to_owned(),
            files,
            // Defaults, limits and state are the program's to say, once it has read the files.
            defaults: Defaults::Image(ImageDefaults {
                width: 0,
                height: 0,
                steps: 0,
                guidance: decimal("0")?,
                scheduler: String::new(),
            }),
            limits: Limits::Image(ImageLimits {
                min_steps: 1,
                max_steps: 1,
                sizes: Vec::new(),
                schedulers: Vec::new(),
                max_prompt_bytes: 2000,
                max_guidance: decimal("20")?,
                input_picture: false,
            }),
            state: Vec::new(),
            tolerance: Tolerance { step: decimal("0.0001")?, floor: decimal("0.001")?, pixel: 2, calibrated: None },
            pricing: "megapixel-steps".to_owned(),
        };
        let stock = program::stock(&Package::unwritten(dir.clone(), manifest.clone()), &self)?;
        (manifest.defaults, manifest.state) = (Defaults::Image(stock.defaults), stock.state);
        manifest.limits = Limits::Image(stock.limits);
        let manifest = parsed(&manifest)?;

        let mut notes = stock.notes;
        if unread > 0 {
            notes.push(format!(
                "{unread} files hold weights that no program reads and every miner would fetch: delete them, and add the model \
                 again"
            ));
        }
        notes.push(
            "its tolerance is a guess on the strict side, so nobody is slashed for it: `miner-agent model calibrate --write` measures"
                .into(),
        );
        Ok(Drafted { package: Package::unwritten(dir, manifest), notes })
    }
}

impl Drafted {
    /// Writes the manifest into the folder, over one that is there if `replace`.
    ///
    /// # Errors
    /// [`InferenceError`] if the folder cannot be written to, or has a manifest.
    pub fn write(&self, replace: bool) -> Result<(), InferenceError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(!replace).create(replace).truncate(replace);
        let written = options.open(self.package.dir().join(MANIFEST)).and_then(|mut file| {
            file.write_all(&serde_json::to_vec_pretty(self.package.manifest())?)?;
            file.write_all(b"\n")
        });
        written.map_err(|e| InferenceError::unfit(MANIFEST, format!("it cannot be written: {e}")))
    }
}

/// What anybody reads of a manifest that was put together here.
fn parsed(manifest: &Manifest) -> Result<Manifest, PackageError> {
    Ok(Manifest::parse(&serde_json::to_vec(manifest).map_err(ManifestError::from)?)?)
}

/// Adds the files below `folder` of the package at `dir` to `files`, but for the manifest and hidden ones beside it,
/// which belong to tools.
fn list(dir: &Path, folder: &str, files: &mut BTreeMap<String, FileEntry>) -> Result<(), PackageError> {
    for entry in fs::read_dir(dir.join(folder)).map_err(io_error(folder))? {
        let entry = entry.map_err(io_error(folder))?;
        // A name that is no text becomes one that is not found.
        let name = entry.file_name().to_string_lossy().into_owned();
        if folder.is_empty() && (name == MANIFEST || name.starts_with('.')) {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type().map_err(io_error(&path))?.is_dir() {
            list(dir, &path, files)?;
            continue;
        }
        let mut file = File::open(resolve(dir, &path)?).map_err(io_error(&path))?;
        let bytes = file.metadata().map_err(io_error(&path))?.len();
        let sha256 = digest(&mut file).map_err(io_error(&path))?;
        files.insert(path, FileEntry { bytes, sha256 });
    }
    Ok(())
}
