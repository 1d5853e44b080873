//! How a sample moves from noise to a picture: the arithmetic of diffusers' schedulers, in the same order and in fp32.
//!
//! A new scheduler is a file beside this one, a variant of [`Scheduler`] and a name in [`Scheduler::plan`].

mod config;
mod ddim;
mod euler;

pub use config::SchedulerConfig;
pub use ddim::Ddim;
pub use euler::Euler;

/// Names that requests may use, if the manifest allows them too.
pub const NAMES: &[&str] = &["ddim", "euler"];

/// Why a scheduler cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchedulerError {
    /// No scheduler of this name.
    #[error("there is no scheduler {0:?}; there are {known}", known = NAMES.join(", "))]
    Unknown(String),
    /// Settings that this version does not follow.
    #[error("scheduler_config.json has {field} {found}; this version follows {known}")]
    Unsupported {
        /// Field of the settings.
        field: &'static str,
        /// Its value.
        found: String,
        /// Values that would do.
        known: &'static str,
    },
    /// More steps than the model was trained with.
    #[error("{steps} steps with these settings lead outside the {trained} that the model was trained with")]
    Steps {
        /// Asked for.
        steps: u32,
        /// num_train_timesteps.
        trained: usize,
    },
}

/// The steps of one request, computed before the first.
#[derive(Clone, Debug)]
pub enum Scheduler {
    /// DDIM with eta 0.
    Ddim(Ddim),
    /// Euler's method.
    Euler(Euler),
}

impl Scheduler {
    /// Plans `steps` steps of the scheduler called `name`.
    ///
    /// # Errors
    /// [`SchedulerError`] if this version cannot do that exactly as diffusers does.
    pub fn plan(name: &str, config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        match name {
            "ddim" => Ddim::plan(config, steps).map(Self::Ddim),
            "euler" => Euler::plan(config, steps).map(Self::Euler),
            other => Err(SchedulerError::Unknown(other.chars().take(40).collect())),
        }
    }

    /// What the denoiser is told at each step, one entry a step.
    pub fn timesteps(&self) -> &[f32] {
        match self {
            Self::Ddim(ddim) => ddim.timesteps(),
            Self::Euler(euler) => euler.timesteps(),
        }
    }

    /// What standard normal noise is multiplied by to be the first sample.
    pub fn init_scale(&self) -> f32 {
        match self {
            Self::Ddim(_) => 1.0,
            Self::Euler(euler) => euler.init_scale(),
        }
    }

    /// The sample as the denoiser is shown it at step `k`, which must be below the number of steps.
    pub fn input(&self, k: usize, sample: &[f32]) -> Vec<f32> {
        match self {
            Self::Ddim(_) => sample.to_vec(),
            Self::Euler(euler) => euler.input(k, sample),
        }
    }

    /// The sample after step `k`, from the sample before it and what the denoiser made of that. `k` must be below the
    /// number of steps.
    pub fn step(&self, k: usize, sample: &[f32], output: &[f32]) -> Vec<f32> {
        match self {
            Self::Ddim(ddim) => ddim.step(k, sample, output),
            Self::Euler(euler) => euler.step(k, sample, output),
        }
    }
}
