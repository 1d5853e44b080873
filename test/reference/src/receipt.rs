//! Receipts: an offer and a result, as a coordinator's and a miner's node sign them.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use cuckoo_protocol::{contracts, message::Domain};

use crate::{
    abi::disputes::{Offer, Result},
    network::{CHAIN_ID, Cast, Contracts},
};

/// A receipt, good or bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who offered.
    pub coordinator: Address,
    /// Who worked.
    pub miner: Address,
    /// Which of a few models.
    pub model: u8,
    /// Which the offer names.
    pub offered_model: u8,
    /// Makes it another one.
    pub salt: u64,
    /// Seconds.
    pub expiry: u64,
    /// States of the request's computation...
    pub states: u32,
    /// ...and of the result's.
    pub result_states: u32,
    /// Of the request.
    pub flags: u8,
    /// Whether it has an input besides.
    pub has_blob: bool,
    /// Of its format.
    pub version: u8,
    /// Whether the offer is for this request.
    pub matches: bool,
    /// Whether the result is for this offer.
    pub answers: bool,
    /// Whose key signed the offer.
    pub offer_signer: Address,
    /// Whose key signed the result.
    pub result_signer: Address,
}

impl Receipt {
    /// The id of a model.
    pub fn model_id(model: u8) -> B256 {
        keccak256([model])
    }

    /// A request's bytes, as docs/protocol.md has them.
    pub fn request(&self) -> Bytes {
        let (version, flags) = (U256::from(self.version), U256::from(self.flags));
        let (salt, states) = (B256::from(U256::from(self.salt)), U256::from(self.states));
        let body = Bytes::from_static(b"{}");
        (version, Self::model_id(self.model), salt, states, flags, self.blob_root(), body).abi_encode_params().into()
    }

    /// What the coordinator's node signs.
    pub fn offer(&self, _: &Contracts) -> Offer {
        let request = self.request();
        Offer {
            coordinator: self.coordinator,
            miner: self.miner,
            modelId: Self::model_id(self.offered_model),
            requestHash: if self.matches { keccak256(request) } else { keccak256("another") },
            price: U256::from(1),
            expiry: self.expiry,
        }
    }

    /// What the miner's node signs.
    pub fn result(&self, at: &Contracts) -> Result {
        let offer_hash = Domain::new(CHAIN_ID, at.registry).digest(&self.signed_offer(at));
        Result {
            offerHash: if self.answers { offer_hash } else { keccak256("another") },
            traceRoot: self.trace_root(),
            states: self.result_states,
            outputHash: self.output_hash(),
        }
    }

    /// The digest by which a result is known.
    pub fn digest(&self, at: &Contracts) -> B256 {
        Domain::new(CHAIN_ID, at.registry).digest(&self.signed_result(at))
    }

    /// The id of a dispute of one transition; `leaf` is the tile's, zero unless it is `finish`.
    pub fn dispute_id(&self, at: &Contracts, transition: u32, leaf: B256) -> B256 {
        keccak256((at.disputes, self.digest(at), U256::from(transition), leaf).abi_encode())
    }

    /// Both signatures.
    pub fn signatures(&self, cast: &Cast, at: &Contracts) -> (Bytes, Bytes) {
        let offer = cast.sign(at, self.offer_signer, &self.signed_offer(at));
        (offer, cast.sign(at, self.result_signer, &self.signed_result(at)))
    }

    fn signed_offer(&self, at: &Contracts) -> contracts::Offer {
        let Offer { coordinator, miner, modelId, requestHash, price, expiry } = self.offer(at);
        contracts::Offer { coordinator, miner, modelId, requestHash, price, expiry }
    }

    fn signed_result(&self, at: &Contracts) -> contracts::Result {
        let Result { offerHash, traceRoot, states, outputHash } = self.result(at);
        contracts::Result { offerHash, traceRoot, states, outputHash }
    }
}
