//! `miner-agent model check DIR`: whether a package is what its manifest says.

use anyhow::{Result, anyhow};
use clap::Args;
use cuckoo_inference::Package;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Arguments.
#[derive(Args)]
pub struct Check {
    /// Folder of the package
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Check {
    /// Prints what the package is.
    ///
    /// # Errors
    /// The first thing that is wrong with the package.
    pub fn execute(self) -> Result<ExitCode> {
        let package = Package::open(&self.dir).map_err(|e| anyhow!("the model in {}: {e}", self.dir.display()))?;
        let manifest = package.manifest();
        let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
        println!(
            "{}",
            json!({
                "model_id": package.model_id(),
                "name": manifest.name,
                "program": manifest.program,
                "precision": manifest.precision,
                "slashable": manifest.slashable(),
                "files": manifest.files.len(),
                "bytes": bytes,
            })
        );
        Ok(ExitCode::SUCCESS)
    }
}
