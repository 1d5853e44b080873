//! `cuckoo.json`, the manifest of a model package, and what it lets an app ask for.

use crate::body::{Decimal, ImageBody, MAX_SEED, canonical_json};
use alloy::primitives::{B256, U256, keccak256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The only manifest format there is.
pub const FORMAT: u32 = 1;

/// A model package's manifest. Its RFC 8785 JSON is hashed, so unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Short name, what apps send as `model`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// SPDX identifier of the weights' licence.
    pub licence: String,
    /// Which program runs it, such as `diffusion/text-to-image`.
    pub program: String,
    /// Precision profile: `fp32-strict`, `fp16` or `int8`.
    pub precision: String,
    /// Every file of the package but the manifest, by its path inside the package.
    pub files: BTreeMap<String, FileEntry>,
    /// What a request gets that does not say otherwise.
    pub defaults: Defaults,
    /// What a request may ask for.
    pub limits: Limits,
    /// The tensors of a state, in the order of its canonical bytes.
    pub state: Vec<TensorEntry>,
    /// How far two honest machines may differ.
    pub tolerance: Tolerance,
    /// The unit that prices are quoted in; `megapixel-steps` for pictures.
    pub pricing: String,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Size.
    pub bytes: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

/// A tensor of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// For people.
    pub name: String,
    /// Without the batch axis, at the default size.
    pub shape: Vec<u32>,
}

/// What a request gets that does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Defaults {
    pub width: u32,
    pub height: u32,
    pub steps: u32,
    pub guidance: Decimal,
    pub scheduler: String,
}

/// What a request may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Limits {
    pub min_steps: u32,
    pub max_steps: u32,
    /// Pairs of width and height.
    pub sizes: Vec<[u32; 2]>,
    pub schedulers: Vec<String>,
    /// Of the prompt and of the negative prompt, each.
    pub max_prompt_bytes: u32,
    pub max_guidance: Decimal,
}

/// How far two honest machines may differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// τ: largest relative and max-norm error of a step.
    pub step: Decimal,
    /// Least denominator of the relative error.
    pub floor: Decimal,
    /// Largest difference of an output byte.
    pub pixel: u32,
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of this shape.
    #[error("the manifest is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Of another format.
    #[error("the manifest has format {0}, this program reads format {FORMAT}")]
    Format(u32),
    /// A value that makes no sense.
    #[error("the manifest's {0}")]
    Invalid(String),
}

/// Why a model cannot do what a request asks for. Each says what it can do instead.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BodyError {
    #[error("{model} draws {allowed}, not {width}x{height}")]
    Size { model: String, width: u32, height: u32, allowed: String },
    #[error("{model} takes {min} to {max} steps, not {steps}")]
    Steps { model: String, steps: u32, min: u32, max: u32 },
    #[error("{model} samples with {allowed}, not {scheduler:?}")]
    Scheduler { model: String, scheduler: String, allowed: String },
    #[error("the {field} has {bytes} bytes, {model} takes at most {max}")]
    Prompt { model: String, field: &'static str, bytes: usize, max: u32 },
    #[error("{model} takes a guidance of at most {max}, not {guidance}")]
    Guidance { model: String, guidance: String, max: String },
    #[error("the seed {seed} is above 2^53 - 1, the largest that JSON keeps exact")]
    Seed { seed: u64 },
}

impl BodyError {
    /// The field of the request that was at fault.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Size { .. } => "size",
            Self::Steps { .. } => "steps",
            Self::Scheduler { .. } => "scheduler",
            Self::Prompt { field, .. } => field,
            Self::Guidance { .. } => "guidance",
            Self::Seed { .. } => "seed",
        }
    }
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`ManifestError`]; file paths are the package's business.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(json)?;
        if manifest.format != FORMAT {
            return Err(ManifestError::Format(manifest.format));
        }
        let invalid = |what: &str| Err(ManifestError::Invalid(what.to_owned()));
        if manifest.name.is_empty() || manifest.name.len() > 100 {
            return invalid("name must have 1 to 100 bytes");
        }
        let limits = &manifest.limits;
        if limits.min_steps == 0 || limits.min_steps > limits.max_steps || limits.max_steps > 1000 {
            return invalid("limits must allow steps from at least 1 to at most 1000");
        }
        if limits.sizes.iter().flatten().any(|side| !(8..=4096).contains(side)) {
            return invalid("sizes must lie between 8 and 4096 pixels");
        }
        let defaults = ImageBody { seed: 0, ..manifest.default_body(String::new()) };
        manifest.check(&defaults).map_err(|e| ManifestError::Invalid(format!("defaults break its limits: {e}")))?;
        Ok(manifest)
    }

    /// keccak256 of the manifest's RFC 8785 JSON.
    pub fn model_id(&self) -> B256 {
        keccak256(canonical_json(self))
    }

    /// A body with the manifest's defaults and seed 0.
    pub fn default_body(&self, prompt: String) -> ImageBody {
        let defaults = self.defaults.clone();
        ImageBody {
            prompt,
            negative_prompt: String::new(),
            width: defaults.width,
            height: defaults.height,
            steps: defaults.steps,
            guidance: defaults.guidance,
            seed: 0,
            scheduler: defaults.scheduler,
        }
    }

    /// Checks that the model can do what `body` asks for.
    ///
    /// # Errors
    /// [`BodyError`] for the first thing that it cannot do.
    pub fn check(&self, body: &ImageBody) -> Result<(), BodyError> {
        let limits = &self.limits;
        let model = || self.name.clone();
        let &ImageBody { width, height, steps, seed, .. } = body;
        if !limits.sizes.contains(&[width, height]) {
            let allowed: Vec<String> = limits.sizes.iter().map(|[w, h]| format!("{w}x{h}")).collect();
            return Err(BodyError::Size { model: model(), width, height, allowed: allowed.join(", ") });
        }
        if !(limits.min_steps..=limits.max_steps).contains(&steps) {
            return Err(BodyError::Steps { model: model(), steps, min: limits.min_steps, max: limits.max_steps });
        }
        if !limits.schedulers.contains(&body.scheduler) {
            let scheduler = body.scheduler.chars().take(40).collect();
            return Err(BodyError::Scheduler { model: model(), scheduler, allowed: limits.schedulers.join(", ") });
        }
        for (field, text) in [("prompt", &body.prompt), ("negative_prompt", &body.negative_prompt)] {
            if text.len() > limits.max_prompt_bytes as usize {
                let (bytes, max) = (text.len(), limits.max_prompt_bytes);
                return Err(BodyError::Prompt { model: model(), field, bytes, max });
            }
        }
        if body.guidance.to_f64() > limits.max_guidance.to_f64() {
            let (guidance, max) = (body.guidance.to_string(), limits.max_guidance.to_string());
            return Err(BodyError::Guidance { model: model(), guidance, max });
        }
        if seed > MAX_SEED {
            return Err(BodyError::Seed { seed });
        }
        Ok(())
    }

    /// Price in wei of `body` at `per_unit` wei a megapixel-step, rounded up: against the payer.
    pub fn price(&self, body: &ImageBody, per_unit: U256) -> U256 {
        per_unit.saturating_mul(body.pixel_steps()).div_ceil(U256::from(1_000_000))
    }
}
