//! Where the programs are that a network is made of.

use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The programs of one checkout.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The repository.
    pub root: PathBuf,
    /// The development chain.
    pub anvil: PathBuf,
    /// Runs the deployment script.
    pub forge: PathBuf,
    /// `coordinator-agent`, built with this program.
    pub coordinator_agent: PathBuf,
    /// `miner-agent`, built with this program.
    pub miner_agent: PathBuf,
    /// ONNX Runtime's shared library: the one that ORT_DYLIB_PATH names, else the fetched one.
    pub onnxruntime: PathBuf,
}

impl Toolchain {
    /// Finds them from the working directory (the repository or any folder of it) and from where this program lies.
    ///
    /// # Errors
    /// Says what is missing and which command brings it.
    pub fn find() -> Result<Self> {
        let here = env::current_dir()?;
        let root = here.ancestors().find(|folder| folder.join("foundry.toml").is_file());
        let root = root.context("run this inside the repository: no foundry.toml here or above")?.to_path_buf();
        let (anvil, forge) = (foundry(&root, "anvil")?, foundry(&root, "forge")?);
        let fetched = root.join("vendor/onnxruntime/libonnxruntime.so");
        let onnxruntime = env::var_os("ORT_DYLIB_PATH").map_or(fetched, PathBuf::from);
        if !onnxruntime.is_file() {
            bail!("{} is missing: run `make setup` first", onnxruntime.display());
        }
        let program = env::current_exe()?;
        let folder = program.parent().context("this program lies in no folder")?;
        // Tests and examples lie one folder deeper than binaries.
        let nested = ["deps", "examples"].iter().any(|name| folder.ends_with(name));
        let built = if nested { folder.parent().unwrap_or(folder) } else { folder };
        let agent = |name: &str| {
            let path = built.join(name);
            if path.is_file() {
                return Ok(path);
            }
            bail!("{} is missing: run `cargo build --workspace` first", path.display())
        };
        let (coordinator_agent, miner_agent) = (agent("coordinator-agent")?, agent("miner-agent")?);
        Ok(Self { root, anvil, forge, coordinator_agent, miner_agent, onnxruntime })
    }

    /// Folder of a model: of one that `make setup` fetched, or of the repository.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn model(&self, name: &str) -> Result<PathBuf> {
        // The repository has only the manifests of fetched ones.
        let folders = ["vendor/models", "models"].map(|folder| self.root.join(folder).join(name));
        let found = folders.iter().find(|path| path.join("cuckoo.json").is_file());
        found.cloned().with_context(|| format!("there is no model package at {}", folders[1].display()))
    }
}

/// The program itself rather than npm's launcher: a launcher that is killed leaves the program behind.
fn foundry(root: &Path, name: &str) -> Result<PathBuf> {
    let packages = root.join("node_modules/@foundry-rs");
    let missing = || format!("{name} is missing under {}: run `make setup` first", packages.display());
    for entry in fs::read_dir(&packages).with_context(missing)? {
        let package = entry?;
        let program = package.path().join("bin").join(name);
        if package.file_name().to_string_lossy().starts_with(&format!("{name}-")) && program.is_file() {
            return Ok(program);
        }
    }
    bail!(missing())
}
