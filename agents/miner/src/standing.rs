//! Whether this miner may work: what the chain says about its operator, and what to do when it is not enough.

use alloy::primitives::{Address, U256};
use cuckoo_chain::{Chain, Operator, Snapshot};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::{ILens, IStaking, Role},
};

/// What a node is to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It signs for a miner with weight.
    Ready {
        /// That miner.
        operator: Address,
        /// Effective weight, wei.
        weight: U256,
    },
    /// It signs for nobody.
    Unregistered,
    /// It signs for a coordinator.
    NotAMiner(Address),
    /// It signs for a miner without weight, or one that retired.
    Weightless(Address),
}

impl Standing {
    /// What `snapshot` says about `node`.
    pub fn of(snapshot: &Snapshot, node: Address) -> Self {
        match snapshot.by_node(node) {
            None => Self::Unregistered,
            Some(Operator { operator, role, .. }) if *role != Role::Miner => Self::NotAMiner(*operator),
            Some(Operator { operator, registered: true, weight, .. }) if !weight.is_zero() => {
                Self::Ready { operator: *operator, weight: *weight }
            }
            Some(Operator { operator, .. }) => Self::Weightless(*operator),
        }
    }

    /// What the operator has to do before this miner may work. None when nothing is missing.
    pub async fn advice(&self, chain: &Chain, node: Address) -> Option<String> {
        match self {
            Self::Ready { .. } => None,
            Self::Unregistered => Some(format!(
                "the node {node} is not registered, or that is not final yet. Stake more than the miners' minimum, then send \
                 the transaction that `miner-agent register` prints from the operator's account"
            )),
            Self::NotAMiner(operator) => Some(format!(
                "the node {node} signs for {operator}, which is a coordinator: make another node with `miner-agent key new`"
            )),
            Self::Weightless(operator) => Some(shortfall(chain, *operator).await),
        }
    }
}

/// Why `operator` has no weight, and what it takes to have some. Amounts are read at the head.
async fn shortfall(chain: &Chain, operator: Address) -> String {
    let contracts = chain.deployment().contracts;
    let lens = ILens::new(contracts.lens, chain.provider());
    let staking = IStaking::new(contracts.staking, chain.provider());
    let (account, minimum) = (lens.operator(operator), staking.minStake(Role::Miner));
    let (account, minimum) = match tokio::try_join!(account.call().into_future(), minimum.call().into_future()) {
        Ok(answers) => answers,
        Err(error) => return format!("the miner {operator} has no weight; its stake could not be read: {error}"),
    };
    if !account.active {
        return format!("the miner {operator} has retired: register it again with `miner-agent register`");
    }
    if account.tombstoned {
        return format!(
            "the miner {operator} was slashed to nothing and takes no new stake: register another operator"
        );
    }
    if account.ownAssets > minimum {
        return format!(
            "the miner {operator} has stake enough, {} CAI; it counts once that is final",
            format_cai(account.ownAssets)
        );
    }
    format!(
        "the miner {operator} has {} CAI of its own stake and needs more than {}: stake more than {} CAI with \
         Staking.delegate({operator}, amount, {operator}) from its own account",
        format_cai(account.ownAssets),
        format_cai(minimum),
        format_cai(minimum - account.ownAssets),
    )
}
