//! Requests drawn together: each step of all of them is one run of the denoiser.

use super::{
    Diffusion,
    drawing::{Plan, Row, denoise},
    text::Conditioning,
};
use crate::{error::InferenceError, output::Output, program::Batch, state::State};

/// Requests being drawn together.
pub(super) struct Together<'a> {
    model: &'a mut Diffusion,
    plans: Vec<Plan>,
    /// Of all of them.
    conditioning: Conditioning,
}

impl<'a> Together<'a> {
    pub(super) fn new(model: &'a mut Diffusion, plans: Vec<Plan>) -> Self {
        let each: Vec<&Conditioning> = plans.iter().map(Plan::conditioning).collect();
        let conditioning = Conditioning::together(&each);
        Self { model, plans, conditioning }
    }
}

impl Batch for Together<'_> {
    fn init(&mut self) -> Result<Vec<State>, InferenceError> {
        self.plans.iter().map(|plan| plan.init(&[])).collect()
    }

    fn step(&mut self, k: u32, states: &[State]) -> Result<Vec<State>, InferenceError> {
        let rows: Vec<Row<'_>> = self.plans.iter().zip(states).map(|(plan, state)| (plan, k, state)).collect();
        denoise(&mut self.model.unet, &self.conditioning, &rows)
    }

    fn finish(&mut self, request: usize, state: &State) -> Result<Output, InferenceError> {
        let missing = || InferenceError::unfit("the batch", format!("it has no request {request}"));
        self.plans.get(request).ok_or_else(missing)?.finish(self.model, state)
    }
}
