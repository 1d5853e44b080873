//! Replays random traces for as long as one likes: `cargo run -p cuckoo-reference -- --seed 1 --traces 100 --length 5000`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use cuckoo_reference::{
    evm::Artefacts,
    network::Parameters,
    replay::{Tally, replay},
};

/// Compares the contracts with the reference model on random traces.
#[derive(Parser)]
struct Arguments {
    /// Seed of the first trace; the next ones count up.
    #[arg(long, env = "CUCKOO_REFERENCE_SEED", default_value_t = 1)]
    seed: u64,
    /// Number of traces.
    #[arg(long, default_value_t = 10)]
    traces: u64,
    /// Operations in each.
    #[arg(long, default_value_t = 5_000)]
    length: usize,
    /// Seconds for which a trace that shows a difference is cut down.
    #[arg(long, default_value_t = 600)]
    patience: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let patience = Duration::from_secs(arguments.patience);
    let artefacts = Artefacts::read()?;
    let mut sum = Tally::default();
    for seed in arguments.seed..arguments.seed + arguments.traces {
        match replay(&artefacts, &Parameters::of_seed(seed), seed, arguments.length, patience)? {
            Ok(tally) => {
                println!("seed {seed}: {} operations, {} answers compared", tally.operations(), tally.compared);
                sum.add(&tally);
            }
            Err(failure) => bail!("{failure}"),
        }
    }
    println!("{sum}");
    Ok(())
}
