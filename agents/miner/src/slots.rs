//! Where the work is done: one OS thread a slot, each owning its models, so that nothing asynchronous ever waits for a step.

use alloy::primitives::B256;
use cuckoo_inference::{Device, Generation, InferenceError, Model, Package, State, alike};
use cuckoo_protocol::{body::Body, trace::trace_root};
use std::{
    collections::BTreeMap,
    iter, mem,
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
    /// The input pictures that it comes with; empty if it has none.
    pub blob: Vec<u8>,
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

/// The threads that do the work, each with as many places as requests that it may run at once.
pub struct Slots {
    threads: Mutex<Vec<Thread>>,
    free: Arc<Semaphore>,
}

struct Thread {
    jobs: mpsc::Sender<Job>,
    taken: u32,
}

impl Slots {
    /// Starts `count` threads, each of which loads all `packages` on `device`, with memory of its own, and runs up to
    /// `batch` requests at once.
    ///
    /// # Errors
    /// The first model that cannot be loaded.
    pub async fn start(
        count: u32,
        batch: u32,
        packages: &[Package],
        device: &Device,
    ) -> Result<Arc<Self>, InferenceError> {
        let mut threads = Vec::new();
        for slot in 0..count {
            let (packages, device) = (packages.to_vec(), device.clone());
            let (jobs, queue) = mpsc::channel();
            let (loaded, ready) = oneshot::channel();
            let body = move || match load(&packages, &device, batch) {
                Ok(models) => {
                    let _ = loaded.send(Ok(()));
                    serve(models, &queue, batch);
                }
                Err(error) => drop(loaded.send(Err(error))),
            };
            let unfit = |reason: String| InferenceError::Unfit { part: format!("inference thread {slot}"), reason };
            thread::Builder::new().name(format!("inference-{slot}")).spawn(body).map_err(|e| unfit(e.to_string()))?;
            ready.await.map_err(|_| unfit("it died while loading".to_owned()))??;
            threads.push(jobs);
        }
        Ok(Self::of(threads, batch))
    }

    /// Slots whose jobs go to `threads`, up to `batch` to each at once.
    pub fn of(threads: Vec<mpsc::Sender<Job>>, batch: u32) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(threads.len() * batch as usize));
        let threads = threads.into_iter().map(|jobs| Thread { jobs, taken: 0 }).collect();
        Arc::new(Self { threads: Mutex::new(threads), free })
    }

    /// Waits until a place is free, without taking it: only then is there a point in asking for work.
    pub async fn wait(&self) {
        drop(self.free.acquire().await);
    }

    /// Takes a place if one is free, of the thread that has least to do.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, thread) = threads.iter_mut().enumerate().min_by_key(|(_, thread)| thread.taken)?;
        thread.taken += 1;
        Some(Slot { thread: thread.jobs.clone(), at, slots: self.clone(), _permit: permit })
    }
}

/// A place taken for one lease; dropped, it is free again.
pub struct Slot {
    thread: mpsc::Sender<Job>,
    at: usize,
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
        let mut threads = self.slots.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = threads.get_mut(self.at) {
            thread.taken -= 1;
        }
    }
}

/// Loads `packages` on `device`, ready for `batch` requests at once.
///
/// # Errors
/// The first that cannot be loaded.
pub fn load(packages: &[Package], device: &Device, batch: u32) -> Result<BTreeMap<B256, Model>, InferenceError> {
    let load = |package: &Package| {
        let mut model = Model::load(package, device)?;
        if batch > 1 {
            // The first step opens what the batch needs; a paid task shall not wait for that.
            let bodies = vec![model.manifest().default_body("a text".to_owned()); 1 << batch.ilog2()];
            let first = |_, done, _| if done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            model.generate_batch(&bodies, &mut { first });
        }
        Ok((package.model_id(), model))
    };
    packages.iter().map(load).collect()
}

