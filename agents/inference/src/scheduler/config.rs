//! `scheduler/scheduler_config.json`, as diffusers writes it for any of its schedulers.

use super::SchedulerError;
use serde::Deserialize;
use serde_json::Value;

/// The settings that matter here. What a file leaves out has the value that diffusers' scheduler of the request gives it;
/// where those differ among schedulers, the field is an option.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    pub(super) num_train_timesteps: usize,
    pub(super) beta_start: Option<f64>,
    pub(super) beta_end: Option<f64>,
    pub(super) beta_schedule: Option<String>,
    pub(super) trained_betas: Value,
    pub(super) rescale_betas_zero_snr: bool,
    pub(super) thresholding: bool,
    pub(super) use_karras_sigmas: Option<bool>,
    pub(super) use_exponential_sigmas: Option<bool>,
    pub(super) use_beta_sigmas: Option<bool>,
    pub(super) use_lu_lambdas: Option<bool>,
    pub(super) use_flow_sigmas: Option<bool>,
    pub(super) sigma_min: Value,
    pub(super) sigma_max: Value,
    pub(super) interpolation_type: String,
    pub(super) final_sigmas_type: String,
    pub(super) timestep_type: String,
    pub(super) clip_sample: Option<bool>,
    pub(super) clip_sample_range: f32,
    pub(super) set_alpha_to_one: bool,
    pub(super) steps_offset: u32,
    pub(super) prediction_type: String,
    pub(super) timestep_spacing: Option<String>,
    pub(super) solver_order: u32,
    pub(super) algorithm_type: String,
    pub(super) solver_type: String,
    pub(super) lower_order_final: bool,
    pub(super) euler_at_final: bool,
    pub(super) lambda_min_clipped: Value,
    pub(super) variance_type: Value,
    pub(super) original_inference_steps: u32,
    pub(super) timestep_scaling: f32,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: None,
            beta_end: None,
            beta_schedule: None,
            trained_betas: Value::Null,
            rescale_betas_zero_snr: false,
            thresholding: false,
            use_karras_sigmas: None,
            use_exponential_sigmas: None,
            use_beta_sigmas: None,
            use_lu_lambdas: None,
            use_flow_sigmas: None,
            sigma_min: Value::Null,
            sigma_max: Value::Null,
            interpolation_type: "linear".into(),
            final_sigmas_type: "zero".into(),
            timestep_type: "discrete".into(),
            clip_sample: None,
            clip_sample_range: 1.0,
            set_alpha_to_one: true,
            steps_offset: 0,
            prediction_type: "epsilon".into(),
            timestep_spacing: None,
            solver_order: 2,
            algorithm_type: "dpmsolver++".into(),
            solver_type: "midpoint".into(),
            lower_order_final: true,
            euler_at_final: false,
            lambda_min_clipped: Value::Null,
            variance_type: Value::Null,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
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

/// How timesteps lie among those of the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Leading,
    Linspace,
    Trailing,
}

impl SchedulerConfig {
    /// Reads the file's bytes. Python writes an infinity, as DPM++ has one, in a way that is no JSON.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let text = String::from_utf8_lossy(bytes);
        serde_json::from_str(&text.replace(": -Infinity", ": null").replace(":-Infinity", ":null"))
    }

    pub(super) fn prediction(&self) -> Result<Prediction, SchedulerError> {
        match self.prediction_type.as_str() {
            "epsilon" => Ok(Prediction::Epsilon),
            "v_prediction" => Ok(Prediction::Velocity),
            "sample" => Ok(Prediction::Sample),
            other => Err(unsupported("prediction_type", other, "epsilon, v_prediction and sample")),
        }
    }

    /// The prediction, for a scheduler that knows no [`Prediction::Sample`]: whether it is [`Prediction::Velocity`].
    pub(super) fn velocity(&self) -> Result<bool, SchedulerError> {
        match self.prediction()? {
            Prediction::Epsilon => Ok(false),
            Prediction::Velocity => Ok(true),
            Prediction::Sample => Err(unsupported(
                "prediction_type",
                &self.prediction_type,
                "epsilon and v_prediction with this scheduler",
            )),
        }
    }

    /// Whether Karras' sigmas are asked for. Other sigmas of their own are refused.
    pub(super) fn karras(&self) -> Result<bool, SchedulerError> {
        for (field, set) in [
            ("use_exponential_sigmas", self.use_exponential_sigmas),
            ("use_beta_sigmas", self.use_beta_sigmas),
            ("use_lu_lambdas", self.use_lu_lambdas),
            ("use_flow_sigmas", self.use_flow_sigmas),
        ] {
            if set == Some(true) {
                return Err(unsupported(field, "true", "false with this scheduler"));
            }
        }
        for (field, value) in [("sigma_min", &self.sigma_min), ("sigma_max", &self.sigma_max)] {
            if !value.is_null() {
                return Err(unsupported(field, &value.to_string(), "null"));
            }
        }
        Ok(self.use_karras_sigmas == Some(true))
    }

    /// Timesteps of the training.
    pub(crate) fn trained(&self) -> usize {
        self.num_train_timesteps
    }

    /// Whether the sigma after the last step is the least of the training, not zero.
    pub(super) fn ends_above_zero(&self) -> Result<bool, SchedulerError> {
        match self.final_sigmas_type.as_str() {
            "zero" => Ok(false),
            "sigma_min" => Ok(true),
            other => Err(unsupported("final_sigmas_type", other, "zero and sigma_min")),
        }
    }

    /// How timesteps are spaced; `otherwise` if the file does not say.
    pub(super) fn spacing(&self, otherwise: Spacing) -> Result<Spacing, SchedulerError> {
        match self.timestep_spacing.as_deref() {
            None => Ok(otherwise),
            Some("leading") => Ok(Spacing::Leading),
            Some("linspace") => Ok(Spacing::Linspace),
            Some("trailing") => Ok(Spacing::Trailing),
            Some(other) => Err(unsupported("timestep_spacing", other, "leading, trailing and linspace")),
        }
    }

    /// The timestep of each step, from the noisiest, all below the number of those trained. Only `linspace` gives
    /// fractions. With `beyond`, the grid of `leading` and `linspace` has one point more, the least noisy, which no step
    /// starts from.
    pub(super) fn timesteps(&self, steps: u32, spacing: Spacing, beyond: bool) -> Result<Vec<f64>, SchedulerError> {
        let trained = self.num_train_timesteps;
        let outside = SchedulerError::Steps { steps, trained };
        if steps == 0 || steps as usize > trained {
            return Err(outside);
        }
        let points = steps + u32::from(beyond);
        let trained_f = trained as f64;
        let at = |k: u32| {
            let i = points - 1 - k;
            match spacing {
                Spacing::Leading => f64::from(i) * (trained / points as usize) as f64 + f64::from(self.steps_offset),
                Spacing::Linspace if points == 1 => 0.0,
                Spacing::Linspace => f64::from(i) * ((trained_f - 1.0) / f64::from(points - 1)),
                // NumPy rounds halves to even.
                Spacing::Trailing => {
                    (trained_f - f64::from(k) * (trained_f / f64::from(steps))).round_ties_even() - 1.0
                }
            }
        };
        let timesteps: Vec<f64> = (0..steps).map(at).collect();
        let inside = timesteps.iter().all(|t| (0.0..=trained_f - 1.0).contains(t));
        if inside { Ok(timesteps) } else { Err(outside) }
    }
}

pub(super) fn unsupported(field: &'static str, found: &str, known: &'static str) -> SchedulerError {
    SchedulerError::Unsupported { field, found: found.chars().take(40).collect(), known }
}
