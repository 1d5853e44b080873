//! `cuckoo-devnet`: a whole network on this machine, to see it work (`demo`) or to build against (`up`).
//!
//! stdout is the result, stderr the prose.

mod adversaries;
mod demo;
mod up;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a whole Cuckoo network on this machine.
///
/// Needs what `make build` brings; `make demo` and `make devnet` do that first.
#[derive(Debug, Parser)]
#[command(name = "cuckoo-devnet", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole way from a prompt to a paid picture, and what is refused; ends with one JSON line
    Demo(demo::Options),
    /// Starts a network and keeps it up until interrupted; prints one JSON line once it is ready
    Up(up::Options),
    /// Tries every kind of cheat, and honest miners, at many tasks each; prints one JSON line a kind
    Adversaries(adversaries::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        // Whatever is dropped when the signal wins kills its processes.
        Command::Demo(options) => tokio::select! {
            outcome = demo::run(options) => outcome,
            outcome = interrupted() => outcome,
        },
        Command::Adversaries(options) => tokio::select! {
            outcome = adversaries::run(options) => outcome,
            outcome = interrupted() => outcome,
        },
        Command::Up(options) => up::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncuckoo-devnet failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ends, with an error, when somebody asks this program to end.
async fn interrupted() -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}
