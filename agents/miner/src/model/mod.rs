//! `miner-agent model`: looking after model packages, one file a subcommand.

mod add;
mod calibrate;
mod check;
pub mod fetch;

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with model packages.
#[derive(Subcommand)]
pub enum Model {
    /// Measure how far honest machines and fakes are off, and choose the tolerance between them; exit code 3 if there is none
    Calibrate(calibrate::Calibrate),
    /// Make a package of a folder that Python exported: write its cuckoo.json and print the modelId as JSON
    Add(Box<add::Add>),
    /// Check every file of a package against its cuckoo.json and print its modelId as JSON
    Check(check::Check),
    /// Get a package from a coordinator that offers work for it; every byte is checked against the modelId
    Fetch(fetch::Fetch),
}

impl Model {
    /// Runs the subcommand. Its result goes to stdout as JSON.
    ///
    /// # Errors
    /// One sentence for people.
    pub async fn execute(self) -> Result<ExitCode> {
        match self {
            Self::Calibrate(calibrate) => calibrate.execute().await,
            Self::Add(add) => add.execute(),
            Self::Check(check) => check.execute(),
            Self::Fetch(fetch) => fetch.execute().await,
        }
    }
}
