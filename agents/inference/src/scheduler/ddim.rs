//! DDIM (Song et al., 2020) with eta 0, as diffusers' `DDIMScheduler` computes it.

use super::{
    SchedulerError,
    config::{Prediction, SchedulerConfig, Spacing},
};

/// The plan of a request: its timesteps, and the two noise levels of each step.
#[derive(Clone, Debug)]
pub(super) struct Ddim {
    prediction: Prediction,
    clip: Option<f32>,
    timesteps: Vec<f32>,
    /// Cumulated alphas at each step's timestep and at the one that it leads to.
    alphas: Vec<(f32, f32)>,
}

impl Ddim {
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        let alphas = config.alphas_cumprod()?;
        let trained = alphas.len();
        let spaced = config.timesteps(steps, config.spacing(Spacing::Leading)?, false)?;
        let timesteps: Vec<u32> = spaced.iter().map(|t| t.round_ties_even() as u32).collect();
        let last = if config.set_alpha_to_one { 1.0 } else { alphas[0] };
        let stride = (trained / steps as usize) as u32;
        let pair = |&t: &u32| (alphas[t as usize], t.checked_sub(stride).map_or(last, |next| alphas[next as usize]));
        let alphas = timesteps.iter().map(pair).collect();
        let timesteps = timesteps.iter().map(|&t| t as f32).collect();
        let clip = config.clip_sample.unwrap_or(true).then_some(config.clip_sample_range.abs());
        Ok(Self { prediction: config.prediction()?, clip, timesteps, alphas })
    }

    pub(super) fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    pub(super) fn noised(&self, k: usize, clean: &[f32], noise: &[f32]) -> Vec<f32> {
        let (alpha, _) = self.alphas[k];
        let (signal, deviation) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        clean.iter().zip(noise).map(|(x, noise)| signal * x + deviation * noise).collect()
    }

    pub(super) fn step(&self, k: usize, sample: &[f32], output: &[f32]) -> Vec<f32> {
        let (alpha, next) = self.alphas[k];
        let (signal, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let (next_signal, next_noise) = (next.sqrt(), (1.0 - next).sqrt());
        let move_on = |(&x, &out): (&f32, &f32)| {
            let (clean, epsilon) = match self.prediction {
                Prediction::Epsilon => ((x - noise * out) / signal, out),
                Prediction::Sample => (out, (x - signal * out) / noise),
                Prediction::Velocity => (signal * x - noise * out, signal * out + noise * x),
            };
            // Not `clamp`: its bounds come from a file, and it panics on one that is no number.
            let clean = self.clip.map_or(clean, |range| clean.max(-range).min(range));
            next_signal * clean + next_noise * epsilon
        };
        sample.iter().zip(output).map(move_on).collect()
    }
}
