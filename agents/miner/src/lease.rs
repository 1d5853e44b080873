//! What a miner checks before it works on a lease: nothing that a coordinator sends is taken on trust.

use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::{
    body::Body,
    link::Lease,
    manifest::{BodyError, Manifest},
    message::{Domain, SignatureError},
    request::{self, Request, RequestError},
    trace::blob_root,
};
use std::collections::BTreeMap;

/// Why a lease is given back. Not a fault of the miner's.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The offer would bind nobody.
    #[error("the offer is not signed by the coordinator's node: {0}")]
    Signature(#[from] SignatureError),
    /// The offer names another coordinator.
    #[error("the offer is of coordinator {0}, not of the one that sent it")]
    Coordinator(Address),
    /// The offer names another miner.
    #[error("the offer is for miner {0}, not for this one")]
    Miner(Address),
    /// No result would be paid.
    #[error("the offer expired at {expiry}, it is {now}")]
    Expired {
        /// Chain seconds.
        expiry: u64,
        /// Chain seconds.
        now: u64,
    },
    /// Not a model of this miner's.
    #[error("this miner does not run model {0}")]
    Model(B256),
    /// The request is not the one that the offer pays for.
    #[error("the request's bytes do not have the offer's requestHash")]
    RequestHash,
    /// The request is malformed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Offer and request name different models.
    #[error("the request is for model {0}, not for the offer's")]
    RequestModel(B256),
    /// The input pictures did not come, or are others.
    #[error("the input pictures are not to be had: {0}")]
    Blob(String),
    /// The model cannot do it.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Not worth it.
    #[error("the offer pays {price} wei, this miner wants at least {least}")]
    Price {
        /// Wei.
        price: U256,
        /// Wei.
        least: U256,
    },
    /// All slots are taken by other leases.
    #[error("busy")]
    Busy,
}

impl Refusal {
    /// A short stable word, for counters.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::Coordinator(_) => "coordinator",
            Self::Miner(_) => "miner",
            Self::Expired { .. } => "expired",
            Self::Model(_) | Self::RequestModel(_) => "model",
            Self::RequestHash => "request_hash",
            Self::Request(_) => "request",
            Self::Blob(_) => "blob",
            Self::Body(_) => "limits",
            Self::Price { .. } => "price",
            Self::Busy => "busy",
        }
    }
}

/// What a lease asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of the model; it can do it.
    pub body: Body,
    /// What the request commits to its input pictures with; zero if there are none.
    pub blob_root: B256,
}

impl Ask {
    /// Whether `blob` is what the request commits to.
    ///
    /// # Errors
    /// [`Refusal::Blob`].
    pub fn expect(&self, blob: &[u8]) -> Result<(), Refusal> {
        if blob_root(blob) != self.blob_root {
            return Err(Refusal::Blob("what came is not what the request commits to".to_owned()));
        }
        if blob.len() != self.body.blob_bytes() {
            let (found, wanted) = (blob.len(), self.body.blob_bytes());
            return Err(Refusal::Blob(format!("they have {found} bytes, the request is about {wanted}")));
        }
        Ok(())
    }
}

/// What this miner works under, and for whom.
pub struct Terms<'a> {
    /// The network's signing domain.
    pub domain: &'a Domain,
    /// Its own operator.
    pub miner: Address,
    /// Operator of the coordinator that sent the lease.
    pub coordinator: Address,
    /// That coordinator's node in use.
    pub coordinator_node: Address,
    /// Chain seconds.
    pub now: u64,
    /// Models that it runs.
    pub models: &'a BTreeMap<B256, Manifest>,
    /// Wei a pricing unit.
    pub least_price: U256,
}

