//! `cuckoo-devnet adversaries`.

use anyhow::{Result, ensure};
use clap::Args;
use cuckoo_devnet::zoo::{self, Facts, Ground, Kind, Row};
use std::{path::PathBuf, sync::Arc, time::Instant};

/// How much is tried.
#[derive(Debug, Args)]
pub struct Options {
    /// Tasks of each kind of miner
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
    /// Share of results that is audited
    #[arg(long, default_value_t = 0.05)]
    audit_rate: f64,
    /// Only kinds whose name has this in it; repeatable
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// Markdown file between whose markers the tables are written
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Runs it; stdout gets a line of JSON for each kind, stderr the progress and the tables.
pub async fn run(options: Options) -> Result<()> {
    let wanted = |kind: &Kind| options.only.is_empty() || options.only.iter().any(|word| kind.name.contains(word));
    let kinds: Vec<Kind> = zoo::cheats().into_iter().chain(zoo::honest()).filter(wanted).collect();
    ensure!(!kinds.is_empty(), "no kind of miner has such a name");
    let begun = Instant::now();
    let ground = Arc::new(Ground::lay("adversaries", options.audit_rate).await?);
    eprintln!("chain, contracts and jurors are there after {} s", begun.elapsed().as_secs());
    let facts = Facts {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        model: ground.package.manifest().name.clone(),
        rate: options.audit_rate,
    };
    let rows = zoo::run(ground, kinds, options.tasks, |row| println!("{}", zoo::json(row))).await?;
    let tables = zoo::markdown(&rows, &facts);
    eprintln!("\n{tables}\n{} s in all", begun.elapsed().as_secs());
    if let Some(file) = &options.write {
        zoo::write_between(file, &tables)?;
    }
    expect_justice(&rows)
}

/// Every fake that is not tolerated was found, nobody honest was, and no jury failed.
fn expect_justice(rows: &[Row]) -> Result<()> {
    for row in rows {
        let wronged = row.verdicts.acquitted + row.verdicts.drawn + row.verdicts.missing;
        ensure!(wronged == 0, "{}: {wronged} disputes ended without a conviction", row.name);
        ensure!(row.convicted() == row.found, "{}: {} found, {} convicted", row.name, row.found, row.convicted());
        ensure!(!row.honest || row.found == 0, "the honest miner {} was accused {} times", row.name, row.found);
    }
    Ok(())
}
