//! Altered copies of a package.

use super::{FakeError, Malformed, Rewrite};
use crate::{
    onnx::{External, Onnx},
    package::{MANIFEST, Package, PackageError, digest},
};
use cuckoo_protocol::manifest::FileEntry;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Writes `package` into the empty folder `into`, its networks rewritten, with a manifest that lists what is there now. What is not
/// altered is linked where the file system can.
///
/// # Errors
/// [`FakeError`].
pub fn rewrite(package: &Package, rewrite: Rewrite, into: &Path) -> Result<Package, FakeError> {
    let mut manifest = package.manifest().clone();
    let (mut altered, mut patched) = (BTreeMap::new(), BTreeMap::<String, Vec<(u64, Vec<f32>)>>::new());
    for path in manifest.files.keys().filter(|path| path.ends_with(".onnx")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |location: &str| format!("{folder}/{location}").trim_start_matches('/').to_owned();
        let mut onnx = Onnx::parse(&fs::read(package.locate(path)?).map_err(unreadable(path))?)?;
        let patches = rewrite.apply(&mut onnx, &|external| fetch(package, &beside(&external.location), external))?;
        for (external, values) in patches {
            patched.entry(beside(&external.location)).or_default().push((external.offset, values));
        }
        altered.insert(path.clone(), onnx.encode());
    }
    for (path, entry) in &mut manifest.files {
        let (from, to) = (package.locate(path)?, into.join(path));
        let write = || -> io::Result<Option<FileEntry>> {
            fs::create_dir_all(to.parent().unwrap_or(into))?;
            if let Some(bytes) = altered.get(path) {
                fs::write(&to, bytes)?;
            } else if let Some(patches) = patched.get(path) {
                fs::copy(&from, &to)?;
                let mut file = OpenOptions::new().write(true).open(&to)?;
                for (offset, values) in patches {
                    file.seek(SeekFrom::Start(*offset))?;
                    file.write_all(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
                }
            } else {
                return fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).map(|()| None);
            }
            list(&to).map(Some)
        };
        if let Some(changed) = write().map_err(unwritable(&to))? {
            *entry = changed;
        }
    }
    let path = into.join(MANIFEST);
    let json = serde_json::to_vec(&manifest).map_err(|e| unwritable(&path)(e.into()))?;
    fs::write(&path, json).map_err(unwritable(&path))?;
    Ok(Package::open(into)?)
}

fn fetch(package: &Package, path: &str, external: &External) -> Result<Vec<u8>, FakeError> {
    let read = |file: &Path| -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(external.offset))?;
        let mut bytes = Vec::new();
        file.take(external.bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read(&package.locate(path)?).map_err(unreadable(path))?;
    if bytes.len() as u64 == external.bytes { Ok(bytes) } else { Err(Malformed.into()) }
}

fn list(path: &Path) -> io::Result<FileEntry> {
    let mut file = File::open(path)?;
    Ok(FileEntry { bytes: file.metadata()?.len(), sha256: digest(&mut file)? })
}

fn unreadable(path: &str) -> impl FnOnce(io::Error) -> FakeError {
    move |source| PackageError::Io { path: path.into(), source }.into()
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> FakeError {
    move |source| FakeError::Write { path: path.display().to_string(), source }
}
