//! Makes up results.

use super::{Cheat, biased::biased};
use anyhow::{Context, Result, ensure};
use cuckoo_inference::{
    Device, Generation, Image, Model, Output, Package, State,
    fakes::{self, Rewrite, Trick},
};
use cuckoo_protocol::body::{Body, ImageBody};
use std::ops::ControlFlow;
use tempfile::TempDir;

const ONE_THREAD: Device = Device::Cpu { threads: 1 };

/// A result that is false.
#[derive(Clone, Debug)]
pub struct Forgery {
    /// Canonical bytes of s₀…s_N.
    pub states: Vec<Vec<u8>>,
    /// The output.
    pub output: Output,
}

/// Makes up results in one way, with the real model at hand.
pub struct Forger {
    cheat: Cheat,
    model: Model,
    /// What draws instead of the model, and where its files are.
    cheaper: Option<(Model, TempDir)>,
    cache: Option<Forgery>,
}

impl From<Generation> for Forgery {
    fn from(generation: Generation) -> Self {
        Self { states: generation.states.iter().map(State::to_bytes).collect(), output: generation.output }
    }
}

impl Forger {
    /// Loads what it takes. ONNX Runtime must be there.
    ///
    /// # Errors
    /// If the model cannot be loaded, or no cheaper one be made of it.
    pub fn new(package: &Package, cheat: Cheat) -> Result<Self> {
        let rewrite = match cheat {
            Cheat::Int8 => Some(Rewrite::DynamicInt8),
            Cheat::Int8Weights => Some(Rewrite::WeightOnlyInt8),
            Cheat::SmallerModel => Some(Rewrite::WithoutMiddle),
            Cheat::WrongModel => Some(Rewrite::OtherWeights),
            _ => None,
        };
        let cheaper = rewrite.map(|rewrite| {
            let folder = TempDir::new().context("no folder for another model")?;
            let altered = fakes::rewrite(package, rewrite, folder.path())?;
            anyhow::Ok((Model::load(&altered, &ONE_THREAD)?, folder))
        });
        Ok(Self { cheat, model: Model::load(package, &ONE_THREAD)?, cheaper: cheaper.transpose()?, cache: None })
    }

    /// The true model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Makes up a result for a request.
    ///
    /// # Errors
    /// If the model fails, or the request cannot be faked so.
    pub fn forge(&mut self, body: &ImageBody) -> Result<Forgery> {
        let trick =
            |model: &mut Model, trick: Trick| anyhow::Ok(trick.perform(model, &body.clone().into(), &[])?.into());
        let other_seed = ImageBody { seed: body.seed ^ 1, ..body.clone() };
        Ok(match self.cheat {
            Cheat::RandomPicture => self.noise(body, || (rand::random::<f32>() * 2.0 - 1.0).to_le_bytes())?,
            Cheat::RandomBits => self.noise(body, rand::random::<[u8; 4]>)?,
            Cheat::CachedPicture => match &self.cache {
                Some(cached) => cached.clone(),
                None => {
                    let first =
                        draw(&mut self.model, &ImageBody { prompt: "a cached picture".to_owned(), ..body.clone() })?;
                    self.cache.insert(first).clone()
                }
            },
            Cheat::WrongSeed => draw(&mut self.model, &other_seed)?,
            Cheat::FewerSteps => {
                let half = draw(&mut self.model, &ImageBody { steps: body.steps.div_ceil(2), ..body.clone() })?;
                let shown = (0..=body.steps).map(|k| half.states.get(k.div_ceil(2) as usize).cloned());
                let states = shown.collect::<Option<Vec<_>>>().context("too few states")?;
                Forgery { states, ..half }
            }
            Cheat::NoGuidance => trick(&mut self.model, Trick::NoGuidance)?,
            Cheat::FeatureCaching => trick(&mut self.model, Trick::ReusedOutput)?,
            Cheat::ForgedTrace => trick(&mut self.model, Trick::FewerSteps)?,
            Cheat::SplicedTrace => trick(&mut self.model, Trick::Splice)?,
            Cheat::Int8 | Cheat::Int8Weights | Cheat::SmallerModel | Cheat::WrongModel => {
                let (model, _) = self.cheaper.as_mut().context("no other model was loaded")?;
                draw(model, body)?
            }
            Cheat::LateState => {
                let (mut right, mut other) = (draw(&mut self.model, body)?, draw(&mut self.model, &other_seed)?);
                let (last, substitute) = right.states.last_mut().zip(other.states.pop()).context("no states")?;
                *last = substitute;
                Forgery { output: other.output, ..right }
            }
            Cheat::Bias => biased(&mut self.model, body)?,
            Cheat::SwappedPicture => {
                let (right, other) = (draw(&mut self.model, body)?, draw(&mut self.model, &other_seed)?);
                Forgery { output: other.output, ..right }
            }
        })
    }

    /// States of such values and pixels out of nowhere, of the right sizes.
    fn noise(&mut self, body: &ImageBody, value: impl Fn() -> [u8; 4]) -> Result<Forgery> {
        let request = body.clone().into();
        let run = self.model.open(&request)?;
        let state = |k| {
            let values = run.lengths(k).into_iter().sum::<usize>();
            (0..values).flat_map(|_| value()).collect::<Vec<u8>>()
        };
        let states = (0..=body.steps).map(state).collect();
        let pixels = body.width as usize * body.height as usize * 3;
        let rgb: Vec<u8> = (0..pixels).map(|_| rand::random()).collect();
        ensure!(!rgb.is_empty(), "a picture without pixels");
        Ok(Forgery { states, output: Output::Image(Image { width: body.width, height: body.height, rgb }) })
    }
}

/// What an honest miner hands in.
///
/// # Errors
/// If the model fails.
pub fn draw(model: &mut Model, body: &ImageBody) -> Result<Forgery> {
    let body = Body::from(body.clone());
    Ok(model.generate(&body, &[], &mut |_, _| ControlFlow::Continue(()))?.into())
}
