//! `miner-agent doctor`: whether this machine can draw, and whether its operator may work.

use crate::{config::Settings, run::open_packages, slots, standing::Standing};
use alloy::{
    primitives::{Address, B256},
    providers::Provider,
};
use anyhow::{Context, Result, ensure};
use cuckoo_chain::{Chain, view};
use cuckoo_inference::{Device, Model, Package};
use cuckoo_protocol::amount::format_cai;
use serde::Serialize;
use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What every model is asked to draw; the seed is 0, so that two machines can be compared.
const PROMPT: &str = "a red apple";

/// For reading the chain.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    models: Vec<Drawn>,
    chain: Option<Chained>,
    /// What is wrong, each with what to do; empty when the miner can work.
    problems: Vec<String>,
}

/// A picture drawn.
#[derive(Debug, Serialize)]
struct Drawn {
    name: String,
    model_id: B256,
    device: String,
    prompt: &'static str,
    width: u32,
    height: u32,
    steps: u32,
    load_seconds: f64,
    seconds: f64,
    megapixel_steps_per_second: f64,
    trace_root: B256,
    output_hash: B256,
    png_bytes: usize,
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

/// Draws a picture with each model and, if an RPC URL is set, looks at the chain. The last picture goes to `picture`.
pub async fn examine(settings: &Settings, picture: Option<&Path>) -> Report {
    let mut report = Report::default();
    if let Err(error) = draw(settings, picture, &mut report.models).await {
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

async fn draw(settings: &Settings, picture: Option<&Path>, models: &mut Vec<Drawn>) -> Result<()> {
    for package in open_packages(settings).await? {
        let device = settings.device.clone();
        let (drawn, png) = tokio::task::spawn_blocking(move || draw_one(&package, &device)).await??;
        models.push(drawn);
        if let Some(path) = picture {
            std::fs::write(path, png).with_context(|| format!("cannot write --picture {}", path.display()))?;
        }
    }
    Ok(())
}

fn draw_one(package: &Package, device: &Device) -> Result<(Drawn, Vec<u8>)> {
    let started = Instant::now();
    let mut model = Model::load(package, device)?;
    let load_seconds = started.elapsed().as_secs_f64();
    let body = package.manifest().default_body(PROMPT.to_owned());
    let picture = slots::draw(&mut model, &body, &mut |_, _| ControlFlow::Continue(()))?;
    let seconds = picture.elapsed.as_secs_f64();
    let megapixel_steps = f64::from(body.width) * f64::from(body.height) * f64::from(body.steps) / 1e6;
    let drawn = Drawn {
        name: package.manifest().name.clone(),
        model_id: package.model_id(),
        device: device.to_string(),
        prompt: PROMPT,
        width: body.width,
        height: body.height,
        steps: body.steps,
        load_seconds,
        seconds,
        megapixel_steps_per_second: megapixel_steps / seconds,
        trace_root: picture.trace_root,
        output_hash: picture.output_hash,
        png_bytes: picture.png.len(),
    };
    Ok((drawn, picture.png))
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
