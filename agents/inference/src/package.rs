//! A model package on disk: `cuckoo.json` and the files it lists.

use crate::{external, program};
use alloy::primitives::{B256, hex};
use cuckoo_protocol::{
    manifest::{FileEntry, Manifest, ManifestError},
    path::is_plain,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Serializer, ser::PrettyFormatter};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Name of the manifest inside a package.
pub const MANIFEST: &str = "cuckoo.json";

/// Precision profiles. What each means for a miner's stake says [`Manifest::slashable`].
const PRECISIONS: [&str; 3] = ["fp32-strict", "fp16", "int8"];

/// Largest manifest, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;

/// Largest file that is read into memory as a whole, in bytes: vocabularies and settings, not weights.
const MAX_TEXT: u64 = 64 << 20;

/// Why a package was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is no such folder, or none that can be entered.
    #[error("the folder cannot be opened: {0}. Where is the package?")]
    Folder(io::Error),
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}. Fetch the package again")]
    Io {
        /// Inside the package.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A manifest cannot be written.
    #[error("{MANIFEST} cannot be written: {0}")]
    Write(io::Error),
    /// The manifest is no manifest.
    #[error("{MANIFEST} is refused: {0}")]
    Manifest(#[from] ManifestError),
    /// A name in the manifest that could lead out of the package.
    #[error("{path:?} is refused: the manifest may only name files inside the package, as in \"unet/model.onnx\"")]
    Path {
        /// As the manifest has it.
        path: String,
    },
    /// A link that leads out of the package.
    #[error("{path} leads out of the package: replace the link with the file itself")]
    Outside {
        /// Inside the package.
        path: String,
    },
    /// A file has another size than listed.
    #[error("{path} has {found} bytes instead of {expected}: fetch the package again")]
    Size {
        /// Inside the package.
        path: String,
        /// Bytes, by the manifest.
        expected: u64,
        /// Bytes, on disk.
        found: u64,
    },
    /// A file has another digest than listed.
    #[error("{path} has SHA-256 {found} instead of {expected}: fetch the package again")]
    Digest {
        /// Inside the package.
        path: String,
        /// By the manifest.
        expected: String,
        /// On disk.
        found: String,
    },
    /// A file that the manifest does not list: its bytes would not be bound to the modelId.
    #[error("{path} is not listed in {MANIFEST}: list it, or take it out of the package")]
    Unlisted {
        /// Inside the package.
        path: String,
    },
    /// A network's weights lie where nothing binds them to the modelId, or outside the package.
    #[error(
        "{path} has weights in {location:?}, which {MANIFEST} does not list in its folder: list it, or take the network out"
    )]
    Foreign {
        /// Inside the package.
        path: String,
        /// As the network has it.
        location: String,
    },
    /// A file is not what its name says.
    #[error("{path} is malformed: {reason}")]
    Malformed {
        /// Inside the package.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// This version cannot run the package.
    #[error("the package has {field} {found:?}; this version runs {known}")]
    Unsupported {
        /// Field of the manifest.
        field: &'static str,
        /// As the manifest has it.
        found: String,
        /// What it could be.
        known: String,
    },
}

/// A package whose every listed file had the listed size and digest when it was opened.
#[derive(Clone, Debug)]
pub struct Package {
    dir: PathBuf,
    manifest: Manifest,
}

impl Package {
    /// Opens the package in folder `dir` and checks all of it, which takes about a second for each gigabyte.
    ///
    /// # Errors
    /// [`PackageError`] for the first thing that is wrong.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, PackageError> {
        let dir = dir.as_ref().canonicalize().map_err(PackageError::Folder)?;
        let json = read_limited(&resolve(&dir, MANIFEST)?, MAX_MANIFEST).map_err(io_error(MANIFEST))?;
        let manifest = Manifest::parse(&json)?;
        Self::supports(&manifest)?;
        let package = Self { dir, manifest };
        for (path, entry) in &package.manifest.files {
            package.verify(path, entry)?;
        }
        // A network may read weights from any file below its own folder.
        for path in package.manifest.files.keys().filter(|path| path.ends_with(".onnx")) {
            package.refuse_unlisted(path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
            package.refuse_foreign(path)?;
        }
        Ok(package)
    }

    /// A package at `dir`, which is free of links, whose manifest was made here and whose files are as it says.
    pub(crate) fn unwritten(dir: PathBuf, manifest: Manifest) -> Self {
        Self { dir, manifest }
    }

