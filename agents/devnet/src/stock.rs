//! A model that takes input pictures: the randomly initialised Stable Diffusion that the tests of inference compare with Python's.

use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use cuckoo_inference::{Draft, runtime};
use image::{ImageFormat, Rgb, RgbImage};
use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

/// What apps call it.
pub const NAME: &str = "painter";

/// Width and height in pixels of what it draws; two chunks of an input picture, and of the state that holds it.
pub const SIZE: [u32; 2] = [128, 64];

/// Copies it into a fresh folder under `target/devnet`, writes its manifest as `miner-agent model add` does, and gives the folder: what a
/// plan takes as its model.
///
/// # Errors
/// If the folder cannot be written, or ONNX Runtime is missing.
pub fn painter(toolchain: &Toolchain, label: &str) -> Result<PathBuf> {
    let source = toolchain.root.join("agents/inference/testdata/stock/sd15");
    let folder = toolchain.root.join("target/devnet").join(format!("{label}-{NAME}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    copy(&source, &folder).with_context(|| format!("cannot copy {}", source.display()))?;
    runtime::init(Some(&toolchain.onnxruntime))?;
    let draft = Draft {
        name: NAME.to_owned(),
        description: "Random weights.".to_owned(),
        licence: "MIT".to_owned(),
        sizes: vec![SIZE],
        steps: Some(4),
        guidance: None,
        scheduler: None,
    };
    draft.of(&folder)?.write(false)?;
    Ok(folder)
}

/// A PNG of the size that it draws, another for each `seed`.
///
/// # Errors
/// If it cannot be encoded.
pub fn picture(seed: u8) -> Result<Vec<u8>> {
    png(SIZE, seed)
}

/// A PNG of another size.
///
/// # Errors
/// As [`picture`].
pub fn png([width, height]: [u32; 2], seed: u8) -> Result<Vec<u8>> {
    let pixel = |x: u32, y: u32| Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, seed]);
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(width, height, pixel).write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy(&entry, &target)?;
        } else {
            fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}
