//! `miner-agent model calibrate DIR`: how far honest machines and fakes are off, and the tolerance between them.

use anyhow::{Result, anyhow};
use clap::Args;
use cuckoo_inference::{
    Package,
    calibration::{Calibration, Inseparable, Row, calibrate},
    runtime,
};
use cuckoo_protocol::manifest::{FAKE_MARGIN, HONEST_MARGIN, Manifest, Tolerance};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

/// Exit code where some fake cannot be told from honest work.
const INSEPARABLE: u8 = 3;

/// Arguments.
#[derive(Args)]
pub struct Calibrate {
    /// Folder of the package
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Write what was found into the package's cuckoo.json, which gives it another modelId: the tolerance and what it lies between, without
    /// which nobody is slashed; or, if there is none, no longer what was once found
    #[arg(long)]
    write: bool,
    /// Package of another checkpoint of the same model that a cheat might use; without, the model's own weights are altered by 1%
    #[arg(long, value_name = "DIR")]
    other: Option<PathBuf>,
    /// Requests to run in each way of working
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    requests: u16,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else what tools/fetch-onnxruntime fetched]
    #[arg(long, value_name = "FILE", env = "CUCKOO_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
}

impl Calibrate {
    /// Measures, prints the table, and writes the tolerance if told to and if there is one.
    ///
    /// # Errors
    /// Whatever keeps it from measuring.
    pub async fn execute(self) -> Result<ExitCode> {
        tokio::task::spawn_blocking(move || self.measure()).await?
    }

    fn measure(self) -> Result<ExitCode> {
        runtime::init(self.onnxruntime.as_deref())?;
        let open = |dir: &PathBuf| Package::open(dir).map_err(|e| anyhow!("the model in {}: {e}", dir.display()));
        let package = open(&self.dir)?;
        let other = self.other.as_ref().map(open).transpose()?;
        let bar = ProgressBar::no_length();
        let style = "{bar:30} {pos}/{len} traces, {eta} left: {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let calibration = calibrate(&package, other, usize::from(self.requests), &mut |what, done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_message(what.to_owned());
        })?;
        bar.finish_and_clear();
        eprintln!("{}", table(&calibration.rows));
        self.conclude(&package, &calibration)
    }

    fn conclude(&self, package: &Package, calibration: &Calibration) -> Result<ExitCode> {
        let mut manifest = package.manifest().clone();
        let code = match &calibration.tolerance {
            Ok(tolerance) => {
                found(&mut manifest, tolerance);
                ExitCode::SUCCESS
            }
            Err(why) => {
                refused(&mut manifest, why);
                ExitCode::from(INSEPARABLE)
            }
        };
        let mut written = None;
        // Without a tolerance there is nothing to say but that an older one is not what it was taken for.
        if self.write && (calibration.tolerance.is_ok() || manifest != *package.manifest()) {
            package.write_manifest(&manifest)?;
            eprintln!("written: the modelId was {} and is {}", package.model_id(), manifest.model_id());
            written = Some(manifest.model_id());
        }
        let result = json!({
            "model_id": package.model_id(),
            "name": manifest.name,
            "precision": manifest.precision,
            "requests": self.requests,
            "honest_margin": HONEST_MARGIN,
            "fake_margin": FAKE_MARGIN,
            "rows": calibration.rows,
            "tolerance": calibration.tolerance.as_ref().ok(),
            "slashable": manifest.slashable(),
            "why_not": calibration.tolerance.as_ref().err().map(ToString::to_string),
            "written_model_id": written,
        });
        println!("{result}");
        Ok(code)
    }
}

/// Takes the tolerance over.
fn found(manifest: &mut Manifest, tolerance: &Tolerance) {
    let (step, floor, pixel) = (&tolerance.step, &tolerance.floor, tolerance.pixel);
    eprintln!("tolerance: step {step}, floor {floor}, pixel {pixel}");
    let was = &manifest.tolerance;
    let by = if was.calibrated.is_some() { "calibrated" } else { "never calibrated" };
    eprintln!("the manifest has: step {}, floor {}, pixel {}, {by}", was.step, was.floor, was.pixel);
    manifest.tolerance = tolerance.clone();
    if !manifest.slashable() {
        eprintln!("{} results are audited, and nobody is slashed for them", manifest.precision);
    }
}

/// Takes back what the manifest says of an earlier calibration.
fn refused(manifest: &mut Manifest, why: &Inseparable) {
    eprintln!(
        "not slashable: {why}. Do not have this model listed as slashable; no tolerance is written. Another way of exporting it, or of \
         sampling, may tell them apart"
    );
    if manifest.tolerance.calibrated.take().is_some() {
        eprintln!(
            "the manifest says that it was calibrated: --write takes that out, and nobody is slashed for it any more"
        );
    }
}

/// The rows in Markdown, which reads well in a terminal too.
fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | traces | p1 | median | max | least worst | steps over τ | s₀ wrong | pixel | refused |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let kind = if row.honest { "honest" } else { "fake" };
        if let Some(note) = &row.note {
            let _ = writeln!(text, "| {kind}: {} | – | | | | | | | | {note} |", row.name);
            continue;
        }
        let [p1, median, max, worst] = [row.p1, row.median, row.max, row.least_worst].map(number);
        let over = row.steps_over.map_or_else(dash, |share| format!("{:.0}%", share * 100.0));
        let pixel = row.pixel.map_or_else(dash, |pixel| pixel.to_string());
        let refused = row.refused.map_or_else(dash, |refused| format!("{refused} of {}", row.traces));
        let (traces, wrong) = (row.traces, row.first_states_wrong);
        let _ = writeln!(
            text,
            "| {kind}: {} | {traces} | {p1} | {median} | {max} | {worst} | {over} | {wrong} | {pixel} | {refused} |",
            row.name
        );
    }
    text
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(0.0) => "0".to_owned(),
        Some(value) => format!("{value:.1e}"),
        None => dash(),
    }
}

fn dash() -> String {
    "–".to_owned()
}
