//! An operator's registration, with the consent of the node that is to sign for it.

use alloy::{
    primitives::{Address, Bytes},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use cuckoo_protocol::{
    contracts::{IRegistry::registerCall, NodeConsent, Role},
    deployment::Deployment,
    message::Domain,
};

/// Longest endpoint that the Registry takes, in bytes.
pub const MAX_ENDPOINT: usize = 256;
/// Longest introduction that the Registry takes, in bytes.
pub const MAX_INFO: usize = 2048;

/// What an operator registers as.
pub struct Registration<'a> {
    /// Miner or coordinator.
    pub role: Role,
    /// The key that will sign for the operator; it consents here.
    pub node_signer: &'a PrivateKeySigner,
    /// Sends the transaction; its own stake counts.
    pub operator: Address,
    /// URL of a coordinator's agent; a miner may leave it empty.
    pub endpoint: String,
    /// Introduction.
    pub info: String,
}

/// Why the Registry would refuse a registration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Neither miner nor coordinator.
    #[error("an operator registers as a miner or as a coordinator")]
    Role,
    /// The zero address.
    #[error("the operator is the zero address: pass the address that stakes as --operator")]
    Operator,
    /// A coordinator that nobody can reach.
    #[error("a coordinator needs an endpoint: pass the URL at which miners reach it as --endpoint")]
    NoEndpoint,
    /// A URL that miners cannot call.
    #[error("{0:?} is no endpoint: want a URL such as https://coordinator.example")]
    Endpoint(String),
    /// Longer than the contract takes.
    #[error("the {field} has {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// Endpoint or introduction.
        field: &'static str,
        /// In bytes.
        length: usize,
        /// In bytes.
        limit: usize,
    },
    /// The node's key did not sign.
    #[error("the node's key cannot sign its consent: {0}")]
    Consent(String),
}

/// The transaction that the operator must send: the Registry's address and the calldata. Needs no connection, so that an
/// operator's key can stay cold.
///
/// # Errors
/// [`RegisterError`].
pub fn calldata(deployment: &Deployment, registration: &Registration<'_>) -> Result<(Address, Bytes), RegisterError> {
    let Registration { role, node_signer, operator, endpoint, info } = registration;
    match role {
        Role::Miner => {}
        Role::Coordinator if endpoint.is_empty() => return Err(RegisterError::NoEndpoint),
        Role::Coordinator => {}
        _ => return Err(RegisterError::Role),
    }
    if operator.is_zero() {
        return Err(RegisterError::Operator);
    }
    if !endpoint.is_empty() && !url::Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(RegisterError::Endpoint(endpoint.chars().take(300).collect()));
    }
    for (field, text, limit) in [("endpoint", endpoint, MAX_ENDPOINT), ("introduction", info, MAX_INFO)] {
        if text.len() > limit {
            return Err(RegisterError::TooLong { field, length: text.len(), limit });
        }
    }
    let registry = deployment.contracts.registry;
    let consent = NodeConsent { operator: *operator, node: node_signer.address() };
    let consent = Domain::new(deployment.chain_id, registry)
        .sign(consent, node_signer)
        .map_err(|e| RegisterError::Consent(e.to_string()))?;
    let call = registerCall {
        role: *role,
        node: node_signer.address(),
        endpoint: endpoint.clone(),
        info: info.clone(),
        nodeConsent: consent.signature_bytes().into(),
    };
    Ok((registry, call.abi_encode().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Signature;
    use cuckoo_protocol::{deployment::Contracts, message::Signed};

    fn deployment() -> Deployment {
        let [cai, faucet, staking, registry, payments, lens] = [1, 2, 3, 4, 5, 6].map(Address::repeat_byte);
        Deployment {
            chain_id: 31337,
            block: 0,
            contracts: Contracts { cai, faucet, staking, registry, payments, lens, ..Contracts::default() },
        }
    }

    fn coordinator(node_signer: &PrivateKeySigner) -> Registration<'_> {
        Registration {
            role: Role::Coordinator,
            node_signer,
            operator: Address::repeat_byte(7),
            endpoint: "https://coordinator.example".into(),
            info: "pictures".into(),
        }
    }

    #[test]
    fn the_node_consents_to_this_operator() {
        let node = PrivateKeySigner::random();
        let (to, data) = calldata(&deployment(), &coordinator(&node)).unwrap();
        assert_eq!(to, deployment().contracts.registry);
        let call = registerCall::abi_decode(&data).unwrap();
        assert_eq!(call.node, node.address());
        let consent = Signed {
            message: NodeConsent { operator: Address::repeat_byte(7), node: node.address() },
            signature: Signature::from_raw(&call.nodeConsent).unwrap(),
        };
        assert_eq!(consent.verify(&Domain::new(31337, to), node.address()), Ok(()));
    }

    #[test]
    fn what_the_registry_would_refuse_is_refused_here() {
        let node = PrivateKeySigner::random();
        let refused = |change: fn(&mut Registration<'_>)| {
            let mut registration = coordinator(&node);
            change(&mut registration);
            calldata(&deployment(), &registration).unwrap_err()
        };
        assert_eq!(refused(|r| r.endpoint.clear()), RegisterError::NoEndpoint);
        assert_eq!(refused(|r| r.role = Role::None), RegisterError::Role);
        assert_eq!(refused(|r| r.operator = Address::ZERO), RegisterError::Operator);
        assert!(matches!(refused(|r| r.endpoint = "coordinator:8080".into()), RegisterError::Endpoint(_)));
        assert!(matches!(refused(|r| r.info = "x".repeat(2049)), RegisterError::TooLong { length: 2049, .. }));
        assert!(matches!(
            refused(|r| r.endpoint = format!("https://{}.example", "x".repeat(256))),
            RegisterError::TooLong { field: "endpoint", .. }
        ));
    }
}
