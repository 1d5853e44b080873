//! `cuckoo-devnet demo`: from a prompt to a paid picture, step by step, and what is refused on the way.

mod cheat;
mod prompts;

use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use clap::Args;
use cuckoo_devnet::{
    agent::short,
    anvil::{Anvil, free_port},
    app::{Picture, prompt},
    attacks,
    network::Network,
    operator::cai,
    payment,
    plan::{MinerPlan, PURSE, Plan},
    site::Site,
    tally::{self, Row, Tally},
    toolchain::Toolchain,
};
use cuckoo_protocol::amount::{brief_cai, format_cai};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// The first prompt, whose picture the demonstration leaves behind.
const FIRST_PROMPT: &str = "a red strawberry";

/// Flags of `demo`.
#[derive(Args, Debug)]
pub struct Options {
    /// Port of the chain's JSON-RPC [default: a free one]
    #[arg(long)]
    rpc_port: Option<u16>,
    /// Port of the coordinator's APIs [default: a free one]
    #[arg(long)]
    coordinator_port: Option<u16>,
    /// Model package in models/
    #[arg(long, default_value = "cuckoo-icons")]
    model: String,
}

/// The last line.
#[derive(Serialize)]
struct Summary {
    demo: &'static str,
    tasks: u64,
    picture: PathBuf,
    miners: Vec<MinerSummary>,
    paid_cai: String,
    /// What the cheat and its voter lost.
    slashed_cai: String,
    burned_cai: String,
    seconds: u64,
}

#[derive(Serialize)]
struct MinerSummary {
    miner: String,
    weight_cai: String,
    weight_share: f64,
    served: u64,
    served_share: f64,
    paid_cai: String,
    balance_cai: String,
}

impl MinerSummary {
    fn of(row: &Row) -> Self {
        let rounded = |share: f64| (share * 10_000.0).round() / 10_000.0;
        Self {
            miner: row.name.clone(),
            weight_cai: format_cai(row.weight),
            weight_share: rounded(row.weight_share),
            served: row.served,
            served_share: rounded(row.served_share),
            paid_cai: format_cai(row.earned),
            balance_cai: format_cai(row.balance),
        }
    }
}

