//! `deployments/<chainid>.json`: where the contracts of a network are.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

/// What the deployment script wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block from which the contracts exist; no event lies before it.
    pub block: u64,
    /// Addresses.
    pub contracts: Contracts,
}

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Contracts {
    pub cai: Address,
    pub timelock: Address,
    /// Zero on networks without one.
    #[serde(default)]
    pub faucet: Address,
    pub staking: Address,
    pub registry: Address,
    pub payments: Address,
    pub randomness: Address,
    pub disputes: Address,
    pub mining_rewards: Address,
    pub lens: Address,
}
