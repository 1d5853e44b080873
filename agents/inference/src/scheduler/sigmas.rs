//! Noise by its standard deviation where the signal is not scaled down, as Euler's method and DPM++ reckon.

use super::{SchedulerError, config::SchedulerConfig};

/// ρ of Karras et al., 2022.
const RHO: f64 = 7.0;

impl SchedulerConfig {
    /// The deviation at each timestep of the training; at least one.
    pub(super) fn trained_sigmas(&self) -> Result<Vec<f32>, SchedulerError> {
        let mut alphas = self.alphas_cumprod()?;
        // Without signal the deviation would be infinite: diffusers leaves the least signal that fp16 can hold.
        if let Some(last) = alphas.last_mut().filter(|_| self.rescale_betas_zero_snr) {
            *last = 2.0_f32.powi(-24);
        }
        Ok(alphas.iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect())
    }

    /// The deviation after the last step.
    pub(super) fn final_sigma(&self) -> Result<f32, SchedulerError> {
        // Of the first timestep: what is rescaled is the last.
        let least = self.alphas_cumprod()?.first().map_or(0.0, |alpha| ((1.0 - alpha) / alpha).sqrt());
        Ok(if self.ends_above_zero()? { least } else { 0.0 })
    }
}

/// The value of `table` at `index`, which is not past its end, on the straight line between its neighbours.
pub(super) fn interpolate(table: &[f32], index: f64) -> f64 {
    let left = index.floor() as usize;
    let at = |i: usize| table.get(i).copied().map_or(0.0, f64::from);
    let (from, to) = (at(left), at(left + 1));
    let rest = index - index.floor();
    if rest == 0.0 { from } else { (to - from) * rest + from }
}

/// `count` deviations from `max` to `min`, closer together where they are small.
pub(super) fn karras(max: f64, min: f64, count: usize) -> Vec<f64> {
    let (max, min) = (libm::pow(max, 1.0 / RHO), libm::pow(min, 1.0 / RHO));
    let stride = 1.0 / (count.max(2) - 1) as f64;
    let ramp = |i: usize| if i > 0 && i + 1 == count { 1.0 } else { i as f64 * stride };
    (0..count).map(|i| libm::pow(max + ramp(i) * (min - max), RHO)).collect()
}

/// The logarithm, rounded once: alike on every machine, unlike the C library's.
pub(super) fn ln(value: f32) -> f32 {
    libm::log(f64::from(value)) as f32
}

/// The timestep of the training, and the part of one, at which the deviation is `sigma`; `logarithms` are those of the
/// training's, which rise.
pub(super) fn timestep_of(sigma: f64, logarithms: &[f32]) -> f64 {
    let sought = libm::log(sigma.max(1e-10));
    let below = logarithms.iter().rposition(|&logarithm| sought - f64::from(logarithm) >= 0.0).unwrap_or(0);
    let low = below.min(logarithms.len().saturating_sub(2));
    let (Some(&from), Some(&to)) = (logarithms.get(low), logarithms.get(low + 1)) else { return 0.0 };
    let share = ((f64::from(from) - sought) / f64::from(from - to)).clamp(0.0, 1.0);
    (1.0 - share) * low as f64 + share * (low + 1) as f64
}
