//! A package loaded on a device: it generates, and it checks what others generated.

use crate::{
    audit::{Deviation, Transition, measure_together},
    crew::Crew,
    error::InferenceError,
    jury::{self, Evidence, Finding},
    output::Output,
    package::Package,
    program::{self, Program, Run},
    runtime::Device,
    state::State,
};
use alloy::primitives::B256;
use cuckoo_protocol::{
    body::{Body, ImageBody, StyleBody},
    manifest::{Limits, Manifest},
    trace,
};
use std::ops::ControlFlow;

/// Most steps of a trace that are run again as one batch: more gain little and take more memory.
const TOGETHER: usize = 4;

/// A loaded model. It runs one request at a time.
pub struct Model {
    manifest: Manifest,
    program: Box<dyn Program>,
    package: Package,
    device: Device,
    /// For checking; None before the first check, and none where this model's own program does as well.
    crew: Option<Option<Crew>>,
    /// Once a picture did not fit into memory: the width and height of the largest that does, if any.
    room: Option<Option<[u32; 2]>>,
    /// So many requests at once did not fit into memory.
    pub(crate) too_many: usize,
}

/// What a request became: its trace and its output.
#[derive(Clone, Debug)]
pub struct Generation {
    /// s₀ to s_N.
    pub states: Vec<State>,
    /// The output.
    pub output: Output,
}

impl Model {
    /// Loads a package and runs two steps of default requests, so that whatever does not fit together is found now and not
    /// in a paid task.
    ///
    /// # Errors
    /// [`InferenceError`].
    pub fn load(package: &Package, device: &Device) -> Result<Self, InferenceError> {
        let manifest = package.manifest().clone();
        // Integer kernels differ between devices by more than rounding, or are missing.
        if manifest.precision == "int8" && matches!(device, Device::Cuda { .. }) {
            return Err(InferenceError::unfit(
                "cuckoo.json",
                format!("int8 models run on the CPU only, not on {device}"),
            ));
        }
        let program = program::load(package, device)?;
        let mut model = Self {
            manifest,
            program,
            package: package.clone(),
            device: device.clone(),
            crew: None,
            room: None,
            too_many: usize::MAX,
        };
        let body = model.manifest.default_body("a text".to_owned());
        let with_picture = model.manifest.body_with_picture("a text".to_owned());
        for body in [Some(body), with_picture].into_iter().flatten() {
            model.try_out(&body)?;
        }
        Ok(model)
    }

    /// Runs the first two steps of a request, of which the first may be of its own kind, and finishes.
    fn try_out(&mut self, body: &Body) -> Result<(), InferenceError> {
        let blob = vec![0; body.blob_bytes()];
        let mut run = self.open(body)?;
        let mut state = run.init(&blob)?;
        for k in 0..body.steps().min(2) {
            state.expect(&run.lengths(k))?;
            state = run.step(k, &state)?;
        }
        run.finish(&state)?;
        Ok(())
    }

    pub(crate) fn program(&mut self) -> &mut dyn Program {
        &mut *self.program
    }

    /// Gives back the memory that the networks hold; they are opened again when needed.
    pub(crate) fn close(&mut self) {
        self.program.close();
    }

    /// The manifest of the package.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Runs a request with its input pictures (`blob`; empty if it has none). `progress` is called with the steps done and the steps of the request, before the first and after
    /// each; a break stops the request there.
    ///
    /// # Errors
    /// [`InferenceError::Body`] for what the manifest does not allow, [`InferenceError::Blob`] for other
    /// input pictures than it needs, [`InferenceError::TooLarge`] for what the memory does not hold,
    /// [`InferenceError::NonFinite`] if the result could not be checked, [`InferenceError::Cancelled`], or what went wrong.
    pub fn generate(
        &mut self,
        body: &Body,
        blob: &[u8],
        progress: &mut dyn FnMut(u32, u32) -> ControlFlow<()>,
    ) -> Result<Generation, InferenceError> {
        self.expect_room(body)?;
        self.run(body, blob, progress).map_err(|error| self.refuse(body, error))
    }

