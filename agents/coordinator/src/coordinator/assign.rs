//! Giving tasks to miners: each by a draw, which is logged for everybody to check.

use super::Coordinator;
use crate::store::{DrawRecord, LeaseRecord, StoreError};
use alloy::primitives::B256;
use anyhow::{Context, Result};
use cuckoo_protocol::{
    contracts::{Offer, Role},
    draw::{At, DAY, Draw, commitment, draw},
    link::Lease,
};
use std::{sync::atomic::Ordering, time::Instant};

impl Coordinator {
    /// Gives the oldest task that can be given away to a miner drawn by weight. False if there is none.
    pub(super) async fn assign(&self) -> Result<bool> {
        let now = self.now();
        // One for the whole draw: what is logged is what was drawn from.
        let snapshot = self.view.snapshot();
        let (task, mut candidates, passed_over) = {
            let mut dispatch = self.dispatch();
            dispatch.set_rooms(|miner| self.room(miner, now));
            let next = dispatch.next(|miner| snapshot.weight(Role::Miner, miner), Instant::now());
            let Some((task, candidates)) = next else { return Ok(false) };
            let active = snapshot.active(Role::Miner).map(|operator| operator.operator);
            let passed_over = dispatch.passed_over(&task, &candidates, active, Instant::now());
            (task, candidates, passed_over)
        };
        let (sequence, day) = (self.sequence.load(Ordering::Relaxed), now / DAY);
        let secret = self.store.draw_secret(day, true).await?.context("a secret that was just made is gone")?;
        let Some(miner) = draw(secret, sequence, &mut candidates) else { return Ok(false) };
        let Some(operator) = snapshot.operator(miner) else { return Ok(false) };
        let record = self.store.task(&task.id).await?.context("a queued task is not in the store")?;

        let offer = self.sign(Offer {
            coordinator: self.operator,
            miner,
            modelId: record.model_id,
            requestHash: cuckoo_protocol::request::hash(&record.request),
            price: record.price,
            expiry: self.now() + self.offer_seconds(),
        })?;
        let lease = LeaseRecord {
            id: uuid::Uuid::now_v7().to_string(),
            task: task.id.clone(),
            node: operator.node,
            offer_hash: self.chain.domain().digest(&offer.message),
            offer,
            over: None,
        };
        if !self.dispatch().reserve(&lease.id, &task.id, miner, Instant::now()) {
            return Ok(true);
        }
        let at = Some(At { block: snapshot.block, final_block: snapshot.final_block });
        let logged = DrawRecord { sequence, day, at, chosen: miner, candidates, passed_over };
        match self.store.insert_lease(&lease, &logged).await {
            Ok(true) => {}
            // Cancelled meanwhile.
            Ok(false) => {
                self.dispatch().remove_lease(&lease.id);
                return Ok(true);
            }
            Err(error) => {
                let mut dispatch = self.dispatch();
                dispatch.remove_lease(&lease.id);
                dispatch.enqueue(task);
                return Err(error.into());
            }
        }
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        tracing::info!(task = task.id, %miner, draw = sequence, candidates = logged.candidates.len(), "task leased");
        let deadline = self.now() + self.config.lease_seconds;
        let delivery = Lease { id: lease.id, offer: lease.offer, request: record.request.into(), deadline };
        self.dispatch().hand_over(delivery, Instant::now());
        Ok(true)
    }

    /// keccak256 of the secret of today's draws.
    ///
    /// # Errors
    /// Of the store.
    pub async fn draw_commitment(&self) -> Result<B256, StoreError> {
        let secret = self.store.draw_secret(self.now() / DAY, true).await?;
        Ok(secret.map_or(B256::ZERO, commitment))
    }

    /// How many draws there were.
    pub fn draws(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// A logged draw, with its secret if that is not in use any more.
    ///
    /// # Errors
    /// Of the store.
    pub async fn draw(&self, sequence: u64) -> Result<Option<Draw>, StoreError> {
        let Some(logged) = self.store.draw(sequence).await? else { return Ok(None) };
        let DrawRecord { sequence, day, at, chosen, candidates, passed_over } = logged;
        let secret = self.store.draw_secret(day, false).await?.ok_or(StoreError::Malformed("secret of a draw"))?;
        let revealed = (day < self.now() / DAY).then_some(secret);
        let commitment = commitment(secret);
        Ok(Some(Draw { sequence, day, commitment, secret: revealed, at, chosen, candidates, passed_over }))
    }
}
