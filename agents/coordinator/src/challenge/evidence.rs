//! A result as Disputes takes it: the receipt, the transition, and a tile of the output where that is what is false.

use crate::audit::{Finding, tiles};
use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolValue},
};
use cuckoo_inference::Output;
use cuckoo_protocol::{
    contracts::IDisputes,
    merkle::{Kind, leaf_of},
    receipt::Receipt,
    trace::tile_proof,
};

/// A challenge, ready to be sent.
#[derive(Clone, Debug)]
pub struct Accusation {
    /// The dispute's id: one for each result, transition and tile.
    pub id: B256,
    /// Calldata of `challenge`.
    pub calldata: Bytes,
}

/// Puts a challenge together. `result` is the digest of the receipt's result; `output` is needed if a tile is challenged. None if there is no such
/// tile.
pub fn accusation(
    disputes: Address,
    receipt: &Receipt,
    result: B256,
    finding: &Finding,
    output: Option<&Output>,
) -> Option<Accusation> {
    let (mut leaf, mut tile) = (B256::ZERO, empty_tile());
    if let Some(index) = finding.tile {
        let proven = tile_proof(&tiles(output?), index as usize)?;
        leaf = leaf_of(Kind::Tile, proven.index, &proven.data);
        tile = IDisputes::Tile {
            index: U256::from(proven.index),
            count: U256::from(proven.count),
            data: proven.data.into(),
            proof: proven.proof,
        };
    }
    let transition = U256::from(finding.transition);
    let id = keccak256((disputes, result, transition, leaf).abi_encode());
    let call = IDisputes::challengeCall {
        offer: receipt.offer.message.clone(),
        result: receipt.result.message.clone(),
        offerSignature: receipt.offer.signature_bytes().into(),
        resultSignature: receipt.result.signature_bytes().into(),
        request: receipt.request.clone(),
        transition,
        tile,
    };
    Some(Accusation { id, calldata: call.abi_encode().into() })
}

fn empty_tile() -> IDisputes::Tile {
    IDisputes::Tile { index: U256::ZERO, count: U256::ZERO, data: Bytes::new(), proof: Vec::new() }
}
