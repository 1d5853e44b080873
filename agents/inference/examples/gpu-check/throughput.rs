//! Pictures a second in batches, with each way of feeding a GPU.

use crate::figure::Rounds;
use anyhow::{Result, ensure};
use cuckoo_inference::{Device, Model, Package, runtime::Feeding};
use cuckoo_protocol::body::{Body, ImageBody};
use std::ops::ControlFlow;

/// Pictures in a batch.
pub const BATCHES: [u64; 3] = [1, 4, 8];

/// The ways, the first of which is the baseline.
pub const WAYS: [(Feeding, &str); 3] = [
    (Feeding::Copied, "copied for each run"),
    (Feeding::Bound, "I/O binding"),
    (Feeding::Graph, "I/O binding and CUDA graph"),
];

/// Pictures a second and the ratio to the baseline of the same batch.
pub type Speed = (f64, f64);

/// For each way, for each batch, taking turns; or why a way does not work.
pub fn measure(package: &Package, rounds: usize, device: impl Fn(Feeding) -> Device) -> Vec<Result<Vec<Speed>>> {
    let mut models: Vec<Result<Model>> =
        WAYS.iter().map(|(feeding, _)| Ok(Model::load(package, &device(*feeding))?)).collect();
    let mut speeds: Vec<Result<Vec<Speed>>> = WAYS.iter().map(|_| Ok(Vec::new())).collect();
    for batch in BATCHES {
        let mut times = Rounds::default();
        // The first round opens sessions, and records graphs.
        for round in 0..=rounds {
            for (((_, name), model), speeds) in WAYS.iter().zip(&mut models).zip(&mut speeds) {
                let Ok(model) = model else { continue };
                let mut drawn = Ok(());
                let mut unused = Rounds::default();
                let times = if round == 0 { &mut unused } else { &mut times };
                let _ = times.time(name, || {
                    drawn = draw(model, batch);
                    Ok(())
                });
                if let Err(error) = drawn {
                    *speeds = Err(error);
                }
            }
        }
        for ((_, name), speeds) in WAYS.iter().zip(&mut speeds) {
            let Ok(speeds) = speeds else { continue };
            if let Some(figure) = times.figure(*name, "ms", name, WAYS[0].1) {
                speeds.push((batch as f64 * 1e3 / figure.value(), 1.0 / figure.ratio()));
            }
        }
    }
    // What could not be loaded says why.
    let failed = models.into_iter().map(|model| model.err());
    failed.zip(speeds).map(|(failed, speeds)| failed.map_or(speeds, Err)).collect()
}

fn draw(model: &mut Model, batch: u64) -> Result<()> {
    let picture = model.manifest().image_body("a red apple on a blue background".to_owned())?;
    let bodies: Vec<Body> = (0..batch).map(|seed| ImageBody { seed, ..picture.clone() }.into()).collect();
    let results = model.generate_batch(&bodies, &mut |_, _, _| ControlFlow::Continue(()));
    ensure!(results.len() as u64 == batch, "pictures are missing");
    for result in results {
        result?;
    }
    Ok(())
}
