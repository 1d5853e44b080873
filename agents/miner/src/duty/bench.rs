//! Where duties and checks are computed: for each of both a thread beside the slots, so that a deadline never waits for paid work. It loads a model when it is
//! first needed, a copy of its own, and gives the memory back when it was not for a while.

use alloy::primitives::B256;
use cuckoo_inference::{Device, InferenceError, Model, Package};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// For which a model stays loaded after its last use.
const IDLE: Duration = Duration::from_secs(600);

type Job = (B256, Box<dyn FnOnce(Result<&mut Model, BenchError>) + Send>);

/// Why a model did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Not a model of this miner's.
    #[error("this miner does not run model {0}: name its package with --model to judge it")]
    Unknown(B256),
    /// No thread, or no memory for a second copy.
    #[error("the model cannot be loaded a second time, beside the slots: {0}")]
    Load(InferenceError),
    /// The model failed.
    #[error(transparent)]
    Failed(#[from] InferenceError),
    /// There is no thread.
    #[error("no thread for it: {0}")]
    Thread(#[from] io::Error),
    /// A fault in ONNX Runtime or in this program.
    #[error("the thread died over it")]
    Dead,
}

/// The thread, and what it may load.
pub struct Bench {
    packages: BTreeMap<B256, Package>,
    device: Device,
    /// None before the first use, and after the thread has died.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Bench {
    /// Nothing is loaded before it is needed.
    pub fn new(packages: &[Package], device: Device) -> Self {
        let packages = packages.iter().map(|package| (package.model_id(), package.clone())).collect();
        Self { packages, device, jobs: Mutex::default() }
    }

    /// Has a model work.
    ///
    /// # Errors
    /// [`BenchError`].
    pub async fn run<T: Send + 'static>(
        &self,
        model: B256,
        work: impl FnOnce(&mut Model) -> Result<T, InferenceError> + Send + 'static,
    ) -> Result<T, BenchError> {
        let (reply, outcome) = oneshot::channel();
        let job = move |model: Result<&mut Model, BenchError>| {
            // Nobody may be waiting any more.
            let _ = reply.send(model.and_then(|model| work(model).map_err(BenchError::from)));
        };
        self.start((model, Box::new(job)))?;
        outcome.await.unwrap_or(Err(BenchError::Dead))
    }

    fn start(&self, job: Job) -> Result<(), BenchError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut job = Some(job);
        if let Some(thread) = jobs.as_ref() {
            job = job.take().and_then(|job| thread.send(job).err()).map(|mpsc::SendError(job)| job);
        }
        // There is no thread yet, or it has died over a former job.
        if let Some(job) = job {
            let (thread, queue) = mpsc::channel();
            let (packages, device) = (self.packages.clone(), self.device.clone());
            thread::Builder::new().name("bench".to_owned()).spawn(move || serve(&packages, &device, &queue))?;
            thread.send(job).map_err(|_| BenchError::Dead)?;
            *jobs = Some(thread);
        }
        Ok(())
    }
}

fn serve(packages: &BTreeMap<B256, Package>, device: &Device, queue: &mpsc::Receiver<Job>) {
    let mut loaded = BTreeMap::new();
    loop {
        match queue.recv_timeout(IDLE) {
            Ok((id, work)) => work(model(packages, device, &mut loaded, id)),
            Err(RecvTimeoutError::Timeout) => loaded.clear(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn model<'a>(
    packages: &BTreeMap<B256, Package>,
    device: &Device,
    loaded: &'a mut BTreeMap<B256, Model>,
    id: B256,
) -> Result<&'a mut Model, BenchError> {
    let package = packages.get(&id).ok_or(BenchError::Unknown(id))?;
    match loaded.entry(id) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => Ok(entry.insert(Model::load(package, device).map_err(BenchError::Load)?)),
    }
}
