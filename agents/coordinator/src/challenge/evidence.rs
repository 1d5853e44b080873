//! A result as a dispute takes it: the receipt, the transition, and a tile of the output where that is what is false.

use crate::audit::{Finding, tiles};
use alloy::primitives::{Address, B256};
use cuckoo_chain::disputes::Challenge;
use cuckoo_inference::Output;
use cuckoo_protocol::{
    dispute::{id, no_tile, open_tile},
    merkle::{Kind, leaf_of},
    receipt::Receipt,
};

/// Puts a challenge together, and the id that its dispute will have: one for each result, transition and tile. `result` is the digest of the
/// receipt's result; `output` is needed if a tile is challenged. None if there is no such tile.
pub fn accusation(
    disputes: Address,
    receipt: &Receipt,
    result: B256,
    finding: &Finding,
    output: Option<&Output>,
) -> Option<(B256, Challenge)> {
    let (leaf, tile) = match finding.tile {
        Some(index) => {
            let tile = open_tile(&tiles(output?), index as usize)?;
            (leaf_of(Kind::Tile, index as usize, &tile.data), tile)
        }
        None => (B256::ZERO, no_tile()),
    };
    let challenge = Challenge {
        offer: receipt.offer.clone(),
        result: receipt.result.clone(),
        request: receipt.request.clone(),
        transition: finding.transition,
        tile,
    };
    Some((id(disputes, result, finding.transition, leaf), challenge))
}
