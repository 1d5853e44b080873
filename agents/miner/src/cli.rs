//! The command line.

use crate::{config::Flags, doctor, draws::Draws, model::Model, run};
use anyhow::Result;
use clap::{Parser, Subcommand};
use cuckoo_chain::command::{KeyNew, Register, stop_signal};
use cuckoo_protocol::contracts::Role;
use std::{path::PathBuf, process::ExitCode};

/// Claims tasks from coordinators, does them, and collects the pay.
///
/// Results go to stdout as JSON, prose to stderr. RUST_LOG sets what is logged (default: info).
#[derive(Parser)]
#[command(name = "miner-agent", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Begin:
  miner-agent doctor --model models/cuckoo-tiny       # can this machine work?
  miner-agent key new --keystore node.json --password-file password
  # stake more than 20,000 CAI with the operator's account, then:
  miner-agent register --deployment deployments/1210.json --keystore node.json --password-file password \\
      --operator 0x… --info 'One RTX 4090 in Lisbon'
  # send what it printed from the operator's account, and a little native coin for gas to the node; then:
  miner-agent run --rpc-url https://rpc.example --deployment deployments/1210.json \\
      --keystore node.json --password-file password --data-dir data --model models/cuckoo-tiny

The same with a file: miner-agent run --config miner.toml, where miner.toml has lines such as
  rpc_url = [\"https://rpc.example\"]
  least_price = \"0.5\"";

#[derive(Subcommand)]
enum Command {
    /// Work until SIGINT or SIGTERM; a task in work is finished first (30 s at most), a second signal stops at once
    Run(Box<Flags>),
    /// Print the transaction that registers this node, or send it if the operator's keystore is given
    Register(Register),
    /// Make keys
    #[command(subcommand)]
    Key(Key),
    /// Run one request with each model and print how it went as JSON; with --rpc-url also check chain, registration and stake
    Doctor(Box<Doctor>),
    /// Check that a coordinator draws miners by stake: a line of JSON for each draw of its log, exit code 1 if one is false
    Draws(Box<Draws>),
    /// Check and look after model packages
    #[command(subcommand)]
    Model(Model),
}

#[derive(Subcommand)]
enum Key {
    /// Make a node key in an encrypted keystore; prints its address
    New(KeyNew),
}

#[derive(clap::Args)]
struct Doctor {
    #[command(flatten)]
    flags: Flags,
    /// Write the last output to this file: a picture as PNG, vectors as f32 little-endian
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command that the arguments name. A command that did its work but found what a script should notice has an exit code
/// of its own.
///
/// # Errors
/// One sentence for people.
pub async fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(flags) => run::run(flags.load()?, stop_signal()?).await?,
        Command::Register(register) => println!("{}", register.execute(Role::Miner).await?),
        Command::Key(Key::New(new)) => println!("{}", new.execute()?),
        Command::Doctor(doctor) => {
            let report = doctor::examine(&doctor.flags.load()?, doctor.output.as_deref()).await;
            println!("{}", serde_json::to_string_pretty(&report)?);
            report.verdict()?;
        }
        Command::Draws(draws) => draws.execute().await?,
        Command::Model(model) => return model.execute().await,
    }
    Ok(ExitCode::SUCCESS)
}
