//! `cuckoo-economics`: works out whether honesty pays, and writes docs/economics.md's tables and plots.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cuckoo_economics::{
    game::Token,
    page::Page,
    report,
    rules::{Market, Rules},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Share of the honest operators that let themselves be bought where nothing else is said.
const VENAL: f64 = 0.5;

/// Plays the whole game of stake, audits, disputes and rewards over months, with a deployment's own parameters, and says for which of them honesty
/// is the best strategy. All figures go to stdout as JSON.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Parameters of the deployment
    #[arg(long, default_value = "script/config/1200.json")]
    config: PathBuf,
    /// Measured gas of the disputes' verbs
    #[arg(long, default_value = "test/gas/snapshots/disputes.json")]
    gas: PathBuf,
    /// Write tables and plots into this page and the folder beside it of the same name
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Fail if the figures and plots of this page are not the ones that are worked out now
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    check: Option<PathBuf>,
    /// CAI of an ordinary task; one in ten costs ten times as much
    #[arg(long, default_value_t = 3.0)]
    price: f64,
    /// Of a price, what honest work costs
    #[arg(long, default_value_t = 0.5)]
    cost: f64,
    /// Of that cost, what a fake saves
    #[arg(long, default_value_t = 0.95)]
    saved: f64,
    /// Share of results that coordinators audit
    #[arg(long, default_value_t = 0.05)]
    audit: f64,
    /// Probability that the audit of a fake finds it
    #[arg(long, default_value_t = 1.0)]
    detection: f64,
    /// Probability that a fake that was found is convicted if its jury says so
    #[arg(long, default_value_t = 0.9)]
    conviction: f64,
    /// Tasks a day, for a hundred miners
    #[arg(long, default_value_t = 2000.0)]
    demand: f64,
    /// Runs of each setting, with seeds of their own
    #[arg(long, default_value_t = 24)]
    runs: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    for (name, share) in [
        ("--cost", options.cost),
        ("--saved", options.saved),
        ("--audit", options.audit),
        ("--detection", options.detection),
        ("--conviction", options.conviction),
    ] {
        ensure!((0.0..=1.0).contains(&share), "{name} is {share}: a share is 0 to 1");
    }
    ensure!(
        options.price > 0.0 && options.demand > 0.0 && options.runs > 0,
        "--price, --demand and --runs must be above 0"
    );
    let rules = Rules::read(&options.config)?;
    let Options { price, cost, saved, audit, detection, conviction, demand, .. } = options;
    let market = Market {
        price,
        cost,
        saved,
        audit,
        detection,
        conviction,
        demand,
        capped: true,
        newcomers: true,
        token: Token::Steady,
        venal: VENAL,
        bribe: rules.fee,
    };
    let report = report::work_out(&rules, &market, options.runs, &|what| eprintln!("{what} …"));
    if options.write.is_some() || options.check.is_some() {
        let plots = report.plots(&rules, &market, answer_gas(&options.gas)?)?;
        let page = Page { summary: report.summary(&market), tables: report.tables(), plots };
        if let Some(path) = &options.write {
            page.write(path)?;
        }
        if let Some(path) = &options.check {
            page.check(path)?;
        }
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// What opening a state of 64 KiB takes.
fn answer_gas(path: &Path) -> Result<f64> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let verbs: BTreeMap<String, String> = serde_json::from_slice(&text)?;
    let gas = verbs.get("answer, a state of 64 KiB").context("the gas of an answer is not among the measured ones")?;
    Ok(gas.parse()?)
}
