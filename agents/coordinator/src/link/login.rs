//! Opening a session. Cheap checks come before the signature is recovered.

use crate::{
    coordinator::Coordinator,
    error::{ApiError, Body},
    session::{Identity, NonceError},
};
use alloy::primitives::{Address, U256};
use axum::{Json, extract::State, http::StatusCode};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::{IRegistry, Role, Session, Voucher},
    link::{LoginAnswer, LoginRequest, Nonce},
    message::Signed,
};
use std::{sync::Arc, time::Instant};

/// Slots that one miner may announce, and models.
const MAX_SLOTS: u32 = 64;
const MAX_MODELS: usize = 64;

pub(super) async fn nonce(State(coordinator): State<Arc<Coordinator>>) -> Json<Nonce> {
    let (nonce, expiry) = coordinator.sessions.nonce(coordinator.now());
    Json(Nonce {
        nonce,
        expiry,
        coordinator: coordinator.operator,
        coordinator_node: coordinator.node(),
        chain_id: coordinator.chain.deployment().chain_id,
        registry: coordinator.chain.deployment().contracts.registry,
    })
}

pub(super) async fn login(
    State(coordinator): State<Arc<Coordinator>>,
    Body(request): Body<LoginRequest>,
) -> Result<Json<LoginAnswer>, ApiError> {
    let identity = check(&coordinator, &request)?;
    let cumulative = settle(&coordinator, identity, request.voucher).await?;

    let (token, expiry) = coordinator.sessions.token(identity, coordinator.now());
    let session = coordinator.sign(Session {
        loginHash: coordinator.chain.domain().digest(&request.login.message),
        tokenHash: alloy::primitives::keccak256(&token),
        expiry,
    })?;
    let voucher = match cumulative.is_zero() {
        true => None,
        false => Some(coordinator.voucher(identity.miner, cumulative)?),
    };
    coordinator.dispatch().login(identity, request.models, request.slots as usize, Instant::now());
    tracing::info!(miner = %identity.miner, slots = request.slots, "miner logged in");
    metrics::counter!("cuckoo_logins_total").increment(1);
    Ok(Json(LoginAnswer { token, session, voucher }))
}

/// Who logs in, if it may.
fn check(coordinator: &Coordinator, request: &LoginRequest) -> Result<Identity, ApiError> {
    let refuse = |code, message: String| ApiError::new(StatusCode::UNAUTHORIZED, code, message);
    let login = &request.login.message;
    let now = coordinator.now();
    coordinator.sessions.check_nonce(login.nonce, now).map_err(|error| match error {
        NonceError::Foreign => refuse("wrong_nonce", "the nonce is not of this coordinator: ask for one".to_owned()),
        NonceError::Expired => refuse("nonce_expired", "the nonce has expired: ask for another".to_owned()),
    })?;
    if login.coordinator != coordinator.operator || login.coordinatorNode != coordinator.node() {
        let (operator, node) = (coordinator.operator, coordinator.node());
        let message = format!("the login is for another coordinator: this is {operator} with node {node}");
        return Err(refuse("wrong_coordinator", message));
    }
    if login.origin != coordinator.config.origin {
        let message = format!("the login is for {:?}, this is {:?}", login.origin, coordinator.config.origin);
        return Err(refuse("wrong_origin", message));
    }
    if !(1..=MAX_SLOTS).contains(&request.slots) || request.models.is_empty() || request.models.len() > MAX_MODELS {
        let message = format!("announce 1 to {MAX_SLOTS} slots and 1 to {MAX_MODELS} models");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "impossible_login", message));
    }

    let snapshot = coordinator.view.snapshot();
    let Some(miner) = snapshot.operator(login.miner).filter(|o| o.role == Role::Miner && o.registered) else {
        let message = format!(
            "{} is not registered as a miner on chain {}: register it, and wait until that is final",
            login.miner,
            coordinator.chain.deployment().chain_id
        );
        return Err(refuse("not_registered", message));
    };
    request.login.verify(coordinator.chain.domain(), miner.node).map_err(|error| {
        refuse("wrong_signer", format!("the login must be signed by the registered node {}: {error}", miner.node))
    })?;
    if miner.weight.is_zero() {
        let message = format!(
            "{} has no weight: its own stake must be more than the miners' minimum, and final; it counts {} CAI now",
            login.miner,
            format_cai(miner.weight)
        );
        return Err(refuse("understaked", message));
    }
    coordinator
        .sessions
        .spend_nonce(login.nonce, now)
        .map_err(|_| refuse("nonce_expired", "the nonce was used before: ask for another".to_owned()))?;
    Ok(Identity { miner: login.miner, node: miner.node })
}

/// All that is owed to the miner: what the store says, or what the miner's voucher proves, whichever is more.
async fn settle(
    coordinator: &Coordinator,
    identity: Identity,
    shown: Option<Signed<Voucher>>,
) -> Result<U256, ApiError> {
    let (owed, _) = coordinator.store.channel(identity.miner).await?;
    let Some(shown) = shown.filter(|shown| shown.message.cumulative > owed) else { return Ok(owed) };
    let voucher = &shown.message;
    let fits = voucher.payer == coordinator.operator && voucher.payee == identity.miner;
    let signer = shown.signer(coordinator.chain.domain()).unwrap_or_default();
    if !fits || !signed_for_us(coordinator, signer).await? {
        let message = "the voucher shown is not one that a node of this coordinator signed for this miner".to_owned();
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_voucher", message));
    }
    tracing::warn!(miner = %identity.miner, "the miner proved a higher voucher than the store holds: the store was restored");
    coordinator.store.raise_channel(identity.miner, voucher.cumulative).await?;
    Ok(voucher.cumulative)
}

/// Whether a key signs vouchers for this coordinator: its node, or one replaced so lately that Payments still takes its vouchers.
async fn signed_for_us(coordinator: &Coordinator, signer: Address) -> Result<bool, ApiError> {
    if signer == coordinator.node() {
        return Ok(true);
    }
    let registry = coordinator.chain.deployment().contracts.registry;
    IRegistry::new(registry, coordinator.chain.provider())
        .isLiable(coordinator.operator, signer, U256::from(coordinator.now()))
        .call()
        .await
        .map_err(|error| {
            tracing::warn!(%error, "cannot ask the Registry about a former node");
            let message = "the chain cannot be read just now, which your voucher needs: try again";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "chain_unavailable", message).retry_after(5)
        })
}
