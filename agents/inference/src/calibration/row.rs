//! A line of the table: what one way of working is off by, over all requests.

use super::choose::Spread;
use crate::{
    audit::{Deviation, Measurement},
    verdict::Rule,
};
use cuckoo_protocol::manifest::Tolerance;
use serde::Serialize;

/// Every transition of a trace, measured: `init`, the steps, `finish`.
pub(super) type Trace = Vec<Measurement>;

/// How a miner might work, and what came of it.
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) honest: bool,
    pub(super) traces: Vec<Trace>,
    /// Why there are no traces, if there are none.
    pub(super) note: Option<String>,
}

/// A line of the table. Deviations of steps are the larger one of both norms, as [`Deviation`] has them.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How a miner might work.
    pub name: String,
    /// Whether that is honest.
    pub honest: bool,
    /// Requests that were run.
    pub traces: usize,
    /// Steps of them all.
    pub steps: usize,
    /// First percentile of the steps' deviations; None without steps, as for all that follows.
    pub p1: Option<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// Their maximum.
    pub max: Option<f64>,
    /// What τ is held against in the trace where that is least: the deviation of its worst step; in half precision of its median step, or
    /// of the worst one by [`crate::SEAM`] if that is more.
    pub least_worst: Option<f64>,
    /// Share of steps above τ. None where no τ was found.
    pub steps_over: Option<f64>,
    /// Traces whose first state is not the request's.
    pub first_states_wrong: usize,
    /// Largest difference of a byte between the picture and what the last state becomes; None for what is no picture.
    pub pixel: Option<u8>,
    /// Traces that an audit refuses. None where no τ was found.
    pub refused: Option<usize>,
    /// Why nothing was measured, if nothing was.
    pub note: Option<String>,
}

impl Measured {
    pub(super) fn row(&self, rule: Rule, tolerance: Option<&Tolerance>) -> Row {
        let floor = tolerance.map_or(LEAST_FLOOR, |tolerance| tolerance.floor.to_f64());
        let mut steps: Vec<f64> =
            self.traces.iter().flatten().filter_map(|measurement| measurement.deviation(floor).off()).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| steps.get((share * (steps.len().max(1) - 1) as f64).round() as usize).copied();
        let over = |tolerance: &Tolerance| {
            let over = steps.iter().filter(|step| **step > tolerance.step.to_f64()).count();
            over as f64 / steps.len().max(1) as f64
        };
        let refused = |tolerance: &Tolerance| {
            let refused = |trace: &&Trace| rule.judge(tolerance, &deviations(trace, floor)).is_some();
            self.traces.iter().filter(refused).count()
        };
        Row {
            name: self.name.clone(),
            honest: self.honest,
            traces: self.traces.len(),
            steps: steps.len(),
            p1: quantile(0.01),
            median: quantile(0.5),
            max: quantile(1.0),
            least_worst: self.least_worst(rule, floor, |_| true),
            steps_over: tolerance.map(over),
            first_states_wrong: self.traces.iter().filter(|trace| !begins_right(trace)).count(),
            pixel: self.traces.iter().flatten().filter_map(pixel).max(),
            refused: tolerance.map(refused),
            note: self.note.clone(),
        }
    }

    /// What τ is held against in the trace, of those wanted, where that is least.
    fn least_worst(&self, rule: Rule, floor: f64, wanted: impl Fn(&Trace) -> bool) -> Option<f64> {
        let figure = |trace: &Trace| rule.figure(&deviations(trace, floor));
        self.traces.iter().filter(|trace| wanted(trace)).filter_map(figure).reduce(f64::min)
    }
}

/// A denominator that is no limit: used where no floor could be chosen.
const LEAST_FLOOR: f64 = f64::MIN_POSITIVE;

/// What of the measurements a tolerance is chosen by, where no denominator counts as less than `floor`.
pub(super) fn spread(measured: &[Measured], rule: Rule, floor: f64) -> Spread {
    let (honest, fakes): (Vec<&Measured>, Vec<&Measured>) = measured.iter().partition(|measured| measured.honest);
    let traces = || honest.iter().flat_map(|measured| &measured.traces);
    let nearest = fakes.into_iter().filter_map(|fake| {
        // One whose first state is wrong is found by that.
        Some((fake.name.clone(), fake.least_worst(rule, floor, begins_right)?))
    });
    Spread {
        honest: traces().filter_map(|trace| rule.figure(&deviations(trace, floor))).fold(0.0, f64::max),
        pixel: traces().flatten().filter_map(pixel).max().unwrap_or(0).into(),
        nearest: nearest.min_by(|a, b| a.1.total_cmp(&b.1)),
    }
}

