//! The thread that runs models again, so that nothing asynchronous waits for a step; and the second opinion.

use super::check::{Evidence, Finding, examine};
use alloy::primitives::B256;
use anyhow::{Context, Result};
use cuckoo_inference::{Device, InferenceError, Model, Package, runtime};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};
use tokio::sync::oneshot;

/// Why a result could not be checked. That says nothing about the result.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No such model here.
    #[error("model {0} is not loaded")]
    Model(B256),
    /// The model does not run.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The thread is gone: a fault in ONNX Runtime or in this program.
    #[error("the checking thread died: restart the agent")]
    Dead,
}

struct Job {
    model_id: B256,
    evidence: Evidence,
    reply: oneshot::Sender<Result<Option<Finding>, CheckError>>,
}

/// Checks traces, one at a time.
pub struct Checker(mpsc::Sender<Job>);

impl Checker {
    /// Opens and loads the packages in `folders`, each with `threads` threads.
    ///
    /// # Errors
    /// The first that cannot be loaded, with what to do.
    pub async fn start(library: Option<PathBuf>, folders: Vec<PathBuf>, threads: usize) -> Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let (loaded, ready) = oneshot::channel();
        let body = move || match load(library.as_deref(), &folders, threads) {
            Ok(models) => {
                let _ = loaded.send(Ok(()));
                serve(models, threads, &queue);
            }
            Err(error) => drop(loaded.send(Err(error))),
        };
        thread::Builder::new().name("audit".to_owned()).spawn(body).context("cannot start the checking thread")?;
        ready.await.map_err(|_| CheckError::Dead)?.context(
            "audits run the models again, which needs their files and ONNX Runtime (--onnxruntime); --audit-rate 0 gives out work on trust",
        )?;
        Ok(Self(jobs))
    }

    /// Checks a whole trace; a miss is found only if a second checker, loaded afresh with other threads, finds one too.
    ///
    /// # Errors
    /// [`CheckError`].
    pub async fn check(&self, model_id: B256, evidence: Evidence) -> Result<Option<Finding>, CheckError> {
        let (reply, outcome) = oneshot::channel();
        self.0.send(Job { model_id, evidence, reply }).map_err(|_| CheckError::Dead)?;
        outcome.await.map_err(|_| CheckError::Dead)?
    }
}

struct Loaded {
    package: Package,
    model: Model,
}

fn load(library: Option<&Path>, folders: &[PathBuf], threads: usize) -> Result<BTreeMap<B256, Loaded>> {
    runtime::init(library)?;
    let open = |folder: &PathBuf| {
        let package = Package::open(folder).with_context(|| format!("the model in {}", folder.display()))?;
        let model = Model::load(&package, &Device::Cpu { threads })?;
        Ok((package.model_id(), Loaded { package, model }))
    };
    folders.iter().map(open).collect()
}

fn serve(mut models: BTreeMap<B256, Loaded>, threads: usize, queue: &mpsc::Receiver<Job>) {
    for Job { model_id, evidence, reply } in queue {
        let outcome = match models.get_mut(&model_id) {
            Some(loaded) => confirmed(loaded, threads, &evidence),
            None => Err(CheckError::Model(model_id)),
        };
        // The agent may be stopping; then the audit goes on after the next start.
        let _ = reply.send(outcome);
    }
}

/// Other threads divide the work otherwise, and sum in another order: what is only rounding is no miss then.
fn confirmed(loaded: &mut Loaded, threads: usize, evidence: &Evidence) -> Result<Option<Finding>, CheckError> {
    let Some(first) = examine(&mut loaded.model, evidence)? else { return Ok(None) };
    let mut second = Model::load(&loaded.package, &Device::Cpu { threads: threads + 1 })?;
    let second = examine(&mut second, evidence)?;
    if second.is_none() {
        tracing::warn!(reason = first.reason, "two checkers disagree: nobody is accused; is this machine sound?");
    }
    Ok(second)
}
