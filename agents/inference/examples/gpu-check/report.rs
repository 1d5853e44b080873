//! What docs/gpu.md says.

use crate::throughput::{BATCHES, Speed, WAYS};
use anyhow::Result;
use cuckoo_inference::{Package, calibration::Calibration, runtime::Feeding};
use std::fmt;

/// How far two machines are off each other.
#[derive(Default)]
pub struct Spread {
    /// Of each step the larger of both norms, relative as the tolerance is.
    pub steps: Vec<f64>,
    /// Largest difference of a byte.
    pub pixel: u8,
    pub first_states_wrong: usize,
}

pub struct Report<'a> {
    /// Name, memory, driver.
    pub gpu: String,
    pub package: &'a Package,
    pub spreads: Vec<(Feeding, Result<Spread>)>,
    pub fakes: Calibration,
    pub speeds: Vec<Result<Vec<Speed>>>,
}

impl Spread {
    fn max(&self) -> f64 {
        self.steps.iter().copied().fold(0.0, f64::max)
    }
}

impl Report<'_> {
    /// Whether honest work on the GPU passes a check on the processor, and the other way round.
    pub fn holds(&self) -> bool {
        let tolerance = &self.package.manifest().tolerance;
        let fits = |spread: &Spread| {
            spread.max() <= tolerance.step.to_f64()
                && u32::from(spread.pixel) <= tolerance.pixel
                && spread.first_states_wrong == 0
        };
        // The way that miners use; the others are measured only.
        self.spreads.iter().any(|(feeding, spread)| *feeding == Feeding::Bound && spread.as_ref().is_ok_and(fits))
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = self.package.manifest();
        let tolerance = &manifest.tolerance;
        writeln!(f, "# On a GPU\n")?;
        writeln!(f, "`make gpu-check` wrote this page. GPU: {}. Model: {}.\n", self.gpu, manifest.name)?;
        writeln!(f, "## Beside a processor\n")?;
        writeln!(
            f,
            "Whole traces of the GPU checked on one processor thread, and the other way round. A step may be off by {}, a byte of the \
             picture by {}.\n",
            tolerance.step, tolerance.pixel
        )?;
        writeln!(f, "| fed by | steps | median | max | pixel | s₀ wrong |\n|---|--:|--:|--:|--:|--:|")?;
        for (feeding, spread) in &self.spreads {
            let name = WAYS.iter().find(|(way, _)| way == feeding).map_or("", |(_, name)| name);
            match spread {
                Err(error) => writeln!(f, "| {name} | {error:#} | | | | |")?,
                Ok(spread) => {
                    let mut steps = spread.steps.clone();
                    steps.sort_by(f64::total_cmp);
                    let median = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
                    let (count, max, pixel, wrong) =
                        (steps.len(), spread.max(), spread.pixel, spread.first_states_wrong);
                    writeln!(f, "| {name} | {count} | {median:.1e} | {max:.1e} | {pixel} | {wrong} |")?;
                }
            }
        }
        writeln!(
            f,
            "\nFakes on the processor, to compare: the worst step of the trace whose worst step is least bad.\n"
        )?;
        writeln!(f, "| fake | median | least worst |\n|---|--:|--:|")?;
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1e}"));
        for row in self.fakes.rows.iter().filter(|row| !row.honest && row.note.is_none()) {
            writeln!(f, "| {} | {} | {} |", row.name, number(row.median), number(row.least_worst))?;
        }
        writeln!(f, "\n## Speed\n\nPictures a second, and how many times that is what copying gives.\n")?;
        let batches: Vec<String> = BATCHES.iter().map(|batch| format!("batch {batch}")).collect();
        writeln!(f, "| fed by | {} |\n|---|{}", batches.join(" | "), "--:|".repeat(BATCHES.len()))?;
        for ((_, name), speeds) in WAYS.iter().zip(&self.speeds) {
            let cells = match speeds {
                Err(error) => format!("{error:#}"),
                Ok(speeds) => {
                    let cells: Vec<String> =
                        speeds.iter().map(|(speed, ratio)| format!("{speed:.2} ({ratio:.2}×)")).collect();
                    cells.join(" | ")
                }
            };
            writeln!(f, "| {name} | {cells} |")?;
        }
        Ok(())
    }
}
