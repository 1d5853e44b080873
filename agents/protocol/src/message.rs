//! Signing and checking the network's EIP-712 messages.

use alloy::{
    primitives::{Address, B256, Signature},
    signers::{Error as SignerError, SignerSync, local::PrivateKeySigner},
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};
use serde::{Deserialize, Serialize};

/// The domain of every message: one network is one chain and one Registry.
#[derive(Clone, Debug)]
pub struct Domain(Eip712Domain);

impl Domain {
    /// The domain `{"Cuckoo", "1", chain_id, registry}`.
    pub fn new(chain_id: u64, registry: Address) -> Self {
        Self(eip712_domain! {
            name: "Cuckoo",
            version: "1",
            chain_id: chain_id,
            verifying_contract: registry,
        })
    }

    /// The separator, as `Registry.domainSeparator()` returns it.
    pub fn separator(&self) -> B256 {
        self.0.separator()
    }

    /// The digest that a node signs for `message`.
    pub fn digest<M: SolStruct>(&self, message: &M) -> B256 {
        message.eip712_signing_hash(&self.0)
    }

    /// Signs `message` with a node's key.
    ///
    /// # Errors
    /// Whatever the signer says; a local key does not fail.
    pub fn sign<M: SolStruct>(&self, message: M, node: &PrivateKeySigner) -> Result<Signed<M>, SignerError> {
        let signature = node.sign_hash_sync(&self.digest(&message))?;
        Ok(Signed { message, signature })
    }
}

/// A message that carries a signature. There is no unsigned form on the wire: an absent signature does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<M> {
    /// What was signed.
    pub message: M,
    /// 65 bytes, r ‖ s ‖ v, hex on the wire.
    #[serde(with = "hex_signature")]
    pub signature: Signature,
}

/// Why a signature was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    /// Not a point on the curve, or the malleable twin of a signature (high s), which contracts refuse.
    #[error("the signature is malformed: want 65 bytes r, s, v with a low s")]
    Malformed,
    /// A valid signature of another key, chain, Registry or message.
    #[error(
        "the signature is of {actual}, not of {expected}: another key signed, or another message, chain id or Registry address"
    )]
    WrongSigner {
        /// Whose signature was wanted.
        expected: Address,
        /// Whose it is.
        actual: Address,
    },
}

impl<M: SolStruct> Signed<M> {
    /// The address that signed.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`].
    pub fn signer(&self, domain: &Domain) -> Result<Address, SignatureError> {
        if self.signature.normalize_s().is_some() {
            return Err(SignatureError::Malformed);
        }
        self.signature
            .recover_address_from_prehash(&domain.digest(&self.message))
            .map_err(|_| SignatureError::Malformed)
    }

    /// Checks that `node` signed.
    ///
    /// # Errors
    /// [`SignatureError`] if anybody else did.
    pub fn verify(&self, domain: &Domain, node: Address) -> Result<(), SignatureError> {
        let actual = self.signer(domain)?;
        if actual == node { Ok(()) } else { Err(SignatureError::WrongSigner { expected: node, actual }) }
    }

    /// The signature as contracts take it.
    pub fn signature_bytes(&self) -> Vec<u8> {
        self.signature.as_bytes().to_vec()
    }
}

/// Serialises a signature as one hex string of 65 bytes.
mod hex_signature {
    use alloy::primitives::{Bytes, Signature};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(signature: &Signature, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::copy_from_slice(&signature.as_bytes()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?;
        Signature::from_raw(&bytes).map_err(|_| D::Error::custom("a signature is 65 bytes of hex: r, s, v"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Voucher;
    use alloy::primitives::{U256, address};

    const REGISTRY: Address = address!("0x00000000000000000000000000000000000000aa");

    fn voucher() -> Voucher {
        Voucher { payer: Address::repeat_byte(1), payee: Address::repeat_byte(2), cumulative: U256::from(5) }
    }

    #[test]
    fn a_signature_holds_for_one_key_chain_registry_and_message() {
        let (node, domain) = (PrivateKeySigner::random(), Domain::new(31337, REGISTRY));
        let signed = domain.sign(voucher(), &node).unwrap();
        assert_eq!(signed.verify(&domain, node.address()), Ok(()));

        let other_chain = Domain::new(1, REGISTRY);
        let other_registry = Domain::new(31337, Address::ZERO);
        for domain in [other_chain, other_registry] {
            assert!(matches!(signed.verify(&domain, node.address()), Err(SignatureError::WrongSigner { .. })));
        }
        let mut other_message = signed.clone();
        other_message.message.cumulative += U256::from(1);
        assert!(matches!(other_message.verify(&domain, node.address()), Err(SignatureError::WrongSigner { .. })));
        let other_key = Address::repeat_byte(9);
        assert!(matches!(signed.verify(&domain, other_key), Err(SignatureError::WrongSigner { .. })));
    }

    #[test]
    fn the_malleable_twin_is_refused() {
        let (node, domain) = (PrivateKeySigner::random(), Domain::new(31337, REGISTRY));
        let mut signed = domain.sign(voucher(), &node).unwrap();
        let order =
            U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
        signed.signature = Signature::new(signed.signature.r(), order - signed.signature.s(), !signed.signature.v());
        assert_eq!(signed.verify(&domain, node.address()), Err(SignatureError::Malformed));
    }

    #[test]
    fn an_unsigned_message_does_not_parse() {
        let unsigned = serde_json::json!({ "message": voucher() });
        assert!(serde_json::from_value::<Signed<Voucher>>(unsigned).is_err());
    }
}