    /// Whether this version can run a package with this manifest.
    ///
    /// # Errors
    /// [`PackageError::Unsupported`].
    pub fn supports(manifest: &Manifest) -> Result<(), PackageError> {
        let unsupported =
            |field, found: &str, known: String| PackageError::Unsupported { field, found: found.into(), known };
        if !program::names().any(|name| name == manifest.program) {
            let known = program::names().collect::<Vec<_>>().join(", ");
            return Err(unsupported("program", &manifest.program, known));
        }
        if !PRECISIONS.contains(&manifest.precision.as_str()) {
            return Err(unsupported("precision", &manifest.precision, PRECISIONS.join(", ")));
        }
        Ok(())
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// keccak256 of the manifest.
    pub fn model_id(&self) -> B256 {
        self.manifest.model_id()
    }

    /// Puts another manifest in place of the package's, in the style of those in this repository. Either the old one is there
    /// afterwards or the new one, whole.
    ///
    /// # Errors
    /// [`PackageError::Write`].
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), PackageError> {
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(&self.dir)?;
            let mut json = Serializer::with_formatter(file.as_file_mut(), PrettyFormatter::with_indent(b" "));
            manifest.serialize(&mut json)?;
            file.write_all(b"\n")?;
            let readable = fs::metadata(self.dir.join(MANIFEST))?.permissions();
            file.as_file().set_permissions(readable)?;
            file.as_file().sync_all()?;
            file.persist(self.dir.join(MANIFEST)).map(drop).map_err(|e| e.error)
        };
        write().map_err(PackageError::Write)
    }

    /// The package's folder, without symbolic links.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the manifest lists the file.
    pub(crate) fn lists(&self, path: &str) -> bool {
        self.manifest.files.contains_key(path)
    }

    /// Where a listed file is.
    pub(crate) fn locate(&self, path: &str) -> Result<PathBuf, PackageError> {
        if self.lists(path) { resolve(&self.dir, path) } else { Err(PackageError::Unlisted { path: path.into() }) }
    }

    /// Reads a listed file that is no weights.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, PackageError> {
        read_limited(&self.locate(path)?, MAX_TEXT).map_err(io_error(path))
    }

    /// Reads a listed JSON file; fields that `T` lacks are ignored, since diffusers writes many.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, PackageError> {
        let malformed = |e: serde_json::Error| PackageError::Malformed { path: path.into(), reason: e.to_string() };
        serde_json::from_slice(&self.read(path)?).map_err(malformed)
    }

    fn verify(&self, path: &str, entry: &FileEntry) -> Result<(), PackageError> {
        let mut file = File::open(resolve(&self.dir, path)?).map_err(io_error(path))?;
        let found = file.metadata().map_err(io_error(path))?.len();
        if found != entry.bytes {
            return Err(PackageError::Size { path: path.into(), expected: entry.bytes, found });
        }
        let found = digest(&mut file).map_err(io_error(path))?;
        if found != entry.sha256 {
            return Err(PackageError::Digest { path: path.into(), expected: entry.sha256.clone(), found });
        }
        Ok(())
    }

    /// Refuses an ONNX file that has tensors in files that the manifest does not list, or that are not below its own folder. ONNX
    /// Runtime would open them.
    fn refuse_foreign(&self, path: &str) -> Result<(), PackageError> {
        let file = File::open(self.locate(path)?).map_err(io_error(path))?;
        let malformed = |e: io::Error| PackageError::Malformed { path: path.into(), reason: e.to_string() };
        for location in external::locations(&file).map_err(malformed)? {
            let beside = path.rsplit_once('/').map_or(location.clone(), |(folder, _)| format!("{folder}/{location}"));
            if !is_plain(&location) || !self.lists(&beside) {
                return Err(PackageError::Foreign { path: path.into(), location });
            }
        }
        Ok(())
    }

    /// Refuses files below `folder` (inside the package) that the manifest does not list.
    fn refuse_unlisted(&self, folder: &str) -> Result<(), PackageError> {
        for entry in fs::read_dir(self.dir.join(folder)).map_err(io_error(folder))? {
            let entry = entry.map_err(io_error(folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type().map_err(io_error(&path))?.is_dir() {
                self.refuse_unlisted(&path)?;
            } else if path != MANIFEST && !self.lists(&path) {
                return Err(PackageError::Unlisted { path });
            }
        }
        Ok(())
    }
}

/// The regular file at `path` inside the package at `dir`, links followed.
pub(crate) fn resolve(dir: &Path, path: &str) -> Result<PathBuf, PackageError> {
    if !is_plain(path) {
        return Err(PackageError::Path { path: path.into() });
    }
    let file = dir.join(path).canonicalize().map_err(io_error(path))?;
    if !file.starts_with(dir) {
        return Err(PackageError::Outside { path: path.into() });
    }
    // Before it is opened: opening a pipe would wait for ever.
    if !file.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(PackageError::Io { path: path.into(), source });
    }
    Ok(file)
}

/// SHA-256 of a file, in hex.
pub(crate) fn digest(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

pub(crate) fn io_error(path: &str) -> impl FnOnce(io::Error) -> PackageError {
    let path = path.to_owned();
    move |source| PackageError::Io { path, source }
}
