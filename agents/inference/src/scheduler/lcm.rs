//! Latent consistency models (Luo et al., 2023), as diffusers' `LCMScheduler` computes it: each step predicts the clean
//! sample and adds noise for the next.

use super::{
    SchedulerError,
    config::{Prediction, SchedulerConfig, unsupported},
};

/// The standard deviation of the data, as the distillation assumes.
const DATA: f32 = 0.5;

/// The plan of a request: its timesteps and the noise at each.
#[derive(Clone, Debug)]
pub(super) struct Lcm {
    prediction: Prediction,
    clip: Option<f32>,
    timesteps: Vec<f32>,
    /// Cumulated alphas at each timestep.
    alphas: Vec<f32>,
    scaling: f32,
}

impl Lcm {
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        // Other defaults than those of diffusers' other schedulers.
        let config = &SchedulerConfig {
            beta_start: config.beta_start.or(Some(0.00085)),
            beta_end: config.beta_end.or(Some(0.012)),
            beta_schedule: config.beta_schedule.clone().or_else(|| Some("scaled_linear".into())),
            ..config.clone()
        };
        let trained = config.alphas_cumprod()?;
        let distilled = config.original_inference_steps as usize;
        if !(1..=trained.len()).contains(&distilled) {
            let known = "1 to num_train_timesteps";
            return Err(unsupported("original_inference_steps", &distilled.to_string(), known));
        }
        if steps == 0 || steps as usize > distilled {
            return Err(SchedulerError::Steps { steps, trained: distilled });
        }
        // The timesteps of the distillation, and of those, from the noisiest, as many as there are steps.
        let stride = trained.len() / distilled;
        let pick = |k: u32| (f64::from(k) * (distilled as f64 / f64::from(steps))).floor() as usize;
        let timesteps: Vec<usize> = (0..steps).map(|k| (distilled - pick(k)) * stride - 1).collect();
        let alphas = timesteps.iter().map(|&t| trained[t]).collect();
        let timesteps = timesteps.iter().map(|&t| t as f32).collect();
        let clip = (config.clip_sample == Some(true)).then_some(config.clip_sample_range);
        Ok(Self { prediction: config.prediction()?, clip, timesteps, alphas, scaling: config.timestep_scaling })
    }

    pub(super) fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    /// The last step adds none.
    pub(super) fn adds_noise(&self, k: usize) -> bool {
        k + 1 < self.timesteps.len()
    }

    pub(super) fn noised(&self, k: usize, clean: &[f32], noise: &[f32]) -> Vec<f32> {
        let alpha = self.alphas[k];
        let (signal, deviation) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        clean.iter().zip(noise).map(|(x, noise)| signal * x + deviation * noise).collect()
    }

    pub(super) fn step(&self, k: usize, sample: &[f32], output: &[f32], noise: &[f32]) -> Vec<f32> {
        let alpha = self.alphas[k];
        let (signal, deviation) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        // The less noise, the more of the sample itself stays.
        let time = self.timesteps[k] * self.scaling;
        let (skip, out) = (DATA * DATA / (time * time + DATA * DATA), time / (time * time + DATA * DATA).sqrt());
        let denoise = |(&x, &made): (&f32, &f32)| {
            let clean = match self.prediction {
                Prediction::Epsilon => (x - deviation * made) / signal,
                Prediction::Sample => made,
                Prediction::Velocity => signal * x - deviation * made,
            };
            let clean = self.clip.map_or(clean, |range| clean.max(-range).min(range));
            out * clean + skip * x
        };
        let denoised: Vec<f32> = sample.iter().zip(output).map(denoise).collect();
        if self.adds_noise(k) { self.noised(k + 1, &denoised, noise) } else { denoised }
    }
}
