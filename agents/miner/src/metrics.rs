//! What the agent counts, served for Prometheus together with its health.

use alloy::primitives::{U256, utils::format_units};
use anyhow::{Context, Result};
use axum::{Router, http::StatusCode, routing::get};
use cuckoo_chain::beacon::{Beacon, BeaconError};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::{net::SocketAddr, time::Duration};
use tokio_util::sync::CancellationToken;

/// Seconds that a request takes: the default model on a CPU at the low end, a large one at the high end.
const BUCKETS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0];

const WORK: &str = "cuckoo_miner_work_seconds";
const SESSIONS: &str = "cuckoo_miner_sessions";

/// A result was accepted and paid by voucher.
pub fn done() {
    metrics::counter!("cuckoo_miner_tasks_done_total").increment(1);
}

/// A lease came to nothing.
pub fn declined(reason: &'static str) {
    metrics::counter!("cuckoo_miner_tasks_declined_total", "reason" => reason).increment(1);
}

/// A request was run.
pub fn worked(elapsed: Duration) {
    metrics::histogram!(WORK).record(elapsed.as_secs_f64());
}

/// So many coordinators more, or less, have this miner logged in.
pub fn sessions(change: f64) {
    metrics::gauge!(SESSIONS).increment(change);
}

/// What all vouchers held promise, and what of it was collected on chain; in wei.
pub fn money(earned: U256, collected: U256) {
    metrics::gauge!("cuckoo_miner_earned_cai").set(cai(earned));
    metrics::gauge!("cuckoo_miner_collected_cai").set(cai(collected));
}

/// Something was done in a dispute: `answered`, `defenceless`, `guilty`, `innocent`, `unable`, `revealed`.
pub fn dispute(what: &'static str) {
    metrics::counter!("cuckoo_miner_disputes_total", "what" => what).increment(1);
}

/// Another miner's work was checked: `answered`, `declined`.
pub fn check(what: &'static str) {
    metrics::counter!("cuckoo_miner_checks_total", "what" => what).increment(1);
}

/// A try to bring what draws a jury: it was `brought`, or `missed`. That somebody else did is not counted, nor that it is awaited.
pub fn beacon(outcome: &Result<Beacon, BeaconError>) {
    let what = match outcome {
        Ok(Beacon::Brought) => "brought",
        Ok(Beacon::Known | Beacon::Awaited) => return,
        Err(_) => "missed",
    };
    metrics::counter!("cuckoo_miner_beacons_total", "what" => what).increment(1);
}

/// A juror was paid, in wei.
pub fn jury_pay(amount: U256) {
    metrics::gauge!("cuckoo_miner_jury_pay_cai").increment(cai(amount));
}

/// As near as a float comes: for graphs, not for accounts.
fn cai(wei: U256) -> f64 {
    format_units(wei, 18).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// Serves `/metrics`, `/healthz` (the process lives) and `/readyz` (a coordinator has it logged in) on `address` until `shutdown`.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, shutdown: CancellationToken) -> Result<()> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(WORK.to_owned()), &BUCKETS)?
        .install_recorder()
        .context("metrics are set up already")?;
    sessions(0.0);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on --metrics {address}: choose another port"))?;
    let ready = recorder.clone();
    let readyz = move || async move {
        let working = ready.render().lines().any(|line| {
            line.strip_prefix(SESSIONS).is_some_and(|value| value.trim().parse::<f64>().is_ok_and(|count| count > 0.0))
        });
        if working { (StatusCode::OK, "logged in") } else { (StatusCode::SERVICE_UNAVAILABLE, "logged in nowhere") }
    };
    let router = Router::new()
        .route("/metrics", get(move || async move { recorder.render() }))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await {
            tracing::error!("metrics are no longer served: {error}");
        }
    });
    Ok(())
}
