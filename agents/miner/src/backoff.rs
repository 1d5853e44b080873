//! How long to wait after a failure.

use rand::RngExt;
use std::time::Duration;

/// Pauses that double up to a bound, with jitter, so that a coordinator that comes back is not met by all miners at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and says how long to wait: half to all of 0.5 s · 2ⁿ, at most 30 s.
    pub fn next(&mut self) -> Duration {
        let whole = Self::FIRST.saturating_mul(1 << self.failures.min(10)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    /// Whether the failure just counted is worth a line in the log: the first, the second, the fourth and so on.
    pub fn is_news(&self) -> bool {
        self.failures.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_start_over() {
        let mut backoff = Backoff::default();
        for n in 0..100 {
            let whole = (0.5 * 2f64.powi(n.min(10))).min(30.0);
            let pause = backoff.next().as_secs_f64();
            assert!(pause >= whole / 2.0 && pause <= whole, "{n}: {pause}");
        }
        backoff.reset();
        assert!(backoff.next() <= Backoff::FIRST);
        assert!(backoff.is_news());
    }
}
