//! What an app asks of a model: the body of a request, canonical JSON.

use alloy::primitives::U256;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Largest seed: JSON numbers are exact up to 2⁵³ − 1.
pub const MAX_SEED: u64 = (1 << 53) - 1;

/// Bytes that each text of an embedding request is priced with besides its own: even an empty one takes a run of the network.
pub const TEXT_OVERHEAD: u32 = 16;

/// What a model is asked for. Bodies of different kinds have different required fields and refuse all others, so that JSON is
/// a body of one kind at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "the body has not exactly the fields of a picture's (prompt, …), an embedding's (input, …) or a restyled picture's (style_width, …)"
)]
pub enum Body {
    /// A picture from a prompt.
    Image(ImageBody),
    /// Vectors from texts.
    Embedding(EmbeddingBody),
    /// A picture from two: what is drawn, and how.
    Style(StyleBody),
}

/// What a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of [`Body::Image`].
    Image,
    /// Of [`Body::Embedding`].
    Embedding,
    /// Of [`Body::Style`].
    Style,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "pictures",
            Self::Embedding => "embeddings",
            Self::Style => "restyled pictures",
        })
    }
}

/// A request for a picture. Its RFC 8785 JSON is hashed, so every field is always present, but for `strength`, which is there
/// exactly if the request comes with an input picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageBody {
    /// What to draw.
    pub prompt: String,
    /// What not to draw; may be empty.
    pub negative_prompt: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Steps from noise to a picture; of an input picture only a part is drawn, see `strength`.
    pub steps: u32,
    /// Classifier-free guidance scale; at most 1 means without.
    pub guidance: Decimal,
    /// Keys the noise; at most [`MAX_SEED`].
    pub seed: u64,
    /// Name of a sampling method that the manifest allows.
    pub scheduler: String,
    /// How much of the input picture is drawn anew: above 0, and at most 1, which leaves nothing of it. The picture is the
    /// request's blob: three bytes a pixel, rows from the top, of the request's width and height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Decimal>,
}

/// A request for the vectors of texts. Its RFC 8785 JSON is hashed, so every field is always present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingBody {
    /// The texts, of which each becomes a vector.
    pub input: Vec<String>,
    /// Numbers in a vector.
    pub dimensions: u32,
}

/// A request to draw one picture in the manner of another. Both come in the blob: three bytes a pixel, rows from the top, the
/// content first. Its RFC 8785 JSON is hashed, so every field is always present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleBody {
    /// Pixels of the content and of what is drawn.
    pub width: u32,
    /// Pixels of the content and of what is drawn.
    pub height: u32,
    /// Pixels of the style.
    pub style_width: u32,
    /// Pixels of the style.
    pub style_height: u32,
}

impl Body {
    /// RFC 8785 JSON.
    pub fn canonical(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// What is asked for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Image(_) => Kind::Image,
            Self::Embedding(_) => Kind::Embedding,
            Self::Style(_) => Kind::Style,
        }
    }

    /// Transitions of the program's middle part: N.
    pub fn steps(&self) -> u32 {
        match self {
            // Encoding the input picture is a step of its own.
            Self::Image(body) => body.drawn_steps().saturating_add(u32::from(body.strength.is_some())),
            // The network, once.
            Self::Embedding(_) => 1,
            // One network looks at the style, the other draws.
            Self::Style(_) => 2,
        }
    }

    /// States of the trace: N + 1.
    pub fn states(&self) -> u32 {
        self.steps().saturating_add(1)
    }

    /// Bytes of the input pictures that the request must come with.
    pub fn blob_bytes(&self) -> usize {
        match self {
            Self::Image(body) if body.strength.is_some() => 3 * body.width as usize * body.height as usize,
            Self::Image(_) | Self::Embedding(_) => 0,
            Self::Style(body) => usize::try_from(body.pixels().saturating_mul(3)).unwrap_or(usize::MAX),
        }
    }

    /// The unit that such work is priced in, as manifests name it.
    pub fn pricing(&self) -> &'static str {
        match self {
            Self::Image(_) | Self::Style(_) => "megapixel-steps",
            Self::Embedding(_) => "megabytes",
        }
    }

    /// The amount of work, in millionths of its unit. A megapixel-step is 1,000,000 pixels drawn or encoded for one step; a megabyte is
    /// 1,000,000 bytes of text in UTF-8, [`TEXT_OVERHEAD`] included.
    pub fn work(&self) -> U256 {
        match self {
            Self::Image(body) => U256::from(body.width) * U256::from(body.height) * U256::from(self.steps()),
            Self::Embedding(body) => U256::from(body.priced_bytes()),
            // Each step goes over one of the pictures.
            Self::Style(body) => U256::from(body.pixels()),
        }
    }
}

impl From<ImageBody> for Body {
    fn from(body: ImageBody) -> Self {
        Self::Image(body)
    }
}

impl From<EmbeddingBody> for Body {
    fn from(body: EmbeddingBody) -> Self {
        Self::Embedding(body)
    }
}

impl From<StyleBody> for Body {
    fn from(body: StyleBody) -> Self {
        Self::Style(body)
    }
}

impl StyleBody {
    /// Pixels of both pictures.
    pub fn pixels(&self) -> u64 {
        let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
        area(self.width, self.height).saturating_add(area(self.style_width, self.style_height))
    }
}

