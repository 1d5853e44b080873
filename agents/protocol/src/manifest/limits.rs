//! What a model lets an app ask for, by the kind of body that its program takes.

use crate::body::{Decimal, EmbeddingBody, ImageBody, Kind, MAX_SEED, StyleBody};
use serde::{Deserialize, Serialize};

/// What a request gets that does not say otherwise, by the kind of body that the program takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "defaults must have exactly a picture's fields (width, height, steps, guidance, scheduler), an embedding's (dimensions) or a restyled picture's (width, height, style_width, style_height)"
)]
#[allow(missing_docs)]
pub enum Defaults {
    Image(ImageDefaults),
    Embedding(EmbeddingDefaults),
    Style(StyleDefaults),
}

/// Of a text-to-image request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ImageDefaults {
    pub width: u32,
    pub height: u32,
    pub steps: u32,
    pub guidance: Decimal,
    pub scheduler: String,
}

/// Of an embedding request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingDefaults {
    /// Numbers in a vector.
    pub dimensions: u32,
}

/// Of a request to restyle a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct StyleDefaults {
    pub width: u32,
    pub height: u32,
    pub style_width: u32,
    pub style_height: u32,
}

/// What a request may ask for, by the kind of body that the program takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "limits must have exactly a picture's fields (min_steps, max_steps, sizes, schedulers, max_prompt_bytes, max_guidance), an embedding's (dimensions, max_texts, max_text_bytes) or a restyled picture's (sizes, style_sizes)"
)]
#[allow(missing_docs)]
pub enum Limits {
    Image(ImageLimits),
    Embedding(EmbeddingLimits),
    Style(StyleLimits),
}

/// Of a text-to-image request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ImageLimits {
    pub min_steps: u32,
    pub max_steps: u32,
    /// Pairs of width and height.
    pub sizes: Vec<[u32; 2]>,
    pub schedulers: Vec<String>,
    /// Of the prompt and of the negative prompt, each.
    pub max_prompt_bytes: u32,
    pub max_guidance: Decimal,
    /// Whether a request may come with an input picture. Not written if it may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub input_picture: bool,
}

/// Most pixels of an input picture: the state that holds it takes 4 bytes each, and may have 4 MiB.
pub const MAX_INPUT_PIXELS: u32 = 1 << 20;

/// Of an embedding request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingLimits {
    /// Numbers that a vector may have.
    pub dimensions: Vec<u32>,
    /// Texts in a request.
    pub max_texts: u32,
    /// Of each text, in UTF-8.
    pub max_text_bytes: u32,
}

/// Of a request to restyle a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleLimits {
    /// Pairs of width and height, of the content and of what is drawn.
    pub sizes: Vec<[u32; 2]>,
    /// Pairs of width and height, of the style.
    pub style_sizes: Vec<[u32; 2]>,
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
    #[error("{model} takes no input picture: leave out the strength")]
    Picture { model: String },
    #[error(
        "a strength of {strength} is not above 0 and at most 1, or leaves none of {steps} steps to draw: take 1, or more \
         steps"
    )]
    Strength { strength: String, steps: u32 },
    #[error("{model} makes {makes}, not {wanted}: name a model that does")]
    Kind { model: String, makes: Kind, wanted: Kind },
    #[error("{model} takes 1 to {max} texts, not {count}")]
    Texts { model: String, count: usize, max: u32 },
    #[error("a text has {bytes} bytes, {model} takes 1 to {max}")]
    Text { model: String, bytes: usize, max: u32 },
    #[error("{model} takes styles of {allowed}, not {width}x{height}")]
    StyleSize { model: String, width: u32, height: u32, allowed: String },
    #[error("{model} makes vectors of {allowed} numbers, not {dimensions}")]
    Dimensions { model: String, dimensions: u32, allowed: String },
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
            Self::Picture { .. } | Self::Strength { .. } => "strength",
            Self::Kind { .. } => "model",
            Self::Texts { .. } | Self::Text { .. } => "input",
            Self::StyleSize { .. } => "style_size",
            Self::Dimensions { .. } => "dimensions",
        }
    }
}

impl StyleDefaults {
    /// A body with these.
    pub(super) fn body(&self) -> StyleBody {
        let &Self { width, height, style_width, style_height } = self;
        StyleBody { width, height, style_width, style_height }
    }
}

impl ImageDefaults {
    /// A body with these and seed 0.
    pub(super) fn body(&self, prompt: String) -> ImageBody {
        let Self { width, height, steps, guidance, scheduler } = self.clone();
        let negative_prompt = String::new();
        ImageBody { prompt, negative_prompt, width, height, steps, guidance, seed: 0, scheduler, strength: None }
    }
}