/// How far the honest steps move, by the root mean square.
pub(super) fn moved(measured: &[Measured]) -> Vec<f64> {
    let honest = measured.iter().filter(|measured| measured.honest);
    let errors =
        honest.flat_map(|measured| measured.traces.iter().flatten()).flat_map(|measurement| match measurement {
            Measurement::Step(errors) | Measurement::Vectors(errors) => errors.as_slice(),
            Measurement::Init { .. } | Measurement::Finish { .. } => &[],
        });
    errors.map(|error| error.moved.mean).collect()
}

fn deviations(trace: &Trace, floor: f64) -> Vec<Deviation> {
    trace.iter().map(|measurement| measurement.deviation(floor)).collect()
}

fn pixel(measurement: &Measurement) -> Option<u8> {
    if let Measurement::Finish { pixel } = measurement { Some(*pixel) } else { None }
}

fn begins_right(trace: &Trace) -> bool {
    !trace.iter().any(|measurement| matches!(measurement, Measurement::Init { exact: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Error, Norms};

    /// With steps that move by 1 and are off by so much.
    fn trace(steps: &[f64]) -> Trace {
        let norms = |size| Norms { max: size, mean: size };
        let step = |off: &f64| Measurement::Step(vec![Error { error: norms(*off), moved: norms(1.0) }]);
        let init = Measurement::Init { exact: true };
        [init].into_iter().chain(steps.iter().map(step)).chain([Measurement::Finish { pixel: 1 }]).collect()
    }

    fn measured(name: &str, honest: bool, traces: &[&[f64]]) -> Measured {
        let traces = traces.iter().map(|steps| trace(steps)).collect();
        Measured { name: name.to_owned(), honest, traces, note: None }
    }

    /// Half precision beside weight-only int8, whose steps overlap, and a splice.
    fn half_precision() -> Vec<Measured> {
        vec![
            measured("half", true, &[&[0.001, 0.006, 0.0012], &[0.0005, 0.0009, 0.001]]),
            measured("int8", false, &[&[0.05, 0.004, 0.06], &[0.04, 0.05, 0.003]]),
            measured("splice", false, &[&[0.0, 0.0, 9.0]]),
        ]
    }

    #[test]
    fn half_precision_is_measured_as_it_is_judged() {
        let all = half_precision();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let each = spread(&all, Rule::Each, 0.1);
        assert!(near(each.honest, 0.006), "its worst step: {each:?}");
        let median = spread(&all, Rule::Median, 0.1);
        assert!(near(median.honest, 0.0012), "the median of its worst trace: {median:?}");
        let (fake, off) = median.nearest.unwrap();
        assert!(fake == "int8" && near(off, 0.04), "{fake} {off}");
        // A single step counts where it is a seam: a tenth of it is more than the median.
        let seam = [measured("seam", true, &[&[0.001, 0.05, 0.001]])];
        assert!(near(spread(&seam, Rule::Median, 0.1).honest, 0.005));
        assert!(near(all[2].row(Rule::Median, None).least_worst.unwrap(), 0.9));
    }

    #[test]
    fn traces_are_refused_as_audits_refuse_them() {
        let tolerance = |step: &str| Tolerance {
            step: step.parse().unwrap(),
            floor: "0.1".parse().unwrap(),
            pixel: 1,
            calibrated: None,
        };
        let refused =
            |rule, step| half_precision().iter().map(|m| m.row(rule, Some(&tolerance(step))).refused).collect();
        let counts = |half, int8, splice| -> Vec<Option<usize>> { vec![Some(half), Some(int8), Some(splice)] };
        let found: Vec<_> = refused(Rule::Median, "0.002");
        assert_eq!(found, counts(0, 2, 1));
        let found: Vec<_> = refused(Rule::Each, "0.002");
        assert_eq!(found, counts(1, 2, 1), "a single step of half precision is over");
        let found: Vec<_> = refused(Rule::Median, "0.000599");
        assert_eq!(found, counts(2, 2, 1), "one by its median, one by a seam");
        // The picture's bound is nobody's to relax.
        let strict = Tolerance { pixel: 0, ..tolerance("0.002") };
        assert_eq!(half_precision()[0].row(Rule::Median, Some(&strict)).refused, Some(2));
    }
}
