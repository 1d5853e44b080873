//! `coordinator-agent challenge`: anybody with a receipt can have a result judged.

use super::{TAKEN_BACK, accusation, bring_beacon, bring_on};
use crate::{
    audit::{Evidence, Finding, examine},
    input, output,
    store::ChallengeState,
};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use cuckoo_chain::{
    Chain, Sender,
    command::read_deployment,
    disputes::{Challenge as Accusation, Court},
    keystore,
};
use cuckoo_inference::{Device, Generation, Image, Model, Output, Package, runtime};
use cuckoo_protocol::{
    body::Body,
    contracts::{IDisputes, IRegistry},
    receipt::Receipt,
    request::{self, NON_DISPUTABLE, Request},
    trace::{blob_root, trace_root, unpack},
};
use rand::RngExt;
use serde_json::{Value, json};
use std::{ops::ControlFlow, path::PathBuf};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Flags of `challenge`. Without --transition the model is run again to find out whether, and where, the result is false.
#[derive(Args, Debug)]
pub struct Challenge {
    /// JSON file with the receipt: what apps get as `cuckoo`, or a whole answer that holds it
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
    /// RPC URL of the chain
    #[arg(long, value_name = "URL", required = true)]
    rpc_url: Vec<Url>,
    /// The network's contracts: deployments/<chainid>.json
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Encrypted keystore of the account that pays bond, jury fee and gas. Not of an agent that runs: two cannot share a key
    #[arg(long, value_name = "FILE")]
    keystore: PathBuf,
    /// File with its password; else CUCKOO_PASSWORD is read
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The transition to challenge: 0 is `init`, k the k-th step, steps + 1 is `finish`
    #[arg(long, value_name = "N")]
    transition: Option<u32>,
    /// The output's tile to challenge, with `finish`
    #[arg(long, value_name = "N", requires = "output")]
    tile: Option<u32>,
    /// The output as a file: the picture's PNG, or the vectors' bytes
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A picture that the request came with, as it was sent; with several, in the same order
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The miner's packed trace, if somebody has it: every step can be checked then
    #[arg(long, value_name = "FILE", requires_all = ["output", "model"])]
    trace: Option<PathBuf>,
    /// Folder of the model's package, to run the request again
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// ONNX Runtime's shared library; else ORT_DYLIB_PATH is read
    #[arg(long, value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// URL below which a mirror of drand has the rounds that draw juries, for --wait: URL/N. Repeatable [default: evmnet's public mirrors]
    #[arg(long, value_name = "URL", requires = "wait")]
    drand_url: Vec<Url>,
    /// Bring the dispute to its end, and print how it ended: on the main network that takes days
    #[arg(long)]
    wait: bool,
}

impl Challenge {
    /// Checks the receipt, finds the transition and challenges it; `{"dispute", "transaction", "transition", "reason"}`, and `"outcome"` if it
    /// was waited for.
    ///
    /// # Errors
    /// What is wrong with the receipt, or what keeps the result from being challenged.
    pub async fn execute(self) -> Result<Value> {
        let receipt = self.read_receipt()?;
        let deployment = read_deployment(&self.deployment)?;
        let signer = keystore::load(&self.keystore, &keystore::read_password(self.password_file.as_deref())?)?;
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let chain = Chain::connect(self.rpc_url.clone(), deployment, stop).await?;
        let (request, until) = check(&chain, &receipt).await?;
        let body = request.body().ok();
        let output = match (&self.output, &body) {
            (Some(file), Some(body)) => Some(self.read_output(file, body, &receipt)?),
            _ => None,
        };

        let finding = self.finding(&receipt, &request, body.as_ref(), output.as_ref())?;
        let (disputes, digest) =
            (chain.deployment().contracts.disputes, chain.domain().digest(&receipt.result.message));
        let accused = accusation(disputes, &receipt, digest, &finding, output.as_ref());
        let (id, accusation) = accused.context("the output has no such tile, or --output is missing")?;
        let sender = Sender::open(&chain, signer, self.keystore.with_extension("transactions.json")).await?;
        let mut court = Court::new(chain.clone(), sender);
        if !self.drand_url.is_empty() {
            court = court.with_mirrors(self.drand_url.clone());
        }
        let (_, transaction) = court.challenge(&accusation).await?;
        let outcome = if self.wait { Some(wait(&chain, &court, (id, &accusation), until).await?) } else { None };
        Ok(json!({
            "dispute": id,
            "transaction": transaction,
            "transition": finding.transition,
            "reason": finding.reason,
            "outcome": outcome.map(ChallengeState::as_str),
        }))
    }

