//! `coordinator-agent run`: starts everything in order, and stops it.

use crate::{
    api,
    audit::{self, Checker},
    catalogue::Catalogue,
    challenge,
    config::{AuditBy, Config},
    coordinator::Coordinator,
    error::ApiError,
    funding, link,
    session::SESSION_SECONDS,
    store::Store,
};
use alloy::primitives::Address;
use anyhow::{Context, Result, bail};
use axum::Router;
use cuckoo_chain::{Chain, command::read_deployment, disputes::Court, keystore, sender::Sender, view, view::View};
use cuckoo_protocol::contracts::Role;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// How long callers may finish once a stop was asked for.
const LAST_CALLS: Duration = Duration::from_secs(3);

/// Runs until `shutdown`.
///
/// # Errors
/// Whatever keeps the agent from starting, with what to do about it.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<()> {
    let catalogue = Catalogue::load(&config.models, config.price, &config.prices)?;
    let deployment = read_deployment(&config.deployment)?;
    let password = keystore::read_password(config.password_file.as_deref())?;
    let node = keystore::load(&config.keystore, &password)?;
    drop(password);
    let store = Store::open(&config.data_dir).await?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}: is another agent running? choose another --listen", config.listen)
    })?;
    if let Some(address) = config.metrics {
        PrometheusBuilder::new()
            .with_http_listener(address)
            .install()
            .context("cannot serve metrics: see --metrics")?;
    }
    for offered in catalogue.iter() {
        tracing::info!(model = offered.manifest.name, id = %offered.model_id, "offering work");
    }

    let checker = match config.audit_rate > 0.0 && config.audit_by == AuditBy::Local {
        true => Some(Checker::start(config.onnxruntime.clone(), config.models.clone(), config.audit_threads).await?),
        false => None,
    };

    let chain = Chain::connect(config.rpc_urls.clone(), deployment, shutdown.clone()).await?;
    let view = view::follow(&chain, shutdown.clone()).await?;
    let sender = Sender::open(&chain, node.clone(), config.data_dir.join("transactions.json")).await?;
    let operator = own_operator(&view, node.address(), &shutdown).await?;
    tracing::info!(%operator, node = %node.address(), origin = config.origin, "coordinator is registered");
    let endpoint = view.snapshot().operator(operator).map(|o| o.endpoint.trim_end_matches('/').to_owned());
    if endpoint.as_deref() != Some(config.origin.as_str()) {
        tracing::warn!(
            ?endpoint,
            origin = config.origin,
            "the registered endpoint is not --origin: miners will not find this agent"
        );
    }

    let coordinator = Coordinator::resume(config, chain, view, store, catalogue, operator, node).await?;
    let coordinator = Arc::new(coordinator);
    let dispatch = tokio::spawn({
        let (coordinator, shutdown) = (coordinator.clone(), shutdown.clone());
        async move { coordinator.run(shutdown).await }
    });
    let funding = tokio::spawn({
        let (coordinator, sender, shutdown) = (coordinator.clone(), sender.clone(), shutdown.clone());
        async move { funding::run(&coordinator, &sender, shutdown).await }
    });
    let challenges = tokio::spawn({
        let (coordinator, shutdown) = (coordinator.clone(), shutdown.clone());
        async move {
            let court =
                Court::new(coordinator.chain.clone(), sender).with_mirrors(coordinator.config.drand_urls.clone());
            tokio::join!(
                challenge::run(&coordinator, &court, shutdown.clone()),
                challenge::bring_beacons(&coordinator, &court, shutdown)
            );
        }
    });
    let audits = tokio::spawn({
        let (coordinator, shutdown) = (coordinator.clone(), shutdown.clone());
        async move {
            if coordinator.config.audit_rate == 0.0 {
                return;
            }
            let checking = async {
                match &checker {
                    Some(checker) => audit::run(&coordinator, checker, shutdown.clone()).await,
                    None => audit::remote::run(coordinator.clone(), shutdown.clone()).await,
                }
            };
            tokio::join!(checking, audit::follow(&coordinator, shutdown.clone()));
        }
    });

    let packages = link::package::router(coordinator.catalogue.clone());
    let app = Router::new()
        .merge(api::router())
        .merge(link::router())
        .with_state(coordinator)
        .merge(packages)
        .fallback(ApiError::unknown_path)
        .method_not_allowed_fallback(ApiError::wrong_method)
        // Apps and the staking page run in browsers on other origins; keys are sent in a header, never as cookies.
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http());
    tracing::info!(listen = %listener.local_addr()?, session_seconds = SESSION_SECONDS, "ready for apps and miners");
    let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        served = serving => served.context("the HTTP server stopped")?,
        // Parked claims and waiting apps would hold the server for minutes; all that matters is in the store.
        () = async { shutdown.cancelled().await; tokio::time::sleep(LAST_CALLS).await } => {}
    }
    dispatch.await.context("dispatch stopped")?;
    // Whatever they were at goes on after the next start.
    for task in [funding, challenges, audits] {
        task.abort();
    }
    tracing::info!("stopped; open tasks go on after the next start");
    Ok(())
}

/// The operator whose coordinator node this is; waits until it is registered.
async fn own_operator(view: &View, node: Address, shutdown: &CancellationToken) -> Result<Address> {
    let mut changes = view.subscribe();
    let mut told = false;
    loop {
        let snapshot = view.snapshot();
        match snapshot.by_node(node) {
            Some(operator) if operator.role == Role::Coordinator => return Ok(operator.operator),
            Some(operator) => bail!("{node} is the node of {}, which is registered as a miner", operator.operator),
            None if !told => {
                tracing::warn!(%node, "this node is not registered: stake more than the minimum and run `coordinator-agent register`; waiting");
                told = true;
            }
            None => {}
        }
        tokio::select! {
            changed = changes.changed() => changed.context("the chain is no longer followed")?,
            () = shutdown.cancelled() => bail!("stopped before this node was registered"),
        }
    }
}
