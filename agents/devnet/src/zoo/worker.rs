//! Who works: a cheat, or an honest miner in one of the ways that honest machines differ.

use crate::adversary::{Cheat, Forger, Forgery, draw};
use anyhow::{Context, Result};
use cuckoo_coordinator::audit::{Evidence, examine};
use cuckoo_inference::{
    Device, Model, Optimisation, Package,
    fakes::{self, Rewrite},
    runtime::Feeding,
};
use cuckoo_protocol::body::{Body, ImageBody};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tempfile::TempDir;

/// How an honest miner computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With so many threads; 0 for all.
    Threads(usize),
    /// With less optimised networks: other kernels, in another order.
    Plain(Optimisation),
    /// In one batch with so many other requests.
    Batched(usize),
    /// On an NVIDIA GPU.
    Cuda,
}

/// How results are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Falsely.
    Cheat(Cheat),
    /// Honestly.
    Honest(Way),
}

/// Makes results, and can say itself what an audit would find.
pub struct Worker {
    hand: Hand,
    /// What an audit runs.
    reference: Model,
}

enum Hand {
    Cheat(Box<Forger>),
    Honest { model: Box<Model>, _folder: Option<TempDir> },
}

impl Worker {
    /// Loads what it takes; none if this machine has no such device.
    ///
    /// # Errors
    /// If a model cannot be loaded.
    pub fn new(package: &Package, work: Work) -> Result<Option<Self>> {
        let reference = Model::load(package, &Device::Cpu { threads: 1 })?;
        let honest = |device| {
            let model = Box::new(Model::load(package, &device)?);
            anyhow::Ok(Hand::Honest { model, _folder: None })
        };
        let hand = match work {
            Work::Cheat(cheat) => Hand::Cheat(Box::new(Forger::new(package, cheat)?)),
            Work::Honest(Way::Threads(threads)) => honest(Device::Cpu { threads })?,
            Work::Honest(Way::Plain(optimisation)) => honest(Device::Plain { optimisation })?,
            Work::Honest(Way::Batched(others)) => {
                let folder = TempDir::new().context("no folder for a batched model")?;
                let batched = fakes::rewrite(package, Rewrite::Batched(others), folder.path())?;
                let model = Box::new(Model::load(&batched, &Device::Cpu { threads: 1 })?);
                Hand::Honest { model, _folder: Some(folder) }
            }
            Work::Honest(Way::Cuda) => {
                match honest(Device::Cuda { id: 0, memory_limit: None, feeding: Feeding::default() }) {
                    Ok(hand) => hand,
                    Err(_) => return Ok(None),
                }
            }
        };
        Ok(Some(Self { hand, reference }))
    }

    /// A result for a request.
    ///
    /// # Errors
    /// If a model fails.
    pub fn work(&mut self, body: &ImageBody) -> Result<Forgery> {
        match &mut self.hand {
            Hand::Cheat(forger) => forger.forge(body),
            Hand::Honest { model, .. } => draw(model, body),
        }
    }

    /// What an audit makes of a result: whether it is found false, and how far its picture is from the true one.
    ///
    /// # Errors
    /// If the model fails.
    pub fn inspect(&mut self, body: &ImageBody, result: &Forgery) -> Result<Inspection> {
        let truth = draw(&mut self.reference, body)?;
        let evidence = evidence(body, result);
        let begun = thread_time();
        let found = examine(&mut self.reference, &evidence)?.is_some();
        let check = thread_time().saturating_sub(begun);
        let (claim, truth) = (result.output.image(), truth.output.image());
        let (claim, truth) = claim.zip(truth).context("no pictures")?;
        let differences: Vec<u8> = claim.rgb.iter().zip(&truth.rgb).map(|(a, b)| a.abs_diff(*b)).collect();
        let sum: f64 = differences.iter().copied().map(f64::from).sum();
        Ok(Inspection {
            found,
            check,
            most: differences.iter().copied().max().unwrap_or(0),
            mean: sum / differences.len().max(1) as f64,
        })
    }
}

/// What an audit makes of a result.
pub struct Inspection {
    /// Whether it is found false.
    pub found: bool,
    /// Processor time of running it again.
    pub check: Duration,
    /// Largest difference of a byte from the true picture.
    pub most: u8,
    /// Mean difference of a byte.
    pub mean: f64,
}

/// All that is needed to run a result again.
pub fn evidence(body: &ImageBody, result: &Forgery) -> Evidence {
    Evidence {
        body: Body::from(body.clone()),
        blob: Vec::new(),
        states: result.states.clone(),
        output: result.output.clone(),
    }
}

/// Processor time of this thread: other threads and programs do not count.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