    fn read_receipt(&self) -> Result<Receipt> {
        let name = self.receipt.display();
        let json = std::fs::read(&self.receipt).with_context(|| format!("cannot read {name}"))?;
        let mut value: Value = serde_json::from_slice(&json).with_context(|| format!("{name} is no JSON"))?;
        if let Some(receipt) = value.get_mut("cuckoo") {
            value = receipt.take();
        }
        serde_json::from_value(value).with_context(|| format!("{name} holds no receipt"))
    }

    fn read_output(&self, file: &PathBuf, body: &Body, receipt: &Receipt) -> Result<Output> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let output = output::read(body, &bytes).map_err(anyhow::Error::msg)?;
        let (hash, signed) = (output.hash()?, receipt.result.message.outputHash);
        ensure!(hash == signed, "{} is not what the miner signed: it hashes to {hash}, not {signed}", file.display());
        Ok(output)
    }

    /// What is to be challenged.
    fn finding(
        &self,
        receipt: &Receipt,
        request: &Request,
        body: Option<&Body>,
        output: Option<&Output>,
    ) -> Result<Finding> {
        if receipt.result.message.states != request.states {
            let reason =
                format!("the request asks for {} states, not {}", request.states, receipt.result.message.states);
            return Ok(Finding { transition: 0, tile: None, reason });
        }
        if let Some(transition) = self.transition {
            ensure!(transition <= request.states, "--transition goes up to {}", request.states);
            let finish = transition == request.states;
            ensure!(
                finish == self.tile.is_some(),
                "`finish`, transition {}, wants --tile, others do not",
                request.states
            );
            return Ok(Finding { transition, tile: self.tile, reason: "as asked".to_owned() });
        }
        let body = body.context("the request's body cannot be read: name a --transition")?;
        let folder = self.model.as_ref().context("name a --transition, or the --model to find one with")?;
        runtime::init(self.onnxruntime.as_deref())?;
        let package = Package::open(folder)?;
        ensure!(package.model_id() == request.model_id, "{} is not the receipt's model", folder.display());
        let mut model = Model::load(&package, &Device::Cpu { threads: 1 })?;
        let blob = self.read_input(request)?;
        match (&self.trace, output) {
            (Some(file), Some(output)) => {
                let states = unpack(&std::fs::read(file)?).context("--trace is no packed trace")?;
                let (root, signed) = (trace_root(&states), receipt.result.message.traceRoot);
                ensure!(
                    root == signed,
                    "the trace is not the one that the miner signed: its root is {root}, not {signed}"
                );
                let evidence = Evidence { body: body.clone(), blob, states, output: output.clone() };
                examine(&mut model, &evidence)?
                    .context("every transition is as it should be: there is nothing to challenge")
            }
            _ => again(&mut model, body, &blob, receipt, output),
        }
    }

    /// The input pictures' pixels; empty if there are none.
    fn read_input(&self, request: &Request) -> Result<Vec<u8>> {
        let mut blob = Vec::new();
        for path in &self.input {
            let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            blob.extend(input::read(&file).with_context(|| path.display().to_string())?.rgb);
        }
        ensure!(
            blob_root(&blob) == request.blob_root,
            "these are not the pictures that the request came with: name all with --input, as they were sent and in the same order"
        );
        Ok(blob)
    }
}

/// Without the trace: runs the whole request and compares the end. Honest machines end near each other; where a false one went astray only
/// its trace tells, so it is asked for a transition that it cannot foresee.
fn again(model: &mut Model, body: &Body, blob: &[u8], receipt: &Receipt, output: Option<&Output>) -> Result<Finding> {
    let own: Generation = model.generate(body, blob, &mut |_, _| ControlFlow::Continue(()))?;
    if own.trace_root() == receipt.result.message.traceRoot && own.output_hash()? == receipt.result.message.outputHash {
        bail!("the result is right to the last bit: there is nothing to challenge");
    }
    let output =
        output.context("give the --output that came with the receipt: it is compared with what the model makes")?;
    let off = distance(output, &own.output).context("the output is of another kind or size")?;
    if off < SUSPICIOUS {
        bail!("the output is as it should be, but for rounding ({off:.4}): name a --transition if you know better");
    }
    let transition = rand::rng().random_range(0..receipt.result.message.states);
    Ok(Finding { transition, tile: None, reason: format!("the output is another one: it is off by {off:.2}") })
}

