//! `make bench`: how fast a package runs, each figure beside a baseline from the same run.
//!
//! One JSON line a figure. Arms that are compared take turns, and a ratio is the median of the rounds' ratios, so that
//! whatever else the machine does weighs on all of them alike.

mod bare;
mod figure;
mod python;

use anyhow::{Context, Result, ensure};
use bare::Bare;
use clap::Parser;
use cuckoo_inference::{Device, Generation, Model, Package, Transition, runtime};
use cuckoo_protocol::body::{Body, ImageBody};
use figure::{Figure, Rounds};
use python::Python;
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

#[derive(Parser)]
struct Options {
    /// Model package
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/cuckoo-icons"))]
    package: PathBuf,
    /// Processor threads of the generating side; checks split over as many
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Rounds of each comparison
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Python with onnxruntime and numpy; without, that comparison is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// Only draw one picture from a cold start, and print the seconds that it took
    #[arg(long)]
    cold: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const PROMPT: &str = "a red apple on a blue background";

fn main() -> Result<()> {
    let options = Options::parse();
    let started = Instant::now();
    runtime::init(None)?;
    let package = Package::open(&options.package)?;
    let device = Device::Cpu { threads: options.threads };
    let mut model = Model::load(&package, &device)?;
    let picture = model.manifest().image_body(PROMPT.to_owned())?;
    let body = picture.clone().into();
    if options.cold {
        commit(&draw(&mut model, &body)?)?;
        println!("{}", started.elapsed().as_secs_f64());
        return Ok(());
    }
    overhead(&options, &package, &mut model, &body)?;
    if let Some(python) = &options.python {
        beside_python(&options, python, &package, &mut model, &picture)?;
    }
    batches(&options, &mut model, &picture)?;
    checking(&options, &package, &mut model, &body)?;
    warm_start(&options, &mut model, &body)
}

fn draw(model: &mut Model, body: &Body) -> Result<Generation> {
    Ok(model.generate(body, &[], &mut |_, _| ControlFlow::Continue(()))?)
}

/// What a miner does with a generation: the roots that it signs, and the file that it sends.
fn commit(generation: &Generation) -> Result<()> {
    generation.trace_root();
    generation.output_hash()?;
    generation.output.file()?;
    Ok(())
}

/// The whole of a picture over the ONNX Runtime calls in it.
fn overhead(options: &Options, package: &Package, model: &mut Model, body: &Body) -> Result<()> {
    let mut bare = Bare::open(package, options.threads, body)?;
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds {
        rounds.time("bare", || bare.draw())?;
        rounds.time("generate", || draw(model, body).map(drop))?;
        rounds.time("commit", || commit(&draw(model, body)?))?;
    }
    rounds
        .figure("generate over bare session calls", "ms a picture", "generate", "bare")
        .iter()
        .for_each(Figure::print);
    rounds
        .figure("generate and commit over bare session calls", "ms a picture", "commit", "bare")
        .iter()
        .for_each(Figure::print);
    Ok(())
}

/// Pictures a second beside Python's onnxruntime with the same files.
fn beside_python(
    options: &Options,
    python: &Path,
    package: &Package,
    model: &mut Model,
    picture: &ImageBody,
) -> Result<()> {
    let body = &picture.clone().into();
    let generation = draw(model, body)?;
    let image = generation.output.image().context("no picture")?;
    let mut child = Python::start(python, package, options.threads, picture, &generation.states[0])?;
    // The comparison is worth something only if both draw the same.
    let (_, rgb) = child.draw()?;
    let differences = rgb.iter().zip(&image.rgb).map(|(a, b)| a.abs_diff(*b));
    ensure!(rgb.len() == image.rgb.len(), "Python drew a picture of another size");
    let off = differences.max().unwrap_or(0);
    ensure!(u32::from(off) <= package.manifest().tolerance.pixel, "Python's picture is off by {off}");

    let mut rounds = Rounds::default();
    for _ in 0..options.rounds {
        rounds.add("python", child.draw()?.0);
        rounds.time("rust", || draw(model, body).map(drop))?;
    }
    rounds
        .figure("pictures beside Python's onnxruntime", "pictures/s", "rust", "python")
        .map(Figure::per_second)
        .iter()
        .for_each(Figure::print);
    Ok(())
}

/// Pictures drawn together, beside as many drawn one after the other.
fn batches(options: &Options, model: &mut Model, picture: &ImageBody) -> Result<()> {
    let bodies =
        |count: u64| -> Vec<Body> { (0..count).map(|seed| ImageBody { seed, ..picture.clone() }.into()).collect() };
    for (count, name) in [(2, "2 pictures as a batch"), (4, "4 pictures as a batch")] {
        let bodies = bodies(count);
        // Opens the sessions of this size.
        together(model, &bodies)?;
        let mut rounds = Rounds::default();
        for _ in 0..options.rounds.div_ceil(2) {
            rounds.time("one by one", || bodies.iter().try_for_each(|body| draw(model, body).map(drop)))?;
            rounds.time("together", || together(model, &bodies))?;
        }
        rounds.figure(name, "ms a batch", "together", "one by one").iter().for_each(Figure::print);
    }
    Ok(())
}

fn together(model: &mut Model, bodies: &[Body]) -> Result<()> {
    for result in model.generate_batch(bodies, &mut |_, _, _| ControlFlow::Continue(())) {
        result?;
    }
    Ok(())
}

/// All transitions of a trace checked, beside generating it, with the same threads; then with two threads that share each operator,
/// or the transitions.
fn checking(options: &Options, package: &Package, model: &mut Model, body: &Body) -> Result<()> {
    let generation = draw(model, body)?;
    let transitions = transitions(&generation)?;
    let mut two = Model::load(package, &Device::Cpu { threads: 2 })?;
    check(&mut two, body, &transitions)?;
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds {
        rounds.time("generate", || draw(model, body).map(drop))?;
        rounds.time("check", || check(model, body, &transitions))?;
        rounds.time("generate, 2 threads", || draw(&mut two, body).map(drop))?;
        rounds.time("check, 2 threads", || check(&mut two, body, &transitions))?;
    }
    let unit = "ms a trace";
    rounds.figure("checking a trace beside generating it", unit, "check", "generate").iter().for_each(Figure::print);
    let name = "checking a trace beside generating it, 2 threads each";
    rounds.figure(name, unit, "check, 2 threads", "generate, 2 threads").iter().for_each(Figure::print);
    let name = "checking a trace with 2 threads beside generating it with 1";
    rounds.figure(name, unit, "check, 2 threads", "generate").iter().for_each(Figure::print);
    Ok(())
}

fn check(model: &mut Model, body: &Body, transitions: &[Transition<'_>]) -> Result<()> {
    let deviations = model.check(body, transitions)?;
    let honest = deviations.iter().all(|deviation| deviation.within(&model.manifest().tolerance));
    ensure!(honest, "an honest trace does not pass");
    Ok(())
}

fn transitions(generation: &Generation) -> Result<Vec<Transition<'_>>> {
    let (first, last) = (generation.states.first(), generation.states.last());
    let mut transitions = vec![Transition::Init { blob: &[], after: first.context("no states")? }];
    transitions.extend(generation.states.windows(2).zip(0..).map(|(pair, k)| Transition::Step {
        k,
        before: &pair[0],
        after: &pair[1],
    }));
    transitions.push(Transition::Finish { before: last.context("no states")?, output: &generation.output });
    Ok(transitions)
}

/// The first picture of a new process, which opens, checks and loads the package, beside that of a model in memory.
fn warm_start(options: &Options, model: &mut Model, body: &Body) -> Result<()> {
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds.min(7) {
        let mut cold = Command::new(std::env::current_exe()?);
        cold.arg("--cold").arg("--package").arg(&options.package).args(["--threads", &options.threads.to_string()]);
        let output = cold.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        rounds.add("cold", String::from_utf8(output.stdout)?.trim().parse()?);
        rounds.time("warm", || commit(&draw(model, body)?))?;
    }
    rounds
        .figure("first picture, model loaded beside a cold start", "ms", "warm", "cold")
        .iter()
        .for_each(Figure::print);
    Ok(())
}
