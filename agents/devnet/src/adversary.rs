//! Miners that cheat: registered and staked like any other, with the real model at hand, and each with its own way to save work or fool.
//! Accused, they may stay silent or stand by what they committed to: both convicts them.

use crate::{operator::Operator, refusal::Refusal, rogue::Rogue, site::Site, testimony, until};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, ensure};
use cuckoo_inference::{Device, Generation, Image, Model, Output, Package, State, runtime};
use cuckoo_protocol::{
    body::{Body, ImageBody},
    contracts::Result as TaskResult,
    link::{ClaimAnswer, Lease},
    message::Domain,
    request::Request,
    trace::{pack, trace_root},
};
use std::{ops::ControlFlow, path::Path, time::Duration};

/// A way to cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Noise for a picture, and noise for states.
    RandomPicture,
    /// The first picture that it ever drew, with its trace, for every request.
    CachedPicture,
    /// Honest work for another seed.
    WrongSeed,
    /// Half of the steps, each state shown twice.
    FewerSteps,
    /// Steps without guidance, at half the cost.
    NoGuidance,
    /// An honest trace with another picture.
    SwappedPicture,
}

/// A result that is false.
pub struct Forgery {
    /// Canonical bytes of s₀…s_N.
    pub states: Vec<Vec<u8>>,
    /// The output.
    pub output: Output,
}

/// A cheating miner.
pub struct Adversary {
    /// Speaks the link.
    pub rogue: Rogue,
    cheat: Cheat,
    /// Whether it hands over traces that audits ask for.
    opens: bool,
    model: Model,
    cache: Option<Generation>,
    domain: Domain,
}

/// What an adversary has delivered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Who.
    pub miner: Address,
    /// Digest of its result.
    pub result: B256,
    /// Id of its lease.
    pub lease: String,
    /// Canonical bytes of s₀…s_N, as it committed to them.
    pub states: Vec<Vec<u8>>,
}

impl Adversary {
    /// A cheating miner with the model in `package`, not logged in yet.
    ///
    /// # Errors
    /// If the model cannot be loaded, or the node's key not read.
    pub fn new(
        miner: &Operator,
        origin: &str,
        domain: Domain,
        package: &Path,
        onnxruntime: &Path,
        cheat: Cheat,
        opens: bool,
    ) -> Result<Self> {
        runtime::init(Some(onnxruntime))?;
        let model = Model::load(&Package::open(package)?, &Device::Cpu { threads: 1 })?;
        let rogue = Rogue::new(miner, origin, domain.clone())?;
        Ok(Self { rogue, cheat, opens, model, cache: None, domain })
    }

    /// Logs in as soon as the coordinator knows the registration for final.
    ///
    /// # Errors
    /// If that does not happen in time, or the login is refused for another reason.
    pub async fn login(&mut self) -> Result<()> {
        let (model_id, domain) = (self.model.manifest().model_id(), self.domain.clone());
        until("the coordinator to know a new miner", Duration::from_secs(30), async || {
            match self.rogue.login(model_id, &domain).await {
                Ok(()) => Ok(Some(())),
                Err(error) => match error.downcast_ref::<Refusal>() {
                    Some(refusal) if ["not_registered", "understaked"].contains(&refusal.detail.code.as_str()) => {
                        Ok(None)
                    }
                    _ => Err(error),
                },
            }
        })
        .await
    }

    /// Claims until it is given a task, cheats at it, and delivers.
    ///
    /// # Errors
    /// If the forgery is refused: nothing that can be seen without running the model gives it away.
    pub async fn deliver(&mut self) -> Result<Delivered> {
        let lease = loop {
            match self.rogue.claim().await? {
                ClaimAnswer::Lease(lease) => break *lease,
                ClaimAnswer::Skipped(_) => {}
            }
        };
        let forgery = self.forge(&lease)?;
        let result = TaskResult {
            offerHash: self.domain.digest(&lease.offer.message),
            traceRoot: trace_root(&forgery.states),
            states: u32::try_from(forgery.states.len())?,
            outputHash: forgery.output.hash()?,
        };
        let digest = self.domain.digest(&result);
        let signed = self.domain.sign(result, &self.rogue.node)?;
        let answer = self.rogue.submit(&lease.id, signed, forgery.output.file()?).await?;
        if answer.get("audit").is_some() && self.opens {
            self.rogue.open_trace(&lease.id, pack(&forgery.states)).await.context("handing the trace over")?;
        }
        Ok(Delivered { miner: self.rogue.operator, result: digest, lease: lease.id, states: forgery.states })
    }

    /// Opens what a dispute of one of its results asks for.
    ///
    /// # Errors
    /// As [`testimony::answer`].
    pub async fn answer(&self, site: &Site, dispute: B256, delivered: &Delivered) -> Result<()> {
        testimony::answer(site, &self.rogue.node, dispute, &delivered.states).await
    }

    /// Makes up a result for a lease.
    ///
    /// # Errors
    /// If the request is not for a picture, or the model fails.
    pub fn forge(&mut self, lease: &Lease) -> Result<Forgery> {
        let Body::Image(body) = Request::decode(&lease.request)?.body()? else {
            anyhow::bail!("adversaries draw pictures only");
        };
        let honest = |generation: &Generation| Forgery {
            states: generation.states.iter().map(State::to_bytes).collect(),
            output: generation.output.clone(),
        };
        let other_seed = ImageBody { seed: body.seed ^ 1, ..body.clone() };
        Ok(match self.cheat {
            Cheat::RandomPicture => self.noise(&body)?,
            Cheat::WrongSeed => honest(&self.draw(&other_seed)?),
            Cheat::NoGuidance => honest(&self.draw(&ImageBody { guidance: "1".parse()?, ..body })?),
            Cheat::CachedPicture => {
                if self.cache.is_none() {
                    self.cache = Some(self.draw(&ImageBody { prompt: "a cached picture".to_owned(), ..body })?);
                }
                honest(self.cache.as_ref().context("no picture in the cache")?)
            }
            Cheat::FewerSteps => {
                let half = self.draw(&ImageBody { steps: body.steps.div_ceil(2), ..body.clone() })?;
                let shown = (0..=body.steps).map(|k| half.states.get(k.div_ceil(2) as usize).map(State::to_bytes));
                let states = shown.collect::<Option<Vec<_>>>().context("too few states")?;
                Forgery { states, output: half.output }
            }
            Cheat::SwappedPicture => {
                let (right, other) = (self.draw(&body)?, self.draw(&other_seed)?);
                Forgery { output: other.output, ..honest(&right) }
            }
        })
    }

    fn draw(&mut self, body: &ImageBody) -> Result<Generation> {
        Ok(self.model.generate(&body.clone().into(), &[], &mut |_, _| ControlFlow::Continue(()))?)
    }

    /// Numbers and pixels out of nowhere, of the right sizes.
    fn noise(&mut self, body: &ImageBody) -> Result<Forgery> {
        let request = body.clone().into();
        let run = self.model.open(&request)?;
        let state = |k| {
            let values = run.lengths(k).into_iter().sum::<usize>();
            (0..values).flat_map(|_| (rand::random::<f32>() * 2.0 - 1.0).to_le_bytes()).collect::<Vec<u8>>()
        };
        let states = (0..=body.steps).map(state).collect();
        let pixels = body.width as usize * body.height as usize * 3;
        let rgb: Vec<u8> = (0..pixels).map(|_| rand::random()).collect();
        ensure!(!rgb.is_empty(), "a picture without pixels");
        Ok(Forgery { states, output: Output::Image(Image { width: body.width, height: body.height, rgb }) })
    }
}
