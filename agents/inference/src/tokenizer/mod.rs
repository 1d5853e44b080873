//! CLIP's tokeniser: from a prompt to the fixed number of token ids that the text encoder takes.

mod words;

use crate::{error::InferenceError, package::Package};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tokenizers::{AddedToken, Tokenizer as Pieces};
use words::Words;

/// The tokens that CLIPTokenizer knows by heart.
const BEGIN: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// Longest sequence that is taken for one: files without a limit have 10³⁰.
const MAX_LENGTH: u64 = 4096;

/// Turns prompts into token ids.
pub struct Tokenizer {
    /// Folder of the package.
    part: String,
    rules: Rules,
    length: usize,
    begin: u32,
    end: u32,
    pad: u32,
}

/// How text becomes ids.
enum Rules {
    /// By vocab.json and merges.txt, as Python's CLIPTokenizer has it.
    Words {
        words: Box<Words>,
        /// Tokens that are taken as one where a prompt has them.
        added: Vec<(String, u32)>,
    },
    /// By tokenizer.json, as Python's CLIPTokenizerFast has it.
    Json(Box<Pieces>),
}

#[derive(Deserialize)]
struct Config {
    model_max_length: Value,
    #[serde(flatten)]
    special: Special,
    /// By id. Older files lack it.
    added_tokens_decoder: Option<BTreeMap<String, Value>>,
}

/// Tokens with a task.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Special {
    bos_token: Value,
    eos_token: Value,
    unk_token: Value,
    pad_token: Value,
}

impl Tokenizer {
    /// Reads a folder of a package, such as `tokenizer`: vocab.json with merges.txt, as pipelines with a
    /// `CLIPTokenizer` do, else tokenizer.json.
    ///
    /// # Errors
    /// [`InferenceError::Package`] for files that are missing or malformed, [`InferenceError::Unfit`] for settings that
    /// are not CLIP's.
    pub fn load(package: &Package, part: &str) -> Result<Self, InferenceError> {
        let unfit = |reason: String| InferenceError::unfit(part, reason);
        let config: Config = package.read_json(&format!("{part}/tokenizer_config.json"))?;
        let length = config.model_max_length.as_u64().filter(|length| (3..=MAX_LENGTH).contains(length));
        let length = length.ok_or_else(|| unfit(format!("its model_max_length is not 3 to {MAX_LENGTH}")))? as usize;
        let map = format!("{part}/special_tokens_map.json");
        let special = match &config.added_tokens_decoder {
            // As transformers does it: in older folders, such as that of Stable Diffusion 2, this file has the last
            // word.
            None if package.lists(&map) => package.read_json::<Special>(&map)?.or(config.special),
            _ => config.special,
        };
        let begin = content(&special.bos_token).ok_or_else(|| unfit("it has no bos_token".into()))?;
        let end = content(&special.eos_token).ok_or_else(|| unfit("it has no eos_token".into()))?;
        // What CLIPTokenizer has unless told.
        let [pad, unknown] = [&special.pad_token, &special.unk_token].map(|token| content(token).unwrap_or(END));
        let lacks = |token: &str| unfit(format!("its vocabulary lacks {token:?}"));

        let (rules, [begin, end, pad]) = if package.lists(&format!("{part}/vocab.json")) {
            let words = Words::load(package, part, unknown)?;
            let id = |token: &str| words.id(token).ok_or_else(|| lacks(token));
            let ids = [id(begin)?, id(end)?, id(pad)?];
            let others = config.added_tokens_decoder.iter().flat_map(BTreeMap::values).filter_map(content);
            let added = [begin, end, pad, unknown].into_iter().chain(others);
            let added = added.filter(|token| !token.is_empty()).map(|token| Ok((token.to_owned(), id(token)?)));
            let added = added.collect::<Result<_, InferenceError>>()?;
            (Rules::Words { words: Box::new(words), added }, ids)
        } else {
            let mut pieces = from_tokenizer_json(package, part)?;
            let id = |token: &str| pieces.token_to_id(token).ok_or_else(|| lacks(token));
            let ids = [id(begin)?, id(end)?, id(pad)?];
            pieces.add_special_tokens(&[begin, end, pad].map(|token| AddedToken::from(token, true).normalized(false)));
            (Rules::Json(Box::new(pieces)), ids)
        };
        Ok(Self { part: part.to_owned(), rules, length, begin, end, pad })
    }

    /// Ids that a prompt becomes, always as many.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The ids of a prompt: begin, the prompt's own, cut to fit, end, padding.
    ///
    /// # Errors
    /// [`InferenceError::Run`] if the tokeniser fails.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let inner = match &self.rules {
            Rules::Words { words, added } => around(prompt, added, words),
            Rules::Json(pieces) => pieces.encode_fast(prompt, false).map(|encoding| encoding.get_ids().to_vec()),
        };
        let failed = |e: tokenizers::Error| InferenceError::Run { part: self.part.clone(), reason: e.to_string() };
        let mut ids = Vec::with_capacity(self.length);
        ids.push(self.begin);
        ids.extend(inner.map_err(failed)?.iter().take(self.length - 2));
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        Ok(ids)
    }
}

impl Special {
    /// These, and those of `others` that are missing.
    fn or(self, others: Self) -> Self {
        let either = |one: Value, other: Value| if one.is_null() { other } else { one };
        Self {
            bos_token: either(self.bos_token, others.bos_token),
            eos_token: either(self.eos_token, others.eos_token),
            unk_token: either(self.unk_token, others.unk_token),
            pad_token: either(self.pad_token, others.pad_token),
        }
    }
}

/// The ids of a prompt that may have `added` tokens in it: what is between them is text of its own.
fn around(prompt: &str, added: &[(String, u32)], words: &Words) -> tokenizers::Result<Vec<u32>> {
    let (mut ids, mut rest) = (Vec::new(), prompt);
    while !rest.is_empty() {
        // The first there is, and the longest of those that begin there.
        let found = added.iter().filter_map(|(token, id)| Some((rest.find(token.as_str())?, token.len(), *id)));
        let Some((at, length, id)) = found.min_by_key(|&(at, length, _)| (at, std::cmp::Reverse(length))) else {
            break;
        };
        let (before, from) = rest.split_at(at);
        ids.extend(words.encode(before)?);
        ids.push(id);
        rest = from.get(length..).unwrap_or_default();
    }
    ids.extend(words.encode(rest)?);
    Ok(ids)
}

fn from_tokenizer_json(package: &Package, part: &str) -> Result<Pieces, InferenceError> {
    let malformed = |e: tokenizers::Error| InferenceError::unfit(part, format!("tokenizer.json is malformed: {e}"));
    let mut pieces = Pieces::from_bytes(package.read(&format!("{part}/tokenizer.json"))?).map_err(malformed)?;
    // Cut and padded here instead, around the end that CLIP wants after each prompt.
    pieces.with_padding(None).with_truncation(None).map_err(malformed)?;
    Ok(pieces)
}

/// A token in tokenizer_config.json: its text, or an object with its text.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}
