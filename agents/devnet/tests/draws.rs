//! Draws that anybody can check: the coordinator's log passes, and each way to favour a miner in it is found.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result, ensure};
use axum::{Json, Router, extract::State, http::StatusCode, http::Uri};
use cuckoo_devnet::{
    agent::ChainFlags, app::prompt, network::Network, operator::cai, plan::Plan, process, toolchain::Toolchain, until,
};
use cuckoo_protocol::draw::{At, DAY, Draw, PassedOver, Reason, commitment, draw};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio_util::task::AbortOnDropHandle;

const TASKS: usize = 6;

#[tokio::test]
async fn honest_draws_verify_and_favours_are_exposed() -> Result<()> {
    let mut network = Network::up(Plan::private(&Toolchain::find()?, "draws")?).await?;
    for n in 0..TASKS {
        if n == TASKS / 2 {
            // A gain counts when it is final: for two blocks the weights of head and final block differ.
            network.site.treasury.stake(network.crew.miners[0].address(), cai(30_000)?).await?;
        }
        network.app.generate(&prompt(&network.site.plan.model, &format!("a house number {n}"))).await?;
    }

    let url = network.coordinator_url();
    let today = check(&network, &url, &[]).await?;
    ensure!(today.code == 0 && today.lines.len() >= TASKS, "{today:?}");
    ensure!(today.lines.iter().all(|line| line["verdict"] == "unrevealed"), "{today:?}");
    let seen: BTreeSet<String> =
        today.lines.iter().filter_map(|l| l["commitment"].as_str()).map(str::to_owned).collect();

    network.site.anvil.leap(Duration::from_secs(2 * DAY)).await?;
    let newest = format!("/v1/draws/{}", today.lines.len() - 1);
    until("the secret to be revealed", Duration::from_secs(30), async || {
        Ok(get(&network, &newest).await?["secret"].is_string().then_some(()))
    })
    .await?;
    let promised: Vec<&str> = seen.iter().flat_map(|hash| ["--commitment", hash.as_str()]).collect();
    let miner = network.crew.miners[2].address().to_string();
    let known = [&promised[..], &["--miner", miner.as_str()]].concat();
    let tomorrow = check(&network, &url, &known).await?;
    ensure!(tomorrow.code == 0 && tomorrow.lines.len() == today.lines.len(), "{tomorrow:?}");
    ensure!(tomorrow.lines.iter().all(|line| line["verdict"] == "fair"), "{tomorrow:?}");
    ensure!(tomorrow.lines.iter().any(|line| line["miner"] == "candidate"), "{tomorrow:?}");

    // Without what was seen beforehand the log only has to agree with itself and the chain.
    let log = Log::read(&network, today.lines.len() as u64).await?;
    let alone = log.serve().await?;
    ensure!(check(&network, &alone.url, &[]).await?.code == 0, "the copy is not what was copied");

    for favour in favours() {
        let (at, altered) = log.with(&favour)?;
        let server = altered.serve().await?;
        let checked = check(&network, &server.url, &promised).await?;
        let what = favour.what;
        ensure!(checked.code == 1 && checked.prose.contains("false"), "{what}: {checked:?}");
        for (n, line) in checked.lines.iter().enumerate() {
            ensure!((line["verdict"] == "false") == (n == at), "{what}: {checked:?}");
        }
        let faults = checked.lines[at]["faults"].to_string();
        ensure!(faults.contains(favour.found), "{what}: {faults}");
    }
    network.check()?;
    network.stop().await
}

/// A way to favour a miner in the log.
struct Favour {
    what: &'static str,
    found: &'static str,
    /// Alters a draw that another miner had won, so that this one has; none takes it out of the log.
    alter: fn(Draw, Address) -> Option<Draw>,
}

