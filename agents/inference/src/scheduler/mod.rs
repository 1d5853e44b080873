//! How a sample moves from noise to a picture: the arithmetic of diffusers' schedulers, in the same order and in fp32.
//!
//! A new scheduler is a file beside this one, a variant of `Method` and a name in [`NAMES`] and [`Scheduler::plan`].

mod betas;
mod config;
mod ddim;
mod dpm;
mod euler;
mod euler_ancestral;
mod lcm;
mod sigmas;

pub use config::SchedulerConfig;
use ddim::Ddim;
use dpm::DpmSolver;
use euler::Euler;
use euler_ancestral::EulerAncestral;
use lcm::Lcm;

/// Names that requests may use, if the manifest allows them too.
pub const NAMES: &[&str] = &["ddim", "euler", "euler-ancestral", "dpmpp-2m", "lcm"];

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
    /// So many steps that two of them would be the same.
    #[error("{steps} steps with these settings come to a timestep twice: ask for fewer")]
    Repeated {
        /// Asked for.
        steps: u32,
    },
}

/// The steps of one request, computed before the first.
#[derive(Clone, Debug)]
pub struct Scheduler {
    method: Method,
    /// Steps that the request leaves out.
    skipped: usize,
}

#[derive(Clone, Debug)]
enum Method {
    Ddim(Ddim),
    Euler(Euler),
    EulerAncestral(EulerAncestral),
    DpmSolver(DpmSolver),
    Lcm(Lcm),
}

impl Scheduler {
    /// Plans `steps` steps of the scheduler called `name`.
    ///
    /// # Errors
    /// [`SchedulerError`] if this version cannot do that exactly as diffusers does.
    pub fn plan(name: &str, config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        let method = match name {
            "ddim" => Ddim::plan(config, steps).map(Method::Ddim),
            "euler" => Euler::plan(config, steps).map(Method::Euler),
            "euler-ancestral" => EulerAncestral::plan(config, steps).map(Method::EulerAncestral),
            "dpmpp-2m" => DpmSolver::plan(config, steps).map(Method::DpmSolver),
            "lcm" => Lcm::plan(config, steps).map(Method::Lcm),
            other => Err(SchedulerError::Unknown(other.chars().take(40).collect())),
        };
        Ok(Self { method: method?, skipped: 0 })
    }

    /// The same plan without its first `count` steps, the noisiest: an input picture stands for them.
    #[must_use]
    pub fn skip(self, count: u32) -> Self {
        Self { skipped: count as usize, ..self }
    }

    /// Tensors that a state of the scheduler called `name` has: the sample and, where a step needs more than that, what the
    /// step before leaves to it.
    pub fn tensors(name: &str) -> usize {
        if name == "dpmpp-2m" { 2 } else { 1 }
    }

    /// What the denoiser is told at each step, one entry a step.
    pub fn timesteps(&self) -> &[f32] {
        let all = match &self.method {
            Method::Ddim(ddim) => ddim.timesteps(),
            Method::Euler(euler) => euler.timesteps(),
            Method::EulerAncestral(ancestral) => ancestral.euler().timesteps(),
            Method::DpmSolver(solver) => solver.timesteps(),
            Method::Lcm(lcm) => lcm.timesteps(),
        };
        all.get(self.skipped..).unwrap_or_default()
    }

    /// What standard normal noise is multiplied by to be the first sample, where no picture is its beginning.
    pub fn init_scale(&self) -> f32 {
        match &self.method {
            Method::Euler(euler) => euler.init_scale(),
            Method::EulerAncestral(ancestral) => ancestral.euler().init_scale(),
            Method::Ddim(_) | Method::DpmSolver(_) | Method::Lcm(_) => 1.0,
        }
    }

    /// A clean sample with as much of the standard normal `noise` as the first step expects. There must be a step.
    pub fn noised(&self, clean: &[f32], noise: &[f32]) -> Vec<f32> {
        let k = self.skipped;
        match &self.method {
            Method::Ddim(ddim) => ddim.noised(k, clean, noise),
            Method::Euler(euler) => euler.noised(k, clean, noise),
            Method::EulerAncestral(ancestral) => ancestral.euler().noised(k, clean, noise),
            Method::DpmSolver(solver) => solver.noised(k, clean, noise),
            Method::Lcm(lcm) => lcm.noised(k, clean, noise),
        }
    }

    /// The sample as the denoiser is shown it at step `k`, which must be below the number of steps.
    pub fn input(&self, k: usize, sample: &[f32]) -> Vec<f32> {
        match &self.method {
            Method::Euler(euler) => euler.input(k + self.skipped, sample),
            Method::EulerAncestral(ancestral) => ancestral.euler().input(k + self.skipped, sample),
            Method::Ddim(_) | Method::DpmSolver(_) | Method::Lcm(_) => sample.to_vec(),
        }
    }

