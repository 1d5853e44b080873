//! `miner-agent model add DIR`: writes the cuckoo.json that a stock folder lacks.

use crate::config::device;
use anyhow::{Context, Result, ensure};
use clap::Args;
use cuckoo_inference::{Draft, MANIFEST, Model, runtime};
use cuckoo_protocol::body::Decimal;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments.
#[derive(Args)]
pub struct Add {
    /// Folder that Python's optimum exported: `optimum-cli export onnx --model … --task text-to-image DIR`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// SPDX identifier of the weights' licence, such as OpenRAIL-M: whoever fetches the package goes by it
    #[arg(long, value_name = "SPDX")]
    licence: String,
    /// What apps send as `model` [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// One sentence for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Size that may be asked for, in pixels; the first is the default. Repeatable [default: what the model was trained
    /// at]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Vec<[u32; 2]>,
    /// Steps by default [default: what models of its kind take]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Guidance by default [default: what models of its kind take]
    #[arg(long, value_name = "SCALE")]
    guidance: Option<Decimal>,
    /// Scheduler by default [default: the folder's own, if it is followed]
    #[arg(long, value_name = "NAME")]
    scheduler: Option<String>,
    /// Replace a cuckoo.json that is there: the package then has another modelId
    #[arg(long)]
    force: bool,
    /// What to try the model on: cpu, cuda, or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else what tools/fetch-onnxruntime fetched]
    #[arg(long, value_name = "FILE", env = "CUCKOO_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
}

impl Add {
    /// Looks at the folder, draws one step with what is in it, and only then writes the manifest and prints the
    /// modelId.
    ///
    /// # Errors
    /// What keeps the folder from being a package.
    pub fn execute(self) -> Result<ExitCode> {
        let manifest = self.dir.join(MANIFEST);
        ensure!(
            self.force || !manifest.exists(),
            "{} is there already: --force replaces it, which gives the package another modelId",
            manifest.display()
        );
        let licence = self.licence.trim();
        ensure!(!licence.is_empty(), "--licence is empty: say what the weights' licence is, as an SPDX identifier");
        let device = device(&self.device, 0, None)?;
        let name = self.name.clone().map_or_else(|| folder_name(&self.dir), Ok)?;
        let draft = Draft {
            name,
            description: self.description,
            licence: licence.to_owned(),
            sizes: self.size,
            steps: self.steps,
            guidance: self.guidance,
            scheduler: self.scheduler,
        };
        runtime::init(self.onnxruntime.as_deref())?;
        let drafted = draft.of(&self.dir)?;
        let package = &drafted.package;
        Model::load(package, &device).context("the folder's files do not run, so no manifest was written")?;
        drafted.write(self.force)?;
        let manifest = package.manifest();
        let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
        println!(
            "{}",
            json!({
                "model_id": package.model_id(),
                "name": manifest.name,
                "program": manifest.program,
                "precision": manifest.precision,
                "defaults": manifest.defaults,
                "limits": manifest.limits,
                "files": manifest.files.len(),
                "bytes": bytes,
                "notes": drafted.notes,
            })
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn folder_name(dir: &Path) -> Result<String> {
    let dir = dir.canonicalize().with_context(|| format!("{} cannot be found", dir.display()))?;
    let name = dir.file_name().and_then(|name| name.to_str());
    Ok(name.context("the folder's name is no text: say --name")?.to_owned())
}

/// Such as `512x768`.
fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some([width.parse().ok()?, height.parse().ok()?]));
    sides.ok_or_else(|| format!("{text:?} is no size: write width and height in pixels, as in 512x768"))
}
