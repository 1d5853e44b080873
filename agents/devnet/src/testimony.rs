//! An accused that stands by what it committed to, true or not, and opens it on chain.

use crate::site::Site;
use alloy::{
    network::EthereumWallet,
    primitives::B256,
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_protocol::{
    contracts::IDisputes,
    dispute::{Part, open_state, parts},
};
use std::time::Duration;

/// Opens what dispute `id` asks for of the trace `states` (canonical bytes of s₀…s_N) with the key of the accused's node.
///
/// # Errors
/// If the trace lacks a state, the request has input pictures, or a transaction is refused.
pub async fn answer(site: &Site, node: &PrivateKeySigner, id: B256, states: &[Vec<u8>]) -> Result<()> {
    let provider: DynProvider = ProviderBuilder::default()
        .with_simple_nonce_management()
        .with_gas_estimation()
        .fetch_chain_id()
        .wallet(EthereumWallet::from(node.clone()))
        .connect_http(site.anvil.rpc_url.clone())
        .erased();
    provider.client().set_poll_interval(Duration::from_millis(100));
    let contract = IDisputes::new(site.deployment.contracts.disputes, &provider);
    let dispute = contract.dispute(id).call().await?;
    for part in parts(dispute.transition, dispute.states, false) {
        let Part::State(k) = part else { bail!("input pictures are not opened here") };
        let opened = open_state(states, k).with_context(|| format!("the trace has no state {k}"))?;
        for chunk in opened.chunks {
            let call = contract.answer(id, opened.opening.clone(), vec![chunk]);
            let sent = call.send().await.context("an answer was refused")?;
            ensure!(sent.get_receipt().await?.status(), "an answer failed on chain");
        }
    }
    Ok(())
}
