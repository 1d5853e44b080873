//! From how far each transition of a trace is off to what is wrong with it: what audits go by, and what tolerances are calibrated for.

use crate::audit::Deviation;
use cuckoo_protocol::manifest::{Manifest, Tolerance};

/// How many times its tolerance a single step of half precision is off that no rounding explains.
pub const SEAM: f64 = 10.0;

/// How the steps of a trace are held against τ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Each by itself.
    Each,
    /// Their median, and each against [`SEAM`] · τ. A single step does not tell half precision from what is cheaper, their median does;
    /// but a state from elsewhere is plain in one.
    Median,
}

/// The transition that a trace is found guilty by, the one that is most off of those that an honest machine cannot have; None if all are as they
/// should be. Where a trace begins and ends is as exact in half precision as in any other.
pub fn judge(manifest: &Manifest, deviations: &[Deviation]) -> Option<(u32, Deviation)> {
    Rule::of(manifest).judge(&manifest.tolerance, deviations)
}

impl Rule {
    /// What the manifest's precision profile asks for.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        if manifest.precision == "fp16" { Self::Median } else { Self::Each }
    }

    /// See [`judge`].
    pub(crate) fn judge(self, tolerance: &Tolerance, deviations: &[Deviation]) -> Option<(u32, Deviation)> {
        let steps_refused = self.steps(deviations).is_some_and(|off| off > tolerance.step.to_f64());
        let refused = |deviation: &Deviation| match deviation {
            Deviation::Step { .. } => steps_refused,
            end => !end.within(tolerance),
        };
        let refused = (0u32..).zip(deviations.iter().copied()).filter(|(_, deviation)| refused(deviation));
        refused.max_by(|(_, a), (_, b)| excess(a, tolerance).total_cmp(&excess(b, tolerance)))
    }

    /// What τ is held against: with a smaller one, the trace's steps or vectors would be refused. None for a trace without any.
    pub(crate) fn figure(self, deviations: &[Deviation]) -> Option<f64> {
        let vectors = deviations.iter().filter(|deviation| matches!(deviation, Deviation::Vectors { .. }));
        self.steps(deviations).into_iter().chain(vectors.filter_map(Deviation::off)).reduce(f64::max)
    }

    /// The same of the steps alone.
    fn steps(self, deviations: &[Deviation]) -> Option<f64> {
        let steps = deviations.iter().filter(|deviation| matches!(deviation, Deviation::Step { .. }));
        let mut steps: Vec<f64> = steps.filter_map(Deviation::off).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let (worst, median) = (*steps.last()?, *steps.get(steps.len() / 2)?);
        Some(match self {
            Self::Each => worst,
            Self::Median => median.max(worst / SEAM),
        })
    }
}

/// By how much a deviation exceeds its tolerance: above 1 it does.
fn excess(deviation: &Deviation, tolerance: &Tolerance) -> f64 {
    match *deviation {
        Deviation::Init { exact: true } => 0.0,
        Deviation::Init { exact: false } => f64::INFINITY,
        Deviation::Step { max, relative } | Deviation::Vectors { max, relative } => {
            max.max(relative) / tolerance.step.to_f64()
        }
        // A bound of zero is exceeded by the first difference.
        Deviation::Finish { pixel } => f64::from(pixel) / f64::from(tolerance.pixel).max(0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(precision: &str) -> Manifest {
        let mut manifest = Manifest::parse(include_bytes!("../../../models/cuckoo-tiny/cuckoo.json")).unwrap();
        manifest.precision = precision.to_owned();
        manifest
    }

    /// With steps that are off by so many times τ.
    fn deviations(steps: &[f64]) -> Vec<Deviation> {
        let tau = manifest("fp32-strict").tolerance.step.to_f64();
        let step = |times: &f64| Deviation::Step { max: times * tau, relative: 0.0 };
        let mut all = vec![Deviation::Init { exact: true }];
        all.extend(steps.iter().map(step));
        all.push(Deviation::Finish { pixel: 0 });
        all
    }

    #[test]
    fn the_worst_transition_is_named() {
        let strict = manifest("fp32-strict");
        assert_eq!(judge(&strict, &deviations(&[0.9, 0.1])), None);
        let found = deviations(&[1.1, 7.0, 2.0]);
        assert_eq!(judge(&strict, &found), Some((2, found[2])));
        let mut wrong_start = deviations(&[1e9]);
        wrong_start[0] = Deviation::Init { exact: false };
        assert_eq!(judge(&strict, &wrong_start).unwrap().0, 0);
        let mut wrong_end = deviations(&[0.5]);
        wrong_end[2] = Deviation::Finish { pixel: 255 };
        assert_eq!(judge(&strict, &wrong_end).unwrap().0, 2);
    }

    #[test]
    fn half_precision_is_judged_by_its_median() {
        let half = manifest("fp16");
        assert_eq!(judge(&half, &deviations(&[0.5, 9.0, 0.5])), None);
        assert_eq!(judge(&half, &deviations(&[0.5, 9.0, 1.5])).unwrap().0, 2);
        assert_eq!(judge(&half, &deviations(&[0.5, 11.0, 0.5])).unwrap().0, 2, "a state from elsewhere");
        let mut wrong_start = deviations(&[0.5, 9.0, 0.5]);
        wrong_start[0] = Deviation::Init { exact: false };
        assert_eq!(judge(&half, &wrong_start).unwrap().0, 0);
        let mut wrong_end = deviations(&[0.5, 9.0, 0.5]);
        wrong_end[4] = Deviation::Finish { pixel: 255 };
        assert_eq!(judge(&half, &wrong_end).unwrap().0, 4);
    }

    #[test]
    fn the_figure_is_the_least_tolerance_that_lets_a_trace_pass() {
        let traces: [(&[f64], f64, f64); 4] = [
            (&[0.2, 0.3, 0.9], 0.9, 0.3),
            (&[0.5, 9.0, 0.4], 9.0, 0.9),
            (&[0.5, 2.0, 1.5], 2.0, 1.5),
            (&[0.0], 0.0, 0.0),
        ];
        for (steps, each, median) in traces {
            let deviations = deviations(steps);
            for (precision, times) in [("fp32-strict", each), ("fp16", median), ("int8", each)] {
                let mut manifest = manifest(precision);
                let figure = Rule::of(&manifest).figure(&deviations).unwrap();
                let expected = times * manifest.tolerance.step.to_f64();
                assert!(
                    (figure - expected).abs() <= 1e-9 * expected,
                    "{precision} {steps:?}: {figure}, not {expected}"
                );
                for (times, passes) in [(1.001, true), (0.999, false)] {
                    manifest.tolerance.step = format!("{:.9}", figure * times).parse().unwrap();
                    let passes = passes || figure == 0.0;
                    assert_eq!(judge(&manifest, &deviations).is_none(), passes, "{precision} {steps:?} {times}");
                }
            }
        }
        assert_eq!(Rule::Each.figure(&[Deviation::Init { exact: true }, Deviation::Finish { pixel: 9 }]), None);
        let vectors = Deviation::Vectors { max: 0.1, relative: 0.7 };
        let step = Deviation::Step { max: 0.2, relative: 0.1 };
        for rule in [Rule::Each, Rule::Median] {
            assert_eq!(rule.figure(&[step, vectors]), Some(0.7), "vectors are no steps");
        }
    }
}