/// Runs all steps.
///
/// # Errors
/// Of the first step that fails, with its number and name.
pub async fn run(options: Options) -> Result<()> {
    let begun = Instant::now();
    let (rpc_port, coordinator_port) = (or_free(options.rpc_port)?, or_free(options.coordinator_port)?);

    let (toolchain, plan, lock, anvil) = step(1, "start a chain", async {
        let toolchain = Toolchain::find()?;
        let plan = plan(&toolchain, rpc_port, coordinator_port, options.model);
        let lock = plan.prepare(&toolchain)?;
        let anvil = Anvil::start(&toolchain, &plan.folder, rpc_port).await?;
        eprintln!("   anvil answers at {}", anvil.rpc_url);
        Ok((toolchain, plan, lock, anvil))
    })
    .await?;

    let site = step(2, "deploy the contracts", async {
        let site = Site::deploy(plan, toolchain, anvil, lock).await?;
        eprintln!("   CAI {}, addresses in {}", site.deployment.contracts.cai, site.plan.deployment_file.display());
        Ok(site)
    })
    .await?;

    let crew = step(3, "stake, vote and register", async {
        let crew = site.enrol().await?;
        for operator in std::iter::once(&crew.coordinator).chain(&crew.miners) {
            let weight = brief_cai(site.ledger().weight(operator.address()).await?);
            let (account, node) = (short(operator.address()), short(operator.node.address));
            eprintln!("   {:<11} operator {account}  node {node}  weight {weight} CAI", operator.name);
        }
        Ok(crew)
    })
    .await?;

    let network = step(4, "start the agents", async {
        let network = Network::start(site, crew).await?;
        eprintln!("   the coordinator is at {}; logs are in {}", network.coordinator_url(), folder(&network).display());
        Ok(network)
    })
    .await?;

    let mut tally = Tally::new(&network).await?;
    let (first, path) = step(5, "a prompt becomes a picture", async {
        let picture = draw(&network, FIRST_PROMPT, &mut tally).await?;
        let path = save(&network, "picture", &picture)?;
        let (offer, result) = (&picture.receipt.offer, &picture.receipt.result);
        eprintln!("   {FIRST_PROMPT:?} → {}", path.display());
        eprintln!(
            "   offer  {} for {} CAI",
            network.expectation.domain.digest(&offer.message),
            format_cai(offer.message.price)
        );
        eprintln!("   result outputHash {} by {}", result.message.outputHash, short(offer.message.miner));
        Ok((picture, path))
    })
    .await?;

    let (rows, paid) = step(6, "forty prompts, served by stake and paid", async {
        let bar = ProgressBar::new(prompts::COUNT as u64);
        bar.set_style(ProgressStyle::with_template("   {bar:40} {pos}/{len} {msg}")?);
        for (number, text) in prompts::all().into_iter().enumerate() {
            bar.set_message(text.clone());
            let picture = draw(&network, &text, &mut tally).await.with_context(|| format!("prompt {text:?}"))?;
            save(&network, &format!("{:02}", number + 1), &picture)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let chance = tally.chance()?;
        let rows = payment::settle(&network, &tally).await?;
        println!("{}", tally::table(&rows));
        eprintln!(
            "   a draw by weight deviates from the weights this much or more in {:.0}% of all cases",
            chance * 100.0
        );
        let paid = rows.iter().fold(U256::ZERO, |sum, row| sum + row.earned);
        eprintln!(
            "   {} signatures checked; every wei that the receipts promise was collected, 2% of it burned",
            2 * tally.tasks()
        );
        Ok((rows, paid))
    })
    .await?;

    let downfall = step(7, "a miner that fakes is slashed", async {
        let downfall = cheat::slashed(&network).await?;
        save(&network, "fake", &downfall.picture)?;
        downfall.tell(&network);
        Ok(downfall)
    })
    .await?;

    step(8, "what is refused", async {
        for attempt in attacks::all(&network, &first).await? {
            eprintln!("   {}:\n     {}", attempt.what, attempt.refusal);
        }
        eprintln!("   the task whose lease was attacked was finished by an honest miner");
        Ok(())
    })
    .await?;

    step(9, "end every process", network.stop()).await?;

    let summary = Summary {
        demo: "ok",
        tasks: tally.tasks(),
        picture: path,
        miners: rows.iter().map(MinerSummary::of).collect(),
        paid_cai: format_cai(paid),
        slashed_cai: format_cai(downfall.verdict.slashed),
        burned_cai: format_cai(downfall.verdict.burned),
        seconds: begun.elapsed().as_secs(),
    };
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}

/// Announces a step, runs it, and puts its number and name before its error.
async fn step<T>(number: u8, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    eprintln!("{number}. {name}");
    let begun = Instant::now();
    let outcome = work.await.with_context(|| format!("step {number} ({name})"));
    if outcome.is_ok() {
        eprintln!("   done in {:.1} s", begun.elapsed().as_secs_f64());
    }
    outcome
}

/// The demonstration's network: different stakes, and one miner with a plain staker's vote.
fn plan(toolchain: &Toolchain, rpc_port: u16, coordinator_port: u16, model: String) -> Plan {
    Plan {
        folder: toolchain.root.join("target/demo"),
        deployment_file: toolchain.root.join("deployments/31337.json"),
        rpc_port,
        coordinator_port,
        model,
        price: "10".to_owned(),
        // So little that a miner collects whenever it is owed anything: the balances at the end are complete.
        collect_at: "0.01".to_owned(),
        credit: "100".to_owned(),
        purse: PURSE,
        lease_seconds: 30,
        audit_rate: 0.05,
        threads: 2,
        miners: MinerPlan::unequal_three(),
    }
}

/// Has a prompt drawn, checks the receipt and counts it.
async fn draw(network: &Network, text: &str, tally: &mut Tally) -> Result<Picture> {
    let picture = network.app.generate(&prompt(&network.site.plan.model, text)).await?;
    let earned = network.expectation.check(text, &picture)?;
    ensure!(earned.price < cai(100)?, "the price is not what this network pays: {}", format_cai(earned.price));
    tally.count(earned);
    Ok(picture)
}

fn save(network: &Network, name: &str, picture: &Picture) -> Result<PathBuf> {
    let folder = folder(network).join("pictures");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.png"));
    fs::write(&path, &picture.png).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.strip_prefix(&network.site.toolchain.root).map(Path::to_path_buf).unwrap_or(path))
}

fn folder(network: &Network) -> &Path {
    &network.site.plan.folder
}

fn or_free(port: Option<u16>) -> Result<u16> {
    port.map_or_else(free_port, Ok)
}
