//! `scheduler/scheduler_config.json`, as diffusers writes it for any of its schedulers.

use super::SchedulerError;
use serde::Deserialize;
use serde_json::Value;

/// The settings that matter here. What a file leaves out has the value that diffusers' DDIM scheduler gives it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    num_train_timesteps: usize,
    beta_start: f64,
    beta_end: f64,
    beta_schedule: String,
    trained_betas: Value,
    rescale_betas_zero_snr: bool,
    thresholding: bool,
    use_karras_sigmas: bool,
    use_exponential_sigmas: bool,
    use_beta_sigmas: bool,
    interpolation_type: String,
    final_sigmas_type: String,
    timestep_type: String,
    pub(super) clip_sample: bool,
    pub(super) clip_sample_range: f32,
    pub(super) set_alpha_to_one: bool,
    pub(super) steps_offset: u32,
    pub(super) prediction_type: String,
    pub(super) timestep_spacing: String,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: "linear".into(),
            trained_betas: Value::Null,
            rescale_betas_zero_snr: false,
            thresholding: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            interpolation_type: "linear".into(),
            final_sigmas_type: "zero".into(),
            timestep_type: "discrete".into(),
            clip_sample: true,
            clip_sample_range: 1.0,
            set_alpha_to_one: true,
            steps_offset: 0,
            prediction_type: "epsilon".into(),
            timestep_spacing: "leading".into(),
        }
    }
}

/// What the denoiser was trained to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    /// The noise.
    Epsilon,
    /// A mix of noise and sample.
    Velocity,
    /// The sample without noise.
    Sample,
}

impl SchedulerConfig {
    pub(super) fn prediction(&self) -> Result<Prediction, SchedulerError> {
        match self.prediction_type.as_str() {
            "epsilon" => Ok(Prediction::Epsilon),
            "v_prediction" => Ok(Prediction::Velocity),
            "sample" => Ok(Prediction::Sample),
            other => Err(unsupported("prediction_type", other, "epsilon, v_prediction and sample")),
        }
    }

    /// The error for a prediction that one scheduler lacks.
    pub(super) fn unsupported_prediction(&self, known: &'static str) -> SchedulerError {
        unsupported("prediction_type", &self.prediction_type, known)
    }

    /// The standard deviation of the noise at each timestep of the training, where the signal is not scaled down.
    pub(super) fn sigmas(&self) -> Result<Vec<f32>, SchedulerError> {
        for (field, set) in [
            ("use_karras_sigmas", self.use_karras_sigmas),
            ("use_exponential_sigmas", self.use_exponential_sigmas),
            ("use_beta_sigmas", self.use_beta_sigmas),
            // The last sigma would be infinite.
            ("rescale_betas_zero_snr", self.rescale_betas_zero_snr),
        ] {
            if set {
                return Err(unsupported(field, "true", "false with this scheduler"));
            }
        }
        for (field, found, known) in [
            ("interpolation_type", &self.interpolation_type, "linear"),
            ("final_sigmas_type", &self.final_sigmas_type, "zero"),
            ("timestep_type", &self.timestep_type, "discrete"),
        ] {
            if found != known {
                return Err(unsupported(field, found, known));
            }
        }
        Ok(self.alphas_cumprod()?.iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect())
    }

    /// The timestep of each step, from the noisiest, all below the number of those trained. Only `linspace` gives fractions.
    pub(super) fn timesteps(&self, steps: u32) -> Result<Vec<f64>, SchedulerError> {
        let trained = self.num_train_timesteps;
        let outside = SchedulerError::Steps { steps, trained };
        if steps == 0 || steps as usize > trained {
            return Err(outside);
        }
        let (trained_f, steps_f) = (trained as f64, f64::from(steps));
        let at = |i: u32| match self.timestep_spacing.as_str() {
            "leading" => Ok(f64::from(i) * (trained / steps as usize) as f64 + f64::from(self.steps_offset)),
            "linspace" if steps == 1 => Ok(0.0),
            "linspace" => Ok(f64::from(i) * ((trained_f - 1.0) / (steps_f - 1.0))),
            // NumPy rounds halves to even.
            "trailing" => Ok((trained_f - f64::from(steps - 1 - i) * (trained_f / steps_f)).round_ties_even() - 1.0),
            other => Err(unsupported("timestep_spacing", other, "leading, trailing and linspace")),
        };
        let timesteps: Vec<f64> = (0..steps).rev().map(at).collect::<Result<_, _>>()?;
        let inside = timesteps.iter().all(|t| (0.0..=trained_f - 1.0).contains(t));
        if inside { Ok(timesteps) } else { Err(outside) }
    }

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
        let betas: Vec<f32> = match self.beta_schedule.as_str() {
            "linear" => linspace(self.beta_start as f32, self.beta_end as f32, count),
            "scaled_linear" => {
                let roots = linspace(self.beta_start.sqrt() as f32, self.beta_end.sqrt() as f32, count);
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

fn unsupported(field: &'static str, found: &str, known: &'static str) -> SchedulerError {
    SchedulerError::Unsupported { field, found: found.chars().take(40).collect(), known }
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
