//! From prompts to what the denoiser is conditioned on.

use super::config::{Added, Settings};
use crate::{
    error::InferenceError,
    network::{Feed, Input, Network, Values},
    package::Package,
    runtime::{Device, Placement},
    tokenizer::Tokenizer,
};
use ort::value::TensorElementType;
use serde::Deserialize;
use std::sync::Arc;

/// Folders of the tokenisers and the text encoders they write for: the first of Stable Diffusion, both of SDXL.
const PARTS: [(&str, &str); 2] = [("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")];

/// A package's tokenisers and text encoders.
pub(super) struct Text {
    encoders: Vec<Encoder>,
    added: Option<Added>,
}

/// A tokeniser and the text encoder that it writes for.
struct Encoder {
    part: &'static str,
    tokenizer: Tokenizer,
    network: Network,
    /// The output that the denoiser is shown.
    output: String,
    /// Numbers in the embedding of a token.
    hidden: usize,
    /// Numbers in the pooled output, if the denoiser is shown that too.
    pooled: Option<usize>,
}

/// What a prompt became.
struct Encoded {
    /// An embedding a token, one after the other.
    states: Vec<f32>,
    /// Of the whole prompt; empty without SDXL's added inputs.
    pooled: Vec<f32>,
}

/// What prompts became: the denoiser's inputs besides latents and time, the same at every step.
pub(super) struct Conditioning {
    batch: usize,
    tokens: usize,
    /// For each of the batch, for each token its embedding.
    states: Arc<[f32]>,
    added: Option<AddedInputs>,
}

struct AddedInputs {
    text_embeds: Arc<[f32]>,
    time_ids: Arc<[f32]>,
}

#[derive(Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    projection_dim: Option<usize>,
}

impl Text {
    pub(super) fn load(package: &Package, device: &Device, settings: &Settings) -> Result<Self, InferenceError> {
        let added = settings.added.clone();
        let parts = if added.is_some() { &PARTS[..] } else { &PARTS[..1] };
        let load = |&(tokenizer, part): &(&'static str, &'static str)| {
            Encoder::load(package, device, tokenizer, part, added.as_ref())
        };
        let encoders = parts.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        if let [first, second] = encoders.as_slice()
            && first.tokenizer.length() != second.tokenizer.length()
        {
            let reason = format!("it takes {} tokens, {} {}", second.length(), first.part, first.length());
            return Err(InferenceError::unfit(second.part, reason));
        }
        Ok(Self { encoders, added })
    }

    /// The names of the denoiser's inputs that a [`Conditioning`] feeds.
    pub(super) fn inputs(&self) -> &'static [&'static str] {
        if self.added.is_some() {
            &["encoder_hidden_states", "text_embeds", "time_ids"]
        } else {
            &["encoder_hidden_states"]
        }
    }

    /// Encodes a request for a picture of `size` (width and height in pixels): its negative prompt, if guidance is to
    /// lead away from that, and its prompt.
    pub(super) fn encode(
        &mut self,
        prompt: &str,
        negative: Option<&str>,
        size: [u32; 2],
    ) -> Result<Conditioning, InferenceError> {
        let encoded = self.encode_one(prompt)?;
        let mut batch = Vec::with_capacity(2);
        match negative {
            // diffusers shows no prompt as zeros, unlike an empty one; in a request an empty one is none.
            Some("") if self.added.as_ref().is_some_and(|added| added.zeros_for_no_prompt) => {
                batch
                    .push(Encoded { states: vec![0.0; encoded.states.len()], pooled: vec![0.0; encoded.pooled.len()] });
            }
            Some(negative) => batch.push(self.encode_one(negative)?),
            None => {}
        }
        batch.push(encoded);
        let tokens = self.encoders.first().map_or(0, Encoder::length);
        let count = batch.len();
        let [width, height] = size.map(|side| side as f32);
        let added = self.added.is_some().then(|| AddedInputs {
            text_embeds: batch.iter().flat_map(|encoded| &encoded.pooled).copied().collect(),
            // Height and width of a picture not scaled, from where it was not cropped, and of the picture asked for.
            time_ids: [height, width, 0.0, 0.0, height, width].repeat(count).into(),
        });
        let states = batch.into_iter().flat_map(|encoded| encoded.states).collect();
        Ok(Conditioning { batch: count, tokens, states, added })
    }

    /// Gives back the encoders' memory.
    pub(super) fn close(&mut self) {
        self.encoders.iter_mut().for_each(|encoder| encoder.network.close());
    }

    /// Encodes a prompt with all encoders, their embeddings of each token side by side.
    fn encode_one(&mut self, prompt: &str) -> Result<Encoded, InferenceError> {
        let mut parts = Vec::with_capacity(self.encoders.len());
        for encoder in &mut self.encoders {
            parts.push((encoder.hidden, encoder.encode(prompt)?));
        }
        let tokens = self.encoders.first().map_or(0, Encoder::length);
        let embedding = |token: usize| {
            parts.iter().flat_map(move |(hidden, encoded)| encoded.states.iter().skip(token * hidden).take(*hidden))
        };
        let states = (0..tokens).flat_map(embedding).copied().collect();
        Ok(Encoded { states, pooled: parts.into_iter().flat_map(|(_, encoded)| encoded.pooled).collect() })
    }
}

