//! An accused that opens what its false traces hold: it is convicted by a jury then, and not by the clock.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result};
use cuckoo_chain::disputes::{Court, Dispute, Following, MAX_CHUNKS, Phase};
use cuckoo_protocol::{
    dispute::{Part, open_state},
    trace::trace_root,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Canonical bytes of s₀…s_N.
type States = Arc<Vec<Vec<u8>>>;

/// False traces: canonical bytes of s₀…s_N, by their root. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Traces(Arc<Mutex<HashMap<B256, States>>>);

impl Traces {
    /// Keeps a trace.
    pub fn keep(&self, states: Vec<Vec<u8>>) {
        let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        traces.insert(trace_root(&states), Arc::new(states));
    }

    /// The trace with this root.
    pub fn get(&self, root: B256) -> Option<States> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&root).cloned()
    }
}

/// When an accused answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promptness {
    /// At once.
    InTime,
    /// When the window is over, in vain.
    TooLate,
}

/// Answers every accusation of `me`, until the disputes are followed no more. What cannot be opened now is tried again with the
/// next block; a trace that was not kept stays closed.
pub async fn defend(court: Court, following: Following, me: Address, traces: Traces, promptness: Promptness) {
    let mut dockets = following.subscribe();
    loop {
        let docket = dockets.borrow_and_update().clone();
        let accused = |dispute: &&Dispute| match dispute.phase {
            _ if dispute.accusation.accused != me => false,
            Phase::Answer { deadline } => promptness == Promptness::InTime || deadline <= docket.timestamp,
            _ => false,
        };
        for dispute in docket.open().filter(accused) {
            if let Some(states) = traces.get(dispute.accusation.message.traceRoot) {
                // If it fails for good, the dispute ends as unanswered, which its outcome tells.
                let _ = open(&court, dispute, &states).await;
            }
        }
        if dockets.changed().await.is_err() {
            return;
        }
    }
}

/// Opens what a dispute's transition needs, as far as it is not open yet.
///
/// # Errors
/// If the trace has no such state, or a transaction fails.
pub async fn open(court: &Court, dispute: &Dispute, states: &[Vec<u8>]) -> Result<()> {
    let accusation = &dispute.accusation;
    for part in dispute.parts() {
        let Part::State(k) = part else { continue };
        let mut missing = court.missing(accusation.result, part).await?.unwrap_or(U256::MAX);
        let opened = open_state(states, k).context("the trace has no such state")?;
        for group in opened.chunks.chunks(MAX_CHUNKS) {
            let wanted = group.iter().any(|chunk| missing.bit(chunk.index.saturating_to()));
            if wanted {
                court.answer(accusation.id, &opened, missing).await?;
            }
            group.iter().for_each(|chunk| missing.set_bit(chunk.index.saturating_to(), false));
        }
    }
    Ok(())
}
