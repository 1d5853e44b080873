//! Checks a receipt as any app can: with the chain's registrations and nothing else.

use crate::app::Picture;
use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_protocol::{
    body::Body,
    manifest::Manifest,
    message::Domain,
    receipt::Receipt,
    request::{self, Request},
    trace::output_hash,
};
use image::ImageFormat;

/// What a receipt is checked against.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Of the network.
    pub domain: Domain,
    /// Operator and node of the coordinator.
    pub coordinator: (Address, Address),
    /// Operator and node of each miner.
    pub miners: Vec<(Address, Address)>,
    /// The model that was asked for.
    pub manifest: Manifest,
    /// Wei a unit that the coordinator pays.
    pub unit_price: U256,
}

/// Who did a task, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Operator.
    pub miner: Address,
    /// CAI wei.
    pub price: U256,
}

impl Expectation {
    /// Checks both signatures and every hash of `picture`, which was asked for with `prompt`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, prompt: &str, picture: &Picture) -> Result<Earned> {
        let (asked, earned) = self.check_receipt(&picture.receipt)?;
        let Body::Image(body) = &asked else { bail!("the request is for {}", asked.kind()) };
        ensure!(body.prompt == prompt, "the request has another prompt: {:?}", body.prompt);
        let pixels = image::load_from_memory_with_format(&picture.png, ImageFormat::Png).context("no PNG")?.to_rgb8();
        ensure!(pixels.dimensions() == (body.width, body.height), "the picture has another size");
        let hash = output_hash(pixels.width(), pixels.height(), pixels.as_raw());
        ensure!(
            hash == Some(picture.receipt.result.message.outputHash),
            "the picture is not the one that the miner signed"
        );
        Ok(earned)
    }

    /// Checks the signatures and hashes of a receipt, all but that of the output, and gives what was asked for.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check_receipt(&self, receipt: &Receipt) -> Result<(Body, Earned)> {
        let (offer, result) = (&receipt.offer.message, &receipt.result.message);
        let (coordinator, coordinator_node) = self.coordinator;
        receipt.offer.verify(&self.domain, coordinator_node).context("the offer")?;
        ensure!(offer.coordinator == coordinator, "the offer is of another coordinator: {}", offer.coordinator);
        let known = self.miners.iter().find(|(operator, _)| *operator == offer.miner);
        let (miner, node) = known.with_context(|| format!("{} is no miner of this network", offer.miner))?;
        receipt.result.verify(&self.domain, *node).context("the result")?;
        ensure!(result.offerHash == self.domain.digest(offer), "the result is for another offer");

        ensure!(offer.requestHash == request::hash(&receipt.request), "the offer is for another request");
        let request = Request::decode(&receipt.request)?;
        let model_id = self.manifest.model_id();
        ensure!(request.model_id == model_id && offer.modelId == model_id, "another model ran");
        ensure!(result.states == request.states, "the result has {} states, not {}", result.states, request.states);
        let body = request.body()?;
        let price = self.manifest.price(&body, self.unit_price);
        ensure!(offer.price == price, "the offer pays {} wei, not {price}", offer.price);
        Ok((body, Earned { miner: *miner, price }))
    }
}