impl Encoder {
    fn load(
        package: &Package,
        device: &Device,
        tokenizer: &'static str,
        part: &'static str,
        added: Option<&Added>,
    ) -> Result<Self, InferenceError> {
        let config: Config = package.read_json(&format!("{part}/config.json"))?;
        // Pooling holds an operator that has no GPU kernel.
        let network = Network::load(package, part, device, Placement::Lenient, &["input_ids"])?;
        let output = match added {
            None => "last_hidden_state".into(),
            // The embeddings come before the layers: this is what the last but one gives.
            Some(_) => match config.num_hidden_layers.checked_sub(1) {
                Some(layer) => format!("hidden_states.{layer}"),
                None => return Err(InferenceError::unfit(part, "it has no layers")),
            },
        };
        let pooled = match added {
            Some(added) if part == PARTS[1].1 => Some(added.pooled),
            _ => None,
        };
        if pooled.is_some() && config.projection_dim != pooled {
            let reason = format!("its projection_dim is {:?}, the unet takes {pooled:?}", config.projection_dim);
            return Err(InferenceError::unfit(part, reason));
        }
        let tokenizer = Tokenizer::load(package, tokenizer)?;
        Ok(Self { part, tokenizer, network, output, hidden: config.hidden_size, pooled })
    }

    /// Tokens that a prompt becomes.
    fn length(&self) -> usize {
        self.tokenizer.length()
    }

    fn encode(&mut self, prompt: &str) -> Result<Encoded, InferenceError> {
        let length = self.length();
        let ids = whole(self.part, self.network.input("input_ids")?, &self.tokenizer.encode(prompt)?)?;
        let feed = ("input_ids", vec![1, length], ids);
        let states = [1, length, self.hidden];
        let mut wanted: Vec<(&str, &[usize])> = vec![(&self.output, &states)];
        let pooled = self.pooled.map(|size| [1, size]);
        wanted.extend(pooled.as_ref().map(|shape| ("text_embeds", &shape[..])));
        let mut outputs = self.network.run_for(&[feed], &wanted)?.into_iter();
        let (states, pooled) = (outputs.next().unwrap_or_default(), outputs.next().unwrap_or_default());
        Ok(Encoded { states, pooled })
    }
}

impl Conditioning {
    /// Prompts encoded: 2 with guidance, the negative one first.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// That of several requests in one batch, one after the other.
    pub(super) fn together(each: &[&Self]) -> Self {
        let join = |values: &dyn Fn(&Self) -> Option<&Arc<[f32]>>| -> Arc<[f32]> {
            each.iter().filter_map(|one| values(one)).flat_map(|values| values.iter()).copied().collect()
        };
        let added = each.iter().any(|one| one.added.is_some()).then(|| AddedInputs {
            text_embeds: join(&|one| one.added.as_ref().map(|added| &added.text_embeds)),
            time_ids: join(&|one| one.added.as_ref().map(|added| &added.time_ids)),
        });
        let tokens = each.first().map_or(0, |one| one.tokens);
        Self { batch: each.iter().map(|one| one.batch).sum(), tokens, states: join(&|one| Some(&one.states)), added }
    }

    /// What goes into the denoiser.
    pub(super) fn feeds(&self) -> Vec<Feed<'_>> {
        let mut feeds = vec![feed("encoder_hidden_states", &[self.batch, self.tokens], &self.states)];
        if let Some(added) = &self.added {
            feeds.push(feed("text_embeds", &[self.batch], &added.text_embeds));
            feeds.push(feed("time_ids", &[self.batch], &added.time_ids));
        }
        feeds
    }
}

/// Values for the denoiser, of `outer` dimensions and a last one that holds the rest.
fn feed<'a>(name: &'static str, outer: &[usize], values: &'a Arc<[f32]>) -> Feed<'a> {
    let last = values.len() / outer.iter().product::<usize>().max(1);
    (name, [outer, &[last]].concat(), Values::Kept(values))
}

/// Whole numbers in the type that the input takes.
fn whole(part: &str, input: &Input, values: &[u32]) -> Result<Values<'static>, InferenceError> {
    match input.element() {
        TensorElementType::Int32 => Ok(Values::I32(values.iter().map(|&value| value as i32).collect())),
        TensorElementType::Int64 => Ok(Values::I64(values.iter().map(|&value| value.into()).collect())),
        other => Err(InferenceError::unfit(part, format!("its input_ids are {other}, not int32 or int64"))),
    }
}
