//! What the chain's dispute parameters and stakes mean for audits: how long offers may bind, and how much work a miner may hold unaudited.

use super::cap;
use crate::coordinator::Coordinator;
use alloy::primitives::U256;
use anyhow::{Context, Result};
use cuckoo_chain::Chain;
use cuckoo_protocol::contracts::{IDisputes, IStaking, Role};
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// Between looks at the miners' own stakes.
const PERIOD: Duration = Duration::from_secs(3);

/// Parameters of disputes that open now. Times in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// An offer expires at most so long after it was signed.
    pub max_offer_life: u64,
    /// After the offer's expiry.
    pub challenge_window: u64,
    /// WAD of all that is behind the accused.
    pub fraction: u64,
}

impl Rules {
    /// Reads the parameters in force.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn read(chain: &Chain) -> Result<Self> {
        let disputes = IDisputes::new(chain.deployment().contracts.disputes, chain.provider());
        let version = disputes.currentVersion().call().await.context("cannot read the parameters of disputes")?;
        let parameters = disputes.parameters(version).call().await.context("cannot read the parameters of disputes")?;
        Ok(Self {
            max_offer_life: parameters.maxOfferLife.into(),
            challenge_window: parameters.challengeWindow.into(),
            fraction: parameters.fraction,
        })
    }

    /// Until when a trace is due at `now` for an offer that expires at `expiry`: half of the time in which a challenge can be raised, so
    /// that a refusal can still be.
    pub fn audit_deadline(&self, now: u64, expiry: u64) -> u64 {
        now + expiry.saturating_add(self.challenge_window).saturating_sub(now) / 2
    }
}

/// Follows the caps until `shutdown`.
pub async fn follow(coordinator: &Coordinator, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = round(coordinator).await {
            tracing::warn!(error = format!("{error:#}"), "the miners' own stakes cannot be read, trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn round(coordinator: &Coordinator) -> Result<()> {
    let (chain, snapshot) = (&coordinator.chain, coordinator.view.snapshot());
    let rules = Rules::read(chain).await?;
    let weight = snapshot.operator(coordinator.operator).map_or(U256::ZERO, |operator| operator.weight);
    let all = snapshot.active(Role::Coordinator).fold(U256::ZERO, |sum, operator| sum + operator.weight);
    let staking = IStaking::new(chain.deployment().contracts.staking, chain.provider());
    let mut caps = HashMap::new();
    for miner in snapshot.active(Role::Miner).map(|operator| operator.operator) {
        let own = staking.assetsOf(miner, miner).call().await.context("cannot read a stake")?;
        caps.insert(miner, cap(own, rules.fraction, weight, all));
    }
    coordinator.exposure().set_caps(rules.challenge_window, caps);
    coordinator.wake();
    Ok(())
}
