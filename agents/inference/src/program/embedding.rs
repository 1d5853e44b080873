//! `embedding`: a sentence-transformers folder exported to ONNX: texts in, a vector of length 1 for each out.
//!
//! s₀ holds the token ids of each text, as f32, which is exact; the one step runs the network on them and takes the mean over
//! the tokens, so s₁ holds a vector for each text; `finish` scales each to length 1. Each text runs alone and without
//! padding: its vector depends on nothing else in the request.

use super::{Program, Run};
use crate::{
    error::InferenceError,
    network::{Network, Values},
    output::{Output, Vectors},
    package::Package,
    runtime::{Device, Placement},
    state::State,
};
use cuckoo_protocol::{
    body::{Body, EmbeddingBody},
    manifest::{Defaults, Limits},
};
use serde::Deserialize;
use tokenizers::{PostProcessor, Tokenizer as Pieces, TruncationParams};

/// Folder of the network, where sentence-transformers puts it.
const NETWORK: &str = "onnx";

const TOKENIZER: &str = "tokenizer.json";
const SETTINGS: &str = "sentence_bert_config.json";
const POOLING: &str = "1_Pooling/config.json";

/// What a vector is divided by at least when it is scaled to length 1: PyTorch's.
const LEAST_NORM: f64 = 1e-12;

struct Embedding {
    pieces: Pieces,
    /// The largest id there is.
    last_id: u32,
    network: Network,
    /// Numbers in a vector.
    dimensions: usize,
}

#[derive(Deserialize)]
struct Settings {
    max_seq_length: usize,
}

#[derive(Deserialize)]
struct Pooling {
    word_embedding_dimension: usize,
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
}

pub(super) fn load(package: &Package, device: &Device) -> Result<Box<dyn Program>, InferenceError> {
    let manifest = package.manifest();
    let (Defaults::Embedding(defaults), Limits::Embedding(limits)) = (&manifest.defaults, &manifest.limits) else {
        return Err(InferenceError::unfit("cuckoo.json", "its defaults and limits are not those of embeddings"));
    };
    let settings: Settings = package.read_json(SETTINGS)?;
    let pooling: Pooling = package.read_json(POOLING)?;
    let others =
        pooling.pooling_mode_cls_token || pooling.pooling_mode_max_tokens || pooling.pooling_mode_mean_sqrt_len_tokens;
    if !pooling.pooling_mode_mean_tokens || others {
        return Err(InferenceError::unfit(POOLING, "this version takes the mean over the tokens and nothing else"));
    }
    let dimensions = pooling.word_embedding_dimension;
    if limits.dimensions != [defaults.dimensions] || defaults.dimensions as usize != dimensions {
        let reason = format!("it allows vectors of {:?} numbers, the network makes {dimensions}", limits.dimensions);
        return Err(InferenceError::unfit("cuckoo.json", reason));
    }
    let shapes: Vec<&[u32]> = manifest.state.iter().map(|tensor| tensor.shape.as_slice()).collect();
    if shapes != [[defaults.dimensions]] {
        let reason = format!("it lists states {shapes:?} where this program has [[{dimensions}]] for each text");
        return Err(InferenceError::unfit("cuckoo.json", reason));
    }
    let pieces = pieces(package, settings.max_seq_length)?;
    // What computes with shapes has no GPU kernel, and the lengths of texts are not fixed.
    let inputs = ["input_ids", "attention_mask", "token_type_ids"];
    let network = Network::load(package, NETWORK, device, Placement::Lenient, &inputs)?.unfixed();
    let last_id = pieces.get_vocab(true).into_values().max().unwrap_or(0);
    Ok(Box::new(Embedding { pieces, last_id, network, dimensions }))
}

/// The tokeniser, which cuts what is longer than `length` tokens.
fn pieces(package: &Package, length: usize) -> Result<Pieces, InferenceError> {
    let malformed = |e: tokenizers::Error| InferenceError::unfit(TOKENIZER, format!("it is malformed: {e}"));
    let mut pieces = Pieces::from_bytes(package.read(TOKENIZER)?).map_err(malformed)?;
    let special = pieces.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
    if !(special + 1..=4096).contains(&length) {
        let reason = format!("its max_seq_length is {length}, not {} to 4096", special + 1);
        return Err(InferenceError::unfit(SETTINGS, reason));
    }
    let cut = TruncationParams { max_length: length, ..TruncationParams::default() };
    pieces.with_padding(None).with_truncation(Some(cut)).map_err(malformed)?;
    Ok(pieces)
}

