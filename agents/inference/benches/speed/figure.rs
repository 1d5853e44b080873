//! Times of arms that take turns, and the figures made of them.

use anyhow::Result;
use serde::Serialize;
use std::{collections::BTreeMap, time::Instant};

/// Seconds of each arm, one entry a round.
#[derive(Default)]
pub struct Rounds(BTreeMap<&'static str, Vec<f64>>);

/// A line of the output.
#[derive(Serialize)]
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// Of what the value is held against, in the same unit.
    baseline: f64,
    /// Value over baseline: the median of the rounds' ratios.
    ratio: f64,
}

impl Rounds {
    /// Runs an arm once and keeps its time.
    pub fn time(&mut self, arm: &'static str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let started = Instant::now();
        run()?;
        self.add(arm, started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Keeps a time measured elsewhere.
    pub fn add(&mut self, arm: &'static str, seconds: f64) {
        self.0.entry(arm).or_default().push(seconds);
    }

    /// The arm's milliseconds beside the baseline's, if both were run.
    pub fn figure(&self, name: impl Into<String>, unit: &'static str, arm: &str, baseline: &str) -> Option<Figure> {
        let (arm, baseline) = (self.0.get(arm)?, self.0.get(baseline)?);
        let ratios = arm.iter().zip(baseline).map(|(a, b)| a / b);
        let milliseconds = |seconds: &[f64]| median(seconds.iter().map(|s| s * 1e3));
        let (value, baseline, ratio) = (milliseconds(arm), milliseconds(baseline), median(ratios));
        Some(Figure { name: name.into(), value, unit, baseline, ratio })
    }
}

#[allow(dead_code, reason = "each benchmark uses its part")]
impl Figure {
    /// The median.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Value over baseline.
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// The same as a rate.
    pub fn per_second(self) -> Self {
        let rate = |milliseconds: f64| 1e3 / milliseconds;
        Self { value: rate(self.value), baseline: rate(self.baseline), ratio: 1.0 / self.ratio, ..self }
    }

    /// Rounded to four digits, as one JSON line.
    pub fn print(&self) {
        let round = |value: f64| format!("{value:.3e}").parse().unwrap_or(value);
        let (value, baseline, ratio) = (round(self.value), round(self.baseline), round(self.ratio));
        let rounded = Self { name: self.name.clone(), value, unit: self.unit, baseline, ratio };
        println!("{}", serde_json::to_string(&rounded).unwrap_or_default());
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
