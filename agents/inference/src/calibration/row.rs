//! A line of the table: what one way of working is off by, over all requests.

use super::choose::Spread;
use crate::audit::{Deviation, Measurement};
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
    /// The deviation of the worst step in the trace whose worst step is least bad.
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
    pub(super) fn row(&self, tolerance: Option<&Tolerance>) -> Row {
        let floor = tolerance.map_or(LEAST_FLOOR, |tolerance| tolerance.floor.to_f64());
        let mut steps: Vec<f64> = self.traces.iter().flatten().filter_map(|m| statistic(m, floor)).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| steps.get((share * (steps.len().max(1) - 1) as f64).round() as usize).copied();
        let over = |tolerance: &Tolerance| {
            let over = steps.iter().filter(|step| **step > tolerance.step.to_f64()).count();
            over as f64 / steps.len().max(1) as f64
        };
        let refused = |tolerance: &Tolerance| {
            let refused = |trace: &&Trace| trace.iter().any(|m| !m.deviation(floor).within(tolerance));
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
            least_worst: self.least_worst(floor, |_| true),
            steps_over: tolerance.map(over),
            first_states_wrong: self.traces.iter().filter(|trace| !begins_right(trace)).count(),
            pixel: self.traces.iter().flatten().filter_map(pixel).max(),
            refused: tolerance.map(refused),
            note: self.note.clone(),
        }
    }

    /// The worst step's deviation in the trace, of those wanted, whose worst step is least bad.
    fn least_worst(&self, floor: f64, wanted: impl Fn(&Trace) -> bool) -> Option<f64> {
        let worst = |trace: &Trace| trace.iter().filter_map(|m| statistic(m, floor)).reduce(f64::max);
        self.traces.iter().filter(|trace| wanted(trace)).filter_map(worst).reduce(f64::min)
    }
}

/// A denominator that is no limit: used where no floor could be chosen.
const LEAST_FLOOR: f64 = f64::MIN_POSITIVE;

/// What of the measurements a tolerance is chosen by, where no denominator counts as less than `floor`.
pub(super) fn spread(measured: &[Measured], floor: f64) -> Spread {
    let (honest, fakes): (Vec<&Measured>, Vec<&Measured>) = measured.iter().partition(|measured| measured.honest);
    let transitions = || honest.iter().flat_map(|measured| measured.traces.iter().flatten());
    let nearest = fakes.into_iter().filter_map(|fake| {
        // One whose first state is wrong is found by that.
        Some((fake.name.clone(), fake.least_worst(floor, begins_right)?))
    });
    Spread {
        honest: transitions().filter_map(|m| statistic(m, floor)).fold(0.0, f64::max),
        pixel: transitions().filter_map(pixel).max().unwrap_or(0).into(),
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

/// What τ is held against.
fn statistic(measurement: &Measurement, floor: f64) -> Option<f64> {
    match measurement.deviation(floor) {
        Deviation::Step { max, relative } | Deviation::Vectors { max, relative } => Some(max.max(relative)),
        Deviation::Init { .. } | Deviation::Finish { .. } => None,
    }
}

fn pixel(measurement: &Measurement) -> Option<u8> {
    if let Measurement::Finish { pixel } = measurement { Some(*pixel) } else { None }
}

fn begins_right(trace: &Trace) -> bool {
    !trace.iter().any(|measurement| matches!(measurement, Measurement::Init { exact: false }))
}