impl Terms<'_> {
    /// What to do, if the lease is one to work on; its input pictures are still to be fetched and checked. Cheap checks come before the signature's recovery.
    ///
    /// # Errors
    /// The first [`Refusal`].
    pub fn check(&self, lease: &Lease) -> Result<Ask, Refusal> {
        let offer = &lease.offer.message;
        if offer.coordinator != self.coordinator {
            return Err(Refusal::Coordinator(offer.coordinator));
        }
        if offer.miner != self.miner {
            return Err(Refusal::Miner(offer.miner));
        }
        if offer.expiry <= self.now {
            return Err(Refusal::Expired { expiry: offer.expiry, now: self.now });
        }
        let manifest = self.models.get(&offer.modelId).ok_or(Refusal::Model(offer.modelId))?;
        if request::hash(&lease.request) != offer.requestHash {
            return Err(Refusal::RequestHash);
        }
        let request = Request::decode(&lease.request)?;
        if request.model_id != offer.modelId {
            return Err(Refusal::RequestModel(request.model_id));
        }
        let body = request.body()?;
        manifest.check(&body)?;
        let least = manifest.price(&body, self.least_price);
        if offer.price < least {
            return Err(Refusal::Price { price: offer.price, least });
        }
        lease.offer.verify(self.domain, self.coordinator_node)?;
        Ok(Ask { body, blob_root: request.blob_root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::signers::local::PrivateKeySigner;
    use cuckoo_protocol::{
        amount::parse_cai,
        body::{EmbeddingBody, ImageBody, StyleBody},
        contracts::Offer,
    };

    const MINER: Address = Address::repeat_byte(1);
    const COORDINATOR: Address = Address::repeat_byte(2);
    const NOW: u64 = 1_000;

    struct World {
        domain: Domain,
        node: PrivateKeySigner,
        models: BTreeMap<B256, Manifest>,
        model_id: B256,
    }

    impl World {
        fn new() -> Self {
            let manifest = Manifest::parse(include_bytes!("../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
            let model_id = manifest.model_id();
            Self {
                domain: Domain::new(31337, Address::repeat_byte(9)),
                node: PrivateKeySigner::random(),
                models: BTreeMap::from([(model_id, manifest)]),
                model_id,
            }
        }

        fn terms(&self) -> Terms<'_> {
            Terms {
                domain: &self.domain,
                miner: MINER,
                coordinator: COORDINATOR,
                coordinator_node: self.node.address(),
                now: NOW,
                models: &self.models,
                least_price: parse_cai("1").unwrap(),
            }
        }

        fn body(&self) -> Body {
            self.models[&self.model_id].default_body("a red apple".to_owned())
        }

        fn request(&self) -> Request {
            Request::new(self.model_id, B256::repeat_byte(7), &self.body(), &[], true)
        }

        /// A lease that is fine but for what `change` does to the offer before it is signed.
        fn lease(&self, request: &Request, change: impl FnOnce(&mut Offer)) -> Lease {
            let bytes = request.encode().unwrap();
            let mut offer = Offer {
                coordinator: COORDINATOR,
                miner: MINER,
                modelId: self.model_id,
                requestHash: request::hash(&bytes),
                price: self.models[&self.model_id].price(&self.body(), parse_cai("1").unwrap()),
                expiry: NOW + 1,
            };
            change(&mut offer);
            let offer = self.domain.sign(offer, &self.node).unwrap();
            Lease { id: "l".to_owned(), offer, request: bytes.into(), deadline: NOW + 1 }
        }

        fn refusal(&self, change: impl FnOnce(&mut Offer)) -> Refusal {
            self.terms().check(&self.lease(&self.request(), change)).unwrap_err()
        }
    }

    #[test]
    fn an_honest_lease_at_the_least_price_is_taken() {
        let world = World::new();
        let ask = world.terms().check(&world.lease(&world.request(), |_| {})).unwrap();
        assert_eq!(ask, Ask { body: world.body(), blob_root: B256::ZERO });
        ask.expect(&[]).unwrap();
    }

    #[test]
    fn only_the_input_pictures_that_the_request_commits_to_are_worked_on() {
        let body: Body = StyleBody { width: 2, height: 1, style_width: 1, style_height: 1 }.into();
        let ask = |blob: &[u8]| Ask { body: body.clone(), blob_root: blob_root(blob) };
        ask(&[7; 9]).expect(&[7; 9]).unwrap();
        let others = [7, 7, 7, 7, 7, 7, 7, 7, 8];
        for (committed, came) in [(&[7; 9][..], &others[..]), (&[7; 9], &[]), (&[7; 9], &[7; 8]), (&[7; 8], &[7; 8])] {
            let refusal = ask(committed).expect(came).unwrap_err();
            assert!(matches!(refusal, Refusal::Blob(_)), "{refusal}");
        }
    }

    #[test]
    fn an_offer_that_binds_nobody_or_somebody_else_is_refused() {
        let world = World::new();
        let other = Address::repeat_byte(8);
        assert!(matches!(world.refusal(|o| o.coordinator = other), Refusal::Coordinator(a) if a == other));
        assert!(matches!(world.refusal(|o| o.miner = other), Refusal::Miner(a) if a == other));

        let honest = world.lease(&world.request(), |_| {});
        let mut terms = world.terms();
        terms.coordinator_node = other;
        assert!(matches!(terms.check(&honest), Err(Refusal::Signature(_))), "a former or foreign node");
        let elsewhere = Domain::new(1, Address::repeat_byte(9));
        let terms = Terms { domain: &elsewhere, ..world.terms() };
        assert!(matches!(terms.check(&honest), Err(Refusal::Signature(_))), "another chain");
        let mut raised = honest.clone();
        raised.offer.message.price += U256::from(1);
        assert!(matches!(world.terms().check(&raised), Err(Refusal::Signature(_))), "changed after signing");
    }

    #[test]
    fn an_offer_that_pays_nothing_is_refused() {
        let world = World::new();
        assert!(matches!(world.refusal(|o| o.expiry = NOW), Refusal::Expired { .. }));
        assert!(matches!(world.refusal(|o| o.expiry = 0), Refusal::Expired { .. }));
        assert!(matches!(world.refusal(|o| o.price -= U256::from(1)), Refusal::Price { .. }));
    }

    #[test]
    fn a_request_that_the_offer_does_not_pay_for_is_refused() {
        let world = World::new();
        let unknown = B256::repeat_byte(5);
        assert!(matches!(world.refusal(|o| o.modelId = unknown), Refusal::Model(id) if id == unknown));
        assert!(matches!(world.refusal(|o| o.requestHash = unknown), Refusal::RequestHash));
        let mut swapped = world.lease(&world.request(), |_| {});
        swapped.request = Request { salt: B256::ZERO, ..world.request() }.encode().unwrap().into();
        assert!(matches!(world.terms().check(&swapped), Err(Refusal::RequestHash)));

        let other_model = Request { model_id: unknown, ..world.request() };
        let lease = world.lease(&other_model, |_| {});
        assert!(matches!(world.terms().check(&lease), Err(Refusal::RequestModel(id)) if id == unknown));
    }

    #[test]
    fn a_request_that_the_model_cannot_do_is_refused() {
        let world = World::new();
        let refusal = |request: &Request| world.terms().check(&world.lease(request, |_| {})).unwrap_err();
        let with_picture = Request { blob_root: B256::repeat_byte(1), ..world.request() };
        assert!(matches!(refusal(&with_picture), Refusal::Request(_)), "a body without a strength needs no picture");
        let wrong_states = Request { states: 1, ..world.request() };
        assert!(matches!(refusal(&wrong_states), Refusal::Request(_)));
        let mut spaced = world.request();
        spaced.body.push(b' ');
        assert!(matches!(refusal(&spaced), Refusal::Request(_)));
        let manifest = &world.models[&world.model_id];
        let huge = ImageBody { width: 8192, ..manifest.image_body("a red apple".to_owned()).unwrap() };
        let texts = EmbeddingBody { input: vec!["a red apple".to_owned()], dimensions: 384 };
        for body in [huge.into(), texts.into()] {
            let request = Request::new(world.model_id, B256::ZERO, &body, &[], true);
            assert!(matches!(refusal(&request), Refusal::Body(_)), "{body:?}");
        }

        let garbage = vec![0xff; 64];
        let mut lease = world.lease(&world.request(), |o| o.requestHash = request::hash(&garbage));
        lease.request = garbage.into();
        assert!(matches!(world.terms().check(&lease), Err(Refusal::Request(_))));
    }
}
