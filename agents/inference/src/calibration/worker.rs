//! Ways to work on a request: honest ones that may differ, and fakes.

use super::asks::Ask;
use crate::{
    fakes::{self, FakeError, Rewrite, Trick},
    model::{Generation, Model},
    package::Package,
    runtime::{Device, Feeding, Optimisation},
};
use std::{io, ops::ControlFlow};
use tempfile::TempDir;

/// A way to work.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) honest: bool,
    how: How,
}

enum How {
    /// A package, perhaps rewritten, on a device.
    Package { rewrite: Option<Rewrite>, device: Device },
    /// Another package's weights.
    Other(Box<Package>),
    /// The reference's own networks.
    Trick(Trick),
}

/// What every claim is checked on, and tricks are done with.
pub(super) const REFERENCE: Device = Device::Cpu { threads: 1 };

/// All ways to work on requests of a model. `other` is a checkpoint that a cheat may use instead; without, the model's own weights
/// are altered.
pub(super) fn workers(package: &Package, other: Option<Package>) -> Vec<Worker> {
    let worker = |name: &str, honest, how| Worker { name: name.to_owned(), honest, how };
    let on = |device| How::Package { rewrite: None, device };
    let plain = |optimisation| on(Device::Plain { optimisation });
    let rewritten = |rewrite| How::Package { rewrite: Some(rewrite), device: REFERENCE };
    // Cheaper arithmetic is honest where the profile says so.
    let half_is_honest = package.manifest().precision == "fp16";
    let other = other.map_or(rewritten(Rewrite::OtherWeights), |other| How::Other(Box::new(other)));
    vec![
        worker("1 thread", true, on(REFERENCE)),
        worker("2 threads", true, on(Device::Cpu { threads: 2 })),
        worker("all threads", true, on(Device::Cpu { threads: 0 })),
        worker("graph as exported", true, plain(Optimisation::None)),
        worker("graph optimised a little", true, plain(Optimisation::Basic)),
        worker("graph optimised more", true, plain(Optimisation::Extended)),
        worker("in a batch with two others", true, rewritten(Rewrite::Batched(2))),
        worker("CUDA", true, on(Device::Cuda { id: 0, memory_limit: None, feeding: Feeding::Bound })),
        worker("half-precision products", half_is_honest, rewritten(Rewrite::Half)),
        worker("weight-only int8", false, rewritten(Rewrite::WeightOnlyInt8)),
        worker("int8", false, rewritten(Rewrite::DynamicInt8)),
        worker("other checkpoint", false, other),
        worker("network's output used twice", false, How::Trick(Trick::ReusedOutput)),
        worker("half the steps, padded", false, How::Trick(Trick::FewerSteps)),
        worker("no guidance", false, How::Trick(Trick::NoGuidance)),
        worker("picture of another prompt", false, How::Trick(Trick::OtherPrompt)),
        worker("fresh first state, old trace", false, How::Trick(Trick::Splice)),
        worker("other seed", false, How::Trick(Trick::OtherSeed)),
    ]
}

/// A way to work, ready.
pub(super) enum Ready {
    /// A model of its own, which opens files of its folder for each new size.
    Own {
        model: Box<Model>,
        _folder: Option<TempDir>,
    },
    Trick(Trick),
}

impl Worker {
    /// Whether it is a fake that depends on no request: cheaper arithmetic, other weights.
    pub(super) fn computes_otherwise(&self) -> bool {
        !self.honest && !matches!(self.how, How::Trick(_))
    }

    /// Loads what it works with.
    ///
    /// # Errors
    /// [`FakeError::Inapplicable`] if this model or machine has no such way to work, or what went wrong.
    pub(super) fn prepare(&self, package: &Package) -> Result<Ready, FakeError> {
        match &self.how {
            How::Package { rewrite: None, device } => {
                let loaded = Model::load(package, device);
                if matches!(device, Device::Cuda { .. }) {
                    // Where there is none, or the model is for the processor only.
                    let model = loaded.map_err(|_| FakeError::Inapplicable("not on this machine".into()))?;
                    return Ok(own(model, None));
                }
                Ok(own(loaded?, None))
            }
            How::Package { rewrite: Some(rewrite), device } => {
                let path = std::env::temp_dir().display().to_string();
                let folder = TempDir::new().map_err(|source: io::Error| FakeError::Write { path, source })?;
                let altered = fakes::rewrite(package, *rewrite, folder.path())?;
                Ok(own(Model::load(&altered, device)?, Some(folder)))
            }
            How::Other(other) => Ok(own(Model::load(other, &REFERENCE)?, None)),
            How::Trick(trick) => Ok(Ready::Trick(*trick)),
        }
    }
}

fn own(model: Model, folder: Option<TempDir>) -> Ready {
    Ready::Own { model: Box::new(model), _folder: folder }
}

impl Ready {
    /// What it hands in for a request.
    ///
    /// # Errors
    /// As [`Worker::prepare`].
    pub(super) fn work(&mut self, reference: &mut Model, ask: &Ask) -> Result<Generation, FakeError> {
        match self {
            Self::Own { model, .. } => Ok(model.generate(&ask.body, &ask.blob, &mut |_, _| ControlFlow::Continue(()))?),
            Self::Trick(trick) => trick.perform(reference, &ask.body, &ask.blob),
        }
    }
}
