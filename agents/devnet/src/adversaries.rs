//! `cuckoo-devnet adversaries`.

use anyhow::{Result, ensure};
use clap::Args;
use cuckoo_devnet::{
    adversary::Cheat,
    zoo::{
        self, Facts, Ground, Kind, Row, Work,
        juries::{self, Jury},
        programs, table,
    },
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
    /// Fakes, and as many honest results, judged by each jury
    #[arg(long, default_value_t = 15)]
    disputes: usize,
    /// Seconds that a second of the chain lasts at least
    #[arg(long, default_value_t = 0.5)]
    pace: f64,
    /// Only kinds of miners, and juries, whose name has this in it, such as `jurors` for all of those; repeatable
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// Markdown file between whose markers the tables are written
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Runs it; stdout gets a line of JSON for each kind, stderr the progress and the tables.
pub async fn run(options: Options) -> Result<()> {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|word| name.contains(word));
    let kinds = zoo::cheats().into_iter().chain(zoo::honest());
    let kinds: Vec<Kind> = kinds.filter(|kind| wanted(kind.name)).collect();
    let juries: Vec<Jury> = juries::juries().into_iter().filter(|jury| wanted(&jury.name)).collect();
    ensure!(!kinds.is_empty() || !juries.is_empty(), "no kind of miner or jury has such a name");
    let begun = Instant::now();
    if options.tasks > 0 && !kinds.is_empty() {
        many(&options, kinds.clone()).await?;
    }
    if options.disputes > 0 && !juries.is_empty() {
        judged(&options, &juries).await?;
    }
    if options.program_tasks > 0 && !kinds.is_empty() {
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
        cores: cores(),
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

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Disputes before juries some of whom do not judge, one jury after the other.
async fn judged(options: &Options, juries: &[Jury]) -> Result<()> {
    let pace = Duration::try_from_secs_f64(options.pace)?;
    let mut outcomes = Vec::new();
    for jury in juries {
        let begun = Instant::now();
        let outcome = juries::run("adversaries-juries", jury, options.disputes, pace).await?;
        println!("{}", table::jury_json(&outcome));
        eprintln!("{}: {} s", jury.name, begun.elapsed().as_secs());
        outcomes.push(outcome);
    }
    let text = table::juries(&outcomes, cores());
    eprintln!("\n{text}");
    if let Some(file) = &options.write {
        table::write_between(file, "juries", &text)?;
    }
    for (jury, outcome) in juries.iter().zip(&outcomes) {
        ensure!(outcome.unearned == 0, "{}: {} ballots were paid without computing", jury.name, outcome.unearned);
        // Two thirds convict or acquit, so a third is what it takes to prevent that.
        let stated = 3 * jury.hostile.len() < juries::JURORS;
        ensure!(!stated || outcome.not_right() == 0, "{}: not every verdict is right: {outcome:?}", jury.name);
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
