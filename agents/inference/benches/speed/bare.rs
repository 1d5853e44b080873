//! The ONNX Runtime calls of one picture and nothing else: sessions opened as the crate opens them, inputs made before.

use anyhow::{Context, Result};
use cuckoo_inference::{Package, Tokenizer, runtime};
use cuckoo_protocol::body::Body;
use ort::{
    environment::Environment,
    logging::LogLevel,
    session::Session,
    value::{DynValue, Tensor, TensorElementType, ValueType},
};
use std::path::Path;

/// A network with inputs that fit it.
struct Network {
    session: Session,
    inputs: Vec<(String, DynValue)>,
}

pub struct Bare {
    text_encoder: Network,
    unet: Network,
    vae_decoder: Network,
    steps: u32,
}

impl Bare {
    /// Opens the package's networks for requests like `body`, which must be guided.
    pub fn open(package: &Package, threads: usize, body: &Body) -> Result<Self> {
        let tokens = Tokenizer::load(package, "tokenizer")?.length() as i64;
        let open = |part: &str, sizes: &[(&str, i64)]| {
            Network::open(package, part, threads, sizes).with_context(|| format!("{part} cannot be opened"))
        };
        let shape = package.manifest().state.first().context("the manifest has no state")?.shape.clone();
        let &[_, rows, columns] = shape.as_slice() else { anyhow::bail!("states are no latents") };
        let (rows, columns) = (i64::from(rows), i64::from(columns));
        let latents = [("batch_size", 2), ("height", rows), ("width", columns), ("sequence_length", tokens)];
        Ok(Self {
            text_encoder: open("text_encoder", &[("batch_size", 1), ("sequence_length", tokens)])?,
            unet: open("unet", &latents)?,
            vae_decoder: open("vae_decoder", &[("batch_size", 1), ("latent_height", rows), ("latent_width", columns)])?,
            steps: body.steps(),
        })
    }

    /// The calls of one guided picture.
    pub fn draw(&mut self) -> Result<()> {
        for _ in 0..2 {
            self.text_encoder.run()?;
        }
        for _ in 0..self.steps {
            self.unet.run()?;
        }
        self.vae_decoder.run()
    }
}

impl Network {
    fn open(package: &Package, part: &str, threads: usize, sizes: &[(&str, i64)]) -> Result<Self> {
        let path = package.dir().join(part).join("model.onnx");
        let session = open(&runtime::environment()?, &path, threads, sizes)?;
        let mut inputs = Vec::new();
        for input in session.inputs() {
            let ValueType::Tensor { ty, shape, .. } = input.dtype() else { anyhow::bail!("an input is no tensor") };
            let shape: Vec<i64> = shape.to_vec();
            let count = usize::try_from(shape.iter().product::<i64>())?;
            let value = match ty {
                TensorElementType::Int64 => Tensor::from_array((shape, vec![1_i64; count]))?.into_dyn(),
                TensorElementType::Int32 => Tensor::from_array((shape, vec![1_i32; count]))?.into_dyn(),
                // Neither zeros nor anything that grows out of range.
                _ => Tensor::from_array((shape, (0..count).map(|i| (i as f32).sin()).collect::<Vec<_>>()))?.into_dyn(),
            };
            inputs.push((input.name().to_owned(), value));
        }
        Ok(Self { session, inputs })
    }

    fn run(&mut self) -> Result<()> {
        let inputs: Vec<(&str, &DynValue)> = self.inputs.iter().map(|(name, value)| (name.as_str(), value)).collect();
        self.session.run(inputs)?;
        Ok(())
    }
}

fn open(environment: &Environment, path: &Path, threads: usize, sizes: &[(&str, i64)]) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_log_level(LogLevel::Fatal)?
        .with_deterministic_compute(true)?
        .with_intra_threads(threads)?
        .with_intra_op_spinning(false)?;
    for (name, size) in sizes {
        builder = builder.with_dimension_override(name, *size)?;
    }
    builder.commit_from_file(path)
}
