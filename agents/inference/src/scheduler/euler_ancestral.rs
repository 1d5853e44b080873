//! Ancestral sampling with Euler's steps (k-diffusion), as diffusers' `EulerAncestralDiscreteScheduler` computes it: each
//! step goes further down than it has to, and adds noise to come back up.

use super::{SchedulerError, config::SchedulerConfig, euler::Euler};

/// The plan of a request.
#[derive(Clone, Debug)]
pub(super) struct EulerAncestral {
    euler: Euler,
}

impl EulerAncestral {
    /// Karras' sigmas and a last sigma above zero are [`Euler`]'s alone: diffusers does not look at those settings here.
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        Ok(Self { euler: Euler::with(config, steps, false, 0.0)? })
    }

    /// Without the noise that its steps add.
    pub(super) fn euler(&self) -> &Euler {
        &self.euler
    }

    /// The deviations that step `k` goes down to and adds.
    fn down_and_up(&self, k: usize) -> (f32, f32) {
        let (from, to) = self.euler.sigmas(k);
        let (from, to) = (from * from, to * to);
        let up = (to * (from - to) / from).sqrt();
        ((to - up * up).sqrt(), up)
    }

    pub(super) fn adds_noise(&self, k: usize) -> bool {
        self.down_and_up(k).1 != 0.0
    }

    pub(super) fn step(&self, k: usize, sample: &[f32], output: &[f32], noise: &[f32]) -> Vec<f32> {
        let (down, up) = self.down_and_up(k);
        let lower = self.euler.step(k, down, sample, output);
        if !self.adds_noise(k) {
            return lower;
        }
        lower.iter().zip(noise).map(|(x, noise)| x + noise * up).collect()
    }
}
