//! `miner-agent run`: starts everything in order, and stops it.

use crate::{
    collect::Collector,
    config::Settings,
    credit::Credit,
    duty::{Bench, Duty},
    fleet::Fleet,
    metrics,
    slots::{Slots, WorkError},
    store::Store,
    workshop::Workshop,
};
use anyhow::{Result, bail};
use cuckoo_chain::{
    Chain, Sender, View,
    disputes::{self, Court},
    view,
};
use cuckoo_inference::{Package, runtime};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// For the pictures in work when the agent is stopped.
const FINISH: Duration = Duration::from_secs(30);

/// For submitting them, after that.
const SUBMIT: Duration = Duration::from_secs(20);

/// Between looks for traces that nobody may ask for any more.
const PRUNING: Duration = Duration::from_secs(60);

/// Seconds for which traces are kept after the last challenge must have been answered: clocks and blocks are late at times.
const LIABLE_MARGIN: u64 = 3600;

/// Runs until `stop`.
///
/// # Errors
/// Whatever keeps the agent from working, with what to do about it.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<()> {
    let (deployment, data_dir, node) = (settings.deployment()?, settings.data_dir()?, settings.node()?);
    let store = Store::open(&data_dir).await?;
    // The chain is needed for longer than work goes on: the last collection comes after it.
    let closing = CancellationToken::new();
    let _guard = closing.clone().drop_guard();
    if let Some(address) = settings.metrics {
        metrics::serve(address, closing.clone()).await?;
    }
    let packages = open_packages(&settings).await?;
    let slots = Slots::start(settings.slots, settings.batch, &packages, &settings.device).await?;
    let started = async {
        let chain = Chain::connect(settings.rpc_urls.clone(), deployment, closing.clone()).await?;
        let view = view::follow(&chain, closing.clone()).await?;
        let sender = Sender::open(&chain, node.clone(), data_dir.join("transactions.json")).await?;
        anyhow::Ok((chain, view, sender))
    };
    let (chain, view, sender) = tokio::select! {
        started = started => started?,
        () = stop.cancelled() => return Ok(()),
    };
    for package in &packages {
        info!(model = package.manifest().name, id = %package.model_id(), device = %settings.device, slashable = package.manifest().slashable(), "ready to work");
    }

    let ending = stop.child_token();
    let clock = chain.clone();
    let workshop = Arc::new(Workshop {
        store,
        slots,
        checking: (!settings.no_checks).then(|| Bench::new(&packages, settings.device.clone())),
        models: packages.iter().map(|package| (package.model_id(), package.manifest().clone())).collect(),
        least_price: settings.least_price,
        credit: Credit::new(settings.credit),
        trace_cap: settings.trace_cap,
        clock: Box::new(move || clock.now()),
        earned: Notify::new(),
        abandon: CancellationToken::new(),
        broken: ending.clone(),
    });
    let court = Court::new(chain.clone(), sender.clone()).with_mirrors(settings.drand_urls.clone());
    tokio::spawn(prune(workshop.clone(), court.clone(), settings.trace_seconds, closing.clone()));
    let collected = CancellationToken::new();
    let collector =
        Collector { workshop: workshop.clone(), chain: chain.clone(), sender, collect_at: settings.collect_at };
    let collecting = tokio::spawn(collector.run(collected.clone()));
    let bench = Arc::new(Bench::new(&packages, settings.device.clone()));
    let (duty, sits) = ((workshop.clone(), chain.clone(), court, bench, view.clone()), !settings.no_jury);
    let serving = tokio::spawn(serve(duty, sits, closing.clone(), collected.clone()));

    let fleet = Fleet::new(chain, node, workshop.clone(), settings.slots * settings.batch);
    let overdue = async {
        ending.cancelled().await;
        tokio::time::sleep(FINISH).await;
        workshop.abandon.cancel();
        tokio::time::sleep(SUBMIT).await;
    };
    tokio::select! {
        () = fleet.run(&view, &ending) => {}
        () = overdue => warn!("coordinators do not answer: what was drawn is kept and submitted at the next start"),
    }
    // Bounded by itself.
    collected.cancel();
    if let Err(error) = collecting.await {
        warn!("collecting ended early: {error}");
    }
    if let Err(error) = serving.await {
        warn!("duties ended early: {error}");
    }
    workshop.store.close().await;
    if stop.is_cancelled() {
        info!("stopped");
        return Ok(());
    }
    if ending.is_cancelled() { Err(WorkError::Dead.into()) } else { bail!("the chain is no longer followed") }
}

/// Loads ONNX Runtime and checks the packages' files.
///
/// # Errors
/// The first that cannot be used.
pub(crate) async fn open_packages(settings: &Settings) -> Result<Vec<Package>> {
    let (library, models) = (settings.onnxruntime.clone(), settings.models.clone());
    let open = move || {
        runtime::init(library.as_deref())?;
        let open =
            |dir: &PathBuf| Package::open(dir).map_err(|e| anyhow::anyhow!("the model in {}: {e}", dir.display()));
        models.iter().map(open).collect()
    };
    tokio::task::spawn_blocking(open).await?
}

/// Follows disputes, which may take a while to read, and does what they want of this miner, until `stop`.
async fn serve(
    (workshop, chain, court, bench, view): (Arc<Workshop>, Chain, Court, Arc<Bench>, View),
    sits: bool,
    closing: CancellationToken,
    stop: CancellationToken,
) {
    let following = tokio::select! {
        following = disputes::follow(&chain, closing) => following,
        () = stop.cancelled() => return,
    };
    match following {
        Ok(following) => Duty { workshop, chain, court, bench, view, following, sits }.run(stop).await,
        Err(error) => warn!("disputes are not followed: {error}"),
    }
}

/// Removes what nobody may ask for any more: traces not before `keep_seconds` after the offer's expiry, and not while a challenge is
/// possible or would have to be answered.
async fn prune(workshop: Arc<Workshop>, court: Court, keep_seconds: u64, closing: CancellationToken) {
    let mut ticks = interval(PRUNING);
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let liable = match court.parameters().await {
            Ok(parameters) => {
                u64::from(parameters.challengeWindow) + u64::from(parameters.answerWindow) + LIABLE_MARGIN
            }
            Err(error) => {
                debug!("old traces stay until the chain says for how long they can be challenged: {error}");
                continue;
            }
        };
        let now = (workshop.clock)();
        match workshop.store.prune(now.saturating_sub(keep_seconds.max(liable))).await {
            Ok(0) => {}
            Ok(count) => info!(count, "old traces removed"),
            Err(error) => warn!("old traces could not be removed: {error}"),
        }
        if let Err(error) = workshop.store.prune_ballots(now.saturating_sub(LIABLE_MARGIN)).await {
            warn!("old ballots could not be removed: {error}");
        }
    }
}