impl ImageBody {
    /// Steps that the strength leaves to be drawn, the last ones, counted as diffusers counts them: in 64-bit floating point
    /// numbers, rounded down.
    pub fn drawn_steps(&self) -> u32 {
        let part = |strength: &Decimal| (f64::from(self.steps) * strength.to_f64()) as u32;
        self.strength.as_ref().map_or(self.steps, part).min(self.steps)
    }
}

impl EmbeddingBody {
    /// Bytes that the texts are priced as: their own, and [`TEXT_OVERHEAD`] for each.
    pub fn priced_bytes(&self) -> u64 {
        self.input.iter().map(|text| text.len() as u64 + u64::from(TEXT_OVERHEAD)).sum()
    }
}

/// Serialises a value of this crate as RFC 8785 JSON.
pub(crate) fn canonical_json<T: Serialize>(value: &T) -> Vec<u8> {
    // Only maps with keys that are not strings, and non-finite numbers, cannot be serialised; these types have neither.
    serde_json_canonicalizer::to_vec(value).expect("plain structs serialise")
}

/// A non-negative decimal number in its one canonical spelling, such as `7.5`: text, because JSON floats are not exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// Not a decimal in canonical form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no decimal number: write digits with at most 9 decimals, such as 7.5")]
pub struct DecimalError(String);

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Accepts up to 9 digits on each side of the point and drops needless zeros.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let error = || DecimalError(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(error());
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        Ok(Self(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }))
    }
}

impl TryFrom<String> for Decimal {
    type Error = DecimalError;

    /// Unlike [`FromStr`], refuses any spelling but the canonical one: the text is part of a hash.
    fn try_from(text: String) -> Result<Self, DecimalError> {
        let decimal: Self = text.parse()?;
        if decimal.0 == text { Ok(decimal) } else { Err(DecimalError(text)) }
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Decimal {
    /// The number 1.
    pub fn one() -> Self {
        Self("1".to_owned())
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        // Digits and a point always parse; were that wrong, infinity would fail every limit.
        self.0.parse().unwrap_or(f64::INFINITY)
    }

    /// The nearest `f32`, which is what the programs compute with.
    pub fn to_f32(&self) -> f32 {
        self.0.parse().unwrap_or(f32::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_a_body_of_one_kind_at_most() {
        let parse = |json: &str| serde_json::from_str::<Body>(json);
        let image = r#"{"guidance":"7.5","height":64,"negative_prompt":"","prompt":"a","scheduler":"ddim","seed":42,"steps":20,"width":64}"#;
        assert!(matches!(parse(image), Ok(Body::Image(_))));
        let embedding = r#"{"dimensions":384,"input":["a"]}"#;
        assert!(matches!(parse(embedding), Ok(Body::Embedding(_))));
        let style = r#"{"height":8,"style_height":2,"style_width":4,"width":16}"#;
        let Ok(Body::Style(body)) = parse(style) else { panic!("{style}") };
        let body = Body::from(body);
        assert_eq!((body.states(), body.blob_bytes(), body.work()), (3, 3 * (8 * 16 + 2 * 4), U256::from(136)));
        let both = format!("{},{}", &image[..image.len() - 1], &embedding[1..]);
        let twice = r#"{"dimensions":384,"dimensions":384,"input":["a"]}"#;
        for wrong in [&both, twice, "{}", r#"{"input":["a"]}"#, r#"{"dimensions":384,"input":"a"}"#, "[]", "null"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn work_is_counted_in_the_unit_that_it_is_priced_in() {
        let body =
            |input: &[&str]| EmbeddingBody { input: input.iter().map(ToString::to_string).collect(), dimensions: 2 };
        // Three bytes and two; characters do not count.
        let body = Body::from(body(&["abc", "é"]));
        assert_eq!(body.work(), U256::from(3 + 2 + 2 * TEXT_OVERHEAD));
        assert_eq!((body.pricing(), body.states()), ("megabytes", 2));
    }

    #[test]
    fn an_input_picture_leaves_the_steps_that_diffusers_counts() {
        let text = r#"{"guidance":"1","height":8,"negative_prompt":"","prompt":"","scheduler":"","seed":0,"steps":50,"width":16}"#;
        let plain: ImageBody = serde_json::from_str(text).unwrap();
        let body = Body::Image(plain.clone());
        assert_eq!(body.canonical(), text.as_bytes());
        assert_eq!((body.steps(), body.blob_bytes(), body.work()), (50, 0, U256::from(8 * 16 * 50)));
        // 50 x 0.58 is 28.999999999999996 in 64 bits, 50 x 0.07 is 3.5000000000000004.
        for (strength, drawn) in [("1", 50), ("0.5", 25), ("0.58", 28), ("0.07", 3), ("0.019", 0), ("2", 50)] {
            let body = ImageBody { strength: Some(strength.parse().unwrap()), ..plain.clone() };
            assert_eq!(body.drawn_steps(), drawn, "{strength}");
            let body = Body::Image(body);
            assert_eq!((body.steps(), body.states()), (drawn + 1, drawn + 2));
            assert_eq!((body.blob_bytes(), body.work()), (8 * 16 * 3, U256::from(8 * 16 * (drawn + 1))));
            assert_eq!(serde_json::from_slice::<Body>(&body.canonical()).unwrap(), body);
        }
    }

    #[test]
    fn decimals_have_one_spelling() {
        for (text, canonical) in [("7.50", "7.5"), ("007", "7"), ("0.0", "0"), ("5", "5")] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), canonical);
        }
        for bad in ["", ".", "-1", "1e3", "NaN", "1.", ".5", "1.0000000001", "１"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Decimal>("\"7.50\"").is_err());
    }
}
