//! From prompts to what the denoiser is conditioned on.

use crate::{
    error::InferenceError,
    network::{Feed, Input, Network, Values},
    package::Package,
    runtime::{Device, Placement},
    tokenizer::Tokenizer,
};
use ort::value::TensorElementType;
use serde::Deserialize;
use std::borrow::Cow;

const TEXT_ENCODER: &str = "text_encoder";

/// A package's tokeniser and text encoder.
pub(super) struct Text {
    tokenizer: Tokenizer,
    network: Network,
    /// Numbers in the embedding of a token.
    hidden: usize,
}

/// What prompts became: the denoiser's inputs besides latents and time, the same at every step.
pub(super) struct Conditioning {
    /// Prompts, tokens of each, numbers in the embedding of a token.
    shape: [usize; 3],
    embeddings: Vec<f32>,
}

#[derive(Deserialize)]
struct Config {
    hidden_size: usize,
}

impl Text {
    pub(super) fn load(package: &Package, device: &Device) -> Result<Self, InferenceError> {
        let config: Config = package.read_json("text_encoder/config.json")?;
        // The text encoder's pooled output, which nobody reads, holds an operator that has no GPU kernel.
        let network = Network::load(package, TEXT_ENCODER, device, Placement::Lenient, &["input_ids"])?;
        Ok(Self { tokenizer: Tokenizer::load(package)?, network, hidden: config.hidden_size })
    }

    /// Encodes prompts, which the denoiser is to take as one batch.
    pub(super) fn encode(&mut self, prompts: &[&str]) -> Result<Conditioning, InferenceError> {
        let length = self.tokenizer.length();
        let mut embeddings = Vec::new();
        for prompt in prompts {
            let ids = whole(self.network.input("input_ids")?, &self.tokenizer.encode(prompt)?)?;
            let feed = ("input_ids", vec![1, length], ids);
            embeddings.extend(self.network.run(&[feed], &[1, length, self.hidden])?);
        }
        Ok(Conditioning { shape: [prompts.len(), length, self.hidden], embeddings })
    }
}

impl Conditioning {
    /// The names of the denoiser's inputs that this feeds.
    pub(super) const INPUTS: [&str; 1] = ["encoder_hidden_states"];

    /// Prompts encoded.
    pub(super) fn batch(&self) -> usize {
        self.shape[0]
    }

    /// What goes into the denoiser.
    pub(super) fn feeds(&self) -> Vec<Feed<'_>> {
        let [states] = Self::INPUTS;
        vec![(states, self.shape.to_vec(), Values::F32(Cow::Borrowed(&self.embeddings)))]
    }
}

/// Whole numbers in the type that the input takes.
fn whole(input: &Input, values: &[u32]) -> Result<Values<'static>, InferenceError> {
    match input.element() {
        TensorElementType::Int32 => Ok(Values::I32(values.iter().map(|&value| value as i32).collect())),
        TensorElementType::Int64 => Ok(Values::I64(values.iter().map(|&value| value.into()).collect())),
        other => Err(InferenceError::unfit(TEXT_ENCODER, format!("its input_ids are {other}, not int32 or int64"))),
    }
}
