//! How much of the signal is left at each timestep of the training.

use super::{
    SchedulerError,
    config::{SchedulerConfig, unsupported},
};

impl SchedulerConfig {
    /// The cumulated products of 1 − β, one for each timestep of the training; at least one.
    pub(super) fn alphas_cumprod(&self) -> Result<Vec<f32>, SchedulerError> {
        let count = self.num_train_timesteps;
        if !(1..=100_000).contains(&count) {
            return Err(unsupported("num_train_timesteps", &count.to_string(), "1 to 100000"));
        }
        if !self.trained_betas.is_null() {
            return Err(unsupported("trained_betas", "of its own", "null"));
        }
        if self.thresholding {
            return Err(unsupported("thresholding", "true", "false"));
        }
        let (start, end) = (self.beta_start.unwrap_or(0.0001), self.beta_end.unwrap_or(0.02));
        let betas: Vec<f32> = match self.beta_schedule.as_deref().unwrap_or("linear") {
            "linear" => linspace(start as f32, end as f32, count),
            "scaled_linear" => {
                let roots = linspace(start.sqrt() as f32, end.sqrt() as f32, count);
                roots.iter().map(|root| root * root).collect()
            }
            "squaredcos_cap_v2" => cosine_betas(count),
            other => return Err(unsupported("beta_schedule", other, "linear, scaled_linear and squaredcos_cap_v2")),
        };
        let products = cumulated(betas.iter().map(|beta| 1.0 - beta));
        if !self.rescale_betas_zero_snr {
            return Ok(products);
        }
        // The rescaled products, taken apart into factors and multiplied again, because diffusers does and it rounds.
        let rescaled = without_signal_at_the_end(&products);
        let ratios = rescaled.iter().skip(1).zip(&rescaled).map(|(next, previous)| next / previous);
        let betas = rescaled.iter().take(1).copied().chain(ratios).map(|alpha| 1.0 - alpha);
        Ok(cumulated(betas.map(|beta| 1.0 - beta)))
    }
}

/// As PyTorch spaces fp32 numbers: from both ends towards the middle.
fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = if count > 1 { (end - start) / (count - 1) as f32 } else { 0.0 };
    let value =
        |i| if i < count / 2 || count == 1 { start + step * i as f32 } else { end - step * (count - 1 - i) as f32 };
    (0..count).map(value).collect()
}

fn cosine_betas(count: usize) -> Vec<f32> {
    let alpha_bar = |t: f64| libm::pow(libm::cos((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2), 2.0);
    let at = |i: usize| i as f64 / count as f64;
    (0..count).map(|i| (1.0 - alpha_bar(at(i + 1)) / alpha_bar(at(i))).min(0.999) as f32).collect()
}

/// PyTorch multiplies fp32 numbers up in 64 bits and rounds each product.
fn cumulated(factors: impl Iterator<Item = f32>) -> Vec<f32> {
    let multiply = |product: &mut f64, factor: f32| {
        *product *= f64::from(factor);
        Some(*product as f32)
    };
    factors.scan(1.0, multiply).collect()
}

fn without_signal_at_the_end(products: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = products.iter().map(|product| product.sqrt()).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return roots };
    let rescale = |root: &f32| {
        let root = (root - last) * (first / (first - last));
        root * root
    };
    roots.iter().map(rescale).collect()
}
