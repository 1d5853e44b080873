//! `miner-agent draws URL`: whether a coordinator gave its tasks to miners by stake, as its log and the chain show it.

use crate::link::{Client, LinkError};
use alloy::{
    eips::BlockId,
    primitives::{Address, B256},
    providers::Provider,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use cuckoo_chain::{Chain, command::read_deployment, view};
use cuckoo_protocol::{
    contracts::Role,
    deployment::Deployment,
    draw::{At, Check, Draw, Facts, Fault},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Largest answer, in bytes: some 100,000 miners.
const MAX_ANSWER: usize = 16 << 20;

/// How far this agent's RPC may be behind the coordinator's.
const BEHIND_TIME: Duration = Duration::from_secs(20);
const BEHIND_BLOCKS: u64 = 100;

/// Between looks for a block.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Draws {
    /// Coordinator whose draws to check
    #[arg(value_name = "URL")]
    url: Url,
    /// First draw to check [default: such that the newest is the last]
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// How many to check
    #[arg(long, value_name = "M", default_value_t = 100)]
    count: u64,
    /// Commitment that the coordinator showed while the day of these draws was on; of several days repeat it
    #[arg(long, value_name = "HASH")]
    commitment: Vec<B256>,
    /// Also show what each draw says of this miner: candidate, or why it was none
    #[arg(long, value_name = "ADDRESS")]
    miner: Option<Address>,
    /// RPC URL of the chain, for weights and who was active; give several to fail over in this order
    #[arg(long, value_name = "URL", env = "CUCKOO_RPC_URL", hide_env_values = true, value_delimiter = ',')]
    rpc_url: Vec<Url>,
    /// The network's contracts: deployments/<chainid>.json
    #[arg(long, value_name = "FILE", env = "CUCKOO_DEPLOYMENT")]
    deployment: Option<PathBuf>,
}

const EXAMPLES: &str = "\
A coordinator draws by a secret that it reveals when the (UTC) day is over, and commits to while it is on. So look twice:
  miner-agent draws https://coordinator.example --rpc-url … --deployment deployments/1210.json
      # today: every line has the day's commitment. Keep it
  miner-agent draws https://coordinator.example --rpc-url … --deployment deployments/1210.json --commitment 0x…
      # tomorrow: do the winners follow from the secret that was committed to?

Prints a line of JSON for each draw: fair, unrevealed (all but the winner is checked), or false with the reasons. The exit code is 1
if any draw is false. Without --rpc-url and --deployment only winners and commitments are checked.

A log shows how tasks were drawn among those whom it names, not that it tells the truth about who was busy or absent: compare that
with your own miner's log (--miner). docs/protocol.md says what else it cannot show.";

/// `GET /v1/network`: what is used of it here.
#[derive(Deserialize)]
struct Network {
    draws: u64,
}

impl Draws {
    /// Checks draw after draw.
    ///
    /// # Errors
    /// A draw is false, or the coordinator or the chain does not answer.
    pub async fn execute(self) -> Result<()> {
        let shutdown = CancellationToken::new();
        let _guard = shutdown.clone().drop_guard();
        let mut history = match (&self.deployment, self.rpc_url.is_empty()) {
            (Some(deployment), false) => {
                Some(History::open(self.rpc_url.clone(), read_deployment(deployment)?, shutdown).await?)
            }
            (None, true) => {
                eprintln!("without --rpc-url and --deployment neither weights nor left-out miners are checked");
                None
            }
            _ => bail!("--rpc-url and --deployment go together: give both, or none to check winners alone"),
        };
        let client = Client::new(self.url.clone())?;
        let network: Network = client.public(&["network"], MAX_ANSWER).await.context("GET /v1/network")?;
        let from = self.from.unwrap_or(network.draws.saturating_sub(self.count));
        let until = from.saturating_add(self.count).min(network.draws);
        if from >= until {
            eprintln!("nothing to check: {} has made {} draws, numbered from 0", self.url, network.draws);
            return Ok(());
        }

        let mut check = Check::new(self.commitment.clone());
        let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
        for sequence in from..until {
            let log = read(&client, sequence).await.with_context(|| format!("GET /v1/draws/{sequence}"))?;
            let faults = match (&log, &mut history) {
                (None, _) => vec![Fault::Missing],
                (Some(log), None) => check.faults(sequence, log, None),
                (Some(log), Some(history)) => check.faults(sequence, log, Some(&history.facts(log.at).await?)),
            };
            let verdict = match &log {
                _ if !faults.is_empty() => "false",
                Some(Draw { secret: None, .. }) => "unrevealed",
                _ => "fair",
            };
            *tally.entry(verdict).or_default() += 1;
            println!("{}", self.line(sequence, verdict, log.as_ref(), &faults));
        }
        let of = |verdict| tally.get(verdict).copied().unwrap_or_default();
        let (fair, unrevealed, broken) = (of("fair"), of("unrevealed"), of("false"));
        eprintln!("draws {from} to {}: {fair} fair, {unrevealed} not revealed yet, {broken} false", until - 1);
        if broken > 0 {
            bail!(
                "{} of {} {} false, as the lines above say: keep them, and work for others",
                plural(broken),
                self.url,
                if broken == 1 { "is" } else { "are" }
            );
        }
        Ok(())
    }

    fn line(&self, sequence: u64, verdict: &str, log: Option<&Draw>, faults: &[Fault]) -> Value {
        let mut line = json!({ "draw": sequence, "verdict": verdict });
        if let Some(log) = log {
            let mut passed_over: BTreeMap<&str, u64> = BTreeMap::new();
            for passed in &log.passed_over {
                *passed_over.entry(passed.reason.as_str()).or_default() += 1;
            }
            line["day"] = json!(log.day);
            line["commitment"] = json!(log.commitment);
            line["chosen"] = json!(log.chosen);
            line["candidates"] = json!(log.candidates.len());
            line["passed_over"] = json!(passed_over);
            if let Some(miner) = self.miner {
                line["miner"] = json!(standing(log, miner));
            }
        }
        if !faults.is_empty() {
            line["faults"] = faults.iter().map(ToString::to_string).collect();
        }
        line
    }
}

/// A logged draw; none if the log has no such number.
async fn read(client: &Client, sequence: u64) -> Result<Option<Draw>, LinkError> {
    match client.public(&["draws", &sequence.to_string()], MAX_ANSWER).await {
        Ok(draw) => Ok(Some(draw)),
        Err(LinkError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a draw says of a miner; none if it says nothing.
fn standing(log: &Draw, miner: Address) -> Option<&'static str> {
    if log.candidates.iter().any(|candidate| candidate.miner == miner) {
        return Some("candidate");
    }
    log.passed_over.iter().find(|passed| passed.miner == miner).map(|passed| passed.reason.as_str())
}

fn plural(draws: u64) -> String {
    if draws == 1 { "1 draw".to_owned() } else { format!("{draws} draws") }
}

/// What the chain was when draws were made.
struct History {
    chain: Chain,
    /// Number and time of the newest block.
    head: (u64, u64),
    last: Option<(At, Facts)>,
}

impl History {
    async fn open(rpc_urls: Vec<Url>, deployment: Deployment, shutdown: CancellationToken) -> Result<Self> {
        let chain = Chain::connect(rpc_urls, deployment, shutdown).await?;
        let mut history = Self { chain, head: (0, 0), last: None };
        history.look().await?;
        Ok(history)
    }

    async fn look(&mut self) -> Result<()> {
        let head = self.chain.provider().get_block(BlockId::latest()).await.context("the chain cannot be read")?;
        let header = head.context("the chain has no newest block: try another --rpc-url")?.header;
        self.head = (header.number, header.timestamp);
        Ok(())
    }

    /// What the chain says of the blocks that a draw names.
    async fn facts(&mut self, at: Option<At>) -> Result<Facts> {
        let nothing = Facts { time: 0, now: self.head.1, weights: BTreeMap::new() };
        let Some(at) = at else { return Ok(nothing) };
        if let Some((last, facts)) = &self.last
            && *last == at
        {
            return Ok(facts.clone());
        }
        // This RPC may be behind the coordinator's.
        let deadline = Instant::now() + BEHIND_TIME;
        while at.block > self.head.0 && at.block - self.head.0 <= BEHIND_BLOCKS && Instant::now() < deadline {
            sleep(LOOK).await;
            self.look().await?;
        }
        if at.block > self.head.0 || at.final_block > at.block {
            return Ok(nothing);
        }
        let snapshot = view::at(&self.chain, at.block, at.final_block).await.with_context(|| {
            format!(
                "the chain cannot be read at block {}: give an --rpc-url that keeps old blocks or their events",
                at.block
            )
        })?;
        let weights = snapshot.active(Role::Miner).map(|miner| (miner.operator, miner.weight)).collect();
        let facts = Facts { time: snapshot.timestamp, now: self.head.1, weights };
        self.last = Some((at, facts.clone()));
        Ok(facts)
    }
}
