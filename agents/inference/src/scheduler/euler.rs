//! Euler's method (Karras et al., 2022, algorithm 1) without added noise, as diffusers' `EulerDiscreteScheduler` computes it.

use super::{
    SchedulerError,
    config::{Prediction, SchedulerConfig},
};

/// The plan of a request: its timesteps, and the noise before and after each.
#[derive(Clone, Debug)]
pub struct Euler {
    velocity: bool,
    timesteps: Vec<f32>,
    /// One more than there are steps; the last is zero.
    sigmas: Vec<f32>,
    init_scale: f32,
}

impl Euler {
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        let velocity = match config.prediction()? {
            Prediction::Epsilon => false,
            Prediction::Velocity => true,
            Prediction::Sample => return Err(config.unsupported_prediction("epsilon and v_prediction")),
        };
        let trained = config.sigmas()?;
        let timesteps: Vec<f32> = config.timesteps(steps)?.iter().map(|&t| t as f32).collect();
        let sigmas: Vec<f32> = timesteps.iter().map(|&t| interpolate(&trained, t)).chain([0.0]).collect();
        let largest = sigmas.iter().copied().fold(0.0, f32::max);
        // diffusers' latents start with the deviation of the first sigma; where the training's last timestep is left out,
        // with the signal's part besides.
        let init_scale = if config.timestep_spacing == "leading" { (largest * largest + 1.0).sqrt() } else { largest };
        Ok(Self { velocity, timesteps, sigmas, init_scale })
    }

    pub(super) fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    pub(super) fn init_scale(&self) -> f32 {
        self.init_scale
    }

    pub(super) fn input(&self, k: usize, sample: &[f32]) -> Vec<f32> {
        let sigma = self.sigmas[k];
        let scale = (sigma * sigma + 1.0).sqrt();
        sample.iter().map(|x| x / scale).collect()
    }

    pub(super) fn step(&self, k: usize, sample: &[f32], output: &[f32]) -> Vec<f32> {
        let (sigma, next) = (self.sigmas[k], self.sigmas[k + 1]);
        let power = sigma * sigma + 1.0;
        let move_on = |(&x, &out): (&f32, &f32)| {
            let clean = if self.velocity { out * (-sigma / power.sqrt()) + x / power } else { x - sigma * out };
            x + (x - clean) / sigma * (next - sigma)
        };
        sample.iter().zip(output).map(move_on).collect()
    }
}

/// The value of `table` at `index`, which is not past its end, on the straight line between its neighbours.
fn interpolate(table: &[f32], index: f32) -> f32 {
    let left = index.floor() as usize;
    let at = |i: usize| table.get(i).copied().map_or(0.0, f64::from);
    let (from, to) = (at(left), at(left + 1));
    let rest = f64::from(index - index.floor());
    if rest == 0.0 { from as f32 } else { ((to - from) * rest + from) as f32 }
}
