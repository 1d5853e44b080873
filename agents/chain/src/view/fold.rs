//! Operators as the contracts' events leave them.

use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::Log,
    sol_types::{SolEvent, SolEventInterface},
};
use cuckoo_protocol::{
    contracts::{
        ILens::OperatorView,
        IRegistry::{self, IRegistryEvents},
        IStaking::{self, IStakingEvents},
        Role,
    },
    deployment::Contracts,
};
use std::{collections::HashMap, sync::Arc};

/// Topics of the events that the fold takes; no others need be fetched.
pub(super) const TOPICS: [B256; 13] = [
    IRegistry::Registered::SIGNATURE_HASH,
    IRegistry::Updated::SIGNATURE_HASH,
    IRegistry::NodeSet::SIGNATURE_HASH,
    IRegistry::Retired::SIGNATURE_HASH,
    IStaking::Delegated::SIGNATURE_HASH,
    IStaking::Undelegated::SIGNATURE_HASH,
    IStaking::UndelegationCancelled::SIGNATURE_HASH,
    IStaking::Slashed::SIGNATURE_HASH,
    IStaking::RoleSet::SIGNATURE_HASH,
    IStaking::Rewarded::SIGNATURE_HASH,
    IStaking::JailedUntil::SIGNATURE_HASH,
    IStaking::Unjailed::SIGNATURE_HASH,
    IStaking::PaidFromOwn::SIGNATURE_HASH,
];

/// An operator at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) role: Role,
    pub(super) node: Address,
    pub(super) endpoint: Arc<str>,
    pub(super) info: Arc<str>,
    pub(super) registered: bool,
    pub(super) weight: U256,
}

/// All operators that ever registered, at one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State(HashMap<Address, Entry>);

impl State {
    pub(super) fn get(&self, operator: Address) -> Option<&Entry> {
        self.0.get(&operator)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Address, &Entry)> {
        self.0.iter()
    }

    /// Adds an operator that a contract's view describes.
    pub(super) fn insert(&mut self, view: OperatorView) {
        let OperatorView { operator, role, active, node, endpoint, info, weight, .. } = view;
        let entry = Entry { role, node, endpoint: endpoint.into(), info: info.into(), registered: active, weight };
        self.0.insert(operator, entry);
    }

    /// Takes the next event in the chain's order. What it does not know it skips: contracts may learn new events.
    pub(super) fn apply(&mut self, contracts: &Contracts, log: &Log) {
        if log.address() == contracts.registry
            && let Ok(event) = IRegistryEvents::decode_log(&log.inner)
        {
            self.apply_registry(event.data);
        } else if log.address() == contracts.staking
            && let Ok(event) = IStakingEvents::decode_log(&log.inner)
        {
            self.apply_staking(event.data);
        }
    }

    fn apply_registry(&mut self, event: IRegistryEvents) {
        match event {
            IRegistryEvents::Registered(e) => {
                let (endpoint, info) = (e.endpoint.into(), e.info.into());
                let entry = Entry { role: e.role, node: e.node, endpoint, info, registered: true, weight: e.weight };
                self.0.insert(e.operator, entry);
            }
            IRegistryEvents::Updated(e) => {
                if let Some(entry) = self.0.get_mut(&e.operator) {
                    (entry.endpoint, entry.info) = (e.endpoint.into(), e.info.into());
                }
            }
            IRegistryEvents::NodeSet(e) => {
                if let Some(entry) = self.0.get_mut(&e.operator) {
                    entry.node = e.node;
                }
            }
            IRegistryEvents::Retired(e) => {
                if let Some(entry) = self.0.get_mut(&e.operator) {
                    (entry.registered, entry.weight) = (false, U256::ZERO);
                }
            }
        }
    }

    /// Every change of weight comes with the weight after it. Whoever never registered has none and is not kept: anybody can
    /// stake for any address, and that must not fill our memory.
    fn apply_staking(&mut self, event: IStakingEvents) {
        let (operator, weight) = match event {
            IStakingEvents::Delegated(e) => (e.operator, e.weight),
            IStakingEvents::Undelegated(e) => (e.operator, e.weight),
            IStakingEvents::UndelegationCancelled(e) => (e.operator, e.weight),
            IStakingEvents::Slashed(e) => (e.operator, e.weight),
            IStakingEvents::RoleSet(e) => (e.operator, e.weight),
            IStakingEvents::Rewarded(e) => (e.operator, e.weight),
            IStakingEvents::JailedUntil(e) => (e.operator, e.weight),
            IStakingEvents::Unjailed(e) => (e.operator, e.weight),
            IStakingEvents::PaidFromOwn(e) => (e.operator, e.weight),
            // These change no weight.
            IStakingEvents::Withdrawn(_)
            | IStakingEvents::RewardsFunded(_)
            | IStakingEvents::CommissionSet(_)
            | IStakingEvents::CommissionAnnounced(_)
            | IStakingEvents::Held(_)
            | IStakingEvents::Released(_)
            | IStakingEvents::SlasherProposed(_)
            | IStakingEvents::SlasherRetired(_)
            | IStakingEvents::GuardianSet(_)
            | IStakingEvents::PauseSet(_) => return,
        };
        if let Some(entry) = self.0.get_mut(&operator) {
            entry.weight = weight;
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
