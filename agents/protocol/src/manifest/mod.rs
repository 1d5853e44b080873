//! `cuckoo.json`, the manifest of a model package, and what it lets an app ask for.

mod limits;
#[cfg(test)]
mod tests;
mod tolerance;

pub use limits::{
    BodyError, Defaults, EmbeddingDefaults, EmbeddingLimits, ImageDefaults, ImageLimits, Limits, MAX_INPUT_PIXELS,
    StyleDefaults, StyleLimits,
};
pub use tolerance::{Calibrated, FAKE_MARGIN, HONEST_MARGIN, Tolerance};

use crate::body::{Body, Decimal, EmbeddingBody, ImageBody, Kind, StyleBody, canonical_json};
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
    /// The tensors of the last state, in the order of its canonical bytes. Where schedulers differ, those of the one that
    /// keeps most; the others have the first of them.
    pub state: Vec<TensorEntry>,
    /// How far two honest machines may differ.
    pub tolerance: Tolerance,
    /// The unit that prices are quoted in, the one of [`Body::pricing`]: `megapixel-steps` for pictures, `megabytes` of text
    /// for embeddings.
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
        manifest.limits.check().map_err(|what| ManifestError::Invalid(what.to_owned()))?;
        let body = manifest.default_body("text".to_owned());
        manifest.check(&body).map_err(|e| ManifestError::Invalid(format!("defaults break its limits: {e}")))?;
        if manifest.pricing != body.pricing() {
            return Err(ManifestError::Invalid(format!("pricing must be {:?}", body.pricing())));
        }
        Ok(manifest)
    }

    /// keccak256 of the manifest's RFC 8785 JSON.
    pub fn model_id(&self) -> B256 {
        keccak256(canonical_json(self))
    }

    /// Whether a false result can cost its miner stake: only of full precision, which is told from every cheaper one, whatever the
    /// machine, and only where τ lies between what was measured of honest work and of fakes. Results of other models are audited, and
    /// payment is withheld on a miss.
    pub fn slashable(&self) -> bool {
        self.precision == "fp32-strict" && self.tolerance.separates()
    }

    /// What the model makes.
    pub fn kind(&self) -> Kind {
        self.limits.kind()
    }

    /// A body of the kind that the program takes, with the manifest's defaults and seed 0, about `text`.
    pub fn default_body(&self, text: String) -> Body {
        match &self.defaults {
            Defaults::Image(defaults) => defaults.body(text).into(),
            Defaults::Embedding(defaults) => {
                EmbeddingBody { input: vec![text], dimensions: defaults.dimensions }.into()
            }
            Defaults::Style(defaults) => defaults.body().into(),
        }
    }

    /// The same with an input picture of which nothing is left; None if requests may not have one.
    pub fn body_with_picture(&self, prompt: String) -> Option<Body> {
        match (&self.defaults, &self.limits) {
            (Defaults::Image(defaults), Limits::Image(limits)) if limits.input_picture => {
                Some(ImageBody { strength: Some(Decimal::one()), ..defaults.body(prompt) }.into())
            }
            _ => None,
        }
    }

    /// A picture's body with the manifest's defaults and seed 0.
    ///
    /// # Errors
    /// [`BodyError::Kind`] if the model makes no pictures from prompts.
    pub fn image_body(&self, prompt: String) -> Result<ImageBody, BodyError> {
        match &self.defaults {
            Defaults::Image(defaults) => Ok(defaults.body(prompt)),
            _ => Err(self.makes_no(Kind::Image)),
        }
    }

    /// An embedding's body with the manifest's defaults.
    ///
    /// # Errors
    /// [`BodyError::Kind`] if the model makes no embeddings.
    pub fn embedding_body(&self, input: Vec<String>) -> Result<EmbeddingBody, BodyError> {
        match &self.defaults {
            Defaults::Embedding(defaults) => Ok(EmbeddingBody { input, dimensions: defaults.dimensions }),
            _ => Err(self.makes_no(Kind::Embedding)),
        }
    }

    /// A restyled picture's body with the manifest's defaults.
    ///
    /// # Errors
    /// [`BodyError::Kind`] if the model restyles no pictures.
    pub fn style_body(&self) -> Result<StyleBody, BodyError> {
        match &self.defaults {
            Defaults::Style(defaults) => Ok(defaults.body()),
            _ => Err(self.makes_no(Kind::Style)),
        }
    }

    /// Checks that the model can do what `body` asks for.
    ///
    /// # Errors
    /// [`BodyError`] for the first thing that it cannot do.
    pub fn check(&self, body: &Body) -> Result<(), BodyError> {
        match (&self.limits, body) {
            (Limits::Image(limits), Body::Image(body)) => limits.allow(&self.name, body),
            (Limits::Embedding(limits), Body::Embedding(body)) => limits.allow(&self.name, body),
            (Limits::Style(limits), Body::Style(body)) => limits.allow(&self.name, body),
            (_, body) => Err(self.makes_no(body.kind())),
        }
    }

    /// The error for a model that is asked for something else than it makes.
    fn makes_no(&self, wanted: Kind) -> BodyError {
        BodyError::Kind { model: self.name.clone(), makes: self.limits.kind(), wanted }
    }

    /// Price in wei of `body` at `per_unit` wei a pricing unit, rounded up: against the payer.
    pub fn price(&self, body: &Body, per_unit: U256) -> U256 {
        per_unit.saturating_mul(body.work()).div_ceil(U256::from(1_000_000))
    }
}
