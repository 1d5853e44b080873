//! `make gpu-check`: whether a GPU computes what a processor computes, and how fast. Writes docs/gpu.md.
//!
//! Without a GPU it says so and ends with exit code 3.

#[path = "../../benches/speed/figure.rs"]
mod figure;
mod report;
mod throughput;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cuckoo_inference::{
    Deviation, Device, Generation, Model, Package, Transition,
    calibration::calibrate,
    runtime::{self, Feeding},
};
use cuckoo_protocol::body::Body;
use report::{Report, Spread};
use std::{
    ops::ControlFlow,
    path::PathBuf,
    process::{Command, ExitCode},
};

/// There is no GPU.
const NO_GPU: u8 = 3;

/// What the processor's results are made with.
const CPU: Device = Device::Cpu { threads: 1 };

#[derive(Parser)]
struct Options {
    /// Model package
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/cuckoo-icons"))]
    package: PathBuf,
    /// Number of the GPU, as CUDA counts them
    #[arg(long, default_value_t = 0)]
    gpu: i32,
    /// Requests to compare, and rounds to time
    #[arg(long, default_value_t = 8)]
    requests: usize,
    /// File to write the result to, in Markdown, besides stdout
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let name = match gpu(options.gpu) {
        Ok(name) => name,
        Err(why) => {
            eprintln!("there is no NVIDIA GPU to check here: {why:#}");
            return Ok(ExitCode::from(NO_GPU));
        }
    };
    runtime::init(None)?;
    let package = Package::open(&options.package)?;
    let device = |feeding| Device::Cuda { id: options.gpu, memory_limit: None, feeding };
    // Only the GPU build has the provider: the error of this says `make setup-cuda`.
    Model::load(&package, &device(Feeding::Bound))?;

    let spreads = [Feeding::Copied, Feeding::Bound, Feeding::Graph]
        .into_iter()
        .map(|feeding| (feeding, spread(&package, &device(feeding), options.requests)))
        .collect();
    let mut progress = |what: &str, done, all| eprintln!("fakes: {done} of {all}, {what}");
    let fakes = calibrate(&package, None, options.requests, &mut progress)?;
    let speeds = throughput::measure(&package, options.requests, device);
    let report = Report { gpu: name, package: &package, spreads, fakes, speeds };
    let text = report.to_string();
    println!("{text}");
    if let Some(path) = &options.write {
        std::fs::write(path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    ensure!(report.holds(), "the GPU's results are not within the tolerance of the processor's: see the table");
    Ok(ExitCode::SUCCESS)
}

/// Name, memory and driver of the GPU.
fn gpu(id: i32) -> Result<String> {
    let fields = "--query-gpu=name,memory.total,driver_version";
    let mut command = Command::new("nvidia-smi");
    command.args([fields, "--format=csv,noheader", "-i", &id.to_string()]);
    let output = command.output().context("nvidia-smi does not start, and comes with the driver")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(output.status.success() && !text.is_empty(), "nvidia-smi: {text}");
    Ok(text)
}

/// How far the GPU and the processor find each other off, over whole traces.
fn spread(package: &Package, device: &Device, requests: usize) -> Result<Spread> {
    let (mut cpu, mut gpu) = (Model::load(package, &CPU)?, Model::load(package, device)?);
    let mut spread = Spread::default();
    for seed in 0..requests as u64 {
        let picture = package.manifest().image_body("a red apple on a blue background".to_owned())?;
        let body: Body = cuckoo_protocol::body::ImageBody { seed, ..picture }.into();
        for (worker, checker) in [(0, 1), (1, 0)] {
            let models = [&mut gpu, &mut cpu];
            let generation = models[worker].generate(&body, &[], &mut |_, _| ControlFlow::Continue(()))?;
            let models = [&mut gpu, &mut cpu];
            for deviation in models[checker].check(&body, &transitions(&generation)?)? {
                match deviation {
                    Deviation::Step { max, relative } | Deviation::Vectors { max, relative } => {
                        spread.steps.push(max.max(relative));
                    }
                    Deviation::Finish { pixel } => spread.pixel = spread.pixel.max(pixel),
                    Deviation::Init { exact } => spread.first_states_wrong += usize::from(!exact),
                }
            }
        }
    }
    Ok(spread)
}

fn transitions(generation: &Generation) -> Result<Vec<Transition<'_>>> {
    let (states, output) = (&generation.states, &generation.output);
    let first = states.first().context("a trace without states")?;
    let mut transitions = vec![Transition::Init { blob: &[], after: first }];
    transitions.extend(states.windows(2).zip(0..).map(|(pair, k)| Transition::Step {
        k,
        before: &pair[0],
        after: &pair[1],
    }));
    transitions.push(Transition::Finish { before: states.last().unwrap_or(first), output });
    Ok(transitions)
}
