//! `miner-agent model`: looking after model packages, one file a subcommand.

mod check;

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with model packages.
#[derive(Subcommand)]
pub enum Model {
    /// Check every file of a package against its cuckoo.json and print its modelId as JSON
    Check(check::Check),
}

impl Model {
    /// Runs the subcommand. Its result goes to stdout as JSON.
    ///
    /// # Errors
    /// One sentence for people.
    pub async fn execute(self) -> Result<ExitCode> {
        match self {
            Self::Check(check) => check.execute(),
        }
    }
}
