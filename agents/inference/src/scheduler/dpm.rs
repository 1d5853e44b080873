//! DPM-Solver++(2M) (Lu et al., 2022), as diffusers' `DPMSolverMultistepScheduler` computes it with order 2: each step draws
//! a line through the predictions of this step and of the one before.

use super::{
    SchedulerError,
    config::{Prediction, SchedulerConfig, Spacing, unsupported},
    sigmas::{interpolate, karras, ln, timestep_of},
};

/// Up to how many steps the end is smoothed.
const FEW: usize = 15;

/// The plan of a request: its timesteps, and the noise before and after each.
#[derive(Clone, Debug)]
pub(super) struct DpmSolver {
    prediction: Prediction,
    timesteps: Vec<f32>,
    /// One more than there are steps.
    sigmas: Vec<f32>,
    /// Whether the last step is of the first order.
    plain_end: bool,
}

/// A deviation as the signal's factor, the noise's, and half the logarithm of their ratio.
struct Level {
    alpha: f32,
    sigma: f32,
    lambda: f32,
}

impl Level {
    fn new(sigma: f32) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        let sigma = sigma * alpha;
        Self { alpha, sigma, lambda: ln(alpha) - ln(sigma) }
    }
}

impl DpmSolver {
    pub(super) fn plan(config: &SchedulerConfig, steps: u32) -> Result<Self, SchedulerError> {
        if config.solver_order != 2 {
            return Err(unsupported("solver_order", &config.solver_order.to_string(), "2"));
        }
        if config.algorithm_type != "dpmsolver++" {
            return Err(unsupported("algorithm_type", &config.algorithm_type, "dpmsolver++"));
        }
        // What other solvers' files say there stands for the midpoint.
        if !["midpoint", "logrho", "bh1", "bh2"].contains(&config.solver_type.as_str()) {
            return Err(unsupported("solver_type", &config.solver_type, "midpoint"));
        }
        for (field, value) in
            [("lambda_min_clipped", &config.lambda_min_clipped), ("variance_type", &config.variance_type)]
        {
            if !value.is_null() {
                return Err(unsupported(field, &value.to_string(), "none"));
            }
        }
        let trained = config.trained_sigmas()?;
        let spacing = config.spacing(Spacing::Linspace)?;
        let mut timesteps = config.timesteps(steps, spacing, true)?;
        timesteps.iter_mut().for_each(|t| *t = t.round_ties_even());
        let by_karras = config.karras()?;
        let sigmas: Vec<f64> = if let (true, Some(&max), Some(&min)) = (by_karras, trained.last(), trained.first()) {
            let logarithms: Vec<f32> = trained.iter().map(|&sigma| ln(sigma)).collect();
            let sigmas = karras(max.into(), min.into(), timesteps.len());
            timesteps = sigmas.iter().map(|&sigma| timestep_of(sigma, &logarithms)).collect();
            // Not rounded first where diffusers does not.
            if config.beta_schedule.as_deref() != Some("squaredcos_cap_v2") {
                timesteps.iter_mut().for_each(|t| *t = t.round_ties_even());
            }
            timesteps.iter_mut().for_each(|t| *t = t.trunc());
            sigmas
        } else {
            timesteps.iter().map(|&t| interpolate(&trained, t)).collect()
        };
        // Two steps at one noise would divide by zero; and diffusers looks its first step up by the timestep.
        let repeated = timesteps.first() == timesteps.get(1) || !sigmas.is_sorted_by(|one, next| one > next);
        if repeated {
            return Err(SchedulerError::Repeated { steps });
        }
        let last = config.final_sigma()?;
        let plain_end = config.euler_at_final
            || (config.lower_order_final && timesteps.len() < FEW)
            || !config.ends_above_zero()?;
        let sigmas = sigmas.iter().map(|&sigma| sigma as f32).chain([last]).collect();
        let timesteps = timesteps.iter().map(|&t| t as f32).collect();
        Ok(Self { prediction: config.prediction()?, timesteps, sigmas, plain_end })
    }

    pub(super) fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    pub(super) fn noised(&self, k: usize, clean: &[f32], noise: &[f32]) -> Vec<f32> {
        let Level { alpha, sigma, .. } = Level::new(self.sigmas[k]);
        clean.iter().zip(noise).map(|(x, noise)| alpha * x + sigma * noise).collect()
    }

    /// The sample after step `k` and the clean sample that step `k` predicts, which the next step needs. `previous` is what
    /// the step before predicted; the request's `first` step has none.
    pub(super) fn step(
        &self,
        k: usize,
        first: bool,
        sample: &[f32],
        previous: &[f32],
        output: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let (now, next) = (Level::new(self.sigmas[k]), Level::new(self.sigmas[k + 1]));
        let predict = |(&x, &out): (&f32, &f32)| match self.prediction {
            Prediction::Epsilon => (x - now.sigma * out) / now.alpha,
            Prediction::Sample => out,
            Prediction::Velocity => now.alpha * x - now.sigma * out,
        };
        let clean: Vec<f32> = sample.iter().zip(output).map(predict).collect();
        let h = next.lambda - now.lambda;
        let keep = next.sigma / now.sigma;
        let pull = next.alpha * (libm::exp(f64::from(-h)) as f32 - 1.0);
        let straight = sample.iter().zip(&clean).map(|(x, clean)| keep * x - pull * clean);
        if first || (self.plain_end && k + 1 == self.timesteps.len()) {
            return (straight.collect(), clean);
        }
        let before = Level::new(self.sigmas[k - 1]);
        let ratio = (now.lambda - before.lambda) / h;
        let bend = |(clean, previous): (&f32, &f32)| 0.5 * pull * ((1.0 / ratio) * (clean - previous));
        let bent = straight.zip(clean.iter().zip(previous).map(bend)).map(|(x, bend)| x - bend).collect();
        (bent, clean)
    }
}
