//! Accusations.

use alloy::primitives::{Address, B256, U256, keccak256};
use cuckoo_protocol::merkle::{Kind, leaf_of};

use super::{Dispute, Model};
use crate::{
    abi::disputes::IDisputes::{self, Fault, Phase},
    receipt::Receipt,
    revert::Effect,
    trace::Tile,
};

/// Most bytes of a tile.
const MAX_TILE: usize = 12_288;
/// Version of the requests' format.
const VERSION: u8 = 1;

impl Model {
    pub(in crate::model) fn challenge(
        &mut self,
        caller: Address,
        receipt: Receipt,
        transition: u32,
        tile: Tile,
    ) -> Effect<B256> {
        let (version, terms) = self.disputes.current();
        self.require_request(&receipt)?;
        self.require_signed(&receipt)?;
        let Receipt { miner, expiry, .. } = receipt;
        let latest = self.now + terms.max_offer_life;
        if expiry > latest {
            let (expiry, limit) = (U256::from(expiry), U256::from(latest));
            return Err(IDisputes::OfferTooLong { expiry, limit }.into());
        }
        let until = expiry + terms.challenge_window;
        if self.now > until {
            return Err(IDisputes::ChallengeTooLate { until: U256::from(until) }.into());
        }
        let result = receipt.digest(&self.at);
        if self.disputes.convicted.contains(&result) {
            return Err(IDisputes::AlreadyConvicted { result }.into());
        }
        let leaf = transition_leaf(&receipt, transition, tile)?;
        let id = receipt.dispute_id(&self.at, transition, leaf);
        if self.disputes.all.contains_key(&id) {
            return Err(IDisputes::AlreadyChallenged { id }.into());
        }
        let challenger = self.speaks_for(caller);
        if challenger == miner {
            return Err(IDisputes::Involved { operator: challenger }.into());
        }

        let epoch = self.hold(self.at.disputes, miner, terms.fraction)?;
        let deadline = self.now + terms.answer_window;
        let dispute = Dispute {
            receipt,
            result,
            transition,
            challenger,
            epoch,
            version,
            phase: Phase::Answer,
            deadline,
            fault: Fault::None,
            round: 0,
            beacon: 0,
            guilty: 0,
            innocent: 0,
            jurors: 0,
            medians: [0; 3],
            pay_per_vote: 0,
        };
        self.disputes.all.insert(id, dispute);
        let tile = receipt.tile(tile);
        let event = IDisputes::Challenged {
            id,
            result,
            accused: miner,
            challenger,
            version: U256::from(version),
            epoch: U256::from(epoch),
            transition: U256::from(transition),
            deadline: U256::from(deadline),
            offer: receipt.offer(&self.at),
            message: receipt.result(&self.at),
            request: receipt.request(),
            tileIndex: tile.index,
            tile: tile.data,
        };
        self.emit(self.at.disputes, event);
        if receipt.result_states != receipt.states {
            self.accuse(id, Fault::Structure);
        }
        self.transfer_from(self.at.disputes, caller, terms.bond + terms.jury_fee)?;
        Ok(id)
    }

    fn require_request(&self, receipt: &Receipt) -> Effect<()> {
        let offer = receipt.offer(&self.at);
        let actual = keccak256(receipt.request());
        if actual != offer.requestHash {
            return Err(IDisputes::RequestMismatch { actual, expected: offer.requestHash }.into());
        }
        if receipt.version != VERSION {
            return Err(IDisputes::MalformedRequest {}.into());
        }
        let request = Receipt::model_id(receipt.model);
        if receipt.model != receipt.offered_model {
            return Err(IDisputes::ModelMismatch { request, offer: offer.modelId }.into());
        }
        if receipt.flags & 1 != 0 {
            return Err(IDisputes::NotDisputable {}.into());
        }
        if !self.disputes.listed.contains(&receipt.model) {
            return Err(IDisputes::ModelNotListed { modelId: request }.into());
        }
        Ok(())
    }

    fn require_signed(&self, receipt: &Receipt) -> Effect<()> {
        let Receipt { coordinator, miner, expiry, offer_signer, result_signer, .. } = *receipt;
        if !receipt.answers {
            let expected = Receipt { answers: true, ..*receipt }.result(&self.at).offerHash;
            return Err(IDisputes::OfferMismatch { actual: receipt.result(&self.at).offerHash, expected }.into());
        }
        if !self.is_liable(coordinator, offer_signer, expiry) {
            return Err(IDisputes::InvalidOffer { coordinator, signer: offer_signer }.into());
        }
        if !self.is_liable(miner, result_signer, expiry) {
            return Err(IDisputes::InvalidResult { miner, signer: result_signer }.into());
        }
        Ok(())
    }
}

/// The leaf that a dispute of `finish` is known by; zero for another transition.
fn transition_leaf(receipt: &Receipt, transition: u32, tile: Tile) -> Effect<B256> {
    let given = receipt.tile(tile);
    let length = given.data.len();
    if transition > receipt.states {
        let (transition, states) = (U256::from(transition), U256::from(receipt.states));
        return Err(IDisputes::InvalidTransition { transition, states }.into());
    }
    if (transition == receipt.states) == (length == 0) || length > MAX_TILE {
        return Err(IDisputes::InvalidTile { length: U256::from(length) }.into());
    }
    if length == 0 {
        return Ok(B256::ZERO);
    }
    let leaf = leaf_of(Kind::Tile, given.index.to(), &given.data);
    if !matches!(tile, Tile::Of(index) if index < receipt.tiles_count()) {
        return Err(IDisputes::InvalidProof { leaf, root: receipt.output_hash() }.into());
    }
    Ok(leaf)
}
