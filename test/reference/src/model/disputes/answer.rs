//! Answers: parts of the computation, proven and complete.

use std::collections::BTreeSet;

use alloy::primitives::{B256, U256};
use cuckoo_protocol::merkle::{Kind, leaf_of};

use super::{Dispute, Model, OpenedPart};
use crate::{
    abi::disputes::IDisputes::{self, Fault, Phase},
    receipt::Receipt,
    revert::Effect,
    trace::{CHUNK, Flaw, Part},
};

/// Most bytes of a part.
const MAX_PART: usize = 256 * CHUNK;

impl Model {
    /// Opens chunks of a part of `receipt`, which should be the dispute's.
    pub(in crate::model) fn answer(
        &mut self,
        id: B256,
        receipt: &Receipt,
        part: Part,
        chunks: &[u64],
        flaw: Flaw,
    ) -> Effect<()> {
        let dispute = self.in_phase(id, Phase::Answer)?;
        self.require_before(id, dispute.deadline)?;
        if !dispute.needed().contains(&part) {
            return Err(IDisputes::NotNeeded { id, part: part.number() }.into());
        }
        let key = (dispute.result, part);
        let mut state = self.proven(&dispute, receipt, part, flaw)?;
        let opened = receipt.open(part, chunks, flaw);
        let (length, root) = (opened.opening.length.to::<usize>(), opened.opening.root);
        let (last, mut finite) = (opened.chunks.len().saturating_sub(1), true);
        for (place, chunk) in opened.chunks.iter().enumerate() {
            if !finite {
                break;
            }
            let index: u64 = chunk.index.to();
            let rest = length.saturating_sub(index as usize * CHUNK);
            if rest == 0 {
                return Err(IDisputes::InvalidChunk { index: chunk.index }.into());
            }
            if chunk.data.len() != rest.min(CHUNK) {
                return Err(IDisputes::InvalidLength { length: U256::from(chunk.data.len()) }.into());
            }
            if place == last && matches!(flaw, Flaw::Byte | Flaw::ChunkProof) {
                let leaf = leaf_of(Kind::Chunk, index as usize, &chunk.data);
                return Err(IDisputes::InvalidProof { leaf, root }.into());
            }
            if !state.missing.remove(&index) {
                continue;
            }
            finite = part == Part::Blob || is_finite(&chunk.data);
            let event = IDisputes::Opened {
                id,
                result: dispute.result,
                part: part.number(),
                length: U256::from(length),
                chunk: chunk.index,
                data: chunk.data.clone(),
            };
            self.emit(self.at.disputes, event);
        }
        self.disputes.opened.insert(key, state);
        if !finite {
            self.accuse(id, Fault::Structure);
        } else if self.is_answered(&dispute) {
            self.begin_round(id);
        }
        Ok(())
    }

    /// The part as it is known, or as it is proven now.
    fn proven(&self, dispute: &Dispute, receipt: &Receipt, part: Part, flaw: Flaw) -> Effect<OpenedPart> {
        let given = receipt.open(part, &[], flaw);
        let leaf = given.leaf;
        if let Some(known) = self.disputes.opened.get(&(dispute.result, part))
            && known.leaf == leaf
        {
            return Ok(known.clone());
        }
        let own = dispute.receipt.open(part, &[], Flaw::None);
        let root = if part == Part::Blob { dispute.receipt.blob_root() } else { dispute.receipt.trace_root() };
        // An input has no proof: the request holds its leaf.
        if leaf != own.leaf || (given.opening.proof != own.opening.proof && part != Part::Blob) {
            return Err(IDisputes::InvalidProof { leaf, root }.into());
        }
        let length: usize = given.opening.length.to();
        if length == 0 || length > MAX_PART || (part != Part::Blob && !length.is_multiple_of(4)) {
            return Err(IDisputes::InvalidLength { length: U256::from(length) }.into());
        }
        let missing: BTreeSet<u64> = dispute.receipt.chunks(part).into_iter().collect();
        Ok(OpenedPart { leaf, missing })
    }

    /// Whether a judge has all that is needed.
    pub(super) fn is_answered(&self, dispute: &Dispute) -> bool {
        let part_is = |part| self.disputes.opened.get(&(dispute.result, part)).is_some_and(|p| p.missing.is_empty());
        dispute.needed().into_iter().all(part_is)
    }
}

fn is_finite(bytes: &[u8]) -> bool {
    bytes.as_chunks().0.iter().all(|number| f32::from_le_bytes(*number).is_finite())
}
