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
    expecting = "the body has not exactly the fields of a picture's (prompt, …) or an embedding's (input, …)"
)]
pub enum Body {
    /// A picture from a prompt.
    Image(ImageBody),
    /// Vectors from texts.
    Embedding(EmbeddingBody),
}

/// A text-to-image request. Its RFC 8785 JSON is hashed, so every field is always present.
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
    /// Transitions of the program's middle part: N.
    pub steps: u32,
    /// Classifier-free guidance scale; at most 1 means without.
    pub guidance: Decimal,
    /// Keys the noise; at most [`MAX_SEED`].
    pub seed: u64,
    /// Name of a sampling method that the manifest allows.
    pub scheduler: String,
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

impl Body {
    /// RFC 8785 JSON.
    pub fn canonical(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// What kind of body this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "pictures",
            Self::Embedding(_) => "embeddings",
        }
    }

    /// Transitions of the program's middle part: N.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Image(body) => body.steps,
            // The network, once.
            Self::Embedding(_) => 1,
        }
    }

    /// States of the trace: N + 1.
    pub fn states(&self) -> u32 {
        self.steps().saturating_add(1)
    }

    /// Bytes of the input pictures that the request must come with.
    pub fn blob_bytes(&self) -> usize {
        match self {
            Self::Image(_) | Self::Embedding(_) => 0,
        }
    }

    /// The unit that such work is priced in, as manifests name it.
    pub fn pricing(&self) -> &'static str {
        match self {
            Self::Image(_) => "megapixel-steps",
            Self::Embedding(_) => "megabytes",
        }
    }

    /// The amount of work, in millionths of its unit. A megapixel-step is 1,000,000 pixels drawn for one step; a megabyte is
    /// 1,000,000 bytes of text in UTF-8, [`TEXT_OVERHEAD`] included.
    pub fn work(&self) -> U256 {
        match self {
            Self::Image(body) => U256::from(body.width) * U256::from(body.height) * U256::from(body.steps),
            Self::Embedding(body) => U256::from(body.priced_bytes()),
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
