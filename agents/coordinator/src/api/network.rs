//! What anybody may know: the models, the miners, and how tasks were drawn.

use super::openapi;
use crate::{coordinator::Coordinator, error::ApiError};
use alloy::primitives::{Address, B256, U256};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use cuckoo_protocol::{amount::wei, contracts::Role, draw::Draw, manifest::Manifest};
use serde::Serialize;
use std::{sync::Arc, time::Instant};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Models {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize, ToSchema)]
struct Model {
    id: String,
    object: &'static str,
    #[schema(value_type = String)]
    owned_by: Address,
    #[schema(value_type = String)]
    model_id: B256,
    /// Wei a pricing unit.
    #[serde(with = "wei")]
    #[schema(value_type = String)]
    unit_price: U256,
    /// Whether a false result can cost its miner stake; else audits find it, and it costs the payment.
    slashable: bool,
    /// What it can do, and all its files: `cuckoo.json`.
    #[schema(value_type = Object)]
    manifest: Manifest,
}

/// The models that work is offered for.
#[utoipa::path(get, path = "/v1/models", tag = "network", responses((status = 200, description = "The models", body = Models)))]
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

#[derive(Serialize, ToSchema)]
pub(super) struct Network {
    chain_id: u64,
    block: u64,
    /// No RPC answers: what follows may be old.
    stale: bool,
    #[schema(value_type = String)]
    registry: Address,
    #[schema(value_type = String)]
    coordinator: Address,
    #[schema(value_type = String)]
    node: Address,
    /// keccak256 of the secret of today's draws.
    #[schema(value_type = String)]
    draw_commitment: B256,
    /// How many draws there were: their numbers go from 0 to one less.
    draws: u64,
    tasks: Tasks,
    miners: Vec<Miner>,
}

#[derive(Serialize, ToSchema)]
struct Tasks {
    queued: usize,
    leased: usize,
    done: u64,
}

#[derive(Serialize, ToSchema)]
struct Miner {
    #[schema(value_type = String)]
    operator: Address,
    #[schema(value_type = String)]
    node: Address,
    #[serde(with = "wei")]
    #[schema(value_type = String)]
    weight: U256,
    live: bool,
    slots: usize,
    busy: usize,
    served: u64,
    /// Wei since the channel began.
    #[serde(with = "wei")]
    #[schema(value_type = String)]
    owed: U256,
}

/// Who works here, and how much.
#[utoipa::path(get, path = "/v1/network", tag = "network",
    responses((status = 200, description = "The network as this coordinator sees it", body = Network), ApiError))]
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
        draws: coordinator.draws(),
        tasks: Tasks { queued, leased, done: coordinator.store.done_count().await? },
        miners,
    }))
}

/// How a miner was drawn for a task: who could have been, and when the day is over, by what secret.
#[utoipa::path(get, path = "/v1/draws/{sequence}", tag = "network", params(("sequence" = u64, Path, description = "Of the draw")),
    responses((status = 200, description = "The draw", body = openapi::Draw), ApiError))]
pub(super) async fn draw(
    State(coordinator): State<Arc<Coordinator>>,
    Path(sequence): Path<u64>,
) -> Result<Json<Draw>, ApiError> {
    let draw = coordinator.draw(sequence).await?;
    draw.map(Json).ok_or_else(|| ApiError::not_found("draw", &sequence.to_string()))
}

/// 200 while tasks can be taken and given away: the chain answers and this agent is an active coordinator there.
#[utoipa::path(get, path = "/readyz", tag = "operators",
    responses((status = 200, description = "Ready", body = String), ApiError))]
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

/// 200 as long as this agent answers at all.
#[utoipa::path(get, path = "/healthz", tag = "operators", responses((status = 200, description = "Alive", body = String)))]
pub(super) async fn health() -> &'static str {
    "ok"
}
