//! What a view shows.

use super::fold::{Entry, State};
use alloy::primitives::{Address, U256};
use cuckoo_protocol::contracts::Role;
use std::{collections::HashMap, sync::Arc};

/// An operator as it counts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The account that stakes and registers.
    pub operator: Address,
    /// For ever the one that it first registered in.
    pub role: Role,
    /// The key that signs for it, at the head. Stays after retirement: what it signed is still owed.
    pub node: Address,
    /// URL of a coordinator's agent; may be empty for a miner.
    pub endpoint: Arc<str>,
    /// Introduction.
    pub info: Arc<str>,
    /// Registered and not retired, at the head.
    pub registered: bool,
    /// What it counts for, in CAI wei: the smaller of its weight when final and its weight at the head. Zero when it is not
    /// active, and until its registration is final.
    pub weight: U256,
}

/// All operators at one block. A snapshot never empties because an RPC failed: it goes stale.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Number of the newest block that it shows.
    pub block: u64,
    /// Of that block, in chain seconds.
    pub timestamp: u64,
    /// Number of the block up to which gains count.
    pub final_block: u64,
    /// The chain could not be read for a while: what this shows may have changed.
    pub stale: bool,
    pub(super) operators: Arc<Operators>,
}

/// Operators with their index by node.
#[derive(Debug, Default)]
pub(super) struct Operators {
    by_operator: HashMap<Address, Operator>,
    by_node: HashMap<Address, Address>,
}

impl Operators {
    /// What counts of both states.
    pub(super) fn effective(last: &State, head: &State) -> Self {
        let by_operator: HashMap<_, _> = head
            .iter()
            .map(|(&operator, entry)| {
                let Entry { role, node, endpoint, info, registered, weight } = entry.clone();
                let weight = last.get(operator).map_or(U256::ZERO, |last| last.weight.min(weight));
                (operator, Operator { operator, role, node, endpoint, info, registered, weight })
            })
            .collect();
        let by_node = by_operator.values().map(|o| (o.node, o.operator)).collect();
        Self { by_operator, by_node }
    }
}

impl Snapshot {
    /// One operator, retired ones included; `None` if it never registered.
    pub fn operator(&self, operator: Address) -> Option<&Operator> {
        self.operators.by_operator.get(&operator)
    }

    /// The operator for which `node` signs now; a node that was replaced finds nobody.
    pub fn by_node(&self, node: Address) -> Option<&Operator> {
        self.operator(*self.operators.by_node.get(&node)?)
    }

    /// What an operator counts for in a role, in CAI wei; zero if it is not registered in it.
    pub fn weight(&self, role: Role, operator: Address) -> U256 {
        let registered = self.operator(operator).filter(|o| o.role == role && o.registered);
        registered.map_or(U256::ZERO, |o| o.weight)
    }

    /// Operators of a role that have weight: registered, with enough stake of their own, and final.
    pub fn active(&self, role: Role) -> impl Iterator<Item = &Operator> {
        self.operators.by_operator.values().filter(move |o| o.role == role && o.registered && !o.weight.is_zero())
    }
}