    /// Whether step `k`, which must be below the number of steps, adds noise.
    pub fn adds_noise(&self, k: usize) -> bool {
        match &self.method {
            Method::EulerAncestral(ancestral) => ancestral.adds_noise(k + self.skipped),
            Method::Lcm(lcm) => lcm.adds_noise(k + self.skipped),
            Method::Ddim(_) | Method::Euler(_) | Method::DpmSolver(_) => false,
        }
    }

    /// The tensors of the state after step `k`, from the `tensors` of the state before it (as many as
    /// [`Scheduler::tensors`] says) and what the denoiser made of the first of them. `k` must be below the number of
    /// steps. `noise` is standard normal and as long as the sample where [`Scheduler::adds_noise`] says so; elsewhere
    /// it is not looked at.
    pub fn step(&self, k: usize, tensors: &[Vec<f32>], output: &[f32], noise: &[f32]) -> Vec<Vec<f32>> {
        let tensor = |i: usize| tensors.get(i).map(Vec::as_slice).unwrap_or_default();
        let (sample, at) = (tensor(0), k + self.skipped);
        match &self.method {
            Method::Ddim(ddim) => vec![ddim.step(at, sample, output)],
            Method::Euler(euler) => vec![euler.step(at, euler.sigmas(at).1, sample, output)],
            Method::EulerAncestral(ancestral) => vec![ancestral.step(at, sample, output, noise)],
            Method::DpmSolver(solver) => {
                let (sample, clean) = solver.step(at, k == 0, sample, tensor(1), output);
                vec![sample, clean]
            }
            Method::Lcm(lcm) => vec![lcm.step(at, sample, output, noise)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(name: &str, config: Value, steps: u32) -> Result<Scheduler, SchedulerError> {
        Scheduler::plan(name, &SchedulerConfig::parse(config.to_string().as_bytes()).unwrap(), steps)
    }

    #[test]
    fn settings_that_are_not_followed_are_refused() {
        for (name, config, field) in [
            ("dpmpp-2m", json!({"solver_order": 3}), "solver_order"),
            ("dpmpp-2m", json!({"algorithm_type": "sde-dpmsolver++"}), "algorithm_type"),
            ("dpmpp-2m", json!({"solver_type": "heun"}), "solver_type"),
            ("dpmpp-2m", json!({"lambda_min_clipped": -5.1}), "lambda_min_clipped"),
            ("dpmpp-2m", json!({"variance_type": "learned_range"}), "variance_type"),
            ("dpmpp-2m", json!({"use_lu_lambdas": true}), "use_lu_lambdas"),
            ("dpmpp-2m", json!({"use_flow_sigmas": true}), "use_flow_sigmas"),
            ("dpmpp-2m", json!({"final_sigmas_type": "one"}), "final_sigmas_type"),
            ("euler", json!({"use_beta_sigmas": true}), "use_beta_sigmas"),
            ("euler", json!({"use_exponential_sigmas": true}), "use_exponential_sigmas"),
            ("euler", json!({"sigma_max": 20.0}), "sigma_max"),
            ("euler", json!({"interpolation_type": "log_linear"}), "interpolation_type"),
            ("euler", json!({"timestep_type": "continuous"}), "timestep_type"),
            ("euler", json!({"prediction_type": "sample"}), "prediction_type"),
            ("euler-ancestral", json!({"prediction_type": "sample"}), "prediction_type"),
            ("lcm", json!({"original_inference_steps": 0}), "original_inference_steps"),
            ("lcm", json!({"original_inference_steps": 1001}), "original_inference_steps"),
        ] {
            let error = plan(name, config, 4).unwrap_err();
            assert!(matches!(&error, SchedulerError::Unsupported { field: found, .. } if *found == field), "{error}");
        }
    }

    #[test]
    fn more_steps_than_there_are_timesteps_are_refused() {
        assert_eq!(plan("lcm", json!({}), 51).unwrap_err(), SchedulerError::Steps { steps: 51, trained: 50 });
        assert_eq!(plan("dpmpp-2m", json!({}), 1000).unwrap_err(), SchedulerError::Repeated { steps: 1000 });
        let karras = json!({"use_karras_sigmas": true, "beta_schedule": "squaredcos_cap_v2"});
        assert_eq!(plan("dpmpp-2m", karras, 5).unwrap_err(), SchedulerError::Repeated { steps: 5 });
        for name in NAMES {
            assert!(matches!(plan(name, json!({}), 0), Err(SchedulerError::Steps { .. })), "{name}");
            assert!(matches!(plan(name, json!({}), 1001), Err(SchedulerError::Steps { .. })), "{name}");
        }
    }

    #[test]
    fn a_file_that_python_wrote_is_read() {
        let text = b"{\n  \"lambda_min_clipped\": -Infinity,\n  \"solver_order\": 2\n}";
        Scheduler::plan("dpmpp-2m", &SchedulerConfig::parse(text).unwrap(), 4).unwrap();
        assert!(SchedulerConfig::parse(b"{\"beta_start\": Infinity}").is_err());
    }
}