/// Runs what is in the queue, up to `batch` requests at once if they are alike, and never waiting for more of them.
fn serve(mut models: BTreeMap<B256, Model>, queue: &mpsc::Receiver<Job>, batch: u32) {
    while let Ok(first) = queue.recv() {
        let mut at_hand: Vec<Job> = iter::once(first).chain(queue.try_iter()).collect();
        while !at_hand.is_empty() {
            let mut jobs = next(&mut at_hand, batch);
            let Some(model) = jobs.first().and_then(|job| models.get_mut(&job.model_id)) else {
                for Job { model_id, reply, .. } in jobs {
                    let _ = reply.send(Err(WorkError::Failed(format!("model {model_id} is not loaded"))));
                }
                continue;
            };
            let asks: Vec<(Body, Vec<u8>)> =
                jobs.iter_mut().map(|job| (job.body.clone(), mem::take(&mut job.blob))).collect();
            let mut report = |at: usize, done, _| {
                let Some(job) = jobs.get(at) else { return ControlFlow::Continue(()) };
                job.progress.send_replace(done);
                if job.cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let results = work(model, &asks, &mut report);
            for (job, result) in jobs.into_iter().zip(results) {
                // Nobody may be waiting any more; then the result goes nowhere.
                let _ = job.reply.send(result);
            }
        }
    }
}

/// Takes the first job and those that may run with it. Their number is a power of two: networks are opened for each number,
/// which takes time and memory.
fn next(at_hand: &mut Vec<Job>, batch: u32) -> Vec<Job> {
    let with_first = |job: &Job| {
        let first = &at_hand[0];
        job.model_id == first.model_id && alike(&job.body, &first.body)
    };
    let mut places: Vec<usize> = (1..at_hand.len()).filter(|&at| with_first(&at_hand[at])).collect();
    let count = (places.len() + 1).min(batch as usize).max(1);
    places.truncate((1 << count.ilog2()) - 1);
    // From behind, so that the other places stay as they are.
    let mut taken: Vec<Job> = places.iter().rev().map(|&at| at_hand.remove(at)).collect();
    taken.push(at_hand.remove(0));
    taken.reverse();
    taken
}

/// Runs requests with their input pictures, several as one batch if they are alike (none that has a picture is), and commits to what came
/// out of each. `progress` is called with the request, the steps done, and all its steps.
///
/// # Errors
/// [`WorkError`], never [`WorkError::Dead`].
pub fn work(
    model: &mut Model,
    asks: &[(Body, Vec<u8>)],
    progress: &mut dyn FnMut(usize, u32, u32) -> ControlFlow<()>,
) -> Vec<Result<Work, WorkError>> {
    let started = std::time::Instant::now();
    let failed = |error| match error {
        InferenceError::Cancelled { .. } => WorkError::Cancelled,
        error @ InferenceError::TooLarge { .. } => WorkError::TooLarge(error.to_string()),
        error => WorkError::Failed(error.to_string()),
    };
    let commit = |generation: Result<_, _>| commit(&generation.map_err(failed)?, started).map_err(WorkError::Failed);
    let generations = match asks {
        [(body, blob)] => vec![model.generate(body, blob, &mut |done, steps| progress(0, done, steps))],
        _ => {
            let bodies: Vec<Body> = asks.iter().map(|(body, _)| body.clone()).collect();
            model.generate_batch(&bodies, progress)
        }
    };
    generations.into_iter().map(commit).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use cuckoo_protocol::{body::ImageBody, manifest::Manifest};

    fn job(seed: u64, steps: u32) -> Job {
        let manifest = Manifest::parse(include_bytes!("../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
        let body = ImageBody { seed, steps, ..manifest.image_body("a tree".to_owned()).unwrap() };
        Job {
            model_id: manifest.model_id(),
            body: body.into(),
            blob: Vec::new(),
            progress: watch::channel(0).0,
            cancelled: CancellationToken::new(),
            reply: oneshot::channel().0,
        }
    }

    fn seeds(jobs: &[Job]) -> Vec<u64> {
        let seed = |job: &Job| if let Body::Image(body) = &job.body { body.seed } else { 0 };
        jobs.iter().map(seed).collect()
    }

    #[test]
    fn like_jobs_go_together_in_their_order_and_none_is_lost() {
        let mut at_hand: Vec<Job> = [(0, 10), (1, 20), (2, 10), (3, 10), (4, 20), (5, 10), (6, 10)]
            .map(|(seed, steps)| job(seed, steps))
            .into();
        at_hand[2].model_id = B256::ZERO;
        // Five could go, three may, two do.
        assert_eq!(seeds(&next(&mut at_hand, 3)), [0, 3]);
        assert_eq!(seeds(&next(&mut at_hand, 3)), [1, 4]);
        assert_eq!(seeds(&next(&mut at_hand, 1)), [2]);
        assert_eq!(seeds(&next(&mut at_hand, 4)), [5, 6]);
        assert!(at_hand.is_empty());
    }

    #[test]
    fn the_thread_with_least_to_do_gets_the_next_job() {
        let (one, first) = mpsc::channel();
        let (two, second) = mpsc::channel();
        let slots = Slots::of(vec![one, two], 2);
        let taken: Vec<Slot> = (0..4).map(|_| slots.take().unwrap()).collect();
        assert!(slots.take().is_none());
        for slot in &taken {
            slot.start(job(0, 1)).unwrap();
        }
        assert_eq!((first.try_iter().count(), second.try_iter().count()), (2, 2));
        drop(taken);
        assert!(slots.take().is_some());
    }
}
