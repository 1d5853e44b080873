//! A result as a coordinator gets it, and what can be held against it.

use super::{
    ground::Ground,
    lane::PRICE,
    trial::{Case, Conduct},
    worker::evidence,
};
use crate::{adversary::Forgery, operator::cai};
use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result};
use cuckoo_coordinator::{audit::Finding, challenge::accusation};
use cuckoo_protocol::{
    body::{Body, ImageBody},
    contracts::{Offer, Result as TaskResult},
    receipt::Receipt,
    request::{self, Request},
    trace::trace_root,
};

/// A result as it is handed in.
pub(super) struct Delivery {
    /// What was asked for.
    pub(super) body: ImageBody,
    /// What was made of it.
    pub(super) made: Forgery,
    /// What both sides signed.
    pub(super) receipt: Receipt,
    /// Of the result.
    pub(super) digest: B256,
}

impl Delivery {
    /// Of a request's result, by an operator whose node has the key.
    pub(super) fn new(
        ground: &Ground,
        operator: Address,
        node: &PrivateKeySigner,
        body: ImageBody,
        made: Forgery,
    ) -> Result<Self> {
        let domain = ground.chain.domain();
        let (model, salt) = (ground.package.model_id(), B256::from(rand::random::<[u8; 32]>()));
        let bytes = Request::new(model, salt, &Body::from(body.clone()), &[], true).encode()?;
        let offer = Offer {
            coordinator: ground.coordinator.address(),
            miner: operator,
            modelId: model,
            requestHash: request::hash(&bytes),
            price: cai(PRICE)?,
            expiry: ground.chain.now() + ground.rules.max_offer_life,
        };
        let result = TaskResult {
            offerHash: domain.digest(&offer),
            traceRoot: trace_root(&made.states),
            states: u32::try_from(made.states.len())?,
            outputHash: made.output.hash()?,
        };
        let digest = domain.digest(&result);
        let offer = domain.sign(offer, &ground.coordinator)?;
        let result = domain.sign(result, node)?;
        let receipt = Receipt { task: digest.to_string(), request: bytes.into(), offer, result };
        Ok(Self { body, made, receipt, digest })
    }

    /// Has the chain's time wait for the challenge that may come of it.
    pub(super) fn suspect(&self, ground: &Ground) {
        ground.work.begin(self.digest, self.receipt.offer.message.expiry + ground.rules.challenge_window);
    }

    /// Runs the result again, by the checker whose turn it is; what is false of it.
    pub(super) async fn check(&self, ground: &Ground, turn: usize) -> Result<Option<Finding>> {
        let checker = &ground.checkers[turn % ground.checkers.len()];
        Ok(checker.check(ground.package.model_id(), evidence(&self.body, &self.made)).await?)
    }

    /// A case against the miner, true or not.
    pub(super) fn accuse(
        self,
        ground: &Ground,
        accused: PrivateKeySigner,
        conduct: Conduct,
        finding: &Finding,
        not_before: u64,
    ) -> Result<Case> {
        let disputes = ground.chain.deployment().contracts.disputes;
        let (id, challenge) = accusation(disputes, &self.receipt, self.digest, finding, Some(&self.made.output))
            .context("no such tile")?;
        Ok(Case { accused, conduct, not_before, result: self.digest, id, challenge, states: self.made.states })
    }
}
