//! Draws one picture: `cargo run --release -p cuckoo-inference --example draw -- PACKAGE PROMPT SEED OUTPUT.png`

use cuckoo_inference::{Device, Model, Package, runtime};
use std::{env, error::Error, fs, ops::ControlFlow, process::ExitCode, time::Instant};

fn main() -> ExitCode {
    match draw() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("draw: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dir, prompt, seed, output] = arguments.as_slice() else {
        return Err("usage: draw PACKAGE PROMPT SEED OUTPUT.png".into());
    };
    runtime::init(None)?;
    let started = Instant::now();
    let package = Package::open(dir)?;
    let mut model = Model::load(&package, &Device::Cpu { threads: 0 })?;
    println!("{} loaded in {:.2} s", package.manifest().name, started.elapsed().as_secs_f64());

    let mut body = package.manifest().image_body(prompt.clone())?;
    body.seed = seed.parse()?;
    let started = Instant::now();
    let generation = model.generate(&body.clone().into(), &[], &mut |_, _| ControlFlow::Continue(()))?;
    println!(
        "{} steps in {:.2} s, trace root {}",
        body.steps,
        started.elapsed().as_secs_f64(),
        generation.trace_root()
    );
    fs::write(output, generation.output.file()?)?;
    Ok(())
}
