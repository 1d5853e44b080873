//! How far two honest machines may differ, and what says so.

use crate::body::Decimal;
use serde::{Deserialize, Serialize};

/// τ is at least so many times what any honest machine that was measured is off: others were not.
pub const HONEST_MARGIN: f64 = 10.0;

/// The nearest fake's trace is off by at least so many times τ.
pub const FAKE_MARGIN: f64 = 3.0;

/// Decimals are not exact in binary: a margin that is kept but for this share of it is kept.
const ROUNDING: f64 = 1e-9;

/// How far two honest machines may differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// τ: largest relative and max-norm error of a step.
    pub step: Decimal,
    /// Least denominator of the relative error.
    pub floor: Decimal,
    /// Largest difference of a picture's byte. Outputs that are no pictures are held against `step` and `floor`.
    pub pixel: u32,
    /// What was measured with this floor by `miner-agent model calibrate`, which alone writes it. None for a tolerance that is a guess, or
    /// whose model has fakes that cannot be told from honest work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
}

/// What τ lies between. Anybody with the package can measure it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrated {
    /// Requests that each way of working was measured on.
    pub requests: u32,
    /// How far the worst honest trace is off.
    pub honest: Decimal,
    /// How far the best trace of any fake is off.
    pub fake: Decimal,
}

impl Tolerance {
    /// Whether τ keeps both margins between honest work and fakes, as they were measured: 10 · honest ≤ τ ≤ fake / 3.
    pub fn separates(&self) -> bool {
        let step = self.step.to_f64();
        self.calibrated.as_ref().is_some_and(|Calibrated { requests, honest, fake }| {
            let [least, most] = [HONEST_MARGIN * honest.to_f64(), fake.to_f64() / FAKE_MARGIN];
            *requests > 0 && least <= step * (1.0 + ROUNDING) && step <= most * (1.0 + ROUNDING)
        })
    }
}