    fn run(
        &mut self,
        body: &Body,
        blob: &[u8],
        progress: &mut dyn FnMut(u32, u32) -> ControlFlow<()>,
    ) -> Result<Generation, InferenceError> {
        let steps = body.steps();
        if blob.len() != body.blob_bytes() {
            return Err(InferenceError::Blob { expected: body.blob_bytes(), found: blob.len() });
        }
        let mut report = |done| match progress(done, steps) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(InferenceError::Cancelled { done, steps }),
        };
        let mut run = self.open(body)?;
        report(0)?;
        let mut state = run.init(blob)?;
        let mut states = Vec::with_capacity(steps as usize + 1);
        for k in 0..steps {
            let next = run.step(k, &state)?;
            if !next.is_finite() {
                return Err(InferenceError::NonFinite { what: format!("state {}", k + 1) });
            }
            states.push(std::mem::replace(&mut state, next));
            report(k + 1)?;
        }
        let output = run.finish(&state)?;
        states.push(state);
        Ok(Generation { states, output })
    }

    /// Refuses at once what did not fit before: no step of it is tried again.
    fn expect_room(&self, body: &Body) -> Result<(), InferenceError> {
        let (Some(room), Some(size)) = (self.room, size(body)) else { return Ok(()) };
        if room.is_some_and(|room| pixels(room) >= pixels(size)) {
            return Ok(());
        }
        let reason = "Found when it was tried before; restart with more memory to try again".to_owned();
        Err(self.too_large(size, room, reason))
    }

    /// Turns running out of memory into a refusal that says which size would fit, found by trying. Other errors stay.
    fn refuse(&mut self, body: &Body, error: InferenceError) -> InferenceError {
        let InferenceError::Memory { .. } = error else { return error };
        self.program.close();
        let sizes = match &self.manifest.limits {
            Limits::Image(limits) => &limits.sizes,
            Limits::Style(limits) => &limits.sizes,
            Limits::Embedding(_) => return error,
        };
        let Some(size) = size(body) else { return error };
        let mut smaller: Vec<[u32; 2]> = sizes.iter().copied().filter(|other| pixels(*other) < pixels(size)).collect();
        smaller.sort_by_key(|size| std::cmp::Reverse(pixels(*size)));
        let room = smaller.into_iter().find(|size| {
            let fits = self.try_out(&resized(body, *size)).is_ok();
            if !fits {
                self.program.close();
            }
            fits
        });
        self.room = Some(room);
        self.too_large(size, room, error.to_string())
    }

    fn too_large(&self, size: [u32; 2], room: Option<[u32; 2]>, reason: String) -> InferenceError {
        let words = |[width, height]: [u32; 2]| format!("{width}x{height}");
        let device = self.device.to_string();
        InferenceError::TooLarge { size: words(size), device, fits: room.map(words), reason }
    }

    /// Opens a request that the manifest allows, to run its transitions one by one.
    ///
    /// # Errors
    /// [`InferenceError::Body`] for what the manifest does not allow, or what went wrong.
    pub fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        self.manifest.check(body)?;
        self.program.open(body)
    }

    /// Runs transitions of a request again, each from the state that was claimed before it, and measures how far the
    /// claims after them are off. Whether that is within the manifest's tolerance says [`Deviation::within`].
    ///
    /// # Errors
    /// [`InferenceError`] if a transition cannot be run, or is none of this request.
    pub fn check(&mut self, body: &Body, transitions: &[Transition<'_>]) -> Result<Vec<Deviation>, InferenceError> {
        let floor = self.manifest.tolerance.floor.to_f64();
        if transitions.len() > 1 && self.crew.is_none() {
            self.crew = Some(Crew::load(&self.package, &self.device)?);
        }
        self.manifest.check(body)?;
        let measured = match &mut self.crew {
            Some(Some(crew)) if transitions.len() > 1 => {
                let pieces = pieces(transitions, crew.len());
                let check = |run: &mut Box<dyn Run + '_>, at: usize| measure_together(&mut **run, pieces[at]);
                crew.share(pieces.len(), |program| program.open(body), check)?
            }
            _ => {
                let mut run = self.program.open(body)?;
                let pieces = pieces(transitions, 1);
                pieces.into_iter().map(|piece| measure_together(&mut *run, piece)).collect::<Result<_, _>>()?
            }
        };
        Ok(measured.iter().flatten().map(|measurement| measurement.deviation(floor)).collect())
    }
}

impl Model {
    /// Judges one transition of a result from what a dispute has put on chain. `seed` is the jury's.
    ///
    /// # Errors
    /// [`InferenceError`] if the request cannot be run here, which says nothing about the accused.
    pub fn judge(&mut self, body: &Body, evidence: &Evidence<'_>, seed: B256) -> Result<Finding, InferenceError> {
        let tolerance = self.manifest.tolerance.clone();
        jury::judge(&mut *self.open(body)?, body.steps(), evidence, &tolerance, seed)
    }
}

impl Generation {
    /// The root over the states, which the miner signs.
    pub fn trace_root(&self) -> B256 {
        let states: Vec<Vec<u8>> = self.states.iter().map(State::to_bytes).collect();
        trace::trace_root(&states)
    }

    /// The root over the output, which the miner signs.
    ///
    /// # Errors
    /// As [`Output::hash`].
    pub fn output_hash(&self) -> Result<B256, InferenceError> {
        self.output.hash()
    }

    /// Number of states: N + 1.
    pub fn states_count(&self) -> u32 {
        self.states.len() as u32
    }
}

/// Transitions cut into what is run at once, for so many copies of the program: as many steps that follow each other as give every copy
/// several turns, at most [`TOGETHER`], and what is left over one by one, since another size of batch would need another session.
fn pieces<'t, 's>(transitions: &'t [Transition<'s>], copies: usize) -> Vec<&'t [Transition<'s>]> {
    let size = (transitions.len() / (4 * copies.max(1))).clamp(1, TOGETHER);
    let groups = transitions.chunk_by(|a, b| a.step().is_some() && b.step().is_some());
    let cut = groups.flat_map(|group| {
        let whole = group.chunks_exact(size);
        let rest = whole.remainder();
        whole.chain(rest.chunks(1))
    });
    cut.collect()
}

/// Width and height of the picture asked for.
fn size(body: &Body) -> Option<[u32; 2]> {
    match body {
        Body::Image(body) => Some([body.width, body.height]),
        Body::Style(body) => Some([body.width, body.height]),
        Body::Embedding(_) => None,
    }
}

/// The same request for a picture of another size.
fn resized(body: &Body, [width, height]: [u32; 2]) -> Body {
    match body {
        Body::Image(body) => ImageBody { width, height, ..body.clone() }.into(),
        Body::Style(body) => StyleBody { width, height, ..body.clone() }.into(),
        Body::Embedding(_) => body.clone(),
    }
}

fn pixels([width, height]: [u32; 2]) -> u64 {
    u64::from(width) * u64::from(height)
}
