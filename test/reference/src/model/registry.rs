//! Roles, nodes, introductions.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use cuckoo_protocol::contracts::{IRegistry, Role};

use super::Model;
use crate::revert::Effect;

/// Longest URL of a coordinator, in bytes.
const MAX_ENDPOINT: usize = 256;
/// Longest introduction, in bytes.
const MAX_INFO: usize = 2_048;

/// An operator that ever registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// For ever.
    pub role: Role,
    /// Not retired.
    pub active: bool,
    /// Seconds.
    pub registered_at: u64,
    /// In use.
    pub node: Address,
    /// URL.
    pub endpoint: String,
    /// Introduction.
    pub info: String,
}

/// A key that ever signed for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// For ever.
    pub operator: Address,
    /// Seconds; none while in use.
    pub retired_at: Option<u64>,
}

/// Who is what, and whose keys are whose.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// By operator.
    pub registrations: BTreeMap<Address, Registration>,
    /// By key.
    pub nodes: BTreeMap<Address, Node>,
    /// In the order of their first registration.
    pub order: Vec<Address>,
}

impl Registry {
    /// Role, retired or not.
    pub fn role_of(&self, operator: Address) -> Role {
        self.registrations.get(&operator).map_or(Role::None, |r| r.role)
    }

    /// Node in use.
    pub fn node_of(&self, operator: Address) -> Address {
        self.registrations.get(&operator).map(|r| r.node).unwrap_or_default()
    }

    /// Operators of a role in the order of their first registration.
    pub fn operators(&self, role: Role) -> Vec<Address> {
        self.order.iter().copied().filter(|o| self.role_of(*o) == role).collect()
    }
}

impl Model {
    /// Whether `node` answers for `operator` for messages of `time`.
    pub fn is_liable(&self, operator: Address, node: Address, time: u64) -> bool {
        let grace = self.parameters.node_grace;
        let node = self.registry.nodes.get(&node).filter(|n| n.operator == operator);
        node.is_some_and(|n| n.retired_at.is_none_or(|retired| time <= retired + grace))
    }

    pub(super) fn register(
        &mut self,
        caller: Address,
        role: Role,
        node: Address,
        endpoint: String,
        info: String,
        signer: Address,
    ) -> Effect<()> {
        if role == Role::None {
            return Err(IRegistry::InvalidRole { role }.into());
        }
        let known = self.registry.registrations.get(&caller).cloned();
        if let Some(known) = &known
            && (known.active || known.role != role)
        {
            return Err(IRegistry::AlreadyRegistered { operator: caller, role: known.role }.into());
        }
        let stake = self.operator_now(caller).0.own_stake();
        let minimum = self.min_stake(role);
        if stake <= minimum {
            let (stake, minimum) = (U256::from(stake), U256::from(minimum));
            return Err(IRegistry::InsufficientStake { operator: caller, stake, minimum }.into());
        }
        require_texts(role, &endpoint, &info)?;
        self.require_consent(caller, node, signer)?;

        if known.is_none() {
            self.registry.order.push(caller);
        }
        let registered_at = known.as_ref().map_or(self.now, |k| k.registered_at);
        let previous = known.map(|k| k.node).unwrap_or_default();
        let registration = Registration {
            role,
            active: true,
            registered_at,
            node: previous,
            endpoint: endpoint.clone(),
            info: info.clone(),
        };
        self.registry.registrations.insert(caller, registration);
        if previous != node {
            self.put_in_use(caller, node);
        }
        let weight = U256::from(self.set_role(self.at.registry, caller, role, true)?);
        let event = IRegistry::Registered { operator: caller, role, node, endpoint, info, weight };
        self.emit(self.at.registry, event);
        Ok(())
    }

    pub(super) fn update(&mut self, caller: Address, endpoint: String, info: String) -> Effect<()> {
        let registration = self.active(caller)?;
        require_texts(registration.role, &endpoint, &info)?;
        (registration.endpoint, registration.info) = (endpoint.clone(), info.clone());
        self.emit(self.at.registry, IRegistry::Updated { operator: caller, endpoint, info });
        Ok(())
    }

    pub(super) fn set_node(&mut self, caller: Address, node: Address, signer: Address) -> Effect<()> {
        if self.active(caller)?.node == node {
            return Err(IRegistry::NodeUnchanged { node }.into());
        }
        self.require_consent(caller, node, signer)?;
        self.put_in_use(caller, node);
        Ok(())
    }

    pub(super) fn retire(&mut self, caller: Address) -> Effect<()> {
        let registration = self.active(caller)?;
        registration.active = false;
        let role = registration.role;
        self.set_role(self.at.registry, caller, role, false)?;
        self.emit(self.at.registry, IRegistry::Retired { operator: caller, role });
        Ok(())
    }

    fn active(&mut self, operator: Address) -> Effect<&mut Registration> {
        let registration = self.registry.registrations.get_mut(&operator).filter(|r| r.active);
        registration.ok_or_else(|| IRegistry::NotRegistered { operator }.into())
    }

    fn require_consent(&self, operator: Address, node: Address, signer: Address) -> Effect<()> {
        if node.is_zero() {
            return Err(IRegistry::ZeroAddress {}.into());
        }
        match self.registry.nodes.get(&node) {
            Some(known) if known.operator != operator => {
                Err(IRegistry::NodeTaken { node, operator: known.operator }.into())
            }
            _ if node != operator && signer != node => Err(IRegistry::InvalidConsent { operator, node }.into()),
            _ => Ok(()),
        }
    }

    fn put_in_use(&mut self, operator: Address, node: Address) {
        let now = self.now;
        let Some(registration) = self.registry.registrations.get_mut(&operator) else { return };
        let previous = std::mem::replace(&mut registration.node, node);
        self.registry.nodes.insert(node, Node { operator, retired_at: None });
        if let Some(retired) = self.registry.nodes.get_mut(&previous) {
            retired.retired_at = Some(now);
            let event = IRegistry::NodeSet { operator, node, previous, retiredAt: U256::from(now) };
            self.emit(self.at.registry, event);
        }
    }
}

fn require_texts(role: Role, endpoint: &str, info: &str) -> Effect<()> {
    let missing = role == Role::Coordinator && endpoint.is_empty();
    for (field, text, limit, bad) in [("endpoint", endpoint, MAX_ENDPOINT, missing), ("info", info, MAX_INFO, false)] {
        if bad || text.len() > limit {
            let (length, limit) = (U256::from(text.len()), U256::from(limit));
            return Err(IRegistry::InvalidText { field: field.into(), length, limit }.into());
        }
    }
    Ok(())
}
