//! What anybody may know: the models, the miners, and how tasks were drawn.

use crate::{coordinator::Coordinator, error::ApiError};
use alloy::primitives::{Address, B256, U256};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::{amount::wei, contracts::Role, manifest::Manifest};
use serde::Serialize;
use std::{sync::Arc, time::Instant};

#[derive(Serialize)]
pub(super) struct Models {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    owned_by: Address,
    model_id: B256,
    /// Wei a pricing unit.
    #[serde(with = "wei")]
    unit_price: U256,
    /// Whether a false result can cost its miner stake; else audits find it, and it costs the payment.
    slashable: bool,
    manifest: Manifest,
}

pub(super) async fn models(State(coordinator): State<Arc<Coordinator>>) -> Json<Models> {
    let model = |offered: &crate::catalogue::Offered| Model {
        id: offered.manifest.name.clone(),
        object: "model",
        owned_by: coordinator.operator,
        model_id: offered.model_id,
        unit_price: offered.unit_price,
        slashable: offered.manifest.slashable(),
        manifest: offered.manifest.clone(),
    };
    Json(Models { object: "list", data: coordinator.catalogue.iter().map(model).collect() })
}

#[derive(Serialize)]
pub(super) struct Network {
    chain_id: u64,
    block: u64,
    /// No RPC answers: what follows may be old.
    stale: bool,
    registry: Address,
    coordinator: Address,
    node: Address,
    /// keccak256 of the secret of today's draws.
    draw_commitment: B256,
    tasks: Tasks,
    miners: Vec<Miner>,
}

#[derive(Serialize)]
struct Tasks {
    queued: usize,
    leased: usize,
    done: u64,
}

#[derive(Serialize)]
struct Miner {
    operator: Address,
    node: Address,
    #[serde(with = "wei")]
    weight: U256,
    live: bool,
    slots: usize,
    busy: usize,
    served: u64,
    /// Wei since the channel began.
    #[serde(with = "wei")]
    owed: U256,
}

pub(super) async fn network(State(coordinator): State<Arc<Coordinator>>) -> Result<Json<Network>, ApiError> {
    let snapshot = coordinator.view.snapshot();
    let mut miners = Vec::new();
    for operator in snapshot.active(Role::Miner) {
        let (owed, served) = coordinator.store.channel(operator.operator).await?;
        let worker = coordinator.dispatch().worker(operator.operator, Instant::now());
        miners.push(Miner {
            operator: operator.operator,
            node: operator.node,
            weight: operator.weight,
            live: worker.is_some_and(|worker| worker.live),
            slots: worker.map_or(0, |worker| worker.slots),
            busy: worker.map_or(0, |worker| worker.busy),
            served,
            owed,
        });
    }
    miners.sort_by_key(|miner| miner.operator);
    let (queued, leased) = {
        let dispatch = coordinator.dispatch();
        (dispatch.queued(), dispatch.leased())
    };
    Ok(Json(Network {
        chain_id: coordinator.chain.deployment().chain_id,
        block: snapshot.block,
        stale: snapshot.stale,
        registry: coordinator.chain.deployment().contracts.registry,
        coordinator: coordinator.operator,
        node: coordinator.node(),
        draw_commitment: coordinator.draw_commitment().await?,
        tasks: Tasks { queued, leased, done: coordinator.store.done_count().await? },
        miners,
    }))
}

#[derive(Serialize)]
pub(super) struct Draw {
    sequence: u64,
    /// Unix day whose secret was used.
    day: u64,
    /// Null until that day is over.
    secret: Option<B256>,
    chosen: Address,
    /// Sorted by address.
    candidates: Vec<DrawCandidate>,
}

#[derive(Serialize)]
struct DrawCandidate {
    miner: Address,
    #[serde(with = "wei")]
    weight: U256,
}

pub(super) async fn draw(
    State(coordinator): State<Arc<Coordinator>>,
    Path(sequence): Path<u64>,
) -> Result<Json<Draw>, ApiError> {
    let draw = coordinator.store.draw(sequence).await?;
    let (day, chosen, candidates) = draw.ok_or_else(|| ApiError::not_found("draw", &sequence.to_string()))?;
    let secret = coordinator.revealed_secret(day).await?;
    let candidates = candidates.iter().map(|c| DrawCandidate { miner: c.miner, weight: c.weight }).collect();
    Ok(Json(Draw { sequence, day, secret, chosen, candidates }))
}

/// 200 while tasks can be taken and given away: the chain answers and this agent is an active coordinator there.
pub(super) async fn ready(State(coordinator): State<Arc<Coordinator>>) -> Result<&'static str, ApiError> {
    let unavailable = |code, why| Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, why));
    let snapshot = coordinator.view.snapshot();
    if snapshot.stale {
        return unavailable("chain_stale", "no RPC answers: registrations may be old");
    }
    let registered = snapshot.operator(coordinator.operator).is_some_and(|operator| {
        operator.registered && operator.node == coordinator.node() && !operator.weight.is_zero()
    });
    if !registered {
        return unavailable("not_active", "this node is not that of an active coordinator: stake and register first");
    }
    Ok("ready")
}