fn favours() -> [Favour; 7] {
    [
        Favour {
            what: "the winner is replaced",
            found: "who got the task",
            alter: |log, favourite| Some(Draw { chosen: favourite, ..log }),
        },
        Favour {
            what: "a weight is raised",
            found: "on chain",
            alter: |mut log, favourite| {
                let own = log.candidates.iter_mut().find(|candidate| candidate.miner == favourite)?;
                own.weight *= U256::from(1_000_000_000_u64);
                Some(drawn_again(log))
            },
        },
        Favour {
            what: "the others are left out",
            found: "left out without a reason",
            alter: |mut log, favourite| {
                log.candidates.retain(|candidate| candidate.miner == favourite);
                Some(drawn_again(log))
            },
        },
        Favour {
            what: "a stranger is let in",
            found: "on chain",
            alter: |mut log, favourite| {
                let own = log.candidates.iter_mut().find(|candidate| candidate.miner == favourite)?;
                // After the last: candidates are in order.
                own.miner = Address::repeat_byte(0xff);
                log.candidates.sort_unstable_by_key(|candidate| candidate.miner);
                log.passed_over.push(PassedOver { miner: favourite, reason: Reason::Absent });
                Some(drawn_again(log))
            },
        },
        Favour {
            what: "a secret is tried until it suits",
            found: "none of the commitments that were given",
            alter: |log, favourite| {
                (0..=u8::MAX).map(B256::repeat_byte).find_map(|secret| {
                    let suits = draw(secret, log.sequence, &mut log.candidates.clone()) == Some(favourite);
                    let commitment = commitment(secret);
                    suits.then(|| Draw { secret: Some(secret), commitment, chosen: favourite, ..log.clone() })
                })
            },
        },
        Favour {
            what: "an older block suits better",
            found: "are not the newest of their time",
            alter: |log, _| Some(Draw { at: Some(At { block: 1, final_block: 1 }), ..log }),
        },
        Favour { what: "a draw is kept back", found: "missing from the log", alter: |_, _| None },
    ]
}

/// The log as if the draw had had these candidates.
fn drawn_again(log: Draw) -> Draw {
    let drawn = log.secret.and_then(|secret| draw(secret, log.sequence, &mut log.candidates.clone()));
    Draw { chosen: drawn.unwrap_or_default(), ..log }
}

/// A coordinator's log, as it is or altered.
struct Log {
    draws: u64,
    entries: Vec<Option<Draw>>,
}

impl Log {
    async fn read(network: &Network, draws: u64) -> Result<Self> {
        let mut entries = Vec::new();
        for sequence in 0..draws {
            let entry = get(network, &format!("/v1/draws/{sequence}")).await?;
            entries.push(Some(serde_json::from_value(entry)?));
        }
        Ok(Self { draws, entries })
    }

    /// The log with one draw altered, and which it is: not the first, as earlier draws bind later ones.
    fn with(&self, favour: &Favour) -> Result<(usize, Self)> {
        let contested = |log: &Option<Draw>| log.as_ref().is_some_and(|log| log.candidates.len() > 1);
        let at = self.entries.iter().skip(1).position(contested).context("nobody had a rival")? + 1;
        let log = self.entries[at].clone().context("no draw")?;
        let loser = log.candidates.iter().find(|candidate| candidate.miner != log.chosen).context("no loser")?.miner;
        let mut entries = self.entries.clone();
        entries[at] = (favour.alter)(log, loser);
        Ok((at, Self { draws: self.draws, entries }))
    }

    async fn serve(&self) -> Result<Server> {
        let mut answers = HashMap::from([("/v1/network".to_owned(), json!({ "draws": self.draws }))]);
        for (sequence, entry) in self.entries.iter().enumerate() {
            if let Some(entry) = entry {
                answers.insert(format!("/v1/draws/{sequence}"), serde_json::to_value(entry)?);
            }
        }
        let answer = async |State(answers): State<Arc<HashMap<String, Value>>>, uri: Uri| {
            answers.get(uri.path()).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
        };
        let router = Router::new().fallback(answer).with_state(Arc::new(answers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = AbortOnDropHandle::new(tokio::spawn(async move {
            // If it ends, whoever asks says so.
            let _ = axum::serve(listener, router).await;
        }));
        Ok(Server { url, _serving: serving })
    }
}

struct Server {
    url: String,
    _serving: AbortOnDropHandle<()>,
}

async fn get(network: &Network, path: &str) -> Result<Value> {
    let (status, body) = network.app.call(Method::GET, path, None).await?;
    ensure!(status.is_success(), "{path} answers {status}");
    Ok(serde_json::from_slice(&body)?)
}

/// What `miner-agent draws` said.
#[derive(Debug)]
struct Checked {
    code: i32,
    lines: Vec<Value>,
    prose: String,
}

async fn check(network: &Network, url: &str, flags: &[&str]) -> Result<Checked> {
    let ChainFlags { rpc_url, deployment } = network.site.chain();
    let mut command = network.site.miner_program().command(&["draws", url, "--rpc-url", rpc_url.as_str()]);
    command.arg("--deployment").arg(deployment).args(flags);
    let output = process::output("draws", command, Duration::from_secs(60)).await?;
    let text = String::from_utf8(output.stdout)?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().context(text.clone())?;
    let prose = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Checked { code: output.status.code().context("killed")?, lines, prose })
}
