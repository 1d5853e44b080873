//! `miner-agent doctor`: whether this machine can work, and whether its operator may work.

use crate::{config::Settings, run::open_packages, slots, standing::Standing};
use alloy::{
    primitives::{Address, B256},
    providers::Provider,
};
use anyhow::{Context, Result, ensure};
use cuckoo_chain::{Chain, view};
use cuckoo_inference::{Device, Model, Package};
use cuckoo_protocol::{amount::format_cai, body::Body};
use serde::Serialize;
use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What every model is asked about; the seed is 0, so that two machines can be compared.
const TEXT: &str = "a red apple";

/// For reading the chain.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    models: Vec<Tried>,
    chain: Option<Chained>,
    /// What is wrong, each with what to do; empty when the miner can work.
    problems: Vec<String>,
}

/// A model tried.
#[derive(Debug, Serialize)]
struct Tried {
    name: String,
    model_id: B256,
    precision: String,
    /// Whether a false result can cost stake; else it costs the payment.
    slashable: bool,
    device: String,
    request: Body,
    load_seconds: f64,
    seconds: f64,
    /// The pricing unit, and how much of it was done.
    unit: &'static str,
    units: f64,
    units_per_second: f64,
    trace_root: B256,
    output_hash: B256,
    output_bytes: usize,
}

/// What the chain says.
#[derive(Debug, Serialize)]
struct Chained {
    chain_id: u64,
    block: u64,
    node: Address,
    /// Native coin of the node, in units of 10¹⁸: pays gas for collecting.
    native_balance: String,
    operator: Option<Address>,
    /// Effective weight, CAI.
    weight: String,
    coordinators: usize,
}

impl Report {
    /// Whether the miner can work.
    ///
    /// # Errors
    /// The problems, as one sentence.
    pub fn verdict(&self) -> Result<()> {
        ensure!(self.problems.is_empty(), "{}", self.problems.join("; "));
        Ok(())
    }
}

/// Runs a request with each model and, if an RPC URL is set, looks at the chain. The last output goes to `output`.
pub async fn examine(settings: &Settings, output: Option<&Path>) -> Report {
    let mut report = Report::default();
    if let Err(error) = try_all(settings, output, &mut report.models).await {
        report.problems.push(format!("{error:#}"));
    }
    if !settings.rpc_urls.is_empty() {
        let looked = tokio::time::timeout(PATIENCE, look(settings, &mut report.problems)).await;
        match looked.unwrap_or_else(|_| Err(anyhow::anyhow!("the chain did not answer in {PATIENCE:?}: see --rpc-url")))
        {
            Ok(chained) => report.chain = Some(chained),
            Err(error) => report.problems.push(format!("{error:#}")),
        }
    }
    report
}

async fn try_all(settings: &Settings, output: Option<&Path>, models: &mut Vec<Tried>) -> Result<()> {
    for package in open_packages(settings).await? {
        let device = settings.device.clone();
        let (tried, file) = tokio::task::spawn_blocking(move || try_one(&package, &device)).await??;
        models.push(tried);
        if let Some(path) = output {
            std::fs::write(path, file).with_context(|| format!("cannot write --output {}", path.display()))?;
        }
    }
    Ok(())
}

fn try_one(package: &Package, device: &Device) -> Result<(Tried, Vec<u8>)> {
    let started = Instant::now();
    let mut model = Model::load(package, device)?;
    let load_seconds = started.elapsed().as_secs_f64();
    let body = package.manifest().default_body(TEXT.to_owned());
    let black = vec![0; body.blob_bytes()];
    let mut works = slots::work(&mut model, &[(body.clone(), black)], &mut |_, _, _| ControlFlow::Continue(()));
    let work = works.pop().context("nothing came of it")??;
    let seconds = work.elapsed.as_secs_f64();
    let units = f64::from(body.work()) / 1e6;
    let tried = Tried {
        name: package.manifest().name.clone(),
        model_id: package.model_id(),
        precision: package.manifest().precision.clone(),
        slashable: package.manifest().slashable(),
        device: device.to_string(),
        unit: body.pricing(),
        request: body,
        load_seconds,
        seconds,
        units,
        units_per_second: units / seconds,
        trace_root: work.trace_root,
        output_hash: work.output_hash,
        output_bytes: work.output.len(),
    };
    Ok((tried, work.output))
}

async fn look(settings: &Settings, problems: &mut Vec<String>) -> Result<Chained> {
    let (deployment, node) = (settings.deployment()?, settings.node()?.address());
    let shutdown = CancellationToken::new();
    let _guard = shutdown.clone().drop_guard();
    let chain = Chain::connect(settings.rpc_urls.clone(), deployment, shutdown.clone()).await?;
    let view = view::follow(&chain, shutdown).await?;
    let snapshot = view.snapshot();
    let standing = Standing::of(&snapshot, node);
    problems.extend(standing.advice(&chain, node).await);
    let balance = chain.provider().get_balance(node).await.context("the node's balance cannot be read")?;
    if balance.is_zero() {
        problems.push(format!("the node {node} has no native coin: send it some, or nothing can be collected"));
    }
    let known = snapshot.by_node(node);
    Ok(Chained {
        chain_id: chain.deployment().chain_id,
        block: snapshot.block,
        node,
        native_balance: format_cai(balance),
        operator: known.map(|operator| operator.operator),
        weight: format_cai(known.map(|operator| operator.weight).unwrap_or_default()),
        coordinators: snapshot.active(cuckoo_protocol::contracts::Role::Coordinator).count(),
    })
}