impl Program for Embedding {
    fn close(&mut self) {
        self.network.close();
    }

    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        let Body::Embedding(EmbeddingBody { input, .. }) = body else {
            return Err(InferenceError::unfit("embedding", format!("it does not make {}", body.kind())));
        };
        let failed = |reason: String| InferenceError::Run { part: TOKENIZER.into(), reason };
        let ids = |text: &String| {
            let encoding = self.pieces.encode_fast(text.as_str(), true).map_err(|e| failed(e.to_string()))?;
            match encoding.get_ids() {
                [] => Err(failed(format!("it makes no tokens of {:?}", text.chars().take(40).collect::<String>()))),
                ids => Ok(ids.iter().map(|&id| id as f32).collect()),
            }
        };
        let ids = input.iter().map(ids).collect::<Result<Vec<Vec<f32>>, InferenceError>>()?;
        Ok(Box::new(Reading { model: self, ids }))
    }
}

/// A request being worked on.
struct Reading<'a> {
    model: &'a mut Embedding,
    /// Token ids of each text.
    ids: Vec<Vec<f32>>,
}

impl Run for Reading<'_> {
    fn lengths(&self, k: u32) -> Vec<usize> {
        match k {
            0 => self.ids.iter().map(Vec::len).collect(),
            _ => vec![self.model.dimensions; self.ids.len()],
        }
    }

    fn init(&mut self, _: &[u8]) -> Result<State, InferenceError> {
        Ok(State::new(self.ids.clone()))
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        if k > 0 {
            return Err(InferenceError::Step { step: k, last: 0 });
        }
        state.expect(&self.lengths(0))?;
        let means = state.tensors().iter().map(|ids| self.model.mean(ids));
        Ok(State::new(means.collect::<Result<_, _>>()?))
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        state.expect(&self.lengths(1))?;
        let values: Vec<f32> = state.tensors().iter().flat_map(|mean| scaled(mean)).collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(InferenceError::NonFinite { what: "a vector".into() });
        }
        Ok(Output::Vectors(Vectors { dimensions: self.model.dimensions, values }))
    }
}

impl Embedding {
    /// The mean of what the network makes of each token.
    fn mean(&mut self, ids: &[f32]) -> Result<Vec<f32>, InferenceError> {
        let is_id = |&id: &f32| id.fract() == 0.0 && (0.0..=self.last_id as f32).contains(&id);
        if !ids.iter().all(is_id) {
            // No request leads to such a state. What follows from it is no number, which no claim is close to.
            return Ok(vec![f32::NAN; self.dimensions]);
        }
        let count = ids.len();
        let whole = |values: Vec<i64>| (vec![1, count], Values::I64(values));
        let (shape, ids) = whole(ids.iter().map(|&id| id as i64).collect());
        let (_, mask) = whole(vec![1; count]);
        let (_, types) = whole(vec![0; count]);
        let feeds = [
            ("input_ids", shape.clone(), ids),
            ("attention_mask", shape.clone(), mask),
            ("token_type_ids", shape, types),
        ];
        let hidden = self.network.run(&feeds, &[1, count, self.dimensions])?;
        let mut sums = vec![0.0_f64; self.dimensions];
        for token in hidden.chunks(self.dimensions) {
            sums.iter_mut().zip(token).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        Ok(sums.iter().map(|sum| (sum / count as f64) as f32).collect())
    }
}

/// A vector scaled to length 1.
fn scaled(vector: &[f32]) -> Vec<f32> {
    let squares: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
    let norm = squares.sqrt().max(LEAST_NORM);
    vector.iter().map(|value| (f64::from(*value) / norm) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_any_size_become_as_long_as_1() {
        for size in [1e-9_f32, 1.0, 1e30] {
            let [x, y] = scaled(&[3.0 * size, -4.0 * size])[..] else { panic!("two numbers") };
            assert!((x - 0.6).abs() < 1e-6 && (y + 0.8).abs() < 1e-6, "{size}: {x} {y}");
        }
        assert_eq!(scaled(&[0.0; 2]), [0.0; 2]);
    }
}
