//! `cuckoo-devnet adversaries`.

use anyhow::{Result, ensure};
use clap::Args;
use cuckoo_devnet::{
    adversary::Cheat,
    zoo::{self, Facts, Ground, Kind, Row, Work, programs, table},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// How much is tried.
#[derive(Debug, Args)]
pub struct Options {
    /// Tasks of each kind of miner
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
    /// Share of results that is audited
    #[arg(long, default_value_t = 0.05)]
    audit_rate: f64,
    /// Tasks of each kind of cheat before the real programs
    #[arg(long, default_value_t = 20)]
    program_tasks: u64,
    /// Seconds that a second of the chain lasts at least
    #[arg(long, default_value_t = 0.5)]
    pace: f64,
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
    if options.tasks > 0 {
        many(&options, kinds.clone()).await?;
    }
    if options.program_tasks > 0 {
        let cheats = kinds.into_iter().filter(|kind| matches!(kind.work, Work::Cheat(_)) && !kind.thief).collect();
        let outcomes = programs::run(cheats, options.program_tasks).await?;
        let text = table::programs(&outcomes);
        eprintln!("\n{text}");
        if let Some(file) = &options.write {
            table::write_between(file, "programs", &text)?;
        }
        for outcome in &outcomes {
            let decided = outcome.verdicts.convicted() + outcome.refused;
            let tolerated = outcome.name == Cheat::Bias.name();
            ensure!(decided == if tolerated { 0 } else { outcome.tasks }, "not every cheat was caught: {outcome:?}");
        }
    }
    eprintln!("{} s in all", begun.elapsed().as_secs());
    Ok(())
}

/// Many tasks each, with the agents' own code in this process.
async fn many(options: &Options, kinds: Vec<Kind>) -> Result<()> {
    let ground =
        Arc::new(Ground::lay("adversaries", options.audit_rate, Duration::try_from_secs_f64(options.pace)?).await?);
    let facts = Facts {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        model: format!("{} {}", ground.package.manifest().name, ground.package.model_id()),
        rate: options.audit_rate,
    };
    let rows = zoo::run(ground, kinds, options.tasks, |row| println!("{}", table::json(row))).await?;
    let (honest, cheats): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.honest);
    for (section, rows, write) in
        [("cheats", &cheats, table::cheats as fn(&[Row], &Facts) -> String), ("honest miners", &honest, table::honest)]
    {
        if rows.is_empty() {
            continue;
        }
        let text = write(rows, &facts);
        eprintln!("\n{text}");
        if let Some(file) = &options.write {
            table::write_between(file, section, &text)?;
        }
        expect_justice(rows)?;
    }
    Ok(())
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