impl Limits {
    /// What a program with such limits makes.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Image(_) => Kind::Image,
            Self::Embedding(_) => Kind::Embedding,
            Self::Style(_) => Kind::Style,
        }
    }

    /// What makes no sense about them, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Image(limits) => {
                if limits.min_steps == 0 || limits.min_steps > limits.max_steps || limits.max_steps > 1000 {
                    return Err("limits must allow steps from at least 1 to at most 1000");
                }
                if limits.sizes.iter().flatten().any(|side| !(8..=4096).contains(side)) {
                    return Err("sizes must lie between 8 and 4096 pixels");
                }
                if limits.input_picture && limits.sizes.iter().any(|[w, h]| w * h > MAX_INPUT_PIXELS) {
                    return Err("sizes must have at most 1048576 pixels where requests may come with a picture");
                }
            }
            Self::Style(limits) => {
                if limits.sizes.iter().chain(&limits.style_sizes).flatten().any(|side| !(8..=4096).contains(side)) {
                    return Err("sizes must lie between 8 and 4096 pixels");
                }
                // The first state holds both, 12 bytes a pixel, and may have 4 MiB.
                let pixels = |sizes: &[[u32; 2]]| sizes.iter().map(|[w, h]| w * h).max().unwrap_or(0);
                if pixels(&limits.sizes) + pixels(&limits.style_sizes) > (4 << 20) / 12 {
                    return Err("sizes must allow at most 349525 pixels, of content and style together");
                }
            }
            Self::Embedding(limits) => {
                if limits.dimensions.iter().any(|dimensions| !(1..=65_536).contains(dimensions)) {
                    return Err("limits must allow vectors of 1 to 65536 numbers");
                }
                // More does not fit into a request's 16 KiB.
                if limits.max_texts > 4096 || limits.max_text_bytes > 16_384 {
                    return Err("limits must allow at most 4096 texts of at most 16384 bytes");
                }
            }
        }
        Ok(())
    }
}

/// Pairs of width and height, for messages.
fn listed(sizes: &[[u32; 2]]) -> String {
    sizes.iter().map(|[w, h]| format!("{w}x{h}")).collect::<Vec<_>>().join(", ")
}

impl StyleLimits {
    pub(super) fn allow(&self, model: &str, body: &StyleBody) -> Result<(), BodyError> {
        let (width, height, model) = (body.width, body.height, model.to_owned());
        if !self.sizes.contains(&[width, height]) {
            return Err(BodyError::Size { model, width, height, allowed: listed(&self.sizes) });
        }
        let (width, height) = (body.style_width, body.style_height);
        if !self.style_sizes.contains(&[width, height]) {
            return Err(BodyError::StyleSize { model, width, height, allowed: listed(&self.style_sizes) });
        }
        Ok(())
    }
}

impl ImageLimits {
    pub(super) fn allow(&self, model: &str, body: &ImageBody) -> Result<(), BodyError> {
        let model = || model.to_owned();
        let &ImageBody { width, height, steps, seed, .. } = body;
        if !self.sizes.contains(&[width, height]) {
            return Err(BodyError::Size { model: model(), width, height, allowed: listed(&self.sizes) });
        }
        if !(self.min_steps..=self.max_steps).contains(&steps) {
            return Err(BodyError::Steps { model: model(), steps, min: self.min_steps, max: self.max_steps });
        }
        if !self.schedulers.contains(&body.scheduler) {
            let scheduler = body.scheduler.chars().take(40).collect();
            return Err(BodyError::Scheduler { model: model(), scheduler, allowed: self.schedulers.join(", ") });
        }
        for (field, text) in [("prompt", &body.prompt), ("negative_prompt", &body.negative_prompt)] {
            if text.len() > self.max_prompt_bytes as usize {
                let (bytes, max) = (text.len(), self.max_prompt_bytes);
                return Err(BodyError::Prompt { model: model(), field, bytes, max });
            }
        }
        if body.guidance.to_f64() > self.max_guidance.to_f64() {
            let (guidance, max) = (body.guidance.to_string(), self.max_guidance.to_string());
            return Err(BodyError::Guidance { model: model(), guidance, max });
        }
        if seed > MAX_SEED {
            return Err(BodyError::Seed { seed });
        }
        if let Some(strength) = &body.strength {
            if !self.input_picture {
                return Err(BodyError::Picture { model: model() });
            }
            if strength.to_f64() > 1.0 || body.drawn_steps() == 0 {
                return Err(BodyError::Strength { strength: strength.to_string(), steps });
            }
        }
        Ok(())
    }
}

impl EmbeddingLimits {
    pub(super) fn allow(&self, model: &str, body: &EmbeddingBody) -> Result<(), BodyError> {
        let model = || model.to_owned();
        let (count, max) = (body.input.len(), self.max_texts);
        if count == 0 || count > max as usize {
            return Err(BodyError::Texts { model: model(), count, max });
        }
        let (mut lengths, max) = (body.input.iter().map(String::len), self.max_text_bytes);
        if let Some(bytes) = lengths.find(|&bytes| bytes == 0 || bytes > max as usize) {
            return Err(BodyError::Text { model: model(), bytes, max });
        }
        let dimensions = body.dimensions;
        if !self.dimensions.contains(&dimensions) {
            let allowed: Vec<String> = self.dimensions.iter().map(ToString::to_string).collect();
            return Err(BodyError::Dimensions { model: model(), dimensions, allowed: allowed.join(", ") });
        }
        Ok(())
    }
}
