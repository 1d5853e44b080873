//! The command line.

use crate::{challenge::command::Challenge, config::Flags, run::run};
use anyhow::Result;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Parser, Subcommand};
use cuckoo_chain::command::{KeyNew, Register, stop_signal};
use cuckoo_protocol::contracts::Role;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Takes apps' tasks, gives each to a miner drawn by stake, checks results, and pays.
///
/// Results go to stdout as JSON, prose to stderr. RUST_LOG sets what is logged (default: info).
#[derive(Parser)]
#[command(name = "coordinator-agent", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Begin:
  coordinator-agent key new --keystore node.json --password-file password
  # stake more than 2,000,000 CAI with the operator's account, then:
  coordinator-agent register --deployment deployments/1210.json --keystore node.json --password-file password \\
      --operator 0x… --endpoint https://coordinator.example --info 'Icons for everybody'
  coordinator-agent key api           # an API key for an app, and the hash to configure
  coordinator-agent run --config coordinator.toml";

#[derive(Subcommand)]
enum Command {
    /// Serve apps and miners until SIGINT or SIGTERM
    Run(Box<Flags>),
    /// Print the transaction that registers this node, or send it if the operator's keystore is given
    Register(Register),
    /// Have a result judged on chain, with the receipt that an app keeps. Takes a bond and the jury's fee
    Challenge(Box<Challenge>),
    /// Make keys
    #[command(subcommand)]
    Key(Key),
}

#[derive(Subcommand)]
enum Key {
    /// Make a node key in an encrypted keystore; prints its address
    New(KeyNew),
    /// Make an API key for an app; prints it with its hash, which --api-key-hash takes. It is shown only now
    Api,
}

/// Runs the command that the arguments name.
///
/// # Errors
/// One sentence for people.
pub async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(flags) => run(flags.load()?, stop_signal()?).await,
        Command::Register(register) => {
            println!("{}", register.execute(Role::Coordinator).await?);
            Ok(())
        }
        Command::Challenge(challenge) => {
            println!("{}", challenge.execute().await?);
            Ok(())
        }
        Command::Key(Key::New(new)) => {
            println!("{}", new.execute()?);
            Ok(())
        }
        Command::Key(Key::Api) => {
            let key = format!("sk-cuckoo-{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()));
            let hash = alloy::primitives::hex::encode(Sha256::digest(&key));
            println!("{}", json!({ "api_key": key, "api_key_hash": hash }));
            Ok(())
        }
    }
}