/// Mean distance, of 0 to 1, above which an output is not what the model makes. It only guards against a lost bond; a jury decides.
const SUSPICIOUS: f64 = 0.02;

fn distance(claim: &Output, reference: &Output) -> Option<f64> {
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    match (claim, reference) {
        (Output::Image(Image { rgb: a, .. }), Output::Image(Image { rgb: b, .. })) if a.len() == b.len() => {
            let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)) / 255.0).sum();
            Some(mean(sum, a.len()))
        }
        (Output::Vectors(a), Output::Vectors(b)) if a.values.len() == b.values.len() => {
            let size: f64 = b.values.iter().map(|value| f64::from(value.abs())).sum();
            let sum: f64 = a.values.iter().zip(&b.values).map(|(a, b)| f64::from((a - b).abs())).sum();
            Some(sum / size.max(f64::MIN_POSITIVE))
        }
        _ => None,
    }
}

/// Brings a dispute to its end, and waits until that is final. An RPC that fails is asked again; a challenge that a reorganisation takes back
/// is raised again, as long as it can be (`until`, chain seconds).
async fn wait(
    chain: &Chain,
    court: &Court,
    (id, accusation): (B256, &Accusation),
    until: u64,
) -> Result<ChallengeState> {
    loop {
        if let Err(error) = bring_beacon(chain, court, id).await {
            tracing::warn!(error = format!("{error:#}"), "no beacon for the jury yet, trying again");
        }
        // Asked before the dispute: if that is gone then, it is for good. It also moves the chain's time on, which nothing else does here.
        let is_over_for_good = court.is_past(until).await.unwrap_or(false);
        match bring_on(chain, court, id).await {
            Ok(Some(ended @ (ChallengeState::Convicted | ChallengeState::Acquitted | ChallengeState::Drawn))) => {
                return Ok(ended);
            }
            Ok(Some(_)) => {}
            Ok(None) if is_over_for_good => bail!("{TAKEN_BACK}, too late for another: bond and fee were not paid"),
            Ok(None) => match court.challenge(accusation).await {
                Ok(_) => tracing::warn!(dispute = %id, "{TAKEN_BACK}: raised it again"),
                Err(error) => tracing::warn!(%error, "{TAKEN_BACK}, and it cannot be raised again yet"),
            },
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the dispute cannot be read, trying again"),
        }
        tokio::time::sleep(chain.timing().poll * 2).await;
    }
}

/// Whether Disputes would take the receipt, and until when (chain seconds); says why not before any money is sent.
async fn check(chain: &Chain, receipt: &Receipt) -> Result<(Request, u64)> {
    let (offer, result) = (&receipt.offer.message, &receipt.result.message);
    ensure!(request::hash(&receipt.request) == offer.requestHash, "the request is not the one that the offer names");
    ensure!(chain.domain().digest(offer) == result.offerHash, "the result is for another offer, or of another network");
    let request = Request::decode(&receipt.request)?;
    ensure!(request.model_id == offer.modelId, "the request is for another model than the offer");
    ensure!(
        request.flags & NON_DISPUTABLE == 0,
        "the request is marked as not to be made public: it cannot be disputed"
    );
    let signers = [
        ("offer", offer.coordinator, receipt.offer.signer(chain.domain())?),
        ("result", offer.miner, receipt.result.signer(chain.domain())?),
    ];
    for (what, operator, signer) in signers {
        ensure!(
            liable(chain, operator, signer, offer.expiry).await?,
            "the {what} is signed by {signer}, which is no node of {operator}"
        );
    }
    let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
    ensure!(
        disputes.isListed(request.model_id).call().await?,
        "the network's owner has not listed this model for disputes, so nobody can be slashed for it: its results are on trust"
    );
    let version = disputes.currentVersion().call().await?;
    let window = disputes.parameters(version).call().await?.challengeWindow;
    let until = offer.expiry.saturating_add(window.into());
    ensure!(chain.now() <= until, "the result could be challenged until {until}, it is {} (seconds)", chain.now());
    let digest: B256 = chain.domain().digest(result);
    ensure!(!disputes.convicted(digest).call().await?, "the result has been convicted already");
    Ok((request, until))
}

async fn liable(chain: &Chain, operator: Address, signer: Address, expiry: u64) -> Result<bool> {
    let registry = IRegistry::new(chain.deployment().contracts.registry, chain.provider());
    Ok(registry.isLiable(operator, signer, U256::from(expiry)).call().await?)
}
