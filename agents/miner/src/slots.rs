//! Where the work is done: one OS thread a slot, each owning its models, so that nothing asynchronous ever waits for a step.

use alloy::primitives::B256;
use cuckoo_inference::{Device, Generation, InferenceError, Model, Package, State};
use cuckoo_protocol::{body::Body, trace::trace_root};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// A request for a thread.
pub struct Job {
    /// Which model runs.
    pub model_id: B256,
    /// What it is asked for.
    pub body: Body,
    /// Steps done so far.
    pub progress: watch::Sender<u32>,
    /// Ends the work after the step that runs.
    pub cancelled: CancellationToken,
    /// Gets what became of it.
    pub reply: oneshot::Sender<Result<Work, WorkError>>,
}

/// A finished request.
#[derive(Clone, Debug)]
pub struct Work {
    /// Canonical bytes of s₀…s_N.
    pub states: Vec<Vec<u8>>,
    /// Root over the states.
    pub trace_root: B256,
    /// Root over the output.
    pub output_hash: B256,
    /// The output as a file: a picture's PNG, vectors' bytes.
    pub output: Vec<u8>,
    /// From taking the request to the output.
    pub elapsed: Duration,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// It was not wanted any more.
    #[error("cancelled")]
    Cancelled,
    /// There is too little memory for it; a smaller request may do.
    #[error("{0}")]
    TooLarge(String),
    /// The model failed at it.
    #[error("{0}")]
    Failed(String),
    /// The thread is gone: a fault in ONNX Runtime or in this program.
    #[error("the inference thread died: restart the agent, and try `doctor`")]
    Dead,
}

/// The threads that wait for work.
pub struct Slots {
    idle: Mutex<Vec<mpsc::Sender<Job>>>,
    free: Arc<Semaphore>,
}

impl Slots {
    /// Starts `count` threads, each of which loads all `packages` on `device`: memory for each slot is needed once more.
    ///
    /// # Errors
    /// The first model that cannot be loaded.
    pub async fn start(count: u32, packages: &[Package], device: &Device) -> Result<Arc<Self>, InferenceError> {
        let mut threads = Vec::new();
        for slot in 0..count {
            let (packages, device) = (packages.to_vec(), device.clone());
            let (jobs, queue) = mpsc::channel();
            let (loaded, ready) = oneshot::channel();
            let body = move || match load(&packages, &device) {
                Ok(models) => {
                    let _ = loaded.send(Ok(()));
                    serve(models, &queue);
                }
                Err(error) => drop(loaded.send(Err(error))),
            };
            let unfit = |reason: String| InferenceError::Unfit { part: format!("inference thread {slot}"), reason };
            thread::Builder::new().name(format!("inference-{slot}")).spawn(body).map_err(|e| unfit(e.to_string()))?;
            ready.await.map_err(|_| unfit("it died while loading".to_owned()))??;
            threads.push(jobs);
        }
        Ok(Self::of(threads))
    }

    /// Slots whose jobs go to `threads`.
    pub fn of(threads: Vec<mpsc::Sender<Job>>) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(threads.len()));
        Arc::new(Self { idle: Mutex::new(threads), free })
    }

    /// Waits until a slot is free, without taking it: only then is there a point in asking for work.
    pub async fn wait(&self) {
        drop(self.free.acquire().await);
    }

    /// Takes a slot if one is free.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        let thread = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Slot { thread, slots: self.clone(), _permit: permit })
    }
}

/// A slot taken for one lease; dropped, it is free again.
pub struct Slot {
    thread: mpsc::Sender<Job>,
    slots: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    /// Starts a job. The receiver gets its outcome; an error there is [`WorkError::Dead`].
    pub fn start(&self, job: Job) -> Result<(), WorkError> {
        self.thread.send(job).map_err(|_| WorkError::Dead)
    }
}

impl Drop for Slot {
    /// Runs before the permit is given back, so that whoever gets it finds the thread.
    fn drop(&mut self) {
        self.slots.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.thread.clone());
    }
}

/// Loads `packages` on `device`.
///
/// # Errors
/// The first that cannot be loaded.
pub fn load(packages: &[Package], device: &Device) -> Result<BTreeMap<B256, Model>, InferenceError> {
    packages.iter().map(|package| Ok((package.model_id(), Model::load(package, device)?))).collect()
}

fn serve(mut models: BTreeMap<B256, Model>, queue: &mpsc::Receiver<Job>) {
    for Job { model_id, body, progress, cancelled, reply } in queue {
        let Some(model) = models.get_mut(&model_id) else {
            let _ = reply.send(Err(WorkError::Failed(format!("model {model_id} is not loaded"))));
            continue;
        };
        let mut report = |done, _| {
            progress.send_replace(done);
            if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        // Nobody may be waiting any more; then the result goes nowhere.
        let _ = reply.send(work(model, &body, &mut report));
    }
}

/// Runs one request and commits to what came out.
///
/// # Errors
/// [`WorkError`], never [`WorkError::Dead`].
pub fn work(
    model: &mut Model,
    body: &Body,
    progress: &mut dyn FnMut(u32, u32) -> ControlFlow<()>,
) -> Result<Work, WorkError> {
    let started = std::time::Instant::now();
    let generation = model.generate(body, &[], progress).map_err(|error| match error {
        InferenceError::Cancelled { .. } => WorkError::Cancelled,
        error @ InferenceError::TooLarge { .. } => WorkError::TooLarge(error.to_string()),
        error => WorkError::Failed(error.to_string()),
    })?;
    commit(&generation, started).map_err(WorkError::Failed)
}

fn commit(generation: &Generation, started: std::time::Instant) -> Result<Work, String> {
    let states: Vec<Vec<u8>> = generation.states.iter().map(State::to_bytes).collect();
    Ok(Work {
        trace_root: trace_root(&states),
        output_hash: generation.output_hash().map_err(|e| e.to_string())?,
        output: generation.output.file().map_err(|e| e.to_string())?,
        states,
        elapsed: started.elapsed(),
    })
}
