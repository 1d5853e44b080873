//! Euler's method (Karras et al., 2022, algorithm 1) without added noise, as diffusers' `EulerDiscreteScheduler` computes it.

use super::{
    SchedulerError,
    config::{SchedulerConfig, Spacing, unsupported},
    sigmas::{interpolate, karras, ln, timestep_of},
};

/// The plan of a request: its timesteps, and the noise before and after each.
#[derive(Clone, Debug)]
pub(super) struct Euler {
    velocity: bool,
    timesteps: Vec<f32>,
    /// One more than there are steps.
    sigmas: Vec<f32>,
    init_scale: f32,
}

impl Euler {
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        for (field, found, known) in [
            ("interpolation_type", &config.interpolation_type, "linear"),
            ("timestep_type", &config.timestep_type, "discrete"),
        ] {
            if found != known {
                return Err(unsupported(field, found, known));
            }
        }
        let karras = config.karras()?;
        Self::with(config, steps, karras, config.final_sigma()?)
    }

    /// With the settings that the ancestral variant has too.
    pub(super) fn with(
        config: &SchedulerConfig,
        steps: u32,
        by_karras: bool,
        last: f32,
    ) -> Result<Self, SchedulerError> {
        let velocity = config.velocity()?;
        let trained = config.trained_sigmas()?;
        let spacing = config.spacing(Spacing::Linspace)?;
        let mut timesteps: Vec<f32> = config.timesteps(steps, spacing, false)?.iter().map(|&t| t as f32).collect();
        let mut sigmas: Vec<f64> = timesteps.iter().map(|&t| interpolate(&trained, t.into())).collect();
        if let (true, Some(&max), Some(&min)) = (by_karras, sigmas.first(), sigmas.last()) {
            let logarithms: Vec<f32> = trained.iter().map(|&sigma| ln(sigma)).collect();
            sigmas = karras(max, min, sigmas.len());
            timesteps = sigmas.iter().map(|&sigma| timestep_of(sigma, &logarithms) as f32).collect();
        }
        let sigmas: Vec<f32> = sigmas.iter().map(|&sigma| sigma as f32).chain([last]).collect();
        let largest = sigmas.iter().copied().fold(0.0, f32::max);
        // diffusers' latents start with the deviation of the first sigma; where the training's last timestep is left out,
        // with the signal's part besides.
        let init_scale = if spacing == Spacing::Leading { (largest * largest + 1.0).sqrt() } else { largest };
        Ok(Self { velocity, timesteps, sigmas, init_scale })
    }

    pub(super) fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    pub(super) fn init_scale(&self) -> f32 {
        self.init_scale
    }

    /// The deviations before and after step `k`.
    pub(super) fn sigmas(&self, k: usize) -> (f32, f32) {
        (self.sigmas[k], self.sigmas[k + 1])
    }

    pub(super) fn noised(&self, k: usize, clean: &[f32], noise: &[f32]) -> Vec<f32> {
        let sigma = self.sigmas[k];
        clean.iter().zip(noise).map(|(x, noise)| x + noise * sigma).collect()
    }

    pub(super) fn input(&self, k: usize, sample: &[f32]) -> Vec<f32> {
        let sigma = self.sigmas[k];
        let scale = (sigma * sigma + 1.0).sqrt();
        sample.iter().map(|x| x / scale).collect()
    }

    /// The sample with the deviation `to`, from the one before step `k` and what the denoiser made of that.
    pub(super) fn step(&self, k: usize, to: f32, sample: &[f32], output: &[f32]) -> Vec<f32> {
        let sigma = self.sigmas[k];
        let power = sigma * sigma + 1.0;
        let move_on = |(&x, &out): (&f32, &f32)| {
            let clean = if self.velocity { out * (-sigma / power.sqrt()) + x / power } else { x - sigma * out };
            x + (x - clean) / sigma * (to - sigma)
        };
        sample.iter().zip(output).map(move_on).collect()
    }
}
