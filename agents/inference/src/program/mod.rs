//! Programs: what a model does with a request, cut into transitions that anyone can run again alone.
//!
//! A new program is a file beside this one and its line in [`PROGRAMS`].

mod diffusion;
mod embedding;
mod style;

pub(crate) use diffusion::stock;

use crate::{error::InferenceError, output::Output, package::Package, runtime::Device, state::State};
use cuckoo_protocol::body::Body;

/// Loads a package for a device.
type Load = fn(&Package, &Device) -> Result<Box<dyn Program>, InferenceError>;

/// The program of stock diffusers folders.
pub(crate) const TEXT_TO_IMAGE: &str = "diffusion/text-to-image";

/// All programs, by the name that manifests use.
const PROGRAMS: &[(&str, Load)] =
    &[(TEXT_TO_IMAGE, diffusion::load), ("embedding", embedding::load), ("style-transfer", style::load)];

/// A loaded program.
pub trait Program: Send {
    /// Opens the program for a request that the manifest allows, whose body is so of the program's kind. What all steps share is computed here, once.
    ///
    /// # Errors
    /// [`InferenceError`] if the request cannot be run.
    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError>;

    /// Opens the program for requests that it may run as one batch (see [`crate::alike`]); None if it runs them one by one.
    ///
    /// # Errors
    /// [`InferenceError`] if a request cannot be run.
    fn open_batch<'a>(&'a mut self, _: &[Body]) -> Result<Option<Box<dyn Batch + 'a>>, InferenceError> {
        Ok(None)
    }

    /// Gives back the memory that the networks hold, all that can be had again.
    fn close(&mut self);
}

/// A program opened for a request. Each transition depends on the request and the state before it, on nothing else; only the
/// first sees the request's input pictures, so whatever later steps need of them is in the states.
pub trait Run {
    /// Values in each tensor of the state s_k.
    fn lengths(&self, k: u32) -> Vec<usize>;

    /// Transition 0: the state s₀, bit for bit alike on every machine. `blob` holds the input pictures.
    ///
    /// # Errors
    /// [`InferenceError`], also for a blob of another size.
    fn init(&mut self, blob: &[u8]) -> Result<State, InferenceError>;

    /// Step `k` from 0, which is transition k + 1: the state sₖ₊₁ after sₖ.
    ///
    /// # Errors
    /// [`InferenceError`], also for a state of another size or a `k` past the last step.
    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError>;

    /// Several steps, each from the state given with it; together if the program can.
    ///
    /// # Errors
    /// As [`Self::step`].
    fn steps(&mut self, steps: &[(u32, &State)]) -> Result<Vec<State>, InferenceError> {
        steps.iter().map(|&(k, state)| self.step(k, state)).collect()
    }

    /// The last transition: the output of s_N.
    ///
    /// # Errors
    /// [`InferenceError`], also for a state of another size.
    fn finish(&mut self, state: &State) -> Result<Output, InferenceError>;
}

/// A program opened for several requests at once, whose steps it runs together.
pub trait Batch {
    /// The first state of each request.
    ///
    /// # Errors
    /// [`InferenceError`].
    fn init(&mut self) -> Result<Vec<State>, InferenceError>;

    /// Step `k` of each request, from the states before it.
    ///
    /// # Errors
    /// [`InferenceError`], also for a state of another size or a `k` past the last step.
    fn step(&mut self, k: u32, states: &[State]) -> Result<Vec<State>, InferenceError>;

    /// The output of a request (from 0), of its last state.
    ///
    /// # Errors
    /// [`InferenceError`], also for a state of another size.
    fn finish(&mut self, request: usize, state: &State) -> Result<Output, InferenceError>;
}

/// The programs' names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(name, _)| *name)
}

/// Loads the program that the package's manifest names.
pub(crate) fn load(package: &Package, device: &Device) -> Result<Box<dyn Program>, InferenceError> {
    let program = &package.manifest().program;
    let found = PROGRAMS.iter().find(|(name, _)| name == program);
    let (_, load) = found.ok_or_else(|| InferenceError::unfit(program, "there is no such program"))?;
    load(package, device)
}
